#!/usr/bin/env python3
"""Containers of every kind while agent, executors and tasks are killed, the disk fills up, the registry is slow and a plugin fails at
each verb: everything ends, and `dcos-agent audit` counts nothing left.

STORM_CONTAINERS=500 (default 60) containers; STORM_SEED=N the same choices again.
"""

import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, Cluster, call, eventually  # noqa: E402
from harness.images import Registry, SlowProxy, layer  # noqa: E402
from harness.scheduler import Scheduler  # noqa: E402

CONTAINERS = int(os.environ.get("STORM_CONTAINERS", "60"))
SEED = int(os.environ.get("STORM_SEED") or random.randrange(1 << 30))
INSIDE = os.environ.get("STORM_INSIDE")  # the namespaces are made
AT_ONCE = max(15, CONTAINERS // 10)
LAST_STATES = {"FINISHED", "FAILED", "KILLED", "ERROR", "LOST", "DROPPED", "GONE", "GONE_BY_OPERATOR"}

# Does nothing but remember; what "$dir/does" says of its verb happens before or after that.
PLUGIN = """#!/bin/sh
dir=${0%/*}
cat > /dev/null
mkdir -p "$dir/joined"
did() { case $CNI_COMMAND in ADD) : > "$dir/joined/$CNI_CONTAINERID" ;; DEL) rm -f "$dir/joined/$CNI_CONTAINERID" ;; esac; }
for what in $(cat "$dir/does" 2>/dev/null); do
  case $what in
    $CNI_COMMAND-refuses) echo '{"code":11,"msg":"not now"}'; exit 1 ;;
    $CNI_COMMAND-does-and-fails) did; exit 3 ;;
    $CNI_COMMAND-hangs) sleep 1000 ;;
    $CNI_COMMAND-garbage) did; echo '{"ips":'; exit 0 ;;
  esac
done
did
[ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.44.0.2/16"}]}'
exit 0
"""
FAILURES = [f"{verb}-{how}" for verb in ("ADD", "DEL", "CHECK") for how in ("refuses", "does-and-fails", "hangs", "garbage")]


def scalars(cpus, mem):
    return [{"name": "cpus", "type": "SCALAR", "scalar": {"value": cpus}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": mem}}]


class Storm(Scheduler):
    """Launches containers of every kind, some at a time, until there were so many."""

    def __init__(self, masters, count, seed, image):
        super().__init__(masters, 0, None, "storm")
        self.count, self.image, self.seed = count, image, seed
        self.random = random.Random(seed)
        self.made, self.agents = 0, {}
        self.quiet = threading.Event()  # set: nothing new

    def open(self):
        return {task for task in self.launched if self.states.get(task, "TASK_STAGING").removeprefix("TASK_") not in LAST_STATES}

    def any_command(self):
        return self.random.choice(["exit 0", "exit 3", "sleep 0.3", "sleep 1; exit 1", "kill -9 $$", "(setsid sleep 1000 &) ; sleep 2", "sleep 1000",
                                   "trap '' TERM; while :; do sleep 0.2; done", "head -c 3000000 /dev/zero > file; sleep 1000"])

    def _on(self, event):
        if event["type"] == "UPDATE":
            status = event["update"]["status"]
            self.agents[status["task_id"]["value"]] = status.get("agent_id")
        super()._on(event)

    def _use(self, offer):
        left = {r["name"]: r["scalar"]["value"] for r in offer["resources"] if "scalar" in r}
        operations = []
        while (self.made < self.count and len(operations) < 3 and not self.quiet.is_set() and left.get("cpus", 0) > 0.2
               and left.get("mem", 0) > 200 and len(self.open()) < AT_ONCE):
            left["cpus"] -= 0.1
            left["mem"] -= 100
            operations.append(self.one(offer["agent_id"]))
        self._call({"type": "ACCEPT", "accept": {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.2}, "operations": operations}})

    def one(self, agent):
        name = f"storm-{self.made}"
        self.made += 1
        kind = self.random.choice(["command", "command", "pod", "image", "bridge", "plugin", "plugin", "fetch"])
        if kind == "image" and not self.image:
            kind = "command"

        def task(id, command=None, **more):
            self.launched.add(id)
            self.agents.setdefault(id, agent)
            return {"name": id, "task_id": {"value": id}, "agent_id": agent, "command": {"value": command or self.any_command()}, **more}
        if kind == "pod":
            tasks = [task(f"{name}-{n}", resources=scalars(0.01, 32)) for n in range(2)]
            executor = {"type": "DEFAULT", "executor_id": {"value": name}, "framework_id": {"value": self.framework_id}, "resources": scalars(0.01, 32)}
            return {"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": {"tasks": tasks}}}
        info = task(name, resources=scalars(0.05, 64))
        if kind == "image":
            info["container"] = {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {
                "name": self.image % self.random.randrange(4)}}}}
        if kind in ("bridge", "plugin"):
            network = {"name": "mesos-bridge" if kind == "bridge" else "storm"}
            info["container"] = {"type": "MESOS", "network_infos": [network]}
        if kind == "fetch":
            info["command"]["uris"] = [{"value": self.random.choice(["http://127.0.0.1:9/nothing", "/etc/services", "/no/such/file"])}]
        return {"type": "LAUNCH", "launch": {"task_infos": [info]}}

    def ask_again(self):
        """Kills all that is open, and asks for states that were lost."""
        tasks = sorted(self.open())
        for task in tasks:
            self._call({"type": "KILL", "kill": {"task_id": {"value": task}, "agent_id": self.agents[task]}})
        self._call({"type": "RECONCILE", "reconcile": {"tasks": [{"task_id": {"value": task}, "agent_id": self.agents[task]} for task in tasks]}})


