import { describe, expect, test } from "vitest";
import { viewService } from "../model/services";
import { fromSnapshot, staleAfter, withApp, withDeployments, withQueue } from "./marathon_model";
import { appOfPod, type PodInstance, type PodStatus } from "./pods";

const instance = (id: string, status: string, healthy?: "true" | "false" | "unknown"): PodInstance => ({
  id,
  status,
  agentHostname: "node-1",
  agentId: "S1",
  containers: [
    {
      name: "web",
      status: "TASK_RUNNING",
      containerId: `${id}.web.1`,
      statusSince: "2026-01-01T00:00:00.000Z",
      endpoints: [{ name: "http", allocatedHostPort: 31000 }],
      conditions: healthy
        ? [
            {
              name: "healthy",
              value: healthy === "true" ? "true" : "false",
              reason: healthy === "unknown" ? "health-unreported-by-mesos" : "health-reported-by-mesos",
            },
          ]
        : [],
    },
    { name: "logs", status: "TASK_RUNNING", containerId: `${id}.logs.1` },
  ],
});

const pod = (instances: PodInstance[], wanted = instances.length): PodStatus => ({
  id: "/shop/web",
  spec: {
    id: "/shop/web",
    containers: [
      {
        name: "web",
        resources: { cpus: 0.5, mem: 64 },
        healthCheck: {},
        endpoints: [{ name: "http", hostPort: 0, protocol: ["tcp"], labels: { VIP_0: "/web:80" } }],
      },
      { name: "logs", resources: { cpus: 0.1, mem: 32 } },
    ],
    scaling: { kind: "fixed", instances: wanted },
    executorResources: { cpus: 0.1, mem: 32 },
    version: "2026-01-01T00:00:00.000Z",
  },
  instances,
  terminationHistory: [
    {
      instanceID: "i0",
      message: "exited with status 1",
      containers: [{ containerId: "i0.web.1", lastKnownState: "TASK_FAILED" }],
    },
  ],
});

describe("a pod as a service", () => {
  test("has the sum of its containers, and a task for each of them", () => {
    const app = appOfPod(pod([instance("i1", "STABLE", "true"), instance("i2", "STABLE", "true")]));
    expect(app).toMatchObject({ id: "/shop/web", instances: 2, cpus: 0.7, mem: 128, tasksRunning: 2, tasksHealthy: 2 });
    expect(app.tasks!.map((t) => t.id)).toEqual(["i1.web.1", "i1.logs.1", "i2.web.1", "i2.logs.1"]);
    expect(app.tasks![0]).toMatchObject({ podInstance: "i1", ports: [31000], host: "node-1", slaveId: "S1" });
    expect(app.portDefinitions![0]).toMatchObject({ name: "http", labels: { VIP_0: "/web:80" } });
    expect(app.lastTaskFailure).toMatchObject({ state: "TASK_FAILED", taskId: "i0.web.1" });
    expect(viewService(app, null, 0).status).toBe("Running");
  });

  test("is unhealthy when a check says so, and not before one was heard of", () => {
    const sick = appOfPod(pod([instance("i1", "DEGRADED", "false")]));
    expect(viewService(sick, null, 0).status).toBe("Unhealthy");
    const fresh = appOfPod(pod([instance("i1", "DEGRADED", "unknown")]));
    expect(fresh.tasksUnhealthy).toBe(0);
    expect(viewService(fresh, null, 0).status).toBe("Running");
  });

  test("knows its deployments and its place in the queue", () => {
    const deployment = { id: "d1", affectedPods: ["/shop/web"] };
    let state = fromSnapshot([appOfPod(pod([], 1))], [deployment], [], 0);
    expect(state.apps.get("/shop/web")!.deployments).toEqual([{ id: "d1" }]);
    state = withQueue(state, [{ pod: { id: "/shop/web" }, count: 1 }], 0);
    expect(state.queue.get("/shop/web")!.count).toBe(1);
    state = withDeployments(state, []);
    expect(state.apps.get("/shop/web")!.deployments).toEqual([]);
    state = withApp(withDeployments(state, [deployment]), "/shop/web", appOfPod(pod([], 1)));
    expect(viewService(state.apps.get("/shop/web")!, null, 0).status).toBe("Deploying");
    const plan = { steps: [{ actions: [{ action: "ScalePod", pod: "/shop/web" }] }] };
    expect(staleAfter({ eventType: "deployment_success", plan }).apps).toEqual(["/shop/web"]);
  });
});
