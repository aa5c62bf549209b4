// A text area that shows JSON in colour, numbers its lines and marks the lines with errors.

import { useMemo, useRef } from "react";
import type { Mark } from "../model/json_marks";

const kTokens = /("(?:\\.|[^"\\])*"?)(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

/** Colours one text; what is no token stays as it is. */
export function JsonText({ text }: { text: string }) {
  const parts: React.ReactNode[] = [];
  let at = 0;
  for (const match of text.matchAll(kTokens)) {
    if (match.index > at) parts.push(text.slice(at, match.index));
    const kind = match[1] ? (match[2] ? "key" : "string") : match[3] ? "word" : "number";
    parts.push(
      <span key={match.index} className={`json-${kind}`}>
        {match[1] ?? match[0]}
      </span>,
    );
    if (match[2]) parts.push(match[2]);
    at = match.index + match[0].length;
  }
  parts.push(text.slice(at));
  return <>{parts}</>;
}

interface Props {
  value: string;
  onChange: (value: string) => void;
  marks: readonly Mark[];
  label: string;
}

export function JsonEditor({ value, onChange, marks, label }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const lines = value.split("\n").length;
  const byLine = useMemo(() => new Map(marks.map((m) => [m.line, m.text])), [marks]);

  // Tab indents, which takes the key from keyboard users: Escape first gives it back, as in other editors.
  const escaped = useRef(false);
  const onKey = (event: React.KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key === "Escape") escaped.current = true;
    else if (event.key === "Tab" && !event.shiftKey && !escaped.current) {
      event.preventDefault();
      document.execCommand("insertText", false, "  ");
    } else escaped.current = false;
  };

  return (
    <div className="editor">
      <div className="gutter" aria-hidden="true">
        {Array.from({ length: lines }, (_, i) => (
          <div key={i} className={byLine.has(i + 1) ? "marked" : ""} title={byLine.get(i + 1)}>
            {i + 1}
          </div>
        ))}
      </div>
      <div className="editor-text">
        <pre aria-hidden="true">
          {value.split("\n").map((line, i) => (
            <div key={i} className={byLine.has(i + 1) ? "marked" : ""}>
              <JsonText text={line} />
              {"\n"}
            </div>
          ))}
        </pre>
        <textarea
          ref={area}
          value={value}
          aria-label={label}
          aria-invalid={marks.length > 0}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          wrap="off"
          onChange={(e) => onChange(e.target.value)}
          onKeyDown={onKey}
          data-editor
        />
      </div>
    </div>
  );
}
