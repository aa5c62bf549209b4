// Marathon's API as functions.

import { ApiError, request } from "./http";
import type { App, AppDefinition, Deployment, QueueItem } from "./marathon_types";

const kBase = "/service/marathon/v2";
const kEmbed = "embed=apps.tasks&embed=apps.counts&embed=apps.deployments&embed=apps.lastTaskFailure";

/** `/a/b` as a path below `/v2/apps`; each segment is escaped, the slashes stay. */
function appPath(id: string): string {
  return `${kBase}/apps/${id.replace(/^\/+/, "").split("/").map(encodeURIComponent).join("/")}`;
}

export interface DeploymentResult {
  version: string;
  deploymentId: string;
}

export async function listApps(signal?: AbortSignal): Promise<App[]> {
  return (await request<{ apps: App[] }>(`${kBase}/apps?${kEmbed}`, signal ? { signal } : {})).apps;
}

/** One app, or null when it does not exist. */
export async function getApp(id: string, signal?: AbortSignal): Promise<App | null> {
  try {
    const path = `${appPath(id)}?embed=app.tasks&embed=app.counts&embed=app.deployments&embed=app.lastTaskFailure`;
    return (await request<{ app: App }>(path, signal ? { signal } : {})).app;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

export function listDeployments(signal?: AbortSignal): Promise<Deployment[]> {
  return request<Deployment[]>(`${kBase}/deployments`, signal ? { signal } : {});
}

export async function listQueue(signal?: AbortSignal): Promise<QueueItem[]> {
  return (await request<{ queue: QueueItem[] }>(`${kBase}/queue`, signal ? { signal } : {})).queue;
}

export async function listVersions(id: string, signal?: AbortSignal): Promise<string[]> {
  return (await request<{ versions: string[] }>(`${appPath(id)}/versions`, signal ? { signal } : {}))
    .versions;
}

export function getVersion(id: string, version: string): Promise<AppDefinition> {
  return request<AppDefinition>(`${appPath(id)}/versions/${encodeURIComponent(version)}`);
}

export function createApp(app: unknown): Promise<App> {
  return request<App>(`${kBase}/apps`, { method: "POST", body: app });
}

/** Changes the named fields of an app, or with `replace` the whole definition. */
export function updateApp(
  id: string,
  change: unknown,
  options: { force?: boolean; replace?: boolean } = {},
): Promise<DeploymentResult> {
  const query = `?force=${options.force ?? false}${options.replace ? "&partialUpdate=false" : ""}`;
  return request<DeploymentResult>(appPath(id) + query, { method: "PUT", body: change });
}

export function restartApp(id: string, force = false): Promise<DeploymentResult> {
  return request<DeploymentResult>(`${appPath(id)}/restart?force=${force}`, { method: "POST" });
}

export function destroyApp(id: string): Promise<DeploymentResult> {
  return request<DeploymentResult>(`${appPath(id)}?force=true`, { method: "DELETE" });
}

/** Kills one instance; with `scale` the app gets one instance fewer, else a replacement starts. */
export function killTask(appId: string, taskId: string, scale: boolean, force = false): Promise<unknown> {
  const path = `${appPath(appId)}/tasks/${encodeURIComponent(taskId)}?scale=${scale}&force=${force}`;
  return request<unknown>(path, { method: "DELETE" });
}

export function resetDelay(appId: string): Promise<void> {
  return request<void>(`${kBase}/queue${appPath(appId).slice(`${kBase}/apps`.length)}/delay`, {
    method: "DELETE",
  });
}

/** Ends a deployment: by a new one that undoes it, or with `force` by stopping where it is. */
export function cancelDeployment(id: string, force: boolean): Promise<unknown> {
  return request<unknown>(`${kBase}/deployments/${encodeURIComponent(id)}?force=${force}`, {
    method: "DELETE",
  });
}
