import { expect, test } from "vitest";
import {
  fieldOfMessage,
  missingIn,
  newJob,
  readEnvironment,
  triggerOf,
  withTrigger,
  writeEnvironment,
} from "./job_form";
import { parseSchedule } from "./schedule";

test("the environment goes to lines and back", () => {
  const job = {
    environmentVariables: [
      { name: "A", value: "x=y" },
      { name: "B", value: "" },
    ],
  };
  expect(readEnvironment(job)).toBe("A=x=y\nB=");
  expect(writeEnvironment({ name: "a" }, "A=x=y\n\nB=\n")).toEqual({ name: "a", ...job });
  expect(writeEnvironment(job, " \n")).toEqual({});
});

test("a trigger takes the fields of the other one away, and back again", () => {
  const job = { name: "a", schedule: "R/2026-01-01/P1D", scheduleTimeZone: "PST" };
  const dependent = withTrigger(job, "parents", {});
  expect(dependent).toEqual({ name: "a", parents: [] });
  expect(triggerOf(dependent)).toBe("parents");
  expect(withTrigger(dependent, "schedule", job)).toEqual(job);
});

test("a sentence of the server belongs to a field", () => {
  for (const [message, field] of [
    ["Cannot parse schedule 'x'", "schedule"],
    ["the time zone 'EDT' is not known", "scheduleTimeZone"],
    ["parent 'x' does not exist", "parents"],
    ["would be a circular dependency", "parents"],
    ["the name may have letters", "name"],
    ["epsilon 'soon' is no length of time", "epsilon"],
    ["parents cannot be given for a job with a schedule; post it to /dependency", "parents"],
    ["parents: job 'a' depends on 'b', which does not exist", "parents"],
    ["cpus must be a number, not the text 'many'", "cpus"],
    ["something else", ""],
  ])
    expect(fieldOfMessage(message!), message).toBe(field);
});

test("what is missing is known before sending", () => {
  expect(missingIn({ name: "a b", parents: [] })).toHaveProperty("name");
  expect(missingIn({ name: "a.b-c_1", parents: [] })).toEqual({
    parents: "Choose at least one job to wait for.",
  });
  expect(missingIn({ name: "a", schedule: "R//P1D" })).toEqual({});
});

test("the first proposal is a schedule in the future", () => {
  const now = Date.parse("2026-03-01T10:00:00Z");
  const read = parseSchedule(String(newJob(now)["schedule"]));
  expect(read.ok && read.schedule.start).toBe(Date.parse("2026-03-02T00:00:00Z"));
});
