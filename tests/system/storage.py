#!/usr/bin/env python3
"""Disks of a storage plugin, through master and agent: made, used by tasks, taken back, over kills of everything."""

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BUILD, call, eventually  # noqa: E402
from harness.scheduler import Scheduler  # noqa: E402
from isolation import Machine  # noqa: E402

PLUGIN = BUILD / "tests" / "dcos-test-csi"
TYPE = "org.apache.mesos.rp.local.storage"
ROLE = "web"
PROFILES = {"profile_matrix": {"fast": {
    "csi_plugin_type_selector": {"plugin_type": "org.example.test"},
    "volume_capabilities": {"mount": {}, "access_mode": {"mode": "SINGLE_NODE_WRITER"}},
    "create_parameters": {"kind": "ssd"}}}}
RESERVATION = {"type": "DYNAMIC", "role": ROLE}
ISOLATION = "filesystem/linux,namespaces/pid,cgroups/cpu,cgroups/mem"


class DiskScheduler(Scheduler):
    """Answers an offer with the operations that `plan(offer)` makes of it, once; None leaves the plan for another offer."""

    def __init__(self, master):
        super().__init__([master], 0, None, name="storage")
        self.roles = [ROLE]
        self.capabilities.append("RESERVATION_REFINEMENT")
        self.plan, self.offered, self.operations, self.last = None, [], {}, {}

    def _use(self, offer):
        self.offered = offer["resources"]
        operations = self.plan(offer) if self.plan else None
        if operations is None:
            return self._call({"type": "DECLINE", "decline": {"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0.1}}})
        self.plan = None
        self._call({"type": "ACCEPT", "accept": {"offer_ids": [offer["id"]], "operations": operations, "filters": {"refuse_seconds": 0.1}}})

    def _on(self, event):
        if event["type"] == "UPDATE_OPERATION_STATUS":
            status = event["update_operation_status"]["status"]
            operation = status["operation_id"]["value"]
            self.operations[operation] = status
            if status.get("uuid"):
                acknowledge = {"agent_id": status["agent_id"], "operation_id": status["operation_id"], "uuid": status["uuid"]["value"]}
                if "resource_provider_id" in status:
                    acknowledge["resource_provider_id"] = status["resource_provider_id"]
                self._call({"type": "ACKNOWLEDGE_OPERATION_STATUS", "acknowledge_operation_status": acknowledge})
        if event["type"] == "UPDATE":
            self.last[event["update"]["status"]["task_id"]["value"]] = event["update"]["status"]
        super()._on(event)

    # What tests do ---------------------------------------------------------------------------------------------------

    def on_offer(self, plan):
        self.plan = plan

    def ended(self, operation, state="OPERATION_FINISHED"):
        status = eventually(f"{operation} ends", lambda: self.operations.get(operation), limit=20)
        assert status["state"] == state, status
        return status

    def make_disk(self, name, megabytes=64):
        """CREATE_DISK of that much of the free space."""
        def plan(offer):
            for disk in disks(offer["resources"], "RAW"):
                if "id" not in disk["disk"]["source"] and disk["scalar"]["value"] >= megabytes:
                    return [{"type": "CREATE_DISK", "id": {"value": name}, "create_disk": {
                        "source": {**disk, "scalar": {"value": megabytes}}, "target_type": "MOUNT"}}]
            return None
        self.on_offer(plan)

    def unmake_disk(self, name, id):
        def plan(offer):
            found = [disk for disk in disks(offer["resources"]) if disk["disk"]["source"].get("id") == id]
            return [{"type": "DESTROY_DISK", "id": {"value": name}, "destroy_disk": {"source": found[0]}}] if found else None
        self.on_offer(plan)

    def launch(self, task, command, id):
        """A task on the volume "data" on that disk, which is reserved and made where it is not yet."""
        def plan(offer):
            found = [disk for disk in disks(offer["resources"]) if disk["disk"]["source"].get("id") == id]
            scalars = {r["name"]: r["scalar"]["value"] for r in offer["resources"] if "scalar" in r}
            if not found or scalars.get("cpus", 0) < 0.1:
                return None
            [disk] = found
            operations = []
            if not disk.get("reservations"):
                disk = {**disk, "reservations": [RESERVATION]}
                operations.append({"type": "RESERVE", "id": {"value": "reserve"}, "reserve": {"resources": [disk]}})
            if "persistence" not in disk["disk"]:
                disk = {**disk, "disk": {**disk["disk"], "persistence": {"id": "data"}, "volume": {"mode": "RW", "container_path": "data"}}}
                operations.append({"type": "CREATE", "id": {"value": "create"}, "create": {"volumes": [disk]}})
            allocation = {"role": ROLE}
            operations.append({"type": "LAUNCH", "launch": {"task_infos": [{
                "name": task, "task_id": {"value": task}, "agent_id": offer["agent_id"], "command": {"value": command},
                "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}, "allocation_info": allocation},
                              {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}, "allocation_info": allocation}, disk]}]}})
            return operations
        self.on_offer(plan)

    def give_back(self, id):
        """DESTROY of the volume and UNRESERVE of its disk."""
        def plan(offer):
            found = [d for d in disks(offer["resources"]) if d["disk"]["source"].get("id") == id and "persistence" in d["disk"]]
            if not found:
                return None
            bare = {**found[0], "disk": {"source": found[0]["disk"]["source"]}}
            return [{"type": "DESTROY", "id": {"value": "destroy"}, "destroy": {"volumes": found}},
                    {"type": "UNRESERVE", "id": {"value": "unreserve"}, "unreserve": {"resources": [bare]}}]
        self.on_offer(plan)

    def kill(self, task):
        self._call({"type": "KILL", "kill": {"task_id": {"value": task}, "agent_id": self.last[task]["agent_id"]}})
        eventually(f"{task} has ended", lambda: self.states[task] in ("TASK_KILLED", "TASK_FINISHED", "TASK_FAILED"))

    def free_space(self):
        return sum(d["scalar"]["value"] for d in disks(self.offered, "RAW") if "id" not in d["disk"]["source"])


def disks(resources, type=None):
    return [r for r in resources if "provider_id" in r and type in (None, r["disk"]["source"]["type"])]


def description(containers=None, socket=None, name="local"):
    plugin = {"type": "org.example.test", "name": name}
    if socket:
        plugin["endpoints"] = [{"csi_service": service, "endpoint": f"unix://{socket}"} for service in ("CONTROLLER_SERVICE", "NODE_SERVICE")]
    else:
        plugin["containers"] = [{"services": ["CONTROLLER_SERVICE", "NODE_SERVICE"], "command": containers,
                                 "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
                                               {"name": "mem", "type": "SCALAR", "scalar": {"value": 256}}]}]
    return {"type": TYPE, "name": name, "storage": {"plugin": plugin}}


