// The live picture of the cluster: two event streams, three stores. Everything on the screen comes from here.

import { Coalescer } from "./coalescer";
import { ApiError, request, send } from "./http";
import { applyEvents, isEnded, kEmptyKernel, withAgents, type KernelState } from "./kernel_model";
import type { Agent, KernelEvent } from "./kernel_types";
import { LiveStream } from "./live_stream";
import { listApps, listDeployments, listQueue } from "./marathon";
import {
  fromSnapshot,
  kEmptyMarathon,
  needsQueue,
  staleAfter,
  withApp,
  withDeployments,
  withQueue,
  type MarathonState,
} from "./marathon_model";
import type { MarathonEvent } from "./marathon_types";
import { RecordDecoder } from "./recordio";
import { getService, listPods } from "./services";
import { lookForSignIn, session } from "./session";
import { EventDecoder } from "./sse";
import { Store } from "./store";

/** Something that happened while this page was open. */
export interface Activity {
  key: number;
  at: number;
  tone: "good" | "bad" | "busy" | "idle";
  text: string;
  href: string;
}

export interface ClusterInfo {
  name: string;
  version: string;
}

export const kernel = new Store<KernelState>(kEmptyKernel);
export const marathon = new Store<MarathonState>(kEmptyMarathon);
export const activity = new Store<readonly Activity[]>([]);
export const cluster = new Store<ClusterInfo>({ name: "", version: "" });

const kMaxActivity = 50;
/** The kernel sends a heartbeat every 15 s, Marathon a keep-alive every 10 s. */
const kKernelSilence = 40_000;
const kMarathonSilence = 35_000;
/** A hidden tab gives its two connections back after this time: browsers allow six per server. */
const kHiddenPause = 30_000;

let nextActivity = 1;

export function note(entry: Omit<Activity, "key">): void {
  activity.update((list) => [{ ...entry, key: nextActivity++ }, ...list].slice(0, kMaxActivity));
}

// ---- kernel -------------------------------------------------------------------------------------------------------

let records = new RecordDecoder();

const agentsAgain = new Coalescer(500, async () => {
  try {
    const answer = await request<{ get_agents?: { agents?: Agent[] } }>("/mesos/api/v1", {
      method: "POST",
      body: { type: "GET_AGENTS" },
    });
    if (kernel.get().ready) kernel.update((state) => withAgents(state, answer.get_agents?.agents ?? []));
  } catch {
    // The stream's own state tells whether the kernel is reachable; a missed look at the agents is no news.
  }
});

/** Reads the agents once: used where a node's state matters, because an unreachable agent is not an event. */
export function refreshAgents(): void {
  agentsAgain.want("agents");
}

const kLosing = new Set(["TASK_UNREACHABLE", "TASK_LOST", "TASK_GONE", "TASK_GONE_BY_OPERATOR"]);

function noteKernel(event: KernelEvent): void {
  const at = Date.now();
  if (event.type === "TASK_UPDATED") {
    const { status, state, framework_id } = event.task_updated;
    if (kLosing.has(state)) refreshAgents();
    const task = kernel.get().tasks.get(`${framework_id.value}/${status.task_id.value}`);
    if (!task || task.state === state) return;
    const tone =
      state === "TASK_RUNNING"
        ? "good"
        : isEnded(state)
          ? state === "TASK_FINISHED" || state === "TASK_KILLED"
            ? "idle"
            : "bad"
          : "busy";
    const href = `#/task/${encodeURIComponent(framework_id.value)}/${encodeURIComponent(status.task_id.value)}`;
    note({ at, tone, text: `${task.name} ${state.replace("TASK_", "").toLowerCase()}`, href });
  } else if (event.type === "AGENT_ADDED") {
    const { hostname, id } = event.agent_added.agent.agent_info;
    note({ at, tone: "good", text: `Node ${hostname} joined`, href: `#/node/${id?.value ?? ""}` });
  } else if (event.type === "AGENT_REMOVED") {
    const agent = kernel.get().agents.get(event.agent_removed.agent_id.value);
    note({
      at,
      tone: "bad",
      text: `Node ${agent?.agent_info.hostname ?? event.agent_removed.agent_id.value} left`,
      href: "#/nodes",
    });
  }
}

export const kernelStream = new LiveStream({
  silenceMs: kKernelSilence,
  open: (signal) => send("/mesos/api/v1", { method: "POST", body: { type: "SUBSCRIBE" }, signal }),
  onOpen: () => {
    records = new RecordDecoder();
  },
  onChunk: (chunk) => {
    const events = records.push(chunk).map((text) => JSON.parse(text) as KernelEvent);
    if (kernel.get().ready) events.forEach(noteKernel);
    kernel.update((state) => applyEvents(state, events));
  },
});

// ---- marathon -----------------------------------------------------------------------------------------------------

let events = new EventDecoder();

const appsAgain = new Coalescer(120, async (ids) => {
  for (const id of ids) {
    try {
      const app = await getService(id, marathon.get().apps.get(id)?.pod !== undefined);
      if (marathon.get().ready) marathon.update((state) => withApp(state, id, app));
    } catch {
      // The next event of this app asks again; a lost connection brings a new snapshot.
    }
  }
  if (needsQueue(marathon.get())) queueAgain.want("queue");
});

