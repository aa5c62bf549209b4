#!/usr/bin/env python3
"""Three schedulers with Metronome's API on a real ZooKeeper ensemble: the one that acts is killed, stands still, is told to stop.

The story is that of chronos_ha.py, told over the other API.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import chronos_ha  # noqa: E402
import ha  # noqa: E402
from chronos_ha import stand_still  # noqa: E402
from ha import NET, Place, ask_to_stop, kill  # noqa: E402
from harness.cluster import BIN  # noqa: E402
from several_schedulers import Cluster, Scheduler  # noqa: E402

PORT = 9000


class Metronome(Scheduler):
    port, via, probe, patience = PORT, "X-VIA", "/v1/jobs", 15

    def __init__(self, number, root, zk):
        place = Place(f"t{number}", NET + str(70 + number))
        super().__init__(place, root / f"metronome{number}.log",
                         [str(BIN / "dcos-metronome"), f"--master=zk://{zk}/mesos", f"--zk_url=zk://{zk}/metronome",
                          "--zk_session_timeout=4000", f"--http_address={place.address}", f"--hostname={place.address}"])


class Story(chronos_ha.Story):
    def add(self, scheduler, name, command):
        """A job that runs once, now."""
        job = {"id": name, "run": {"cmd": command, "user": "root", "cpus": 0.1, "mem": 32, "disk": 0}}
        answer = scheduler.ask("POST", "/v1/jobs", job)
        assert answer.status == 201, answer
        answer = scheduler.ask("POST", f"/v1/jobs/{name}/runs")
        assert answer.status == 201, answer
        self.jobs.append(name)

    def names(self, scheduler):
        return {job["id"] for job in scheduler.ask("GET", "/v1/jobs").json()}


def standbys_pass_on(story, leader):
    for standby in story.cluster.schedulers:
        if standby is leader:
            continue
        answer = standby.ask("GET", "/leader")
        assert answer.status == 200 and answer.json()["leader"] == f"{leader.address}:{PORT}", answer
        assert answer.headers["X-VIA"] == f"{standby.address}:{PORT}", answer.headers
        assert answer.headers["X-LEADER"] == f"{leader.address}:{PORT}", answer.headers
        assert standby.ask("GET", "/ping").body == b"pong"
        assert "gauges" in standby.ask("GET", "/v1/metrics").json()
    story.check(leader)


def inside():
    with Cluster(Metronome) as cluster:
        ha.tell("system/metronome_ha", Story(cluster), [standbys_pass_on, kill, stand_still, ask_to_stop])


if __name__ == "__main__":
    sys.exit(ha.main("system/metronome_ha", __file__, inside))
