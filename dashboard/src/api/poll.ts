// For parts of the system without a stream of events: asks again and again, but only while somebody looks.

import { useEffect } from "react";
import { ApiError } from "./http";
import { retryDelay } from "./live_stream";
import { session } from "./session";
import { Store, useStore } from "./store";

export interface PollStatus {
  /** `absent`: the gateway has no such part of the system. */
  phase: "loading" | "live" | "lost" | "absent";
  error: unknown;
}

/** Does `task` every `everyMs` while at least one page uses it, the tab is visible and nobody has to sign in. */
export class Poller {
  readonly status = new Store<PollStatus>({ phase: "loading", error: null });
  private users = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private abort: AbortController | null = null;
  private failures = 0;

  constructor(
    private readonly everyMs: number,
    private readonly task: (signal: AbortSignal) => Promise<void>,
  ) {}

  /** Keeps it going until the returned function is called. */
  use(): () => void {
    if (this.users++ === 0) this.attach();
    this.wake();
    return () => {
      if (--this.users === 0) this.detach();
      this.wake();
    };
  }

  private readonly onChange = (): void => this.wake();
  private detach = (): void => undefined;

  private attach(): void {
    const leave = session.subscribe(this.onChange);
    document.addEventListener("visibilitychange", this.onChange);
    this.detach = () => {
      leave();
      document.removeEventListener("visibilitychange", this.onChange);
    };
  }

  /** Asks now: after a change made on this page, or when a person wants to try again. */
  now(): void {
    this.rest();
    this.wake();
  }

  private get wanted(): boolean {
    return this.users > 0 && session.get().phase === "open" && document.visibilityState !== "hidden";
  }

  private rest(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.abort?.abort();
    this.abort = null;
  }

  /** Asks at once when that is wanted and neither a question nor a pause is going on. */
  private wake(): void {
    if (!this.wanted) this.rest();
    else if (!this.abort && !this.timer) void this.run();
  }

  private async run(): Promise<void> {
    const abort = (this.abort = new AbortController());
    let delay = this.everyMs;
    try {
      await this.task(abort.signal);
      if (this.abort !== abort) return;
      this.failures = 0;
      if (this.status.get().phase !== "live") this.status.set({ phase: "live", error: null });
    } catch (error) {
      if (this.abort !== abort) return;
      const absent = error instanceof ApiError && error.isAbsent;
      this.status.set({ phase: absent ? "absent" : "lost", error });
      delay = Math.max(this.everyMs, retryDelay(this.failures++, Math.random()));
    }
    this.abort = null;
    if (!this.wanted) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.wake();
    }, delay);
  }
}

/** Keeps the poller going while the component is on the screen. */
export function usePoll(poller: Poller): PollStatus {
  useEffect(() => poller.use(), [poller]);
  return useStore(poller.status);
}
