// Chooses several of many names: type a part of one, Enter takes it, Backspace gives the last one back.

import { useId, useMemo, useState } from "react";
import { Icon } from "./icons";

const kMaxOffered = 8;

interface Props {
  id: string;
  chosen: readonly string[];
  options: readonly string[];
  onChange: (chosen: string[]) => void;
  placeholder: string;
  disabled?: boolean;
  invalid?: boolean;
}

export function MultiPick({ id, chosen, options, onChange, placeholder, disabled, invalid }: Props) {
  const list = useId();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [open, setOpen] = useState(false);
  const offered = useMemo(() => {
    const taken = new Set(chosen);
    const part = text.trim().toLowerCase();
    return options.filter((o) => !taken.has(o) && o.toLowerCase().includes(part)).slice(0, kMaxOffered);
  }, [chosen, options, text]);
  const active = Math.min(at, offered.length - 1);

  const take = (name: string | undefined) => {
    if (!name) return;
    onChange([...chosen, name]);
    setText("");
    setAt(0);
  };
  const onKey = (event: React.KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt(Math.min(active + 1, offered.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(active - 1, 0));
    else if (event.key === "Enter" && open && (text || at > 0)) take(offered[active]);
    else if (event.key === "Backspace" && text === "" && chosen.length) onChange(chosen.slice(0, -1));
    else if (event.key === "Escape" && open) setOpen(false);
    else return;
    event.preventDefault();
  };
  return (
    <div className={`pick${invalid ? " invalid" : ""}`}>
      <div className="pick-box">
        {chosen.map((name) => (
          <span key={name} className="pick-chip">
            {name}
            <button
              type="button"
              aria-label={`Remove ${name}`}
              disabled={disabled}
              onClick={() => onChange(chosen.filter((c) => c !== name))}
            >
              <Icon name="close" size={10} />
            </button>
          </span>
        ))}
        <input
          id={id}
          value={text}
          disabled={disabled}
          placeholder={chosen.length ? "" : placeholder}
          role="combobox"
          aria-expanded={open && offered.length > 0}
          aria-controls={list}
          aria-activedescendant={open && offered[active] ? `${list}-${active}` : undefined}
          aria-autocomplete="list"
          spellCheck={false}
          autoComplete="off"
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onChange={(e) => (setText(e.target.value), setAt(0), setOpen(true))}
          onKeyDown={onKey}
        />
      </div>
      {open && (
        <ul id={list} role="listbox" className="pick-list" aria-label={placeholder}>
          {offered.map((name, i) => (
            <li
              key={name}
              id={`${list}-${i}`}
              role="option"
              aria-selected={i === active}
              onMouseDown={(e) => (e.preventDefault(), take(name))}
              onMouseMove={() => setAt(i)}
            >
              {name}
            </li>
          ))}
          {offered.length === 0 && <li className="dim">No other job has this in its name.</li>}
        </ul>
      )}
    </div>
  );
}
