#!/usr/bin/env python3
"""Benchmarks of the scheduler against a real master and agents without machines (dcos-fleet): marathon/app-500,
marathon/apps-4x500, marathon/apps-8x50, marathon/posts-1000, marathon/large, marathon/events, marathon/failover,
marathon/idle-rss; and against three schedulers on a real ZooKeeper ensemble: marathon/failover-zookeeper."""

import datetime
import http.client
import json
import multiprocessing
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import zookeeper  # noqa: E402
from harness.bench import Bench  # noqa: E402
from harness.cluster import BIN, call, eventually  # noqa: E402

bench = Bench()
MASTER, MARATHON, SMALL, PORT = "127.77.1.11", "127.77.1.12", "127.77.1.15", 8080
AGENTS = 20 if bench.small else 190
EMBEDS = "&".join("embed=group." + part for part in ("groups", "apps", "apps.tasks", "apps.counts"))


class House:
    """A master, its fleet, and one scheduler with a store on this disk."""

    def __enter__(self):
        self.root = Path(tempfile.mkdtemp(prefix="dcos-marathon-bench-"))
        self.processes = {}
        try:
            self.start("master", [str(BIN / "dcos-master"), f"--ip={MASTER}", "--port=5050", "--registry=in_memory",
                                  "--logging_level=WARNING"])
            eventually("the master answers", lambda: call(5050, "GET", "/health", host=MASTER).status == 200)
            self.start("fleet", [str(BIN / "dcos-fleet"), f"--master={MASTER}:5050", f"--agents={AGENTS}"])
            eventually("all agents are there",
                       lambda: call(5050, "GET", "/metrics/snapshot", host=MASTER).json()["master/slaves_active"] == AGENTS, limit=120)
            self.start_marathon()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def start(self, name, words):
        log = open(self.root / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start_marathon(self):
        return self.start_scheduler("marathon", MARATHON, self.root)

    def start_scheduler(self, name, host, data):
        started = time.monotonic()
        self.start(name, [str(BIN / "dcos-marathon"), f"--master={MASTER}:5050", f"--http_address={host}", f"--hostname={host}",
                          f"--framework_name={name}", f"--data_dir={data}", "--logging_level=warn"])
        eventually("it answers", lambda: call(PORT, "GET", "/v2/info", host=host).status == 200, limit=120, interval=0.005)
        return time.monotonic() - started

    def kill_marathon(self):
        self.processes["marathon"].kill()
        self.processes["marathon"].wait()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            for log in sorted(self.root.glob("*.log")):
                print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-10:], sep="\n", file=sys.stderr)
        for process in self.processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def ask(self, method, path, body=None, timeout=300):
        return call(PORT, method, path, body, host=MARATHON, timeout=timeout)

    def clear(self):
        groups = self.ask("GET", "/v2/groups").json()
        for group in groups["groups"]:
            self.ask("DELETE", f"/v2/groups/{group['id']}?force=true")
        for app in groups["apps"]:
            self.ask("DELETE", f"/v2/apps/{app['id']}?force=true")
        eventually("everything is gone", lambda: self.ask("GET", "/v2/apps").json()["apps"] == [] and self.ask("GET", "/v2/deployments").json() == [],
                   limit=600)

    def until_deployed(self, method, path, body, interval=0.01):
        """Seconds from the request to the end of its deployment."""
        started = time.monotonic()
        answer = self.ask(method, path, body)
        assert answer.status in (200, 201), answer
        deployment = answer.headers["Marathon-Deployment-Id"]
        eventually("it is deployed", lambda: self.ask("GET", f"/v2/deployments/{deployment}").json().get("state") == "successful",
                   limit=900, interval=interval)  # each question makes it explain itself
        return time.monotonic() - started

    def status(self, key):
        for line in Path(f"/proc/{self.processes['marathon'].pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise KeyError(key)

    def resident_mib(self):
        return self.status("VmRSS") / 1024

    def cpu_ms(self, name="marathon"):
        """Of all its threads, to the nanosecond: what /proc/<pid>/stat counts in ticks is too coarse for one update."""
        tasks = Path(f"/proc/{self.processes[name].pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e6


def app(id, instances):
    return {"id": id, "cmd": "sleep 1000", "cpus": 0.01, "mem": 16, "instances": instances, "portDefinitions": []}


def rollouts(house):
    for name, apps, instances in (("app-500", 1, 500), ("apps-4x500", 4, 500), ("apps-8x50", 8, 50)):
        if not bench.wants(f"marathon/{name}"):
            continue
        if bench.small:
            instances //= 10
        samples = []
        for run in range(1 if bench.small else 5):
            group = f"g{run}"
            body = {"apps": [app(f"/{group}/a{i}", instances) for i in range(apps)]}
            samples.append(house.until_deployed("PUT", f"/v2/groups/{group}", body))
            house.clear()
        bench.report(f"marathon/{name}", {"apps": apps, "instances": instances, "agents": AGENTS}, "s", samples)


def running(house):
    return call(5050, "GET", "/metrics/snapshot", host=MASTER).json()["master/tasks_running"]


def posts(house):
    if not bench.wants("marathon/posts-1000"):
        return
    count = 50 if bench.small else 1000
    rates, rests = [], []
    for run in range(1 if bench.small else 3):
        connection = http.client.HTTPConnection(MARATHON, PORT, timeout=60)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.monotonic()
        for number in range(count):
            connection.request("POST", "/v2/apps", json.dumps(app(f"/p{run}/a{number}", 1)))
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 201, answer.status
        ended = time.monotonic()
        eventually("all run", lambda: running(house) == count, limit=300, interval=0.02)
        rests.append(time.monotonic() - ended)
        rates.append(count / (ended - started))
        connection.close()
        house.clear()
        eventually("the master has none", lambda: running(house) == 0, limit=300)
    bench.report("marathon/posts-1000", {"apps": count, "agents": AGENTS, "measure": "posts"}, "1/s", rates)
    bench.report("marathon/posts-1000", {"apps": count, "agents": AGENTS, "measure": "all run after the last"}, "s", rests)


UPDATE_RUNS = 3 if bench.small else 15  # a sweep that falls into one of them is no part of an update


def update_cost(house, name, host):
    """CPU milliseconds of one change of one app, to the end of its deployment."""
    count = 20 if bench.small else 200
    connection = http.client.HTTPConnection(host, PORT, timeout=60)
    started = house.cpu_ms(name)
    for number in range(count):
        connection.request("PUT", "/v2/apps//few/a0", json.dumps({"instances": 0, "labels": {"n": str(number)}}))
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
    eventually("all is deployed", lambda: call(PORT, "GET", "/v2/deployments", host=host).json() == [], limit=60)
    connection.close()
    return (house.cpu_ms(name) - started) / count


def update_costs(house):
    """Of the large scheduler, and of a small one beside it, in turns: what else the machine does slows both."""
    (house.root / "small").mkdir()
    house.start_scheduler("small", SMALL, house.root / "small")
    for host in (SMALL, MARATHON):
        answer = call(PORT, "PUT", "/v2/groups/few", {"apps": [app(f"/few/a{i}", 0) for i in range(10)]}, host=host)
        assert answer.status in (200, 201), answer
    few, many = [], []
    for number in range(UPDATE_RUNS + 1):
        pair = update_cost(house, "small", SMALL), update_cost(house, "marathon", MARATHON)
        if number > 0:  # a fresh process is slower
            few.append(pair[0])
            many.append(pair[1])
    house.processes["small"].kill()
    house.processes["small"].wait()
    return few, many


def timed_get(house, path, runs):
    samples = []
    for _ in range(runs):
        started = time.monotonic()
        answer = house.ask("GET", path)
        samples.append((time.monotonic() - started) * 1000)
        assert answer.status == 200
    return samples


def large(house):
    wants_large, wants_failover = bench.wants("marathon/large"), bench.wants("marathon/failover")
    if not wants_large and not wants_failover:
        return
    groups, apps, instances = (2, 10, 5) if bench.small else (10, 1000, 10)
    started = time.monotonic()
    for number in range(groups):
        house.until_deployed("PUT", f"/v2/groups/g{number}", {"apps": [app(f"/g{number}/a{i}", instances) for i in range(apps)]},
                             interval=0.01 if bench.small else 0.5)
    size = {"apps": groups * apps, "tasks": groups * apps * instances, "agents": AGENTS}
    if wants_large:
        bench.report("marathon/large", {**size, "measure": "all running"}, "s", [time.monotonic() - started])
        bench.report("marathon/large", {**size, "measure": "resident"}, "MiB", [house.resident_mib()])
        few, many = update_costs(house)
        bench.report("marathon/large", {**size, "measure": "CPU of an app's update"}, "ms", many)
        bench.report("marathon/large", {"apps": 10, "measure": "CPU of an app's update"}, "ms", few)
        bench.report("marathon/large", {**size, "measure": "CPU of an app's update, as a multiple of that among 10 apps"}, "",
                     [a / b for a, b in zip(many, few)])
        runs = 3 if bench.small else 7
        bench.report("marathon/large", {**size, "measure": "GET /v2/apps"}, "ms", timed_get(house, "/v2/apps", runs))
        bench.report("marathon/large", {**size, "measure": "GET /v2/groups with tasks"}, "ms", timed_get(house, f"/v2/groups?{EMBEDS}", runs))
        bench.report("marathon/large", {**size, "measure": "resident after these"}, "MiB", [house.resident_mib()])
    if wants_failover:
        samples, memory = [], []
        for _ in range(1 if bench.small else 5):
            house.kill_marathon()
            samples.append(house.start_marathon())
            memory.append(house.resident_mib())
        bench.report("marathon/failover", {**size, "measure": "start to serving"}, "s", samples)
        bench.report("marathon/failover", {**size, "measure": "resident after the start"}, "MiB", memory)


class Reader:
    """One event stream. `samples`: seconds from the time in an event to its arrival; null: only counted."""

    def __init__(self, samples, buffer=None):
        self.samples, self.events, self.rest, self.open = samples, 0, b"", True
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect((MARATHON, PORT))
        self.socket.sendall(b"GET /v2/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")

    def read(self):
        data = self.socket.recv(1 << 18)
        if not data:
            self.open = False
            return
        self.events += data.count(b"\r\nid: ")
        if self.samples is None:
            return
        now = time.time()
        text = self.rest + data
        pieces = text.split(b'"timestamp":"')
        for piece in pieces[1:]:
            if len(piece) >= 24:
                sent = datetime.datetime.strptime(piece[:23].decode() + "+0000", "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
                self.samples.append((now - sent) * 1000)
        cut = text.rfind(b'"timestamp":"')
        self.rest = text[cut:] if cut >= 0 and len(text) - cut < 37 else b""


EVENT_APPS = 50


def toggle(rate, seconds, instances):
    """At a steady pace, one app after the other gets so many instances, or none again: their tasks come and go."""
    connection = http.client.HTTPConnection(MARATHON, PORT, timeout=60)
    begun = time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0, begun + number / rate - time.monotonic()))
        wanted = instances if number // EVENT_APPS % 2 == 0 else 0
        connection.request("PUT", f"/v2/apps//events/a{number % EVENT_APPS}?force=true", json.dumps({"instances": wanted}))
        connection.getresponse().read()


def events(house):
    """Streams that follow, one that reads nothing, and tasks that come and go at a steady pace."""
    if not bench.wants("marathon/events"):
        return
    streams, rate, seconds, instances = (10, 5, 3, 3) if bench.small else (200, 35, 20, 10)
    lags = []
    readers = [Reader(lags if number % 50 == 0 else None) for number in range(streams)]
    stalled = Reader(None, 4096)
    house.ask("PUT", "/v2/groups/events", {"apps": [app(f"/events/a{i}", 0) for i in range(EVENT_APPS)]})
    selector = selectors.DefaultSelector()
    for reader in readers:
        selector.register(reader.socket, selectors.EVENT_READ, reader)
    # A process of its own: what the readers do here must not slow the changes.
    writer = multiprocessing.get_context("fork").Process(target=toggle, args=(rate, seconds, instances))
    cpu = house.cpu_ms()
    begun = time.monotonic()
    writer.start()
    while writer.is_alive():
        for key, _ in selector.select(0.1):
            key.data.read()
    took = time.monotonic() - begun
    cpu = house.cpu_ms() - cpu
    writer.join()
    assert writer.exitcode == 0, "the changes were not made"
    assert all(reader.open for reader in readers), "a stream that followed was cut"
    lags.sort()
    parameters = {"streams": streams, "events per second": round(readers[0].events / took)}
    bench.report("marathon/events", {**parameters, "measure": "lag p99"}, "ms", [lags[int(len(lags) * 0.99)]])
    bench.report("marathon/events", {**parameters, "measure": "lag median"}, "ms", [statistics.median(lags)])
    bench.report("marathon/events", {**parameters, "measure": "the scheduler's CPU"}, "ms/s", [cpu / took])

    def cut():
        stalled.socket.setblocking(False)
        try:
            while stalled.socket.recv(1 << 20):
                pass
            return True
        except ConnectionResetError:
            return True
        except BlockingIOError:
            return False
    if not bench.small:  # less than it may be behind
        eventually("the one that reads nothing is cut", cut, limit=10)
    for reader in readers + [stalled]:
        reader.socket.close()
    house.clear()


class Candidates(House):
    """Three schedulers with their state in a ZooKeeper ensemble; of one that is killed a supervisor starts another."""

    IPS = ["127.77.1.12", "127.77.1.13", "127.77.1.14"]

    def __init__(self):
        self.ensemble = None

    def start_marathon(self):
        self.ensemble = zookeeper.Ensemble(self.root, [(f"127.77.1.{21 + i}", []) for i in range(3)], tick_ms=250).__enter__()
        for ip in self.IPS:
            self.start_candidate(ip)
        eventually("one acts", self.leader, limit=60)

    def start_candidate(self, ip):
        self.start(ip, [str(BIN / "dcos-marathon"), f"--master={MASTER}:5050", f"--zk=zk://{self.ensemble.servers}/marathon",
                        "--zk_session_timeout=2000", f"--http_address={ip}", f"--hostname={ip}", "--logging_level=warn"])

    def __exit__(self, kind, value, trace):
        super().__exit__(kind, value, trace)
        if self.ensemble:
            self.ensemble.__exit__(None, None, None)

    def leader(self):
        """The address of the one that acts, when it answers for the apps."""
        for ip in self.IPS:
            try:
                answer = call(PORT, "GET", "/v2/apps//g0/a0", host=ip, timeout=1)
                known = call(PORT, "GET", "/v2/leader", host=ip, timeout=1)
            except OSError:
                continue
            if answer.status in (200, 404) and known.status == 200:
                return known.json()["leader"].split(":")[0]
        return None

    def ask(self, method, path, body=None, timeout=300):
        return call(PORT, method, path, body, host=self.leader() or self.IPS[0], timeout=timeout)


def failover_zookeeper():
    """From SIGKILL of the one that acts to answers of the next, which has read everything from ZooKeeper."""
    if not bench.wants("marathon/failover-zookeeper"):
        return
    if not zookeeper.available():
        print("marathon/failover-zookeeper: the package zookeeper is not installed", file=sys.stderr)
        return
    groups, apps = (1, 10) if bench.small else (10, 1000)
    with Candidates() as house:
        for number in range(groups):
            house.until_deployed("PUT", f"/v2/groups/g{number}", {"apps": [app(f"/g{number}/a{i}", 1) for i in range(apps)]}, interval=0.5)
        samples = []
        for _ in range(1 if bench.small else 5):
            leader = eventually("one acts", house.leader, limit=60)
            started = time.monotonic()
            house.processes[leader].kill()
            eventually("another answers", lambda: house.leader() not in (None, leader), limit=120, interval=0.01)
            samples.append(time.monotonic() - started)
            house.processes[leader].wait()
            house.start_candidate(leader)
            time.sleep(3)  # it is a candidate again
        bench.report("marathon/failover-zookeeper", {"apps": groups * apps, "tasks": groups * apps, "session_timeout_ms": 2000,
                                                     "schedulers": 3, "zookeeper": 3, "by": "SIGKILL"}, "s", samples)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = ["idle-rss", "app-500", "apps-4x500", "apps-8x50", "posts-1000", "events", "large", "failover"]
    if bench.listing:
        for name in [*names, "failover-zookeeper"]:
            bench.wants(f"marathon/{name}")
        return
    failover_zookeeper()
    if not any(bench.wants(f"marathon/{name}") for name in names):
        return
    with House() as house:
        if bench.wants("marathon/idle-rss"):
            time.sleep(1)
            bench.report("marathon/idle-rss", {"apps": 0}, "MiB", [house.resident_mib()])
        for run in (rollouts, posts, events, large):
            run(house)


main()
