#!/usr/bin/env python3
"""The whole house in one story: a package, its names and its address, jobs that use it, scaling, a loss, and away again.

The chapters are those of installer/demo, which also `installer/dev up --demo` walks through.
"""

import importlib.machinery
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, TOP, Cluster, call, eventually  # noqa: E402


def load_demo():
    loader = importlib.machinery.SourceFileLoader("demo", str(TOP / "installer" / "demo"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
    loader.exec_module(module)
    return module


demo = load_demo()


def walk_through(cluster, before=lambda chapter: None):
    """Every chapter in turn; `before` is called with its name."""
    if not shutil.which("redis-server") or not shutil.which("redis-cli"):
        raise results.Skip("redis-server is not installed: installer/packages demo")
    offset = cluster.offset
    dns = f"127.53.{offset // 250}.{offset % 250 + 1}"
    with tempfile.TemporaryDirectory(prefix="dcos-story-") as home:
        password = Path(home, "password")
        password.touch(mode=0o600)
        password.write_text(cluster.password)
        walk = demo.Walk(cluster.url, dns, str(BIN / "dcos"), home, "admin", str(password))
        for chapter in demo.CHAPTERS:
            before(chapter)
            getattr(walk, chapter)()


def nothing_is_left(cluster):
    """No app but the first one, no job, no running task but its own."""
    assert [a["id"] for a in cluster.marathon("GET", "/v2/apps").json()["apps"]] == ["/hello"]
    assert call(cluster.port("chronos"), "GET", "/v1/scheduler/jobs").json() == []
    frameworks = cluster.master("GET", "/state").json()["frameworks"]
    running = [t["name"] for f in frameworks for t in f["tasks"] if t["state"] == "TASK_RUNNING"]
    assert running == ["hello"], running


def story():
    """As a person does it, signed in."""
    with Cluster(auth=True) as cluster:
        walk_through(cluster)
        eventually("nothing is left", lambda: nothing_is_left(cluster) is None)


def story_with_every_daemon_killed():
    """kill -9 of one daemon after the other between the chapters, and of all of them at once in the middle."""
    killed = {"sign_in": ["gateway", "master"], "install_redis": ["universe", "marathon"], "reach_from_the_other_node": ["agent-1", "l4lb"],
              "run_jobs": ["dns", "agent-2"], "scale": ["chronos"],
              "lose_one": ["master", "agent-1", "agent-2", "marathon", "universe", "chronos", "dns", "l4lb", "gateway"],
              "take_away": ["universe", "dns"]}
    with Cluster(auth=True) as cluster:
        walk_through(cluster, lambda chapter: cluster.kill(*killed[chapter]))
        eventually("nothing is left", lambda: nothing_is_left(cluster) is None)
        for name in {name for names in killed.values() for name in names}:
            assert cluster.daemon(name)["restarts"] >= 1, name


if __name__ == "__main__":
    os.umask(0o022)
    results.run("e2e/story", [story, story_with_every_daemon_killed])
