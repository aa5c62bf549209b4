#!/usr/bin/env python3
"""The scheduler with Metronome's API in a real cluster: runs by hand, runs that follow, stops, and kill -9 of scheduler and master.

KILLS=20 (default 3 in the suite) kills of dcos-metronome, and half as many of the master.
"""

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

KILLS = int(os.environ.get("KILLS", "3"))


def metronome(cluster, method, path, body=None):
    return call(cluster.port("metronome"), method, path, body)


def answered(cluster, method, path, body=None):
    """The answer of a scheduler that may just be starting again."""
    def ask():
        try:
            answer = metronome(cluster, method, path, body)
        except OSError:
            return None
        return answer if answer.status < 500 else None
    return eventually(f"{method} {path} is answered", ask, limit=60)


def add(cluster, name, command, more=None, run=None):
    job = {"id": name, "run": {"cmd": command, "cpus": 0.01, "mem": 32, "disk": 0, **(run or {})}, **(more or {})}
    answer = answered(cluster, "POST", "/v1/jobs", job)
    assert answer.status == 201, answer


def lines(path):
    return path.read_text().split() if path.exists() else []


def kill(cluster, name):
    pid = eventually(f"{name} runs", lambda: cluster.daemon(name)["pid"])
    os.kill(pid, signal.SIGKILL)
    eventually(f"{name} is restarted", lambda: cluster.daemon(name)["pid"] not in (0, pid))


