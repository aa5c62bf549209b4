import { describe, expect, test } from "vitest";
import { applyEvents, kEmptyKernel } from "../api/kernel_model";
import type { Agent, Resource, Task } from "../api/kernel_types";
import { addressOfPid, formatPorts, sumResources, totals, viewNodes } from "./resources";

const scalar = (name: string, value: number): Resource => ({ name, type: "SCALAR", scalar: { value } });
const agent = (id: string, more: Partial<Agent> = {}): Agent => ({
  agent_info: { id: { value: id }, hostname: `${id}.local` },
  active: true,
  pid: "slave(1)@10.0.0.5:5051",
  total_resources: [scalar("cpus", 4), scalar("mem", 1024), scalar("mem", 1024)],
  ...more,
});
const task = (id: string, on: string, state: string): Task => ({
  name: id,
  task_id: { value: id },
  framework_id: { value: "f" },
  agent_id: { value: on },
  state,
  resources: [scalar("cpus", 0.5), scalar("mem", 64)],
});
const state = applyEvents(kEmptyKernel, [
  {
    type: "SUBSCRIBED",
    subscribed: {
      get_state: {
        get_agents: {
          agents: [
            agent("a"),
            agent("b", { active: false }),
            agent("c", { drain_info: { state: "DRAINING" } }),
          ],
        },
        get_tasks: {
          tasks: [
            task("1", "a", "TASK_RUNNING"),
            task("2", "a", "TASK_STAGING"),
            task("3", "a", "TASK_FAILED"),
            task("4", "gone", "TASK_RUNNING"),
          ],
        },
      },
    },
  },
]);

describe("resources", () => {
  test("sums the same resource of several roles and leaves out what is no amount", () => {
    expect(
      sumResources([
        scalar("cpus", 1),
        scalar("cpus", 0.5),
        { name: "ports", ranges: { range: [] } },
        scalar("toString", 1),
      ]),
    ).toMatchObject({ cpus: 1.5, mem: 0 });
  });

  test("a node uses what its live tasks use", () => {
    const [a, b, c] = viewNodes(state);
    expect(a).toMatchObject({
      hostname: "a.local",
      address: "10.0.0.5",
      status: "Active",
      used: { cpus: 1, mem: 128 },
      total: { mem: 2048 },
    });
    expect(a!.tasks).toHaveLength(2);
    expect([b!.status, c!.status]).toEqual(["Unreachable", "Draining"]);
  });

  test("the cluster is the sum of its nodes", () => {
    expect(totals(viewNodes(state))).toMatchObject({ total: { cpus: 12 }, used: { cpus: 1 } });
  });

  test.each([
    [undefined, ""],
    ["slave(1)@[::1]:5051", "[::1]"],
    ["x", ""],
  ])("the address of %s is %s", (pid, address) => {
    expect(addressOfPid(pid)).toBe(address);
  });

  test("ports are listed as ranges", () => {
    expect(
      formatPorts([
        {
          name: "ports",
          ranges: {
            range: [
              { begin: 1, end: 3 },
              { begin: 9, end: 9 },
            ],
          },
        },
      ]),
    ).toBe("1-3, 9");
  });
});
