import { expect, test } from "vitest";
import { staleJobs, type JobsState } from "../api/chronos";
import type { Job, JobSummary } from "../api/chronos_types";
import {
  childrenOf,
  definitionOfJob,
  inOwnZone,
  isOverdue,
  relatives,
  tagsOfJob,
  toneOfJob,
  viewJob,
  viewRun,
  wordOfJob,
} from "./jobs";

const row = (name: string, more: Partial<JobSummary> = {}): JobSummary => ({
  name,
  status: "success",
  state: "idle",
  schedule: "R/2026-03-02T08:00:00.000Z/P1D",
  parents: [],
  disabled: false,
  ...more,
});
const kNow = Date.parse("2026-03-01T10:00:00Z");

test("state and result in a word and a colour", () => {
  for (const [more, word, tone] of [
    [{}, "Succeeded", "good"],
    [{ status: "failure" }, "Failed", "bad"],
    [{ status: "fresh" }, "Never ran", "idle"],
    [{ state: "1 running" }, "Running", "busy"],
    [{ state: "3 running", disabled: true }, "Running 3", "busy"],
    [{ state: "queued" }, "Queued", "busy"],
    [{ disabled: true, status: "failure" }, "Disabled", "idle"],
  ] as const) {
    const view = viewJob(row("a", more), undefined);
    expect([wordOfJob(view), toneOfJob(view)], JSON.stringify(more)).toEqual([word, tone]);
  }
});

test("the next run is the start of the schedule, on the clock of the job's zone", () => {
  const view = viewJob(row("a"), { name: "a", scheduleTimeZone: "Europe/Berlin" });
  expect(view.nextRun).toBe(Date.parse("2026-03-02T07:00:00Z"));
  expect(inOwnZone(view)).toBe("2026-03-02 08:00 Europe/Berlin");
  expect(viewJob(row("a", { schedule: "R0/2026-03-02T08:00:00Z/P1D" }), undefined).nextRun).toBeNaN();
  expect(viewJob(row("a", { disabled: true }), undefined).nextRun).toBeNaN();
  expect(viewJob(row("a", { schedule: "", parents: ["b"] }), undefined).nextRun).toBeNaN();
  expect(viewJob(row("a", { schedule: "what" }), undefined).nextRun).toBeNaN();
});

test("a slot that passed while nothing runs is overdue", () => {
  const late = row("a", { schedule: "R/2026-03-01T09:59:00Z/P1D" });
  expect(isOverdue(viewJob(late, undefined), kNow)).toBe(true);
  expect(isOverdue(viewJob({ ...late, state: "1 running" }, undefined), kNow)).toBe(false);
  expect(isOverdue(viewJob(row("a"), undefined), kNow)).toBe(false);
  expect(tagsOfJob(viewJob(late, undefined), kNow)).toEqual(["Idle", "succeeded", "overdue", "scheduled"]);
});

const kFamily = [
  row("a"),
  row("b", { parents: ["a"] }),
  row("c", { parents: ["b", "x"] }),
  row("x"),
  row("other"),
  row("d", { parents: ["a"] }),
];

test("relatives are all before and all after, not the cousins", () => {
  expect([...relatives(kFamily, ["b"])].sort()).toEqual(["a", "b", "c"]);
  expect([...relatives(kFamily, ["x"])].sort()).toEqual(["c", "x"]);
  expect(childrenOf(kFamily, "a")).toEqual(["b", "d"]);
});

test("only what changed is read again, and what runs after it", () => {
  const jobs = new Map(kFamily.map((r): [string, Job] => [r.name, { name: r.name }]));
  const before: JobsState = { ready: true, rows: kFamily, jobs };
  expect(staleJobs(before, kFamily)).toEqual([]);
  const changed = kFamily.map((r) => (r.name === "x" ? { ...r, state: "1 running" } : r));
  expect(staleJobs(before, changed).sort()).toEqual(["c", "x"]);
  expect(staleJobs({ ...before, jobs: new Map() }, kFamily)).toHaveLength(6);
});

test("the id of a run tells its slot and attempt", () => {
  expect(viewRun({ taskId: "ct:1772352000000:1:report:-v x", status: "Fail", duration: "1m2s" })).toEqual({
    taskId: "ct:1772352000000:1:report:-v x",
    due: 1772352000000,
    attempt: 1,
    status: "Failed",
    tone: "bad",
    duration: "1m2s",
  });
  expect(viewRun({ taskId: "odd", status: "Lost" })).toMatchObject({
    due: NaN,
    status: "Lost",
    tone: "idle",
  });
});

test("a definition is what one would post: no counters, nothing empty, never uris beside fetch", () => {
  const job = {
    name: "a",
    command: "x",
    owner: "",
    successCount: 3,
    lastError: "",
    constraints: [],
    parents: ["b"],
    disabled: false,
    uris: ["u"],
    fetch: [{ uri: "u" }],
  };
  expect(definitionOfJob(job)).toEqual({
    name: "a",
    command: "x",
    parents: ["b"],
    disabled: false,
    fetch: [{ uri: "u" }],
  });
});
