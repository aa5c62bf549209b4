#!/usr/bin/env python3
"""The main job as a user does it: the dcos command and curl against a dev cluster, with the historical app definitions."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, Cluster, call, eventually  # noqa: E402
from harness.images import Registry, layer  # noqa: E402

HELLO = {"id": "Hello", "cmd": "python3 -m http.server $PORT", "cpus": 0.1, "mem": 64, "instances": 1, "uris": []}
UBUNTU = {"container": {"type": "DOCKER", "docker": {"image": "libmesos/ubuntu"},
                        "volumes": [{"containerPath": "/etc/a", "hostPath": "/var/data/a", "mode": "RO"}]},
          "id": "ubuntu", "instances": 1, "cpus": 0.5, "mem": 512, "cmd": "while sleep 10; do date -u +%T; done"}


class User:
    """A home directory and a dcos binary."""

    def __init__(self, cluster):
        self.home = f"{cluster.root}/home"
        os.makedirs(self.home, exist_ok=True)
        self.environment = {**os.environ, "HOME": self.home, "DCOS_DIR": f"{self.home}/.dcos"}
        for name in ("DCOS_URL", "DCOS_CLUSTER", "DCOS_ACS_TOKEN"):
            self.environment.pop(name, None)

    def dcos(self, *words, check=True, stdin=None, timeout=60):
        done = subprocess.run([str(BIN / "dcos"), *words], env=self.environment, input=stdin, capture_output=True, text=True, timeout=timeout)
        if check:
            assert done.returncode == 0, f"dcos {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *words):
        return json.loads(self.dcos(*words, "--json").stdout)


def main_job():
    """Every command of the README and of the first issue, on real input."""
    with Cluster() as cluster:
        call(cluster.port("marathon"), "DELETE", "/v2/apps/hello?force=true")
        eventually("the first app is gone", lambda: cluster.marathon("GET", "/v2/apps").json()["apps"] == [])
        user = User(cluster)
        user.dcos("cluster", "setup", cluster.url)
        assert cluster.url in user.dcos("cluster", "list").stdout
        path = Path(user.home, "hello.json")
        path.write_text(json.dumps(HELLO))
        user.dcos("marathon", "app", "add", str(path))
        eventually("it runs", lambda: len(cluster.running("/hello")) == 1)
        listing = user.dcos("marathon", "app", "list").stdout
        assert "/hello" in listing and "1/1" in listing, listing
        assert json.loads(user.dcos("marathon", "app", "show", "/hello").stdout)["id"] == "/hello"

        user.dcos("marathon", "app", "update", "/hello", "instances=3")
        eventually("three run", lambda: len(cluster.running("/hello")) == 3)
        eventually("the deployment ends", lambda: cluster.deployments() == [])
        tasks = user.json("task", "list")
        assert len([t for t in tasks if t["name"] == "hello"]) == 3, tasks
        table = user.dcos("task", "list").stdout
        assert "NAME" in table and table.count("hello") >= 3, table

        port = cluster.tasks("/hello")[sorted(cluster.running("/hello"))[0]]["ports"][0]
        eventually("the task serves", lambda: call(port, "GET", "/").status == 200)
        task = sorted(cluster.running("/hello"))[0]
        eventually("its log is read", lambda: "GET /" in user.dcos("task", "log", task, "stderr", check=False).stdout)

        user.dcos("marathon", "app", "restart", "/hello")
        before = cluster.running("/hello")
        eventually("all are replaced", lambda: len(cluster.running("/hello")) == 3 and (not cluster.running("/hello") & before or cluster.deployments() == []))
        eventually("the deployment ends", lambda: cluster.deployments() == [])
        versions = json.loads(user.dcos("marathon", "app", "version", "list", "/hello").stdout)
        assert len(versions) >= 2, versions
        user.dcos("marathon", "app", "stop", "/hello")
        eventually("none run", lambda: cluster.running("/hello") == set())
        eventually("the deployment ends", lambda: cluster.deployments() == [])
        user.dcos("marathon", "app", "start", "/hello", "2")
        eventually("two run", lambda: len(cluster.running("/hello")) == 2)
        user.dcos("marathon", "deployment", "list", check=False)
        eventually("the deployment ends", lambda: cluster.deployments() == [])

        nodes = user.json("node", "list")
        assert len([n for n in nodes if n.get("type", "agent") != "master" and "attributes" in n or n.get("type") == "agent"]) >= 2, nodes
        assert "marathon" in user.dcos("service", "list").stdout
        gateway = cluster.port("gateway")
        assert "/hello" in [a["id"] for a in call(gateway, "GET", "/service/marathon/v2/apps").json()["apps"]]
        state = call(gateway, "GET", "/mesos/state").json()
        assert len(state["slaves"]) == 2 and any(f["name"] == "marathon" for f in state["frameworks"])

        user.dcos("marathon", "app", "remove", "/hello")
        eventually("it is gone", lambda: cluster.marathon("GET", "/v2/apps/hello").status == 404)


def follow_log():
    """dcos task log --follow shows lines as they are written, none twice and none lost when the file is turned over."""
    with Cluster(agents=1) as cluster:
        user = User(cluster)
        user.dcos("cluster", "setup", cluster.url)
        cluster.add_app({"id": "/ticker", "cmd": f"i=0; while true; do i=$((i+1)); echo tick $i {'x' * 90}; sleep 0.1; done",
                         "cpus": 0.1, "mem": 32, "env": {"CONTAINER_LOGGER_MAX_STDOUT_SIZE": "4KB"}})
        task = cluster.running("/ticker").pop()
        follower = subprocess.Popen([str(BIN / "dcos"), "task", "log", "--follow", task], env=user.environment, stdout=subprocess.PIPE, text=True)
        try:
            seen = []
            deadline = time.monotonic() + 30
            while len(seen) < 90 and time.monotonic() < deadline:
                line = follower.stdout.readline()
                if line.startswith("tick "):
                    seen.append(int(line.split()[1]))
            assert len(seen) == 90 and seen == list(range(seen[0], seen[0] + 90)), seen
        finally:
            follower.kill()
            follower.wait()


def image_form():
    """The image form of 2015, as it was written then: with its registry away a clear reason, with the registry it runs."""
    with Registry() as registry:
        registry.push("libmesos/ubuntu:latest", [layer(base=True, links=[("bin/date", "busybox")])], {})
        registry.stop()
        os.environ["MESOS_DOCKER_REGISTRY"] = f"http://{registry.host}"
        try:
            with Cluster(agents=1) as cluster:
                app = json.loads(json.dumps(UBUNTU).replace("/var/data", cluster.root))
                answer = cluster.marathon("POST", "/v2/apps", app)
                assert answer.status == 201, answer
                stored = cluster.marathon("GET", "/v2/apps/ubuntu").json()["app"]
                assert stored["container"]["docker"]["image"] == "libmesos/ubuntu"
                failure = eventually("its failure is told", lambda: cluster.marathon("GET", "/v2/apps/ubuntu?embed=app.lastTaskFailure").json()["app"].get("lastTaskFailure"))
                assert failure["state"] == "TASK_FAILED" and "libmesos/ubuntu" in failure["message"] and registry.host in failure["message"], failure
                queue = eventually("it backs off", lambda: [q for q in cluster.marathon("GET", "/v2/queue").json()["queue"] if q["delay"]["timeLeftSeconds"] > 0])
                assert queue[0]["app"]["id"] == "/ubuntu", queue
                registry.start()
                eventually("it runs", lambda: len(cluster.running("ubuntu")) == 1, limit=60)
        finally:
            del os.environ["MESOS_DOCKER_REGISTRY"]


def errors_say_what_to_do():
    """Wrong commands, unknown apps, no cluster: exit codes and sentences."""
    with Cluster(agents=1) as cluster:
        user = User(cluster)
        nobody = user.dcos("node", "list", check=False)
        assert nobody.returncode != 0 and "setup" in nobody.stderr, nobody
        user.dcos("cluster", "setup", cluster.url)
        for words in (["marathon", "app", "show", "/nope"], ["marathon", "app", "update", "/nope", "instances=2"], ["task", "log", "nope"],
                      ["frobnicate"], ["marathon", "app", "add", "/no/such/file.json"]):
            done = user.dcos(*words, check=False)
            assert done.returncode != 0 and done.stderr.strip(), (words, done)
        bad = user.dcos("marathon", "app", "add", check=False, stdin='{"id": "/x", "cmd": "sleep 1", "cpus": "a"}')
        assert bad.returncode != 0 and "cpus" in bad.stderr, bad
        for words in (["--help"], ["marathon", "--help"], ["marathon", "app", "--help"], ["task", "log", "--help"], ["--version"]):
            assert user.dcos(*words).stdout.strip(), words
        for shell in ("bash", "zsh"):
            assert "dcos" in user.dcos("completion", shell).stdout


if __name__ == "__main__":
    results.run("e2e/cli", [main_job, follow_log, image_form, errors_say_what_to_do])
