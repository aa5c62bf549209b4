// A form out of the JSON schema (draft-04) of a package's options: objects are sections, the rest are fields. Pure.

import type { FieldError } from "../api/http";

type Json = Record<string, unknown>;

export type FieldKind = "text" | "area" | "number" | "integer" | "switch" | "choice" | "list" | "json";

export interface SchemaField {
  /** A JSON pointer into the options, which is also how errors name it. */
  pointer: string;
  path: readonly string[];
  label: string;
  kind: FieldKind;
  help: string;
  required: boolean;
  /** Undefined when the schema has none. */
  fallback: unknown;
  choices: readonly unknown[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum: boolean;
  exclusiveMaximum: boolean;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  secret: boolean;
}

export interface SchemaSection {
  pointer: string;
  path: readonly string[];
  title: string;
  help: string;
  fields: readonly SchemaField[];
  sections: readonly SchemaSection[];
}

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Deeper schemas are edited as JSON. */
const kMaxDepth = 8;

export function pointerOf(path: readonly string[]): string {
  return path.map((step) => `/${step.replace(/~/g, "~0").replace(/\//g, "~1")}`).join("");
}

/** Follows `#/definitions/…`; a reference that leads nowhere, or in a circle, is an empty schema. */
function resolve(schema: unknown, root: Json): Json {
  let at = schema;
  for (let hops = 0; hops < 16; ++hops) {
    if (!isObject(at)) return {};
    const ref = at["$ref"];
    if (typeof ref !== "string") return at;
    if (!ref.startsWith("#")) return {};
    at = ref
      .slice(1)
      .split("/")
      .filter((step) => step !== "")
      .map((step) => decodeURIComponent(step).replace(/~1/g, "/").replace(/~0/g, "~"))
      .reduce<unknown>((value, step) => (isObject(value) ? value[step] : undefined), root);
  }
  return {};
}

function typeOf(schema: Json): string {
  const type = schema["type"];
  const named = Array.isArray(type) ? type.find((t) => t !== "null") : type;
  if (typeof named === "string") return named;
  if (isObject(schema["properties"])) return "object";
  const sample = schema["default"] ?? (Array.isArray(schema["enum"]) ? schema["enum"][0] : undefined);
  if (Array.isArray(sample)) return "array";
  return typeof sample === "undefined" || sample === null ? "string" : typeof sample;
}

function kindOf(schema: Json, root: Json, name: string): FieldKind {
  const type = typeOf(schema);
  if (Array.isArray(schema["enum"])) return "choice";
  if (type === "boolean") return "switch";
  if (type === "number" || type === "integer") return type;
  if (type === "array")
    return typeOf(resolve(schema["items"], root)) === "string" && schema["items"] ? "list" : "json";
  if (type === "object") return "json";
  const long = String(schema["default"] ?? "").includes("\n");
  return long || isObject(schema["media"]) || /(^|[_-])(script|config|yaml|json)$/i.test(name)
    ? "area"
    : "text";
}

const kWords: Record<string, string> = {
  cpu: "CPU",
  cpus: "CPU",
  mem: "Memory",
  gpus: "GPU",
  id: "Id",
  url: "URL",
  uri: "URI",
};

/** "log_level" -> "Log level"; a title of the schema wins. */
function labelOf(name: string, schema: Json): string {
  if (typeof schema["title"] === "string" && schema["title"].trim() !== "") return schema["title"];
  if (kWords[name]) return kWords[name];
  const words = name.replace(/[_-]+/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function number(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function fieldOf(path: readonly string[], schema: Json, root: Json, required: boolean): SchemaField {
  const name = path.at(-1)!;
  const optional = {
    minimum: number(schema["minimum"]),
    maximum: number(schema["maximum"]),
    minLength: number(schema["minLength"]),
    maxLength: number(schema["maxLength"]),
    pattern: typeof schema["pattern"] === "string" ? schema["pattern"] : undefined,
  };
  return {
    pointer: pointerOf(path),
    path,
    label: labelOf(name, schema),
    kind: kindOf(schema, root, name),
    help: typeof schema["description"] === "string" ? schema["description"] : "",
    required,
    fallback: schema["default"],
    choices: Array.isArray(schema["enum"]) ? schema["enum"] : [],
    exclusiveMinimum: schema["exclusiveMinimum"] === true,
    exclusiveMaximum: schema["exclusiveMaximum"] === true,
    secret: /password|secret|token/i.test(name) && typeOf(schema) === "string",
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
}

function sectionOf(path: readonly string[], schema: Json, root: Json): SchemaSection {
  const fields: SchemaField[] = [];
  const sections: SchemaSection[] = [];
  const needed = Array.isArray(schema["required"]) ? schema["required"] : [];
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  for (const [name, raw] of Object.entries(properties)) {
    const property = resolve(raw, root);
    const at = [...path, name];
    if (typeOf(property) === "object" && isObject(property["properties"]) && at.length < kMaxDepth)
      sections.push(sectionOf(at, property, root));
    else fields.push(fieldOf(at, property, root, needed.includes(name)));
  }
  return {
    pointer: pointerOf(path),
    path,
    title: path.length ? labelOf(path.at(-1)!, schema) : "",
    help: typeof schema["description"] === "string" ? schema["description"] : "",
    fields,
    sections,
  };
}

/** The form of a package's options. */
export function readSchema(config: Json | undefined): SchemaSection {
  const root = config ?? {};
  return sectionOf([], resolve(root, root), root);
}

export function allFields(section: SchemaSection): SchemaField[] {
  return [...section.fields, ...section.sections.flatMap(allFields)];
}

export function valueAt(options: Json, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, step) => (isObject(value) ? value[step] : undefined), options);
}

/** The options with one value put in place, or taken out together with objects that are empty then. */
export function withValue(options: Json, [step, ...rest]: readonly string[], value: unknown): Json {
  const next = { ...options };
  const inner = next[step!];
  const put = rest.length ? withValue(isObject(inner) ? inner : {}, rest, value) : value;
  if (put === undefined || (rest.length && isObject(put) && Object.keys(put).length === 0))
    delete next[step!];
  else next[step!] = put;
  return next;
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** What the field shows: the option, or else the default. */
export function shownValue(options: Json, field: SchemaField): unknown {
  return valueAt(options, field.path) ?? field.fallback;
}

/** A value as the text of its input. */
export function textOf(field: SchemaField, value: unknown): string {
  if (value === undefined || value === null) return "";
  if (field.kind === "list" && Array.isArray(value)) return value.map(String).join("\n");
  return typeof value === "object" || field.kind === "json" ? JSON.stringify(value, null, 2) : String(value);
}

/** The value that a text means; a text that means none stays a text, and the check says so. */
export function parseText(field: SchemaField, text: string): unknown {
  if (field.kind === "number" || field.kind === "integer") {
    const trimmed = text.trim();
    if (trimmed === "") return undefined;
    return Number.isFinite(Number(trimmed)) ? Number(trimmed) : text;
  }
  if (field.kind === "list") {
    const lines = text.split("\n").filter((line) => line !== "");
    return lines.length || field.fallback !== undefined ? lines : undefined;
  }
  if (field.kind === "json") {
    if (text.trim() === "") return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }
  // An emptied text is the empty text where there is a default to be overridden, else it is not given.
  return text === "" && (field.fallback === undefined || field.fallback === "") ? undefined : text;
}

/** The options with the field set; what equals the default is left out, so that only real choices are sent. */
export function setOption(options: Json, field: SchemaField, value: unknown): Json {
  const usual = value === undefined || same(value, field.fallback);
  return withValue(options, field.path, usual ? undefined : value);
}

/** What is wrong with the value of a field, as far as the schema tells; "" when nothing is. */
export function checkField(field: SchemaField, options: Json): string {
  const value = shownValue(options, field);
  if (value === undefined || value === null || (value === "" && field.required && field.minLength !== 0))
    return field.required && field.kind !== "switch" ? "is required" : "";
  if (field.choices.length && !field.choices.some((choice) => same(choice, value)))
    return `must be one of ${field.choices.map(String).join(", ")}`;
  switch (field.kind) {
    case "number":
    case "integer":
      return checkNumber(field, value);
    case "switch":
      return typeof value === "boolean" ? "" : "must be true or false";
    case "list":
      return Array.isArray(value) ? "" : "must be a list";
    case "json":
      return typeof value === "object" ? "" : "is no valid JSON";
    default:
      return typeof value === "string" ? checkText(field, value) : "must be a text";
  }
}

function checkNumber(field: SchemaField, value: unknown): string {
  if (typeof value !== "number") return "must be a number";
  if (field.kind === "integer" && !Number.isInteger(value)) return "must be a whole number";
  const { minimum, maximum } = field;
  if (minimum !== undefined && (field.exclusiveMinimum ? value <= minimum : value < minimum))
    return field.exclusiveMinimum ? `must be more than ${minimum}` : `must be at least ${minimum}`;
  if (maximum !== undefined && (field.exclusiveMaximum ? value >= maximum : value > maximum))
    return field.exclusiveMaximum ? `must be less than ${maximum}` : `must be at most ${maximum}`;
  return "";
}

function checkText(field: SchemaField, value: string): string {
  const length = [...value].length;
  if (field.minLength !== undefined && length < field.minLength)
    return field.minLength === 1 ? "must not be empty" : `needs at least ${field.minLength} characters`;
  if (field.maxLength !== undefined && length > field.maxLength)
    return `has more than ${field.maxLength} characters`;
  if (field.pattern && !matches(field.pattern, value)) return `does not look like ${field.pattern}`;
  return "";
}

/** Patterns of other dialects are the server's to judge. */
function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    return true;
  }
}

/** All that the schema finds wrong with the options, by pointer. */
export function checkOptions(section: SchemaSection, options: Json): FieldError[] {
  return allFields(section).flatMap((field) => {
    const wrong = checkField(field, options);
    return wrong ? [{ path: field.pointer, errors: [wrong] }] : [];
  });
}

/** The errors that belong to a field: its own, and those of what lies within it. */
export function errorsOf(field: SchemaField, errors: readonly FieldError[]): FieldError[] {
  return errors.filter((e) => e.path === field.pointer || e.path.startsWith(`${field.pointer}/`));
}

/** The errors that no field of the form stands for. */
export function unplaced(section: SchemaSection, errors: readonly FieldError[]): FieldError[] {
  const placed = new Set(allFields(section).flatMap((field) => errorsOf(field, errors)));
  return errors.filter((error) => !placed.has(error));
}
