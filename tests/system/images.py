#!/usr/bin/env python3
"""Images from Debian's own registry, through the whole cluster: what runs, what is refused, what survives."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import Cluster, call, eventually  # noqa: E402
from harness.images import Registry, SlowProxy, docker_archive, layer  # noqa: E402

CONFIG = {"Entrypoint": ["/bin/sh", "-c"], "Cmd": ["cat /greeting; pwd; id -un; echo $FROM_IMAGE; sleep 1000"],
          "Env": ["FROM_IMAGE=yes", "PATH=/bin"], "WorkingDir": "/srv", "User": "app"}
LAYERS = [layer(base=True, files=[("greeting", b"first\n", 0o644, 0), ("gone", b"x", 0o644, 0)]),
          layer(files=[("greeting", b"second\n", 0o644, 0), ("dir/new", b"n", 0o600, 1234)], removed=["gone"])]


@contextmanager
def cluster_with(agents=1, **flags):
    """A cluster whose agents have these flags besides their own: an agent reads them from its environment too."""
    names = {f"MESOS_{name.upper()}": str(value) for name, value in flags.items()}
    os.environ.update(names)
    try:
        with Cluster(agents=agents) as cluster:
            yield cluster
    finally:
        for name in names:
            del os.environ[name]


def sandbox_file(cluster, app, name="stdout", agent="agent-1"):
    """The text of a file in the sandbox of the app's newest task."""
    frameworks = call(cluster.port(agent), "GET", "/state").json()["frameworks"]
    executors = [e for f in frameworks for e in f["executors"] if e["id"].startswith(app.strip("/") + ".") or f"{app.strip('/')}.instance" in e["id"]]
    path = executors[-1]["directory"] + "/" + name
    return call(cluster.port(agent), "GET", f"/files/download?path={path}").body.decode()


def app_of(name, image, cmd=None, kind="DOCKER", **more):
    app = {"id": name, "cpus": 0.01, "mem": 16, "instances": 1, "container": {"type": kind, "docker": {"image": image}}}
    if cmd:
        app["cmd"] = cmd
    container = more.pop("container", {})
    app["container"]["docker"].update(container.pop("docker", {}))
    app["container"].update(container)
    return {**app, **more}


def failure_of(cluster, app):
    def last():
        return cluster.marathon("GET", f"/v2/apps{app}?embed=app.lastTaskFailure").json()["app"].get("lastTaskFailure")
    return eventually(f"the failure of {app} is told", last)


def images_run():
    """Both kinds of container: entry point, command, environment, user, directory, whiteouts, volumes, the form of 2015."""
    with Registry() as registry:
        registry.push("libmesos/ubuntu:latest", LAYERS, CONFIG)
        with cluster_with(docker_registry=f"http://{registry.host}") as cluster:
            shared = Path(cluster.root, "shared")
            shared.mkdir(mode=0o777)
            shared.chmod(0o777)
            cluster.add_app(app_of("/plain", "libmesos/ubuntu"))
            eventually("its output", lambda: sandbox_file(cluster, "/plain") == "second\n/srv\napp\nyes\n")
            cluster.add_app({"id": "/ubuntu", "cpus": 0.01, "mem": 16, "cmd": "ls /gone; stat -c %u:%a /dir/new; echo $FROM_IMAGE > /vol/written; sleep 1000",
                             "container": {"type": "DOCKER", "docker": {"image": "libmesos/ubuntu"},
                                           "volumes": [{"containerPath": "/vol", "hostPath": str(shared), "mode": "RW"}]}})
            eventually("the volume is written", lambda: (shared / "written").read_text() == "yes\n")
            assert sandbox_file(cluster, "/ubuntu") == "1234:600\n"
            cluster.add_app(app_of("/kernels", "libmesos/ubuntu", kind="MESOS", args=["id -un; pwd; ls /mnt/mesos/sandbox; sleep 1000"]))
            eventually("its output", lambda: sandbox_file(cluster, "/kernels") == "app\n/srv\nstderr\nstdout\n")
            cluster.add_app(app_of("/health", "libmesos/ubuntu", "sleep 1000",
                                   healthChecks=[{"protocol": "COMMAND", "command": {"value": "test -e /greeting && test $(id -un) = app"}, "intervalSeconds": 1, "delaySeconds": 0}]))
            eventually("its health", lambda: cluster.marathon("GET", "/v2/apps/health").json()["app"]["tasksHealthy"] == 1)
            # One pull for all of them, and nothing of them in the machine's mounts.
            log = Path(cluster.root, "log/agent-1.log").read_text()
            assert log.count("Pulling the image") == 1, log
            assert cluster.root not in Path("/proc/self/mounts").read_text()
            for app in ("plain", "ubuntu", "kernels", "health"):
                cluster.marathon("DELETE", f"/v2/apps/{app}")
            containers = Path(cluster.root, "run/agent-1/containers")
            eventually("nothing is left", lambda: not list(containers.glob("*/image")))