class Weather:
    """What goes wrong: one thing after another, as the seed says."""

    def __init__(self, cluster, plugins, full, seed):
        self.cluster, self.plugins, self.full = cluster, plugins, full
        self.random = random.Random(seed + 1)
        self.told = {}

    def processes(self):
        """First processes of containers, and what they started."""
        first = []
        for file in Path(self.cluster.root, "run/agent-1/containers").glob("*/pid"):
            try:
                first.append(int(file.read_text().split()[0]))
            except (OSError, ValueError, IndexError):
                continue
        children = []
        for pid in first:
            try:
                children += [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            except OSError:
                continue
        return first, children

    def kill(self, pids):
        if pids:
            try:
                os.kill(self.random.choice(sorted(pids)), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def one(self):
        what = self.random.choice(["agent", "agent", "first", "task", "task", "disk", "plugin", "plugin", "calm"])
        self.told[what] = self.told.get(what, 0) + 1
        if what == "agent":
            pid = self.cluster.daemon("agent-1")["pid"]
            if pid:
                os.kill(pid, signal.SIGKILL)
                eventually("the agent is started again", lambda: self.cluster.daemon("agent-1")["pid"] not in (0, pid))
        elif what == "first":
            self.kill(self.processes()[0])
        elif what == "task":
            self.kill(self.processes()[1])
        elif what == "disk":
            fill(self.full)
            time.sleep(self.random.uniform(0.1, 0.8))
            os.unlink(self.full)
        elif what == "plugin":
            (self.plugins / "does").write_text(" ".join(self.random.sample(FAILURES, 3)))
        else:
            (self.plugins / "does").write_text("")
        time.sleep(self.random.uniform(0.05, 0.6))


def fill(path):
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def audit(cluster):
    """Exit code and what is printed."""
    done = subprocess.run([str(BIN / "dcos-agent"), "audit", f"--work_dir={cluster.root}/agent-1", "--json", "--patience=2secs"],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def clean(cluster, plugins):
    last = {}

    def none():
        last["code"], last["text"] = audit(cluster)
        last["joined"] = [path.name for path in plugins.glob("joined/*")]
        return last["code"] == 0 and not last["joined"]
    try:
        # What a plugin refused to undo is tried again every 30 s.
        eventually("the audit is clean", none, limit=75, interval=0.5)
    except AssertionError as error:
        raise AssertionError(f"{error}: {last}")


def images_of(registry):
    config = {"Entrypoint": ["/bin/sh", "-c"], "Env": ["PATH=/bin"]}
    base = layer(base=True)
    for number in range(4):
        registry.push(f"storm:{number}", [base, layer(files=[(f"file{number}", os.urandom(400_000), 0o644, 0)])], config)


def storm():
    """Containers of every kind under every fault end, and nothing of them is left."""
    print(f"   STORM_SEED={SEED} STORM_CONTAINERS={CONTAINERS}", flush=True)
    root = tempfile.mkdtemp(prefix="dcos-storm-")
    os.chmod(root, 0o711)
    disk = Path(root, "disk")
    disk.mkdir()
    mounts = [["-t", "tmpfs", "-o", f"size={200 + CONTAINERS}m,mode=0711", "none", str(disk)]]
    # All that the agent writes, and nobody else, is on it.
    for inside, where in (("work", "cluster/agent-1"), ("run", "cluster/run/agent-1")):
        Path(root, where).mkdir(parents=True)
        mounts.append(["--bind", f"{disk}/{inside}", f"{root}/{where}"])
    for words in mounts:
        mounted = subprocess.run(["mount", *words], capture_output=True, text=True)
        if mounted.returncode != 0:
            shutil.rmtree(root)
            raise results.Skip(f"cannot mount: {mounted.stderr.strip()}")
        for inside in ("work", "run"):
            (disk / inside).mkdir(exist_ok=True, mode=0o711)
    plugins = Path(root, "plugins")
    plugins.mkdir()
    (plugins / "storm").write_text(PLUGIN)
    (plugins / "storm").chmod(0o755)
    registry = Registry()
    flags = {"MESOS_NETWORK_CNI_PLUGINS_DIR": str(plugins), "MESOS_NETWORK_CNI_PLUGIN_TIMEOUT": "1secs", "MESOS_DOCKER_STALL_TIMEOUT": "10secs",
             "MESOS_EXECUTOR_REREGISTRATION_TIMEOUT": "5secs"}
    os.environ.update(flags)
    cluster = Cluster(agents=1, root=f"{root}/cluster")
    scheduler = None
    try:
        with registry, SlowProxy(registry, 300_000) as slow:
            images_of(registry)
            cluster.dev("up")
            Path(cluster.root, "cni/storm.conf").write_text(json.dumps({"cniVersion": "0.4.0", "name": "storm", "type": "storm"}))
            weather = Weather(cluster, plugins, f"{disk}/filler", SEED)
            scheduler = Storm([f"127.0.0.1:{cluster.port('master')}"], CONTAINERS, SEED, slow.host + "/storm:%d").start()
            choice = random.Random(SEED + 2)
            deadline = time.monotonic() + 60 + 2 * CONTAINERS  # a guard against hanging
            while scheduler.made < CONTAINERS:
                assert not scheduler.errors and scheduler.thread.is_alive(), scheduler.errors
                assert time.monotonic() < deadline, f"only {scheduler.made} containers came to be launched"
                weather.one()
                running = sorted(scheduler.running())
                if len(scheduler.open()) >= AT_ONCE // 2 and running:
                    task = choice.choice(running)
                    try:
                        scheduler._call({"type": "KILL", "kill": {"task_id": {"value": task}, "agent_id": scheduler.agents[task]}})
                    except (OSError, http.client.HTTPException):
                        continue
            for _ in range(6):
                weather.one()
            (plugins / "does").write_text("")
            scheduler.quiet.set()
            print(f"   {scheduler.made} containers, {len(scheduler.launched)} tasks; {weather.told}", flush=True)
            eventually("all healthy", cluster.healthy, limit=60)

            def ended():
                if scheduler.open():
                    scheduler.ask_again()
                    time.sleep(1)
                return not scheduler.open()
            try:
                eventually("every task has ended", ended, limit=90)
            except AssertionError as error:
                raise AssertionError(f"{error}: " + str({task: scheduler.states.get(task) for task in sorted(scheduler.open())}))
            left = {}

            def none():
                found = call(cluster.port("agent-1"), "GET", "/containers").json()
                left["now"] = [each for each in found if each["framework_id"] == scheduler.framework_id]
                return not left["now"]
            try:
                eventually("the agent has no container", none, limit=30)
            except AssertionError as error:
                raise AssertionError(f"{error}: {left['now']}")
            clean(cluster, plugins)
    except BaseException:
        cluster.show_logs(60)
        raise
    finally:
        for name in flags:
            del os.environ[name]
        if scheduler:
            scheduler.close()
        if os.path.exists(f"{disk}/filler"):
            os.unlink(f"{disk}/filler")
        if os.environ.get("STORM_KEEP"):
            input(f"kept in {root}: ")
        cluster.dev("down", check=False)
        for words in reversed(mounts):
            subprocess.run(["umount", "-l", words[-1]], check=False)
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    if not INSIDE:
        # Interfaces, rules and mounts of its own.
        os.execvpe("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv], {**os.environ, "STORM_INSIDE": "1"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    results.run("system/storm", [storm])
