// Tabs whose choice is in the address; arrow keys move between them.

import { setQuery, useRoute } from "../router";

export interface Tab {
  key: string;
  label: string;
  count?: number | undefined;
}

export function useTab(tabs: readonly Tab[]): string {
  const chosen = useRoute().query.get("tab");
  return tabs.find((t) => t.key === chosen)?.key ?? tabs[0]!.key;
}

export function Tabs({ tabs, label }: { tabs: readonly Tab[]; label: string }) {
  const active = useTab(tabs);
  const move = (event: React.KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex((t) => t.key === active);
    const next = tabs[(at + step + tabs.length) % tabs.length]!;
    setQuery("tab", next.key);
    (event.currentTarget.querySelector(`[data-tab="${next.key}"]`) as HTMLElement | null)?.focus();
  };
  return (
    <div className="tabs" role="tablist" aria-label={label} onKeyDown={move}>
      {tabs.map((tab) => (
        <button
          key={tab.key}
          role="tab"
          data-tab={tab.key}
          aria-selected={tab.key === active}
          tabIndex={tab.key === active ? 0 : -1}
          onClick={() => setQuery("tab", tab.key)}
        >
          {tab.label}
          {tab.count !== undefined && <span className="count">{tab.count}</span>}
        </button>
      ))}
    </div>
  );
}
