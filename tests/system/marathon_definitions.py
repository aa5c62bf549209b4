#!/usr/bin/env python3
"""What definitions of apps and pods ask of a real agent beside resources: disks, private images, checks, executors, namespaces."""

import json
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, call, eventually  # noqa: E402
from harness.images import Registry, layer  # noqa: E402
from harness.ports import free_port  # noqa: E402
from isolation import BASE, Machine  # noqa: E402

SMALL = {"cpus": 0.1, "mem": 32}
SLEEP = "exec sleep 100000"

# An executor that speaks to its agent over HTTP and runs its task by itself.
EXECUTOR = '''#!/usr/bin/python3
import base64, http.client, json, os, sys, uuid
host, port = os.environ["MESOS_AGENT_ENDPOINT"].rsplit(":", 1)
ids = {"framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]}, "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]}}


def post(body, connection):
    connection.request("POST", "/api/v1/executor", json.dumps({**ids, **body}),
                       {"Content-Type": "application/json", "Accept": "application/json"})
    return connection.getresponse()


def tell(task, state):
    status = {"task_id": task, "state": state, "source": "SOURCE_EXECUTOR", "executor_id": ids["executor_id"],
              "uuid": base64.b64encode(uuid.uuid4().bytes).decode()}
    assert post({"type": "UPDATE", "update": {"status": status}}, http.client.HTTPConnection(host, int(port))).status == 202


events = post({"type": "SUBSCRIBE", "subscribe": {}}, http.client.HTTPConnection(host, int(port)))
task, over = None, False
while True:
    length = events.readline()
    if not length:
        sys.exit(0)
    event = json.loads(events.read(int(length)))
    if event["type"] == "LAUNCH":
        task = event["launch"]["task"]["task_id"]
        with open("seen", "w") as out:
            print(*sys.argv[1:], os.environ["MARATHON_APP_ID"], file=out)
        tell(task, "TASK_RUNNING")
    if event["type"] == "KILL":
        tell(task, "TASK_KILLED")
        over = True
    if event["type"] == "SHUTDOWN" or (event["type"] == "ACKNOWLEDGED" and over):
        sys.exit(0)
'''


class Scheduler:
    """marathon beside a Machine's master."""

    def __init__(self, machine, *flags):
        self.machine, self.port = machine, free_port()
        self.words = [str(BIN / "dcos-marathon"), f"--master=127.0.0.1:{machine.master}", f"--http_port={self.port}",
                      f"--data_dir={machine.root}/marathon", "--mesos_user=root", *flags]
        self.start()

    def start(self):
        self.process = self.machine.start("marathon", self.words)
        eventually("marathon answers", lambda: self("GET", "/ping").status == 200)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __call__(self, method, path, body=None):
        return call(self.port, method, path, body)

    def post(self, path, body):
        answer = self("POST", path, body)
        assert answer.status == 201, answer

    def tasks(self, app):
        return self("GET", f"/v2/apps/{app}/tasks").json()["tasks"]

    def running(self, app):
        [task] = eventually(f"{app} runs", lambda: [t for t in self.tasks(app) if t["state"] == "TASK_RUNNING"], limit=90)
        return task

    def sandbox(self, app, name):
        """The text of a file in the sandbox of the app's task."""
        [task] = self.tasks(app)
        found = [p for p in Path(self.machine.root, "agent").glob(f"**/{task['id']}*/runs/*/{name}") if "latest" not in p.parts]
        found += [p for p in Path(self.machine.root, "agent").glob(f"**/*{task['id']}/runs/*/{name}") if "latest" not in p.parts]
        return found[0].read_text()

    def clear(self):
        self("DELETE", "/v2/groups?force=true")
        eventually("nothing is left", lambda: call(self.machine.port, "GET", "/containers").json() == [], limit=60)


@contextmanager
def machine_with(*flags, isolation=BASE, **agent):
    with Machine(isolation, **agent) as machine:
        scheduler = Scheduler(machine, *flags)
        yield machine, scheduler
        scheduler.clear()


