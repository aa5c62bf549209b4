#!/usr/bin/env python3
"""The disk fills up under every daemon and is emptied again: refusals that say so, nothing lost, no daemon dead."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import Cluster, eventually  # noqa: E402


def fill(path):
    """Takes every byte that is left."""
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            block = b"\0" * size
            try:
                while True:
                    file.write(block)
            except OSError:
                continue


def store_and_sandboxes():
    """Stores, checkpoints and sandboxes on a full disk, then space again."""
    root = tempfile.mkdtemp(prefix="dcos-full-")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "none", root], capture_output=True, text=True)
    if mounted.returncode != 0:
        raise results.Skip(f"cannot mount a tmpfs: {mounted.stderr.strip()}")
    cluster = Cluster(root=f"{root}/cluster")
    try:
        cluster.dev("up")
        cluster.add_app({"id": "/steady", "cmd": "sleep 100000", "cpus": 0.01, "mem": 16, "instances": 5})
        before = cluster.running("/steady")
        pids = {d["name"]: d["pid"] for d in cluster.status()["daemons"]}

        fill(f"{root}/filler")
        refused = cluster.marathon("POST", "/v2/apps", {"id": "/late", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16}, timeout=30)
        assert refused.status >= 500, refused
        assert "disk is full" in refused.body.decode() or "space" in refused.body.decode(), refused
        assert cluster.marathon("GET", "/v2/apps/late").status == 404, "an app that was refused exists"
        assert cluster.running("/steady") == before

        os.unlink(f"{root}/filler")
        eventually("an app can be added again", lambda: cluster.marathon(
            "POST", "/v2/apps", {"id": "/late", "cmd": "sleep 1000", "cpus": 0.01, "mem": 16}).status == 201)
        eventually("and runs", lambda: len(cluster.running("/late")) == 1, limit=60)
        assert cluster.running("/steady") == before
        assert {d["name"]: d["pid"] for d in cluster.status()["daemons"]} == pids, "a daemon died of the full disk"
    finally:
        if os.path.exists(f"{root}/filler"):
            os.unlink(f"{root}/filler")
        cluster.dev("down", check=False)
        subprocess.run(["umount", root], check=False)
        os.rmdir(root)


def logs():
    """Daemons start and work although not one byte of their logs can be written; elsewhere each line has its time."""
    root = tempfile.mkdtemp(prefix="dcos-full-")
    cluster = Cluster(agents=1, root=f"{root}/cluster")
    names = ["master", "agent-1", "dns", "marathon", "universe", "chronos", "metronome", "l4lb", "gateway"]
    os.makedirs(f"{root}/cluster/log")
    for name in names:
        os.symlink("/dev/full", f"{root}/cluster/log/{name}.log")
    try:
        cluster.dev("up")
        cluster.add_app({"id": "/app", "cmd": "sleep 100000", "cpus": 0.01, "mem": 16}, instances=1)
        found = cluster.status()["daemons"]
        assert {daemon["name"] for daemon in found} == set(names), found
        assert all(daemon["restarts"] == 0 for daemon in found), found
        for name in names:
            os.unlink(f"{root}/cluster/log/{name}.log")
        cluster.kill(*names)
        line = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [DIWE] [\w/-]+ ."
        eventually("every daemon logs with the time", lambda: all(
            re.match(line, Path(f"{root}/cluster/log/{name}.log").read_text()) for name in names))
    finally:
        cluster.dev("down", check=False)
        shutil.rmtree(root)


if __name__ == "__main__":
    results.run("system/disk_full", [store_and_sandboxes, logs])
