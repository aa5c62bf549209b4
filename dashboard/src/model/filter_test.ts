import { expect, test } from "vitest";
import { parseFilter, passes } from "./filter";

test.each([
  ["", true],
  ["WEB", true],
  ["web prod", true],
  ["web nope", false],
  ["is:run", true],
  ["is:delayed", false],
  ["-prod", false],
  ["-nope is:running /prod", true],
  ["is: -", true],
])("filter %j on a running /prod/web gives %s", (text, expected) => {
  expect(passes(parseFilter(text), "/prod/web nginx", ["Running"])).toBe(expected);
});
