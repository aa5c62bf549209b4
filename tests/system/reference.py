#!/usr/bin/env python3
"""docs/reference is what the programs say."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness.results import run  # noqa: E402


def pages_are_up_to_date():
    """Flags, endpoints and commands as the built programs tell them."""
    generate = Path(__file__).resolve().parents[2] / "docs/reference/generate"
    done = subprocess.run([generate, "--check"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    run("reference", [pages_are_up_to_date])
