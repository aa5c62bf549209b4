#!/usr/bin/env python3
"""The house rules that a machine can check, as one table. Prints each breach as file:line: rule; exit code 1 if any.

A rule that is broken for a good reason is listed in EXEMPT with that reason.
"""

import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

# (path prefix or file, rule name): why.
EXEMPT = {}


def exempt(path, rule):
    return any(path.startswith(prefix) and name == rule for prefix, name in EXEMPT)


def sources():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                            cwd=TOP, capture_output=True, text=True, check=True)
    return [p for p in listed.stdout.split() if (TOP / p).is_file()]


HEAVY = re.compile(r'#include\s+[<"](boost/asio|boost/beast|boost/json\.hpp|spdlog/|grpcpp/|yaml-cpp/|zookeeper/|regex>|iostream>|nlohmann/)')
PB = re.compile(r'#include\s+"[^"]*\.pb\.h"')
PRODUCTS = ["marathon", "chronos", "metronome", "dns", "l4lb", "admin-router", "cli", "universe", "installer"]

# (rule, files it reads, pattern that must not occur, what to do instead)
BANNED = [
    # The programs of which one runs per container are too small for base's loop; each reads the clock at one place.
    ("clock", lambda p: not p.startswith(("base/", "kernel/executor/default/poller.cpp", "kernel/containerizer/launch/board.cpp")), re.compile(r"\b(system_clock|steady_clock)::now\b|\bgettimeofday\(|\bclock_gettime\("),
     "take Now from the event, or base::system_clock() in a shell"),
    ("random", lambda p: not p.startswith("base/random"), re.compile(r"\bstd::(random_device|mt19937)|\brand\(\)"),
     "use base::Random"),
    ("getenv", lambda p: "flags" not in p and "main.cpp" not in p and not p.startswith(("cli/", "base/")), re.compile(r"\bgetenv\("),
     "read the environment in main and hand it to the flag table"),
    ("exceptions", lambda p: True, re.compile(r"\bthrow\s+[A-Za-z_:]+[({]"), "return Result; catch a library's exceptions in its adapter"),
    ("unfinished", lambda p: True, re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "finish it, or write what is missing in docs/compatibility.md"),
]

# `for (x : f(...).value())`: in C++20 the Result dies before the loop begins.
DANGLING_RANGE = re.compile(r"\bfor \([^;:]*[^:;]:[^:;][^;{]*\)\.value\(\)\)(?: \{)?$")

BRACED_AWAIT = re.compile(r"co_await\b[^;]*(\{|\[[^\]]+\]\s*\()")


def strip_comments(line):
    return re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]


def check(path):
    text = (TOP / path).read_text(errors="replace")
    lines = text.split("\n")
    cpp = path.endswith((".cpp", ".hpp"))
    test = path.endswith(("_test.cpp", "_bench.cpp", "_fuzz.cpp")) or path.startswith("tests/")

    limit = 1500 if test else 1000
    if (cpp or path.endswith((".py", ".ts", ".tsx"))) and len(lines) > limit:
        yield 1, "size", f"{len(lines)} lines, the limit is {limit}: split it by noun"
    if not cpp:
        return

    for number, raw in enumerate(lines, 1):
        line = strip_comments(raw)
        if len(raw) > 140:
            yield number, "line", f"{len(raw)} characters"
        if path.endswith(".hpp"):
            if HEAVY.search(raw):
                yield number, "heavy-header", "confine it to a .cpp file behind an interface"
            if PB.search(raw) and not path.startswith("kernel/") and not path.startswith("tests/"):
                yield number, "pb-header", "forward-declare the message, include it in the .cpp file"
        folder = path.split("/")[0]
        include = re.match(r'#include\s+"([^"]+)"', raw)
        if include and "/" not in include.group(1):
            yield number, "include-root", "includes are rooted at the repository"
        if include and folder in PRODUCTS:
            other = include.group(1).split("/")[0]
            if other in PRODUCTS and other != folder:
                yield number, "product-include", f"{folder} may not include {other}: products meet on the wire"
            if include.group(1).startswith(("kernel/master/", "kernel/agent/")):
                yield number, "product-include", "products use kernel/client, never the daemons"
        for rule, applies, pattern, mend in BANNED:
            if applies(path) and not (test and rule in ("clock", "random", "getenv", "exceptions")) and pattern.search(line):
                yield number, rule, mend
        if DANGLING_RANGE.search(line):
            yield number, "dangling-range", "name the result first: the loop would read a temporary that is gone"
        if BRACED_AWAIT.search(line):
            yield number, "co_await", "name the argument first: this compiler destroys such temporaries twice"
    if path.endswith(".hpp") and "#pragma once" not in text:
        yield 1, "pragma-once", "begin with #pragma once"


def folders_without_readme(paths):
    tops = {p.split("/")[0] for p in paths if "/" in p and not p.startswith(".")}
    for top in sorted(tops):
        if top not in ("docs",) and not (TOP / top / "README.md").exists():
            yield top


def main():
    paths = sources()
    breaches = []
    for path in paths:
        for number, rule, mend in check(path):
            if not exempt(path, rule):
                breaches.append(f"{path}:{number}: {rule}: {mend}")
    for folder in folders_without_readme(paths):
        breaches.append(f"{folder}/: readme: each folder has a page of prose at its door")
    print("\n".join(breaches))
    print(f"tidy: {len(paths)} files, {len(breaches)} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
