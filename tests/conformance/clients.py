#!/usr/bin/env python3
"""Third-party scheduler clients, installed from their registries and run unmodified against the real daemons."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from harness import results  # noqa: E402
from harness.cluster import BUILD, Cluster, eventually  # noqa: E402

TASKS = int(os.environ.get("CONFORMANCE_TASKS", "100"))
CACHE = BUILD / "conformance"


def install(what, commands):
    """Runs install commands; a registry that cannot be reached is a reason to skip."""
    for command, directory in commands:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise results.Skip(f"{what} cannot be installed: {' '.join(command[:4])}: {done.stderr.strip().splitlines()[-1:]}")


def kill_master(cluster):
    pid = cluster.daemon("master")["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually("master is restarted", lambda: cluster.daemon("master")["pid"] not in (0, pid))


def take_over(cluster):
    """Another scheduler subscribes with the client's id for a moment: the master ends the client's stream."""
    framework = next(f for f in cluster.master("GET", "/frameworks").json()["frameworks"] if f["name"] == "node-conformance")
    id = {"value": framework["id"]}
    subscribe = {"type": "SUBSCRIBE", "framework_id": id,
                 "subscribe": {"framework_info": {"user": "root", "name": "node-conformance", "id": id, "failover_timeout": 600}}}
    rival = http.client.HTTPConnection("127.0.0.1", cluster.port("master"), timeout=10)
    rival.request("POST", "/api/v1/scheduler", json.dumps(subscribe), {"Content-Type": "application/json"})
    assert rival.getresponse().status == 200
    time.sleep(0.5)
    rival.close()


def run_client(command, directory=None, disconnect=kill_master):
    """The client announces when it may be disconnected."""
    with Cluster() as cluster:
        words = [w.format(master=f"127.0.0.1:{cluster.port('master')}", port=cluster.port("master"), tasks=TASKS) for w in command]
        client = subprocess.Popen(words, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        guard = threading.Timer(280, lambda: os.killpg(client.pid, signal.SIGKILL))
        guard.start()
        lines = []
        try:
            for line in client.stdout:
                lines.append(line.rstrip())
                if line.startswith("DISCONNECT-ME"):
                    disconnect(cluster)
            code = client.wait(30)
        finally:
            guard.cancel()
            if client.poll() is None:
                os.killpg(client.pid, signal.SIGKILL)
        assert code == 0 and "OK" in lines, f"exit code {code}: " + " | ".join(lines[-12:])


def pymesos():
    """pymesos from PyPI: registers, finishes its tasks, survives the master's death."""
    venv = CACHE / "venv"
    pip = str(venv / "bin" / "pip")
    if not (venv / "installed").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        source = CACHE / "http-parser"
        install("pymesos", [
            (["/usr/bin/python3", "-m", "venv", "--clear", str(venv)], None),
            ([pip, "install", "-q", "cython<3", "setuptools<70", "wheel"], None),
            # Its C code was generated for an older Python: generate it anew from the same source.
            ([pip, "download", "-q", "--no-deps", "--no-build-isolation", "--no-binary", ":all:", "-d", str(CACHE), "http-parser==0.9.0"], None),
            (["mkdir", "-p", str(source)], None),
            (["tar", "xzf", str(CACHE / "http-parser-0.9.0.tar.gz"), "--strip-components=1", "-C", str(source)], None),
            ([str(venv / "bin" / "cython"), "-3", "http_parser/parser.pyx"], source),
            ([pip, "install", "-q", "--no-build-isolation", str(source)], None),
            ([pip, "install", "-q", "--no-build-isolation", "-r", str(HERE / "requirements.txt")], None),
        ])
        (venv / "installed").touch()
    run_client([str(venv / "bin" / "python"), str(HERE / "pymesos_client.py"), "{master}", "{tasks}"])


def mesos_framework():
    """mesos-framework from npm: registers, finishes its tasks, survives the end of its stream."""
    # With a fixed master address this client subscribes again at once when its stream ends, and gives up when the master
    # is not there at that moment: so the master stays.
    folder = CACHE / "mesos-framework"
    (folder / "logs").mkdir(parents=True, exist_ok=True)  # the package opens its log there
    for name in ("package.json", "package-lock.json", ".npmrc", "client.js"):
        (folder / name).write_bytes((HERE / "mesos-framework" / name).read_bytes())
    if not (folder / "node_modules" / "mesos-framework").exists():
        install("mesos-framework", [(["npm", "ci", "--ignore-scripts"], folder)])
    run_client(["node", str(folder / "client.js"), "127.0.0.1", "{port}", "{tasks}"], folder, take_over)


if __name__ == "__main__":
    results.run("conformance", [pymesos, mesos_framework])
