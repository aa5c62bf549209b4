#!/usr/bin/env python3
"""Benchmarks of several masters on a real ZooKeeper ensemble: ha/failover, ha/handover, ha/acknowledged-write,
ha/failover-fleet."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import zookeeper  # noqa: E402
from harness.bench import Bench  # noqa: E402
from harness.cluster import BIN, call, eventually  # noqa: E402
from harness.scheduler import Scheduler  # noqa: E402

bench = Bench()
SESSION, TICK_MS = "2secs", 250
ZK_IPS = ["127.77.0.21", "127.77.0.22", "127.77.0.23"]
MASTER_IPS = ["127.77.0.11", "127.77.0.12", "127.77.0.13"]
AGENT_IPS = ["127.77.0.31", "127.77.0.32", "127.77.0.33", "127.77.0.34"]


class House:
    def __init__(self, fleet=0):
        self.fleet = fleet
        self.agents = fleet or len(AGENT_IPS)
        self.root = Path(tempfile.mkdtemp(prefix="dcos-ha-bench-"))
        self.processes, self.ensemble, self.leader_cpu, self.fleet_cpu = {}, None, [], []

    def start(self, name, words):
        log = open(self.root / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start_master(self, ip):
        self.start(ip, [str(BIN / "dcos-master"), f"--ip={ip}", f"--hostname={ip}", "--port=5050", f"--zk={self.zk}",
                        f"--zk_session_timeout={SESSION}", "--logging_level=WARNING"])

    def __enter__(self):
        try:
            return self._enter()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise

    def _enter(self):
        self.ensemble = zookeeper.Ensemble(self.root, [(ip, []) for ip in ZK_IPS], tick_ms=TICK_MS).__enter__()
        self.zk = f"zk://{self.ensemble.servers}/mesos"
        for ip in MASTER_IPS:
            self.start_master(ip)
        if self.fleet:
            self.start("fleet", [str(BIN / "dcos-fleet"), f"--master={self.zk}", f"--agents={self.fleet}", "--zk_session_timeout=20secs"])
        for number, ip in enumerate(AGENT_IPS if not self.fleet else []):
            # The master knows an agent by where its connection comes from, which is one address here, and its port.
            self.start(ip, [str(BIN / "dcos-agent"), f"--ip={ip}", f"--port={5051 + number}", f"--hostname={ip}", f"--master={self.zk}", "--launcher=posix",
                            "--isolation=posix/cpu,posix/mem", f"--work_dir={self.root}/{ip}",
                            "--resources=cpus:2;mem:512;disk:512;ports:[31000-31010]", f"--zk_session_timeout={SESSION}"])
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            for log in sorted(self.root.glob("*.log")):
                print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-10:], sep="\n", file=sys.stderr)
        for process in self.processes.values():
            process.kill()
            process.wait()
        if self.ensemble:
            self.ensemble.__exit__(None, None, None)
        shutil.rmtree(self.root, ignore_errors=True)

    def cpu(self, name):
        words = Path(f"/proc/{self.processes[name].pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def leader(self):
        for ip in MASTER_IPS:
            try:
                if call(5050, "GET", "/weights", host=ip, timeout=1).status == 200:
                    return ip
            except OSError:
                pass
        return None

    def settled(self):
        ip = self.leader()
        return ip and call(5050, "GET", "/metrics/snapshot", host=ip).json()["master/slaves_active"] == self.agents and ip


def lose_leader(house, how, runs, all_back=None):
    """From the signal to the first offers that a framework gets from the next leader; `all_back`: and to every agent back."""
    scheduler = Scheduler([f"{ip}:5050" for ip in MASTER_IPS], 0, lambda task: "true", "bench",
                          answer_offers=not house.fleet).start()
    samples = []
    for _ in range(runs):
        leader = eventually("settled", house.settled, limit=20 + house.agents / 20)
        eventually("the framework gets offers there", lambda: scheduler.offers_at and scheduler.master.startswith(leader), limit=20)
        time.sleep(0.3 + 0.13 * len(samples))  # at different moments between two signs of life
        before = scheduler.subscriptions
        fleet_before = house.cpu("fleet") if house.fleet else 0
        started = time.monotonic()
        os.kill(house.processes[leader].pid, how)
        house.processes[leader].wait()
        house.start_master(leader)  # as a supervisor does
        eventually("offers from the next leader", lambda: any(s > before for _, s in scheduler.offers_at), limit=60, interval=0.005)
        samples.append(next(at for at, s in scheduler.offers_at if s > before) - started)
        if all_back is not None:
            eventually("all agents are back", house.settled, limit=20 + house.agents / 20)
            all_back.append(time.monotonic() - started)
            house.leader_cpu.append(house.cpu(scheduler.master.split(":")[0]))
            house.fleet_cpu.append(house.cpu("fleet") - fleet_before)
    scheduler.close()
    return samples


def acknowledged_write(house, runs):
    """One operator call that is durable on two of three servers, over HTTP."""
    leader = eventually("settled", house.settled, limit=20)
    samples = []
    for number in range(runs):
        started = time.monotonic()
        answer = call(5050, "PUT", "/weights", [{"role": "bench", "weight": float(number + 1)}], host=leader)
        samples.append(1000 * (time.monotonic() - started))
        assert answer.status == 200, answer
    return samples


def fleet():
    """With thousands of agents, which share the machine with everything else here."""
    agents = 100 if bench.small else 5000
    with House(agents) as house:
        all_back = []
        first = lose_leader(house, signal.SIGKILL, 1 if bench.small else 3, all_back)
        parameters = {"agents": agents, "session_timeout": SESSION, "tick_ms": TICK_MS, "zookeeper": 3, "by": "SIGKILL"}
        bench.report("ha/failover-fleet", {**parameters, "to": "first offers"}, "s", first)
        bench.report("ha/failover-fleet", {**parameters, "to": "every agent back"}, "s", all_back)
        bench.report("ha/failover-fleet", {**parameters, "of": "the new leader's CPU until every agent is back"}, "s", house.leader_cpu)
        bench.report("ha/failover-fleet", {**parameters, "of": "the CPU of the agents' process meanwhile"}, "s", house.fleet_cpu)


def main():
    names = ("ha/failover", "ha/handover", "ha/acknowledged-write", "ha/failover-fleet")
    wanted = [name for name in names if bench.wants(name)]
    if not wanted:
        return
    if not zookeeper.available():
        print("ha: the package zookeeper is not installed", file=sys.stderr)
        return
    if "ha/failover-fleet" in wanted:
        fleet()
        wanted.remove("ha/failover-fleet")
    if not wanted:
        return
    with House() as house:
        parameters = {"agents": len(AGENT_IPS), "session_timeout": SESSION, "tick_ms": TICK_MS, "zookeeper": 3}
        if "ha/failover" in wanted:
            bench.report("ha/failover", {**parameters, "by": "SIGKILL"}, "s", lose_leader(house, signal.SIGKILL, 2 if bench.small else 9))
        if "ha/handover" in wanted:
            bench.report("ha/handover", {**parameters, "by": "SIGTERM"}, "s", lose_leader(house, signal.SIGTERM, 2 if bench.small else 9))
        if "ha/acknowledged-write" in wanted:
            bench.report("ha/acknowledged-write", parameters, "ms", acknowledged_write(house, 20 if bench.small else 300))


main()
