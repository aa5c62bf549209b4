#!/usr/bin/env python3
"""Bad input to every daemon: a clear refusal each time, and the daemon is the same process afterwards."""

import json
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import Cluster, call, eventually  # noqa: E402

DAEMONS = ("master", "agent-1", "marathon", "universe", "dns", "gateway")
JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def raw(port, data, wait=2.0):
    """Sends bytes as they are; returns what comes back until the peer closes or is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(data)
        connection.settimeout(wait)
        out = b""
        try:
            while chunk := connection.recv(65536):
                out += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        return out


def unharmed(test):
    def wrapped():
        with Cluster() as cluster:
            before = {name: cluster.daemon(name)["pid"] for name in DAEMONS}
            test(cluster)
            assert {name: cluster.daemon(name)["pid"] for name in DAEMONS} == before, "a daemon died"
            eventually("all healthy", cluster.healthy)
    wrapped.__name__, wrapped.__doc__ = test.__name__, test.__doc__
    return wrapped


@unharmed
def bodies(cluster):
    """Malformed JSON and protobuf, wrong types, huge and negative numbers, duplicate keys, 10 MB bodies."""
    garbage = [b"", b"{", b"[]", b"null", b'"x"', b"{\"type\":5}", b"\xff\xfe\x00", b"{}" * 1000, b"[" * 100_000,
               b'{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n","failover_timeout":-1}}}x']
    for body in garbage:
        for port, path in ((cluster.port("master"), "/api/v1"), (cluster.port("master"), "/api/v1/scheduler"),
                           (cluster.port("agent-1"), "/api/v1"), (cluster.port("agent-1"), "/api/v1/executor")):
            for headers in (JSON, PROTOBUF):
                answer = call(port, "POST", path, body, headers)
                assert 400 <= answer.status < 500, (path, body[:40], headers, answer)
        answer = cluster.marathon("POST", "/v2/apps", body, headers=JSON)
        assert 400 <= answer.status < 500, (body[:40], answer)

    wrong = [{"id": "/a", "cmd": "x", "cpus": "a"}, {"id": "/a", "cmd": "x", "cpus": -1}, {"id": "/a", "cmd": "x", "mem": 1e308},
             {"id": "/a", "cmd": "x", "instances": -3}, {"id": "/a", "cmd": "x", "instances": 10 ** 30}, {"id": "/a"},
             {"id": "/a b", "cmd": "x"}, {"id": 5, "cmd": "x"}, {"cmd": "x"},
             {"id": "/a", "cmd": "x", "ports": [70000]}, {"id": "/a", "cmd": "x", "healthChecks": 1}]
    for app in wrong:
        answer = cluster.marathon("POST", "/v2/apps", app)
        assert answer.status in (400, 422), (app, answer)
        assert "message" in answer.json(), (app, answer)
    answer = cluster.marathon("POST", "/v2/apps", b'{"id":"/twice","id":"/other","cmd":"x"}', headers=JSON)
    assert answer.status in (400, 201), answer

    big = json.dumps({"id": "/big", "cmd": "x", "labels": {"a": "b" * 10_000_000}})
    assert cluster.marathon("POST", "/v2/apps", big, headers=JSON).status in (201, 400, 413, 422)
    for name, path in (("master", "/api/v1"), ("agent-1", "/api/v1"), ("gateway", "/service/marathon/v2/apps")):
        answer = call(cluster.port(name), "POST", path, b"x" * 10_000_000, JSON)
        assert 400 <= answer.status < 500, (name, answer)


@unharmed
def requests(cluster):
    """Unknown endpoints and methods, broken request lines, smuggling, half-closed and slow connections."""
    for name in DAEMONS:
        port = cluster.port(name)
        assert call(port, "GET", "/no/such/endpoint").status in (404, 200), name  # the gateway serves its page
        assert call(port, "BREW", "/health").status in (400, 404, 405, 501), name
        for data in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x00\x00" * 20,
                     b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     b"POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                     b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
                     b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"):
            answer = raw(port, data, wait=0.5)
            assert not answer.startswith(b"HTTP/1.1 200"), (name, data[:60], answer[:100])
        half = socket.create_connection(("127.0.0.1", port))
        half.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"/ping" if name == "marathon" else b"/health"))
        half.shutdown(socket.SHUT_WR)
        half.settimeout(5)
        assert half.recv(100).startswith(b"HTTP/1.1 200"), name
        half.close()
        slow = socket.create_connection(("127.0.0.1", port))
        for byte in b"GET /health HTTP/1.1\r\n":
            slow.send(bytes([byte]))
            time.sleep(0.002)
        slow.close()


@unharmed
def idle_connections(cluster):
    """2,000 idle connections to each daemon; it still answers."""
    for name in DAEMONS:
        port = cluster.port(name)
        connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(2000)]
        try:
            path = "/ping" if name == "marathon" else "/health"
            assert call(port, "GET", path).status == 200, name
        finally:
            for connection in connections:
                connection.close()


@unharmed
def paths(cluster):
    """Sandbox paths with .. and links out of the sandbox are refused."""
    port = cluster.port("agent-1")
    for path in ("/etc/passwd", "/slave/log/../../../etc/passwd", "../../etc/passwd", "/", "", "\0", "a" * 10_000):
        for endpoint in ("browse", "read", "download"):
            answer = call(port, "GET", f"/files/{endpoint}?path={path.encode().hex() if chr(0) in path else path}")
            assert answer.status in (400, 403, 404), (endpoint, path[:40], answer)
    cluster.add_app({"id": "/escape", "cmd": "ln -s / root; ln -s /etc/passwd pw; sleep 1000", "cpus": 0.01, "mem": 16})
    for agent in ("agent-1", "agent-2"):
        state = call(cluster.port(agent), "GET", "/state").json()
        for framework in state["frameworks"]:
            for executor in framework["executors"]:
                if "escape" not in executor["id"]:
                    continue
                for path in ("root/etc/passwd", "pw", "root"):
                    answer = call(cluster.port(agent), "GET", f"/files/read?path={executor['directory']}/{path}&offset=0")
                    assert answer.status in (400, 403, 404), (path, answer)


@unharmed
def task_ids(cluster):
    """Task ids that would be file names of another directory end as TASK_ERROR and launch nothing."""
    port = cluster.port("master")
    connection = socket.create_connection(("127.0.0.1", port))
    body = json.dumps({"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "hostile"}}}).encode()
    connection.sendall(b"POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    stream = connection.makefile("rb")
    headers = {}
    assert b"200" in stream.readline()
    while (line := stream.readline().strip()):
        key, value = line.decode().split(": ", 1)
        headers[key.lower()] = value

    pending = b""

    def event():
        nonlocal pending
        while True:
            if b"\n" in pending:
                size, rest = pending.split(b"\n", 1)
                if len(rest) >= int(size):
                    pending = rest[int(size):]
                    return json.loads(rest[:int(size)])
            chunk = int(stream.readline(), 16)
            pending += stream.read(chunk)
            stream.readline()

    def until(kind):
        while True:
            got = event()
            if got["type"] == kind:
                return got

    framework = until("SUBSCRIBED")["subscribed"]["framework_id"]
    for task_id in ("..", ".", "a/b", "a\tb", "", "x" * 300):
        offer = until("OFFERS")["offers"]["offers"][0]
        task = {"name": "t", "task_id": {"value": task_id}, "agent_id": offer["agent_id"], "command": {"value": "true"},
                "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}]}
        accept = {"type": "ACCEPT", "framework_id": framework,
                  "accept": {"offer_ids": [offer["id"]], "operations": [{"type": "LAUNCH", "launch": {"task_infos": [task]}}],
                             "filters": {"refuse_seconds": 0}}}
        answer = call(port, "POST", "/api/v1/scheduler", accept, {"Mesos-Stream-Id": headers["mesos-stream-id"]})
        assert answer.status == 202, answer
        update = until("UPDATE")["update"]["status"]
        assert update["state"] == "TASK_ERROR", (task_id, update)
    call(port, "POST", "/api/v1/scheduler", {"type": "TEARDOWN", "framework_id": framework}, {"Mesos-Stream-Id": headers["mesos-stream-id"]})
    connection.close()


if __name__ == "__main__":
    results.run("system/hostile", [bodies, requests, idle_connections, paths, task_ids])
