import { expect, test } from "vitest";
import type { Task } from "../api/kernel_types";
import { addressesOf, healthOf, startedAt, stateName, toneOfState } from "./tasks";

const id = { value: "x" };
const status = (state: string, timestamp: number, more = {}) => ({ task_id: id, state, timestamp, ...more });
const task: Task = {
  name: "x",
  task_id: id,
  framework_id: id,
  agent_id: id,
  state: "TASK_RUNNING",
  statuses: [
    status("TASK_STARTING", 1),
    status("TASK_RUNNING", 2, {
      healthy: true,
      container_status: { network_infos: [{ ip_addresses: [{ ip_address: "10.0.0.1" }] }] },
    }),
  ],
};

test("a task started when it first ran", () => {
  expect(startedAt(task)).toBe(2000);
  expect(startedAt({ ...task, statuses: [status("TASK_STAGING", 1)] })).toBe(1000);
});

test("states have names and tones", () => {
  expect(stateName("TASK_GONE_BY_OPERATOR")).toBe("Gone by operator");
  expect(
    ["TASK_RUNNING", "TASK_FAILED", "TASK_KILLED", "TASK_STAGING", "TASK_UNREACHABLE"].map(toneOfState),
  ).toEqual(["good", "bad", "idle", "busy", "bad"]);
});

test("an ended task has no health", () => {
  expect(healthOf(task)).toBe(true);
  expect(healthOf({ ...task, state: "TASK_FAILED" })).toBeUndefined();
});

test("addresses come from the newest status that tells them", () => {
  expect(addressesOf(task)).toEqual(["10.0.0.1"]);
});
