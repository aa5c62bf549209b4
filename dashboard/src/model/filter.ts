// The filter box: words that must occur, `is:word` for tags, `-word` to exclude.

export interface Filter {
  words: string[];
  tags: string[];
  not: string[];
}

export function parseFilter(text: string): Filter {
  const filter: Filter = { words: [], tags: [], not: [] };
  for (const part of text.toLowerCase().split(/\s+/)) {
    if (part === "" || part === "-" || part === "is:") continue;
    if (part.startsWith("is:")) filter.tags.push(part.slice(3));
    else if (part.startsWith("-")) filter.not.push(part.slice(1));
    else filter.words.push(part);
  }
  return filter;
}

/** Does a row, described by a text and its tags, pass? A tag may be given by its beginning. */
export function passes(filter: Filter, text: string, tags: readonly string[] = []): boolean {
  const hay = text.toLowerCase();
  const known = tags.map((tag) => tag.toLowerCase());
  return (
    filter.words.every((word) => hay.includes(word)) &&
    filter.not.every((word) => !hay.includes(word)) &&
    filter.tags.every((tag) => known.some((k) => k.startsWith(tag)))
  );
}
