import { describe, expect, test } from "vitest";
import { applyEvents, kEmptyKernel, kMaxEndedTasks, taskKey } from "./kernel_model";
import type { Agent, Framework, KernelEvent, Task } from "./kernel_types";

const id = (value: string) => ({ value });
const task = (name: string, state = "TASK_STAGING"): Task => ({
  name,
  task_id: id(name),
  framework_id: id("f"),
  agent_id: id("a1"),
  state,
  statuses: [],
});
const agent = (name: string): Agent => ({ agent_info: { id: id(name), hostname: name }, active: true });
const framework = (name: string, connected = true): Framework => ({
  framework_info: { id: id(name), name },
  active: true,
  connected,
});
const updated = (name: string, state: string, more = {}): KernelEvent => ({
  type: "TASK_UPDATED",
  task_updated: { framework_id: id("f"), status: { task_id: id(name), state, ...more }, state },
});
const added = (t: Task): KernelEvent => ({ type: "TASK_ADDED", task_added: { task: t } });
const subscribed: KernelEvent = {
  type: "SUBSCRIBED",
  subscribed: {
    get_state: {
      get_agents: { agents: [agent("a1"), agent("a2")], recovered_agents: [] },
      get_frameworks: { frameworks: [framework("f")] },
      get_tasks: { tasks: [task("t1", "TASK_RUNNING")], completed_tasks: [task("t0", "TASK_FINISHED")] },
    },
  },
};

describe("applyEvents", () => {
  const base = applyEvents(kEmptyKernel, [subscribed]);

  test("starts from the snapshot", () => {
    expect(base.ready).toBe(true);
    expect([...base.agents.keys()]).toEqual(["a1", "a2"]);
    expect([...base.frameworks.keys()]).toEqual(["f"]);
    expect([...base.tasks.keys()]).toEqual(["f/t0", "f/t1"]);
  });

  test("a second snapshot replaces everything", () => {
    const later = applyEvents(base, [
      added(task("t9")),
      { type: "SUBSCRIBED", subscribed: { get_state: {} } },
    ]);
    expect(later.tasks.size + later.agents.size + later.frameworks.size).toBe(0);
    expect(later.ready).toBe(true);
  });

  test("follows a task from staging to its end", () => {
    const events = [
      added(task("t2")),
      updated("t2", "TASK_RUNNING", { timestamp: 5 }),
      updated("t2", "TASK_FAILED", { message: "exit 1" }),
    ];
    const t2 = applyEvents(base, events).tasks.get("f/t2")!;
    expect(t2.state).toBe("TASK_FAILED");
    expect(t2.statuses!.map((s) => s.state)).toEqual(["TASK_RUNNING", "TASK_FAILED"]);
  });

  test("a health result replaces the status it belongs to and keeps the time of the change", () => {
    const running = applyEvents(base, [added(task("t2")), updated("t2", "TASK_RUNNING", { timestamp: 5 })]);
    const t2 = applyEvents(running, [
      updated("t2", "TASK_RUNNING", { timestamp: 9, healthy: false }),
    ]).tasks.get("f/t2")!;
    expect(t2.statuses).toHaveLength(1);
    expect(t2.statuses![0]).toMatchObject({ healthy: false, timestamp: 5 });
  });

  test("ignores updates of unknown tasks, heartbeats and events it does not know", () => {
    const unknown = { type: "SOMETHING_NEW" } as unknown as KernelEvent;
    expect(applyEvents(base, [updated("nope", "TASK_RUNNING"), { type: "HEARTBEAT" }, unknown])).toBe(base);
  });

  test("agents and frameworks come and go", () => {
    const state = applyEvents(base, [
      { type: "AGENT_ADDED", agent_added: { agent: agent("a3") } },
      { type: "AGENT_REMOVED", agent_removed: { agent_id: id("a1") } },
      { type: "FRAMEWORK_ADDED", framework_added: { framework: framework("g") } },
      { type: "FRAMEWORK_UPDATED", framework_updated: { framework: framework("f", false) } },
      { type: "FRAMEWORK_REMOVED", framework_removed: { framework_info: { id: id("g"), name: "g" } } },
    ]);
    expect([...state.agents.keys()]).toEqual(["a2", "a3"]);
    expect(state.frameworks.get("f")!.connected).toBe(false);
    expect(state.frameworks.has("g")).toBe(false);
  });

  test("does not touch the state it was given, and shares what did not change", () => {
    const later = applyEvents(base, [added(task("t2"))]);
    expect(base.tasks.has("f/t2")).toBe(false);
    expect(later.agents).toBe(base.agents);
  });

  test("forgets the oldest ended tasks and never a live one", () => {
    const events: KernelEvent[] = [];
    for (let i = 0; i < kMaxEndedTasks + 50; ++i)
      events.push(added(task(`e${i}`)), updated(`e${i}`, "TASK_FINISHED"));
    const state = applyEvents(base, events);
    expect(state.tasks.has(taskKey("f", "t1"))).toBe(true);
    expect(state.tasks.has(taskKey("f", "e0"))).toBe(false);
    expect(state.tasks.has(taskKey("f", `e${kMaxEndedTasks + 49}`))).toBe(true);
    expect(state.tasks.size).toBe(kMaxEndedTasks + 1);
  });
});
