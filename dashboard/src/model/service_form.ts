// The form and the JSON of a service are two views of one definition. Pure.

import { parseErrorPath } from "./json_places";

export interface FormField {
  key: string;
  label: string;
  /** Where the value stands in the definition. */
  path: readonly string[];
  kind: "text" | "number" | "area" | "pairs";
  help?: string;
  placeholder?: string;
  required?: boolean;
}

export const kFields: readonly FormField[] = [
  {
    key: "id",
    label: "Id",
    path: ["id"],
    kind: "text",
    required: true,
    placeholder: "/group/name",
    help: "Lower case letters, digits, dots and dashes; slashes make groups.",
  },
  {
    key: "cmd",
    label: "Command",
    path: ["cmd"],
    kind: "area",
    placeholder: "python3 -m http.server $PORT",
    help: "Run by a shell. May be empty when an image is given.",
  },
  {
    key: "image",
    label: "Image",
    path: ["container", "docker", "image"],
    kind: "text",
    placeholder: "none: the node's own files",
    help: "A container image, for example nginx:1.25.",
  },
  { key: "cpus", label: "CPU", path: ["cpus"], kind: "number", placeholder: "1" },
  { key: "mem", label: "Memory, MiB", path: ["mem"], kind: "number", placeholder: "128" },
  { key: "disk", label: "Disk, MiB", path: ["disk"], kind: "number", placeholder: "0" },
  { key: "instances", label: "Instances", path: ["instances"], kind: "number", placeholder: "1" },
  {
    key: "env",
    label: "Environment",
    path: ["env"],
    kind: "pairs",
    placeholder: "NAME=value",
    help: "One NAME=value per line.",
  },
  {
    key: "labels",
    label: "Labels",
    path: ["labels"],
    kind: "pairs",
    placeholder: "team=web",
    help: "One key=value per line.",
  },
];

export const kNewDefinition = {
  id: "/hello",
  cmd: "python3 -m http.server $PORT",
  cpus: 0.1,
  mem: 64,
  instances: 1,
};

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The JSON as an object, or null when it is none. */
export function parseDefinition(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function valueAt(definition: Json, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, step) => (isObject(value) ? value[step] : undefined), definition);
}

/** What the field shows for a definition. */
export function readField(definition: Json, field: FormField): string {
  const value = valueAt(definition, field.path);
  if (value === undefined || value === null) return "";
  if (field.kind !== "pairs") return typeof value === "object" ? JSON.stringify(value) : String(value);
  if (!isObject(value)) return "";
  return Object.entries(value)
    .map(([k, v]) => `${k}=${typeof v === "string" ? v : JSON.stringify(v)}`)
    .join("\n");
}

function parsePairs(text: string, before: unknown): Json {
  const pairs: Json = {};
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const cut = line.indexOf("=");
    const key = (cut < 0 ? line : line.slice(0, cut)).trim();
    const value = cut < 0 ? "" : line.slice(cut + 1);
    // A value that is no text, such as a reference to a secret, stays what it was while its line is untouched.
    const old = isObject(before) ? before[key] : undefined;
    pairs[key] = old !== undefined && typeof old !== "string" && JSON.stringify(old) === value ? old : value;
  }
  return pairs;
}

/** The definition with one field changed; an emptied field is left out. */
export function writeField(definition: Json, field: FormField, text: string): Json {
  const trimmed = text.trim();
  let value: unknown = text;
  if (trimmed === "") value = undefined;
  else if (field.kind === "number") value = Number.isFinite(Number(trimmed)) ? Number(trimmed) : trimmed;
  else if (field.kind === "pairs") value = parsePairs(text, valueAt(definition, field.path));
  return writeAt(definition, field.path, value);
}

function writeAt(object: Json, [step, ...rest]: readonly string[], value: unknown): Json {
  const copy = { ...object };
  const next = rest.length ? writeAt(isObject(copy[step!]) ? (copy[step!] as Json) : {}, rest, value) : value;
  if (next === undefined || (rest.length && isObject(next) && Object.keys(next).length === 0))
    delete copy[step!];
  else copy[step!] = next;
  if (
    step === "container" &&
    isObject(copy["container"]) &&
    isObject(copy["container"]["docker"]) &&
    !copy["container"]["type"]
  ) {
    copy["container"] = { type: "MESOS", ...copy["container"] };
  }
  // Nothing but the type is left: the container was the image.
  if (step === "container" && isObject(copy["container"]) && Object.keys(copy["container"]).join() === "type")
    delete copy["container"];
  return copy;
}

/** The field that an API error belongs to, or null. `/env/NAME/secret` belongs to the environment. */
export function fieldOfError(path: string): FormField | null {
  const steps = parseErrorPath(path).map(String);
  return kFields.find((field) => field.path.every((step, i) => steps[i] === step)) ?? null;
}
