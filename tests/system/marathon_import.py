#!/usr/bin/env python3
"""An original Marathon's state, with tasks that run under a real master, taken over from a real ZooKeeper.

The original is played by a framework that runs the tasks under the original's names, and by this file, which leaves in
ZooKeeper what the original keeps there.
"""

import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results, zookeeper  # noqa: E402
from harness.cluster import BIN, Cluster, call, eventually  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.scheduler import Scheduler  # noqa: E402

VERSION = "2020-05-01T10:00:00Z"
TASKS = 2


def field(number, value):
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def instance_id(number):
    return f"web_front.instance-5a1b9c4e-000{number}-11e9-8d3f-0242ac110002"


class Original(Scheduler):
    def task_id(self, number):
        return instance_id(number) + "._app.1"


def definition():
    resources = b"".join(field(4, field(1, name) + field(2, 0) + field(3, field(1, amount)))
                         for name, amount in (("cpus", 0.1), ("mem", 16.0), ("disk", 0.0)))
    return (field(1, "/web/front") + field(2, field(3, "sleep 100000")) + field(3, TASKS) + resources + field(8, "") + field(11, VERSION)
            + field(34, field(1, 1)) + field(38, "*"))


def stored_instance(number, agent):
    task = instance_id(number) + "._app.1"
    return json.dumps({
        "instanceId": {"idString": instance_id(number)}, "runSpecVersion": VERSION, "role": "*",
        "agentInfo": {"host": "localhost", "agentId": agent, "attributes": []},
        "state": {"since": VERSION, "condition": "Running", "goal": "Running"},
        "tasksMap": {task: {"taskId": task, "runSpecVersion": VERSION, "status": {
            "stagedAt": VERSION, "startedAt": VERSION, "condition": "Running",
            "networkInfo": {"hostName": "localhost", "hostPorts": [], "ipAddresses": []}}}}}).encode()


def state(framework, agent):
    group = (field(1, "") + field(2, VERSION)
             + field(4, field(1, "web") + field(2, VERSION) + field(6, field(1, "web_front") + field(2, VERSION))))
    version = field(1, 110) + field(2, 100) + field(3, 0) + field(4, 1)
    nodes = {"internal:storage:version": field(1, "internal:storage:version") + field(2, "x") + field(3, version),
             "framework-id/b/id": field(1, framework), "group/0/root": group,
             "apps/a/web_front": definition(), f"apps/a/web_front/{VERSION}": definition()}
    nodes |= {f"instance/{number}/{instance_id(number)}": stored_instance(number, agent) for number in range(TASKS)}
    return nodes


def leave_in(writer, nodes):
    made = set()
    for path, data in sorted(nodes.items()):
        pieces = ["marathon", "state", *path.split("/")]
        for i in range(1, len(pieces)):
            above = "/" + "/".join(pieces[:i])
            if above not in made:
                made.add(above)
                writer.create(above)
        made.add("/" + "/".join(pieces))
        writer.create("/" + "/".join(pieces), data)


