#!/usr/bin/env python3
"""dns/qps: dcos-dns against Knot with the same zone of 10,000 apps in the same run. dns/push: from TASK_RUNNING to the name."""

import http.server
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import dns  # noqa: E402
from harness.bench import Bench  # noqa: E402
from harness.cluster import BIN, Cluster, call, eventually  # noqa: E402
from harness.ports import free_port  # noqa: E402

AGENTS = 100


def state_of(apps):
    agents = [{"agent_info": {"id": {"value": f"a-S{n}"}, "hostname": f"agent{n}"}, "active": True, "version": "1.12.0",
               "pid": f"slave(1)@10.0.{n // 250}.{n % 250 + 1}:5051"} for n in range(AGENTS)]
    framework = {"framework_info": {"user": "root", "name": "marathon", "id": {"value": "F"}, "hostname": "10.0.0.1"},
                 "active": True, "connected": True, "recovered": False}
    tasks = [{"name": f"app-{n}", "task_id": {"value": f"app-{n}.instance-6a7c2f10-e9a7-11f1-8721-27ee9ae4{n:04x}._app.1"},
              "framework_id": {"value": "F"}, "agent_id": {"value": f"a-S{n % AGENTS}"}, "state": "TASK_RUNNING",
              "resources": [{"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31000 + n % 900, "end": 31000 + n % 900}]}}],
              "discovery": {"visibility": "FRAMEWORK", "name": f"app-{n}",
                            "ports": {"ports": [{"number": 31000 + n % 900, "name": "default", "protocol": "tcp"}]}},
              "statuses": [{"task_id": {"value": "t"}, "state": "TASK_RUNNING", "timestamp": 1.0}]} for n in range(apps)]
    return {"get_agents": {"agents": agents}, "get_frameworks": {"frameworks": [framework]}, "get_tasks": {"tasks": tasks}}


class Master:
    """The operator API's stream with a state made up for the benchmark."""

    def __init__(self, state):
        event = json.dumps({"type": "SUBSCRIBED", "subscribed": {"heartbeat_interval_seconds": 1000.0, "get_state": state}}).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(str(len(event)).encode() + b"\n" + event)
                self.wfile.flush()
                threading.Event().wait()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def memory_mib(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def cpu_seconds(pid):
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_ours(master):
    port, http_port = free_port(), free_port()
    process = subprocess.Popen([BIN / "dcos-dns", f"--masters=127.0.0.1:{master.port}", "--listener=127.0.0.1", f"--port={port}",
                                "--http_listener=127.0.0.1", f"--http_port={http_port}", "--rate_limit=0"],
                               stderr=subprocess.DEVNULL)
    eventually("dcos-dns has the state", lambda: call(http_port, "GET", "/health").status == 200, limit=60)
    return process, port, http_port


def start_knot(directory, records):
    port = free_port()
    zone = ["$ORIGIN mesos.", "$TTL 60", "@ SOA ns1 root.ns1 1 60 600 86400 60", "@ NS ns1", "ns1 A 127.0.0.1"]
    for name, addresses in records["As"].items():
        if name != "ns1.mesos.":
            zone += [f"{name} A {address}" for address in addresses]
    for name, targets in records["SRVs"].items():
        for target in targets:
            host, _, target_port = target.rpartition(":")
            zone.append(f"{name} SRV 0 1 {target_port} {host}")
    Path(directory, "mesos.zone").write_text("\n".join(zone) + "\n")
    Path(directory, "knot.conf").write_text(f"""server:
    rundir: "{directory}"
    listen: 127.0.0.1@{port}
    udp-workers: {os.cpu_count()}
database:
    storage: "{directory}"
template:
  - id: default
    storage: "{directory}"
    file: "%s.zone"
    zonefile-load: whole
    journal-content: none
zone:
  - domain: mesos
""")
    process = subprocess.Popen([shutil.which("knotd") or "/usr/sbin/knotd", "-c", f"{directory}/knot.conf"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually("knot answers", lambda: dns.ask(("127.0.0.1", port), "app-0.marathon.mesos", timeout=1).values(), limit=60)
    return process, port


def dnsperf(pid, port, queries, seconds):
    before = cpu_seconds(pid)
    done = subprocess.run(["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", queries, "-l", str(seconds), "-c", "20", "-q", "500"],
                          capture_output=True, text=True)
    rate = float(re.search(r"Queries per second:\s+([\d.]+)", done.stdout)[1])
    lost = float(re.search(r"Queries lost:\s+\d+ \(([\d.]+)%\)", done.stdout)[1])
    average = float(re.search(r"Average Latency \(s\):\s+([\d.]+)", done.stdout)[1])
    answered = int(re.search(r"Queries completed:\s+(\d+)", done.stdout)[1])
    return rate, lost, average * 1000, (cpu_seconds(pid) - before) / answered * 1e6


def qps(bench):
    apps, seconds, rounds = (500, 1, 1) if bench.small else (10_000, 6, 5)
    master = Master(state_of(apps))
    directory = tempfile.mkdtemp(prefix="dcos-bench-dns-")
    ours, port, http_port = start_ours(master)
    knot = None
    try:
        time.sleep(1)  # what the state came in is given back
        loaded = memory_mib(ours.pid)
        records = call(http_port, "GET", "/v1/axfr", timeout=60).json()["Records"]
        knot, knot_port = start_knot(directory, records)
        parameters = {"apps": apps, "records": sum(len(v) for kind in records.values() for v in kind.values())}
        for kind, name in (("A", "app-{}.marathon.mesos"), ("SRV", "_app-{}._tcp.marathon.mesos")):
            queries = Path(directory, f"queries-{kind}")
            queries.write_text("".join(name.format(n) + f" {kind}\n" for n in range(apps)))
            results = {"dcos-dns": [], "knot": []}
            for _ in range(rounds):  # in turn, so that whatever else the machine does meets both
                results["dcos-dns"].append(dnsperf(ours.pid, port, queries, seconds))
                results["knot"].append(dnsperf(knot.pid, knot_port, queries, seconds))
            for server, samples in results.items():
                bench.report("dns/qps", {**parameters, "server": server, "type": kind,
                                         "cpu_us_per_query": round(statistics.median(s[3] for s in samples), 2),
                                         "latency_ms": round(statistics.median(s[2] for s in samples), 3),
                                         "lost_percent": max(s[1] for s in samples)}, "queries/s", [s[0] for s in samples])
        bench.report("dns/memory", {**parameters, "server": "dcos-dns", "loaded": round(loaded, 1)}, "MiB resident",
                     [memory_mib(ours.pid)])
        bench.report("dns/memory", {**parameters, "server": "knot"}, "MiB resident", [memory_mib(knot.pid)])
    finally:
        for process in (ours, knot):
            if process:
                process.terminate()
                process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def push(bench):
    """End to end on a real cluster: the executor's time of TASK_RUNNING to the first answer, asked for every millisecond."""
    apps = 5 if bench.small else 40
    samples = []
    with Cluster() as cluster:
        server = (f"127.53.{cluster.offset // 250}.{cluster.offset % 250 + 1}", 53)
        for n in range(apps):
            name = f"push-{n}.marathon.mesos"
            answered = []

            def watch():
                while not dns.ask(server, name).values():
                    time.sleep(0.001)
                answered.append(time.time())

            thread = threading.Thread(target=watch)
            thread.start()
            answer = cluster.marathon("POST", "/v2/apps", {"id": f"/push-{n}", "cmd": "sleep 100000", "cpus": 0.01, "mem": 16})
            assert answer.status == 201, answer
            thread.join(60)
            tasks = [task for f in cluster.master("GET", "/state").json()["frameworks"] for task in f["tasks"] if task["name"] == f"push-{n}"]
            running = min(s["timestamp"] for s in tasks[0]["statuses"] if s["state"] == "TASK_RUNNING")
            samples.append((answered[0] - running) * 1000)
            cluster.marathon("DELETE", f"/v2/apps/push-{n}?force=true")
    samples.sort()
    bench.report("dns/push", {"apps": apps, "p99": round(samples[int(0.99 * (len(samples) - 1))], 2)}, "ms", samples)


def main():
    bench = Bench()
    if bench.wants("dns/qps"):
        qps(bench)
    if bench.wants("dns/push"):
        push(bench)


main()
