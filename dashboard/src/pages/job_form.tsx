// Create a job, or change one: a form and its JSON side by side, with the runs that its schedule means.

import { useMemo, useState } from "react";
import { getJob, jobs, jobsPoll, saveJob } from "../api/chronos";
import type { Job } from "../api/chronos_types";
import { messageOf, type FieldError } from "../api/http";
import { usePoll } from "../api/poll";
import { useStore } from "../api/store";
import { Icon } from "../components/icons";
import { JsonEditor } from "../components/json_editor";
import { MultiPick } from "../components/multi_pick";
import { PageHead } from "../components/page_head";
import { ScheduleField } from "../components/schedule_field";
import { Failure, Loading } from "../components/states";
import { toast } from "../components/toasts";
import { useLoad, useNow } from "../hooks";
import {
  fieldOfMessage,
  kEnvironmentField,
  kJobFields,
  kSwitches,
  missingIn,
  newJob,
  readEnvironment,
  triggerOf,
  withTrigger,
  writeEnvironment,
} from "../model/job_form";
import { definitionOfJob } from "../model/jobs";
import { marksOf, syntaxError } from "../model/json_marks";
import { parseDefinition, readField, writeField } from "../model/service_form";
import { jobHref, navigate } from "../router";
import { JobsNotLive } from "./jobs";
import { Field } from "./service_form";

type Json = Record<string, unknown>;

