"""The Python side of the benchmark harness: the same JSON lines as base/testing/bench.hpp."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path


def _commit():
    top = Path(__file__).resolve().parents[2]
    done = subprocess.run(["git", "-C", str(top), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def _machine():
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} x {model}"


class Bench:
    def __init__(self, words=None):
        words = sys.argv[1:] if words is None else words
        self.small = "--small" in words
        self.listing = "--list" in words
        self.names = [w for w in words if not w.startswith("--")]

    def wants(self, name):
        if self.listing:
            print(name)
            return False
        return not self.names or any(name.startswith(n) for n in self.names)

    def report(self, name, parameters, unit, samples):
        samples = sorted(samples)
        print(json.dumps({"name": name, "parameters": parameters, "median": round(statistics.median(samples), 4),
                          "spread": [round(samples[0], 4), round(samples[-1], 4)], "samples": len(samples), "unit": unit,
                          "commit": _commit(), "machine": _machine()}), flush=True)
