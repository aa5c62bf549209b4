// The fields of a form that was made out of a JSON schema.

import { useState } from "react";
import type { FieldError } from "../api/http";
import {
  checkField,
  errorsOf,
  parseText,
  setOption,
  shownValue,
  textOf,
  valueAt,
  type SchemaField,
  type SchemaSection,
} from "../model/schema_form";

type Json = Record<string, unknown>;

interface Common {
  options: Json;
  errors: readonly FieldError[];
  disabled: boolean;
  onChange: (options: Json) => void;
}

function hintOf(field: SchemaField): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = field;
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  if (minimum !== undefined) return exclusiveMinimum ? `more than ${minimum}` : `from ${minimum}`;
  if (maximum !== undefined) return exclusiveMaximum ? `less than ${maximum}` : `up to ${maximum}`;
  return "";
}

function Input({ field, id, invalid, ...p }: Common & { field: SchemaField; id: string; invalid: boolean }) {
  const value = shownValue(p.options, field);
  const shown = textOf(field, value);
  // What is being typed stays as it is typed: "0." is a number on its way, "[" a list.
  const [typed, setTyped] = useState<string | null>(null);
  const text =
    typed !== null && JSON.stringify(parseText(field, typed)) === JSON.stringify(value) ? typed : shown;
  const put = (next: unknown) => p.onChange(setOption(p.options, field, next));
  const common = {
    id,
    disabled: p.disabled,
    "aria-invalid": invalid,
    "aria-describedby": `${id}-help`,
  };
  const write = (e: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) => {
    setTyped(e.target.value);
    put(parseText(field, e.target.value));
  };
  switch (field.kind) {
    case "switch":
      return (
        <input {...common} type="checkbox" checked={value === true} onChange={(e) => put(e.target.checked)} />
      );
    case "choice":
      return (
        <select
          {...common}
          value={JSON.stringify(value ?? null)}
          onChange={(e) =>
            put(e.target.value === "null" ? undefined : (JSON.parse(e.target.value) as unknown))
          }
        >
          {value === undefined && <option value="null">choose…</option>}
          {field.choices.map((choice) => (
            <option key={JSON.stringify(choice)} value={JSON.stringify(choice)}>
              {String(choice)}
            </option>
          ))}
        </select>
      );
    case "area":
    case "list":
    case "json":
      return (
        <textarea
          {...common}
          rows={Math.min(10, Math.max(2, text.split("\n").length))}
          placeholder={field.kind === "list" ? "one per line" : field.kind === "json" ? "JSON" : ""}
          spellCheck={false}
          value={text}
          onChange={write}
        />
      );
    default:
      return (
        <input
          {...common}
          type={field.secret ? "password" : "text"}
          inputMode={field.kind === "text" ? "text" : "decimal"}
          autoComplete={field.secret ? "new-password" : "off"}
          spellCheck={false}
          value={text}
          onChange={write}
        />
      );
  }
}

function SchemaInput({ field, ...p }: Common & { field: SchemaField }) {
  const id = `option${field.pointer.replace(/[^\w-]/g, "-")}`;
  const server = errorsOf(field, p.errors);
  const own = checkField(field, p.options);
  // A required field that nobody has touched is marked, not scolded.
  const untouched = own === "is required" && server.length === 0;
  const wrong = server.length ? server.map((e) => e.errors.join("; ")) : own && !untouched ? [own] : [];
  const changed = valueAt(p.options, field.path) !== undefined;
  const words = [hintOf(field) ? field.help.replace(/\.$/, "") : field.help, hintOf(field)]
    .filter(Boolean)
    .join(" · ");
  const label = (
    <label htmlFor={id}>
      {field.label}
      {field.required && field.kind !== "switch" && field.fallback === undefined && (
        <span className="dim"> required</span>
      )}
    </label>
  );
  return (
    <div className={`field${wrong.length ? " invalid" : ""}`} data-option={field.pointer}>
      {field.kind === "switch" ? (
        <span className="check">
          <Input field={field} id={id} invalid={wrong.length > 0} {...p} /> {label}
        </span>
      ) : (
        <>
          {label}
          <Input field={field} id={id} invalid={wrong.length > 0} {...p} />
        </>
      )}
      <div id={`${id}-help`} className="field-help">
        {wrong.map((text, i) => (
          <div key={i} className="field-error" role="alert">
            {text}
          </div>
        ))}
        {wrong.length === 0 && words && <span className="dim">{words}</span>}
        {changed && field.fallback !== undefined && (
          <button
            type="button"
            className="text-button"
            onClick={() => p.onChange(setOption(p.options, field, undefined))}
          >
            back to {textOf(field, field.fallback) === "" ? "empty" : textOf(field, field.fallback)}
          </button>
        )}
      </div>
    </div>
  );
}

/** One object of the schema, with those within it. */
export function SchemaSections({ section, ...p }: Common & { section: SchemaSection }) {
  const inner = (
    <>
      {section.fields.map((field) => (
        <SchemaInput key={field.pointer} field={field} {...p} />
      ))}
      {section.sections.map((below) => (
        <SchemaSections key={below.pointer} section={below} {...p} />
      ))}
    </>
  );
  if (section.pointer === "") return <div className="schema-form">{inner}</div>;
  return (
    <fieldset className={`schema-section depth-${section.path.length}`} data-section={section.pointer}>
      <legend>{section.title}</legend>
      {section.help && <p className="dim">{section.help}</p>}
      {inner}
    </fieldset>
  );
}
