// Sandbox files of tasks, read from their agent through the gateway.

import { gatewayUrl, request } from "./http";
import type { Task } from "./kernel_types";

export interface FileInfo {
  path: string;
  mode: string;
  nlink: number;
  size: number;
  /** Seconds since the epoch. */
  mtime: number;
  uid?: string;
  gid?: string;
}

/** The virtual path of a task's sandbox on its agent. */
export function sandboxPath(task: Task): string {
  const executor = task.executor_id?.value || task.task_id.value;
  let container = "latest";
  for (const status of task.statuses ?? [])
    container = status.container_status?.container_id?.value ?? container;
  return `/frameworks/${task.framework_id.value}/executors/${executor}/runs/${container}`;
}

function filesUrl(agentId: string, action: string, query: Record<string, string | number>): string {
  const search = new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)]));
  return `/agent/${encodeURIComponent(agentId)}/files/${action}?${search.toString()}`;
}

export function browse(agentId: string, path: string, signal?: AbortSignal): Promise<FileInfo[]> {
  return request<FileInfo[]>(filesUrl(agentId, "browse", { path }), signal ? { signal } : {});
}

export function read(
  agentId: string,
  path: string,
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<{ offset: number; data: string }> {
  return request(
    filesUrl(agentId, "read", offset < 0 ? { path, offset } : { path, offset, length }),
    signal ? { signal } : {},
  );
}

export function downloadUrl(agentId: string, path: string): string {
  return gatewayUrl(filesUrl(agentId, "download", { path }));
}
