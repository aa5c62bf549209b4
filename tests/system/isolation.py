#!/usr/bin/env python3
"""Each isolator on this machine: a real task, through master and agent, that gets further where the isolator is missing."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, call, eventually  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.scheduler import Scheduler  # noqa: E402
from system.pods import PodScheduler  # noqa: E402

GROUPS = "/sys/fs/cgroup"
BASE = "filesystem/linux,namespaces/pid,namespaces/ipc,cgroups/cpu,cgroups/mem"


class Launcher(Scheduler):
    """Launches the tasks that it is told, one at a time, and keeps what becomes of them."""

    def __init__(self, master):
        super().__init__([master], 0, None, name="isolation")
        self.capabilities.append("GPU_RESOURCES")
        self.waiting, self.last = [], {}

    def _use(self, offer):
        if not self.waiting:
            self._call({"type": "DECLINE", "decline": {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.1}}})
            return
        task = self.waiting.pop(0)
        task["agent_id"] = offer["agent_id"]
        self._call({"type": "ACCEPT", "accept": {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.01}, "operations": [
            {"type": "LAUNCH", "launch": {"task_infos": [task]}}]}})

    def _on(self, event):
        if event["type"] == "UPDATE":
            status = event["update"]["status"]
            self.last[status["task_id"]["value"]] = status
        super()._on(event)


class Machine:
    """A master and one agent with these flags; taken down by id, with nothing left behind."""

    def __init__(self, isolation, **flags):
        self.root = tempfile.mkdtemp(prefix="dcos-isolation-")
        os.chmod(self.root, 0o711)
        self.isolation, self.flags = isolation, flags
        self.processes, self.count = [], 0
        self.group = Path(self.root).name

    def start(self, name, words):
        with open(f"{self.root}/{name}.log", "ab") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def start_agent(self):
        flags = [f"--{key}={value}" if value is not True else f"--{key}" for key, value in self.flags.items()]
        return self.start("agent", [
            str(BIN / "dcos-agent"), "--ip=127.0.0.1", f"--port={self.port}", f"--master=127.0.0.1:{self.master}", f"--work_dir={self.work_dir}",
            f"--isolation={self.isolation}", f"--cgroups_root={self.group}", "--hostname=127.0.0.1", *flags])

    def __enter__(self):
        self.master, self.port = free_port(), free_port()
        self.work_dir = self.flags.pop("work_dir", f"{self.root}/agent")
        self.start("master", [str(BIN / "dcos-master"), "--ip=127.0.0.1", "--hostname=127.0.0.1", f"--port={self.master}", f"--work_dir={self.root}/master"])
        try:
            eventually("the master answers", lambda: call(self.master, "GET", "/health").status == 200)
            self.agent = self.start_agent()
            eventually("the agent is registered", lambda: call(self.master, "GET", "/slaves").json()["slaves"], limit=60)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        self.scheduler = Launcher(f"127.0.0.1:{self.master}").start()
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and kind is not results.Skip:
            for log in sorted(Path(self.root).glob("*.log")):
                print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-15:], sep="\n", flush=True)
        if hasattr(self, "scheduler"):
            self.scheduler.close()
            if self.scheduler.framework_id:
                try:
                    call(self.master, "POST", "/teardown", f"frameworkId={self.scheduler.framework_id}")
                    eventually("no container is left", lambda: not self.statistics())
                except (OSError, AssertionError):
                    pass
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        left = list(Path(GROUPS).glob(f"*/{self.group}"))
        shutil.rmtree(self.root, ignore_errors=True)
        assert kind is not None or not left, left

    def task(self, command, container=None, resources=None, limits=None, environment=None, user=None):
        """Launches; returns the task's id."""
        self.count += 1
        scalars = {"cpus": 0.1, "mem": 64, **(resources or {})}
        name = f"t{self.count}"
        task = {"name": name, "task_id": {"value": name}, "command": {"value": command},
                "resources": [{"name": key, "type": "SCALAR", "scalar": {"value": value}} for key, value in scalars.items()]}
        if user:
            task["command"]["user"] = user
        if environment:
            task["command"]["environment"] = {"variables": environment}
        if container is not None:
            task["container"] = {"type": "MESOS", **container}
        if limits:
            task["limits"] = {key: {"value": value} for key, value in limits.items()}
        self.scheduler.waiting.append(task)
        return name

    def end(self, name):
        """The task's last status."""
        def over():
            status = self.scheduler.last.get(name, {})
            return status if status.get("state") in ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_GONE", "TASK_DROPPED") else None
        return eventually(f"{name} ends", over, limit=90)

    def runs(self, name):
        eventually(f"{name} runs", lambda: self.scheduler.last.get(name, {}).get("state") == "TASK_RUNNING", limit=60)

    def kill(self, name):
        self.scheduler._call({"type": "KILL", "kill": {"task_id": {"value": name}}})
        return self.end(name)

    def sandbox(self, name):
        return next(Path(self.work_dir).glob(f"slaves/*/frameworks/*/executors/{name}/runs/latest"))

    def output(self, name):
        """What the ended task printed."""
        self.end(name)
        return "".join((self.sandbox(name) / file).read_text() for file in ("stdout", "stderr"))

    def run(self, command, *words, **more):
        return self.output(self.task(command, *words, **more))

    def statistics(self):
        return {entry["executor_id"]: entry["statistics"] for entry in call(self.port, "GET", "/monitor/statistics").json()}


