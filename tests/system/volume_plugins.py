#!/usr/bin/env python3
"""Volumes of source CSI_VOLUME: published for tasks and pods that name them, taken back after the last, over kills of everything."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, BUILD, call, eventually  # noqa: E402
from isolation import Machine  # noqa: E402

PLUGIN = BUILD / "tests" / "dcos-test-csi"
TYPE = "org.example.nfs"
ISOLATION = "filesystem/linux,namespaces/pid,cgroups/cpu,cgroups/mem,volume/csi,volume/secret"


def csi(path, mode="RW", volume="v1", access="MULTI_NODE_MULTI_WRITER", plugin=TYPE, **more):
    return {"container_path": path, "mode": mode, "source": {"type": "CSI_VOLUME", "csi_volume": {"plugin_name": plugin, "static_provisioning": {
        "volume_id": volume, "volume_capability": {"mount": {}, "access_mode": {"mode": access}}, "volume_context": {"share": "/data"}, **more}}}}


class Plugins(Machine):
    """A machine with a plugin that has the volume v1 and knows nodes only; started by the test unless `managed`."""

    def __init__(self, managed=False, described=True, **flags):
        if not PLUGIN.exists():
            raise results.Skip(f"{PLUGIN} is not built")
        self.store = tempfile.mkdtemp(prefix="dcos-plugins-")
        self.data, self.socket, self.managed = Path(self.store, "data"), f"{self.store}/csi.sock", managed
        self.descriptions = Path(self.store, "plugins")
        for directory in (self.descriptions, self.data / "volumes" / "v1", self.data / "sizes"):
            directory.mkdir(parents=True)
        (self.data / "sizes" / "v1").write_text("1048576")
        (self.data / "node-only").touch()
        (self.data / "calls").touch()
        if described:
            self.describe()
        super().__init__(ISOLATION, csi_plugin_config_dir=self.descriptions, **flags)

    def describe(self, **more):
        description = {"type": TYPE, **more}
        if self.managed:
            description["containers"] = [{"services": ["NODE_SERVICE"], "resources": [
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": 256}}],
                "command": {"shell": False, "value": str(PLUGIN), "arguments": ["plugin", str(self.data), "100"]}}]
        else:
            description["endpoints"] = [{"csi_service": "NODE_SERVICE", "endpoint": self.socket}]
        (self.descriptions / "nfs.json").write_text(json.dumps(description))

    def __enter__(self):
        if not self.managed:
            self.start_plugin()
        return super().__enter__()

    def __exit__(self, kind, value, trace):
        if kind is not None and (self.data / "calls").exists():
            print("--- calls", *(self.data / "calls").read_text().splitlines()[-20:], sep="\n", flush=True)
        left = self.mounts()
        try:
            super().__exit__(kind, value, trace)
        finally:
            for path in self.mounts():
                subprocess.run(["umount", "-l", path], check=False)
            shutil.rmtree(self.root, ignore_errors=True)
            shutil.rmtree(self.store, ignore_errors=True)
        assert kind is not None or not left, left

    def start_plugin(self):
        self.plugin = subprocess.Popen([str(PLUGIN), str(self.data), "100", self.socket], stdin=subprocess.DEVNULL)
        self.processes.append(self.plugin)

    def mounts(self):
        return [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if self.root in line and "/csi/" in line]

    def asked(self, method):
        return sum(line.startswith(method + " ") for line in (self.data / "calls").read_text().splitlines())

    def fault(self, text):
        (self.data / "faults").write_text(text)

    def kill_agent(self):
        self.agent.kill()
        self.agent.wait()

    def restart_agent(self):
        self.kill_agent()
        self.agent = self.start_agent()
        eventually("the agent is back", lambda: call(self.master, "GET", "/metrics/snapshot").json()["master/slaves_active"] == 1 and
                   call(self.port, "GET", "/health").status == 200, limit=60)

    def audit(self):
        ran = subprocess.run([str(BIN / "dcos-agent"), "audit", f"--work_dir={self.work_dir}", "--json"], capture_output=True, text=True, check=False)
        assert ran.returncode in (0, 1), ran
        return json.loads(ran.stdout)["findings"]

    def taken_back(self):
        eventually("the volume is taken back", lambda: not self.mounts() and not list(Path(self.work_dir, "csi").glob("*/*/mounts/*")), limit=60)


def shared():
    """Tasks share a volume, one only reads it; killing agent and plugin does not touch them; the last one's end takes it back."""
    with Plugins() as machine:
        writer = machine.task("echo one > data/file; exec sleep 1000", {"volumes": [csi("data")]})
        machine.runs(writer)
        file = machine.data / "volumes" / "v1" / "file"
        eventually("it writes to the volume", lambda: file.exists() and file.read_text() == "one\n")
        out = machine.run("cat data/file; echo x > data/file || echo refused", {"volumes": [csi("data", "RO")]})
        assert out.startswith("one\n") and "refused" in out and file.read_text() == "one\n", out
        assert machine.asked("NodePublishVolume") == 1 and machine.asked("NodeUnpublishVolume") == 0
        assert machine.asked("ControllerPublishVolume") == 0 and machine.asked("ControllerGetCapabilities") == 0
        machine.plugin.kill()
        machine.plugin.wait()
        machine.restart_agent()
        machine.start_plugin()
        assert machine.audit() == [], machine.audit()
        assert machine.asked("NodeUnpublishVolume") == 0 and machine.mounts()
        reader = machine.task("cat data/file; exec sleep 1000", {"volumes": [csi("data")]})
        machine.runs(reader)
        machine.kill(writer)
        assert machine.mounts()
        machine.kill(reader)
        machine.taken_back()
        assert file.read_text() == "one\n"
        # An image's files are not needed for a user of the task's own.
        assert os.stat(machine.data / "volumes" / "v1").st_uid == 0
        machine.run("echo mine > data/mine", {"volumes": [csi("data")]}, user="nobody")
        assert os.stat(machine.data / "volumes" / "v1").st_uid != 0
        machine.taken_back()


