#!/usr/bin/env python3
"""Three schedulers against three masters on a real ZooKeeper ensemble: every way of losing the scheduler that acts.

The cluster is that of ha.py; each scheduler has a network namespace of its own beside it.
"""

import http.client
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ha  # noqa: E402
from ha import NET, ZK_IPS, Place, ask_to_stop, kill  # noqa: E402
from harness.cluster import BIN, eventually  # noqa: E402
from several_schedulers import Cluster, Scheduler  # noqa: E402

PORT = 8080
LEADER_HEADER, VIA = "X-Marathon-Leader", "X-Marathon-Via"
TASKS = 4
SESSION_MS = os.environ.get("HA_SESSION_MS", "4000")


class Marathon(Scheduler):
    port, via, probe, patience = PORT, VIA, "/v2/info", 25

    def __init__(self, number, root, zk):
        place = Place(f"s{number}", NET + str(40 + number))
        super().__init__(place, root / f"marathon{number}.log",
                         [str(BIN / "dcos-marathon"), f"--master=zk://{zk}/mesos", f"--zk=zk://{zk}/marathon",
                          f"--zk_session_timeout={SESSION_MS}", f"--http_address={place.address}",
                          f"--hostname={place.address}", "--leader_proxy_read_timeout=20000"])

    @property
    def name(self):
        return f"{self.address}:{PORT}"


class Story:
    def __init__(self, cluster):
        self.cluster, self.apps, self.number = cluster, {}, 0
        self.marks = cluster.root / "marks"
        self.marks.mkdir()
        os.chmod(self.marks, 0o777)

    def begin(self):
        leader = eventually("a scheduler acts", self.cluster.acting, limit=60)
        standby = self.cluster.standbys(leader)[0]
        answer = standby.ask("POST", "/v2/apps", self.app("first"))
        assert answer.status == 201, answer
        eventually("its tasks run", lambda: len(self.running(leader)) == TASKS, limit=60)
        eventually("each has left its mark", lambda: len(self.started()) == TASKS, limit=20)
        self.tasks = self.started()
        return leader

    def app(self, word, instances=TASKS):
        return {"id": "/app", "cmd": f"echo $$ >> {self.marks}/$MESOS_TASK_ID; : {word}; exec sleep 100000", "cpus": 0.1, "mem": 16,
                "instances": instances, "user": "root",
                "upgradeStrategy": {"minimumHealthCapacity": 1, "maximumOverCapacity": 0.5}}

    def running(self, leader):
        answer = leader.ask("GET", "/v2/apps//app/tasks", headers={"Accept": "application/json"})
        return {task["id"] for task in answer.json()["tasks"] if task.get("state") == "TASK_RUNNING"}

    def started(self):
        """Task to the processes that were ever started for it."""
        return {mark.name: mark.read_text().split() for mark in self.marks.iterdir()}

    def change(self, leader):
        """One more app without tasks; acknowledged, it must be there for ever."""
        self.number += 1
        app = f"/kept{self.number}"
        answer = leader.ask("POST", "/v2/apps", {"id": app, "cmd": "true", "instances": 0, "labels": {"n": str(self.number)}})
        assert answer.status == 201, answer
        self.apps[app] = str(self.number)

    def check(self, leader):
        """Nothing acknowledged is lost, nothing began anew, and one framework has it all."""
        eventually("the scheduler is subscribed", lambda: self.one_framework(), limit=60)
        eventually("it knows its tasks", lambda: self.running(leader) == set(self.tasks), limit=60)
        assert self.started() == self.tasks, "a task was started again"
        for pids in self.tasks.values():
            os.kill(int(pids[0]), 0)
        found = {app["id"]: app["labels"].get("n") for app in leader.ask("GET", "/v2/apps").json()["apps"]}
        missing = {app: n for app, n in self.apps.items() if found.get(app) != n}
        assert not missing, f"acknowledged and lost: {missing}"
        eventually("no deployment is left", lambda: leader.ask("GET", "/v2/deployments").json() == [], limit=60)
        self.change(leader)
        return found

    def one_framework(self):
        master = self.cluster.leader()
        if not master:
            return False  # the masters elect theirs meanwhile
        snapshot = master.get("/metrics/snapshot").json()
        return snapshot["master/frameworks_active"] == 1 and snapshot["master/tasks_running"] == len(self.tasks)


