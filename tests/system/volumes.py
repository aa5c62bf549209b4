#!/usr/bin/env python3
"""Apps and pods with persistent volumes: the data survives what happens to tasks and daemons, and nothing is left of a deleted app."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import Cluster, eventually  # noqa: E402

ROLE = "marathon"  # of the development cluster
# Counts on from what the volume holds, and notes each start.
COUNTER = ("echo start >> data/starts; n=$(cat data/n 2>/dev/null || echo 0); "
           "while true; do n=$((n+1)); echo $n > data/n.new; mv data/n.new data/n; sleep 0.05; done")


def app(instances=1, cmd=COUNTER, size=32):
    return {"id": "/db", "cmd": cmd, "cpus": 0.1, "mem": 32, "disk": 0, "instances": instances,
            "container": {"type": "MESOS", "volumes": [{"containerPath": "data", "mode": "RW", "persistent": {"size": size}}]}}


def volumes(cluster):
    return sorted(Path(cluster.root).glob(f"agent-*/volumes/roles/{ROLE}/*"))


def count(volume):
    return int((volume / "n").read_text())


def starts(volume):
    return len((volume / "starts").read_text().splitlines())


def grows(volume):
    before = count(volume)
    eventually("the counter goes on", lambda: count(volume) > before)


def reserved(cluster):
    return {slave["id"]: slave["reserved_resources"] for slave in cluster.master("GET", "/slaves").json()["slaves"]
            if slave["reserved_resources"]}


def one_task(cluster, but=None):
    tasks = cluster.running("/db")
    return next(iter(tasks)) if len(tasks) == 1 and tasks != {but} else None


def survives():
    """A counter's data goes on over kills of its task and of every daemon, an upgrade and a pause; deleted, nothing is left."""
    with Cluster() as cluster:
        cluster.add_app(app())
        task = one_task(cluster)
        [volume] = eventually("the volume is there", lambda: volumes(cluster))
        [local] = cluster.tasks("/db")[task]["localVolumes"]
        assert local["persistenceId"] == volume.name and local["containerPath"] == "data", (local, volume)
        assert len(reserved(cluster)) == 1, reserved(cluster)
        eventually("it counts", lambda: count(volume) > 3)

        seen = count(volume)
        assert cluster.marathon("DELETE", f"/v2/apps/db/tasks/{task}").status == 200
        again = eventually("another task runs", lambda: one_task(cluster, task))
        eventually("it was started again", lambda: starts(volume) == 2)
        grows(volume)
        assert count(volume) > seen and volumes(cluster) == [volume], volumes(cluster)

        for name in ("agent-1", "agent-2", "master", "marathon"):
            cluster.kill(name)
            eventually("all healthy", cluster.healthy, limit=60)
            eventually("the task is known", lambda: one_task(cluster) == again, limit=60)
            grows(volume)
        assert starts(volume) == 2, "a task was started again"

        # An upgrade and a pause go on with the same data.
        seen = count(volume)
        assert cluster.marathon("PUT", "/v2/apps/db", {"env": {"NEW": "1"}}).status == 200
        eventually("the new version runs", lambda: starts(volume) == 3 and not cluster.deployments(), limit=60)
        assert cluster.marathon("PUT", "/v2/apps/db", {"instances": 0}).status == 200
        eventually("it is paused", lambda: not cluster.running("/db") and not cluster.deployments())
        assert volumes(cluster) == [volume] and len(reserved(cluster)) == 1
        cluster.kill("agent-1", "agent-2")  # nothing but the agents' stores knows of the volume now
        eventually("all healthy", cluster.healthy, limit=60)
        assert cluster.marathon("PUT", "/v2/apps/db", {"instances": 1}).status == 200
        eventually("it runs again", lambda: starts(volume) == 4, limit=60)
        grows(volume)
        assert count(volume) > seen

        assert cluster.marathon("DELETE", "/v2/apps/db").status == 200
        eventually("the data is gone", lambda: volumes(cluster) == [], limit=60)
        eventually("nothing is reserved", lambda: not reserved(cluster), limit=60)
        for agent in ("agent-1", "agent-2"):
            assert not list(Path(cluster.root, agent).glob("volumes/roles/*")), "a directory is left"


