"use strict";
// A scheduler on the npm package mesos-framework, unmodified: runs N tasks to the end and survives a disconnect.
// usage: client.js HOST PORT TASKS    prints DISCONNECT-ME when half are done, then OK

const Scheduler = require("mesos-framework").Scheduler;
const Mesos = require("mesos-framework").Mesos.getMesos();

const [host, port, wanted] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const finished = new Set();
const wrong = [];
let subscriptions = 0;
const frameworkIds = new Set();
let announced = false;

const scheduler = new Scheduler({
  masterUrl: host,
  port: port,
  frameworkName: "node conformance",
  frameworkFailoverTimeout: 600,
  restartStates: ["TASK_LOST", "TASK_DROPPED"],
  exponentialBackoffMinimum: 2,
  exponentialBackoffMaximum: 4,
  masterConnectionTimeout: 25, // more than the 15 s between heartbeats
  logging: { level: "warn" },
  tasks: {
    job: {
      priority: 1,
      instances: wanted,
      commandInfo: new Mesos.CommandInfo(null, null, true, "exit 0", null, null),
      resources: { cpus: 0.1, mem: 32, ports: 0, disk: 0 },
    },
  },
});

function fail(why) {
  console.error(why);
  process.exit(1);
}
setTimeout(() => fail(`${finished.size} of ${wanted} finished, ${subscriptions} subscriptions`), 240000);

scheduler.on("subscribed", (event) => {
  subscriptions += 1;
  frameworkIds.add(event.frameworkId);
});
scheduler.on("update", (event) => {
  const status = event.status || event;
  if (["TASK_FAILED", "TASK_ERROR", "TASK_KILLED"].includes(status.state)) wrong.push(status);
  if (status.state === "TASK_FINISHED") finished.add(status.task_id.value);
  if (wrong.length) fail(JSON.stringify(wrong));
  if (!announced && finished.size >= wanted / 2) {
    announced = true;
    console.log("DISCONNECT-ME");
  }
  if (finished.size >= wanted && subscriptions >= 2) {
    if (frameworkIds.size !== 1) fail("the framework's id changed: " + [...frameworkIds]);
    scheduler.teardown();
    console.log("OK");
    setTimeout(() => process.exit(0), 500);
  }
});
scheduler.on("error", (error) => console.error("error event:", error.message || JSON.stringify(error)));
scheduler.on("ready", () => scheduler.subscribe());
