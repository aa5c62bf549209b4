#!/usr/bin/env python3
"""Containers of every kind while agent, executors and tasks are killed, the disk fills up or crawls, the registry is slow and a plugin
fails at each verb: everything ends, volumes are destroyed when they are given back, and `dcos-agent audit` counts nothing left.

STORM_CONTAINERS=500 (default 60) containers; STORM_SEED=N the same choices again.
"""

import base64
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
# A framework's own executor, with an agent that comes and goes. What it does with its task is in the task's data.
EXECUTOR = """
import base64, http.client, json, os, sys, time, uuid
host, port = os.environ["MESOS_AGENT_ENDPOINT"].rsplit(":", 1)
ids = {"framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]}, "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]}}
tasks, updates = {}, {}   # not acknowledged

def post(body):
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    connection.request("POST", "/api/v1/executor", json.dumps({**ids, **body}), {"Content-Type": "application/json", "Accept": "application/json"})
    return connection.getresponse()

def tell(task, state):
    status = {"task_id": {"value": task}, "state": state, "source": "SOURCE_EXECUTOR", "timestamp": time.time(),
              "uuid": base64.b64encode(uuid.uuid4().bytes).decode()}
    updates[status["uuid"]] = {"status": status}
    try:
        post({"type": "UPDATE", "update": {"status": status}})
    except OSError:
        pass  # it is told again with the next subscription

def on(event):
    kind = event["type"]
    if kind == "LAUNCH":
        info = event["launch"]["task"]
        task, plan = info["task_id"]["value"], base64.b64decode(info["data"]).decode()
        tasks[task] = info
        tell(task, "TASK_RUNNING")
        if plan == "exits":
            os._exit(3)
        if plan in ("TASK_FINISHED", "TASK_FAILED"):
            tell(task, plan)
        globals()["deaf"] = plan == "is deaf"
    elif kind == "KILL" and not deaf:
        tell(event["kill"]["task_id"]["value"], "TASK_KILLED")
    elif kind == "SHUTDOWN":
        sys.exit(0)
    elif kind == "ACKNOWLEDGED":
        update = updates.pop(event["acknowledged"]["uuid"], None)
        tasks.pop(event["acknowledged"]["task_id"]["value"], None)
        if update and update["status"]["state"] != "TASK_RUNNING":
            sys.exit(0)

deaf, end = False, time.monotonic() + 120
while time.monotonic() < end:
    try:
        stream = post({"type": "SUBSCRIBE", "subscribe": {"unacknowledged_tasks": list(tasks.values()), "unacknowledged_updates": list(updates.values())}})
        while stream.status == 200:
            size = stream.readline()
            if not size:
                break
            on(json.loads(stream.read(int(size))))
    except (OSError, http.client.HTTPException, ValueError):
        pass
    time.sleep(0.1)
"""
PLANS = ["TASK_FINISHED", "TASK_FAILED", "exits", "waits", "is deaf"]
ROLE = "storm"

FAILURES = [f"{verb}-{how}" for verb in ("ADD", "DEL", "CHECK") for how in ("refuses", "does-and-fails", "hangs", "garbage")]