def wiped():
    """wipe=true exchanges a volume; an app that is deleted while the scheduler dies leaves nothing."""
    with Cluster() as cluster:
        cluster.add_app(app(instances=2))
        before = eventually("two volumes", lambda: len(volumes(cluster)) == 2 and volumes(cluster))
        tasks = cluster.running("/db")
        assert cluster.marathon("DELETE", f"/v2/apps/db/tasks/{min(tasks)}?wipe=true").status == 200
        eventually("a fresh one runs", lambda: len(cluster.running("/db")) == 2 and cluster.running("/db") != tasks)
        eventually("one volume went, one came", lambda: len(volumes(cluster)) == 2 and len(set(volumes(cluster)) & set(before)) == 1,
                   limit=60)
        # Deleted while the scheduler is killed: what it had begun to give back it gives back afterwards.
        assert cluster.marathon("DELETE", "/v2/apps/db").status == 200
        cluster.kill("marathon")
        eventually("the data is gone", lambda: volumes(cluster) == [], limit=60)
        eventually("nothing is reserved", lambda: not reserved(cluster), limit=60)


def pod(instances=1, greeting="hello"):
    """One container counts in the volume, the other notes there what it saw of the count."""
    mount = [{"name": "data", "mountPath": "data"}]
    resources = {"cpus": 0.1, "mem": 32}
    watch = "while sleep 0.1; do cat data/n > data/seen.new 2>/dev/null && mv data/seen.new data/seen; done"
    return {"id": "/pair", "environment": {"GREETING": greeting},
            "volumes": [{"name": "data", "persistent": {"size": 32, "type": "root"}}],
            "scaling": {"kind": "fixed", "instances": instances},
            "containers": [{"name": name, "exec": {"command": {"shell": cmd}}, "resources": resources, "volumeMounts": mount}
                           for name, cmd in (("count", COUNTER), ("watch", watch))]}


def pods():
    """A pod's containers share a volume that outlives their ends and kill -9 of every daemon; deleted, nothing is left."""
    with Cluster() as cluster:
        def tasks():
            now = cluster.marathon("GET", "/v2/pods/pair::status").json()
            return {c["containerId"] for i in now["instances"] if i["status"] == "STABLE" for c in i["containers"]}

        def settled(but=frozenset()):
            now = tasks()
            return now if len(now) == 2 and now.isdisjoint(but) and not cluster.deployments() else None

        answer = cluster.marathon("POST", "/v2/pods", pod())
        assert answer.status == 201, answer
        first = eventually("both containers run", settled, limit=90)
        [volume] = eventually("the volume is there", lambda: volumes(cluster))
        [instance] = cluster.marathon("GET", "/v2/pods/pair::status").json()["instances"]
        assert [v["persistenceId"] for v in instance["localVolumes"]] == [volume.name], instance
        eventually("one container sees what the other counts", lambda: (volume / "seen").exists() and int((volume / "seen").read_text() or 0) > 3)
        for name in ("agent-1", "agent-2", "master", "marathon"):
            cluster.kill(name)
            eventually("all healthy", cluster.healthy, limit=90)
            eventually("the tasks are known", lambda: settled() == first, limit=90)
            grows(volume)
        assert starts(volume) == 1, "a container was started again"

        seen = count(volume)
        assert cluster.marathon("DELETE", f"/v2/pods/pair::instances/{instance['id']}").status == 200
        second = eventually("it comes back", lambda: settled(first), limit=90)
        assert cluster.marathon("PUT", "/v2/pods/pair", pod(greeting="good day")).status == 200
        eventually("the new version runs", lambda: settled(second), limit=120)
        eventually("it was started for the third time", lambda: starts(volume) == 3)
        grows(volume)
        assert count(volume) > seen and volumes(cluster) == [volume], volumes(cluster)

        assert cluster.marathon("DELETE", "/v2/pods/pair").status == 202
        eventually("the data is gone", lambda: volumes(cluster) == [], limit=90)
        eventually("nothing is reserved", lambda: not reserved(cluster), limit=60)


if __name__ == "__main__":
    results.run("system/volumes", [survives, wiped, pods])