def headers_of(answer, name):
    return [value for key, value in answer.all_headers if key.lower() == name.lower()]


def raw(marathon, method, path, headers=None):
    connection = http.client.HTTPConnection(marathon.address, PORT, timeout=20)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        answer.text = answer.read()
        answer.all_headers = answer.getheaders()
        return answer
    finally:
        connection.close()


def standbys_pass_on(story, leader):
    """Whoever is asked, the one that acts answers; the headers say by whom."""
    direct = raw(leader, "GET", "/v2/leader")
    assert json.loads(direct.text) == {"leader": leader.name} and headers_of(direct, VIA) == []
    assert headers_of(direct, LEADER_HEADER) == [f"http://{leader.name}"], direct.all_headers
    for standby in story.cluster.standbys(leader):
        answer = raw(standby, "GET", "/v2/leader")
        assert json.loads(answer.text) == {"leader": leader.name}, answer.text
        assert headers_of(answer, LEADER_HEADER) == [f"http://{leader.name}"], answer.all_headers
        assert headers_of(answer, VIA) == [f"1.1 {standby.name}"], answer.all_headers
        loop = raw(standby, "GET", "/v2/apps", {VIA: f"1.1 {standby.name}"})
        assert loop.status == 502 and b"Detected proxying loop." in loop.text, loop.text
        events = raw(standby, "GET", "/v2/events?event_type=x", {"Accept": "text/event-stream"})
        assert events.status == 302 and events.getheader("Location") == f"http://{leader.name}/v2/events?event_type=x"
        ping = raw(standby, "GET", "/ping")
        assert ping.text == b"pong" and headers_of(ping, VIA) == [], ping.text
        assert standby.ask("GET", "/v2/apps//nothing").status == 404
        story.change(standby)
    story.check(leader)


