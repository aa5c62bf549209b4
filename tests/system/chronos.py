#!/usr/bin/env python3
"""The job scheduler in a real cluster: jobs on the clock and jobs that follow them, while its process is killed again and again.

KILLS=20 (default 4 in the suite) kills of dcos-chronos, and half as many of the master.
"""

import datetime
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, Cluster, call, eventually  # noqa: E402

KILLS = int(os.environ.get("KILLS", "4"))
PERIOD = 2


def chronos(cluster, method, path, body=None):
    return call(cluster.port("chronos"), method, path, body)


def post(cluster, kind, job):
    answer = chronos(cluster, "POST", f"/v1/scheduler/{kind}", job)
    assert answer.status == 204 and answer.body == b"", answer


def start_in(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def lines(path):
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def note(path):
    """A command that writes down the slot it stands for, its attempt, and when it ran."""
    return f"echo $CHRONOS_JOB_RUN_TIME $CHRONOS_JOB_RUN_ATTEMPT $(date +%s%3N) >> {path}"


def kill(cluster, name):
    pid = eventually(f"{name} runs", lambda: cluster.daemon(name)["pid"])
    os.kill(pid, signal.SIGKILL)
    eventually(f"{name} is restarted", lambda: cluster.daemon(name)["pid"] not in (0, pid))


def exactly_the_expected_runs():
    """A job every 2 s, one that follows it, and kill -9 in between: every slot runs once, every success has its successor."""
    with Cluster() as cluster:
        root = Path(cluster.root)
        count = 6 + 4 * KILLS
        cheap = {"cpus": 0.01, "mem": 16, "disk": 1}
        tick, follow = root / "tick", root / "follow"
        post(cluster, "iso8601", {"name": "tick", "command": note(tick), "epsilon": "PT60S",
                                  "schedule": f"R{count}/{start_in(2)}/PT{PERIOD}S", **cheap})
        post(cluster, "dependency", {"name": "follow", "command": note(follow), "parents": ["tick"], **cheap})
        for i in range(KILLS):
            time.sleep(random.uniform(2, 5))
            kill(cluster, "chronos")
            if i % 2:
                kill(cluster, "master")
        eventually("the last slot has run", lambda: len(lines(tick)) >= count, limit=count * PERIOD + 60)
        eventually("the job counts them", lambda: chronos(cluster, "GET", "/v1/scheduler/job/tick").json()["successCount"]
                   == count, limit=30)
        job = chronos(cluster, "GET", "/v1/scheduler/job/tick").json()
        assert job["disabled"] and job["schedule"].startswith("R0/"), job
        assert job["errorCount"] == 0, job
        slots = [int(line[0]) for line in lines(tick)]
        assert len(slots) == count, f"{len(slots)} runs for {count} slots: {slots}"
        assert sorted(slots) == list(range(slots[0], slots[0] + count * PERIOD * 1000, PERIOD * 1000)), slots
        late = sorted(int(line[2]) - int(line[0]) for line in lines(tick))
        print(f"lateness in ms: median {late[len(late) // 2]}, max {late[-1]}", file=sys.stderr)
        last = max(int(line[2]) for line in lines(tick))
        eventually("the last success has its successor", lambda: any(int(line[2]) >= last for line in lines(follow)), limit=30)
        time.sleep(3)
        follows = lines(follow)
        # Successes that come while the successor waits for the scheduler's return are followed together.
        assert count - 2 * KILLS <= len(follows) <= count, f"{len(follows)} successors of {count} runs"
        assert len({line[0] for line in follows}) == len(follows), follows


def the_gateway_and_a_steady_clock():
    """Behind the gateway by its name; without faults every run starts within a second of its slot."""
    with Cluster() as cluster:
        eventually("the gateway knows chronos", lambda: cluster.gateway("GET", "/service/chronos/ping").body == b"pong")
        out = Path(cluster.root) / "steady"
        for i in range(5):
            post(cluster, "iso8601", {"name": f"steady-{i}", "command": note(out), "cpus": 0.01, "mem": 16, "disk": 1,
                                      "schedule": f"R5/{start_in(3)}/PT2S"})
        eventually("all have run", lambda: len(lines(out)) == 25, limit=60)
        eventually("all are counted", lambda: [job["disabled"] for job in chronos(
            cluster, "GET", "/scheduler/jobs").json()] == [True] * 5, limit=30)
        slots = [line[0] for line in lines(out)]
        assert all(slots.count(slot) == 5 for slot in slots) and len(set(slots)) == 5, slots


def the_command_line():
    """dcos job against the real scheduler: add, list, run, history, schedule, remove."""
    with Cluster() as cluster:
        out = Path(cluster.root) / "by-hand"
        environment = dict(os.environ, DCOS_URL=cluster.url, DCOS_DIR=str(Path(cluster.root) / "cli"))

        def dcos(*words, stdin=None, code=0):
            text = None if stdin is None else json.dumps(stdin)
            done = subprocess.run([BIN / "dcos", "job", *words], input=text, capture_output=True, text=True, timeout=60,
                                  env=environment)
            assert done.returncode == code, (words, done)
            return done.stdout if code == 0 else done.stderr

        eventually("the gateway knows chronos", lambda: cluster.gateway("GET", "/service/chronos/ping").body == b"pong")
        dcos("add", stdin={"id": "by.hand", "run": {"cmd": f"echo $GREETING >> {out}", "env": {"GREETING": "hello"},
                                                   "cpus": 0.01, "mem": 32, "disk": 1}})
        assert "already exists" in dcos("add", stdin={"id": "by.hand", "run": {"cmd": "true"}}, code=1)
        assert dcos("run", "by.hand").startswith("Run ID: ct:")
        eventually("it has run", lambda: out.exists() and out.read_text() == "hello\n")
        eventually("it is remembered", lambda: "ct:" in dcos("history", "by.hand"))
        assert [line.split() for line in dcos("list").splitlines()[1:]] == [["by.hand", "Unscheduled", "Success"]]
        dcos("schedule", "add", "by.hand", stdin={"id": "default", "cron": "0 3 * * *", "timezone": "Europe/Berlin"})
        assert "T03:00:00.000+0" in dcos("schedule", "show", "by.hand")
        dcos("update", stdin={"id": "by.hand", "run": {"cmd": "true", "cpus": 0.01, "mem": 32, "disk": 1}})
        shown = json.loads(dcos("show", "by.hand"))
        assert shown["run"]["cmd"] == "true" and len(shown["schedules"]) == 1, shown
        assert shown["historySummary"]["successCount"] == 1, shown
        dcos("schedule", "remove", "by.hand", "default")
        assert "labels" in dcos("add", stdin={"id": "x", "labels": {"a": "b"}, "run": {"cmd": "true"}}, code=1)
        dcos("remove", "by.hand")
        assert "not found" in dcos("show", "by.hand", code=1)


if __name__ == "__main__":
    results.run("system/chronos", [exactly_the_expected_runs, the_gateway_and_a_steady_clock, the_command_line])
