import { describe, expect, test } from "vitest";
import { LiveStream, retryDelay } from "./live_stream";

describe("retryDelay", () => {
  test("doubles up to a limit", () => {
    expect([0, 1, 2, 3].map((n) => retryDelay(n, 0))).toEqual([500, 1000, 2000, 4000]);
    expect(retryDelay(1000, 0)).toBe(15000);
  });

  test("spreads clients that lost the same gateway", () => {
    expect(retryDelay(0, 1)).toBe(625);
  });
});

function untilPhase(stream: LiveStream, phase: string): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (stream.status.get().phase === phase) resolve();
    };
    stream.status.subscribe(look);
    look();
  });
}

describe("LiveStream", () => {
  test("reports a loss with its reason, opens again when told, and starts each time afresh", async () => {
    const opened: string[] = [];
    const seen: string[] = [];
    let close = () => {};
    const stream = new LiveStream({
      silenceMs: 60_000,
      open: async () => {
        opened.push("open");
        return new Response(
          new ReadableStream({
            start(controller) {
              controller.enqueue(new TextEncoder().encode(`chunk ${opened.length}`));
              close = () => controller.close();
            },
          }),
        );
      },
      onOpen: () => void seen.push("fresh"),
      onChunk: (chunk) => void seen.push(new TextDecoder().decode(chunk)),
    });
    stream.start();
    await untilPhase(stream, "live");
    await Promise.resolve();
    close();
    await untilPhase(stream, "lost");
    expect(stream.status.get().reason).toBe("The stream ended.");
    await Promise.resolve();
    stream.retryNow();
    await untilPhase(stream, "live");
    stream.stop();
    expect(opened).toEqual(["open", "open"]);
    expect(seen.slice(0, 3)).toEqual(["fresh", "chunk 1", "fresh"]);
  });

  test("names the error of the API", async () => {
    const stream = new LiveStream({
      silenceMs: 60_000,
      open: async () => {
        throw new Error("The gateway cannot be reached.");
      },
      onOpen: () => {},
      onChunk: () => {},
    });
    stream.start();
    await untilPhase(stream, "lost");
    stream.stop();
    expect(stream.status.get().reason).toBe("The gateway cannot be reached.");
  });
});