function Form({ name, initial }: { name: string | undefined; initial: Json }) {
  const [text, setText] = useState(() => JSON.stringify(initial, null, 2));
  const [last, setLast] = useState(initial);
  const [remembered, setRemembered] = useState(initial);
  const [error, setError] = useState<unknown>(null);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const { rows } = useStore(jobs);
  const now = useNow(5000);
  const parsed = parseDefinition(text);
  const definition = parsed ?? last;
  const trigger = triggerOf(definition);
  const names = useMemo(
    () => rows.map((r) => r.name).filter((n) => n !== String(definition["name"])),
    [rows, definition["name"]],
  );

  const missing = tried ? missingIn(definition) : {};
  const said = error === null ? "" : messageOf(error);
  const saidOf = said ? fieldOfMessage(said) : "";
  const errorOf = (key: string) => missing[key] ?? (key === saidOf ? said : undefined);
  const errorsOf = (key: string): FieldError[] => {
    const wrong = errorOf(key);
    return wrong ? [{ path: `/${key}`, errors: [wrong] }] : [];
  };
  const marked = kJobFields.find((f) => f.key === saidOf)?.path.join("/") ?? saidOf;
  const marks = marksOf(text, saidOf ? [{ path: `/${marked}`, errors: [said] }] : []);

  const change = (next: string) => {
    setText(next);
    const value = parseDefinition(next);
    if (value) setLast(value);
  };
  const set = (next: Json) => change(JSON.stringify(next, null, 2));
  const choose = (next: "schedule" | "parents") => {
    setRemembered((r) => ({ ...r, ...definition }));
    set(
      withTrigger(definition, next, {
        ...remembered,
        schedule: remembered["schedule"] ?? newJob(now)["schedule"],
      }),
    );
  };

  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!parsed || busy || Object.keys(missingIn(parsed)).length > 0) return;
    setBusy(true);
    setError(null);
    try {
      await saveJob(parsed as Job);
      const target = String(parsed["name"]);
      toast(name ? `${target} is changed` : `${target} is created`);
      navigate(jobHref(target));
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };

  const syntax = syntaxError(text);
  const field = (key: string) => {
    const it = kJobFields.find((f) => f.key === key)!;
    return (
      <Field
        key={key}
        field={it}
        text={readField(definition, it)}
        errors={errorsOf(key)}
        disabled={!parsed || (Boolean(name) && key === "name")}
        onChange={(value) => set(writeField(definition, it, value))}
      />
    );
  };
  return (
    <form className="service-form" onSubmit={(e) => void submit(e)} data-form>
      {error !== null && (
        <div className="notice bad" role="alert" data-form-error>
          <Icon name="warning" />
          <strong>{said}</strong>
        </div>
      )}
      <div className="form-columns">
        <div className="form-fields">
          {field("name")}
          {field("command")}
          {field("image")}
          <fieldset className="field wide">
            <legend>Runs</legend>
            <div className="switch">
              {(
                [
                  ["schedule", "On a schedule"],
                  ["parents", "After other jobs"],
                ] as const
              ).map(([key, label]) => (
                <button
                  key={key}
                  type="button"
                  className="button"
                  aria-pressed={trigger === key}
                  disabled={!parsed}
                  onClick={() => choose(key)}
                  data-trigger={key}
                >
                  {label}
                </button>
              ))}
            </div>
          </fieldset>
          {trigger === "schedule" ? (
            <ScheduleField
              schedule={String(definition["schedule"] ?? "")}
              zone={String(definition["scheduleTimeZone"] ?? "")}
              epsilon={String(definition["epsilon"] ?? "")}
              now={now}
              disabled={!parsed}
              errors={{
                ...(errorOf("schedule") ? { schedule: errorOf("schedule")! } : {}),
                ...(errorOf("scheduleTimeZone") ? { scheduleTimeZone: errorOf("scheduleTimeZone")! } : {}),
              }}
              onSchedule={(schedule) => set({ ...definition, schedule })}
              onZone={(zone) => {
                const next: Json = { ...definition, scheduleTimeZone: zone };
                if (zone === "") delete next["scheduleTimeZone"];
                set(next);
              }}
            />
          ) : (
            <div className={`field${errorOf("parents") ? " invalid" : ""}`} data-field="parents">
              <label htmlFor="field-parents">Parents</label>
              <MultiPick
                id="field-parents"
                chosen={(definition["parents"] as unknown[]).map(String)}
                options={names}
                placeholder="Choose jobs to wait for"
                disabled={!parsed}
                invalid={Boolean(errorOf("parents"))}
                onChange={(parents) => set({ ...definition, parents })}
              />
              {errorOf("parents") ? (
                <div className="field-error" role="alert">
                  {errorOf("parents")}
                </div>
              ) : (
                <div className="dim">It runs when all of them have succeeded.</div>
              )}
            </div>
          )}
          {["epsilon", "retries", "cpus", "mem", "disk", "owner", "description"].map(field)}
          <Field
            field={kEnvironmentField}
            text={readEnvironment(definition)}
            errors={errorsOf("environment")}
            disabled={!parsed}
            onChange={(value) => set(writeEnvironment(definition, value))}
          />
          <div className="field">
            {kSwitches.map(([key, label]) => (
              <label key={key} className="check">
                <input
                  type="checkbox"
                  checked={definition[key] === true}
                  disabled={!parsed}
                  onChange={(e) => {
                    const next = { ...definition, [key]: e.target.checked };
                    if (!e.target.checked) delete next[key];
                    set(next);
                  }}
                />{" "}
                {label}
              </label>
            ))}
          </div>
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
          <JsonEditor label="Definition as JSON" value={text} onChange={change} marks={marks} />
        </div>
      </div>
      <footer className="form-foot">
        <a className="button" href={name ? jobHref(name) : "#/jobs"}>
          Cancel
        </a>
        <button type="submit" className="button primary" disabled={busy || syntax !== ""}>
          {busy ? "Sending…" : name ? "Save changes" : "Create job"}
        </button>
      </footer>
    </form>
  );
}

function Edit({ name }: { name: string }) {
  const loaded = useLoad((signal) => getJob(name, signal), [name]);
  if (loaded.phase === "done") return <Form name={name} initial={definitionOfJob(loaded.value)} />;
  return (
    <div className="panel">
      {loaded.phase === "failed" ? (
        <Failure title="The job cannot be read" error={loaded.error} />
      ) : (
        <Loading />
      )}
    </div>
  );
}

export function JobForm({ name }: { name?: string }) {
  const status = usePoll(jobsPoll);
  const { ready } = useStore(jobs);
  const [first] = useState(() => newJob(Date.now()));
  const crumbs = [{ label: "Jobs", href: "#/jobs" }, ...(name ? [{ label: name, href: jobHref(name) }] : [])];
  return (
    <>
      <PageHead title={name ? "Edit job" : "New job"} crumbs={crumbs} />
      {!ready ? (
        <JobsNotLive status={status} />
      ) : name ? (
        <Edit name={name} />
      ) : (
        <Form name={undefined} initial={first} />
      )}
    </>
  );
}
