import { expect, test } from "vitest";
import { errorFromBody } from "../api/http";
import {
  allFields,
  checkField,
  checkOptions,
  errorsOf,
  parseText,
  readSchema,
  setOption,
  shownValue,
  textOf,
  unplaced,
  type SchemaField,
} from "./schema_form";

const kRedis = {
  $schema: "http://json-schema.org/draft-04/schema#",
  type: "object",
  definitions: { size: { type: "integer", minimum: 1, default: 64, description: "In MiB." } },
  properties: {
    service: {
      type: "object",
      description: "The service itself.",
      properties: {
        name: { type: "string", default: "redis", pattern: "^/?[a-z0-9-]+$", title: "Service name" },
        cpus: { type: "number", minimum: 0, exclusiveMinimum: true, default: 0.25 },
        user: { type: "string", minLength: 1 },
        advanced: { type: "object", properties: { log_level: { enum: ["debug", "info"], default: "info" } } },
      },
      required: ["name", "cpus", "user"],
    },
    redis: {
      type: "object",
      properties: {
        maxmemory: { $ref: "#/definitions/size" },
        appendonly: { type: "boolean", default: false },
        password: { type: ["string", "null"] },
        modules: { type: "array", items: { type: "string" }, default: [] },
        extra: { type: "object" },
        lost: { $ref: "#/definitions/none" },
      },
    },
  },
};

const form = readSchema(kRedis);
const field = (pointer: string): SchemaField => allFields(form).find((f) => f.pointer === pointer)!;

test("objects become sections, everything else a field of its kind", () => {
  expect(form.sections.map((s) => s.title)).toEqual(["Service", "Redis"]);
  expect(form.sections[0]!.sections.map((s) => s.pointer)).toEqual(["/service/advanced"]);
  expect(allFields(form).map((f) => [f.pointer, f.kind])).toEqual([
    ["/service/name", "text"],
    ["/service/cpus", "number"],
    ["/service/user", "text"],
    ["/service/advanced/log_level", "choice"],
    ["/redis/maxmemory", "integer"],
    ["/redis/appendonly", "switch"],
    ["/redis/password", "text"],
    ["/redis/modules", "list"],
    ["/redis/extra", "json"],
    ["/redis/lost", "text"],
  ]);
  expect(field("/service/name")).toMatchObject({ label: "Service name", required: true, fallback: "redis" });
  expect(field("/service/advanced/log_level").label).toBe("Log level");
  expect(field("/redis/maxmemory")).toMatchObject({ fallback: 64, minimum: 1, help: "In MiB." });
  expect(field("/redis/password").secret).toBe(true);
});

test("only what differs from the defaults is kept", () => {
  const name = field("/service/name");
  let options = setOption({}, name, parseText(name, "cache"));
  expect(options).toEqual({ service: { name: "cache" } });
  expect(shownValue(options, name)).toBe("cache");
  options = setOption(options, name, parseText(name, "redis"));
  expect(options).toEqual({});
  expect(shownValue(options, name)).toBe("redis");
  expect(setOption({}, field("/redis/appendonly"), true)).toEqual({ redis: { appendonly: true } });
});

test("texts become values of the kind, and back", () => {
  for (const [pointer, text, value] of [
    ["/service/cpus", " 0.5 ", 0.5],
    ["/service/cpus", "many", "many"],
    ["/service/cpus", "", undefined],
    ["/redis/modules", "a\n\nb", ["a", "b"]],
    ["/redis/extra", '{"a": 1}', { a: 1 }],
    ["/redis/extra", "{", "{"],
    ["/service/user", "", undefined],
    ["/service/name", "", ""],
  ] as const)
    expect(parseText(field(pointer), text), `${pointer} ${text}`).toEqual(value);
  expect(textOf(field("/redis/modules"), ["a", "b"])).toBe("a\nb");
  expect(textOf(field("/redis/extra"), { a: 1 })).toBe('{\n  "a": 1\n}');
  expect(textOf(field("/service/cpus"), 0.25)).toBe("0.25");
});

test("what the schema forbids is said while it is typed", () => {
  const wrong = (pointer: string, value: unknown) => {
    const f = field(pointer);
    return checkField(f, setOption({}, f, value));
  };
  expect(wrong("/service/cpus", 0)).toBe("must be more than 0");
  expect(wrong("/service/cpus", "x")).toBe("must be a number");
  expect(wrong("/redis/maxmemory", 0)).toBe("must be at least 1");
  expect(wrong("/redis/maxmemory", 1.5)).toBe("must be a whole number");
  expect(wrong("/service/name", "A B")).toContain("does not look like");
  expect(wrong("/service/advanced/log_level", "loud")).toContain("must be one of debug, info");
  expect(wrong("/redis/extra", "{")).toBe("is no valid JSON");
  expect(wrong("/service/user", undefined)).toBe("is required");
  expect(wrong("/service/user", "nobody")).toBe("");
  expect(wrong("/redis/password", undefined)).toBe("");
  expect(checkOptions(form, {}).map((e) => e.path)).toEqual(["/service/user"]);
});

test("the violations of the server find their fields; what has none is kept apart", () => {
  const body = {
    type: "JsonSchemaMismatch",
    message: "Options JSON failed validation",
    data: {
      errors: [
        {
          level: "error",
          schema: { pointer: "/properties/service/properties/cpus" },
          instance: { pointer: "/service/cpus" },
          keyword: "minimum",
          message: "numeric instance is lower than the required minimum",
        },
        {
          instance: { pointer: "/service" },
          keyword: "required",
          message: "object has missing",
          missing: ["user"],
        },
        {
          instance: { pointer: "" },
          keyword: "additionalProperties",
          message: "not allowed",
          unwanted: ["rediss"],
        },
      ],
    },
  };
  const error = errorFromBody(
    400,
    JSON.stringify(body),
    "application/vnd.dcos.package.error+json;charset=utf-8",
  );
  expect(error.kind).toBe("JsonSchemaMismatch");
  expect(errorsOf(field("/service/cpus"), error.fields)).toHaveLength(1);
  expect(errorsOf(field("/service/user"), error.fields)).toEqual([
    { path: "/service/user", errors: ["is required"] },
  ]);
  expect(unplaced(form, error.fields)).toEqual([
    { path: "/rediss", errors: ["is not known to the package"] },
  ]);
});

test("odd schemas do no harm: none, circles, no types, names with slashes", () => {
  expect(allFields(readSchema(undefined))).toEqual([]);
  const circle = readSchema({
    properties: { a: { $ref: "#/properties/a" }, b: { $ref: "#" }, "c/d": { default: 3 } },
  });
  expect(allFields(circle).length).toBeLessThan(5000);
  expect(allFields(circle).find((f) => f.pointer === "/c~1d")).toMatchObject({ kind: "number" });
});
