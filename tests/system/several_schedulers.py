"""What the suites of schedulers that take over from each other share: the cluster of ha.py with three of them beside it."""

import http.client

import ha
from ha import Supervised
from harness.cluster import call, eventually


class Scheduler(Supervised):
    """Set in a class of one product: `port`, `via` (the header of an answer that another one gave), `probe` (a path),
    `patience` (seconds for an answer)."""

    def ask(self, method, path, body=None, headers=None, timeout=None):
        return call(self.port, method, path, body, headers, host=self.address, timeout=timeout or self.patience)

    def acts(self):
        """Answers itself, and not by another."""
        try:
            answer = self.ask("GET", self.probe, timeout=0.5)
            return answer.status == 200 and self.via not in answer.headers
        except (OSError, http.client.HTTPException):
            return False


class Cluster(ha.Cluster):
    """`make(number, root, zk)` gives a Scheduler."""

    def __init__(self, make):
        self.make, self.schedulers = make, []

    def _enter(self):
        super()._enter()
        self.schedulers = [self.make(number, self.root, self.ensemble.servers) for number in (1, 2, 3)]
        return self

    def __exit__(self, kind, value, trace):
        for scheduler in self.schedulers:
            scheduler.close()
        super().__exit__(kind, value, trace)

    def acting(self, but=None):
        return next((s for s in self.schedulers if s is not but and s.acts()), None)

    def standbys(self, leader):
        return [s for s in self.schedulers if s is not leader]

    def next_one(self, old):
        return eventually("another scheduler acts", lambda: self.acting(but=old), limit=60)
