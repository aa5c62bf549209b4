#!/usr/bin/env python3
"""`dcos task exec` and `dcos task attach` through the gateway, with and without a login."""

import fcntl
import http.client
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, Cluster, call, eventually  # noqa: E402

SLEEP = {"id": "/box", "cmd": "export INSIDE=yes; exec sleep 10000", "cpus": 0.1, "mem": 32, "instances": 1, "env": {"COLOUR": "blue"}}
HALF_CLOSED = 120  # the gateway keeps an answer going for 30 seconds after its client has closed its own direction


def environment(cluster):
    words = {"DCOS_URL": cluster.url, "HOME": cluster.root, "PATH": os.environ["PATH"], "DCOS_DIR": f"{cluster.root}/dcos-cli"}
    if cluster.auth:
        words["DCOS_ACS_TOKEN"] = cluster.token()
    return words


def dcos(cluster, *words, text=None, timeout=60):
    return subprocess.run([str(BIN / "dcos"), *words], input=text, capture_output=True, text=True, timeout=timeout,
                          env=environment(cluster))


class Terminal:
    """The command under a terminal of its own, as a person has it."""

    def __init__(self, cluster, *words, rows=33, columns=77):
        self.leader, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen([str(BIN / "dcos"), *words], stdin=side, stdout=side, stderr=side, start_new_session=True,
                                        env=environment(cluster))
        os.close(side)
        self.seen = ""

    def type(self, text):
        os.write(self.leader, text.encode())

    def shows(self, text, limit=30):
        deadline = time.monotonic() + limit
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} never appeared in {self.seen!r}"
            if select.select([self.leader], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.leader, 4096).decode(errors="replace")
                except OSError:
                    break
        assert text in self.seen, self.seen

    def end(self):
        code = self.process.wait(30)
        os.close(self.leader)
        return code


