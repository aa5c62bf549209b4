#!/usr/bin/env python3
"""The dev cluster's whole cycle on this machine: up, idempotent, every daemon killed, down, nothing left."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, Cluster, call, eventually  # noqa: E402


def leftovers(cluster):
    """Processes, cgroups and mounts that name the cluster's root or belong to its cgroups."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(cluster.root.encode() in word for word in words) and int(entry.name) != os.getpid():
                found.append(f"process {entry.name}: {words}")
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if cluster.root in line]
    agents = [word for name in ("agent-1", "agent-2") for word in [f"{cluster.root}/{name}"]]
    for hierarchy in Path("/sys/fs/cgroup").glob("*"):
        for group in hierarchy.glob("dcos-*"):
            found += [str(group)] if str(group.name) in cluster.cgroups else []
    assert agents
    return found


def cgroup_names(cluster):
    out = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return {word.split("=", 1)[1] for line in out.splitlines() if cluster.root in line
            for word in line.split() if word.startswith("--cgroups_root=")}


def full_cycle():
    """up, up again, kill -9 each daemon, status, down leaves nothing, up brings the app back, reset forgets."""
    cluster = Cluster()
    try:
        first = cluster.dev("up").stdout
        for step in ("user", "memory", "kernel", "ports", "master", "agent-1", "agent-2", "marathon", "universe", "gateway", "first app"):
            assert step in first, f"no step '{step}' in:\n{first}"
        assert cluster.url in first
        again = cluster.dev("up").stdout
        assert "exists" in again and "FAILED" not in again, again

        before = cluster.running("/hello")
        assert len(before) == 1
        for name in ("master", "agent-1", "agent-2", "marathon", "universe", "gateway"):
            pid = cluster.daemon(name)["pid"]
            os.kill(pid, signal.SIGKILL)
            eventually(f"{name} is restarted", lambda: cluster.daemon(name)["pid"] not in (0, pid))
            eventually("all healthy", cluster.healthy)
        eventually("marathon knows its task again", lambda: cluster.running("/hello") == before)
        status = cluster.dev("status").stdout
        assert "gateway" in status and "FAILED" not in status, status

        cluster.cgroups = cgroup_names(cluster)
        cluster.dev("down")
        assert leftovers(cluster) == [], leftovers(cluster)
        assert cluster.dev("status", check=False).returncode == 3

        cluster.dev("up")
        eventually("the app is back", lambda: len(cluster.running("/hello")) == 1)
        cluster.dev("reset")
        assert not os.path.exists(cluster.root)
        assert leftovers(cluster) == [], leftovers(cluster)
    finally:
        cluster.dev("down", check=False)
        shutil.rmtree(cluster.root, ignore_errors=True)


def supervisor_killed():
    """kill -9 of the supervisor: tasks go on, the next up takes them back."""
    cluster = Cluster()
    try:
        cluster.dev("up")
        before = cluster.running("/hello")
        os.kill(cluster.status()["pid"], signal.SIGKILL)
        eventually("the daemons end with it", lambda: cluster.dev("status", check=False).returncode == 3)
        cluster.dev("up")
        eventually("the task was never noticed", lambda: cluster.running("/hello") == before)
        cluster.cgroups = cgroup_names(cluster)
        cluster.dev("down")
        assert leftovers(cluster) == [], leftovers(cluster)
    finally:
        cluster.dev("down", check=False)
        shutil.rmtree(cluster.root, ignore_errors=True)


def side_by_side():
    """Two clusters on one machine share nothing: ending one leaves the other alone."""
    with Cluster() as a:
        before = a.running("/hello")
        with Cluster(agents=1) as b:
            assert len(b.running("/hello")) == 1
        assert a.running("/hello") == before and a.healthy()


def failing_steps_name_the_remedy():
    """A taken port, a bad option, another cluster below the same root: seen, and the command that mends it."""
    with Cluster(agents=1) as cluster:
        other = Cluster(agents=1)
        other.offset = cluster.offset
        refused = other.dev("up", check=False)
        assert refused.returncode == 1 and "is taken by dcos-" in refused.stdout and "--port-offset" in refused.stdout, refused.stdout
        shutil.rmtree(other.root, ignore_errors=True)
        different = subprocess.run([str(BIN / "dcos-dev"), "up", "--root", cluster.root, "--agents", "5", "--port-offset", str(cluster.offset)],
                                   capture_output=True, text=True)
        assert different.returncode == 1 and "down --root" in different.stdout, different.stdout
    bad = subprocess.run([str(BIN / "dcos-dev"), "up", "--agents", "0"], capture_output=True, text=True)
    assert bad.returncode == 2 and "--agents" in bad.stderr, bad
    assert call  # the harness's HTTP call is used by the other suites


if __name__ == "__main__":
    results.run("system/dev_cluster", [full_cycle, supervisor_killed, side_by_side, failing_steps_name_the_remedy])
