// What state a service is in, in one word, and how its instances are.

import type { MarathonState, QueueState } from "../api/marathon_model";
import type { App, AppTask } from "../api/marathon_types";

export type ServiceStatus =
  "Running" | "Deploying" | "Waiting" | "Delayed" | "Starting" | "Unhealthy" | "Suspended";

export interface InstanceCounts {
  wanted: number;
  healthy: number;
  unhealthy: number;
  /** Running, and not (yet) known to be healthy or unhealthy. */
  running: number;
  staged: number;
}

export interface ServiceView {
  id: string;
  app: App;
  status: ServiceStatus;
  /** The word behind the status, when there is more to say. */
  hint: string;
  counts: InstanceCounts;
  queue: QueueState | null;
}

export function countInstances(app: App): InstanceCounts {
  const healthy = app.tasksHealthy ?? 0;
  const unhealthy = app.tasksUnhealthy ?? 0;
  const running = Math.max(0, (app.tasksRunning ?? 0) - healthy - unhealthy);
  return { wanted: app.instances ?? 1, healthy, unhealthy, running, staged: app.tasksStaged ?? 0 };
}

export function viewService(app: App, queue: QueueState | null, now: number): ServiceView {
  const counts = countInstances(app);
  const up = counts.healthy + counts.unhealthy + counts.running;
  const view = (status: ServiceStatus, hint = "") => ({ id: app.id, app, status, hint, counts, queue });
  if (queue && queue.count > 0 && up < counts.wanted) {
    if (queue.delayedUntil > now)
      return view("Delayed", "Its instances failed; the next start waits for the backoff delay.");
    if (counts.staged === 0) return view("Waiting", "No offer fits: waiting for resources.");
  }
  if ((app.deployments ?? []).length > 0) return view("Deploying");
  if (counts.unhealthy > 0)
    return view("Unhealthy", `${counts.unhealthy} of ${up} instances fail their health checks.`);
  if (counts.wanted === 0) return view("Suspended");
  if (up < counts.wanted) return view("Starting", `${up} of ${counts.wanted} instances run.`);
  return view("Running");
}

export function viewServices(state: MarathonState, now: number): ServiceView[] {
  return [...state.apps.values()].map((app) => viewService(app, state.queue.get(app.id) ?? null, now));
}

/** The health of one instance: its health checks agree, or one of them fails, or nothing is known. */
export function instanceHealth(task: AppTask): "healthy" | "unhealthy" | "unknown" {
  const results = task.healthCheckResults ?? [];
  if (results.length === 0) return "unknown";
  if (results.some((r) => r.alive === false)) return "unhealthy";
  return results.every((r) => r.alive) ? "healthy" : "unknown";
}

/**
 * The app that a Marathon task id belongs to: `prod_web.instance-<uuid>._app.1` -> `/prod/web`. Ids of apps contain no
 * underscore, so this loses nothing. "" for ids of another shape.
 */
export function appIdOfTask(taskId: string): string {
  const match = /^([^.].*?)\.(?:instance-|marathon-)?[0-9a-f]{8}-[0-9a-f]{4}-/.exec(taskId);
  return match ? `/${match[1]!.split("_").join("/")}` : "";
}

/** The fields that Marathon adds and does not take back; the rest is the definition. */
const kReadOnly = new Set([
  "version",
  "versionInfo",
  "tasks",
  "tasksStaged",
  "tasksRunning",
  "tasksHealthy",
  "tasksUnhealthy",
  "deployments",
  "lastTaskFailure",
  "tasksStats",
  "taskStats",
  "readinessCheckResults",
  "uris",
  "fetchUris",
  "ports",
  "role",
]);

/** The definition of an app as one would post it. */
export function definitionOf(app: App): Record<string, unknown> {
  if (app.pod) return Object.fromEntries(Object.entries(app.pod).filter(([field]) => field !== "version"));
  return Object.fromEntries(
    Object.entries(app).filter(([field, value]) => !kReadOnly.has(field) && value !== null),
  );
}

/** A service with a web page of its own says so by a label; the gateway serves it by that name. */
export function webPage(app: App): string {
  const name = app.labels?.["DCOS_SERVICE_NAME"];
  return name && app.labels?.["DCOS_SERVICE_PORT_INDEX"] ? `/service/${name}/` : "";
}
