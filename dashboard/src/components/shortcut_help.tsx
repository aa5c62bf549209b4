// What the keys do.

import { Dialog } from "./dialog";
import { kNav } from "./navigation";

const kKeys: readonly (readonly [string, string])[] = [
  ["Ctrl K", "Search services, jobs, nodes and tasks"],
  ["/", "Filter this page"],
  ["j  k", "Next and previous row"],
  ["Enter", "Open the row"],
  ["c", "Run a service"],
  ...kNav.map((item) => [`g ${item.key}`, `Go to ${item.label.toLowerCase()}`] as const),
  ["Esc", "Close a dialog, clear a filter"],
  ["?", "This list"],
];

export function ShortcutHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl className="keys">
        {kKeys.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys.split("  ").map((k) => (
                <span key={k}>
                  {(k.startsWith("g ") ? k.split(" ") : [k]).map((part) => (
                    <kbd key={part}>{part}</kbd>
                  ))}
                </span>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