def other_tools_images():
    """What skopeo makes of an image (OCI, zstd layers, an index) runs as well."""
    if not shutil.which("skopeo"):
        raise results.Skip("skopeo is not installed")
    with Registry() as registry:
        registry.push("app:docker", LAYERS, CONFIG)
        def copy(*words):
            done = subprocess.run(["skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", *words], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        source = f"docker://{registry.host}/app:docker"
        copy("--format", "oci", "--dest-compress", "--dest-compress-format", "zstd", source, f"oci:{registry.root}/zstd:v1")
        copy("--format", "oci", f"oci:{registry.root}/zstd:v1", f"docker://{registry.host}/app:zstd")
        copy("--format", "oci", source, f"docker://{registry.host}/app:oci")
        archives = Path(registry.root, "archives")
        archives.mkdir()
        copy(source, f"docker-archive:{archives}/saved.tar:app:docker")
        copy(source, f"oci-archive:{archives}/layout.tar:v1")
        with cluster_with(docker_archive_directories=archives) as cluster:
            for name, image in (("oci", f"{registry.host}/app:oci"), ("zstd", f"{registry.host}/app:zstd"),
                                ("saved", f"file://{archives}/saved.tar"), ("layout", f"file://{archives}/layout.tar")):
                cluster.add_app(app_of(f"/{name}", image))
                eventually(f"the output of {name}", lambda name=name: sandbox_file(cluster, f"/{name}") == "second\n/srv\napp\nyes\n")


def private_registry():
    """Basic login: the agent's credentials, the app's own, and none."""
    with Registry(users={"alice": "wonder"}) as registry:
        registry.push("secret:1", LAYERS, CONFIG)
        auth = {"auths": {registry.host: {"username": "alice", "password": "wonder"}}}
        with cluster_with() as cluster:
            answer = cluster.marathon("POST", "/v2/apps", app_of("/nobody", f"{registry.host}/secret:1"))
            assert answer.status == 201, answer
            failure = failure_of(cluster, "/nobody")
            assert failure["state"] == "TASK_FAILED" and "login" in failure["message"] and registry.host in failure["message"], failure
            bundle = Path(cluster.root, "docker.tar.gz")
            Path(cluster.root, ".docker").mkdir()
            Path(cluster.root, ".docker/config.json").write_text(json.dumps(auth))
            subprocess.run(["tar", "-C", cluster.root, "-czf", bundle, ".docker"], check=True)
            cluster.add_app(app_of("/own", f"{registry.host}/secret:1", fetch=[{"uri": f"file://{bundle}"}]))
        with cluster_with(docker_config=json.dumps(auth)) as cluster:
            cluster.add_app(app_of("/agents", f"{registry.host}/secret:1"))
            flags = call(cluster.port("agent-1"), "GET", "/flags").body
            assert b"wonder" not in flags, "a password is shown"


def encrypted_registry():
    """TLS with a certificate that nobody vouches for: refused, and accepted when the operator says so."""
    with Registry(tls=True) as registry:
        registry.push("app:1", LAYERS, CONFIG)
        with cluster_with(docker_registry=f"https://{registry.host}") as cluster:
            cluster.marathon("POST", "/v2/apps", app_of("/doubtful", "app:1"))
            message = failure_of(cluster, "/doubtful")["message"]
            assert "certificate" in message, message
        with cluster_with(docker_registry=f"https://{registry.host}", docker_insecure_registries=registry.host) as cluster:
            cluster.add_app(app_of("/trusted", "app:1"))
            cluster.add_app(app_of("/named", f"{registry.host}/app:1"))


def archive_directory():
    """--docker_registry=/directory: images are files."""
    with Registry() as registry:  # for its directory alone
        archives = Path(registry.root, "archives/team")
        archives.mkdir(parents=True)
        docker_archive(archives / "app:1.tar", "team/app:1", LAYERS, CONFIG)
        with cluster_with(docker_registry=archives.parent) as cluster:
            cluster.add_app(app_of("/archive", "team/app:1"))
            cluster.marathon("POST", "/v2/apps", app_of("/none", "team/app:2"))
            assert "app:2.tar" in failure_of(cluster, "/none")["message"]


def bad_registries():
    """Unknown images, a registry that is down, content that was changed, a network that is not there: said in words."""
    with Registry() as registry:
        registry.push("app:1", LAYERS, CONFIG)
        registry.push("spoilt:1", [layer(base=True, files=[("unique", os.urandom(100_000), 0o644, 0)])], CONFIG)
        largest = max(registry.blob_files(), key=lambda path: path.stat().st_mtime if path.stat().st_size > 100_000 else 0)
        data = bytearray(largest.read_bytes())
        data[len(data) // 2] ^= 1
        largest.write_bytes(data)
        with cluster_with() as cluster:
            cases = [(app_of("/unknown", f"{registry.host}/nothing:1"), "unknown"),
                     (app_of("/down", "127.0.0.1:1/app"), "127.0.0.1:1"),
                     (app_of("/spoilt", f"{registry.host}/spoilt:1"), "digest"),
                     (app_of("/name", "UPPER/case"), "lower case"),
                     (app_of("/parameter", f"{registry.host}/app:1", container={"docker": {"parameters": [{"key": "volumes-from", "value": "x"}]}}), "volumes-from"),
                     (app_of("/network", f"{registry.host}/app:1", networks=[{"mode": "container", "name": "nowhere"}]), "nowhere")]
            for app, words in cases:
                answer = cluster.marathon("POST", "/v2/apps", app)
                assert answer.status in (201, 422), answer
                if answer.status == 422:
                    assert app["id"] == "/name", answer
                    continue
                failure = failure_of(cluster, app["id"])
                assert failure["state"] == "TASK_FAILED" and words in failure["message"], (app["id"], failure)
            store = Path(cluster.root, "agent-1/store/docker")
            eventually("nothing is staged", lambda: not list((store / "staging").iterdir()))
            cluster.add_app(app_of("/good", f"{registry.host}/app:1"))
            # The registry goes; what is there already runs on and starts again.
            registry.stop()
            task = next(iter(cluster.tasks("good")))
            cluster.marathon("DELETE", f"/v2/apps/good/tasks/{task}")
            eventually("another instance runs without the registry", lambda: cluster.running("good") - {task})
            registry.start()


def agent_killed_during_a_pull():
    """kill -9 while an image comes: nothing half done is used, the task runs after all, nothing stays behind."""
    with Registry() as registry:
        registry.push("big:1", [*LAYERS, layer(files=[("noise", os.urandom(3_000_000), 0o644, 0)])], CONFIG)
        with SlowProxy(registry, 300_000) as proxy, cluster_with() as cluster:
            answer = cluster.marathon("POST", "/v2/apps", app_of("/big", f"{proxy.host}/big:1", backoffSeconds=1, backoffFactor=1))
            assert answer.status == 201, answer
            store = Path(cluster.root, "agent-1/store/docker")
            eventually("the pull is under way", lambda: proxy.blobs_begun > 0 and list((store / "staging").iterdir()))
            assert next(iter(cluster.tasks("big").values()))["state"] in ("TASK_STAGING", "TASK_STARTING")
            for _ in range(3):
                old = cluster.daemon("agent-1")["pid"]
                os.kill(old, signal.SIGKILL)
                eventually("the agent is back", lambda: cluster.daemon("agent-1")["pid"] not in (0, old) and call(cluster.port("agent-1"), "GET", "/health").status == 200)
                time.sleep(0.2)
            proxy.rate = 0
            eventually("it runs after all", lambda: len(cluster.running("big")) == 1, limit=90)
            eventually("nothing is staged", lambda: not list((store / "staging").iterdir()) and not list((store / "trash").iterdir()))
            eventually("its output", lambda: sandbox_file(cluster, "/big").startswith("second\n"))
            # A running container's image outlives the agent.
            task = cluster.running("big")
            old = cluster.daemon("agent-1")["pid"]
            os.kill(old, signal.SIGKILL)
            eventually("the agent is back", lambda: cluster.daemon("agent-1")["pid"] not in (0, old) and cluster.healthy())
            assert cluster.running("big") == task


def unused_images_go():
    """Images that nobody uses are removed by age, those in use stay, also through a restart of the agent."""
    policy = {"image_disk_watch_interval": {"nanoseconds": 300_000_000}, "image_max_age": {"nanoseconds": 1_000_000_000}}
    with Registry() as registry:
        registry.push("app:1", LAYERS, CONFIG)
        registry.push("app:2", [LAYERS[0], layer(files=[("other", b"x", 0o644, 0)])], {**CONFIG, "Cmd": ["exit 0"]})
        with cluster_with(image_gc_config=json.dumps(policy)) as cluster:
            images = Path(cluster.root, "agent-1/store/docker/images")
            layers = Path(cluster.root, "agent-1/store/docker/layers")
            cluster.add_app(app_of("/stays", f"{registry.host}/app:1"))
            cluster.add_app(app_of("/goes", f"{registry.host}/app:2", "sleep 1000"))
            assert len(list(layers.iterdir())) == 3
            cluster.marathon("DELETE", "/v2/apps/goes")
            eventually("the unused image is gone", lambda: len(list(images.iterdir())) == 1 and len(list(layers.iterdir())) == 2)
            old = cluster.daemon("agent-1")["pid"]
            os.kill(old, signal.SIGKILL)
            eventually("the agent is back", lambda: cluster.daemon("agent-1")["pid"] not in (0, old) and cluster.healthy())
            time.sleep(2)
            assert len(list(images.iterdir())) == 1 and len(list(layers.iterdir())) == 2
            assert len(cluster.running("stays")) == 1
            cluster.marathon("DELETE", "/v2/apps/stays")
            eventually("all are gone", lambda: not list(images.iterdir()) and not list(layers.iterdir()))


if __name__ == "__main__":
    results.run("system/images", [images_run, other_tools_images, private_registry, encrypted_registry, archive_directory, bad_registries, agent_killed_during_a_pull,
                                  unused_images_go])