class Storage(Machine):
    """A machine with a plugin of 100 MB, started by the test (`outside`) or by nobody yet."""

    def __init__(self, outside=True, uri=None):
        if not PLUGIN.exists():
            raise results.Skip(f"{PLUGIN} is not built")
        self.store = tempfile.mkdtemp(prefix="dcos-storage-")
        self.data = Path(self.store, "data")
        self.socket = f"{self.store}/csi.sock"
        Path(self.store, "providers").mkdir()
        Path(self.store, "profiles.json").write_text(json.dumps(PROFILES))
        self.outside = outside
        if outside:
            Path(self.store, "providers", "local.json").write_text(json.dumps(description(socket=self.socket)))
        modules = {"libraries": [{"modules": [{"name": "org_apache_mesos_UriDiskProfileAdaptor", "parameters": [
            {"key": "uri", "value": uri or f"{self.store}/profiles.json"}, {"key": "poll_interval", "value": "1secs"}]}]}]}
        super().__init__(ISOLATION, resource_provider_config_dir=f"{self.store}/providers", modules=json.dumps(modules),
                         disk_profile_adaptor="org_apache_mesos_UriDiskProfileAdaptor")

    def __enter__(self):
        if self.outside:
            self.start_plugin()
        super().__enter__()
        self.scheduler.close()
        self.scheduler = DiskScheduler(f"127.0.0.1:{self.master}").start()
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print("--- scheduler", *self.scheduler.history[-15:], sep="\n", flush=True)
        if self.outside and kind is None:
            mounted = [line for line in Path("/proc/self/mounts").read_text().splitlines() if self.root in line and "/csi/" in line]
        try:
            super().__exit__(kind, value, trace)
        finally:
            for line in Path("/proc/self/mounts").read_text().splitlines():
                if self.root in line:
                    subprocess.run(["umount", "-l", line.split()[1]], check=False)
            shutil.rmtree(self.root, ignore_errors=True)
            shutil.rmtree(self.store, ignore_errors=True)
        if self.outside and kind is None:
            assert not mounted, mounted

    def start_plugin(self):
        words = [str(PLUGIN), str(self.data), "100", self.socket]
        self.plugin = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        self.processes.append(self.plugin)

    def kill_plugin(self):
        self.plugin.send_signal(signal.SIGKILL)
        self.plugin.wait()

    def kill_agent(self):
        self.agent.send_signal(signal.SIGKILL)
        self.agent.wait()

    def restart_agent(self):
        self.kill_agent()
        self.agent = self.start_agent()
        self.wait_for_agent()

    def wait_for_agent(self):
        eventually("the agent is back", lambda: self.metric("master/slaves_active") == 1 and
                   call(self.port, "GET", "/health").status == 200, limit=60)

    def metric(self, name):
        return call(self.master, "GET", "/metrics/snapshot").json()[name]

    def volumes(self):
        return sorted(path.name for path in self.data.glob("sizes/*"))

    def asked(self, method):
        return [line for line in (self.data / "calls").read_text().splitlines() if line.startswith(method + " ")]

    def api(self, call_, port=None):
        return call(port or self.port, "POST", "/api/v1", call_, {"Accept": "application/json"})

    def fault(self, text):
        Path(self.data, "faults").write_text(text)


