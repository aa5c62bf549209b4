// Which bytes of a growing file are shown, and what to read next.
//
// A sandbox file is read by byte offsets while its text arrives as JSON, where a byte that is no UTF-8 has become
// another character: the length of the text does not tell how many bytes were read. So the size is asked for first
// (offset -1) and then a known number of bytes; what was asked for is what was read.

/** Reads `length` bytes at `offset`; offset -1 answers with the size in `offset` and no data. */
export type ReadFile = (offset: number, length: number) => Promise<{ offset: number; data: string }>;

export interface LogState {
  /** The first and the one-past-last byte that `text` stands for. */
  start: number;
  end: number;
  /** The size of the file when last asked. */
  size: number;
  text: string;
  /** How often the file was found shorter than before, and was read anew. */
  restarts: number;
}

export const kEmptyLog: LogState = { start: 0, end: 0, size: 0, text: "", restarts: 0 };

/** One read. The agent caps a read at 64 KiB; staying well below keeps answers quick. */
export const kPage = 32 * 1024;
/** What is kept in memory and on the screen; the oldest goes first. */
export const kMaxText = 2 * 1024 * 1024;

const kReplacement = "\uFFFD";
/** A UTF-8 character has at most four bytes. */
const kMaxSplit = 3;

/** Reads [from, to) and moves `to` back when the cut went through a character. Returns the text and the true end. */
async function readCutAtEnd(
  read: ReadFile,
  from: number,
  to: number,
): Promise<{ text: string; end: number }> {
  const whole = await read(from, to - from);
  if (!whole.data.endsWith(kReplacement)) return { text: whole.data, end: to };
  for (let back = 1; back <= kMaxSplit && to - back > from; ++back) {
    const part = await read(from, to - back - from);
    if (!part.data.endsWith(kReplacement)) return { text: part.data, end: to - back };
  }
  return { text: whole.data, end: to };
}

/** Reads [from, to) and moves `from` forward when it points into a character. */
async function readCutAtStart(
  read: ReadFile,
  from: number,
  to: number,
): Promise<{ text: string; start: number }> {
  const whole = await read(from, to - from);
  if (from === 0 || !whole.data.startsWith(kReplacement)) return { text: whole.data, start: from };
  for (let skip = 1; skip <= kMaxSplit && from + skip < to; ++skip) {
    const part = await read(from + skip, to - from - skip);
    if (!part.data.startsWith(kReplacement)) return { text: part.data, start: from + skip };
  }
  return { text: whole.data, start: from };
}

async function sizeOf(read: ReadFile): Promise<number> {
  return (await read(-1, 0)).offset;
}

/** Opens a file at its end: the last page of it. */
export async function openTail(read: ReadFile, page = kPage): Promise<LogState> {
  const size = await sizeOf(read);
  if (size === 0) return kEmptyLog;
  const { text, start } = await readCutAtStart(read, Math.max(0, size - page), size);
  return { start, end: size, size, text, restarts: 0 };
}

/**
 * Reads what was appended, at most one page; `end < size` afterwards means that there is more. A file that became
 * shorter was rotated: it is opened anew.
 */
export async function readForward(log: LogState, read: ReadFile, page = kPage): Promise<LogState> {
  const size = await sizeOf(read);
  if (size < log.end) return { ...(await openTail(read, page)), restarts: log.restarts + 1 };
  if (size === log.end) return log.size === size ? log : { ...log, size };
  const to = Math.min(size, log.end + page);
  const { text, end } = await readCutAtEnd(read, log.end, to);
  return trimStart({ ...log, end, size, text: log.text + text });
}

/** Reads the page before the first byte shown. */
export async function readBackward(log: LogState, read: ReadFile, page = kPage): Promise<LogState> {
  if (log.start === 0) return log;
  const { text, start } = await readCutAtStart(read, Math.max(0, log.start - page), log.start);
  return { ...log, start, text: text + log.text };
}

/** Drops whole lines at the start when the text is too long, and counts their bytes. */
function trimStart(log: LogState): LogState {
  if (log.text.length <= kMaxText) return log;
  const cut = log.text.indexOf("\n", log.text.length - kMaxText) + 1 || log.text.length - kMaxText;
  const dropped = new TextEncoder().encode(log.text.slice(0, cut)).length;
  // With replaced bytes the count can be off; it only tells where reading backward starts, and never passes the end.
  return { ...log, text: log.text.slice(cut), start: Math.min(log.start + dropped, log.end) };
}

/** The lines to show: without the first one when it is not whole. */
export function visibleLines(log: LogState): string[] {
  const lines = log.text.split("\n");
  if (log.start > 0 && lines.length > 1) lines.shift();
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
