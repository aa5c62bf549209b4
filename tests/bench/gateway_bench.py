#!/usr/bin/env python3
"""gateway/proxy-vs-nginx: the gateway and nginx (one worker, upstream keep-alive) proxy the same 1 KiB file in turns.

The backend is another nginx that serves the file. wrk keeps 32 connections busy. Reported: requests per second of both, and the
ratio gateway / nginx of each round (1.0 or more is the aim). gateway/idle-connections: memory per idle client.
"""

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

BIN = Path(os.environ.get("BUILD_DIR", Path(__file__).resolve().parents[2] / "build" / "release")) / "bin"
bench = Bench()

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


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


def rate(port, seconds):
    out = subprocess.run(["wrk", "-t1", "-c32", f"-d{seconds}s", f"http://127.0.0.1:{port}/service/marathon/1k"],
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
    if not (bench.wants("gateway/proxy-vs-nginx") | bench.wants("gateway/idle-connections")):
        return
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if nginx is None or shutil.which("wrk") is None:
        sys.exit("gateway/proxy-vs-nginx needs nginx-light and wrk")
    ports = {name: free_port() for name in ("backend", "nginx", "gateway")}
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
            children["gateway"] = subprocess.Popen(
                [BIN / "dcos-admin-router", f"--port={ports['gateway']}", f"--master=127.0.0.1:{ports['backend']}",
                 f"--marathon=127.0.0.1:{ports['backend']}", f"--data_dir={folder}/gateway", "--auth=off"], stderr=subprocess.DEVNULL)
            for port in ports.values():
                wait_for(port)
            pids = {"gateway": children["gateway"].pid, "nginx": worker_of(children["nginx"].pid)}
            if bench.wants("gateway/proxy-vs-nginx"):
                versus_nginx(ports, pids)
            if bench.wants("gateway/idle-connections"):
                idle_connections(ports["gateway"], pids["gateway"])
        finally:
            for child in children.values():
                child.terminate()
            for child in children.values():
                child.wait()


main()
