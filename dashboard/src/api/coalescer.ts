// Many wishes to read the same thing again become one request: the first after a short pause, then at most one at a time.

/** Runs `task(keys)` for the keys asked for since the last run, never twice at the same time. */
export class Coalescer {
  private readonly wanted = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | null = null;
  private busy = false;

  constructor(
    private readonly pauseMs: number,
    private readonly task: (keys: string[]) => Promise<void>,
  ) {}

  want(key: string): void {
    this.wanted.add(key);
    if (!this.timer && !this.busy) this.timer = setTimeout(() => void this.run(), this.pauseMs);
  }

  clear(): void {
    this.wanted.clear();
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private async run(): Promise<void> {
    this.timer = null;
    this.busy = true;
    const keys = [...this.wanted];
    this.wanted.clear();
    try {
      await this.task(keys);
    } finally {
      this.busy = false;
      if (this.wanted.size > 0 && !this.timer) this.timer = setTimeout(() => void this.run(), this.pauseMs);
    }
  }
}