def ended_meanwhile():
    """A task that ends while its agent is dead: audit shows the volume, the next start takes it back; so for a launch that was cut short."""
    with Plugins() as machine:
        task = machine.task("exec sleep 1000", {"volumes": [csi("data")]})
        machine.runs(task)
        [pid] = [int(p) for p in next(Path(machine.work_dir, "run", "containers").glob("*/pid")).read_text().split()[:1]]
        machine.kill_agent()
        os.kill(pid, 9)
        eventually("the container is gone", lambda: not Path(f"/proc/{pid}").exists())
        machine.agent = machine.start_agent()
        machine.end(task)
        machine.taken_back()

        machine.fault("NodePublishVolume hang\n")
        task = machine.task("exec sleep 1000", {"volumes": [csi("data")]})
        eventually("the plugin is asked", lambda: machine.asked("NodePublishVolume") == 2, limit=60)
        machine.kill_agent()
        machine.fault("NodePublishVolume lose\n")
        machine.agent = machine.start_agent()
        assert machine.end(task)["state"] in ("TASK_GONE", "TASK_LOST", "TASK_FAILED")
        machine.fault("")
        machine.taken_back()
        # What is there of no container, with no agent that would take it back.
        task = machine.task("exec sleep 1000", {"volumes": [csi("data")]})
        machine.runs(task)
        [target] = [path for path in machine.mounts() if path.endswith("/target")]
        machine.kill(task)
        machine.taken_back()
        machine.kill_agent()
        Path(target).mkdir(parents=True)
        subprocess.run(["mount", "--bind", machine.store, target], check=True)
        found = machine.audit()
        assert [(each["kind"], each["name"]) for each in found if each["name"] == target] == [("mount", target)], found
        subprocess.run(["umount", target], check=True)
        Path(target).rmdir()
        Path(target).parent.rmdir()
        machine.agent = machine.start_agent()


def refused():
    """What cannot be is refused with the reason and leaves nothing; a plugin described later is found; secrets reach the plugin alone."""
    secrets = tempfile.mkdtemp(prefix="dcos-secrets-")
    Path(secrets, "nfs").mkdir(mode=0o700)
    Path(secrets, "nfs", "word").write_text("hush")
    os.chmod(Path(secrets, "nfs", "word"), 0o600)
    with Plugins(described=False, secret_dir=secrets) as machine:
        def message(*volumes):
            status = machine.end(machine.task("true", {"volumes": list(volumes)}))
            assert status["state"] == "TASK_FAILED", status
            return status["message"]

        assert f"describes the storage plugin '{TYPE}'" in message(csi("data"))
        machine.describe(target_path_root=f"{machine.root}/csi/elsewhere")
        reference = {"type": "REFERENCE", "reference": {"name": "nfs/word"}}
        task = machine.task("exec sleep 1000", {"volumes": [csi("data", node_stage_secrets={"word": reference},
                                                                node_publish_secrets={"other": {"type": "VALUE", "value": {"data": "cXVpZXQ="}}})]})
        machine.runs(task)
        assert any(path.startswith(f"{machine.root}/csi/elsewhere/v1/") for path in machine.mounts()), machine.mounts()
        assert sorted(Path(machine.data, "secrets").read_text().splitlines()) == [
            "NodePublishVolume other=quiet", "NodeStageVolume word=hush"]
        log = Path(machine.root, "agent.log").read_text()
        assert "hush" not in log and "quiet" not in log
        machine.kill(task)
        eventually("it is taken back", lambda: not machine.mounts())
        assert "read-only volume" in message(csi("data", access="MULTI_NODE_READER_ONLY"))
        assert "duplicate" in message(csi("a"), csi("b"))
        assert "no such volume" in message(csi("data", volume="v2"))
        assert "there is no secret" in message(csi("data", node_stage_secrets={"word": {"type": "REFERENCE", "reference": {"name": "none"}}}))
        machine.fault("NodeStageVolume fail\n")
        assert "cannot be published: told to fail" in message(csi("data"))
        machine.fault("")
        eventually("nothing is left", lambda: not machine.mounts() and machine.audit() == [], limit=60)
    shutil.rmtree(secrets)


def managed():
    """A plugin in a container of the agent's, which goes on when the agent is killed and is started again when it ends."""
    with Plugins(managed=True) as machine:
        def pids():
            answer = call(machine.port, "POST", "/api/v1", {"type": "GET_CONTAINERS", "get_containers": {"show_standalone": True}},
                          {"Accept": "application/json"}).json()
            return [c["container_status"]["executor_pid"] for c in answer["get_containers"].get("containers", [])
                    if c["container_id"]["value"].startswith("csi-plugin-")]

        task = machine.task("echo one > data/file; exec sleep 1000", {"volumes": [csi("data")]})
        machine.runs(task)
        eventually("it writes", lambda: (machine.data / "volumes" / "v1" / "file").exists())
        [pid] = pids()
        machine.restart_agent()
        eventually("the plugin goes on", lambda: pids() == [pid])
        os.kill(pid, 9)
        eventually("it is started again", lambda: len(pids()) == 1 and pids() != [pid], limit=60)
        machine.kill(task)
        machine.taken_back()
        (machine.descriptions / "nfs.json").unlink()
        machine.restart_agent()
        eventually("a plugin that is described no more ends", lambda: not pids())


if __name__ == "__main__":
    results.run("system/volume_plugins", [shared, ended_meanwhile, refused, managed])
