// Chronos' API as functions, and the list of jobs, kept fresh while somebody looks at it.

import type { Job, JobStat, JobSummary } from "./chronos_types";
import { request, send } from "./http";
import { Poller } from "./poll";
import { session } from "./session";
import { Store } from "./store";

const kBase = "/service/chronos/v1/scheduler";
const kEveryMs = 2000;
/** More changed jobs than this are read as the whole list, which is one request. */
const kMaxSingle = 12;
/** The whole list of a large cluster is megabytes: at most this often. */
const kWholeEveryMs = 20_000;

const jobPath = (name: string) => `${kBase}/job/${encodeURIComponent(name)}`;
const options = (signal?: AbortSignal) => (signal ? { signal } : {});

export const getJob = (name: string, signal?: AbortSignal) => request<Job>(jobPath(name), options(signal));

export function getStat(name: string, signal?: AbortSignal): Promise<JobStat> {
  return request<JobStat>(`${kBase}/job/stat/${encodeURIComponent(name)}`, options(signal));
}

/** Creates a job or replaces the one of that name. What triggers it decides where it goes. */
export async function saveJob(job: Job): Promise<void> {
  const dependent = Array.isArray(job.parents) && job.parents.length > 0;
  await request<void>(`${kBase}/${dependent ? "dependency" : "iso8601"}`, { method: "POST", body: job });
  jobsPoll.now();
}

export async function runJob(name: string, args = ""): Promise<void> {
  const query = args.trim() ? `?arguments=${encodeURIComponent(args.trim())}` : "";
  await request<void>(jobPath(name) + query, { method: "PUT" });
  jobsPoll.now();
}

export async function killJob(name: string): Promise<void> {
  await request<void>(`${kBase}/task/kill/${encodeURIComponent(name)}`, { method: "DELETE" });
  jobsPoll.now();
}

export async function deleteJob(name: string): Promise<void> {
  await request<void>(jobPath(name), { method: "DELETE" });
  jobsPoll.now();
}

export interface JobsState {
  ready: boolean;
  rows: readonly JobSummary[];
  /** Definitions and counters; read when the summary says that something changed. */
  jobs: ReadonlyMap<string, Job>;
}

const kNoJobs: JobsState = { ready: false, rows: [], jobs: new Map() };

export const jobs = new Store<JobsState>(kNoJobs);

/** The names whose definition or counters may be old: changed rows, and what runs after them. */
export function staleJobs(before: JobsState, rows: readonly JobSummary[]): string[] {
  const old = new Map(before.rows.map((r) => [r.name, r]));
  const changed = new Set<string>();
  for (const row of rows) {
    const was = old.get(row.name);
    if (!was || !before.jobs.has(row.name) || JSON.stringify(was) !== JSON.stringify(row))
      changed.add(row.name);
  }
  // A short run of a dependent job may begin and end between two looks: its parent's row has changed then.
  for (const row of rows) if (row.parents?.some((p) => changed.has(p))) changed.add(row.name);
  return [...changed];
}

let lastText = "";
let wholeAt = 0;
let waiting: string[] = [];

async function refreshJobs(names: readonly string[], signal: AbortSignal): Promise<void> {
  if (names.length === 0) return;
  const now = Date.now();
  if (names.length > kMaxSingle) {
    if (now - wholeAt < kWholeEveryMs) {
      waiting = [...names];
      return;
    }
    wholeAt = now;
    const all = await request<Job[]>(`${kBase}/jobs`, { signal });
    jobs.update((state) => ({ ...state, jobs: new Map(all.map((job) => [job.name, job])) }));
    return;
  }
  // A job may be deleted between the two questions.
  const read = await Promise.all(names.map((name) => getJob(name, signal).catch(() => null)));
  jobs.update((state) => {
    const next = new Map(state.jobs);
    for (const job of read) if (job) next.set(job.name, job);
    return { ...state, jobs: next };
  });
}

export const jobsPoll = new Poller(kEveryMs, async (signal) => {
  const text = await (await send(`${kBase}/jobs/summary`, { signal })).text();
  const before = jobs.get();
  let stale = waiting;
  waiting = [];
  if (text !== lastText || !before.ready) {
    const rows = (JSON.parse(text) as { jobs: JobSummary[] }).jobs;
    const names = new Set(rows.map((r) => r.name));
    stale = [...new Set([...stale.filter((n) => names.has(n)), ...staleJobs(before, rows)])];
    const kept = new Map([...before.jobs].filter(([name]) => names.has(name)));
    jobs.set({ ready: true, rows, jobs: kept });
    lastText = text;
  }
  await refreshJobs(stale, signal);
});

let person = session.get().person;
session.subscribe(() => {
  if (session.get().person === person) return;
  person = session.get().person;
  lastText = "";
  wholeAt = 0;
  jobs.set(kNoJobs);
});
