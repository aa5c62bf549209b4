import { describe, expect, test } from "vitest";
import {
  fromSnapshot,
  kEmptyMarathon,
  needsQueue,
  staleAfter,
  withApp,
  withDeployments,
  withQueue,
} from "./marathon_model";
import type { App } from "./marathon_types";

const app = (id: string, more: Partial<App> = {}): App => ({ id, instances: 1, tasksRunning: 1, ...more });

describe("staleAfter", () => {
  test.each([
    [{ eventType: "status_update_event", appId: "/a" }, ["/a"], false],
    [{ eventType: "instance_changed_event", runSpecId: "/a/b" }, ["/a/b"], false],
    [{ eventType: "api_post_event", appDefinition: { id: "/new" } }, ["/new"], false],
    [{ eventType: "app_terminated_event", appId: "/a" }, ["/a"], false],
    [{ eventType: "event_stream_attached" }, [], false],
    [{ eventType: "status_update_event" }, [], false],
  ])("%j makes %j stale", (event, apps, deployments) => {
    expect(staleAfter(event)).toEqual({ apps, deployments });
  });

  test("a deployment touches each app of its plan once", () => {
    const plan = {
      steps: [
        { actions: [{ action: "StartApplication", app: "/a" }] },
        {
          actions: [
            { action: "ScaleApplication", app: "/a" },
            { action: "ScaleApplication", app: "/b" },
            { action: "ScalePod", pod: "/p" },
          ],
        },
      ],
    };
    expect(staleAfter({ eventType: "deployment_info", plan })).toEqual({
      apps: ["/a", "/b", "/p"],
      deployments: true,
    });
  });
});

describe("marathon state", () => {
  const state = fromSnapshot([app("/a"), app("/b")], [{ id: "d1" }], [], 0);

  test("a snapshot makes it ready", () => {
    expect(kEmptyMarathon.ready).toBe(false);
    expect([...state.apps.keys()]).toEqual(["/a", "/b"]);
    expect([...state.deployments.keys()]).toEqual(["d1"]);
  });

  test("one app is replaced, added or removed; the state before is untouched", () => {
    expect(withApp(state, "/a", app("/a", { instances: 7 })).apps.get("/a")!.instances).toBe(7);
    expect(withApp(state, "/c", app("/c")).apps.size).toBe(3);
    expect(withApp(state, "/a", null).apps.has("/a")).toBe(false);
    expect(withApp(state, "/nope", null)).toBe(state);
    expect(state.apps.size).toBe(2);
  });

  test("deployments are replaced as a whole", () => {
    expect(withDeployments(state, []).deployments.size).toBe(0);
  });

  test("a delay becomes a deadline, so that time passes without asking again", () => {
    const queue = withQueue(
      state,
      [
        { app: { id: "/a" }, count: 2, delay: { timeLeftSeconds: 8, overdue: false } },
        { app: { id: "/b" }, count: 1, delay: { timeLeftSeconds: 0, overdue: true } },
      ],
      1000,
    ).queue;
    expect(queue.get("/a")).toMatchObject({ count: 2, delayedUntil: 9000 });
    expect(queue.get("/b")!.delayedUntil).toBe(0);
  });

  test("a quiet cluster needs no queue", () => {
    expect(needsQueue(state)).toBe(false);
    expect(needsQueue(withApp(state, "/a", app("/a", { tasksRunning: 0 })))).toBe(true);
    expect(needsQueue(withQueue(state, [{ app: { id: "/a" } }], 0))).toBe(true);
  });
});
