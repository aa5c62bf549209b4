#!/usr/bin/env python3
"""Virtual addresses on real machines (three network namespaces) and in the development cluster. Needs root.

l4lb/connect: connect, read and close through a virtual address and directly, in turns, from one machine to a backend on another.
l4lb/converge-real: a task's news on one machine's agent stream, to a connection through the virtual address on another machine.
l4lb/running-to-rules: TASK_RUNNING on the agent's stream, to the backend in the kernel's map.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
import l4lb  # noqa: E402
from harness.bench import Bench  # noqa: E402
from harness.cluster import Cluster, eventually  # noqa: E402

bench = Bench()

CONNECT = r'''
import json, socket, sys, time
direct, vip, times = (sys.argv[1], 31000), (sys.argv[2], 80), int(sys.argv[3])
samples = [[], []]
for i in range(times):
    for kind in ((0, 1) if i % 2 else (1, 0)):
        began = time.monotonic()
        s = socket.create_connection((direct, vip)[kind]); s.recv(10); s.close()
        if i >= times // 10: samples[kind].append((time.monotonic() - began) * 1e6)
print(json.dumps(samples))
'''

# Reads a port, connects to it again and again, tells when it worked.
PROBE = r'''
import socket, sys, time
for line in sys.stdin:
    while True:
        s = socket.socket(); s.settimeout(1)
        try:
            s.connect((sys.argv[1], int(line))); s.recv(10); break
        except OSError: time.sleep(0.001)
        finally: s.close()
    print(time.monotonic(), flush=True)
'''


def connect(world):
    a, b, c = world.machines
    vip = l4lb.wait_address(c, "one")
    eventually("it answers", lambda: c.ask("tcp", vip, 80, 4).get("a") == 4)
    times = 200 if bench.small else 5000
    out = c.ns.run(f"python3 -c '{CONNECT}' {a.ip} {vip} {times}", timeout=120)
    direct, through = json.loads(out)
    bench.report("l4lb/connect/direct", {}, "us", direct)
    bench.report("l4lb/connect/vip", {}, "us", through)
    bench.report("l4lb/connect", {"times": str(times)}, "ratio", [statistics.median(through) / statistics.median(direct)])


def converge(world):
    a, b, c = world.machines
    vip = l4lb.wait_address(c, "one")
    probe = c.ns.popen(["python3", "-c", PROBE, vip], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    samples = []
    try:
        for i in range(5 if bench.small else 60):
            port = 1000 + i
            probe.stdin.write(f"{port}\n")
            probe.stdin.flush()
            time.sleep(0.1)
            began = time.monotonic()
            a.task(f"x{i}", f"/one:{port}", 31000)
            samples.append((float(probe.stdout.readline()) - began) * 1000)
    finally:
        probe.kill()
        probe.wait()
    bench.report("l4lb/converge-real", {"machines": "3"}, "ms", samples)


def running_to_rules():
    samples = []
    with Cluster() as dev:
        running = {}

        def follow(port):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/tasks/stream")
            answer = connection.getresponse()
            while line := answer.readline():
                if line.startswith(b"data:") and b"TASK_RUNNING" in line and b'"id":"s' in line:
                    running.setdefault(json.loads(line[5:])["name"], time.monotonic())

        for agent in ("agent-1", "agent-2"):
            threading.Thread(target=follow, args=(dev.port(agent),), daemon=True).start()
        table = l4lb.call_table(dev)
        for i in range(2 if bench.small else 20):
            port = 7000 + i
            dev.add_app({"id": f"/s{i}", "cmd": "exec sleep 1000", "cpus": 0.01, "mem": 32, "instances": 0,
                         "portDefinitions": [{"port": 0, "labels": {"VIP_0": f"/s:{port}"}}]})
            dev.marathon("PUT", f"/v2/apps/s{i}", {"instances": 1})
            while f". 6 . {port} ." not in (text := l4lb.sh(f"nft -n list map inet {table} b16v4")) and f". tcp . {port} ." not in text:
                pass
            seen = time.monotonic()
            began = eventually("the agent told it", lambda: running.get(f"s{i}"))
            samples.append(max(0.0, (seen - began) * 1000))
    bench.report("l4lb/running-to-rules", {"agents": "2", "looked": "every run of nft"}, "ms", samples)


def main():
    in_world = [(name, run) for name, run in (("l4lb/connect", connect), ("l4lb/converge-real", converge)) if bench.wants(name)]
    rules = bench.wants("l4lb/running-to-rules")
    if os.geteuid() != 0 and (in_world or rules):
        print("l4lb_bench.py: needs root", file=sys.stderr)
        return
    if in_world:
        world = l4lb.World()
        try:
            for machine in world.machines:
                machine.start()
            a = world.machines[0]
            a.serve(31000, "a")
            a.task("one", "/one:80", 31000)
            for name, run in in_world:
                run(world)
        finally:
            world.close()
    if rules:
        running_to_rules()


if __name__ == "__main__":
    main()
