"""Runs test functions and reports each as tests/run wants it: pass|fail|skip, name, reason."""

import os
import sys
import time
import traceback


class Skip(Exception):
    """Raised by a test that cannot run here, with the reason."""


def report(kind, name, reason=""):
    line = "\t".join([kind, name, reason.replace("\n", " ").replace("\t", " ")[:300]])
    path = os.environ.get("RESULTS")
    if path:
        with open(path, "a") as results:
            results.write(line + "\n")


def run(suite, tests, arguments=None):
    """Runs functions named in `arguments` (all when empty); exits with 1 when one failed."""
    wanted = sys.argv[1:] if arguments is None else arguments
    failed = 0
    for test in tests:
        name = f"{suite}/{test.__name__}"
        if wanted and not any(test.__name__.startswith(word) for word in wanted):
            continue
        print(f"-- {name}: {(test.__doc__ or '').strip().splitlines()[0]}", flush=True)
        started = time.monotonic()
        try:
            test()
        except Skip as skip:
            print(f"   skipped: {skip}", flush=True)
            report("skip", name, str(skip))
        except Exception as error:  # a test may fail in any way
            failed += 1
            traceback.print_exc()
            print(f"   FAILED: {error}", flush=True)
            report("fail", name, f"{type(error).__name__}: {error}")
        else:
            print(f"   ok ({time.monotonic() - started:.1f} s)", flush=True)
            report("pass", name)
    sys.exit(1 if failed else 0)
