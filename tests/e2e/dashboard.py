#!/usr/bin/env python3
"""The dashboard in headless Chromium against a real cluster: nodes, services and tasks appear live, a task's log shows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from harness import results  # noqa: E402
from harness.cluster import BUILD, Cluster, eventually  # noqa: E402


def browser():
    """check.mjs signs in at the page that the gateway serves, and walks through services, the catalog and jobs."""
    if not shutil.which("chromium") or not shutil.which("npm"):
        raise results.Skip("needs chromium and npm")
    if not (BUILD / "dashboard" / "assets").exists():
        raise results.Skip("the dashboard was not built: npm or its registry could not be reached")
    folder = BUILD / "e2e-dashboard"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / "dashboard", folder, ignore=shutil.ignore_patterns("node_modules"))
    installed = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=folder, capture_output=True, text=True, timeout=300)
    if installed.returncode != 0:
        raise results.Skip(f"playwright-core cannot be installed: {installed.stderr.strip().splitlines()[-1:]}")
    screenshots = Path(os.environ.get("SCREENSHOTS", BUILD / "screenshots"))
    with Cluster(auth=True) as cluster:
        # The package that is installed runs as another user, who must be able to reach its sandbox.
        os.chmod(cluster.root, 0o711)
        cluster.add_app({"id": "/shop/web", "cmd": "echo serving; python3 -m http.server $PORT", "cpus": 0.2, "mem": 64, "instances": 3})
        cluster.add_app({"id": "/shop/worker", "cmd": "while sleep 5; do date; done", "cpus": 0.5, "mem": 128, "instances": 2})
        eventually("deployments end", lambda: cluster.deployments() == [])
        done = subprocess.run(["node", "check.mjs", "--url", cluster.url, "--username", "admin", "--password", cluster.password,
                               "--screenshots", str(screenshots)], cwd=folder,
                              capture_output=True, text=True, timeout=400)
        print(done.stdout[-4000:], flush=True)
        assert done.returncode == 0, "\n".join(line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("ok"))[:1500]


if __name__ == "__main__":
    results.run("e2e/dashboard", [browser])