def used():
    """Free space becomes a disk and a task's volume; agent, plugin and task are killed and the data stays; given back, nothing is left."""
    with Storage() as machine:
        scheduler = machine.scheduler
        eventually("free space is offered", lambda: scheduler.free_space() == 100)
        [provider] = machine.api({"type": "GET_RESOURCE_PROVIDERS"}).json()["get_resource_providers"]["resource_providers"]
        assert provider["resource_provider_info"]["name"] == "local" and provider["total_resources"], provider
        [agent] = machine.api({"type": "GET_AGENTS"}, machine.master).json()["get_agents"]["agents"]
        assert agent["resource_providers"][0]["resource_provider_info"]["id"] == provider["resource_provider_info"]["id"], agent

        scheduler.make_disk("make")
        status = scheduler.ended("make")
        [disk] = status["converted_resources"]
        id = disk["disk"]["source"]["id"]
        assert disk["disk"]["source"]["type"] == "MOUNT" and disk["disk"]["source"]["profile"] == "fast", disk
        assert status["resource_provider_id"] == provider["resource_provider_info"]["id"], status
        assert machine.volumes() == [id], machine.volumes()
        eventually("the rest is offered", lambda: scheduler.free_space() == 36)

        scheduler.launch("first", "echo one >> data/file; exec sleep 10000", id)
        scheduler.ended("reserve"), scheduler.ended("create")
        eventually("the task runs", lambda: "first" in scheduler.running())
        file = machine.data / "volumes" / id / "file"
        eventually("it writes to the plugin's volume", lambda: file.read_text() == "one\n")

        machine.kill_plugin()
        machine.restart_agent()
        machine.start_plugin()
        assert "first" in scheduler.running() and file.read_text() == "one\n"
        scheduler.kill("first")
        scheduler.launch("second", "cat data/file; echo two >> data/file; exec sleep 10000", id)
        eventually("another task runs on it", lambda: "second" in scheduler.running(), limit=60)
        eventually("it finds the data", lambda: file.read_text() == "one\ntwo\n")
        assert len(machine.asked("CreateVolume")) == 1 and len(machine.asked("NodePublishVolume")) == 1, machine.asked("")
        scheduler.kill("second")

        scheduler.give_back(id)
        scheduler.ended("destroy"), scheduler.ended("unreserve")
        assert not file.exists(), "the data is still there"
        scheduler.unmake_disk("unmake", id)
        scheduler.ended("unmake")
        eventually("all of it is free again", lambda: scheduler.free_space() == 100)
        assert machine.volumes() == [] and len(machine.asked("DeleteVolume")) == 1
        assert not list(Path(machine.work_dir, "csi").glob("*/*/mounts/*")), "a directory is left"


def faulty():
    """A plugin that loses an answer makes one volume, also when the agent is killed meanwhile; one that refuses is told as the reason."""
    with Storage() as machine:
        scheduler = machine.scheduler
        eventually("free space is offered", lambda: scheduler.free_space() == 100)
        machine.fault("CreateVolume fail\n")
        scheduler.make_disk("refused")
        status = scheduler.ended("refused", "OPERATION_FAILED")
        assert status["message"] == "the plugin does not make the volume: told to fail", status
        eventually("it is free again", lambda: scheduler.free_space() == 100)

        machine.fault("CreateVolume lose\n")
        scheduler.make_disk("lost")
        eventually("the plugin was asked", lambda: len(machine.asked("CreateVolume")) == 2)
        machine.kill_agent()
        machine.fault("")
        machine.agent = machine.start_agent()
        [disk] = scheduler.ended("lost")["converted_resources"]
        id = disk["disk"]["source"]["id"]
        assert machine.volumes() == [id] and len(machine.asked("CreateVolume")) == 3, machine.asked("CreateVolume")

        # What cannot be published fails its task with the reason; the next one is served.
        machine.fault("NodeStageVolume fail\n")
        scheduler.launch("failing", "sleep 10000", id)
        eventually("the task fails", lambda: scheduler.states.get("failing") == "TASK_FAILED", limit=60)
        assert "cannot be published: told to fail" in scheduler.last["failing"]["message"], scheduler.last["failing"]
        machine.fault("")
        scheduler.launch("well", "echo data > data/file; exec sleep 10000", id)
        eventually("the next one runs", lambda: "well" in scheduler.running(), limit=60)
        scheduler.kill("well")
        scheduler.give_back(id)
        scheduler.ended("destroy")
        scheduler.unmake_disk("unmake", id)
        scheduler.ended("unmake")
        assert machine.volumes() == []