def controllers():
    return {path.name for path in Path(GROUPS).iterdir()} if Path(GROUPS).is_dir() else set()


def need(*names):
    for name in names:
        if name not in controllers():
            raise results.Skip(f"this machine has no {name} controller of version 1")


def processors():
    """cgroups/cpu: shares by request, a ceiling by quota that throttles, both in the statistics."""
    need("cpu", "cpuacct")
    with Machine(BASE, cgroups_enable_cfs=True) as machine:
        name = machine.task("while true; do :; done", resources={"cpus": 0.2})
        machine.runs(name)
        group = next(Path(GROUPS, "cpu", machine.group).glob("*-*"))
        assert (group / "cpu.shares").read_text() == "307\n", (group / "cpu.shares").read_text()  # with the executor's 0.1
        assert (group / "cpu.cfs_quota_us").read_text() == "30000\n"
        eventually("it is throttled", lambda: machine.statistics()[name]["cpus_nr_throttled"] > 5)
        statistics = machine.statistics()[name]
        assert statistics["cpus_soft_limit"] > 0.29 and statistics["cpus_user_time_secs"] > 0, statistics
        machine.kill(name)
    with Machine(BASE) as machine:
        name = machine.task("sleep 1000", limits={"cpus": 0.5})
        machine.runs(name)
        group = next(Path(GROUPS, "cpu", machine.group).glob("*-*"))
        assert (group / "cpu.cfs_quota_us").read_text() == "60000\n", "the task's own limit and the executor's share"
        machine.kill(name)


def memory():
    """cgroups/mem: beyond its limit a task fails with usage and limit in the message; within a higher limit it does not."""
    need("memory")
    hungry = "python3 -c \"x = bytearray(150 << 20); print(len(x))\""
    with Machine(BASE) as machine:
        status = machine.end(machine.task(hungry, resources={"mem": 32}))
        assert status["state"] == "TASK_FAILED" and status["reason"] == "REASON_CONTAINER_LIMITATION_MEMORY", status
        assert status["message"].startswith("Memory limit exceeded: Requested: 64MB Maximum Used: "), status["message"]
        assert status["limitation"]["resources"][0]["name"] == "mem", status
        status = machine.end(machine.task(hungry, resources={"mem": 32}, limits={"mem": 400}))
        assert status["state"] == "TASK_FINISHED", status
        name = machine.task("sleep 1000", resources={"mem": 32}, limits={"mem": 400})
        machine.runs(name)
        statistics = machine.statistics()[name]
        assert statistics["mem_limit_bytes"] == 432 << 20 and statistics["mem_soft_limit_bytes"] == 64 << 20, statistics
        assert statistics["mem_total_bytes"] > 0 and statistics["processes"] >= 2, statistics
        machine.kill(name)


