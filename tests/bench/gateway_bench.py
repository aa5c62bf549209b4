#!/usr/bin/env python3
"""gateway/proxy-vs-nginx: the gateway and nginx (one worker, upstream keep-alive) proxy the same 1 KiB file in turns.

The backend is another nginx that serves the file. wrk keeps 32 connections busy. Reported: requests per second of both, and the
ratio gateway / nginx of each round (1.0 or more is the aim). gateway/idle-connections: memory per idle client.
gateway/auth: two gateways side by side, one that checks the token of each request and one without login, asked in turns with
the same requests; the ratio of their rates (0.9 or more is the aim).
"""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness.bench import Bench  # noqa: E402
from harness.ports import free_port  # noqa: E402

BIN = Path(os.environ.get("BUILD_DIR", Path(__file__).resolve().parents[2] / "build" / "release")) / "bin"
bench = Bench()
PASSWORD = "only-for-this-run"

NGINX = """
worker_processes 1;
daemon off;
pid {dir}/{name}.pid;
error_log {dir}/{name}.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {dir}/{name}-body; proxy_temp_path {dir}/{name}-proxy; fastcgi_temp_path {dir}/{name}-f;
  uwsgi_temp_path {dir}/{name}-u; scgi_temp_path {dir}/{name}-s;
  {content}
}}
"""
BACKEND = "server {{ listen 127.0.0.1:{port}; root {dir}/www; open_file_cache max=10; }}"
PROXY = """upstream backend {{ server 127.0.0.1:{backend}; keepalive 64; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port};
    location /service/marathon/ {{
      proxy_pass http://backend/; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_buffering off; }} }}"""


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


def rate(port, seconds, headers=()):
    words = [word for header in headers for word in ("-H", header)]
    out = subprocess.run(["wrk", "-t1", "-c32", f"-d{seconds}s", *words, f"http://127.0.0.1:{port}/service/marathon/1k"],
                         capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def worker_of(pid):
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def versus_nginx(ports, pids):
    seconds = 1 if bench.small else 5
    rates = {"gateway": [], "nginx": []}
    cost = {"gateway": [], "nginx": []}
    for turn in range(2 if bench.small else 7):
        names = ["gateway", "nginx"] if turn % 2 else ["nginx", "gateway"]
        for name in names:
            before = cpu_seconds(pids[name])
            rates[name].append(rate(ports[name], seconds))
            cost[name].append((cpu_seconds(pids[name]) - before) * 1e6 / (rates[name][-1] * seconds))
    parameters = {"bytes": 1024, "connections": 32}
    for name in rates:
        bench.report("gateway/proxy-vs-nginx", {**parameters, "proxy": name}, "req/s", rates[name][1:])
        bench.report("gateway/proxy-vs-nginx", {**parameters, "proxy": name, "measure": "cpu"}, "us/req", cost[name][1:])
    ratios = [g / n for g, n in zip(rates["gateway"], rates["nginx"])]
    bench.report("gateway/proxy-vs-nginx", {**parameters, "measure": "gateway/nginx"}, "ratio", ratios[1:])


def log_in(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(50):  # the first user may not be there yet
        connection.request("POST", "/acs/api/v1/auth/login", json.dumps({"uid": "admin", "password": PASSWORD}),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 200:
            return json.loads(body)["token"]
        time.sleep(0.1)
    sys.exit(f"no login: {answer.status} {body!r}")


def checked_versus_open(ports, pids, token):
    seconds = 1 if bench.small else 5
    for kind, header in (("header", f"Authorization: token={token}"), ("cookie", f"Cookie: dcos-acs-auth-cookie={token}")):
        rates, cost = {"checked": [], "open": []}, {"checked": [], "open": []}
        for turn in range(2 if bench.small else 7):
            for name in ("checked", "open") if turn % 2 else ("open", "checked"):
                before = cpu_seconds(pids[name])
                rates[name].append(rate(ports[name], seconds, [header]))
                cost[name].append((cpu_seconds(pids[name]) - before) * 1e6 / (rates[name][-1] * seconds))
        parameters = {"bytes": 1024, "connections": 32, "token": kind}
        for name in rates:
            bench.report("gateway/auth", {**parameters, "gateway": name}, "req/s", rates[name][1:])
            bench.report("gateway/auth", {**parameters, "gateway": name, "measure": "cpu"}, "us/req", cost[name][1:])
        ratios = [a / b for a, b in zip(rates["checked"], rates["open"])]
        bench.report("gateway/auth", {**parameters, "measure": "checked/open"}, "ratio", ratios[1:])
        # The gateway has one thread: what a request costs is what it can do, whatever else the machine is doing.
        ratios = [b / a for a, b in zip(cost["checked"], cost["open"])]
        bench.report("gateway/auth", {**parameters, "measure": "checked/open by cpu"}, "ratio", ratios[1:])


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def idle_connections(port, pid):
    count = 200 if bench.small else 2000
    before = resident_kib(pid)
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
        client.recv(4096)
        clients.append(client)
    bench.report("gateway/idle-connections", {"connections": count}, "KiB", [resident_kib(pid) - before])
    for client in clients:
        client.close()


def main():
    if not (bench.wants("gateway/proxy-vs-nginx") | bench.wants("gateway/idle-connections") | bench.wants("gateway/auth")):
        return
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if nginx is None or shutil.which("wrk") is None:
        sys.exit("gateway/proxy-vs-nginx needs nginx-light and wrk")
    ports = {name: free_port() for name in ("backend", "nginx", "gateway", "checked")}
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        os.chmod(folder, 0o755)
        www = Path(folder, "www")
        www.mkdir()
        (www / "1k").write_bytes(b"x" * 1024)
        children = {}
        try:
            for name, content in (("backend", BACKEND), ("nginx", PROXY)):
                text = content.format(port=ports[name], dir=folder, backend=ports["backend"])
                Path(folder, f"{name}.conf").write_text(NGINX.format(dir=folder, name=name, content=text))
                children[name] = subprocess.Popen([nginx, "-c", f"{folder}/{name}.conf", "-p", folder])
            secret = Path(folder, "password")
            secret.touch(mode=0o600)
            secret.write_text(PASSWORD)
            for name, auth in (("gateway", ["--auth=off"]), ("checked", ["--auth=on", f"--owner_password_file={secret}"])):
                children[name] = subprocess.Popen(
                    [BIN / "dcos-admin-router", f"--port={ports[name]}", f"--master=127.0.0.1:{ports['backend']}",
                     f"--marathon=127.0.0.1:{ports['backend']}", f"--data_dir={folder}/{name}", *auth], stderr=subprocess.DEVNULL)
            for port in ports.values():
                wait_for(port)
            pids = {"gateway": children["gateway"].pid, "nginx": worker_of(children["nginx"].pid)}
            if bench.wants("gateway/proxy-vs-nginx"):
                versus_nginx(ports, pids)
            if bench.wants("gateway/auth"):
                checked_versus_open({"checked": ports["checked"], "open": ports["gateway"]},
                                    {"checked": children["checked"].pid, "open": children["gateway"].pid}, log_in(ports["checked"]))
            if bench.wants("gateway/idle-connections"):
                idle_connections(ports["gateway"], pids["gateway"])
        finally:
            for child in children.values():
                child.terminate()
            for child in children.values():
                child.wait()


main()