const deploymentsAgain = new Coalescer(120, async () => {
  try {
    const deployments = await listDeployments();
    if (marathon.get().ready) marathon.update((state) => withDeployments(state, deployments));
  } catch {
    // As above.
  }
});

const queueAgain = new Coalescer(1000, async () => {
  try {
    const items = await listQueue();
    marathon.update((state) => withQueue(state, items, Date.now()));
  } catch {
    // As above.
  }
});

/** Asks for one app now, for instance after a change made on this page. */
export function refreshApp(id: string): void {
  appsAgain.want(id);
  deploymentsAgain.want("deployments");
}

export function refreshQueue(): void {
  queueAgain.want("queue");
}

function noteMarathon(event: MarathonEvent): void {
  const at = Date.now();
  const plan = event.plan?.steps?.flatMap((s) => s.actions ?? []).map((a) => a.app ?? a.pod ?? "") ?? [];
  const names = [...new Set(plan)].slice(0, 3).join(", ");
  if (event.eventType === "deployment_info")
    note({ at, tone: "busy", text: `Deployment of ${names} started`, href: "#/deployments" });
  if (event.eventType === "deployment_success")
    note({ at, tone: "good", text: `Deployment of ${names || event.id || "?"} done`, href: "#/services" });
  if (event.eventType === "deployment_failed")
    note({
      at,
      tone: "bad",
      text: `Deployment of ${names || event.id || "?"} cancelled`,
      href: "#/services",
    });
}

function onMarathonEvent(event: MarathonEvent): void {
  noteMarathon(event);
  const stale = staleAfter(event);
  for (const id of stale.apps) appsAgain.want(id);
  if (stale.deployments) deploymentsAgain.want("deployments");
}

export const marathonStream = new LiveStream({
  silenceMs: kMarathonSilence,
  open: (signal) => send("/service/marathon/v2/events", { headers: { Accept: "text/event-stream" }, signal }),
  // The stream is open before the snapshot is asked for, so nothing falls between the two.
  onOpen: async (signal) => {
    events = new EventDecoder();
    appsAgain.clear();
    const [apps, pods, deployments, queue] = await Promise.all([
      listApps(signal),
      listPods(signal),
      listDeployments(signal),
      listQueue(signal),
    ]);
    marathon.set(fromSnapshot([...apps, ...pods], deployments, queue, Date.now()));
  },
  onChunk: (chunk) => {
    for (const event of events.push(chunk)) {
      let body: MarathonEvent;
      try {
        body = JSON.parse(event.data) as MarathonEvent;
      } catch {
        continue;
      }
      onMarathonEvent({ ...body, eventType: body.eventType ?? event.type });
    }
  },
});

// ---- cluster ------------------------------------------------------------------------------------------------------

interface UiConfig {
  uiConfiguration?: { plugins?: { branding?: { clusterName?: string } } };
  clusterConfiguration?: { name?: string };
}

async function readName(): Promise<string> {
  try {
    const config = await request<UiConfig>("/dcos-metadata/ui-config.json");
    const name = config.clusterConfiguration?.name ?? config.uiConfiguration?.plugins?.branding?.clusterName;
    if (name) return name;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return "";
  }
  try {
    return (await request<{ cluster?: string }>("/mesos/state-summary")).cluster ?? "";
  } catch {
    return "";
  }
}

async function readVersion(): Promise<string> {
  try {
    return (await request<{ version?: string }>("/dcos-metadata/dcos-version.json")).version ?? "";
  } catch {
    return "";
  }
}

// ---- life ---------------------------------------------------------------------------------------------------------

let paused: ReturnType<typeof setTimeout> | null = null;

function openStreams(): void {
  if (session.get().phase !== "open" || document.visibilityState === "hidden") return;
  kernelStream.start();
  marathonStream.start();
}

function closeStreams(): void {
  kernelStream.stop();
  marathonStream.stop();
}

function onVisibility(): void {
  if (document.visibilityState === "hidden") {
    paused ??= setTimeout(closeStreams, kHiddenPause);
  } else {
    if (paused) clearTimeout(paused);
    paused = null;
    lookForSignIn();
    openStreams();
  }
}

function readCluster(): void {
  void Promise.all([readName(), readVersion()]).then(([name, version]) => {
    cluster.set({ name, version });
    document.title = name ? `${name} · DC/OS` : "DC/OS";
  });
}

/** While the gateway asks for a login nothing else is asked; a person who signed out leaves no data behind. */
function followSession(): void {
  let before = session.get();
  session.subscribe(() => {
    const now = session.get();
    if (now.phase === "asked") closeStreams();
    if (now.person !== before.person) {
      kernel.set(kEmptyKernel);
      marathon.set(kEmptyMarathon);
      activity.set([]);
    }
    if (now.phase === "open" && before.phase === "asked") {
      openStreams();
      readCluster();
    }
    before = now;
  });
}

/** Opens both streams and keeps them open while the page is looked at. */
export function startLive(): void {
  followSession();
  openStreams();
  document.addEventListener("visibilitychange", onVisibility);
  window.addEventListener("focus", lookForSignIn);
  window.addEventListener("online", () => {
    kernelStream.retryNow();
    marathonStream.retryNow();
  });
  readCluster();
}