def as_its_backup(path, nodes):
    """The same as the original's own backup: a tar with a file per node."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for node, data in sorted(nodes.items()):
            category, *rest = node.split("/")
            if not rest:  # as it is, without what is around it in ZooKeeper
                name, data = f"{category}/items/{category}", field(1, 110) + field(2, 100) + field(3, 0) + field(4, 1)
            else:
                name = f"{category}/items/{rest[1]}" if len(rest) == 2 else f"{category}/versions/{rest[1]}/{rest[2]}"
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def bring_over(zk, *words):
    return subprocess.run([str(BIN / "dcos-marathon-import"), f"--zk=zk://{zk}/marathon", *words], capture_output=True, text=True, timeout=60)


def takes_over():
    """Told first, written once, restored into a scheduler whose tasks go on; the original's state stays as it was."""
    if not zookeeper.available():
        raise results.Skip("needs the package zookeeper")
    root = Path(tempfile.mkdtemp(prefix="dcos-test-"))
    marks, port = root / "marks", free_port()
    marks.mkdir()
    os.chmod(root, 0o755)
    os.chmod(marks, 0o777)
    process = None
    try:
        with Cluster(agents=1) as cluster, zookeeper.Ensemble(root, [("127.0.0.1", [])], client_port=free_port()) as ensemble:
            master = f"127.0.0.1:{cluster.port('master')}"
            original = Original([master], TASKS, lambda task: f"echo $$ >> {marks}/{task}; exec sleep 100000", name="marathon").start()
            eventually("the original's tasks run", lambda: len(original.running()) == TASKS, limit=60)
            original.close()
            framework = original.framework_id
            agent = next(t["slave_id"] for f in cluster.master("GET", "/state").json()["frameworks"] if f["id"] == framework for t in f["tasks"])
            writer = zookeeper.Writer("127.0.0.1", ensemble.port)
            leave_in(writer, state(framework, agent))
            writer.create("/marathon/leader-curator")
            writer.create("/marathon/leader-curator/_c_1-latch-0000000001", b"host:8080")
            before = writer.tree("/marathon")

            backup = root / "marathon.backup"
            rehearsed = bring_over(ensemble.servers)
            assert rehearsed.returncode == 0 and "a rehearsal" in rehearsed.stdout, rehearsed
            refused = bring_over(ensemble.servers, f"--out={backup}")
            assert refused.returncode == 1 and "still runs on that state" in refused.stderr, refused
            writer.remove("/marathon/leader-curator/_c_1-latch-0000000001")
            before.pop("/marathon/leader-curator/_c_1-latch-0000000001")
            zk = ensemble.servers
            told = bring_over(zk)
            assert told.returncode == 0 and "2 groups, 1 apps and 0 pods" in told.stdout and "2 tasks that go on" in told.stdout, told
            assert "nothing is written" in told.stdout, told
            written = bring_over(zk, f"--out={backup}")
            assert written.returncode == 0 and backup.stat().st_mode & 0o777 == 0o600, written
            again = bring_over(zk, f"--out={backup}")
            assert again.returncode == 1 and "that file exists" in again.stderr, again
            assert writer.tree("/marathon") == before, "the original's state was touched"
            as_its_backup(root / "tar", state(framework, agent))
            other = subprocess.run([str(BIN / "dcos-marathon-import"), f"--backup={root / 'tar'}", f"--out={root / 'other'}"],
                                   capture_output=True, text=True, timeout=60)
            assert other.returncode == 0 and (root / "other").read_bytes() == backup.read_bytes(), other
            writer.close()

            started = {mark.name: mark.read_text().split() for mark in marks.iterdir()}
            assert len(started) == TASKS, started

            def start(*more):
                with open(root / "marathon.log", "ab") as log:
                    return subprocess.Popen([str(BIN / "dcos-marathon"), f"--master={master}", f"--http_port={port}", f"--data_dir={root / 'data'}",
                                             "--framework_name=marathon", *more], stdout=log, stderr=log)
            process = start(f"--restore={backup}")
            ask = lambda path: call(port, "GET", path, headers={"Accept": "application/json"})  # noqa: E731

            def running():
                return {t["id"] for t in ask("/v2/apps//web/front/tasks").json()["tasks"] if t["state"] == "TASK_RUNNING"}

            eventually("it answers", lambda: ask("/v2/info").json()["frameworkId"] == framework, limit=60)
            eventually("its tasks are known", lambda: running() == set(started), limit=60)
            # A sign of life from the master after its first offers: whatever would be launched beside them is by then.
            answer = call(port, "PUT", "/v2/apps//web/front", {"instances": TASKS + 1})
            assert answer.status == 200, answer
            eventually("one more runs", lambda: len(running()) == TASKS + 1, limit=60)
            for task, pids in started.items():
                assert (marks / task).read_text().split() == pids, "a task was started again"
                os.kill(int(pids[0]), 0)
            [f] = [f for f in cluster.master("GET", "/state").json()["frameworks"] if f["name"] == "marathon" and f["id"] == framework]
            assert len(f["tasks"]) == TASKS + 1, f["tasks"]
            # Saved by the next start, gone back to by the one after it.
            saved = root / "saved"
            assert call(port, "DELETE", f"/v2/leader?backup=file://{saved}").status == 200
            assert process.wait(30) == 103
            process = start()
            eventually("it answers", lambda: len(running()) == TASKS + 1, limit=60)
            assert saved.stat().st_mode & 0o777 == 0o600
            assert call(port, "POST", "/v2/apps", {"id": "/later", "cmd": "true", "instances": 0}).status == 201
            assert call(port, "DELETE", f"/v2/leader?restore=file://{saved}").status == 200
            assert process.wait(30) == 103
            process = start()
            eventually("it answers", lambda: len(running()) == TASKS + 1, limit=60)
            assert ask("/v2/apps//later").status == 404, "the state is the saved one"
            assert call(port, "DELETE", "/v2/apps//web/front").status == 200
            eventually("nothing is left", lambda: ask("/v2/deployments").json() == [], limit=60)
    finally:
        if process:
            process.terminate()
            process.wait()
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    if os.geteuid() != 0:
        results.report("skip", "marathon_import", "needs root")
        sys.exit(0)
    results.run("marathon_import", [takes_over])
