#!/usr/bin/env python3
"""Three job schedulers on a real ZooKeeper ensemble: the one that acts is killed, stands still, is told to stop.

The cluster is that of ha.py; each scheduler has a network namespace of its own beside it.
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ha  # noqa: E402
from ha import NET, Place, ask_to_stop, kill  # noqa: E402
from harness.cluster import BIN, eventually  # noqa: E402
from several_schedulers import Cluster, Scheduler  # noqa: E402

PORT = 4400
VIA = "X-Chronos-Via"


class Chronos(Scheduler):
    port, via, probe, patience = PORT, VIA, "/v1/scheduler/jobs", 15

    def __init__(self, number, root, zk):
        place = Place(f"c{number}", NET + str(50 + number))
        super().__init__(place, root / f"chronos{number}.log",
                         [str(BIN / "dcos-chronos"), f"--master=zk://{zk}/mesos", f"--zk_hosts={zk}", "--zk_timeout=4000",
                          f"--http_address={place.address}", f"--hostname={place.address}"])


class Story:
    def __init__(self, cluster):
        self.cluster, self.jobs = cluster, []
        self.marks, self.done = cluster.root / "marks", cluster.root / "done"
        for folder in (self.marks, self.done):
            folder.mkdir()
            os.chmod(folder, 0o777)

    def begin(self):
        leader = eventually("a scheduler acts", self.cluster.acting, limit=60)
        standby = self.cluster.standbys(leader)[0]
        self.add(standby, "long", f"echo $$ >> {self.marks}/long; exec sleep 100000")
        eventually("the long one runs", lambda: (self.marks / "long").exists(), limit=60)
        return leader

    def add(self, scheduler, name, command):
        """A job that runs once, now."""
        answer = scheduler.ask("POST", "/v1/scheduler/iso8601", {"name": name, "command": command, "schedule": "R1//PT24H", "epsilon": "PT1H",
                                                                  "owner": "", "user": "root", "runAsUser": "root", "cpus": 0.1, "mem": 16, "disk": 0})
        assert answer.status == 204, answer
        self.jobs.append(name)

    def names(self, scheduler):
        return {job["name"] for job in scheduler.ask("GET", "/v1/scheduler/jobs").json()}

    def check(self, leader):
        """What was acknowledged is there, what runs goes on, and what is new is done once."""
        names = self.names(leader)
        assert set(self.jobs) <= names, (self.jobs, names)
        pids = (self.marks / "long").read_text().split()
        assert len(pids) == 1, "the long one was started again"
        os.kill(int(pids[0]), 0)
        name = f"short{len(self.jobs)}"
        self.add(leader, name, f"echo once >> {self.done}/{name}")
        eventually("the new one has run", lambda: (self.done / name).exists(), limit=60)
        for job in self.jobs:
            if job != "long":
                assert (self.done / job).read_text() == "once\n", job


def standbys_pass_on(story, leader):
    for standby in story.cluster.schedulers:
        if standby is leader:
            continue
        answer = standby.ask("GET", "/v1/scheduler/leader")
        assert answer.status == 200 and answer.json()["leader"] == f"{leader.address}:{PORT}", answer
        assert answer.headers[VIA] == f"1.1 {standby.address}:{PORT}", answer.headers
        assert standby.ask("GET", "/ping").status == 200
    story.check(leader)


def stand_still(story, leader):
    process, exits = leader.process, len(leader.exits)
    os.kill(process.pid, signal.SIGSTOP)
    after = story.cluster.next_one(leader)
    story.check(after)
    os.kill(process.pid, signal.SIGCONT)
    eventually("the one that stood still ends", lambda: len(leader.exits) > exits, limit=30)
    assert leader.exits[exits] == 103, leader.exits
    story.check(after)
    return after


def inside():
    with Cluster(Chronos) as cluster:
        ha.tell("system/chronos_ha", Story(cluster), [standbys_pass_on, kill, stand_still, ask_to_stop])


if __name__ == "__main__":
    sys.exit(ha.main("system/chronos_ha", __file__, inside))
