import { describe, expect, test } from "vitest";
import { errorFromBody } from "./http";

describe("errorFromBody", () => {
  test("keeps the fields of a validation error", () => {
    const body =
      '{"message":"Object is not valid","details":[{"path":"/cpus","errors":["must be positive"]}]}';
    const error = errorFromBody(422, body, "application/json");
    expect(error.message).toBe("Object is not valid");
    expect(error.fields).toEqual([{ path: "/cpus", errors: ["must be positive"] }]);
  });

  test("knows a lock from a duplicate", () => {
    expect(
      errorFromBody(409, '{"message":"locked","deployments":[{"id":"d1"}]}', "application/json").isLocked,
    ).toBe(true);
    expect(errorFromBody(409, '{"message":"exists already"}', "application/json").isLocked).toBe(false);
  });

  test("adds the parser's words, which come as a string", () => {
    const error = errorFromBody(400, '{"message":"Invalid JSON","details":"line 3"}', "application/json");
    expect(error.message).toBe("Invalid JSON: line 3");
    expect(error.fields).toEqual([]);
  });

  test("does not show the HTML of an error page", () => {
    expect(errorFromBody(502, "<html>bad</html>", "text/html").message).toBe("The gateway answered 502.");
  });

  test("survives JSON that is none", () => {
    expect(errorFromBody(500, "oops", "application/json").message).toBe("oops");
  });
});
