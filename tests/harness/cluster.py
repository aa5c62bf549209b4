"""A real cluster for a test: installer's dcos-dev below a temporary directory, on ports of its own, taken down by id."""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.ports import is_free

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD_DIR", TOP / "build" / "release"))
BIN = BUILD / "bin"
PATIENCE = float(os.environ.get("DC_PATIENCE", "1"))  # on an emulated machine everything takes longer

PORTS = {"gateway": 80, "master": 5050, "link": 6050, "agent-1": 5051, "agent-2": 5052, "marathon": 8080, "universe": 7070,
         "chronos": 4400, "metronome": 9000, "dns": 8123, "l4lb": 2062}


# A test that is told to end takes its cluster down first.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def call(port, method, path, body=None, headers=None, timeout=10, host="127.0.0.1"):
    """One request on a connection of its own. `body`: bytes, str or something to send as JSON."""
    headers = dict(headers or {})
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def eventually(what, probe, limit=30.0, interval=0.05):
    """Waits until probe() is true and returns its value. The limit is a guard against hanging, not a measurement."""
    limit *= PATIENCE
    deadline = time.monotonic() + limit
    last = None
    while time.monotonic() < deadline:
        try:
            value = probe()
            if value:
                return value
        except (OSError, http.client.HTTPException, KeyError, ValueError, AssertionError) as error:
            last = error
        time.sleep(interval)
    raise AssertionError(f"never came true within {limit:.0f} s: {what}" + (f" (last: {last!r})" if last else ""))


def free_offset():
    """A port offset whose ports are all free now."""
    for _ in range(200):
        offset = 100 * random.choice([number for number in range(10, 190) if number != 100])  # browsers refuse port 10080
        if all(is_free(port + offset) for port in PORTS.values()):
            return offset
    raise AssertionError("no free ports on this machine")


class Cluster:
    """with Cluster() as cluster: ...    With auth=True the gateway wants a login: see password, log_in() and token()."""

    def __init__(self, agents=2, root=None, auth=False):
        self.agents = agents
        self.auth = auth
        self.password = None  # of the user admin, once the cluster has been up
        self._token = None
        if root is None:
            root = tempfile.mkdtemp(prefix="dcos-test-")
            os.chmod(root, 0o711)  # tasks of other users reach their sandboxes below it
        self.root = root
        self.offset = free_offset()

    def dev(self, *words, check=True, timeout=120):
        command = [str(BIN / "dcos-dev"), *words, "--root", self.root, "--agents", str(self.agents),
                   "--port-offset", str(self.offset), "--auth", "on" if self.auth else "off"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"dev {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        shown = re.search(r"user admin, password (\S+)", done.stdout)
        if shown:
            self.password = shown[1]
        return done

    def __enter__(self):
        try:
            self.dev("up")
        except BaseException:
            self.__exit__(*sys.exc_info())  # what has started ends all the same
            raise
        return self

    def __exit__(self, kind, value, trace):
        good = kind is None or (kind is SystemExit and value.code in (0, None))
        if not good:
            self.show_logs()
        self.dev("down", check=good)
        shutil.rmtree(self.root, ignore_errors=True)

    def show_logs(self, lines=15):
        for log in sorted(Path(self.root, "log").glob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            print(f"--- {log.name}", *tail, sep="\n", flush=True)

    def port(self, name):
        return PORTS[name] + self.offset

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port('gateway')}"

    def status(self):
        connection = UnixConnection(f"{self.root}/run/supervisor.sock")
        connection.request("GET", "/status")
        status = json.loads(connection.getresponse().read())
        connection.close()
        return status

    def daemon(self, name):
        return next(d for d in self.status()["daemons"] if d["name"] == name)

    def kill(self, *names):
        """kill -9 of these daemons; waits until each of them runs again and all of the cluster is healthy."""
        before = {name: self.daemon(name)["pid"] for name in names}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        eventually(f"{', '.join(names)} run again",
                   lambda: all(self.daemon(name)["pid"] not in (0, pid) for name, pid in before.items())
                   and self.dev("status", check=False).returncode == 0, limit=60)

    def log_in(self, uid="admin", password=None):
        """The answer to a login."""
        return call(self.port("gateway"), "POST", "/acs/api/v1/auth/login",
                    {"uid": uid, "password": self.password if password is None else password})

    def token(self):
        """A token of the user admin, made once."""
        if self._token is None:
            answer = self.log_in()
            assert answer.status == 200, answer
            self._token = answer.json()["token"]
        return self._token

    def gateway(self, method, path, body=None, headers=None, **options):
        """A request through the gateway, with the token of admin where a login is wanted."""
        headers = dict(headers or {})
        if self.auth:
            headers.setdefault("Authorization", f"token={self.token()}")
        return call(self.port("gateway"), method, path, body, headers, **options)

    def marathon(self, method, path, body=None, **options):
        return call(self.port("marathon"), method, path, body, **options)

    def master(self, method, path, body=None, **options):
        return call(self.port("master"), method, path, body, **options)

    def healthy(self):
        return (self.master("GET", "/health").status == 200 and self.marathon("GET", "/ping").status == 200
                and call(self.port("gateway"), "GET", "/health").status == 200
                and self.master("GET", "/metrics/snapshot").json()["master/slaves_active"] == self.agents)

    def tasks(self, app):
        """The app's tasks by id, as marathon has them."""
        answer = self.marathon("GET", f"/v2/apps/{app.strip('/')}/tasks", headers={"Accept": "application/json"})
        assert answer.status == 200, answer
        return {task["id"]: task for task in answer.json()["tasks"]}

    def running(self, app):
        return {id for id, task in self.tasks(app).items() if task.get("state") == "TASK_RUNNING"}

    def deployments(self):
        return self.marathon("GET", "/v2/deployments").json()

    def add_app(self, app, instances=None):
        answer = self.marathon("POST", "/v2/apps", app)
        assert answer.status == 201, answer
        wanted = app.get("instances", 1) if instances is None else instances
        eventually(f"{app['id']} has {wanted} running", lambda: len(self.running(app["id"])) == wanted)