def stand_still(story, leader):
    """SIGSTOP past the session; what was sent to it meanwhile is not done when it wakes up."""
    process, exits = leader.process, len(leader.exits)
    os.kill(process.pid, signal.SIGSTOP)
    body = json.dumps({"id": "/late", "cmd": "true", "instances": 0}).encode()
    late = socket.create_connection((leader.address, PORT), timeout=10)
    late.sendall(b"POST /v2/apps HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    after = story.cluster.next_one(leader)
    story.change(after)
    os.kill(process.pid, signal.SIGCONT)
    eventually("the one that stood still ends", lambda: len(leader.exits) > exits, limit=30)
    assert leader.exits[exits] == 103, leader.exits
    late.settimeout(5)
    try:
        answer = late.recv(4096)
    except OSError:
        answer = b""
    late.close()
    assert not answer.startswith(b"HTTP/1.1 2"), f"a scheduler that leads no more acknowledged a change: {answer!r}"
    assert "/late" not in story.check(after)
    return after


def cut_from_zookeeper(story, leader):
    """It must stop before another begins."""
    exits = len(leader.exits)
    leader.place.cut(ZK_IPS)
    both, after = False, None
    deadline = time.monotonic() + 60
    while after is None and time.monotonic() < deadline:
        old = leader.acts()
        after = story.cluster.acting(but=leader)
        both |= bool(after and old and leader.acts())
    assert after, "nobody acts"
    assert not both, "two schedulers acted at once"
    eventually("the one that was cut off ends", lambda: len(leader.exits) > exits, limit=30)
    story.check(after)
    leader.place.heal(ZK_IPS)
    return after


def lose_a_zookeeper_server(story, leader):
    """A hiccup: the same one goes on acting, in the same process."""
    ensemble, exits = story.cluster.ensemble, len(leader.exits)
    # Those that follow: the loss of the leading server stops all of ZooKeeper for a while.
    for number in [n for n in range(3) if "Mode: follower" in ensemble.ask(n, "srvr")]:
        ensemble.kill(number)
        for _ in range(3):
            time.sleep(1)
            assert eventually("a scheduler acts", story.cluster.acting, limit=60) is leader
            story.change(leader)
        ensemble.start(number)
        eventually("it serves again", lambda: ensemble.serves(number), limit=90)
    assert len(leader.exits) == exits, leader.exits
    story.check(leader)


def restart_zookeeper(story, leader):
    """All of its servers at once, for longer than a session: nobody acts meanwhile, and nothing is lost."""
    for number in range(3):
        story.cluster.ensemble.kill(number)
    eventually("nobody acts", lambda: not story.cluster.acting(), limit=60)

    def said():
        # Whoever was known to lead is asked for a session's time yet (502); then nobody is known.
        answer = story.cluster.schedulers[0].ask("GET", "/v2/apps")
        assert answer.status in (502, 503), answer
        return answer.status == 503 and answer.json()["message"] == "Could not determine the current leader"
    eventually("it is said that nobody leads", said, limit=60)
    for number in range(3):
        story.cluster.ensemble.start(number)
    after = eventually("a scheduler acts", story.cluster.acting, limit=120)
    story.check(after)
    return after


def lose_a_master(story, leader):
    """The scheduler stays where it is and finds the next master."""
    old = story.cluster.leader()
    os.kill(old.process.pid, signal.SIGKILL)
    story.cluster.new_leader(old)
    story.check(leader)
    assert leader.acts()


def change_while_it_dies(story, leader):
    """A rolling replacement is taken over by the next one, and never runs less than it promised."""
    answer = leader.ask("PUT", "/v2/apps//app", story.app("second"))
    assert answer.status == 200, answer
    os.kill(leader.process.pid, signal.SIGKILL)
    least = TASKS
    old = set(story.tasks)

    def replaced():
        nonlocal least
        alive = 0
        for pids in story.started().values():
            try:
                os.kill(int(pids[0]), 0)
                alive += 1
            except ProcessLookupError:
                pass
        least = min(least, alive)
        after = story.cluster.acting(but=leader)
        running = story.running(after) if after else set()
        return after if len(running) == TASKS and not running & old else None
    after = eventually("all tasks are of the new version", replaced, limit=120)
    assert least >= TASKS, f"only {least} of {TASKS} tasks ran at one moment"
    running = story.running(after)
    everything = story.started()
    for task in set(everything) - running:
        (story.marks / task).unlink()
    story.tasks = story.started()
    assert set(story.tasks) == running and all(len(pids) == 1 for pids in story.tasks.values()), everything
    story.check(after)
    return after


def abdicate(story, leader):
    """DELETE /v2/leader, sent to a standby."""
    exits = len(leader.exits)
    answer = story.cluster.standbys(leader)[0].ask("DELETE", "/v2/leader")
    assert answer.status == 200 and answer.json() == {"message": "Leadership abdicated"}, answer
    eventually("it ends", lambda: len(leader.exits) > exits, limit=30)
    assert leader.exits[exits] == 103, leader.exits
    after = eventually("a scheduler acts", story.cluster.acting, limit=60)
    story.check(after)
    return after


def inside():
    with Cluster(Marathon) as cluster:
        ha.tell("system/marathon_ha", Story(cluster),
                [standbys_pass_on, kill, stand_still, cut_from_zookeeper, lose_a_zookeeper_server, lose_a_master,
                 change_while_it_dies, abdicate, restart_zookeeper, ask_to_stop])


if __name__ == "__main__":
    sys.exit(ha.main("system/marathon_ha", __file__, inside))
