// What can be done to a service, be it an app or a pod.

import { ApiError, request } from "./http";
import {
  destroyApp,
  getApp,
  getVersion,
  killTask,
  listVersions,
  restartApp,
  updateApp,
} from "./marathon";
import type { App, AppTask } from "./marathon_types";
import { appOfPod, type PodDefinition, type PodStatus } from "./pods";

const kBase = "/service/marathon/v2";

function podPath(id: string): string {
  return `${kBase}/pods/${id.replace(/^\/+/, "").split("/").map(encodeURIComponent).join("/")}`;
}

/** All pods; none where Marathon does not know of pods. */
export async function listPods(signal?: AbortSignal): Promise<App[]> {
  try {
    return (await request<PodStatus[]>(`${kBase}/pods/::status`, signal ? { signal } : {})).map(appOfPod);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}

async function getPod(id: string): Promise<App | null> {
  try {
    return appOfPod(await request<PodStatus>(`${podPath(id)}::status`));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** The service as it is now, or null when there is none. `pod`: it was a pod when last seen, so that is asked first. */
export async function getService(id: string, pod: boolean): Promise<App | null> {
  return pod ? ((await getPod(id)) ?? (await getApp(id))) : ((await getApp(id)) ?? (await getPod(id)));
}

function putPod(id: string, spec: PodDefinition, force: boolean): Promise<unknown> {
  return request<unknown>(`${podPath(id)}?force=${force}`, { method: "PUT", body: spec });
}

export function scaleService(app: App, instances: number, force: boolean): Promise<unknown> {
  if (!app.pod) return updateApp(app.id, { instances }, { force });
  return putPod(app.id, { ...app.pod, scaling: { kind: "fixed", instances } }, force);
}

export function restartService(app: App, force: boolean): Promise<unknown> {
  if (!app.pod) return restartApp(app.id, force);
  return request<unknown>(`${podPath(app.id)}/restart?force=${force}`, { method: "POST" });
}

export function destroyService(app: App): Promise<unknown> {
  return app.pod ? request<unknown>(`${podPath(app.id)}?force=true`, { method: "DELETE" }) : destroyApp(app.id);
}

/** Kills one instance, of a pod with all its containers; with `scale` there is one instance fewer. */
export function killInstance(task: AppTask, scale: boolean, force: boolean): Promise<unknown> {
  if (!task.podInstance) return killTask(task.appId, task.id, scale, force);
  if (scale) {
    const path = `${kBase}/tasks/delete?scale=true&force=${force}`;
    return request<unknown>(path, { method: "POST", body: { ids: [task.id] } });
  }
  const path = `${podPath(task.appId)}::instances/${encodeURIComponent(task.podInstance)}`;
  return request<unknown>(path, { method: "DELETE" });
}

export function versionsOf(app: App, signal?: AbortSignal): Promise<string[]> {
  if (!app.pod) return listVersions(app.id, signal);
  return request<string[]>(`${podPath(app.id)}::versions`, signal ? { signal } : {});
}

/** A former definition, as an app or as a pod. */
export async function versionOf(app: App, version: string): Promise<App> {
  if (!app.pod) return getVersion(app.id, version);
  const path = `${podPath(app.id)}::versions/${encodeURIComponent(version)}`;
  return { id: app.id, pod: await request<PodDefinition>(path) };
}

export async function goBack(app: App, version: string, force: boolean): Promise<unknown> {
  if (!app.pod) return updateApp(app.id, { version }, { force });
  const former = await versionOf(app, version);
  return putPod(app.id, former.pod!, force);
}
