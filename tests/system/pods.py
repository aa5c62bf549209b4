#!/usr/bin/env python3
"""Task groups over the real master and agents: launched by a scheduler, they live and end together, and survive kills of daemons."""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import Cluster, call, eventually  # noqa: E402
from harness.scheduler import Scheduler  # noqa: E402


def scalars(cpus, mem, disk=0):
    named = {"cpus": cpus, "mem": mem, "disk": disk}
    return [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in named.items() if value]


class PodScheduler(Scheduler):
    """Launches each pod of `pods` once: name to a map of task to command (or to the task's members)."""

    def __init__(self, masters, pods, name="pods"):
        super().__init__(masters, 0, None, name)
        self.pods, self.statuses = dict(pods), {}

    def _on(self, event):
        if event["type"] == "UPDATE":
            status = event["update"]["status"]
            self.statuses.setdefault(status["task_id"]["value"], []).append(status)
        super()._on(event)

    def _use(self, offer):
        if not self.pods or {r["name"]: r for r in offer["resources"]}.get("mem", {}).get("scalar", {}).get("value", 0) < 200:
            return self._call({"type": "DECLINE", "decline": {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.2}}})
        pod, tasks = self.pods.popitem()
        infos = []
        for task, members in tasks.items():
            members = {"command": {"value": members}} if isinstance(members, str) else members
            infos.append({"name": task, "task_id": {"value": task}, "agent_id": offer["agent_id"],
                          "resources": scalars(0.1, 32), **members})
        executor = {"type": "DEFAULT", "executor_id": {"value": pod}, "framework_id": {"value": self.framework_id},
                    "resources": scalars(0.1, 32, 10)}
        self._call({"type": "ACCEPT", "accept": {"offer_ids": [offer["id"]], "operations": [
            {"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": {"tasks": infos}}}]}})

    def kill(self, task, agent):
        self._call({"type": "KILL", "kill": {"task_id": {"value": task}, "agent_id": {"value": agent}}})

    def history_of(self, task):
        """States in order, repetitions left out."""
        states = []
        for status in self.statuses.get(task, []):
            state = status["state"].removeprefix("TASK_")
            if states[-1:] != [state]:
                states.append(state)
        return states

    def last(self, task):
        return self.statuses[task][-1]


SLEEP = "exec sleep 10000"


def live_and_end_together():
    """Two tasks run in containers of one executor; the kill of one ends both; a failure ends the rest; a good end nobody."""
    with Cluster(agents=1) as cluster:
        scheduler = PodScheduler([f"127.0.0.1:{cluster.port('master')}"], {
            "one": {"one-a": SLEEP, "one-b": SLEEP, "one-c": "exit 0"},
            "two": {"two-a": SLEEP, "two-b": "sleep 1; exit 9"}}).start()
        try:
            eventually("the first pod runs", lambda: {"one-a", "one-b"} <= scheduler.running())
            eventually("the good end", lambda: scheduler.history_of("one-c") == ["STARTING", "RUNNING", "FINISHED"])
            a, b = scheduler.last("one-a"), scheduler.last("one-b")
            ids = [status["container_status"]["container_id"] for status in (a, b)]
            assert ids[0]["parent"] == ids[1]["parent"] and ids[0]["value"] != ids[1]["value"], ids
            assert a["container_status"]["network_infos"][0]["ip_addresses"][0]["ip_address"] == "127.0.0.1", a
            assert a["executor_id"]["value"] == "one", a

            eventually("the failure", lambda: scheduler.states.get("two-b") == "TASK_FAILED")
            assert scheduler.last("two-b")["message"] == "Command exited with status 9", scheduler.last("two-b")
            eventually("it ends its group", lambda: scheduler.states.get("two-a") == "TASK_KILLED")
            assert {"one-a", "one-b"} <= scheduler.running(), scheduler.states

            scheduler.kill("one-a", a["agent_id"]["value"])
            eventually("both are killed", lambda: scheduler.states.get("one-a") == scheduler.states.get("one-b") == "TASK_KILLED")
            eventually("the executors are gone", lambda: not [
                e for f in cluster.master("GET", "/state").json()["frameworks"] for e in f.get("executors", [])])
            assert scheduler.errors == [], scheduler.errors
        finally:
            scheduler.close()


def survive_kills():
    """kill -9 of agent and master: the tasks go on, and what happens later is told once and truly."""
    with Cluster(agents=1) as cluster:
        scheduler = PodScheduler([f"127.0.0.1:{cluster.port('master')}"], {
            "pod": {"a": "until [ -e ../../go ]; do sleep 0.05; done; exit 4", "b": SLEEP}}).start()
        try:
            eventually("the pod runs", lambda: {"a", "b"} <= scheduler.running())
            [sandbox] = Path(cluster.root).glob("agent-*/slaves/*-S*/frameworks/*/executors/pod/runs/latest")
            for names in (["agent-1"], ["master"], ["agent-1", "master"]):
                cluster.kill(*names)
                eventually("all healthy", cluster.healthy, limit=60)
                eventually("subscribed again", lambda: scheduler.errors == [] and scheduler.framework_id)
                assert scheduler.history_of("a") == scheduler.history_of("b") == ["STARTING", "RUNNING"], scheduler.statuses
            (sandbox / "go").touch()
            eventually("its true end", lambda: scheduler.states.get("a") == "TASK_FAILED", limit=60)
            assert scheduler.last("a")["message"] == "Command exited with status 4", scheduler.last("a")
            eventually("the other is killed", lambda: scheduler.states.get("b") == "TASK_KILLED")
        finally:
            scheduler.close()


def of_another_user():
    """Executor and tasks that run as nobody reach their agent as root's do."""
    with Cluster(agents=1) as cluster:
        scheduler = PodScheduler([f"127.0.0.1:{cluster.port('master')}"], {"pod": {"a": "test $(id -un) = nobody"}})
        scheduler.user = "nobody"
        scheduler.start()
        try:
            eventually("it ends well", lambda: scheduler.history_of("a") == ["STARTING", "RUNNING", "FINISHED"])
        finally:
            scheduler.close()


def with_tokens():
    """On an agent that asks executors for their tokens a pod runs, also after kill -9 of the agent; without a token nobody is one."""
    with tempfile.TemporaryDirectory() as secrets:
        Path(secrets, "key").write_text("a key of executors' tokens")
        flags = {"MESOS_AUTHENTICATE_HTTP_EXECUTORS": "true", "MESOS_JWT_SECRET_KEY": f"file://{secrets}/key"}
        os.environ.update(flags)
        try:
            with Cluster(agents=1) as cluster:
                assert call(cluster.port("agent-1"), "POST", "/api/v1/executor", {"type": "HEARTBEAT"}).status == 401
                scheduler = PodScheduler([f"127.0.0.1:{cluster.port('master')}"], {"pod": {"a": SLEEP, "b": SLEEP}}).start()
                try:
                    eventually("the pod runs", lambda: {"a", "b"} <= scheduler.running())
                    cluster.kill("agent-1")
                    scheduler.kill("a", scheduler.last("a")["agent_id"]["value"])
                    eventually("both are killed", lambda: scheduler.states.get("a") == scheduler.states.get("b") == "TASK_KILLED")
                    assert scheduler.history_of("b")[:2] == ["STARTING", "RUNNING"], scheduler.statuses
                finally:
                    scheduler.close()
        finally:
            for name in flags:
                del os.environ[name]


if __name__ == "__main__":
    results.run("system/pods", [live_and_end_together, survive_kills, of_another_user, with_tokens])
