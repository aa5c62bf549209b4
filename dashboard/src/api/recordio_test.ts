import { describe, expect, test } from "vitest";
import { RecordDecoder, RecordError } from "./recordio";

const bytes = (text: string) => new TextEncoder().encode(text);
const frame = (text: string) => `${bytes(text).length}\n${text}`;
const records = ['{"type":"SUBSCRIBED"}', "", '{"name":"日本語 ünï 🚀"}', "x".repeat(300)];
const stream = bytes(records.map(frame).join(""));

function decodeInChunks(size: number): string[] {
  const decoder = new RecordDecoder();
  const out: string[] = [];
  for (let at = 0; at < stream.length; at += size) out.push(...decoder.push(stream.subarray(at, at + size)));
  return out;
}

describe("RecordDecoder", () => {
  test("gives the same records for every chunk size", () => {
    for (let size = 1; size <= stream.length; ++size) expect(decodeInChunks(size)).toEqual(records);
  });

  test("splits the stream anywhere in two", () => {
    for (let cut = 0; cut <= stream.length; ++cut) {
      const decoder = new RecordDecoder();
      expect([...decoder.push(stream.subarray(0, cut)), ...decoder.push(stream.subarray(cut))]).toEqual(
        records,
      );
    }
  });

  test("gives nothing before a record is whole", () => {
    expect(new RecordDecoder().push(bytes("5\nabcd"))).toEqual([]);
  });

  test.each(["abc\n", "\n", "-1\nx", "99999999999\n", " 5\nabcde"])("refuses the header %j", (text) => {
    expect(() => new RecordDecoder().push(bytes(text))).toThrow(RecordError);
  });

  test("refuses a record over its limit before allocating it", () => {
    expect(() => new RecordDecoder(100).push(bytes("101\n"))).toThrow(/too large/);
  });
});