def disks():
    """Volumes on a disk with a path and on a mounted one, of an app and of a pod: data outlives tasks; deleted, nothing is left."""
    with tempfile.TemporaryDirectory(prefix="dcos-disks-") as top:
        os.chmod(top, 0o711)
        for name in ("path", "small", "large"):
            os.mkdir(f"{top}/{name}")

        def disk(kind, name, size):
            source = {"type": kind, kind.lower(): {"root": f"{top}/{name}"}}
            return {"name": "disk", "type": "SCALAR", "scalar": {"value": size}, "disk": {"source": source}}

        scalars = [{"name": n, "type": "SCALAR", "scalar": {"value": v}} for n, v in (("cpus", 4), ("mem", 2048), ("disk", 1024))]
        resources = [*scalars, disk("PATH", "path", 512), disk("MOUNT", "small", 100), disk("MOUNT", "large", 900)]
        with machine_with("--mesos_role=web", "--mesos_authentication_principal=marathon", resources=json.dumps(resources)) as (_, marathon):
            def app(id, cmd, *volumes):
                return {"id": id, "cmd": cmd, **SMALL, "container": {"type": "MESOS", "volumes": [
                    {"containerPath": f"v{i}", "mode": "RW", "persistent": v} for i, v in enumerate(volumes)]}}

            note = "echo start >> v0/starts; echo start >> v1/starts; " + SLEEP
            marathon.post("/v2/apps", app("/db", note, {"type": "path", "size": 64, "constraints": [["path", "LIKE", ".*/path"]]},
                                          {"type": "mount", "size": 200}))
            task = marathon.running("db")
            places = [*Path(top, "path").glob("volumes/roles/web/*"), Path(top, "large")]
            assert len(places) == 2, places
            eventually("both are written to", lambda: all((p / "starts").read_text() == "start\n" for p in places))
            assert marathon("DELETE", f"/v2/apps/db/tasks/{task['id']}").status == 200
            eventually("started again on the same data", lambda: all((p / "starts").read_text() == "start\n" * 2 for p in places), limit=90)
            again = eventually("its task is told", lambda: [t for t in marathon.tasks("db") if t["state"] == "TASK_RUNNING" and t["id"] != task["id"]])
            assert again[0]["ports"] == task["ports"], (again, task)
            marathon.post("/v2/pods", {
                "id": "/pod", "volumes": [{"name": "data", "persistent": {"type": "mount", "size": 50, "maxSize": 150}}],
                "containers": [{"name": "one", "exec": {"command": {"shell": "echo pod > d/who; " + SLEEP}}, "resources": SMALL,
                                "volumeMounts": [{"name": "data", "mountPath": "d"}]}]})
            eventually("the pod writes to the small one", lambda: Path(top, "small/who").read_text() == "pod\n", limit=90)
            marathon.post("/v2/apps", app("/late", SLEEP, {"type": "mount", "size": 10}))
            [why] = eventually("it waits", lambda: [i for i in marathon("GET", "/v2/queue?embed=explanation").json()["queue"]
                                                    if any(s["reason"] == "InsufficientDisk" and s["declined"] for s in
                                                           i["processedOffersSummary"]["rejectSummaryLastOffers"])])
            assert "no free disk for a disk of type mount" in json.dumps(why), why
            for path in ("/v2/apps//db", "/v2/apps//late", "/v2/pods//pod"):
                assert marathon("DELETE", path + "?force=true").status in (200, 202)
            eventually("the data is gone", lambda: not list(Path(top).glob("*/starts")) and not list(Path(top).glob("path/volumes/roles/*/*")) and
                       not Path(top, "small/who").exists(), limit=60)


def private_images():
    """pullConfig: the agent finds the registry's login in its directory of secrets, which no answer and no log shows."""
    with Registry(users={"alice": "wonder"}) as registry, tempfile.TemporaryDirectory(prefix="dcos-secrets-") as store:
        registry.push("private:1", [layer(base=True)], {"Cmd": ["/bin/sh", "-c", SLEEP], "Env": ["PATH=/bin"]})
        secret = Path(store, "registry")
        secret.touch(mode=0o600)
        secret.write_text(json.dumps({"auths": {registry.host: {"username": "alice", "password": "wonder"}}}))
        with machine_with("--enable_features=secrets", isolation=BASE + ",docker/runtime,volume/secret", image_providers="docker",
                          secret_dir=store) as (machine, marathon):
            image = f"{registry.host}/private:1"
            secrets = {"secrets": {"login": {"source": "registry"}}}
            marathon.post("/v2/apps", {"id": "/app", **SMALL, **secrets, "container": {"type": "MESOS", "docker": {
                "image": image, "pullConfig": {"secret": "login"}}}})
            marathon.running("app")
            marathon.post("/v2/pods", {"id": "/pod", **secrets, "containers": [{"name": "one", "resources": SMALL, "image": {
                "kind": "DOCKER", "id": image, "forcePull": True, "pullConfig": {"secret": "login"}}}]})
            eventually("the pod is stable", lambda: marathon("GET", "/v2/pods//pod::status").json()["status"] == "STABLE", limit=90)
            marathon.post("/v2/apps", {"id": "/lost", **SMALL, "secrets": {"login": {"source": "none"}}, "container": {
                "type": "MESOS", "docker": {"image": image, "forcePullImage": True, "pullConfig": {"secret": "login"}}}})
            failure = eventually("it is told", lambda: marathon("GET", "/v2/apps//lost").json()["app"].get("lastTaskFailure"), limit=60)
            assert "docker.config" in failure["message"] and "none" in failure["message"], failure
            shown = [marathon("GET", path).body for path in ("/v2/apps?embed=apps.tasks", "/v2/pods", "/v2/backup")]
            shown += [call(machine.master, "GET", "/state").body, call(machine.port, "GET", "/state").body]
            shown += [log.read_bytes() for log in Path(machine.root).glob("*.log")]
            assert not any(b"wonder" in text for text in shown)


