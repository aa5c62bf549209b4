#!/usr/bin/env python3
"""Secrets of apps and pods end to end: a real agent looks them up, the tasks have them, and nobody else shows them."""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, call, eventually  # noqa: E402
from harness.ports import free_port  # noqa: E402
from isolation import BASE, Machine  # noqa: E402

WORD = "open-sesame-42"
CHECK = 'printf %s "$PASSWORD" | md5sum > seen; md5sum < keys/token >> seen; exec sleep 100000'
RESOURCES = {"cpus": 0.1, "mem": 32}
DEFINITION = {"secrets": {"word": {"source": "db/password"}}}
APP = {"id": "/app", "cmd": CHECK, **RESOURCES, **DEFINITION, "env": {"PASSWORD": {"secret": "word"}},
       "container": {"type": "MESOS", "volumes": [{"containerPath": "keys/token", "secret": "word"}]}}
POD = {"id": "/pod", **DEFINITION, "environment": {"PASSWORD": {"secret": "word"}}, "volumes": [{"name": "token", "secret": "word"}],
       "containers": [{"name": "one", "exec": {"command": {"shell": CHECK}}, "resources": RESOURCES,
                       "volumeMounts": [{"name": "token", "mountPath": "keys/token"}]}]}


def apps_and_pods():
    """As a variable and as a file, in an app and in a pod; in no answer, event or log."""
    with tempfile.TemporaryDirectory(prefix="dcos-secrets-") as store:
        os.makedirs(f"{store}/db", mode=0o700)
        secret = Path(store, "db/password")
        secret.touch(mode=0o600)
        secret.write_text(WORD)
        with Machine(BASE + ",volume/secret", secret_dir=store) as machine:
            port = free_port()
            words = [str(BIN / "dcos-marathon"), f"--master=127.0.0.1:{machine.master}", f"--http_port={port}",
                     f"--data_dir={machine.root}/marathon", "--mesos_user=root"]
            plain = machine.start("marathon", words)
            eventually("marathon answers", lambda: call(port, "GET", "/ping").status == 200)
            refused = call(port, "POST", "/v2/apps", APP)
            assert refused.status == 422 and b"Enable with --enable_features secrets" in refused.body, refused
            plain.terminate()
            plain.wait()
            machine.start("marathon", [*words, "--enable_features=secrets", "--logging_level=debug"])
            eventually("marathon answers", lambda: call(port, "GET", "/ping").status == 200)
            assert call(port, "POST", "/v2/apps", APP).status == 201
            assert call(port, "POST", "/v2/pods", POD).status == 201
            digest = hashlib.md5(WORD.encode()).hexdigest() + "  -\n"
            sandboxes = Path(machine.root, "agent")

            def seen():
                return [path.read_text() for path in sandboxes.glob("**/seen") if "latest" not in path.parts]
            eventually("both have it, as a variable and as a file", lambda: sorted(seen()) == [2 * digest, 2 * digest], limit=90)
            shown = {path: call(port, "GET", path).body for path in
                     ("/v2/apps", "/v2/apps//app?embed=app.tasks", "/v2/groups", "/v2/pods", "/v2/pods/::status", "/v2/tasks", "/v2/backup")}
            shown |= {path: call(machine.master, "GET", path).body for path in ("/state", "/tasks", "/frameworks")}
            shown |= {str(log): log.read_bytes() for log in Path(machine.root).glob("*.log")}
            for where, text in shown.items():
                assert WORD.encode() not in text, where
            assert b'"secret":"word"' in shown["/v2/apps"] and b'"source":"db/password"' in shown["/v2/pods"], shown
            call(port, "DELETE", "/v2/groups?force=true")
            eventually("nothing is left", lambda: call(machine.master, "GET", "/metrics/snapshot").json()["master/tasks_running"] == 0, limit=60)


if __name__ == "__main__":
    if os.geteuid() != 0:
        results.report("skip", "marathon_secrets", "needs root")
        sys.exit(0)
    results.run("marathon_secrets", [apps_and_pods])
