#!/usr/bin/env python3
"""Pulling an image from a registry on the loopback: POST of an app to its task running, against `skopeo copy` of the same image."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness.bench import Bench  # noqa: E402
from harness.cluster import Cluster, eventually  # noqa: E402
from harness.images import Registry, layer  # noqa: E402


def content(random_source, size):
    """As programs and texts are: a bit more than half of it is left when it is packed."""
    half = size // 2
    words = random_source.randbytes(4096)
    return random_source.randbytes(half) + (words * (half // len(words) + 1))[:size - half]


def make_layers(seed, megabytes, count):
    source = random.Random(seed)
    layers = [layer(base=True)]
    for number in range(count):
        files, left = [], megabytes * (1 << 20) // count
        while left > 0:
            size = min(left, source.choice((2_000, 20_000, 60_000, 400_000, 3_000_000)))
            files.append((f"data/{number}/{len(files)}", content(source, size), 0o644, 0))
            left -= size
        layers.append(layer(files=files))
    return layers


def skopeo(source, destination):
    began = time.monotonic()
    done = subprocess.run(["skopeo", "copy", "-q", "--src-tls-verify=false", source, destination], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


def main():
    bench = Bench()
    if not bench.wants("agent/pull-vs-skopeo"):
        return
    if not shutil.which("skopeo") or not shutil.which("docker-registry"):
        print("skopeo or docker-registry is not installed", file=sys.stderr)
        return
    megabytes, count, samples = (10, 2, 2) if bench.small else (100, 5, 7)
    ours, theirs, unpacked = [], [], []
    with Registry() as registry, Cluster(agents=1) as cluster, tempfile.TemporaryDirectory(prefix="dcos-bench-") as scratch:
        for number in range(samples + 1):  # the first warms up
            registry.push(f"bench:{number}", make_layers(number, megabytes, count), {"Cmd": ["sleep", "1000"]})
        for number in range(samples + 1):
            os.sync()
            source = f"docker://{registry.host}/bench:{number}"
            app = {"id": f"/bench{number}", "cpus": 0.01, "mem": 16, "container": {"type": "DOCKER", "docker": {"image": f"{registry.host}/bench:{number}"}}}
            began = time.monotonic()
            answer = cluster.marathon("POST", "/v2/apps", app)
            assert answer.status == 201, answer
            eventually("it runs", lambda: cluster.running(app["id"]), interval=0.005, limit=120)
            took = time.monotonic() - began
            os.sync()
            directory = skopeo(source, f"dir:{scratch}/{number}")
            os.sync()
            storage = skopeo(source, f"containers-storage:[overlay@{scratch}/storage+{scratch}/run]localhost/bench:{number}")
            if number > 0:
                ours.append(took)
                theirs.append(directory)
                unpacked.append(storage)
            cluster.marathon("DELETE", f"/v2/apps{app['id']}?force=true")
        subprocess.run(["umount", "-q", f"{scratch}/storage/overlay"], check=False)
    parameters = {"MiB": megabytes, "layers": count + 1}
    bench.report("agent/pull-vs-skopeo", {**parameters, "what": "app to running"}, "s", ours)
    bench.report("agent/pull-vs-skopeo", {**parameters, "what": "skopeo copy to dir: (packed)"}, "s", theirs)
    bench.report("agent/pull-vs-skopeo", {**parameters, "what": "skopeo copy to containers-storage: (unpacked)"}, "s", unpacked)
    bench.report("agent/pull-vs-skopeo", {**parameters, "what": "skopeo dir / ours"}, "times", [a / b for a, b in zip(theirs, ours)])
    bench.report("agent/pull-vs-skopeo", {**parameters, "what": "skopeo containers-storage / ours"}, "times", [a / b for a, b in zip(unpacked, ours)])


main()
