// The services as Marathon tells them: which change asks for which app to be read again. Pure.

import type { App, Deployment, MarathonEvent, QueueItem } from "./marathon_types";
import { withDeploymentsOf } from "./pods";

export interface QueueState {
  count: number;
  /** Epoch milliseconds until when launches are delayed by backoff. */
  delayedUntil: number;
  since: number;
  rejects: { reason: string; declined: number; processed: number }[];
}

export interface MarathonState {
  ready: boolean;
  apps: ReadonlyMap<string, App>;
  deployments: ReadonlyMap<string, Deployment>;
  queue: ReadonlyMap<string, QueueState>;
}

export const kEmptyMarathon: MarathonState = {
  ready: false,
  apps: new Map(),
  deployments: new Map(),
  queue: new Map(),
};

/** What has to be asked again because of an event; nothing else is. */
export interface Refetch {
  apps: string[];
  deployments: boolean;
}

const kNothing: Refetch = { apps: [], deployments: false };

function appsOfPlan(event: MarathonEvent): string[] {
  const ids = (event.plan?.steps ?? []).flatMap((step) => (step.actions ?? []).flatMap((a) => a.app ?? a.pod ?? []));
  return [...new Set(ids)];
}

/** Decides what an event makes stale. */
export function staleAfter(event: MarathonEvent): Refetch {
  switch (event.eventType) {
    case "status_update_event":
    case "health_status_changed_event":
    case "failed_health_check_event":
    case "unhealthy_instance_kill_event":
    case "add_health_check_event":
    case "remove_health_check_event":
    case "app_terminated_event":
      return event.appId ? { apps: [event.appId], deployments: false } : kNothing;
    case "instance_changed_event":
    case "instance_health_changed_event":
      return event.runSpecId ? { apps: [event.runSpecId], deployments: false } : kNothing;
    case "api_post_event":
      return event.appDefinition?.id ? { apps: [event.appDefinition.id], deployments: false } : kNothing;
    case "deployment_info":
    case "deployment_step_success":
    case "deployment_step_failure":
    case "deployment_success":
    case "deployment_failed":
      return { apps: appsOfPlan(event), deployments: true };
    default:
      return kNothing;
  }
}

export function fromSnapshot(
  apps: readonly App[],
  deployments: readonly Deployment[],
  queue: readonly QueueItem[],
  now: number,
): MarathonState {
  return withQueue(
    {
      ready: true,
      apps: new Map(apps.map((app) => [app.id, withDeploymentsOf(app, deployments)])),
      deployments: new Map(deployments.map((d) => [d.id, d])),
      queue: new Map(),
    },
    queue,
    now,
  );
}

/** Puts the answer for one app in place; `null` = the app is gone. */
export function withApp(state: MarathonState, id: string, app: App | null): MarathonState {
  if (!app && !state.apps.has(id)) return state;
  const apps = new Map(state.apps);
  if (app) apps.set(id, withDeploymentsOf(app, state.deployments.values()));
  else apps.delete(id);
  return { ...state, apps };
}

export function withDeployments(state: MarathonState, deployments: readonly Deployment[]): MarathonState {
  const apps = new Map(state.apps);
  for (const [id, app] of apps) if (app.pod) apps.set(id, withDeploymentsOf(app, deployments));
  return { ...state, apps, deployments: new Map(deployments.map((d) => [d.id, d])) };
}

export function withQueue(state: MarathonState, items: readonly QueueItem[], now: number): MarathonState {
  const queue = new Map<string, QueueState>();
  for (const item of items) {
    const id = item.app?.id ?? item.pod?.id;
    if (id === undefined) continue;
    const left = item.delay?.overdue ? 0 : (item.delay?.timeLeftSeconds ?? 0);
    queue.set(id, {
      count: item.count ?? 0,
      delayedUntil: left > 0 ? now + left * 1000 : 0,
      since: item.since ? Date.parse(item.since) : NaN,
      rejects: item.processedOffersSummary?.rejectSummaryLastOffers ?? [],
    });
  }
  return { ...state, queue };
}

/**
 * Can the launch queue matter for what is shown? Only while an app has fewer running instances than it should, so a
 * quiet cluster never asks for the queue.
 */
export function needsQueue(state: MarathonState): boolean {
  if (state.queue.size > 0) return true;
  for (const app of state.apps.values()) if ((app.tasksRunning ?? 0) < (app.instances ?? 0)) return true;
  return false;
}
