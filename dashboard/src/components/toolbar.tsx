// Above each table: a filter box, chips for the common choices, and what the page can do.

import { setQuery, useRoute } from "../router";
import { Icon } from "./icons";

export interface Chip {
  tag: string;
  label: string;
  count: number;
}

/** The filter of a page lives in its address, so a filtered list can be sent to a colleague. */
export function useFilterText(): string {
  return useRoute().query.get("q") ?? "";
}

export function Toolbar({
  placeholder,
  chips = [],
  children,
}: {
  placeholder: string;
  chips?: readonly Chip[];
  children?: React.ReactNode;
}) {
  const text = useFilterText();
  const active = /(?:^|\s)is:(\S*)/.exec(text)?.[1] ?? "";
  const choose = (tag: string) => {
    const words = text.replace(/(?:^|\s)is:\S*/g, "").trim();
    setQuery("q", [words, tag && tag !== active ? `is:${tag}` : ""].filter(Boolean).join(" "));
  };
  return (
    <div className="toolbar">
      <label className="filter">
        <Icon name="search" size={14} />
        <input
          type="search"
          placeholder={placeholder}
          aria-label={placeholder}
          value={text}
          data-filter
          spellCheck={false}
          autoComplete="off"
          onChange={(e) => setQuery("q", e.target.value)}
          onKeyDown={(e) => e.key === "Escape" && (setQuery("q", ""), e.currentTarget.blur())}
        />
        <kbd>/</kbd>
      </label>
      {chips.length > 0 && (
        <div className="chips" role="group" aria-label="Show only">
          {chips.map((chip) => (
            <button
              key={chip.tag}
              className="chip"
              aria-pressed={active === chip.tag}
              onClick={() => choose(chip.tag)}
            >
              {chip.label} <span className="count">{chip.count}</span>
            </button>
          ))}
        </div>
      )}
      {children && <div className="toolbar-actions">{children}</div>}
    </div>
  );
}
