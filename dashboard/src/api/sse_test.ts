import { describe, expect, test } from "vitest";
import { EventDecoder } from "./sse";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("EventDecoder", () => {
  const text = 'event: a\r\ndata: {"x":"ü"}\r\n\r\n\r\n: note\nevent: b\ndata: 1\ndata: 2\n\ndata:bare\n\n';
  const expected = [
    { type: "a", data: '{"x":"ü"}' },
    { type: "b", data: "1\n2" },
    { type: "message", data: "bare" },
  ];

  test("gives the same events for every chunk size", () => {
    const stream = bytes(text);
    for (let size = 1; size <= stream.length; ++size) {
      const decoder = new EventDecoder();
      const out = [];
      for (let at = 0; at < stream.length; at += size)
        out.push(...decoder.push(stream.subarray(at, at + size)));
      expect(out).toEqual(expected);
    }
  });

  test("keep-alive lines are no events", () => {
    expect(new EventDecoder().push(bytes("\r\n\r\n\r\n"))).toEqual([]);
  });

  test("an endless line is refused", () => {
    expect(() => new EventDecoder(10).push(bytes("data: 0123456789"))).toThrow(/too large/);
  });
});
