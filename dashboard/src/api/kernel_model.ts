// The cluster as the kernel tells it: a snapshot, then one small change after the other. Pure.

import type { Agent, Framework, KernelEvent, Snapshot, Task, TaskStatus } from "./kernel_types";

export interface KernelState {
  /** False until the first snapshot has come. */
  ready: boolean;
  agents: ReadonlyMap<string, Agent>;
  frameworks: ReadonlyMap<string, Framework>;
  /** By `taskKey`. Ended tasks stay for a while, the oldest go first. */
  tasks: ReadonlyMap<string, Task>;
}

/** How many ended tasks are kept for looking back. */
export const kMaxEndedTasks = 1000;

export const kEmptyKernel: KernelState = {
  ready: false,
  agents: new Map(),
  frameworks: new Map(),
  tasks: new Map(),
};

const kEnded = new Set([
  "TASK_FINISHED",
  "TASK_FAILED",
  "TASK_KILLED",
  "TASK_ERROR",
  "TASK_LOST",
  "TASK_DROPPED",
  "TASK_GONE",
  "TASK_GONE_BY_OPERATOR",
]);

/** Has this state no successor? (An unreachable task may come back.) */
export function isEnded(state: string): boolean {
  return kEnded.has(state);
}

/** Task ids are unique within their framework only. */
export function taskKey(frameworkId: string, taskId: string): string {
  return `${frameworkId}/${taskId}`;
}

export function keyOfTask(task: Task): string {
  return taskKey(task.framework_id.value, task.task_id.value);
}

function fromSnapshot(snapshot: Snapshot): KernelState {
  const agents = new Map<string, Agent>();
  for (const agent of snapshot.get_agents?.agents ?? []) agents.set(agent.agent_info.id?.value ?? "", agent);
  const frameworks = new Map<string, Framework>();
  for (const framework of snapshot.get_frameworks?.frameworks ?? []) {
    frameworks.set(framework.framework_info.id?.value ?? "", framework);
  }
  const { completed_tasks = [], unreachable_tasks = [], tasks = [] } = snapshot.get_tasks ?? {};
  const known = new Map<string, Task>();
  // The newest ended tasks are the last; a live task with the same id wins over an ended one.
  for (const task of completed_tasks.slice(-kMaxEndedTasks)) known.set(keyOfTask(task), task);
  for (const task of [...unreachable_tasks, ...tasks]) known.set(keyOfTask(task), task);
  return { ready: true, agents, frameworks, tasks: known };
}

function withStatus(task: Task, status: TaskStatus, state: string): Task {
  const statuses = [...(task.statuses ?? [])];
  const last = statuses.at(-1);
  // A health result repeats the state it was made in: it replaces that entry, as in the kernel's own list.
  if (last && last.state === status.state) {
    statuses[statuses.length - 1] = { ...status, timestamp: last.timestamp ?? status.timestamp! };
  } else {
    statuses.push(status);
  }
  return { ...task, state, statuses };
}

function dropOldestEnded(tasks: Map<string, Task>): void {
  let ended = 0;
  for (const task of tasks.values()) if (isEnded(task.state)) ended += 1;
  for (const [key, task] of tasks) {
    if (ended <= kMaxEndedTasks) return;
    if (!isEnded(task.state)) continue;
    tasks.delete(key);
    ended -= 1;
  }
}

/** Copies each map at most once per batch, and only the maps that change. */
class Draft {
  agents: Map<string, Agent> | null = null;
  frameworks: Map<string, Framework> | null = null;
  tasks: Map<string, Task> | null = null;

  constructor(public base: KernelState) {}

  writeAgents = () => (this.agents ??= new Map(this.base.agents));
  writeFrameworks = () => (this.frameworks ??= new Map(this.base.frameworks));
  writeTasks = () => (this.tasks ??= new Map(this.base.tasks));
  readTasks = () => this.tasks ?? this.base.tasks;

  done(): KernelState {
    if (!this.agents && !this.frameworks && !this.tasks) return this.base;
    if (this.tasks) dropOldestEnded(this.tasks);
    return {
      ready: this.base.ready,
      agents: this.agents ?? this.base.agents,
      frameworks: this.frameworks ?? this.base.frameworks,
      tasks: this.tasks ?? this.base.tasks,
    };
  }
}

function applyOne(draft: Draft, event: KernelEvent): Draft {
  switch (event.type) {
    case "SUBSCRIBED":
      return new Draft(fromSnapshot(event.subscribed.get_state ?? {}));
    case "TASK_ADDED":
      draft.writeTasks().set(keyOfTask(event.task_added.task), event.task_added.task);
      return draft;
    case "TASK_UPDATED": {
      const { framework_id, status, state } = event.task_updated;
      const key = taskKey(framework_id.value, status.task_id.value);
      const task = draft.readTasks().get(key);
      if (!task) return draft;
      const tasks = draft.writeTasks();
      // An ended task moves to the end of the map, so that the map's order is the order of ending.
      if (isEnded(state) && !isEnded(task.state)) tasks.delete(key);
      tasks.set(key, withStatus(task, status, state));
      return draft;
    }
    case "AGENT_ADDED":
      draft.writeAgents().set(event.agent_added.agent.agent_info.id?.value ?? "", event.agent_added.agent);
      return draft;
    case "AGENT_REMOVED":
      draft.writeAgents().delete(event.agent_removed.agent_id.value);
      return draft;
    case "FRAMEWORK_ADDED":
    case "FRAMEWORK_UPDATED": {
      const added = event.type === "FRAMEWORK_ADDED" ? event.framework_added : event.framework_updated;
      draft.writeFrameworks().set(added.framework.framework_info.id?.value ?? "", added.framework);
      return draft;
    }
    case "FRAMEWORK_REMOVED":
      draft.writeFrameworks().delete(event.framework_removed.framework_info.id?.value ?? "");
      return draft;
    default:
      return draft;
  }
}

/** Applies a batch of events. Returns the same object when nothing changed. */
export function applyEvents(state: KernelState, events: readonly KernelEvent[]): KernelState {
  return events.reduce(applyOne, new Draft(state)).done();
}

/** Replaces the agents by what GET_AGENTS said: the stream does not tell when an agent becomes unreachable. */
export function withAgents(state: KernelState, agents: readonly Agent[]): KernelState {
  return { ...state, agents: new Map(agents.map((agent) => [agent.agent_info.id?.value ?? "", agent])) };
}
