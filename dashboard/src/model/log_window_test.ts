import { describe, expect, test } from "vitest";
import {
  kEmptyLog,
  kMaxText,
  openTail,
  readBackward,
  readForward,
  visibleLines,
  type ReadFile,
} from "./log_window";

/** A file as the agent serves it: bytes by offset, text with replacement characters, a cap on each read. */
class File {
  bytes = new Uint8Array(0);
  reads = 0;

  constructor(text = "") {
    this.append(text);
  }

  append(text: string | number[]): void {
    const more = typeof text === "string" ? new TextEncoder().encode(text) : Uint8Array.from(text);
    this.bytes = Uint8Array.from([...this.bytes, ...more]);
  }

  read: ReadFile = async (offset, length) => {
    this.reads += 1;
    if (offset === -1) return { offset: this.bytes.length, data: "" };
    const end = Math.min(this.bytes.length, offset + Math.min(length, 65536));
    return { offset, data: new TextDecoder().decode(this.bytes.slice(offset, end)) };
  };
}

const all = (file: File) => new TextDecoder().decode(file.bytes);

describe("log window", () => {
  test("an empty file is an empty window, and grows", async () => {
    const file = new File();
    let log = await openTail(file.read);
    expect(log).toEqual(kEmptyLog);
    file.append("one\n");
    log = await readForward(log, file.read);
    expect(log).toMatchObject({ start: 0, end: 4, text: "one\n" });
  });

  test("opens at the tail and reads back to the first byte", async () => {
    const file = new File(Array.from({ length: 50 }, (_, i) => `line ${i}`).join("\n"));
    let log = await openTail(file.read, 64);
    expect(log.end - log.start).toBe(64);
    while (log.start > 0) log = await readBackward(log, file.read, 64);
    expect(log.text).toBe(all(file));
    expect(await readBackward(log, file.read)).toBe(log);
  });

  test("follows what is appended page by page", async () => {
    const file = new File("start\n");
    let log = await openTail(file.read);
    file.append("x".repeat(100));
    log = await readForward(log, file.read, 30);
    expect(log).toMatchObject({ end: 36, size: 106 });
    while (log.end < log.size) log = await readForward(log, file.read, 30);
    expect(log.text).toBe(all(file));
  });

  test("a file that did not grow costs one question and changes nothing", async () => {
    const file = new File("abc");
    const log = await openTail(file.read);
    file.reads = 0;
    expect(await readForward(log, file.read)).toBe(log);
    expect(file.reads).toBe(1);
  });

  test("no cut goes through a character, whatever the page", async () => {
    const text = "aé€😀 z\n".repeat(20);
    for (let page = 5; page < 40; ++page) {
      const file = new File(text);
      let log = await openTail(file.read, page);
      while (log.start > 0) log = await readBackward(log, file.read, page);
      expect(log.text).toBe(text);
      file.append(text);
      do log = await readForward(log, file.read, page);
      while (log.end < log.size);
      expect(log.text).toBe(text + text);
    }
  });

  test("a character that is still being written waits for its rest", async () => {
    const file = new File("ok ");
    let log = await openTail(file.read);
    file.append([0xe2, 0x82]);
    log = await readForward(log, file.read);
    file.append([0xac, 0x0a]);
    do log = await readForward(log, file.read);
    while (log.end < log.size);
    expect(log.text).toContain("ok ");
    expect(log.end).toBe(file.bytes.length);
  });

  test("bytes that are no text do not stop the reader", async () => {
    const file = new File("a\n");
    let log = await openTail(file.read);
    file.append([0xff, 0xff, 0xff, 0xff, 0xff]);
    log = await readForward(log, file.read);
    expect(log.end).toBe(7);
    file.append("\nb\n");
    log = await readForward(log, file.read);
    expect(log.text.endsWith("\nb\n")).toBe(true);
  });

  test("a rotated file is read anew", async () => {
    const file = new File("old old old\n");
    let log = await openTail(file.read);
    file.bytes = new TextEncoder().encode("new\n");
    log = await readForward(log, file.read);
    expect(log).toMatchObject({ start: 0, end: 4, text: "new\n", restarts: 1 });
  });

  test("forgets the oldest lines when there is too much, and knows where the rest starts", async () => {
    const line = `${"y".repeat(999)}\n`;
    const log = {
      start: 0,
      end: kMaxText,
      size: kMaxText,
      text: line.repeat(Math.ceil(kMaxText / 1000)),
      restarts: 0,
    };
    log.end = log.size = log.text.length;
    const file = new File();
    file.bytes = new TextEncoder().encode(log.text + line);
    const next = await readForward(log, file.read);
    expect(next.text.length).toBeLessThanOrEqual(kMaxText);
    expect(next.end - next.start).toBe(next.text.length);
    expect(next.start % 1000).toBe(0);
  });

  test("shows no half first line", () => {
    expect(visibleLines({ ...kEmptyLog, start: 5, text: "rest\nwhole\n" })).toEqual(["whole"]);
    expect(visibleLines({ ...kEmptyLog, text: "first\nsecond" })).toEqual(["first", "second"]);
  });
});
