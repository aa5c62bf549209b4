// A long-lived response that is opened again whenever it ends: backoff with jitter, and a watchdog for silent deaths.

import { ApiError, messageOf } from "./http";
import { Store } from "./store";

export interface StreamStatus {
  phase: "connecting" | "live" | "lost";
  /** Why the stream is lost, in a sentence. */
  reason: string;
  /** When the next attempt starts, epoch milliseconds. */
  retryAt: number;
  /** When the stream was last known good, epoch milliseconds; 0 = never. */
  liveUntil: number;
  /** True when the gateway refused us for want of a login. */
  unauthorized: boolean;
}

export interface StreamOptions {
  open: (signal: AbortSignal) => Promise<Response>;
  /** Called when the stream is open, before its bytes; a fresh decoder starts here. */
  onOpen: (signal: AbortSignal) => Promise<void> | void;
  onChunk: (chunk: Uint8Array) => void;
  /** Silence after which the stream is taken for dead. */
  silenceMs: number;
}

const kFirstDelay = 500;
const kMaxDelay = 15_000;
/** A stream that lived this long starts again with the shortest delay. */
const kStable = 10_000;

/** The delay before the n-th attempt in a row (n from 0): doubling, capped, with up to 25 % jitter. */
export function retryDelay(attempt: number, random: number): number {
  return Math.min(kMaxDelay, kFirstDelay * 2 ** Math.min(attempt, 16)) * (1 + 0.25 * random);
}

export class LiveStream {
  readonly status = new Store<StreamStatus>({
    phase: "connecting",
    reason: "",
    retryAt: 0,
    liveUntil: 0,
    unauthorized: false,
  });
  private abort: AbortController | null = null;
  private wake: (() => void) | null = null;
  private running = false;
  /** Counts the starts, so that a loop that was stopped never comes back to life. */
  private generation = 0;

  constructor(private readonly options: StreamOptions) {}

  start(): void {
    if (this.running) return;
    this.running = true;
    this.status.update((s) => ({ ...s, phase: "connecting", reason: "" }));
    void this.loop(++this.generation);
  }

  /** Lets go of the connection, without reporting a loss. */
  stop(): void {
    this.running = false;
    this.abort?.abort();
    this.wake?.();
  }

  /** Skips the rest of a waiting time. */
  retryNow(): void {
    this.wake?.();
  }

  private async loop(generation: number): Promise<void> {
    const current = () => this.running && generation === this.generation;
    let attempt = 0;
    while (current()) {
      const abort = new AbortController();
      this.abort = abort;
      let openedAt = 0;
      let reason = "The stream ended.";
      let unauthorized = false;
      try {
        await this.consume(abort, () => (openedAt = Date.now()));
      } catch (error) {
        reason =
          abort.signal.reason instanceof Error &&
          abort.signal.aborted &&
          abort.signal.reason.name === "Silence"
            ? abort.signal.reason.message
            : messageOf(error);
        unauthorized = error instanceof ApiError && error.status === 401;
      }
      abort.abort();
      if (!current()) return;
      if (openedAt && Date.now() - openedAt > kStable) attempt = 0;
      const delay = retryDelay(attempt++, Math.random());
      this.status.update((s) => ({ ...s, phase: "lost", reason, retryAt: Date.now() + delay, unauthorized }));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, delay);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.wake = null;
    }
  }

  private async consume(abort: AbortController, onOpen: () => void): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const silence = new Error("The stream has gone silent.");
        silence.name = "Silence";
        abort.abort(silence);
      }, this.options.silenceMs);
    };
    try {
      watch();
      const response = await this.options.open(abort.signal);
      const reader = response.body?.getReader();
      if (!reader) throw new Error("The stream has no body.");
      onOpen();
      await this.options.onOpen(abort.signal);
      this.status.update((s) => ({
        ...s,
        phase: "live",
        reason: "",
        liveUntil: Date.now(),
        unauthorized: false,
      }));
      for (;;) {
        watch();
        const { done, value } = await reader.read();
        if (done) return;
        this.options.onChunk(value);
        this.status.get().liveUntil = Date.now();
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
