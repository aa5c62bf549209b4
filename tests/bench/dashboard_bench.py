#!/usr/bin/env python3
"""dashboard/jobs-5000: what a list of 5,000 jobs costs the browser, as processor time of the page's main thread.

Opening the list, looking at it (per second), and scrolling through all of it (per frame; 16.7 ms is what 60 frames a second leave).
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from harness.bench import Bench  # noqa: E402

BUILD = Path(os.environ.get("BUILD_DIR", HERE.parents[1] / "build" / "release"))
NAME = "dashboard/jobs-5000"
bench = Bench()


def main():
    if not bench.wants(NAME):
        return
    if not shutil.which("chromium") or not shutil.which("npm") or not (BUILD / "dashboard" / "assets").exists():
        print(f"{NAME}: needs chromium, npm and the built page", file=sys.stderr)
        return
    folder = BUILD / "bench-dashboard"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE.parent / "e2e" / "dashboard", folder, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "ci", "--ignore-scripts", "--prefer-offline"], cwd=folder, check=True, capture_output=True, timeout=300)
    jobs, rounds = (300, 1) if bench.small else (5000, 5)
    measured = []
    for _ in range(rounds):
        done = subprocess.run(["node", "measure.mjs", "--dist", str(BUILD / "dashboard"), "--jobs", str(jobs)], cwd=folder,
                              check=True, capture_output=True, text=True, timeout=120)
        measured.append(json.loads(done.stdout))
    for key, unit in (("open_ms", "ms"), ("look_ms_per_s", "ms/s"), ("scroll_ms_per_frame", "ms/frame")):
        bench.report(NAME, {"jobs": jobs, "what": key.split("_")[0]}, unit, [m[key] for m in measured])


main()
