// Jobs as rows: what they do now, how the last run ended, and when the next one is. Pure.

import type { JobsState } from "../api/chronos";
import type { Job, JobSummary, TaskStat } from "../api/chronos_types";
import { parseSchedule, type Schedule } from "./schedule";
import type { Tone } from "./tasks";
import { formatWall } from "./zones";

export type JobState = "Running" | "Queued" | "Idle" | "Disabled";
export type JobResult = "success" | "failure" | "fresh";

export interface JobView {
  name: string;
  state: JobState;
  /** How many runs are going on. */
  running: number;
  result: JobResult;
  parents: readonly string[];
  schedule: string;
  zone: string;
  /** The next slot, epoch milliseconds; NaN when there is none. */
  nextRun: number;
  /** When it last ended, epoch milliseconds; NaN when it never did. */
  lastRun: number;
  job: Job | undefined;
}

const parsed = new Map<string, Schedule | null>();
const kMaxParsed = 20_000;

/** Reading a schedule asks the browser's time zone rules: each text is read once. */
function scheduleOf(text: string, zone: string): Schedule | null {
  const key = `${text} ${zone}`;
  let found = parsed.get(key);
  if (found === undefined) {
    const read = parseSchedule(text, zone);
    found = read.ok ? read.schedule : null;
    if (parsed.size > kMaxParsed) parsed.clear();
    parsed.set(key, found);
  }
  return found;
}

export function viewJob(row: JobSummary, job: Job | undefined): JobView {
  const running = Number(/^(\d+) running/.exec(row.state)?.[1] ?? 0);
  const disabled = row.disabled ?? job?.disabled ?? false;
  const schedule = row.schedule || job?.schedule || "";
  const zone = job?.scheduleTimeZone ?? "";
  const read = schedule && !disabled ? scheduleOf(schedule, zone) : null;
  const ends = [job?.lastSuccess, job?.lastError].map((t) => (t ? Date.parse(t) : NaN)).filter((t) => t > 0);
  return {
    name: row.name,
    state: running ? "Running" : row.state === "queued" ? "Queued" : disabled ? "Disabled" : "Idle",
    running,
    result: row.status,
    parents: row.parents ?? [],
    schedule,
    zone,
    nextRun: read && read.repeat > 0 ? read.start : NaN,
    lastRun: ends.length ? Math.max(...ends) : NaN,
    job,
  };
}

export function viewJobs(state: JobsState): JobView[] {
  return state.rows.map((row) => viewJob(row, state.jobs.get(row.name)));
}

const kGrace = 5000;

/** A slot has passed and nothing has come of it. */
export function isOverdue(view: JobView, now: number): boolean {
  return view.state === "Idle" && view.nextRun < now - kGrace;
}

export function toneOfJob(view: JobView): Tone {
  if (view.state === "Running" || view.state === "Queued") return "busy";
  if (view.state === "Disabled") return "idle";
  return view.result === "failure" ? "bad" : view.result === "success" ? "good" : "idle";
}

/** State and result in a word, as the graph and the badges say it. */
export function wordOfJob(view: JobView): string {
  if (view.state === "Running") return view.running > 1 ? `Running ${view.running}` : "Running";
  if (view.state !== "Idle") return view.state;
  return { success: "Succeeded", failure: "Failed", fresh: "Never ran" }[view.result];
}

/** What the filter `is:…` knows of a job. */
export function tagsOfJob(view: JobView, now: number): string[] {
  const tags: string[] = [
    view.state,
    { success: "succeeded", failure: "failed", fresh: "fresh" }[view.result],
  ];
  if (isOverdue(view, now)) tags.push("overdue");
  tags.push(view.parents.length ? "dependent" : "scheduled");
  return tags;
}

/** Who runs after whom. */
export function childrenOf(rows: readonly JobSummary[], name: string): string[] {
  return rows.filter((row) => row.parents?.includes(name)).map((row) => row.name);
}

/** A job, all that it waits for and all that waits for it, directly or not. */
export function relatives(rows: readonly JobSummary[], names: Iterable<string>): Set<string> {
  const parents = new Map(rows.map((row) => [row.name, row.parents ?? []]));
  const children = new Map<string, string[]>();
  for (const row of rows)
    for (const parent of row.parents ?? []) children.set(parent, [...(children.get(parent) ?? []), row.name]);
  const found = new Set<string>();
  const walk = (start: Iterable<string>, next: ReadonlyMap<string, readonly string[]>) => {
    const seen = new Set<string>();
    const open = [...start];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      found.add(name);
      open.push(...(next.get(name) ?? []));
    }
  };
  walk(names, parents);
  walk(names, children);
  return found;
}

export interface RunView {
  taskId: string;
  /** The slot it was started for, epoch milliseconds; NaN when the id does not tell. */
  due: number;
  attempt: number;
  status: string;
  duration: string;
  tone: Tone;
}

/** `ct:<due>:<attempt>:<job>:<arguments>` */
export function viewRun(stat: TaskStat): RunView {
  const match = /^ct:(\d+):(\d+):/.exec(stat.taskId);
  const word: Record<string, [string, Tone]> = {
    Success: ["Succeeded", "good"],
    Fail: ["Failed", "bad"],
    Running: ["Running", "busy"],
    Idle: ["Waiting", "idle"],
  };
  const [status, tone] = word[stat.status] ?? [stat.status, "idle" as Tone];
  return {
    taskId: stat.taskId,
    due: match ? Number(match[1]) : NaN,
    attempt: match ? Number(match[2]) : 0,
    status,
    duration: stat.duration ?? "",
    tone,
  };
}

/** The next run as the job's own clock shows it, "" when there is none or its zone is the reader's. */
export function inOwnZone(view: JobView): string {
  const read = scheduleOf(view.schedule, view.zone);
  if (!view.zone || !read || Number.isNaN(view.nextRun)) return "";
  return `${formatWall(view.nextRun, read.zone)} ${view.zone}`;
}

/** The fields that Chronos counts itself; the rest is the definition. */
const kCounted = new Set([
  "successCount",
  "errorCount",
  "errorsSinceLastSuccess",
  "lastSuccess",
  "lastError",
]);

/** The definition of a job as one would post it: without counters, and without fields that say nothing. */
export function definitionOfJob(job: Job): Job {
  const kept = Object.entries(job).filter(
    ([field, value]) =>
      !kCounted.has(field) &&
      value !== null &&
      value !== "" &&
      !(Array.isArray(value) && value.length === 0 && field !== "parents"),
  );
  const definition = Object.fromEntries(kept) as Job;
  // Chronos shows the one in the other and refuses both.
  if (definition["uris"] && definition["fetch"]) delete definition["uris"];
  return definition;
}