def processes(seconds):
    """Those that sleep so long, with whatever number they have on this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", seconds.encode()]:
            found.append(path.parent.name)
    return found


def history(cluster, job):
    return answered(cluster, "GET", f"/v1/jobs/{job}?embed=history&embed=activeRuns").json()


def no_run_is_lost_or_doubled():
    """Runs by hand, each followed by its child, with kill -9 in between: what was answered with 201 runs once."""
    with Cluster() as cluster:
        root = Path(cluster.root)
        out, follow = root / "parent", root / "child"
        # The run's id is the last piece of the variable.
        add(cluster, "parent", f"sleep 1; echo ${{MARATHON_APP_ID##*/}} >> {out}")
        add(cluster, "child", f"echo ${{MARATHON_APP_ID##*/}} >> {follow}", {"dependencies": [{"id": "parent"}]})
        started = []
        for i in range(KILLS):
            for _ in range(4):
                answer = metronome(cluster, "POST", "/v1/jobs/parent/runs")
                assert answer.status == 201 and answer.json()["status"] == "INITIAL", answer
                started.append(answer.json()["id"])
                time.sleep(random.uniform(0, 0.7))
            kill(cluster, "metronome")
            if i % 2:
                kill(cluster, "master")
            eventually("it answers", lambda: answered(cluster, "GET", "/v1/jobs/parent/runs").status == 200)
        eventually("all are over", lambda: history(cluster, "parent")["history"]["successCount"] == len(started), limit=120)
        shown = history(cluster, "parent")
        assert shown["history"]["failureCount"] == 0 and shown["activeRuns"] == [], shown
        assert sorted(lines(out)) == sorted(started), (started, lines(out))
        assert sorted(run["id"] for run in shown["history"]["successfulFinishedRuns"]) == sorted(started), shown
        eventually("children are over", lambda: history(cluster, "child")["activeRuns"] == [], limit=60)
        children = history(cluster, "child")["history"]
        assert children["failureCount"] == 0 and children["successCount"] == len(lines(follow)), (children, lines(follow))
        assert 1 <= len(lines(follow)) <= len(started) and len(set(lines(follow))) == len(lines(follow)), lines(follow)


def stops_and_restarts():
    """A stop is answered when the process is gone; ON_FAILURE launches again; a kill of the scheduler changes neither."""
    with Cluster() as cluster:
        root = Path(cluster.root)
        pids, tries = root / "pid", root / "tries"
        seconds = str(random.randrange(100_000_000, 200_000_000))  # by which its process is known
        add(cluster, "long", f"echo $$ >> {pids}; exec sleep {seconds}", run={"taskKillGracePeriodSeconds": 1})
        run = metronome(cluster, "POST", "/v1/jobs/long/runs").json()["id"]
        eventually("it runs", lambda: processes(seconds))
        kill(cluster, "metronome")
        eventually("it is known again", lambda: answered(cluster, "GET", f"/v1/jobs/long/runs/{run}").json()["status"] == "ACTIVE")
        assert len(lines(pids)) == len(processes(seconds)) == 1, "it was started again"
        assert answered(cluster, "DELETE", "/v1/jobs/long").status == 409
        stopped = answered(cluster, "POST", f"/v1/jobs/long/runs/{run}/actions/stop")
        assert stopped.status == 200 and stopped.json()["status"] == "FAILED", stopped
        assert not processes(seconds), "the answer came before the end"
        assert metronome(cluster, "GET", f"/v1/jobs/long/runs/{run}").status == 404
        add(cluster, "flaky", f"echo x >> {tries}; test $(wc -l < {tries}) -ge 3", run={"restart": {"policy": "ON_FAILURE"}})
        metronome(cluster, "POST", "/v1/jobs/flaky/runs")
        eventually("the third try succeeds", lambda: history(cluster, "flaky")["history"]["successCount"] == 1, limit=60)
        shown = history(cluster, "flaky")["history"]
        assert shown["failureCount"] == 0 and len(shown["successfulFinishedRuns"][0]["tasks"]) == 3, shown
        assert metronome(cluster, "DELETE", "/v1/jobs/flaky").json()["id"] == "flaky"


def the_gateway_and_the_command_line():
    """Behind the gateway by its name; `dcos job` speaks this API when job.url says so."""
    with Cluster() as cluster:
        out = Path(cluster.root) / "by-hand"
        environment = dict(os.environ, DCOS_URL=cluster.url, DCOS_DIR=str(Path(cluster.root) / "cli"),
                           DCOS_JOB_URL="/service/metronome")

        def dcos(*words, stdin=None, code=0):
            text = None if stdin is None else json.dumps(stdin)
            done = subprocess.run([BIN / "dcos", "job", *words], input=text, capture_output=True, text=True, timeout=60,
                                  env=environment)
            assert done.returncode == code, (words, done)
            return done.stdout if code == 0 else done.stderr

        eventually("the gateway knows metronome", lambda: cluster.gateway("GET", "/service/metronome/ping").body == b"pong")
        job = {"id": "by.hand", "labels": {"a": "b"}, "run": {"cmd": f"echo $GREETING >> {out}", "env": {"GREETING": "hello"},
                                                              "cpus": 0.01, "mem": 32, "disk": 0}}
        dcos("add", stdin={**job, "schedules": [{"id": "nightly", "cron": "0 3 * * *", "timezone": "Europe/Berlin"}]})
        assert "already exists" in dcos("add", stdin=job, code=1)
        run = json.loads(dcos("run", "by.hand", "--json"))["id"]
        eventually("it has run", lambda: out.exists() and out.read_text() == "hello\n")
        eventually("it is remembered", lambda: run in dcos("history", "by.hand"))
        assert [line.split() for line in dcos("list").splitlines()[1:]] == [["by.hand", "Scheduled", "Success"]]
        assert "0 3 * * *" in dcos("schedule", "show", "by.hand")
        dcos("update", stdin={**job, "run": {**job["run"], "cmd": "sleep 1000"}})
        shown = json.loads(dcos("show", "by.hand"))
        assert shown["run"]["cmd"] == "sleep 1000" and len(shown["schedules"]) == 1, shown
        run = json.loads(dcos("run", "by.hand", "--json"))["id"]
        assert "is running" in dcos("remove", "by.hand", code=1)
        assert run in dcos("show", "runs", "by.hand")
        dcos("kill", "by.hand", run)
        assert run in dcos("history", "by.hand", "--failures")
        dcos("schedule", "remove", "by.hand", "nightly")
        dcos("schedule", "add", "by.hand", stdin={"id": "often", "cron": "*/5 * * * *"})
        dcos("schedule", "update", "by.hand", stdin={"id": "often", "cron": "*/6 * * * *", "enabled": False})
        assert dcos("schedule", "show", "by.hand", "-q") == "often\n"
        assert "at least" in dcos("schedule", "update", "by.hand", stdin={"id": "x", "cron": "*/6 * * * *"}, code=1)
        assert dcos("queue", "-q") == ""
        dcos("remove", "by.hand", "--stop-current-job-runs")
        assert "does not exist" in dcos("show", "by.hand", code=1)


if __name__ == "__main__":
    results.run("system/metronome", [no_run_is_lost_or_doubled, stops_and_restarts, the_gateway_and_the_command_line])
