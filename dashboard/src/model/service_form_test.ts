import { expect, test } from "vitest";
import { fieldOfError, kFields, parseDefinition, readField, writeField } from "./service_form";

const field = (key: string) => kFields.find((f) => f.key === key)!;

test("what is written is read again", () => {
  let app: Record<string, unknown> = { id: "/a" };
  for (const [key, text] of [
    ["id", "/b"],
    ["cpus", "0.5"],
    ["image", "nginx:1"],
    ["env", "A=1\nB=x=y"],
    ["cmd", "sleep  1"],
  ] as const) {
    app = writeField(app, field(key), text);
    expect(readField(app, field(key))).toBe(text);
  }
  expect(app).toEqual({
    id: "/b",
    cpus: 0.5,
    container: { type: "MESOS", docker: { image: "nginx:1" } },
    env: { A: "1", B: "x=y" },
    cmd: "sleep  1",
  });
});

test("an emptied field is left out, with the objects around it", () => {
  expect(writeField({ cpus: 1 }, field("cpus"), " ")).toEqual({});
  expect(writeField({ container: { type: "MESOS", docker: { image: "x" } } }, field("image"), "")).toEqual(
    {},
  );
  expect(
    writeField(
      { container: { type: "DOCKER", docker: { image: "x", privileged: true } } },
      field("image"),
      "",
    ),
  ).toEqual({ container: { type: "DOCKER", docker: { privileged: true } } });
});

test("what is no number goes to the API as it is, which says what is wrong", () => {
  expect(writeField({}, field("cpus"), "lots")).toEqual({ cpus: "lots" });
});

test("a secret in the environment survives an edit of its neighbour", () => {
  const app = { env: { S: { secret: "s1" }, A: "1" } };
  const text = readField(app, field("env")).replace("A=1", "A=2");
  expect(writeField(app, field("env"), text)).toEqual({ env: { S: { secret: "s1" }, A: "2" } });
});

test("fields the form does not know are kept", () => {
  expect(writeField({ id: "/a", constraints: [["hostname", "UNIQUE"]] }, field("mem"), "64")).toEqual({
    id: "/a",
    constraints: [["hostname", "UNIQUE"]],
    mem: 64,
  });
});

test.each([
  ["/cpus", "cpus"],
  ["/env/NAME/secret", "env"],
  ["/container/docker/image", "image"],
  ["/upgradeStrategy/x", undefined],
  ["/", undefined],
])("the error %s belongs to %s", (path, key) => {
  expect(fieldOfError(path)?.key).toBe(key);
});

test.each([
  ["[1]", null],
  ["{", null],
  ["null", null],
  ['{"id":"/a"}', { id: "/a" }],
])("the definition of %s is %j", (text, expected) => {
  expect(parseDefinition(text)).toEqual(expected);
});
