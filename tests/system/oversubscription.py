#!/usr/bin/env python3
"""Idle resources of a real agent, lent a second time: offered to who can give them back, and taken back when the machine is busy."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import call, eventually  # noqa: E402
from harness.scheduler import Scheduler  # noqa: E402
from isolation import Machine  # noqa: E402

ISOLATION = "filesystem/linux,namespaces/pid,cgroups/cpu,cgroups/mem"


class Borrower(Scheduler):
    """Launches one task on a revocable CPU when told to."""

    def __init__(self, master, revocable=True):
        super().__init__([master], 0, None, name="borrower")
        if revocable:
            self.capabilities.append("REVOCABLE_RESOURCES")
        self.task, self.seen, self.last = None, 0, {}

    def _use(self, offer):
        lent = [r for r in offer["resources"] if r["name"] == "cpus" and "revocable" in r]
        if lent:
            self.seen = max(self.seen, lent[0]["scalar"]["value"])
        own = {r["name"]: r for r in offer["resources"] if "revocable" not in r}
        if not lent or not self.task or "mem" not in own:
            return self._call({"type": "DECLINE", "decline": {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.1}}})
        task, self.task = self.task, None
        self._call({"type": "ACCEPT", "accept": {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.1}, "operations": [
            {"type": "LAUNCH", "launch": {"task_infos": [{
                "name": task, "task_id": {"value": task}, "agent_id": offer["agent_id"], "command": {"value": "exec sleep 10000"},
                "resources": [{**lent[0], "scalar": {"value": 1}}, {**own["mem"], "scalar": {"value": 32}}]}]}}]}})

    def _on(self, event):
        if event["type"] == "UPDATE":
            self.last[event["update"]["status"]["task_id"]["value"]] = event["update"]["status"]
        super()._on(event)


def modules(**parameters):
    return json.dumps({"libraries": [{"modules": [
        {"name": name, "parameters": [{"key": key, "value": value} for key, value in values.items()]} for name, values in parameters.items()]}]})


def lent_and_taken_back():
    """A fixed amount is offered, also after a restart of the agent; a task on it runs until the load is too high, and is told why."""
    lending = modules(org_apache_mesos_FixedResourceEstimator={"resources": "cpus:3"})
    with Machine(ISOLATION, resource_estimator="org_apache_mesos_FixedResourceEstimator", oversubscribed_resources_interval="200ms",
                 modules=lending) as machine:
        machine.scheduler.close()
        plain = Borrower(f"127.0.0.1:{machine.master}", revocable=False).start()
        borrower = Borrower(f"127.0.0.1:{machine.master}").start()
        try:
            eventually("revocable CPUs are offered", lambda: borrower.seen == 3)
            assert plain.seen == 0, "they were offered to a framework that cannot give them back"
            borrower.task = "lent"
            eventually("the task runs", lambda: "lent" in borrower.running())
            metric = lambda name: call(machine.port, "GET", "/metrics/snapshot").json()[name]  # noqa: E731
            assert metric("slave/cpus_revocable_total") == 3 and metric("slave/cpus_revocable_used") == 1

            # The same agent with a controller that finds any load too high.
            machine.agent.kill()
            machine.agent.wait()
            machine.flags["modules"] = modules(org_apache_mesos_FixedResourceEstimator={"resources": "cpus:3"},
                                               org_apache_mesos_LoadQoSController={"load_threshold_5min": "0"})
            machine.flags["qos_controller"] = "org_apache_mesos_LoadQoSController"
            machine.agent = machine.start_agent()
            status = eventually("the task must go", lambda: borrower.states.get("lent") == "TASK_GONE" and borrower.last["lent"], limit=60)
            assert status["reason"] == "REASON_CONTAINER_PREEMPTED", status
            assert "revocable resources" in status["message"] and "above the threshold of 0" in status["message"], status
            assert metric("slave/executors_preempted") == 1
        finally:
            plain.close()
            borrower.close()
            for framework in (plain.framework_id, borrower.framework_id):
                call(machine.master, "POST", "/teardown", f"frameworkId={framework}")


if __name__ == "__main__":
    results.run("system/oversubscription", [lent_and_taken_back])
