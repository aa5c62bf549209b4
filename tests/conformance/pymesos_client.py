"""A scheduler on pymesos, unmodified: runs N tasks to the end and survives a disconnect. Run by clients.py.

usage: pymesos_client.py MASTER TASKS    prints DISCONNECT-ME when half are done, then OK
"""

import sys
import threading
import time
import uuid

from addict import Dict
from pymesos import MesosSchedulerDriver, Scheduler

MASTER, WANTED = sys.argv[1], int(sys.argv[2])


class HundredTasks(Scheduler):
    def __init__(self):
        self.launched, self.finished, self.ids, self.wrong = {}, set(), [], []
        self.registrations = 0
        self.done = threading.Event()
        self.half = threading.Event()

    def registered(self, driver, framework_id, master_info):
        self.registrations += 1
        self.ids.append(framework_id.value)

    def reregistered(self, driver, master_info):
        self.registrations += 1

    def resourceOffers(self, driver, offers):
        for offer in offers:
            cpus = sum(r.scalar.value for r in offer.resources if r.name == "cpus")
            mem = sum(r.scalar.value for r in offer.resources if r.name == "mem")
            tasks = []
            while cpus >= 0.1 and mem >= 32 and len(self.launched) < WANTED and len(tasks) < 10:
                task = Dict()
                task.task_id.value = str(uuid.uuid4())
                task.agent_id.value = offer.agent_id.value
                task.name = "task"
                task.command.value = "exit 0"
                task.resources = [dict(name="cpus", type="SCALAR", scalar={"value": 0.1}), dict(name="mem", type="SCALAR", scalar={"value": 32})]
                self.launched[task.task_id.value] = None
                tasks.append(task)
                cpus, mem = cpus - 0.1, mem - 32
            filters = Dict(refuse_seconds=0.2)
            if tasks:
                driver.launchTasks(offer.id, tasks, filters)
            else:
                driver.declineOffer(offer.id, filters)

    def statusUpdate(self, driver, update):
        id, state = update.task_id.value, update.state
        if state in ("TASK_LOST", "TASK_DROPPED") and id in self.launched:
            del self.launched[id]  # lost on the way to the master that went away: launch another
            return
        if state in ("TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_GONE"):
            self.wrong.append((id, state, update.get("message")))
            self.done.set()
        if state == "TASK_FINISHED" and id in self.launched:
            self.finished.add(id)
            if len(self.finished) >= WANTED / 2:
                self.half.set()
            if len(self.finished) == WANTED:
                self.done.set()

    def reconcile(self, driver):
        driver.reconcileTasks([dict(task_id=dict(value=id)) for id in self.launched if id not in self.finished])


def main():
    framework = Dict()
    framework.user = "root"
    framework.name = "pymesos conformance"
    framework.failover_timeout = 600
    scheduler = HundredTasks()
    driver = MesosSchedulerDriver(scheduler, framework, MASTER, use_addict=True)
    driver.start()
    assert scheduler.half.wait(120), f"only {len(scheduler.finished)} of {WANTED} finished"
    print("DISCONNECT-ME", flush=True)
    deadline = time.monotonic() + 120
    while not scheduler.done.wait(2):
        assert time.monotonic() < deadline, f"{len(scheduler.finished)} of {WANTED} finished, {scheduler.registrations} registrations"
        if driver.connected:
            scheduler.reconcile(driver)
    assert not scheduler.wrong, scheduler.wrong
    assert scheduler.registrations >= 2, "the disconnect was not noticed"
    assert len(set(scheduler.ids)) <= 1, f"the framework's id changed: {scheduler.ids}"
    driver.stop()
    driver.join()
    print("OK", flush=True)


main()
