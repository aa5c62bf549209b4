// Tasks as rows: when they started, how they are, which service they belong to.

import { isEnded } from "../api/kernel_model";
import type { Task, TaskStatus } from "../api/kernel_types";

export type Tone = "good" | "bad" | "busy" | "idle";

export function lastStatus(task: Task): TaskStatus | null {
  return task.statuses?.at(-1) ?? null;
}

/** Epoch milliseconds of a status. */
export function timeOf(status: TaskStatus | null | undefined): number {
  return status?.timestamp ? status.timestamp * 1000 : NaN;
}

/** When it was first heard of, and when it ran first. */
export function startedAt(task: Task): number {
  const running = task.statuses?.find((s) => s.state === "TASK_RUNNING");
  return timeOf(running ?? task.statuses?.[0]);
}

/** "TASK_GONE_BY_OPERATOR" -> "Gone by operator". */
export function stateName(state: string): string {
  const words = state
    .replace(/^TASK_/, "")
    .toLowerCase()
    .replace(/_/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function toneOfState(state: string): Tone {
  if (state === "TASK_RUNNING") return "good";
  if (state === "TASK_FINISHED" || state === "TASK_KILLED") return "idle";
  if (isEnded(state) || state === "TASK_UNREACHABLE" || state === "TASK_UNKNOWN") return "bad";
  return "busy";
}

export function healthOf(task: Task): boolean | undefined {
  return isEnded(task.state) ? undefined : lastStatus(task)?.healthy;
}

/** The addresses a task was given, from its newest status that tells. */
export function addressesOf(task: Task): string[] {
  for (const status of [...(task.statuses ?? [])].reverse()) {
    const found = (status.container_status?.network_infos ?? []).flatMap((n) =>
      (n.ip_addresses ?? []).flatMap((a) => a.ip_address ?? []),
    );
    if (found.length) return [...new Set(found)];
  }
  return [];
}
