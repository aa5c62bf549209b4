import { describe, expect, test } from "vitest";
import { lineOfPath, lineOfSyntaxError, parseErrorPath } from "./json_places";

const text = `{
  "id": "/a\\"b",
  "container": {
    "docker": {
      "portMappings": [
        { "containerPort": 80,
          "protocol": "x" },
        { "containerPort": [1, 2] }
      ]
    }
  },
  "cpus": -1
}`;

describe("places in JSON", () => {
  test.each([
    ["/cpus", ["cpus"]],
    ["/networks(1)", ["networks", 1]],
    ["/container/docker/portMappings(0)/protocol", ["container", "docker", "portMappings", 0, "protocol"]],
    ["/", []],
  ])("path %s is %j", (path, steps) => {
    expect(parseErrorPath(path)).toEqual(steps);
  });

  test.each([
    ["/id", 2],
    ["/cpus", 12],
    ["/container/docker/portMappings(0)/protocol", 7],
    ["/container/docker/portMappings(1)/containerPort(1)", 8],
    ["/container/docker/image", 4],
    ["/mem", 0],
    ["/", 0],
  ])("%s is on line %i", (path, line) => {
    expect(lineOfPath(text, path)).toBe(line);
  });

  test("a text that is no JSON has no places", () => {
    expect(lineOfPath("{", "/id")).toBe(0);
  });

  test.each([
    ["Unexpected token } in JSON at position 4", 2],
    ["Expected ',' (line 3 column 1)", 3],
    ["Unexpected end of JSON input", 2],
    ["odd", 0],
  ])("%s is on line %i", (message, line) => {
    expect(lineOfSyntaxError('{\n "a"', message)).toBe(line);
  });
});