def launched():
    """A provider added at run time has its plugin run by the agent, again when it ends and on when the agent does; removed, it is gone."""
    with Storage(outside=False) as machine:
        scheduler = machine.scheduler
        info = description(containers={"shell": False, "value": str(PLUGIN), "arguments": ["plugin", str(machine.data), "100"]})
        add = {"type": "ADD_RESOURCE_PROVIDER_CONFIG", "add_resource_provider_config": {"info": info}}
        assert machine.api(add).status == 200
        assert machine.api(add).status == 409
        wrong = {"type": "ADD_RESOURCE_PROVIDER_CONFIG", "add_resource_provider_config": {"info": {**info, "name": "a/b"}}}
        answer = machine.api(wrong)
        assert answer.status == 400 and b"'name'" in answer.body, answer
        eventually("free space is offered", lambda: scheduler.free_space() == 100, limit=60)
        scheduler.make_disk("make")
        [disk] = scheduler.ended("make")["converted_resources"]
        id = disk["disk"]["source"]["id"]
        scheduler.launch("task", "echo one >> data/file; exec sleep 10000", id)
        eventually("the task writes", lambda: (machine.data / "volumes" / id / "file").read_text() == "one\n", limit=60)

        def plugin_pids():
            answer = machine.api({"type": "GET_CONTAINERS", "get_containers": {"show_standalone": True}}).json()
            return [c["container_status"]["executor_pid"] for c in answer["get_containers"].get("containers", [])
                    if c["container_id"]["value"].startswith("csi-")]

        [pid] = plugin_pids()
        machine.restart_agent()
        eventually("the plugin goes on", lambda: plugin_pids() == [pid])
        os.kill(pid, signal.SIGKILL)
        eventually("it is started again", lambda: len(plugin_pids()) == 1 and plugin_pids() != [pid], limit=60)
        assert "task" in scheduler.running()
        scheduler.kill("task")
        scheduler.give_back(id)
        scheduler.ended("destroy", "OPERATION_FINISHED")
        scheduler.unmake_disk("unmake", id)
        scheduler.ended("unmake")
        assert machine.volumes() == []

        [provider] = machine.api({"type": "GET_RESOURCE_PROVIDERS"}).json()["get_resource_providers"]["resource_providers"]
        gone = {"type": "MARK_RESOURCE_PROVIDER_GONE",
                "mark_resource_provider_gone": {"resource_provider_id": provider["resource_provider_info"]["id"]}}
        assert machine.api(gone).status == 409
        remove = {"type": "REMOVE_RESOURCE_PROVIDER_CONFIG", "remove_resource_provider_config": {"type": TYPE, "name": "local"}}
        assert machine.api(remove).status == 200
        eventually("its plugin ends", lambda: not plugin_pids())
        eventually("its space is offered no more", lambda: scheduler.free_space() == 0)
        assert machine.api(gone).status == 200 and machine.api(gone).status == 404
        assert not list(Path(machine.store, "providers").iterdir())


def profiles_by_http():
    """Profiles from a URL: changes count, what is no matrix does not, and an agent that is started while the server is away has the last ones."""
    served = {"text": json.dumps(PROFILES)}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(served["text"].encode())

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Storage(uri=f"http://127.0.0.1:{server.server_port}/profiles") as machine:
        scheduler = machine.scheduler

        def profiles():
            return {d["disk"]["source"]["profile"] for d in disks(scheduler.offered, "RAW")}

        eventually("free space is offered", lambda: profiles() == {"fast"})
        served["text"] = json.dumps({"profile_matrix": {**PROFILES["profile_matrix"], "slow": PROFILES["profile_matrix"]["fast"]}})
        eventually("the new profile too", lambda: profiles() == {"fast", "slow"}, limit=30)
        served["text"] = "nonsense"
        log = Path(machine.root, "agent.log")
        eventually("it is told", lambda: "the disk profiles stay as they are" in log.read_text(), limit=30)
        server.shutdown()
        server.server_close()
        machine.restart_agent()
        scheduler.make_disk("make")
        [disk] = scheduler.ended("make")["converted_resources"]
        scheduler.unmake_disk("unmake", disk["disk"]["source"]["id"])
        scheduler.ended("unmake")


if __name__ == "__main__":
    results.run("system/storage", [used, faulty, launched, profiles_by_http])
