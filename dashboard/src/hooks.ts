// Small hooks that several pages share.

import { useEffect, useState } from "react";
import { session } from "./api/session";
import { useStore } from "./api/store";

/** The current time, again every `everyMs`: for ages and countdowns. */
export function useNow(everyMs = 5000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export type Loaded<T> =
  | { phase: "loading" }
  | { phase: "done"; value: T }
  | { phase: "failed"; error: unknown };

/** Loads something when `keys` change, and again after a sign-in; answers of earlier keys are dropped. */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, keys: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<Loaded<T>>({ phase: "loading" });
  const { signIns } = useStore(session);
  useEffect(() => {
    const abort = new AbortController();
    load(abort.signal).then(
      (value) => !abort.signal.aborted && setState({ phase: "done", value }),
      (error: unknown) => !abort.signal.aborted && setState({ phase: "failed", error }),
    );
    return () => abort.abort();
    // The keys say when to load again; the function itself is new on every render.
  }, [...keys, signIns]);
  return state;
}

/** Calls `handler` for keys pressed outside of text fields and dialogs. */
export function useShortcuts(handler: (event: KeyboardEvent) => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (target.closest("input, textarea, select, [contenteditable], dialog")) return;
      handler(event);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  });
}