def processes():
    """cgroups/pids: a task that forks without end stops at the agent's limit; the machine goes on."""
    need("pids")
    fork = "for i in $(seq 40); do sleep 1000 & done; echo survived"
    with Machine(BASE + ",cgroups/pids", cgroups_pids_limit=20) as machine:
        output = machine.run(fork)
        assert "annot fork" in output and "survived" not in output, output
    with Machine(BASE) as machine:
        assert "survived" in machine.run(fork)


def devices():
    """cgroups/devices: a node that a task makes is of no use, but for allowed devices."""
    need("devices")
    if not Path("/dev/loop-control").exists():
        raise results.Skip("this machine has no loop devices")
    command = "mknod d c 10 237 && (: < d) && echo opened; mknod n c 1 3 && (: > n) && echo null"
    with Machine(BASE + ",cgroups/devices") as machine:
        output = machine.run(command)
        assert "not permitted" in output and "opened" not in output and "null" in output, output
    with Machine(BASE) as machine:
        assert "opened" in machine.run(command)
    allowed = {"allowed_devices": [{"device": {"path": "/dev/loop-control"}, "access": {"read": True}}]}
    with Machine(BASE + ",cgroups/devices", allowed_devices=json.dumps(allowed)) as machine:
        output = machine.run(command + "; (: > d) && echo written")
        assert "opened" in output and "written" not in output, output


def block_devices():
    """cgroups/blkio: what a task writes to the disk is counted for it (newer kernels count where somebody throttles)."""
    need("blkio")
    with Machine(BASE + ",cgroups/blkio") as machine:
        name = machine.task("while [ ! -e go ]; do sleep 0.1; done; dd if=/dev/zero of=f bs=64k count=32 oflag=direct 2>/dev/null; sleep 1000")
        machine.runs(name)
        device = os.stat(machine.root).st_dev
        group = next(Path(GROUPS, "blkio", machine.group).glob("*-*"))
        try:
            (group / "blkio.throttle.write_bps_device").write_text(f"{os.major(device)}:{os.minor(device)} {1 << 40}")
        except OSError as error:
            raise results.Skip(f"{machine.root} is on no disk that can be throttled: {error}") from None
        (machine.sandbox(name) / "go").touch()

        def written():
            throttling = machine.statistics()[name]["blkio_statistics"]["throttling"]
            return any(value["op"] == "WRITE" and value["value"] >= 2 << 20 for device in throttling for value in device["io_service_bytes"])
        eventually("2 MiB are counted", written)
        machine.kill(name)
    with Machine(BASE) as machine:
        name = machine.task("sleep 1000")
        machine.runs(name)
        assert "blkio_statistics" not in machine.statistics()[name]
        machine.kill(name)


def processor_sets():
    """cgroups/cpuset: a task is in its set, with its parent's processors."""
    need("cpuset")
    with Machine(BASE + ",cgroups/cpuset") as machine:
        output = machine.run("grep cpuset: /proc/self/cgroup; nproc")
        assert f"/{machine.group}/" in output and output.endswith(f"{os.cpu_count()}\n"), output


@contextmanager
def mounted(controllers_):
    """The machine's tree with more controllers, below a directory of this test's."""
    with tempfile.TemporaryDirectory(prefix="dcos-groups-") as top:
        done = []
        try:
            for path in Path(GROUPS).iterdir():
                if path.name not in controllers_:
                    os.symlink(path, f"{top}/{path.name}")
            for name in controllers_:
                os.mkdir(f"{top}/{name}")
                if subprocess.run(["mount", "-t", "cgroup", "-o", name, "none", f"{top}/{name}"], capture_output=True).returncode != 0:
                    raise results.Skip(f"the controller {name} cannot be mounted here")
                done.append(name)
            yield top
        finally:
            for name in done:
                subprocess.run(["umount", f"{top}/{name}"], check=False)


