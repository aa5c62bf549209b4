import { describe, expect, test } from "vitest";
import type { QueueState } from "../api/marathon_model";
import type { App } from "../api/marathon_types";
import { appIdOfTask, countInstances, definitionOf, instanceHealth, viewService, webPage } from "./services";

const app = (more: Partial<App> = {}): App => ({ id: "/a", instances: 2, tasksRunning: 2, ...more });
const queue = (more: Partial<QueueState> = {}): QueueState => ({
  count: 1,
  delayedUntil: 0,
  since: 0,
  rejects: [],
  ...more,
});
const now = 1000;

describe("viewService", () => {
  test.each<[string, App, QueueState | null]>([
    ["Running", app(), null],
    ["Suspended", app({ instances: 0, tasksRunning: 0 }), null],
    ["Starting", app({ tasksRunning: 1 }), null],
    ["Unhealthy", app({ tasksHealthy: 1, tasksUnhealthy: 1 }), null],
    ["Deploying", app({ tasksRunning: 1, deployments: [{ id: "d" }] }), null],
    ["Delayed", app({ tasksRunning: 0, deployments: [{ id: "d" }] }), queue({ delayedUntil: 2000 })],
    ["Waiting", app({ tasksRunning: 0 }), queue({ delayedUntil: 500 })],
    ["Deploying", app({ tasksRunning: 0, tasksStaged: 1, deployments: [{ id: "d" }] }), queue()],
    ["Running", app(), queue({ delayedUntil: 2000 })],
  ])("says %s", (status, definition, item) => {
    expect(viewService(definition, item, now).status).toBe(status);
  });
});

test("instances without health checks run, and are neither healthy nor unhealthy", () => {
  expect(
    countInstances(app({ tasksRunning: 5, tasksHealthy: 2, tasksUnhealthy: 1, tasksStaged: 1 })),
  ).toEqual({ wanted: 2, healthy: 2, unhealthy: 1, running: 2, staged: 1 });
});

test.each([
  [[], "unknown"],
  [[{ alive: true }, { alive: true }], "healthy"],
  [[{ alive: true }, { alive: false }], "unhealthy"],
  [[{}], "unknown"],
])("health results %j mean %s", (healthCheckResults, health) => {
  expect(instanceHealth({ id: "t", appId: "/a", state: "TASK_RUNNING", healthCheckResults })).toBe(health);
});

test.each([
  ["prod_web.instance-3d2a1b00-1111-2222-3333-444455556666._app.1", "/prod/web"],
  ["web-2.1_x.marathon-3d2a1b00-1111-2222-3333-444455556666", "/web-2.1/x"],
  ["hello.3d2a1b00-1111-2222-3333-444455556666", "/hello"],
  ["task-17", ""],
])("task %s belongs to %s", (taskId, appId) => {
  expect(appIdOfTask(taskId)).toBe(appId);
});

test("the definition is what one would post", () => {
  expect(
    definitionOf(app({ cmd: "sleep 1", tasksHealthy: 1, version: "v", user: null, somethingNew: 1 })),
  ).toEqual({ id: "/a", instances: 2, cmd: "sleep 1", somethingNew: 1 });
});

test("a service with a web page is reached by its label", () => {
  expect(webPage(app({ labels: { DCOS_SERVICE_NAME: "x", DCOS_SERVICE_PORT_INDEX: "0" } }))).toBe(
    "/service/x/",
  );
  expect(webPage(app())).toBe("");
});
