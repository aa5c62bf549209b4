#!/usr/bin/env python3
"""kill -9 of master, agent, marathon and gateway under load: no task restarted, none lost, deployments finish.

KILLS=20 (default 5 in the suite) kills of each daemon.
"""

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import Cluster, eventually  # noqa: E402

KILLS = int(os.environ.get("KILLS", "5"))


def storm():
    """Each daemon is killed in turn while an app is scaled up and down; the steady app's tasks never change."""
    with Cluster() as cluster:
        cluster.add_app({"id": "/steady", "cmd": "sleep 100000", "cpus": 0.01, "mem": 16, "instances": 20})
        cluster.add_app({"id": "/moving", "cmd": "sleep 100000", "cpus": 0.01, "mem": 16, "instances": 2})
        before = cluster.running("/steady")
        started = {id: task.get("startedAt") for id, task in cluster.tasks("/steady").items()}

        stop = threading.Event()

        def load():
            while not stop.is_set():
                try:
                    cluster.marathon("PUT", "/v2/apps/moving?force=true", {"instances": random.randrange(1, 8)})
                except OSError:
                    pass  # killed just now
                stop.wait(0.3)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            for _ in range(KILLS):
                for name in ("master", "agent-1", "marathon", "gateway", "agent-2"):
                    pid = eventually(f"{name} runs", lambda: cluster.daemon(name)["pid"])
                    os.kill(pid, signal.SIGKILL)
                    eventually(f"{name} is restarted", lambda: cluster.daemon(name)["pid"] not in (0, pid))
                    time.sleep(random.uniform(0.1, 0.6))
        finally:
            stop.set()
            thread.join()
        eventually("all healthy", cluster.healthy, limit=60)
        eventually("deployments finish", lambda: cluster.deployments() == [], limit=120)
        eventually("every steady task is still there", lambda: cluster.running("/steady") == before, limit=60)
        after = {id: task.get("startedAt") for id, task in cluster.tasks("/steady").items()}
        assert after == started, "a task was started again"
        wanted = cluster.marathon("GET", "/v2/apps/moving").json()["app"]["instances"]
        eventually("the moving app has what was asked", lambda: len(cluster.running("/moving")) == wanted)


if __name__ == "__main__":
    results.run("system/kill_storm", [storm])
