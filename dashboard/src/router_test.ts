import { expect, test } from "vitest";
import { nodeHref, parseHash, serviceHref, taskHref } from "./router";

test("ids survive their way through the address bar", () => {
  expect(parseHash(serviceHref("/prod/a b")).path).toEqual(["service", "prod", "a b"]);
  expect(parseHash(nodeHref("x/y-S0")).path).toEqual(["node", "x/y-S0"]);
  expect(parseHash(taskHref("f-1", "t?/%#")).path).toEqual(["task", "f-1", "t?/%#"]);
});

test("the query follows the path; broken escapes do no harm", () => {
  const route = parseHash("#/task/%zz?tab=logs");
  expect(route.path).toEqual(["task", "%zz"]);
  expect(route.query.get("tab")).toBe("logs");
  expect(parseHash("").path).toEqual([]);
});
