// Run a service, or change one: a form and its JSON side by side, with what the API says at the field it speaks of.

import { useState } from "react";
import { ApiError, messageOf, type FieldError } from "../api/http";
import { marathon, refreshApp } from "../api/live";
import { createApp, updateApp } from "../api/marathon";
import { useStore } from "../api/store";
import { Icon } from "../components/icons";
import { JsonEditor } from "../components/json_editor";
import { PageHead } from "../components/page_head";
import { Empty, Loading } from "../components/states";
import { toast } from "../components/toasts";
import { marksOf, syntaxError } from "../model/json_marks";
import {
  fieldOfError,
  kFields,
  kNewDefinition,
  parseDefinition,
  readField,
  writeField,
  type FormField,
} from "../model/service_form";
import { definitionOf } from "../model/services";
import { navigate, serviceHref } from "../router";

const kErrorNames: Record<string, string> = {
  "error.path.missing": "is missing",
  "error.expected.jsnumber": "must be a number",
  "error.expected.jsstring": "must be a text",
  "error.expected.jsarray": "must be a list",
  "error.expected.jsobject": "must be an object",
  "error.expected.jsboolean": "must be true or false",
  "error.unknown.enum.literal": "is not one of the known words",
};

const errorText = (entry: FieldError) =>
  entry.errors.map((e) => kErrorNames[e] ?? e).join("; ") || "is not valid";

export function Field({
  field,
  text,
  errors,
  onChange,
  disabled,
}: {
  field: FormField;
  text: string;
  errors: readonly FieldError[];
  onChange: (text: string) => void;
  disabled: boolean;
}) {
  const id = `field-${field.key}`;
  const common = {
    id,
    value: text,
    disabled,
    placeholder: field.placeholder,
    spellCheck: false,
    autoComplete: "off",
    "aria-invalid": errors.length > 0,
    "aria-describedby": `${id}-help`,
    onChange: (e: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) => onChange(e.target.value),
  };
  return (
    <div className={`field${errors.length ? " invalid" : ""}`} data-field={field.key}>
      <label htmlFor={id}>
        {field.label}
        {field.required && <span className="dim"> required</span>}
      </label>
      {field.kind === "text" || field.kind === "number" ? (
        <input {...common} inputMode={field.kind === "number" ? "decimal" : "text"} />
      ) : (
        <textarea {...common} rows={field.kind === "area" ? 2 : Math.max(2, text.split("\n").length)} />
      )}
      <div id={`${id}-help`}>
        {errors.map((entry) => (
          <div key={entry.path} className="field-error" role="alert">
            {entry.path !== `/${field.path.join("/")}` && <code>{entry.path}</code>} {errorText(entry)}
          </div>
        ))}
        {errors.length === 0 && field.help && <div className="dim">{field.help}</div>}
      </div>
    </div>
  );
}

function Form({ id, initial }: { id: string | undefined; initial: object }) {
  const [text, setText] = useState(() => JSON.stringify(initial, null, 2));
  const [last, setLast] = useState(initial as Record<string, unknown>);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const parsed = parseDefinition(text);
  // While the text is no JSON the form shows the last definition that was.
  const definition = parsed ?? last;
  const locked = error instanceof ApiError && error.isLocked;
  const errors = error instanceof ApiError ? error.fields : [];
  const unplaced = errors.filter((entry) => !fieldOfError(entry.path));

  const change = (next: string) => {
    setText(next);
    const value = parseDefinition(next);
    if (value) setLast(value);
  };

  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    if (!parsed || busy) return;
    setBusy(true);
    setError(null);
    try {
      const target = id ?? (await createApp(parsed)).id;
      if (id) await updateApp(id, parsed, { force: locked, replace: true });
      refreshApp(target);
      toast(id ? `${id} is being changed` : `${target} is being started`);
      navigate(serviceHref(target));
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };

  const syntax = syntaxError(text);
  return (
    <form className="service-form" onSubmit={(e) => void submit(e)} data-form>
      {error !== null && (
        <div className="notice bad" role="alert" data-form-error>
          <Icon name="warning" />
          <div>
            <strong>{locked ? "Another deployment is changing this service." : messageOf(error)}</strong>
            {locked && " Going on cancels that deployment."}
            {unplaced.map((entry) => (
              <div key={entry.path}>
                <code>{entry.path}</code> {errorText(entry)}
              </div>
            ))}
          </div>
        </div>
      )}
      <div className="form-columns">
        <div className="form-fields">
          {kFields.map((field) => (
            <Field
              key={field.key}
              field={field}
              text={readField(definition, field)}
              errors={errors.filter((e) => fieldOfError(e.path) === field)}
              disabled={!parsed || (Boolean(id) && field.key === "id")}
              onChange={(value) => change(JSON.stringify(writeField(definition, field, value), null, 2))}
            />
          ))}
        </div>
        <div className="form-json">
          <div className="form-json-head">
            <h2>JSON</h2>
            {syntax ? (
              <span className="bad-text" role="alert">
                {syntax}
              </span>
            ) : (
              <span className="dim">The whole definition; the form follows.</span>
            )}
          </div>
          <JsonEditor
            label="Definition as JSON"
            value={text}
            onChange={change}
            marks={marksOf(text, errors, errorText)}
          />
        </div>
      </div>
      <footer className="form-foot">
        <a className="button" href={id ? serviceHref(id) : "#/services"}>
          Cancel
        </a>
        <button
          type="submit"
          className={`button ${locked ? "danger" : "primary"}`}
          disabled={busy || syntax !== ""}
        >
          {busy ? "Sending…" : id ? (locked ? "Deploy anyway" : "Deploy changes") : "Run service"}
        </button>
      </footer>
    </form>
  );
}

export function ServiceForm({ id }: { id?: string }) {
  const state = useStore(marathon);
  const crumbs = [
    { label: "Services", href: "#/services" },
    ...(id ? [{ label: id, href: serviceHref(id) }] : []),
  ];
  const app = id ? state.apps.get(id) : undefined;
  return (
    <>
      <PageHead title={id ? "Edit service" : "Run a service"} crumbs={crumbs} />
      {!id ? (
        <Form id={undefined} initial={kNewDefinition} />
      ) : app ? (
        <Form id={id} initial={definitionOf(app)} />
      ) : state.ready ? (
        <div className="panel">
          <Empty title="There is no such service" />
        </div>
      ) : (
        <div className="panel">
          <Loading />
        </div>
      )}
    </>
  );
}