def scalars(cpus, mem):
    return [{"name": "cpus", "type": "SCALAR", "scalar": {"value": cpus}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": mem}}]


class Storm(Scheduler):
    """Launches containers of every kind, some at a time, until there were so many."""

    def __init__(self, masters, count, seed, image):
        super().__init__(masters, 0, None, "storm")
        self.roles = [ROLE]
        self.capabilities.append("RESERVATION_REFINEMENT")
        self.count, self.image, self.seed = count, image, seed
        self.executors = {}  # of custom ones, by task
        self.random = random.Random(seed)
        self.made, self.agents = 0, {}
        self.quiet = threading.Event()    # set: nothing new
        self.tidying = threading.Event()  # set: volumes are given back

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

    def give_back(self, offer):
        """Operations that destroy the volumes of an offer and end its reservations."""
        operations = []
        for resource in offer["resources"]:
            if not resource.get("reservations"):
                continue
            if resource.get("disk", {}).get("persistence"):
                operations.append({"type": "DESTROY", "destroy": {"volumes": [resource]}})
                resource = {key: value for key, value in resource.items() if key != "disk"}
            operations.append({"type": "UNRESERVE", "unreserve": {"resources": [resource]}})
        return operations

    def _use(self, offer):
        if self.tidying.is_set():
            self._call({"type": "ACCEPT", "accept": {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.2},
                                                     "operations": self.give_back(offer)}})
            return
        left = {}
        for r in offer["resources"]:
            if "scalar" in r and not r.get("reservations"):
                left[r["name"]] = left.get(r["name"], 0) + r["scalar"]["value"]
        operations = []
        while (self.made < self.count and len(operations) < 3 and not self.quiet.is_set() and left.get("cpus", 0) > 0.2
               and left.get("mem", 0) > 200 and len(self.open()) < AT_ONCE):
            left["cpus"] -= 0.1
            left["mem"] -= 100
            operations += self.one(offer["agent_id"], left)
        self._call({"type": "ACCEPT", "accept": {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.2}, "operations": operations}})

    def one(self, agent, left):
        name = f"storm-{self.made}"
        self.made += 1
        kind = self.random.choice(["command", "command", "pod", "image", "bridge", "plugin", "plugin", "fetch", "executor", "executor", "volume", "volume"])
        if kind == "image" and not self.image or kind == "volume" and left.get("disk", 0) < 2:
            kind = "command"

        def task(id, command=None, **more):
            self.launched.add(id)
            self.agents.setdefault(id, agent)
            return {"name": id, "task_id": {"value": id}, "agent_id": agent, "command": {"value": command or self.any_command()}, **more}
        if kind == "pod":
            tasks = [task(f"{name}-{n}", resources=scalars(0.01, 32)) for n in range(2)]
            executor = {"type": "DEFAULT", "executor_id": {"value": name}, "framework_id": {"value": self.framework_id}, "resources": scalars(0.01, 32)}
            return [{"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": {"tasks": tasks}}}]
        info = task(name, resources=scalars(0.05, 64))
        if kind == "image":
            info["container"] = {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {
                "name": self.image % self.random.randrange(4)}}}}
        if kind in ("bridge", "plugin"):
            network = {"name": "mesos-bridge" if kind == "bridge" else "storm"}
            info["container"] = {"type": "MESOS", "network_infos": [network]}
        if kind == "executor":
            del info["command"]
            info["data"] = base64.b64encode(self.random.choice(PLANS).encode()).decode()
            info["executor"] = {"executor_id": {"value": name}, "framework_id": {"value": self.framework_id}, "resources": scalars(0.01, 32),
                                "command": {"shell": False, "value": "/usr/bin/python3", "arguments": ["python3", "-c", EXECUTOR]}}
            self.executors[name] = agent
        if kind == "volume":
            left["disk"] -= 1
            bare = {"name": "disk", "type": "SCALAR", "scalar": {"value": 1}, "reservations": [{"type": "DYNAMIC", "role": ROLE}]}
            volume = {**bare, "disk": {"persistence": {"id": name}, "volume": {"mode": "RW", "container_path": "data"}}}
            info["resources"].append(volume)
            info["command"]["value"] = "echo kept > data/file; " + info["command"]["value"]
            return [{"type": "RESERVE", "reserve": {"resources": [bare]}}, {"type": "CREATE", "create": {"volumes": [volume]}},
                    {"type": "LAUNCH", "launch": {"task_infos": [info]}}]
        if kind == "fetch":
            info["command"]["uris"] = [{"value": self.random.choice(["http://127.0.0.1:9/nothing", "/etc/services", "/no/such/file"])}]
        return [{"type": "LAUNCH", "launch": {"task_infos": [info]}}]

    def ask_again(self):
        """Kills all that is open, and asks for states that were lost."""
        tasks = sorted(self.open())
        for task in tasks:
            self._call({"type": "KILL", "kill": {"task_id": {"value": task}, "agent_id": self.agents[task]}})
            if task in self.executors:
                self._call({"type": "SHUTDOWN", "shutdown": {"executor_id": {"value": task}, "agent_id": self.executors[task]}})
        self._call({"type": "RECONCILE", "reconcile": {"tasks": [{"task_id": {"value": task}, "agent_id": self.agents[task]} for task in tasks]}})


class Weather:
    """What goes wrong: one thing after another, as the seed says."""

    def __init__(self, cluster, plugins, disk, seed):
        self.cluster, self.plugins, self.disk = cluster, plugins, disk
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
        what = self.random.choice(["agent", "agent", "first", "task", "task", "disk", "slow", "plugin", "plugin", "calm"])
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
            fill(self.disk.filler)
            time.sleep(self.random.uniform(0.1, 0.8))
            os.unlink(self.disk.filler)
        elif what == "slow":
            self.disk.crawl(True)
            time.sleep(self.random.uniform(0.5, 3))
            self.disk.crawl(False)
        elif what == "plugin":
            (self.plugins / "does").write_text(" ".join(self.random.sample(FAILURES, 3)))
        else:
            (self.plugins / "does").write_text("")
        time.sleep(self.random.uniform(0.05, 0.6))


