#!/usr/bin/env python3
"""A resource provider outside of the agent, by /api/v1/resource_provider: a program that has disks, makes them and gives them to tasks."""

import base64
import json
import http.client
import sys
import tempfile
import threading
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import call, eventually  # noqa: E402
from isolation import Machine  # noqa: E402
from storage import DiskScheduler, disks  # noqa: E402

ISOLATION = "filesystem/linux,namespaces/pid,cgroups/cpu,cgroups/mem"
PATH = "/api/v1/resource_provider"
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


def new_uuid():
    return {"value": base64.b64encode(uuid.uuid4().bytes).decode()}


class Provider:
    """Directories below `root` are its disks."""

    def __init__(self, port, root, id=None):
        self.port, self.root, self.heard, self.id, self.publishes, self.lost = port, Path(root), [], id, True, False
        info = {"type": "org.example.farm", "name": "farm", **({"id": {"value": id}} if id else {})}
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.connection.request("POST", PATH, json.dumps({"type": "SUBSCRIBE", "subscribe": {"resource_provider_info": info}}), HEADERS)
        self.stream = self.connection.getresponse()
        assert self.stream.status == 200, (self.stream.status, self.stream.read())
        self.name = self.stream.headers["Mesos-Stream-Id"]
        assert self.name
        threading.Thread(target=self.read, daemon=True).start()
        eventually("it is subscribed", lambda: "SUBSCRIBED" in self.heard and self.id)

    def read(self):
        try:
            while length := self.stream.readline():
                event = json.loads(self.stream.read(int(length)))
                self.heard.append(event["type"])
                self.on(event)
        except (OSError, ValueError, AttributeError, http.client.HTTPException):  # closed while it is read
            pass

    def say(self, type, body, stream=None):
        answer = call(self.port, "POST", PATH, {"type": type, "resource_provider_id": {"value": self.id}, type.lower(): body},
                      {**HEADERS, "Mesos-Stream-Id": self.name if stream is None else stream})
        return answer

    def disk(self, type, megabytes, **source):
        return {"name": "disk", "type": "SCALAR", "scalar": {"value": megabytes}, "provider_id": {"value": self.id},
                "disk": {"source": {"type": type, "profile": "fast", **source}}}

    def state(self):
        made = [self.disk("MOUNT", 60, id=each.name, mount={"root": str(self.root)}) for each in self.root.iterdir()]
        free = 100 - 60 * len(made)
        answer = self.say("UPDATE_STATE", {"resources": [*made, self.disk("RAW", free)], "operations": [], "resource_version_uuid": new_uuid()})
        assert answer.status == 202, answer

    def on(self, event):
        if event["type"] == "SUBSCRIBED":
            self.id = event["subscribed"]["provider_id"]["value"]
        if event["type"] == "APPLY_OPERATION" and not self.lost:
            wanted = event["apply_operation"]
            info = wanted["info"]
            status = {"state": "OPERATION_FINISHED", "uuid": new_uuid(), "resource_provider_id": {"value": self.id}}
            if info["type"] == "CREATE_DISK":
                id = "made"
                (self.root / id / "target").mkdir(parents=True)
                status["converted_resources"] = [self.disk("MOUNT", info["create_disk"]["source"]["scalar"]["value"], id=id,
                                                           mount={"root": str(self.root)})]
            self.say("UPDATE_OPERATION_STATUS", {"framework_id": wanted["framework_id"], "status": status, "latest_status": status,
                                                 "operation_uuid": wanted["operation_uuid"]})
        if event["type"] == "RECONCILE_OPERATIONS":
            for each in event["reconcile_operations"]["operation_uuids"]:
                status = {"state": "OPERATION_DROPPED", "uuid": new_uuid(), "resource_provider_id": {"value": self.id}, "message": "lost"}
                self.say("UPDATE_OPERATION_STATUS", {"status": status, "operation_uuid": each})
        if event["type"] == "PUBLISH_RESOURCES":
            self.say("UPDATE_PUBLISH_RESOURCES_STATUS", {"uuid": event["publish_resources"]["uuid"], "status": "OK" if self.publishes else "FAILED"})

    def close(self):
        self.connection.sock and self.connection.sock.shutdown(2)
        self.connection.close()


class Farm(Machine):
    def __init__(self):
        super().__init__(ISOLATION)
        self.disks = tempfile.TemporaryDirectory(prefix="dcos-farm-")

    def __enter__(self):
        super().__enter__()
        self.scheduler.close()
        self.scheduler = DiskScheduler(f"127.0.0.1:{self.master}").start()
        return self

    def __exit__(self, kind, value, trace):
        super().__exit__(kind, value, trace)
        self.disks.cleanup()

    def restart_agent(self):
        self.agent.kill()
        self.agent.wait()
        self.agent = self.start_agent()
        eventually("the agent is back", lambda: call(self.master, "GET", "/metrics/snapshot").json()["master/slaves_active"] == 1 and
                   call(self.port, "GET", "/health").status == 200, limit=60)


def used():
    """It is offered, makes a disk, is acknowledged, has it ready for a task; leaves, and comes back under its id after a kill of the agent."""
    with Farm() as machine:
        provider = Provider(machine.port, machine.disks.name)
        scheduler = machine.scheduler
        assert provider.say("UPDATE_STATE", {"resources": [], "resource_version_uuid": new_uuid()}, stream="another").status == 400
        provider.state()
        eventually("its space is offered", lambda: scheduler.free_space() == 100)
        scheduler.make_disk("make", 60)
        [disk] = scheduler.ended("make")["converted_resources"]
        assert disk["disk"]["source"]["id"] == "made", disk
        eventually("it is acknowledged", lambda: "ACKNOWLEDGE_OPERATION_STATUS" in provider.heard)

        provider.publishes = False
        scheduler.launch("refused", "true", "made")
        eventually("the task fails", lambda: scheduler.states.get("refused") == "TASK_FAILED", limit=30)
        assert "cannot make the container's resources ready" in scheduler.last["refused"]["message"], scheduler.last["refused"]
        provider.publishes = True
        scheduler.launch("task", "echo one > data/file; exec sleep 1000", "made")
        eventually("the task runs", lambda: "task" in scheduler.running(), limit=30)
        eventually("it writes", lambda: Path(machine.disks.name, "made", "target", "file").exists())
        scheduler.kill("task")

        provider.close()
        eventually("it is offered no more", lambda: not disks(scheduler.offered))
        machine.restart_agent()
        again = Provider(machine.port, machine.disks.name, id=provider.id)
        assert again.id == provider.id
        again.close()


def lost():
    """An operation that never reached it is dropped when it says so; who is gone for good is told."""
    with Farm() as machine:
        provider = Provider(machine.port, machine.disks.name)
        scheduler = machine.scheduler
        provider.lost = True
        provider.state()
        eventually("its space is offered", lambda: scheduler.free_space() == 100)
        scheduler.make_disk("make", 60)
        eventually("it is asked", lambda: "APPLY_OPERATION" in provider.heard)
        machine.restart_agent()
        again = Provider(machine.port, machine.disks.name, id=provider.id)
        again.state()
        scheduler.ended("make", "OPERATION_DROPPED")
        gone = {"type": "MARK_RESOURCE_PROVIDER_GONE", "mark_resource_provider_gone": {"resource_provider_id": {"value": provider.id}}}
        assert call(machine.port, "POST", "/api/v1", gone, HEADERS).status == 200
        eventually("it is told", lambda: "TEARDOWN" in again.heard)
        again.close()


if __name__ == "__main__":
    results.run("system/resource_providers", [used, lost])
