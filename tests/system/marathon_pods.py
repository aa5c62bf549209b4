#!/usr/bin/env python3
"""Pods on real agents: containers that share localhost and a volume, scaled, replaced, killed, and left alone by kills of daemons."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import Cluster, call, eventually  # noqa: E402

# Serves what it put into the volume, on the host's network; where it listens is its endpoint's port.
WEB = 'echo "$GREETING" > shared/page; cd shared; exec python3 -m http.server "$ENDPOINT_HTTP" --bind 127.0.0.1'
# Asks its neighbour over localhost and notes the answer in the volume; fails when it is told to.
CLIENT = ("while sleep 0.2; do [ ! -e shared/fail ] || { rm shared/fail; exit 3; }; "
          'python3 -c "import os,urllib.request as u;'
          "print(u.urlopen('http://127.0.0.1:'+os.environ['ENDPOINT_HTTP']+'/page').read().decode().strip())\""
          " > shared/seen.new 2>/dev/null && mv shared/seen.new shared/seen; done")


def pod(instances=1, greeting="hello"):
    mount = [{"name": "shared", "mountPath": "shared"}]
    resources = {"cpus": 0.1, "mem": 64}
    return {"id": "/duo", "environment": {"GREETING": greeting}, "volumes": [{"name": "shared"}],
            "networks": [{"mode": "host"}], "scaling": {"kind": "fixed", "instances": instances},
            "containers": [
                {"name": "web", "exec": {"command": {"shell": WEB}}, "resources": resources, "volumeMounts": mount,
                 "endpoints": [{"name": "http", "hostPort": 0, "protocol": ["tcp"]}],
                 "healthCheck": {"http": {"endpoint": "http", "path": "/page"}, "delaySeconds": 0, "intervalSeconds": 2,
                                 "timeoutSeconds": 1, "gracePeriodSeconds": 60}},
                {"name": "client", "exec": {"command": {"shell": CLIENT}}, "resources": resources, "volumeMounts": mount}]}


def status(cluster):
    return cluster.marathon("GET", "/v2/pods/duo::status").json()


def stable(cluster, instances):
    """The status when so many instances are stable and nothing is under way."""
    now = status(cluster)
    good = [i for i in now["instances"] if i["status"] == "STABLE"]
    return now if len(good) == len(now["instances"]) == instances and not cluster.deployments() else None


def tasks(now):
    return {c["containerId"] for i in now["instances"] for c in i["containers"]}


def running(cluster):
    """The pod's tasks as the master has them."""
    return [t for f in cluster.master("GET", "/state").json()["frameworks"] for t in f["tasks"]
            if t["id"].startswith("duo.") and t["state"] == "TASK_RUNNING"]


def volumes(cluster):
    """What the pods' instances share, of the runs that have not been collected yet."""
    return set(Path(cluster.root).glob("agent-*/**/volumes/shared"))


def seen(volume):
    return (volume / "seen").read_text().strip() if (volume / "seen").exists() else None


def life():
    """Two containers talk over localhost and a volume; the pod is scaled, upgraded, killed in every way and deleted."""
    with Cluster() as cluster:
        answer = cluster.marathon("POST", "/v2/pods", pod())
        assert answer.status == 201, answer
        now = eventually("the pod is stable", lambda: stable(cluster, 1), limit=90)
        [volume] = volumes(cluster)
        eventually("one container heard the other", lambda: seen(volume) == "hello", limit=60)
        [instance] = now["instances"]
        by_name = {c["name"]: c for c in instance["containers"]}
        assert by_name["web"]["conditions"][0]["value"] == "true", by_name
        port = by_name["web"]["endpoints"][0]["allocatedHostPort"]
        assert call(port, "GET", "/page").body == b"hello\n"

        # One container that fails takes the other along; the instance comes back as itself.
        (volume / "fail").touch()
        again = eventually("it is launched anew", lambda: tasks(status(cluster)).isdisjoint(tasks(now)) and stable(cluster, 1), limit=90)
        assert again["instances"][0]["id"] == instance["id"]
        assert again["terminationHistory"][0]["containers"][0]["containerId"] == by_name["client"]["containerId"], again

        # Killed by a user, it comes back too.
        killed = cluster.marathon("DELETE", f"/v2/pods/duo::instances/{instance['id']}")
        assert killed.status == 200 and killed.json()["instanceId"] == instance["id"], killed
        third = eventually("it is launched again", lambda: tasks(status(cluster)).isdisjoint(tasks(again)) and stable(cluster, 1), limit=90)

        # More instances leave the first alone; daemons that die leave all alone.
        assert cluster.marathon("PUT", "/v2/pods/duo", pod(instances=3)).status == 200
        three = eventually("three are stable", lambda: stable(cluster, 3), limit=120)
        assert tasks(third) < tasks(three)
        for name in ("marathon", "agent-1", "master"):
            cluster.kill(name)
            eventually("all healthy", cluster.healthy, limit=90)
            after = eventually("all are known", lambda: stable(cluster, 3), limit=90)
            assert tasks(after) == tasks(three), f"{name} took tasks along"

        # A new version replaces them.
        assert cluster.marathon("PUT", "/v2/pods/duo", pod(instances=3, greeting="good day")).status == 200
        new = eventually("the new version is stable", lambda: tasks(status(cluster)).isdisjoint(tasks(three)) and stable(cluster, 3),
                         limit=180)
        ports = [e["allocatedHostPort"] for i in new["instances"] for c in i["containers"] for e in c["endpoints"]]
        assert [call(port, "GET", "/page").body for port in ports] == [b"good day\n"] * 3

        # The master names them by the pod.
        found = running(cluster)
        assert {t["discovery"]["name"] for t in found} == {"duo"} and {t["name"] for t in found} == {"web", "client"}, found

        assert cluster.marathon("DELETE", "/v2/pods/duo").status == 202
        eventually("it is gone", lambda: cluster.marathon("GET", "/v2/pods/duo").status == 404 and not cluster.deployments(), limit=90)
        eventually("no task runs", lambda: not running(cluster), limit=60)


if __name__ == "__main__":
    results.run("system/marathon_pods", [life])