class Disk:
    """All that the agent writes, and nobody else, is on it: a file system in a file, which can be full and can be slow."""

    THROTTLE = Path("/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device")

    def __init__(self, root, megabytes):
        self.path, self.filler = Path(root, "disk"), f"{root}/disk/filler"
        self.path.mkdir()
        image = Path(root, "disk.image")
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        words = [["mkfs.ext4", "-q", "-m", "0", str(image)], ["mount", "-o", "loop", str(image), str(self.path)]]
        self.mounted = all(shutil.which(each[0]) and subprocess.run(each, capture_output=True).returncode == 0 for each in words)
        if not self.mounted:  # no loop devices here: then it cannot be slow
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(self.path)], capture_output=True, text=True)
            if done.returncode != 0:
                shutil.rmtree(root)
                raise results.Skip(f"cannot mount: {done.stderr.strip()}")
        self.path.chmod(0o711)
        number = os.stat(self.path).st_dev
        self.device = f"{os.major(number)}:{os.minor(number)}"
        self.may_crawl = self.mounted and self.THROTTLE.exists()

    def crawl(self, slowly, rate=100_000):
        """So many bytes a second are written from now on, or as many as there are."""
        if self.may_crawl:
            self.THROTTLE.write_text(f"{self.device} {rate if slowly else 0}\n")

    def close(self):
        self.crawl(False)
        subprocess.run(["umount", "-l", str(self.path)], check=False)


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
    disk = Disk(root, 200 + 2 * CONTAINERS)
    mounts = []
    for inside, where in (("work", "cluster/agent-1"), ("run", "cluster/run/agent-1")):
        (disk.path / inside).mkdir(mode=0o711)
        Path(root, where).mkdir(parents=True)
        mounts.append(f"{root}/{where}")
        subprocess.run(["mount", "--bind", f"{disk.path}/{inside}", mounts[-1]], check=True)
    plugins = Path(root, "plugins")
    plugins.mkdir()
    (plugins / "storm").write_text(PLUGIN)
    (plugins / "storm").chmod(0o755)
    registry = Registry()
    flags = {"MESOS_NETWORK_CNI_PLUGINS_DIR": str(plugins), "MESOS_NETWORK_CNI_PLUGIN_TIMEOUT": "1secs", "MESOS_DOCKER_STALL_TIMEOUT": "10secs",
             "MESOS_EXECUTOR_REREGISTRATION_TIMEOUT": "5secs", "MESOS_DISK_WATCH_INTERVAL": "10secs"}
    os.environ.update(flags)
    cluster = Cluster(agents=1, root=f"{root}/cluster")
    scheduler = None
    try:
        with registry, SlowProxy(registry, 300_000) as slow:
            images_of(registry)
            cluster.dev("up")
            Path(cluster.root, "cni/storm.conf").write_text(json.dumps({"cniVersion": "0.4.0", "name": "storm", "type": "storm"}))
            weather = Weather(cluster, plugins, disk, SEED)
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
            print(f"   {scheduler.made} containers, {len(scheduler.launched)} tasks; {weather.told}"
                  + ("" if disk.may_crawl else "; the disk was never slow: no loop device or no blkio throttling here"), flush=True)
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
            scheduler.tidying.set()
            scheduler._call({"type": "REVIVE"})
            eventually("every volume is destroyed and nothing is reserved", lambda: not any(
                agent["reserved_resources"] for agent in cluster.master("GET", "/slaves").json()["slaves"]), limit=60)
            # The master's books are ahead of the agent's disk.
            eventually("their data is gone", lambda: not list(Path(cluster.root, "agent-1/volumes").glob("roles/*/*")), limit=30)
            clean(cluster, plugins)
    except BaseException:
        cluster.show_logs(60)
        raise
    finally:
        for name in flags:
            del os.environ[name]
        if scheduler:
            scheduler.close()
        disk.crawl(False)
        if os.path.exists(disk.filler):
            os.unlink(disk.filler)
        if os.environ.get("STORM_KEEP"):
            input(f"kept in {root}: ")
        cluster.dev("down", check=False)
        for where in reversed(mounts):
            subprocess.run(["umount", "-l", where], capture_output=True, check=False)
        disk.close()
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    if not INSIDE:
        # Interfaces, rules and mounts of its own.
        os.execvpe("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv], {**os.environ, "STORM_INSIDE": "1"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    results.run("system/storm", [storm])
