// Short notes that something asked for was accepted.

import { Store, useStore } from "../api/store";

interface Toast {
  key: number;
  text: string;
}

const toasts = new Store<readonly Toast[]>([]);
const kShownMs = 4000;
let next = 1;

export function toast(text: string): void {
  const key = next++;
  toasts.update((list) => [...list, { key, text }]);
  setTimeout(() => toasts.update((list) => list.filter((t) => t.key !== key)), kShownMs);
}

export function Toasts() {
  const list = useStore(toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {list.map((t) => (
        <div key={t.key} className="toast">
          {t.text}
        </div>
      ))}
    </div>
  );
}
