#!/usr/bin/env python3
"""A key that is typed into a session's terminal, through gateway and agent, until its echo is back; what a pod's executor takes."""

import base64
import json
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness.bench import Bench  # noqa: E402
from harness.cluster import Cluster, eventually  # noqa: E402

RECORDS = {"Accept": "application/recordio", "Message-Accept": "application/json"}


class Stream:
    """A POST whose body, answer or both go on."""

    def __init__(self, port, path, headers):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.socket.sendall("\r\n".join(lines).encode())

    def record(self, message):
        text = json.dumps(message).encode()
        data = b"%d\n" % len(text) + text
        self.socket.sendall(b"%x\r\n" % len(data) + data + b"\r\n")

    def read(self):
        data = self.socket.recv(65536)
        assert data, "the stream ended"
        return data


def echoes(port, path, container, count):
    """Milliseconds from each key to its echo."""
    launch = json.dumps({"type": "LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_session": {
        "container_id": container, "command": {"value": "exec cat"}, "container": {"type": "MESOS", "tty_info": {}}}})
    output = Stream(port, path, {**RECORDS, "Content-Type": "application/json", "Content-Length": len(launch)})
    output.socket.sendall(launch.encode())
    assert b" 200 " in output.read()
    keys = Stream(port, path, {"Content-Type": "application/recordio", "Message-Content-Type": "application/json",
                               "Accept": "application/json", "Transfer-Encoding": "chunked"})
    keys.record({"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": {"type": "CONTAINER_ID", "container_id": container}})

    def type_and_wait(key):
        wanted = base64.b64encode(key)
        data = {"type": "STDIN", "data": wanted.decode()}
        keys.record({"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": {
            "type": "PROCESS_IO", "process_io": {"type": "DATA", "data": data}}})
        seen = b""
        while wanted not in seen:
            seen += output.read()

    samples = []
    for number in range(count + 3):  # the first ones warm up
        time.sleep(0.01)
        began = time.monotonic()
        type_and_wait(bytes([97 + number % 26]))
        samples.append((time.monotonic() - began) * 1000)
    output.socket.close()
    keys.socket.close()
    return samples[3:]


def container_of(cluster, name):
    state = cluster.master("GET", "/state").json()
    task = next(task for framework in state["frameworks"] for task in framework["tasks"] if task["name"] == name)
    return state["slaves"][0]["id"], task["statuses"][-1]["container_status"]["container_id"]


def exec_echo(bench):
    count = 20 if bench.small else 500
    with Cluster(agents=1) as cluster:
        cluster.add_app({"id": "/box", "cmd": "exec sleep 10000", "cpus": 0.1, "mem": 32, "instances": 1})
        agent, parent = container_of(cluster, "box")
        for way, port, path in (("gateway", cluster.port("gateway"), f"/agent/{agent}/api/v1"), ("agent", cluster.port("agent-1"), "/api/v1")):
            bench.report("agent/exec-echo", {"keys": str(count), "through": way}, "ms",
                         echoes(port, path, {"value": f"echo-{way}", "parent": parent}, count))


def executor_rss(bench):
    count = 2 if bench.small else 10
    with Cluster(agents=1) as cluster:
        pod = {"id": "/pod", "scaling": {"kind": "fixed", "instances": count}, "containers": [
            {"name": "a", "exec": {"command": {"shell": "exec sleep 10000"}}, "resources": {"cpus": 0.01, "mem": 32}}]}
        assert cluster.marathon("POST", "/v2/pods", pod).status == 201
        eventually("the pods run", lambda: cluster.marathon("GET", "/v2/pods/pod::status").json()["status"] == "STABLE", limit=120)
        resident, threads = [], []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                mine = f"{cluster.root}/".encode() in (path.parent / "environ").read_bytes()
                if not mine or not path.read_bytes().startswith(b"dcos-default-executor"):
                    continue
                status = dict(line.split(":", 1) for line in (path.parent / "status").read_text().splitlines())
            except (OSError, ValueError):
                continue
            resident.append(int(status["VmRSS"].split()[0]) / 1024)
            threads.append(int(status["Threads"]))
        assert len(resident) == count, f"{len(resident)} executors of {count}"
        bench.report("agent/executor-rss", {"executor": "default", "executors": str(count)}, "MiB", resident)
        bench.report("agent/executor-threads", {"executor": "default", "executors": str(count)}, "threads", threads)


def main():
    bench = Bench()
    if bench.wants("agent/exec-echo"):
        exec_echo(bench)
    if bench.wants("agent/executor-rss"):
        executor_rss(bench)


if __name__ == "__main__":
    main()
