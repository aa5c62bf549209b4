// Pods are shown as apps are: their status as Marathon tells it, put into an app's terms. Pure.

import type { App, AppTask, Deployment } from "./marathon_types";

export interface PodContainer {
  name: string;
  exec?: { command?: { shell?: string; argv?: string[] } };
  resources?: { cpus?: number; mem?: number; disk?: number; gpus?: number };
  endpoints?: {
    name: string;
    containerPort?: number;
    hostPort?: number;
    protocol?: string[];
    labels?: Record<string, string>;
  }[];
  image?: { id?: string };
  healthCheck?: unknown;
  [field: string]: unknown;
}

/** A pod's definition; unknown fields are kept so that scaling loses nothing. */
export interface PodDefinition {
  id: string;
  containers: PodContainer[];
  scaling?: { kind: string; instances?: number };
  labels?: Record<string, string>;
  executorResources?: { cpus?: number; mem?: number; disk?: number };
  version?: string;
  [field: string]: unknown;
}

interface ContainerStatus {
  name: string;
  status: string;
  statusSince?: string;
  containerId?: string;
  conditions?: { name: string; value: string; reason?: string }[];
  endpoints?: { name: string; allocatedHostPort?: number }[];
}

export interface PodInstance {
  id: string;
  status: string;
  agentHostname?: string;
  agentId?: string;
  containers?: ContainerStatus[];
  networks?: { name?: string; addresses?: string[] }[];
  specReference?: string;
}

export interface PodStatus {
  id: string;
  spec: PodDefinition;
  instances?: PodInstance[];
  terminationHistory?: {
    instanceID: string;
    terminatedAt?: string;
    message?: string;
    containers?: { containerId?: string; lastKnownState?: string }[];
  }[];
}

function taskOf(pod: PodStatus, instance: PodInstance, container: ContainerStatus): AppTask {
  // What nobody has reported yet is unknown, though its condition reads "false".
  const health = (container.conditions ?? []).filter(
    (c) => c.name === "healthy" && c.reason !== "health-unreported-by-mesos",
  );
  const address = instance.networks?.flatMap((n) => n.addresses ?? [])[0];
  return {
    id: container.containerId ?? `${instance.id}.${container.name}`,
    appId: pod.id,
    podInstance: instance.id,
    state: container.status,
    ...(instance.agentHostname ? { host: instance.agentHostname } : {}),
    ...(instance.agentId ? { slaveId: instance.agentId } : {}),
    ...(address ? { ipAddresses: [{ ipAddress: address }] } : {}),
    ports: (container.endpoints ?? []).flatMap((e) => e.allocatedHostPort ?? []),
    ...(container.statusSince ? { startedAt: container.statusSince } : {}),
    healthCheckResults: health.map((c) => ({ alive: c.value === "true" })),
  };
}

/** The pod with what is known of its instances, as an app would show it. */
export function appOfPod(pod: PodStatus): App {
  const { spec } = pod;
  const instances = pod.instances ?? [];
  const sum = (name: "cpus" | "mem" | "disk") =>
    spec.containers.reduce(
      (total, c) => total + (c.resources?.[name] ?? 0),
      spec.executorResources?.[name] ?? 0,
    );
  const checked = spec.containers.some((c) => c.healthCheck !== undefined);
  const count = (...states: string[]) => instances.filter((i) => states.includes(i.status)).length;
  const tasks = instances.flatMap((i) => (i.containers ?? []).map((c) => taskOf(pod, i, c)));
  const unhealthy = instances.filter((i) =>
    (i.containers ?? []).some((c) => taskOf(pod, i, c).healthCheckResults?.some((r) => !r.alive)),
  ).length;
  const last = pod.terminationHistory?.[0];
  return {
    id: pod.id,
    pod: spec,
    cmd: spec.containers.map((c) => c.name).join(" + "),
    instances: spec.scaling?.instances ?? 1,
    cpus: Math.round(sum("cpus") * 1000) / 1000,
    mem: sum("mem"),
    disk: sum("disk"),
    labels: spec.labels ?? {},
    portDefinitions: spec.containers.flatMap((c) =>
      (c.endpoints ?? []).map((e) => ({
        name: e.name,
        port: e.containerPort ?? e.hostPort ?? 0,
        protocol: (e.protocol ?? ["tcp"]).join(","),
        labels: e.labels ?? {},
      })),
    ),
    ...(spec.version ? { version: spec.version } : {}),
    tasks,
    tasksStaged: count("PENDING", "STAGING"),
    tasksRunning: count("STABLE", "DEGRADED"),
    tasksHealthy: checked ? count("STABLE") : 0,
    tasksUnhealthy: unhealthy,
    ...(last
      ? {
          lastTaskFailure: {
            message: last.message ?? "",
            state: last.containers?.[0]?.lastKnownState ?? "",
            taskId: last.containers?.[0]?.containerId ?? last.instanceID,
            timestamp: last.terminatedAt ?? "",
          },
        }
      : {}),
  };
}

/** The pod with the deployments that change it, which its own status does not tell. */
export function withDeploymentsOf(app: App, deployments: Iterable<Deployment>): App {
  if (!app.pod) return app;
  const own = [...deployments].filter((d) => d.affectedPods?.includes(app.id)).map(({ id }) => ({ id }));
  return { ...app, deployments: own };
}
