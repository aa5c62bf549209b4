#!/usr/bin/env python3
"""Benchmarks of a whole cluster on this machine: dev/up, dev/idle-rss, marathon/post-to-running, marathon/scale-200, cli/latency."""

import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness.bench import Bench  # noqa: E402
from harness.cluster import BIN, Cluster, eventually  # noqa: E402

bench = Bench()


def timed(call):
    started = time.monotonic()
    call()
    return time.monotonic() - started


def dev_up():
    """From nothing running to every daemon healthy and the first app answering; then idle memory 20 s later."""
    samples, memory = [], []
    for _ in range(2 if bench.small else 5):
        cluster = Cluster()
        try:
            samples.append(timed(lambda: cluster.dev("up")))
            if bench.wants("dev/idle-rss"):
                cluster.marathon("DELETE", "/v2/apps/hello?force=true")
                eventually("no task runs", lambda: cluster.marathon("GET", "/v2/apps").json()["apps"] == [])
                time.sleep(2 if bench.small else 20)
                status = cluster.status()
                memory.append((status["resident_kb"] + sum(d["resident_kb"] for d in status["daemons"])) / 1024)
        finally:
            cluster.dev("reset", check=False)
    if bench.wants("dev/up"):
        bench.report("dev/up", {"agents": 2}, "s", samples)
    if memory:
        bench.report("dev/idle-rss", {"agents": 2, "measure": "proportional set size"}, "MiB", memory)


def post_to_running(cluster):
    """POST /v2/apps to TASK_RUNNING as marathon's event stream tells it, one instance, idle cluster."""
    import http.client
    import json

    samples = []
    for i in range(5 if bench.small else 30):
        stream = http.client.HTTPConnection("127.0.0.1", cluster.port("marathon"), timeout=20)
        stream.request("GET", "/v2/events?event_type=status_update_event", headers={"Accept": "text/event-stream"})
        events = stream.getresponse()
        time.sleep(0.2)
        started = time.monotonic()
        answer = cluster.marathon("POST", "/v2/apps", {"id": f"/bench-{i}", "cmd": "sleep 1000", "cpus": 0.1, "mem": 32, "instances": 1})
        assert answer.status == 201, answer
        while True:
            line = events.fp.readline() if not events.chunked else events.readline()
            if line.startswith(b"data:"):
                update = json.loads(line[5:])
                if update.get("appId") == f"/bench-{i}" and update.get("taskStatus") == "TASK_RUNNING":
                    break
        samples.append((time.monotonic() - started) * 1000)
        stream.close()
        cluster.marathon("DELETE", f"/v2/apps/bench-{i}?force=true")
        eventually("it is gone", lambda: cluster.marathon("GET", f"/v2/apps/bench-{i}").status == 404)
    bench.report("marathon/post-to-running", {"instances": 1}, "ms", samples)


def scale_200(cluster):
    wanted = 20 if bench.small else 200
    samples = []
    for i in range(1 if bench.small else 5):
        app = {"id": f"/scale-{i}", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16, "instances": wanted}

        def run():
            assert cluster.marathon("POST", "/v2/apps", app).status == 201
            eventually("all run", lambda: cluster.marathon("GET", app["id"].replace("/", "/v2/apps/", 1)).json()["app"]["tasksRunning"] == wanted, limit=120)

        samples.append(timed(run))
        cluster.marathon("DELETE", f"/v2/apps/scale-{i}?force=true")
        eventually("it is gone", lambda: cluster.marathon("GET", f"/v2/apps/scale-{i}").status == 404, limit=120)
    bench.report("marathon/scale-200", {"instances": wanted, "agents": 2}, "s", samples)


def cli_latency(cluster):
    home = f"{cluster.root}/cli"
    environment = {**os.environ, "DCOS_DIR": home, "HOME": home}
    dcos = str(BIN / "dcos")
    subprocess.run([dcos, "cluster", "setup", cluster.url], env=environment, check=True, capture_output=True)
    for words in (["--version"], ["node", "list"]):
        samples = []
        for _ in range(5 if bench.small else 50):
            samples.append(1000 * timed(lambda: subprocess.run([dcos, *words], env=environment, check=True, capture_output=True)))
        bench.report("cli/latency", {"command": "dcos " + " ".join(words)}, "ms", samples)


def main():
    if bench.wants("dev/up") | bench.wants("dev/idle-rss"):
        dev_up()
    wanted = [(name, run) for name, run in (("marathon/post-to-running", post_to_running), ("marathon/scale-200", scale_200), ("cli/latency", cli_latency)) if bench.wants(name)]
    if wanted:
        with Cluster() as cluster:
            for _, run in wanted:
                run(cluster)


main()
