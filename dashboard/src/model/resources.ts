// Sums of resources, as the kernel counts them.

import type { KernelState } from "../api/kernel_model";
import { isEnded } from "../api/kernel_model";
import type { Agent, Resource, Task } from "../api/kernel_types";

export interface Amounts {
  cpus: number;
  /** MiB. */
  mem: number;
  /** MiB. */
  disk: number;
  gpus: number;
}

export const kNoAmounts: Amounts = { cpus: 0, mem: 0, disk: 0, gpus: 0 };

type Kind = keyof Amounts;
export const kKinds: readonly Kind[] = ["cpus", "mem", "disk", "gpus"];

export function sumResources(resources: readonly Resource[] | undefined): Amounts {
  const sum = { ...kNoAmounts };
  for (const { name, scalar } of resources ?? []) {
    if (scalar && Object.hasOwn(sum, name)) sum[name as Kind] += scalar.value;
  }
  return sum;
}

export function add(a: Amounts, b: Amounts): Amounts {
  return { cpus: a.cpus + b.cpus, mem: a.mem + b.mem, disk: a.disk + b.disk, gpus: a.gpus + b.gpus };
}

/** "31000-31003, 31010" from the ranges of a resource, or "" when there is none. */
export function formatPorts(resources: readonly Resource[] | undefined): string {
  const ranges = (resources ?? []).filter((r) => r.name === "ports").flatMap((r) => r.ranges?.range ?? []);
  return ranges.map(({ begin, end }) => (begin === end ? String(begin) : `${begin}-${end}`)).join(", ");
}

export interface NodeView {
  id: string;
  agent: Agent;
  hostname: string;
  address: string;
  total: Amounts;
  used: Amounts;
  tasks: Task[];
  status: "Active" | "Draining" | "Drained" | "Deactivated" | "Unreachable";
  zone: string;
}

function nodeStatus(agent: Agent): NodeView["status"] {
  const drain = agent.drain_info?.state;
  if (drain === "DRAINED") return "Drained";
  if (drain) return "Draining";
  if (agent.deactivated) return "Deactivated";
  return agent.active ? "Active" : "Unreachable";
}

/** `slave(1)@10.0.0.5:5051` -> `10.0.0.5`. */
export function addressOfPid(pid: string | undefined): string {
  return pid?.split("@")[1]?.replace(/:\d+$/, "") ?? "";
}

/**
 * The nodes with what their tasks use. The stream carries no allocation changes, so use is counted from the live tasks,
 * which is also what an operator can act upon.
 */
export function viewNodes(state: KernelState): NodeView[] {
  const byAgent = new Map<string, { used: Amounts; tasks: Task[] }>();
  for (const task of state.tasks.values()) {
    if (isEnded(task.state)) continue;
    let entry = byAgent.get(task.agent_id.value);
    if (!entry) byAgent.set(task.agent_id.value, (entry = { used: { ...kNoAmounts }, tasks: [] }));
    entry.used = add(entry.used, sumResources(task.resources));
    entry.tasks.push(task);
  }
  return [...state.agents].map(([id, agent]) => {
    const fault = agent.agent_info.domain?.fault_domain;
    return {
      id,
      agent,
      hostname: agent.agent_info.hostname,
      address: addressOfPid(agent.pid),
      total: sumResources(agent.total_resources),
      used: byAgent.get(id)?.used ?? kNoAmounts,
      tasks: byAgent.get(id)?.tasks ?? [],
      status: nodeStatus(agent),
      zone: [fault?.region?.name, fault?.zone?.name].filter(Boolean).join(" / "),
    };
  });
}

export function totals(nodes: readonly NodeView[]): { total: Amounts; used: Amounts } {
  let total = kNoAmounts;
  let used = kNoAmounts;
  for (const node of nodes) {
    total = add(total, node.total);
    used = add(used, node.used);
  }
  return { total, used };
}
