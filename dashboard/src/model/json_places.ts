// Where in a JSON text the field named by an API error stands, so that the editor can mark its line.

type Step = string | number;

/** `/container/docker/portMappings(0)/protocol` -> ["container","docker","portMappings",0,"protocol"]. */
export function parseErrorPath(path: string): Step[] {
  const steps: Step[] = [];
  for (const part of path.split("/")) {
    if (part === "") continue;
    const name = part.replace(/(\(\d+\))+$/, "");
    if (name !== "") steps.push(name);
    for (const index of part.slice(name.length).matchAll(/\((\d+)\)/g)) steps.push(Number(index[1]));
  }
  return steps;
}

/** Walks a JSON text that is known to parse and reports where each value starts. */
class Walker {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly found: (path: Step[], at: number) => void,
  ) {}

  value(path: Step[], keyAt: number): void {
    this.blank();
    this.found(path, keyAt);
    const c = this.text[this.at];
    if (c === "{") this.members(path);
    else if (c === "[") this.elements(path);
    else if (c === '"') this.string();
    else while (this.at < this.text.length && !/[,\]}\s]/.test(this.text[this.at]!)) this.at += 1;
  }

  private blank(): void {
    while (/\s/.test(this.text[this.at] ?? "x")) this.at += 1;
  }

  private string(): string {
    const start = this.at++;
    while (this.at < this.text.length && this.text[this.at] !== '"')
      this.at += this.text[this.at] === "\\" ? 2 : 1;
    this.at += 1;
    return JSON.parse(this.text.slice(start, this.at)) as string;
  }

  private members(path: Step[]): void {
    this.at += 1;
    for (this.blank(); this.text[this.at] !== "}"; this.blank()) {
      const keyAt = this.at;
      const key = this.string();
      this.blank();
      this.at += 1;
      this.value([...path, key], keyAt);
      this.blank();
      if (this.text[this.at] === ",") this.at += 1;
    }
    this.at += 1;
  }

  private elements(path: Step[]): void {
    this.at += 1;
    this.blank();
    for (let i = 0; this.text[this.at] !== "]"; ++i, this.blank()) {
      this.value([...path, i], this.at);
      this.blank();
      if (this.text[this.at] === ",") this.at += 1;
    }
    this.at += 1;
  }
}

/**
 * The line (from 1) of the field that an error path names, or of its nearest parent that is there. 0 when the text is
 * not JSON or the error is about the whole.
 */
export function lineOfPath(text: string, path: string): number {
  try {
    JSON.parse(text);
  } catch {
    return 0;
  }
  const wanted = parseErrorPath(path);
  let best = 0;
  let bestAt = -1;
  new Walker(text, (steps, at) => {
    if (steps.length <= best || steps.length > wanted.length) return;
    if (steps.every((step, i) => String(step) === String(wanted[i]))) {
      best = steps.length;
      bestAt = at;
    }
  }).value([], 0);
  return bestAt < 0 ? 0 : text.slice(0, bestAt).split("\n").length;
}

/** The line of a syntax error, from the position or the line that the browser's parser names; 0 when unknown. */
export function lineOfSyntaxError(text: string, message: string): number {
  const line = /line (\d+)/.exec(message);
  if (line) return Number(line[1]);
  const position = /position (\d+)/.exec(message);
  if (position) return text.slice(0, Number(position[1])).split("\n").length;
  return /end of/i.test(message) ? text.trimEnd().split("\n").length : 0;
}