def packet_classes():
    """cgroups/net_cls: every task's packets carry a class of its own, also after the agent was killed."""
    need("memory")
    with mounted(["net_cls"]) as hierarchy:
        with Machine(BASE + ",cgroups/net_cls", cgroups_hierarchy=hierarchy, cgroups_net_cls_primary_handle="0x0012",
                     cgroups_net_cls_secondary_handles="0x0003,0x0004") as machine:
            def classes():
                return sorted(path.read_text() for path in Path(hierarchy, "net_cls", machine.group).glob("*-*/net_cls.classid"))
            first = machine.task("sleep 1000")
            machine.runs(first)
            assert classes() == [f"{0x00120003}\n"], classes()
            machine.agent.kill()
            machine.agent.wait()
            machine.processes.remove(machine.agent)
            machine.agent = machine.start_agent()
            second = machine.task("sleep 1000")
            machine.runs(second)
            assert classes() == [f"{0x00120003}\n", f"{0x00120004}\n"], classes()
            status = machine.end(machine.task("sleep 1000"))
            assert status["state"] == "TASK_FAILED" and "only 0 are free" in status["message"], status
            machine.kill(first)
            machine.kill(second)


def groups_to_be_counted():
    """cgroups/perf_event, cgroups/hugetlb, cgroups/net_prio: tasks are in these groups; an absent one stops the start."""
    with mounted(["perf_event", "net_prio"]) as hierarchy:
        with Machine(BASE + ",cgroups/perf_event,cgroups/net_prio", cgroups_hierarchy=hierarchy) as machine:
            output = machine.run("cat /proc/self/cgroup")
            for name in ("perf_event", "net_prio"):
                assert f":{name}:/{machine.group}/" in output, (name, output)
    with tempfile.TemporaryDirectory(prefix="dcos-isolation-") as root:
        done = subprocess.run([str(BIN / "dcos-agent"), "--ip=127.0.0.1", f"--port={free_port()}", "--master=127.0.0.1:1", f"--work_dir={root}/a",
                               f"--cgroups_root={Path(root).name}", f"--isolation={BASE},cgroups/hugetlb"], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and "cgroups/hugetlb needs the controller hugetlb" in done.stderr, done.stderr


def all_groups():
    """cgroups/all: every controller that this machine has."""
    need("memory", "devices", "blkio", "cpuset", "pids")
    with Machine("filesystem/linux,namespaces/pid,cgroups/all") as machine:
        output = machine.run("cat /proc/self/cgroup")
        for name in ("memory", "devices", "blkio", "cpuset", "pids", "freezer"):
            assert f":{name}:/{machine.group}/" in output, (name, output)


def disk_use():
    """disk/du: what a sandbox takes is measured; beyond its disk the task fails when the agent enforces it."""
    fill = "dd if=/dev/zero of=f bs=1M count=12 2>/dev/null; sleep 1000"
    with Machine(BASE + ",disk/du", container_disk_watch_interval="200ms") as machine:
        name = machine.task(fill, resources={"disk": 8})
        machine.runs(name)
        eventually("it is measured", lambda: machine.statistics()[name].get("disk_used_bytes", 0) > 12 << 20)
        assert machine.statistics()[name]["disk_limit_bytes"] == 8 << 20
        machine.kill(name)
    with Machine(BASE + ",disk/du", container_disk_watch_interval="200ms", enforce_container_disk_quota=True) as machine:
        status = machine.end(machine.task(fill, resources={"disk": 8}))
        assert status["state"] == "TASK_FAILED" and status["reason"] == "REASON_CONTAINER_LIMITATION_DISK", status
        assert status["message"].startswith("Disk usage (12") and status["message"].endswith("exceeds quota (8MB)"), status["message"]
        assert status["limitation"]["resources"][0]["name"] == "disk", status
        within = machine.task("dd if=/dev/zero of=f bs=1M count=4 2>/dev/null; sleep 2; echo kept", resources={"disk": 8})
        assert machine.output(within) == "kept\n"


def disk_projects():
    """disk/xfs: writes beyond a task's disk fail in the file system; on another file system the agent says so."""
    with tempfile.TemporaryDirectory(prefix="dcos-isolation-") as root:
        done = subprocess.run([str(BIN / "dcos-agent"), "--ip=127.0.0.1", f"--port={free_port()}", "--master=127.0.0.1:1", f"--work_dir={root}/a",
                               f"--cgroups_root={Path(root).name}", f"--isolation={BASE},disk/xfs"], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and "is not on XFS; use disk/du" in done.stderr, done.stderr
    if not shutil.which("mkfs.xfs"):
        raise results.Skip("xfsprogs is not installed")
    with tempfile.TemporaryDirectory(prefix="dcos-xfs-") as top:
        with open(f"{top}/disk", "wb") as disk:
            disk.truncate(400 << 20)
        subprocess.run(["mkfs.xfs", "-q", f"{top}/disk"], check=True)
        os.mkdir(f"{top}/mnt")
        if subprocess.run(["mount", "-o", "loop,prjquota", f"{top}/disk", f"{top}/mnt"], capture_output=True).returncode != 0:
            raise results.Skip("this machine cannot mount XFS with project quotas")
        try:
            # The first line takes the block that dd's complaint needs.
            fill = "echo begun >&2; dd if=/dev/zero of=f bs=1M count=12; sleep 1000"
            with Machine(BASE + ",disk/xfs", work_dir=f"{top}/mnt/agent", enforce_container_disk_quota=True,
                         container_disk_watch_interval="200ms") as machine:
                name = machine.task(fill, resources={"disk": 8})
                machine.runs(name)
                eventually("the file system refuses", lambda: "No space" in (machine.sandbox(name) / "stderr").read_text()
                           or "quota" in (machine.sandbox(name) / "stderr").read_text())
                eventually("it is measured", lambda: 7 << 20 < machine.statistics()[name].get("disk_used_bytes", 0) <= 8 << 20)
                machine.kill(name)
            with Machine(BASE + ",disk/xfs", work_dir=f"{top}/mnt/agent2", enforce_container_disk_quota=True, xfs_kill_containers=True,
                         container_disk_watch_interval="200ms") as machine:
                status = machine.end(machine.task(fill, resources={"disk": 8}))
                assert status.get("reason") == "REASON_CONTAINER_LIMITATION_DISK", status
        finally:
            subprocess.run(["umount", f"{top}/mnt"], check=True)


def capabilities():
    """linux/capabilities: root without CHOWN cannot chown; what the agent's bounding set lacks is refused by name."""
    want = {"linux_info": {"effective_capabilities": {"capabilities": ["KILL"]}}}
    with Machine(BASE + ",linux/capabilities", bounding_capabilities='{"capabilities":["KILL","NET_RAW"]}') as machine:
        output = machine.run("chown 5 stdout || echo refused; grep CapEff /proc/self/status", want)
        assert "refused" in output and "CapEff:\t0000000000000020" in output, output
        status = machine.end(machine.task("true", {"linux_info": {"effective_capabilities": {"capabilities": ["SYS_ADMIN"]}}}))
        assert "SYS_ADMIN is not allowed by this agent's --bounding_capabilities" in status["message"], status
    with Machine(BASE) as machine:
        status = machine.end(machine.task("true", want))
        assert "needs the isolator linux/capabilities" in status["message"], status
        assert "refused" not in machine.run("chown 5 stdout || echo refused")


def system_calls():
    """linux/seccomp and linux/nnp: calls outside the profile fail; setuid programs have no effect."""
    escape = "unshare -m true && echo escaped; grep -E 'NoNewPrivs|Seccomp:' /proc/self/status"
    with Machine(BASE + ",linux/seccomp,linux/nnp,linux/capabilities", seccomp_profile_name="default",
                 bounding_capabilities='{"capabilities":["CHOWN","DAC_OVERRIDE"]}') as machine:
        output = machine.run(escape)
        assert "escaped" not in output and "Seccomp:\t2" in output and "NoNewPrivs:\t1" in output, output
        assert "Seccomp:\t0" in machine.run(escape, {"linux_info": {"seccomp": {"unconfined": True}}})
    with Machine(BASE) as machine:
        assert "escaped" in machine.run(escape)


def limits_of_processes():
    """posix/rlimits: open files of a task."""
    want = {"rlimit_info": {"rlimits": [{"type": "RLMT_NOFILE", "soft": 77, "hard": 88}]}}
    with Machine(BASE + ",posix/rlimits") as machine:
        assert machine.run("ulimit -Sn; ulimit -Hn", want) == "77\n88\n"
    with Machine(BASE) as machine:
        assert "needs the isolator posix/rlimits" in machine.end(machine.task("true", want))["message"]


def namespaces():
    """namespaces/pid and namespaces/ipc: a task sees its own processes and queues; sharing is what it asks and may."""
    show = "ls -d /proc/[0-9]* | wc -l; ipcmk -Q >/dev/null; ipcs -q | grep -c 0x; df -k /dev/shm | awk 'END {print $2}'"
    with Machine(BASE) as machine:
        seen, queues, _ = machine.run(show).split()
        assert int(seen) < 10 and queues == "1", (seen, queues)
        shared = machine.run("ls -d /proc/[0-9]* | wc -l", {"linux_info": {"share_pid_namespace": True}})
        assert int(shared) > 10, shared
        assert machine.run(show, {"linux_info": {"ipc_mode": "PRIVATE", "shm_size": 5}}).split()[2] == "5120"
    with Machine(BASE, disallow_sharing_agent_pid_namespace=True) as machine:
        status = machine.end(machine.task("true", {"linux_info": {"share_pid_namespace": True}}))
        assert "--disallow_sharing_agent_pid_namespace" in status["message"], status


def user_ids():
    """namespaces/user: root in a task is nobody on the machine, its files are its own, also in pods and after the agent was killed."""
    first = 1879048192
    with Machine(BASE + ",namespaces/user", userns_containers=2) as machine:
        roots = Path(machine.root, "roots")
        roots.write_text("untouched\n")
        show = (f"id -u; cat /proc/self/uid_map; echo again >> /dev/stdout; (echo x > {roots}) || echo refused; "
                "mount -t tmpfs none /mnt || echo refused; touch mine; ls -n mine | cut -d' ' -f3; ")
        name = machine.task(show + "exec sleep 1000")
        machine.runs(name)
        stdout = machine.sandbox(name) / "stdout"
        eventually("all was tried", lambda: stdout.read_text().split() == ["0", "0", str(first), "65536", "again", "refused", "refused", "0"])
        assert roots.read_text() == "untouched\n"
        assert (machine.sandbox(name) / "mine").stat().st_uid == stdout.stat().st_uid == 0
        machine.agent.kill()
        machine.agent.wait()
        machine.processes.remove(machine.agent)
        machine.agent = machine.start_agent()
        second = machine.task("cat /proc/self/uid_map; exec sleep 1000", user="nobody")
        machine.runs(second)
        eventually("it has other ids", lambda: (machine.sandbox(second) / "stdout").read_text().split() == ["0", str(first + 65536), "65536"])
        status = machine.end(machine.task("true"))
        assert status["state"] == "TASK_FAILED" and "--userns_containers" in status["message"], status
        machine.kill(name)
        assert str(first) in machine.run("cat /proc/self/uid_map")
        machine.kill(second)
    with Machine(BASE + ",namespaces/user") as machine:
        tasks = {"a": "cat /proc/self/uid_map; exec sleep 1000", "b": "cat /proc/self/uid_map; exit 0"}
        pods = PodScheduler([f"127.0.0.1:{machine.master}"], {"pod": tasks}).start()
        try:
            eventually("its task ends well", lambda: pods.history_of("b") == ["STARTING", "RUNNING", "FINISHED"])
            eventually("the other runs", lambda: "a" in pods.running())
            seen = {path.read_text().split()[1] for path in Path(machine.work_dir).glob("slaves/*/frameworks/*/executors/pod/runs/latest/containers/*/stdout")}
            assert seen == {str(first + 65536), str(first + 2 * 65536)}, seen  # the executor has the first
        finally:
            pods.close()
            call(machine.master, "POST", "/teardown", f"frameworkId={pods.framework_id}")
    with tempfile.TemporaryDirectory(prefix="dcos-isolation-") as root:
        for flag, words in {"isolation=filesystem/posix,namespaces/user": "namespaces/user needs an agent that runs as root",
                            "userns_first_id=100000": "--userns_first_id must be a multiple of 65536",
                            "userns_containers=5000": "--userns_first_id + 65536 for each at most 2147483648"}.items():
            done = subprocess.run([str(BIN / "dcos-agent"), "--ip=127.0.0.1", f"--port={free_port()}", "--master=127.0.0.1:1",
                                   f"--work_dir={root}/a", f"--cgroups_root={Path(root).name}", f"--{flag}"],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode != 0 and words in done.stderr, done.stderr
            assert not list(Path(GROUPS).glob(f"*/{Path(root).name}")), "an agent that does not start leaves no group"


def host_paths():
    """volume/host_path: files of the machine, read-only where wished, never through a link of the task's."""
    with Machine(BASE) as machine:
        shared = Path(machine.root, "shared")
        shared.mkdir()
        (shared / "file").write_text("here\n")
        volume = {"volumes": [{"mode": "RO", "container_path": "data", "host_path": str(shared)}]}
        output = machine.run("cat data/file; echo x > data/file", volume)
        assert output.startswith("here\n") and "Read-only" in output, output
        missing = {"volumes": [{"mode": "RW", "container_path": "data", "host_path": str(shared / "new")}]}
        assert "No such file" in machine.end(machine.task("true", missing))["message"]
        escape = {"volumes": [{"mode": "RW", "container_path": "../../data", "host_path": str(shared)}]}
        assert "'..'" in machine.end(machine.task("true", escape))["message"]


def secrets():
    """volume/secret and environment_secret: by value and by reference; nowhere else but in the task."""
    with tempfile.TemporaryDirectory(prefix="dcos-secrets-") as store:
        os.makedirs(f"{store}/db", mode=0o700)
        secret = Path(store, "db/password")
        secret.touch(mode=0o600)
        secret.write_text("open-sesame-77")
        by_name = {"type": "REFERENCE", "reference": {"name": "db/password"}}
        by_value = {"type": "VALUE", "value": {"data": "c2hpYmJvbGV0aC04OA=="}}  # shibboleth-88
        variables = [{"name": "BY_NAME", "type": "SECRET", "secret": by_name}, {"name": "BY_VALUE", "type": "SECRET", "secret": by_value}]
        volumes = {"volumes": [{"mode": "RO", "container_path": "keys/token", "source": {"type": "SECRET", "secret": by_name}}]}
        with Machine(BASE + ",volume/secret", secret_dir=store) as machine:
            command = ("printf %s \"$BY_NAME\" | md5sum; printf %s \"$BY_VALUE\" | md5sum; md5sum < keys/token; stat -c %a:%U keys/token; "
                       "while [ ! -e go ]; do sleep 0.1; done")
            name = machine.task(command, volumes, environment=variables, user="nobody")
            machine.runs(name)
            words = ["open-sesame-77", "shibboleth-88", "c2hpYmJvbGV0aC04OA"]
            sums = [hashlib.md5(word.encode()).hexdigest() + "  -\n" for word in words[:2]]
            eventually("it has them", lambda: (machine.sandbox(name) / "stdout").read_text() == f"{sums[0]}{sums[1]}{sums[0]}600:nobody\n")
            pages = {path: call(port, "GET", path).body for port in (machine.port,) for path in ("/state", "/containers", "/flags", "/monitor/statistics")}
            pages |= {path: call(machine.master, "GET", path).body for path in ("/state", "/tasks", "/frameworks")}
            for port in (machine.master, machine.port):
                for kind in ("GET_TASKS", "GET_STATE", "GET_EXECUTORS"):
                    pages[f"{port} {kind}"] = call(port, "POST", "/api/v1", {"type": kind}).body
            for page, body in pages.items():
                for word in words:
                    assert word.encode() not in body, f"{word} is shown by {page}"
            for path in Path(machine.root).rglob("*"):
                if path.is_file() and not path.is_symlink() and path.stat().st_size < 50 << 20:
                    readable = path.stat().st_mode & 0o044 and all(parent.stat().st_mode & 0o011 for parent in path.parents if str(parent).startswith(machine.root))
                    for word in words:
                        assert not readable or word.encode() not in path.read_bytes(), f"{word} is in {path}"
                    if path.suffix == ".log":
                        assert not any(word.encode() in path.read_bytes() for word in words), path
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    arguments = line.read_bytes()
                except OSError:
                    continue  # it has ended
                assert not any(word.encode() in arguments for word in words), arguments
            (machine.sandbox(name) / "go").touch()
            assert machine.end(name)["state"] == "TASK_FINISHED"
            gone = [{"name": "X", "type": "SECRET", "secret": {"type": "REFERENCE", "reference": {"name": "db/none"}}}]
            assert "there is no secret 'db/none'" in machine.end(machine.task("true", environment=gone))["message"]
            # One that others can read is no secret.
            secret.chmod(0o644)
            leaky = [{"name": "X", "type": "SECRET", "secret": by_name}]
            assert "closed to all others" in machine.end(machine.task("true", environment=leaky))["message"]


def graphics():
    """gpu/nvidia, with device nodes that stand for real ones: a task gets what it pays for, others get none."""
    need("devices")
    nodes = [Path(f"/dev/nvidia{number}") for number in (0, 1)] + [Path("/dev/nvidiactl")]
    if any(node.exists() for node in nodes):
        raise results.Skip("this machine has devices of that name")
    try:
        for number, node in enumerate(nodes):
            os.mknod(node, 0o600 | 0o020000, os.makedev(10, 237))  # the loop control device: it opens, and nobody is allowed to by default
            node.chmod(0o666)
        with Machine(BASE + ",cgroups/devices,gpu/nvidia", nvidia_gpu_devices="0,1") as machine:
            slave = call(machine.master, "GET", "/slaves").json()["slaves"][0]
            assert slave["resources"]["gpus"] == 2, slave["resources"]
            assert "not permitted" in machine.run("(: < /dev/nvidia0) && echo opened")
            assert "opened" in machine.run("(: < /dev/nvidia0) && echo opened", resources={"gpus": 1})
            status = machine.end(machine.task("true", resources={"gpus": 0.5}))
            assert status["state"] in ("TASK_ERROR", "TASK_FAILED") and "gpus" in status["message"].lower(), status
    finally:
        for node in nodes:
            node.unlink(missing_ok=True)


def unknown_names():
    """An isolator that does not exist stops the start with its name and those that do."""
    with tempfile.TemporaryDirectory() as root:
        done = subprocess.run([str(BIN / "dcos-agent"), "--master=127.0.0.1:1", f"--work_dir={root}", "--isolation=cgroups/cpu,linux/teapot"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and "linux/teapot" in done.stderr and "volume/secret" in done.stderr, done.stderr


if __name__ == "__main__":
    wanted = set(sys.argv[1:])
    tests = [unknown_names, processors, memory, processes, devices, block_devices, processor_sets, packet_classes, groups_to_be_counted,
             all_groups, disk_use, disk_projects, capabilities, system_calls, limits_of_processes, namespaces, user_ids, host_paths,
             secrets, graphics]
    results.run("system/isolation", [test for test in tests if not wanted or test.__name__ in wanted])
