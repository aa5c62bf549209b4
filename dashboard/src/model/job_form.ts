// The form and the JSON of a job are two views of one definition. Pure.

import type { FormField } from "./service_form";

type Json = Record<string, unknown>;

const text = (key: string, label: string, more: Partial<FormField> = {}): FormField => ({
  key,
  label,
  path: [key],
  kind: "text",
  ...more,
});

export const kJobFields: readonly FormField[] = [
  text("name", "Name", {
    required: true,
    placeholder: "nightly-report",
    help: "Letters, digits, dots, dashes and underscores. It cannot be changed later.",
  }),
  text("command", "Command", {
    kind: "area",
    placeholder: "python3 report.py",
    help: "Run by a shell on one of the nodes.",
  }),
  text("description", "Description"),
  text("image", "Image", {
    path: ["container", "image"],
    placeholder: "none: the node's own files",
    help: "A container image, for example alpine:3.20.",
  }),
  text("epsilon", "Late start", {
    placeholder: "PT10M",
    help: "A slot that cannot start within this time is skipped. Empty: it is made up for once.",
  }),
  text("retries", "Retries", { kind: "number", placeholder: "2" }),
  text("cpus", "CPU", { kind: "number", placeholder: "0.1" }),
  text("mem", "Memory, MiB", { kind: "number", placeholder: "128" }),
  text("disk", "Disk, MiB", { kind: "number", placeholder: "256" }),
  text("owner", "Owner", { placeholder: "ops@example.org", help: "Mail addresses, separated by commas." }),
];

export const kEnvironmentField: FormField = {
  key: "environment",
  label: "Environment",
  path: ["environmentVariables"],
  kind: "pairs",
  placeholder: "NAME=value",
  help: "One NAME=value per line.",
};

export const kSwitches: readonly (readonly [key: string, label: string])[] = [
  ["disabled", "Disabled: is never started by itself"],
  ["concurrent", "May run again while it still runs"],
  ["highPriority", "Goes before other jobs that wait"],
  ["softError", "Jobs after it run even when it fails"],
];

/** Tomorrow's start of the day, in UTC, as a first proposal. */
export function newJob(now: number): Json {
  const day = new Date(Math.ceil((now + 1) / 86_400_000) * 86_400_000).toISOString();
  return { name: "", command: "", schedule: `R/${day}/P1D` };
}

/** `[{name, value}]` as lines. */
export function readEnvironment(definition: Json): string {
  const list = definition["environmentVariables"];
  if (!Array.isArray(list)) return "";
  return list
    .map((entry: unknown) => {
      const { name, value } = (entry ?? {}) as { name?: unknown; value?: unknown };
      return `${String(name ?? "")}=${String(value ?? "")}`;
    })
    .join("\n");
}

export function writeEnvironment(definition: Json, lines: string): Json {
  const list = lines
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const cut = line.indexOf("=");
      return cut < 0
        ? { name: line.trim(), value: "" }
        : { name: line.slice(0, cut).trim(), value: line.slice(cut + 1) };
    });
  const next = { ...definition };
  if (list.length) next["environmentVariables"] = list;
  else delete next["environmentVariables"];
  return next;
}

export type Trigger = "schedule" | "parents";

export function triggerOf(definition: Json): Trigger {
  return Array.isArray(definition["parents"]) ? "parents" : "schedule";
}

/** The other trigger; the fields of the one before are remembered by the caller, not in the definition. */
export function withTrigger(definition: Json, trigger: Trigger, remembered: Json): Json {
  const next = { ...definition };
  const [drop, take] =
    trigger === "parents"
      ? [["schedule", "scheduleTimeZone"], ["parents"]]
      : [["parents"], ["schedule", "scheduleTimeZone"]];
  for (const field of drop) delete next[field];
  for (const field of take) if (remembered[field] !== undefined) next[field] = remembered[field];
  if (trigger === "parents") next["parents"] ??= [];
  return next;
}

const kNamed: readonly (readonly [RegExp, string])[] = [
  [/\bschedule ?time ?zone\b|\btime zone\b/i, "scheduleTimeZone"],
  [/\bcannot parse schedule\b|\bschedule\b|\bperiod\b|\binterval\b/i, "schedule"],
  [/\bparents?\b|\bcircular\b|\bcycle\b|\bcircle\b/i, "parents"],
  [/\bepsilon\b/i, "epsilon"],
  [/\bretries\b/i, "retries"],
  [/\bcpus?\b/i, "cpus"],
  [/\bmem(ory)?\b/i, "mem"],
  [/\bdisk\b/i, "disk"],
  [/\bowner\b/i, "owner"],
  [/\benvironment/i, "environment"],
  [/\bimage\b|\bcontainer\b/i, "image"],
  [/\bcommand\b/i, "command"],
  [/\bname\b/i, "name"],
];

/** Chronos answers with one sentence; the field that it names first, or "". */
export function fieldOfMessage(message: string): string {
  let best = "";
  let bestAt = Infinity;
  for (const [pattern, field] of kNamed) {
    const at = pattern.exec(message)?.index ?? Infinity;
    if (at < bestAt) [best, bestAt] = [field, at];
  }
  return best;
}

/** Why the definition cannot be sent yet, by field. */
export function missingIn(definition: Json): Record<string, string> {
  const wrong: Record<string, string> = {};
  const name = String(definition["name"] ?? "");
  if (name === "") wrong["name"] = "A job needs a name.";
  else if (!/^[\w.-]+$/.test(name)) wrong["name"] = "Only letters, digits, dots, dashes and underscores.";
  const parents = definition["parents"];
  if (Array.isArray(parents) && parents.length === 0)
    wrong["parents"] = "Choose at least one job to wait for.";
  return wrong;
}
