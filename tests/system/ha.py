#!/usr/bin/env python3
"""Three masters on a real ZooKeeper ensemble: every way of losing the leader, with tasks running and an operator writing.

Everything runs in network namespaces of the test's own (a bridge, one namespace per master and agent), so that a leader
can be cut off from ZooKeeper alone, or from agents alone. They vanish with the test.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results, zookeeper  # noqa: E402
from harness.cluster import BIN, call, eventually  # noqa: E402
from harness.scheduler import Scheduler  # noqa: E402

NET = "10.77.0."
ZK_IPS = [NET + str(20 + i) for i in (1, 2, 3)]
SESSION = os.environ.get("HA_SESSION", "4secs")
TASKS = 6


def ip(*words, inside=None):
    prefix = [] if inside is None else ["nsenter", "-t", str(inside), "-n", "--"]
    subprocess.run([*prefix, "ip", *words], check=True, capture_output=True)


class Place:
    """A network namespace with one address on the bridge."""

    def __init__(self, name, address):
        self.address = address
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "1000000"])
        own = os.readlink("/proc/self/ns/net")
        eventually("a namespace of its own", lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own)
        pid = self.holder.pid
        ip("link", "add", f"v-{name}", "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        ip("link", "set", f"v-{name}", "master", "br0", "up")
        ip("addr", "add", f"{address}/24", "dev", "eth0", inside=pid)
        ip("link", "set", "eth0", "up", inside=pid)
        ip("link", "set", "lo", "up", inside=pid)

    @property
    def prefix(self):
        return ["nsenter", "-t", str(self.holder.pid), "-n", "--"]

    def cut(self, addresses):
        for address in addresses:
            ip("route", "add", "blackhole", f"{address}/32", inside=self.holder.pid)

    def heal(self, addresses):
        for address in addresses:
            ip("route", "del", "blackhole", f"{address}/32", inside=self.holder.pid)

    def close(self):
        self.holder.kill()
        self.holder.wait()


class Supervised:
    """A daemon in a place of its own and its supervisor: started again a moment after it ends."""

    def __init__(self, place, log_path, arguments):
        self.place, self.address, self.log_path, self.arguments = place, place.address, log_path, arguments
        self.process, self.exits, self.wanted = None, [], True
        self.supervisor = threading.Thread(target=self._supervise, daemon=True)
        self.supervisor.start()

    def _supervise(self):
        while self.wanted:
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen([*self.place.prefix, *self.arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            code = self.process.wait()
            self.exits.append(code)
            time.sleep(0.3)

    def close(self):
        self.wanted = False
        if self.process and self.process.poll() is None:
            self.process.kill()
        self.supervisor.join(5)
        self.place.close()


class Master(Supervised):
    def __init__(self, number, root, zk):
        place = Place(f"m{number}", NET + str(10 + number))
        super().__init__(place, root / f"master{number}.log",
                         [str(BIN / "dcos-master"), f"--ip={place.address}", f"--hostname={place.address}", f"--zk={zk}",
                          f"--zk_session_timeout={SESSION}", "--quorum=2"])

    def get(self, path, timeout=3):
        return call(5050, "GET", path, host=self.address, timeout=timeout)

    def elected(self):
        """Says itself that it leads, or nothing at all."""
        try:
            return self.get("/metrics/snapshot", timeout=0.5).json().get("master/elected") == 1
        except (OSError, http.client.HTTPException, ValueError):
            return False


class Cluster:
    def __enter__(self):
        try:
            return self._enter()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise

    def _enter(self):
        self.root = Path(tempfile.mkdtemp(prefix="dcos-ha-"))
        self.masters, self.agents, self.ensemble = [], [], None
        ip("link", "set", "lo", "up")
        ip("link", "add", "br0", "type", "bridge")
        for address in [NET + "254", *ZK_IPS]:
            ip("addr", "add", f"{address}/24", "dev", "br0")
        ip("link", "set", "br0", "up")
        self.ensemble = zookeeper.Ensemble(self.root, [(address, []) for address in ZK_IPS]).__enter__()
        zk = f"zk://{self.ensemble.servers}/mesos"
        self.masters = [Master(number, self.root, zk) for number in (1, 2, 3)]
        for number in (1, 2):
            place = Place(f"a{number}", NET + str(30 + number))
            log = open(self.root / f"agent{number}.log", "ab")
            process = subprocess.Popen(
                [*place.prefix, str(BIN / "dcos-agent"), f"--ip={place.address}", f"--hostname={place.address}", f"--master={zk}",
                 f"--work_dir={self.root}/agent{number}", "--launcher=posix", "--isolation=posix/cpu,posix/mem",
                 "--resources=cpus:2;mem:1024;disk:1024;ports:[31000-31100]", f"--zk_session_timeout={SESSION}",
                 "--registration_backoff_factor=100ms"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.agents.append((place, process))
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and not (kind is SystemExit and value.code == 0):
            for log in sorted(self.root.glob("*.log")):
                print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-25:], sep="\n", flush=True)
        for master in self.masters:
            master.close()
        for place, process in self.agents:
            process.kill()
            process.wait()
            place.close()
        for mark in self.root.glob("marks/*"):  # tasks outlive their agents
            for pid in mark.read_text().split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if self.ensemble:
            self.ensemble.__exit__(None, None, None)
        shutil.rmtree(self.root, ignore_errors=True)

    def leader(self, but=None):
        """The one that says that it leads and has the registry."""
        for master in self.masters:
            if master is not but and master.elected() and master.get("/weights").status == 200:
                return master
        return None

    def new_leader(self, old):
        return eventually("another master leads", lambda: self.leader(but=old), limit=40)

    def next_one(self, old):
        return self.new_leader(old)

    def agents_registered(self, leader):
        return leader.get("/metrics/snapshot").json()["master/slaves_active"] == 2


class Operator:
    """Sets weights, and knows which were acknowledged."""

    def __init__(self, cluster):
        self.cluster, self.acknowledged, self.number = cluster, {}, 0

    def write(self, leader):
        self.number += 1
        role = f"role{self.number}"
        answer = call(5050, "PUT", "/weights", [{"role": role, "weight": float(self.number + 1)}], host=leader.address)
        assert answer.status == 200, answer
        self.acknowledged[role] = float(self.number + 1)

    def check(self, leader):
        found = {entry["role"]: entry["weight"] for entry in leader.get("/weights").json()}
        missing = {role: weight for role, weight in self.acknowledged.items() if found.get(role) != weight}
        assert not missing, f"acknowledged and lost: {missing}"
        return found


class Story:
    """One cluster, through everything that can happen to its leader."""

    def __init__(self, cluster):
        self.cluster, self.operator = cluster, Operator(cluster)
        self.marks = cluster.root / "marks"
        self.marks.mkdir()
        self.scheduler = Scheduler([f"{m.address}:5050" for m in cluster.masters], TASKS,
                                   lambda task: f"echo $$ >> {self.marks}/{task}; exec sleep 100000", "ha").start()

    def begin(self):
        leader = eventually("a master leads", self.cluster.leader, limit=40)
        eventually("all tasks run", lambda: len(self.scheduler.running()) == TASKS, limit=40)
        self.pids = self.started()
        self.operator.write(leader)
        return leader

    def started(self):
        """Task to the processes that were ever started for it."""
        return {mark.name: mark.read_text().split() for mark in self.marks.iterdir()}

    def check(self, leader):
        """Nothing is lost and nothing began anew."""
        eventually("both agents are back", lambda: self.cluster.agents_registered(leader), limit=40)
        eventually("the scheduler is subscribed there",
                   lambda: self.scheduler.master.split(":")[0] == leader.address
                   and leader.get("/metrics/snapshot").json()["master/frameworks_active"] == 1, limit=40)
        eventually("the leader knows every task as running",
                   lambda: leader.get("/metrics/snapshot").json()["master/tasks_running"] == TASKS, limit=20)
        assert len(self.scheduler.running()) == TASKS, self.scheduler.history[-20:]
        assert self.started() == self.pids, "a task was started again"
        for pids in self.pids.values():
            os.kill(int(pids[0]), 0)
        assert not self.scheduler.errors, self.scheduler.errors
        self.operator.check(leader)
        self.operator.write(leader)


def followers_redirect(story, leader):
    follower = next(m for m in story.cluster.masters if m is not leader)
    for path in ("/state", "/master/state.json?jsonp=f", "/api/v1/scheduler", "/slaves", "/weights", "/agent-link", "/tasks"):
        answer = follower.get(path)
        assert answer.status == 307 and answer.headers["Location"] == f"//{leader.address}:5050{path}", (path, answer, answer.headers)
    answer = follower.get("/redirect")
    assert answer.status == 307 and answer.headers["Location"] == f"//{leader.address}:5050", answer
    assert follower.get("/health").status == 200 and follower.get("/version").status == 200
    assert follower.get("/metrics/snapshot").json()["master/elected"] == 0
    state = leader.get("/state").json()
    assert state["leader_info"]["hostname"] == leader.address and state["leader"] == f"master@{leader.address}:5050", state["leader_info"]


def kill(story, leader):
    os.kill(leader.process.pid, signal.SIGKILL)
    after = story.cluster.next_one(leader)
    story.check(after)
    return after


def stand_still(story, leader):
    """SIGSTOP past the session; what was sent to it meanwhile is not done when it wakes up."""
    process, exits = leader.process, len(leader.exits)
    os.kill(process.pid, signal.SIGSTOP)
    body = json.dumps([{"role": "late", "weight": 7.0}]).encode()
    late = socket.create_connection((leader.address, 5050), timeout=10)
    late.sendall(b"PUT /weights HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    after = story.cluster.new_leader(leader)
    story.operator.write(after)
    os.kill(process.pid, signal.SIGCONT)
    eventually("the one that stood still ends", lambda: len(leader.exits) > exits, limit=20)
    assert leader.exits[exits] == 1, leader.exits
    late.settimeout(5)
    try:
        answer = late.recv(4096)
    except OSError:
        answer = b""
    late.close()
    assert not answer.startswith(b"HTTP/1.1 2"), f"a master that leads no more acknowledged a write: {answer!r}"
    story.check(after)
    assert "late" not in story.operator.check(after), "the write of a deposed master is there"
    return after


def cut_from_zookeeper(story, leader):
    """It must stop before another begins: neither must ever say that it leads while the other does."""
    exits = len(leader.exits)
    leader.place.cut(ZK_IPS)
    both = []
    after = None
    deadline = time.monotonic() + 40
    while after is None and time.monotonic() < deadline:
        old = leader.elected()
        after = story.cluster.leader(but=leader)
        if after and old and leader.elected():
            both.append(time.monotonic())
    assert after, "nobody leads"
    assert not both, "two masters led at once"
    eventually("the one that was cut off ends", lambda: len(leader.exits) > exits, limit=20)
    story.check(after)
    leader.place.heal(ZK_IPS)
    return after


def cut_from_agents(story, leader):
    """The leader stays the leader; its agents come back when they can."""
    agents = [place.address for place, _ in story.cluster.agents]
    leader.place.cut(agents)
    time.sleep(3)
    assert leader.elected()
    story.operator.write(leader)
    leader.place.heal(agents)
    story.check(leader)
    return leader


def lose_a_zookeeper_server(story, leader):
    """Two of three servers are enough."""
    story.cluster.ensemble.kill(0)
    for _ in range(3):
        time.sleep(1)
        after = eventually("a master leads", story.cluster.leader, limit=40)
        story.check(after)
    story.cluster.ensemble.start(0)
    return after


def client_library(story, leader):
    """A scheduler in C++ with --master=zk://... finds the leader by itself."""
    done = subprocess.run([str(BIN / "dcos-run-tasks"), f"--master=zk://{story.cluster.ensemble.servers}/mesos", "--tasks=4",
                           "--command=true"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def ask_to_stop(story, leader):
    """SIGTERM gives the leadership up at once: nobody waits for the session."""
    os.kill(leader.process.pid, signal.SIGTERM)
    after = story.cluster.next_one(leader)
    story.check(after)
    return after


def tell(suite, story, steps):
    """One step after the other, each from the leader that the one before has left."""
    leader = story.begin()

    def step(action):
        def test():
            nonlocal leader
            if leader is None:
                raise results.Skip("an earlier step failed")
            at, leader = leader, None
            leader = action(story, at) or at
        test.__name__, test.__doc__ = action.__name__, action.__doc__ or action.__name__.replace("_", " ")
        return test

    results.run(suite, [step(action) for action in steps])


def inside():
    with Cluster() as cluster:
        steps = [followers_redirect, client_library, kill, stand_still, cut_from_zookeeper, cut_from_agents, lose_a_zookeeper_server, ask_to_stop]
        tell("system/ha", Story(cluster), steps)


def main(suite, script, inside_of):
    if os.geteuid() != 0 or not zookeeper.available():
        results.report("skip", suite, "needs root" if os.geteuid() != 0 else "needs the package zookeeper")
        return 0
    if os.environ.get("HA_INSIDE") != "1":
        # Everything below lives in a network namespace of its own.
        return subprocess.run(["unshare", "-n", sys.executable, script, *sys.argv[1:]],
                              env={**os.environ, "HA_INSIDE": "1"}).returncode
    try:
        inside_of()
    except AssertionError as error:
        results.report("fail", suite, str(error))
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main("system/ha", __file__, inside))