def checks_and_executors():
    """Checks of an app and of a pod's container tell and end nothing; an executor of the app's own runs its task."""
    with tempfile.TemporaryDirectory(prefix="dcos-executor-") as top, machine_with() as (_, marathon):
        os.chmod(top, 0o711)
        quick = {"intervalSeconds": 1, "timeoutSeconds": 1, "delaySeconds": 0}
        marathon.post("/v2/apps", {"id": "/checked", "cmd": SLEEP, **SMALL, "check": {
            "exec": {"command": {"shell": "test -e up && exit 3 || exit 4"}}, **quick}})
        task = marathon.running("checked")
        eventually("the check is told", lambda: marathon.tasks("checked")[0].get("checkResult") == {"command": {"exitCode": 4}})
        assert marathon.running("checked")["id"] == task["id"]
        marathon.post("/v2/apps", {"id": "/open", "cmd": "exec python3 -m http.server $PORT0", **SMALL,
                                   "check": {"http": {"portIndex": 0, "path": "/none"}, **quick}})
        eventually("its page is missing", lambda: marathon.running("open").get("checkResult") == {"http": {"statusCode": 404}}, limit=60)
        marathon.post("/v2/pods", {"id": "/pod", "networks": [{"mode": "host"}], "containers": [{
            "name": "one", "exec": {"command": {"shell": SLEEP}}, "resources": SMALL, "endpoints": [{"name": "web", "hostPort": 0}],
            "check": {"tcp": {"endpoint": "web"}, **quick}}]})
        eventually("nobody listens", lambda: [c["checkResult"] for i in marathon("GET", "/v2/pods//pod::status").json()["instances"]
                                              for c in i["containers"]] == [{"tcp": {"succeeded": False}}], limit=90)

        program = Path(top, "an executor.py")
        program.write_text(EXECUTOR)
        marathon.post("/v2/apps", {"id": "/own", "executor": str(program), "executorResources": {"cpus": 0.2}, "args": ["one", "two"], **SMALL})
        task = marathon.running("own")
        assert marathon.sandbox("own", "seen") == "one two /own\n", marathon.sandbox("own", "seen")
        assert marathon("DELETE", f"/v2/apps/own/tasks/{task['id']}").status == 200
        eventually("another runs", lambda: marathon.running("own")["id"] != task["id"], limit=90)


def linux_info():
    """ipcInfo: shared memory of an app's own, and of its size."""
    with machine_with() as (_, marathon):
        def app(id, info):
            return {"id": id, "cmd": "stat -f -c '%b %S' /dev/shm > size; " + SLEEP, **SMALL,
                    "container": {"type": "MESOS", "linuxInfo": {"ipcInfo": info}}}
        marathon.post("/v2/apps", app("/small", {"mode": "PRIVATE", "shmSize": 8}))
        marathon.running("small")

        def size():
            blocks, of = marathon.sandbox("small", "size").split()
            return int(blocks) * int(of)
        eventually("eight MiB", lambda: size() == 8 << 20)


def roles():
    """A group's role is asked for and used beside the scheduler's own, also after kill -9 of it."""
    with machine_with() as (machine, marathon):
        def asked():
            frameworks = call(machine.master, "GET", "/frameworks").json()["frameworks"]
            return next(set(f["roles"]) for f in frameworks if f["name"] == "marathon" and f["active"])
        made = marathon("PUT", "/v2/groups/dev", {"enforceRole": True, "apps": [{"id": "a", "cmd": "echo $MARATHON_APP_ENFORCE_GROUP_ROLE > out; " + SLEEP,
                                                                               **SMALL}]})
        assert made.status == 200, made
        task = marathon.running("dev/a")
        assert task["role"] == "dev" and asked() == {"*", "dev"}, (task, asked())
        eventually("it is told", lambda: marathon.sandbox("dev/a", "out") == "TRUE\n")
        marathon.post("/v2/apps", {"id": "/b", "cmd": SLEEP, **SMALL})
        assert marathon.running("b")["role"] == "*"
        marathon.kill()
        marathon.start()
        eventually("both roles again", lambda: asked() == {"*", "dev"}, limit=60)
        assert marathon.running("dev/a")["id"] == task["id"]
        assert marathon("PUT", "/v2/apps/dev/a", {"instances": 2}).status == 200
        eventually("two run", lambda: len([t for t in marathon.tasks("dev/a") if t["state"] == "TASK_RUNNING"]) == 2, limit=60)


if __name__ == "__main__":
    if os.geteuid() != 0:
        results.report("skip", "marathon_definitions", "needs root")
        sys.exit(0)
    results.run("marathon_definitions", [disks, private_images, checks_and_executors, linux_info, roles])