def children_of(sandbox_word):
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if sandbox_word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def commands_run_in_the_tasks_container():
    """Output, errors, input, exit codes, environment and user of a command beside a task."""
    with Cluster(agents=1, auth=True) as cluster:
        cluster.add_app(SLEEP)
        done = dcos(cluster, "task", "exec", "box", "sh", "-c", "echo out; echo err >&2; echo $COLOUR; exit 3")
        assert (done.returncode, done.stdout, done.stderr) == (3, "out\nblue\n", "err\n"), done
        done = dcos(cluster, "task", "exec", "box", "sh", "-c", "kill -9 $$")
        assert done.returncode == 137, done
        done = dcos(cluster, "task", "exec", "-i", "box", "cat", text="one\ntwo\n")
        assert (done.returncode, done.stdout) == (0, "one\ntwo\n"), done
        done = dcos(cluster, "task", "exec", "-i", "box", "wc", "-c", text="x" * 3_000_000)
        assert (done.returncode, done.stdout.strip()) == (0, "3000000"), done
        done = dcos(cluster, "task", "exec", "box", "sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' y")
        assert done.returncode == 0 and done.stdout == "y" * 5_000_000, (done.returncode, len(done.stdout))
        done = dcos(cluster, "task", "exec", "-u", "nobody", "box", "id", "-un")
        assert (done.returncode, done.stdout) == (0, "nobody\n"), done
        done = dcos(cluster, "task", "exec", "box", "no-such-program")
        assert done.returncode == 1 and "no-such-program" in done.stderr, done
        done = dcos(cluster, "task", "exec", "nobody-knows-this", "true")
        assert done.returncode == 1 and done.stderr.startswith("Error: "), done
        stranger = {word: value for word, value in environment(cluster).items() if word != "DCOS_ACS_TOKEN"}
        done = subprocess.run([str(BIN / "dcos"), "task", "exec", "box", "true"], env=stranger, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and done.stderr, "who is not logged in gets nothing"
        agent = cluster.master("GET", "/slaves").json()["slaves"][0]["id"]
        assert call(cluster.port("gateway"), "POST", f"/agent/{agent}/api/v1", {"type": "GET_HEALTH"}).status == 401
        assert len(cluster.running("/box")) == 1, "the task goes on"


def terminals():
    """A shell on a terminal: its size, keys as they are typed, its end; the session ends when the client goes away."""
    with Cluster(agents=1) as cluster:
        cluster.add_app(SLEEP)
        shell = Terminal(cluster, "task", "exec", "-it", "box", "sh")
        shell.type("stty size; tty; echo $((6*7))\n")
        shell.shows("33 77")
        shell.shows("/dev/pts/")
        shell.shows("42")
        fcntl.ioctl(shell.leader, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        os.kill(shell.process.pid, 28)  # SIGWINCH
        time.sleep(0.2)
        shell.type("stty size\n")
        shell.shows("40 100")
        shell.type("exit 5\n")
        assert shell.end() == 5

        lasting = subprocess.Popen([str(BIN / "dcos"), "task", "exec", "box", "sleep", "98765"], env=environment(cluster))
        eventually("it runs", lambda: len(children_of("98765")) >= 2)
        lasting.kill()
        lasting.wait()
        eventually("it has gone with its client", lambda: not children_of("98765"), limit=HALF_CLOSED)


def tasks_with_a_terminal():
    """Attaching to an app with `tty`: its shell hears what is typed, also after its agent was killed; leaving does not end it."""
    with Cluster(agents=1) as cluster:
        cluster.add_app({"id": "/shell", "cmd": "exec sh", "tty": True, "cpus": 0.1, "mem": 32, "instances": 1})
        before = cluster.running("/shell")

        def talk(sum_of, result):
            person = Terminal(cluster, "task", "attach", "shell", rows=21, columns=90)
            # What is typed before the agent has taken the connection would go nowhere.
            eventually("somebody is attached", lambda: inputs() == 1)
            person.type(f"stty size; echo {sum_of}\n")
            person.shows("21 90")
            person.shows(result)
            person.type("\x10\x11")
            assert person.end() == 0
            eventually("nobody is attached", lambda: inputs() == 0)

        def inputs():
            agent = cluster.master("GET", "/slaves").json()["slaves"][0]["id"]
            answer = cluster.gateway("GET", f"/agent/{agent}/metrics/snapshot")
            return answer.json().get("containerizer/streams/inputs") if answer.status == 200 else None

        talk("$((40+2))", "\r\n42")
        cluster.kill("agent-1")
        eventually("the agent is back", lambda: inputs() == 0)
        eventually("its task is known", lambda: cluster.running("/shell") == before)
        talk("$((40+4))", "\r\n44")
        assert "42" in dcos(cluster, "task", "log", "shell").stdout, "its sandbox has the output too"
        assert cluster.running("/shell") == before
        done = dcos(cluster, "task", "exec", "shell", "echo", "beside")
        assert (done.returncode, done.stdout) == (0, "beside\n"), done


def tasks_without_a_terminal():
    """Attaching to any other app shows what it prints from then on, also when its log is turned over, until its end."""
    app = {"id": "/talk", "cpus": 0.1, "mem": 32, "instances": 1, "cmd":
           "echo before; until [ -e go ]; do sleep 0.1; done; echo first; i=0; while [ $i -lt 3 ]; do head -c 700000 /dev/zero | tr '\\0' y; "
           "echo; i=$((i+1)); sleep 0.5; done; echo last >&2; sleep 1000", "env": {"CONTAINER_LOGGER_MAX_STDOUT_SIZE": "1MB"}}
    with Cluster(agents=1) as cluster:
        cluster.add_app(app)
        [task] = cluster.running("/talk")
        refused = dcos(cluster, "task", "attach", "talk")
        assert refused.returncode != 0 and "takes no input" in refused.stderr and "--no-stdin" in refused.stderr, refused
        person = Terminal(cluster, "task", "attach", "--no-stdin", "talk")
        agent = cluster.master("GET", "/slaves").json()["slaves"][0]["id"]
        eventually("somebody is attached", lambda: cluster.gateway(
            "GET", f"/agent/{agent}/metrics/snapshot").json().get("containerizer/streams/outputs") == 1)
        directory = next(Path(cluster.root, "agent-1/slaves").glob(f"*/frameworks/*/executors/{task}/runs/latest"))
        (directory / "go").touch()
        person.shows("first")
        person.shows("last")
        assert "before" not in person.seen and person.seen.count("y") >= 3 * 700000, person.seen.count("y")
        cluster.marathon("DELETE", "/v2/apps/talk")
        assert person.end() == 0


def clients_without_a_gateway():
    """A session asked of the agent itself: headers, heartbeat and output as records, and its end with the connection."""
    with Cluster(agents=1) as cluster:
        cluster.add_app(SLEEP)
        state = cluster.master("GET", "/state").json()
        task = next(task for framework in state["frameworks"] for task in framework["tasks"] if task["name"] == "box")
        parent = task["statuses"][-1]["container_status"]["container_id"]
        port = state["slaves"][0]["port"]

        def ask(name, command, headers):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            launch = {"container_id": {"value": name, "parent": parent}, "command": {"value": command}}
            connection.request("POST", "/api/v1", json.dumps({"type": "LAUNCH_NESTED_CONTAINER_SESSION",
                                                              "launch_nested_container_session": launch}),
                               {"Content-Type": "application/json", **headers})
            return connection, connection.getresponse()

        records = {"Accept": "application/recordio", "Message-Accept": "application/json"}
        connection, answer = ask("one", "echo here", records)
        assert (answer.status, answer.getheader("Content-Type"), answer.getheader("Message-Content-Type")) == (
            200, "application/recordio", "application/json"), answer.getheaders()
        length, text = answer.read().decode().split("\n", 1)
        record = json.loads(text[:int(length)])
        assert record == {"type": "DATA", "data": {"type": "STDOUT", "data": "aGVyZQo="}}, record
        connection.close()
        assert ask("two", "true", {"Accept": "text/html"})[1].status == 406

        connection, answer = ask("three", "exec sleep 65432", records)
        assert answer.status == 200
        eventually("it runs", lambda: children_of("65432"))
        answer.close()
        connection.close()
        eventually("it has gone with its connection", lambda: not children_of("65432"))


def readers_that_stand_still():
    """A reader that takes nothing stops the program; the agent holds a bounded piece; all end with the reader."""
    with Cluster(agents=1) as cluster:
        cluster.add_app(SLEEP)
        agent = cluster.master("GET", "/slaves").json()["slaves"][0]["id"]

        def carried():
            return cluster.gateway("GET", f"/agent/{agent}/metrics/snapshot").json().get("containerizer/streams/output_bytes", 0)

        def resident():
            status = Path(f"/proc/{cluster.daemon('agent-1')['pid']}/status").read_text()
            return int(status.split("VmRSS:")[1].split()[0])

        before = resident()
        idle = subprocess.Popen([str(BIN / "dcos"), "task", "exec", "box", "sh", "-c", "echo $$; exec yes 76543"],
                                stdout=subprocess.PIPE, env=environment(cluster))
        eventually("output comes", lambda: carried() > 0)

        def stands_still():
            bytes_before = carried()
            time.sleep(1)
            return carried() == bytes_before

        eventually("it stands still", stands_still, limit=60)
        assert carried() < 64 << 20, carried()
        assert resident() - before < 64 << 10, (before, resident())
        assert dcos(cluster, "task", "exec", "box", "echo", "others go on").stdout == "others go on\n"
        idle.kill()
        idle.stdout.close()
        idle.wait()
        eventually("it has gone with its reader", lambda: not children_of("76543"), limit=HALF_CLOSED)


def agents_killed_during_a_session():
    """kill -9 of the agent: the session ends with an error and nothing of it is left; the task goes on."""
    with Cluster(agents=1) as cluster:
        cluster.add_app(SLEEP)
        before = cluster.running("/box")
        session = subprocess.Popen([str(BIN / "dcos"), "task", "exec", "box", "sleep", "87654"], env=environment(cluster),
                                   stderr=subprocess.PIPE)
        eventually("it runs", lambda: len(children_of("87654")) >= 2)
        cluster.kill("agent-1")
        assert session.wait(60) == 1
        session.stderr.close()
        eventually("nothing of it is left", lambda: not children_of("87654"))
        assert cluster.running("/box") == before
        eventually("a new one works", lambda: dcos(cluster, "task", "exec", "box", "echo", "again").stdout == "again\n", limit=60)


if __name__ == "__main__":
    results.run("system/exec", [commands_run_in_the_tasks_container, terminals, tasks_with_a_terminal, tasks_without_a_terminal,
                                clients_without_a_gateway, readers_that_stand_still,
                                agents_killed_during_a_session])
