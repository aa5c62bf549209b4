"""A small scheduler in JSON, for tests: keeps N tasks running, finds the leading master by redirects, comes back with its id."""

import http.client
import json
import threading
import time


class Scheduler:
    """`masters`: host:port, tried in turn. Each task runs `command(task_id)`."""

    def __init__(self, masters, tasks, command, name="test", answer_offers=True):
        self.masters, self.wanted, self.command, self.name = list(masters), tasks, command, name
        self.answer_offers = answer_offers  # False: they are kept
        self.capabilities = ["MULTI_ROLE", "PARTITION_AWARE"]
        self.user = "root"
        self.roles = ["*"]
        self.framework_id = None
        self.launched, self.states, self.history = set(), {}, []
        self.subscriptions = 0
        self.offers_at = []        # when offers came, with the subscription's number
        self.errors = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def task_id(self, number):
        return f"{self.name}-{number}"

    def running(self):
        return {task for task, state in list(self.states.items()) if state == "TASK_RUNNING"}

    def close(self):
        self.stop.set()

    # The thread ----------------------------------------------------------------------------------------------------

    def _run(self):
        turn = 0
        while not self.stop.is_set():
            try:
                self._subscribe(self.masters[turn % len(self.masters)])
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.history.append(f"lost: {error!r}")
            turn += 1
            self.stop.wait(0.1)

    def _subscribe(self, master, hops=0):
        info = {"user": self.user, "name": self.name, "failover_timeout": 3600.0, "checkpoint": True, "roles": self.roles,
                "capabilities": [{"type": name} for name in self.capabilities]}
        call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
        if self.framework_id:
            info["id"] = call["framework_id"] = {"value": self.framework_id}
        host, port = master.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=20)  # heartbeats come every 15 s
        connection.request("POST", "/api/v1/scheduler", json.dumps(call),
                           {"Content-Type": "application/json", "Accept": "application/json"})
        answer = connection.getresponse()
        if answer.status == 307 and hops < 5:
            return self._subscribe(answer.getheader("Location").lstrip("/").split("/")[0], hops + 1)
        if answer.status != 200:
            raise OSError(f"{master} answers {answer.status}")
        self.master, self.stream_id = master, answer.getheader("Mesos-Stream-Id")
        self.subscriptions += 1
        while not self.stop.is_set():
            size = b""
            while not size.endswith(b"\n"):
                byte = answer.read(1)
                if not byte:
                    raise OSError("the stream ended")
                size += byte
            record = b""
            while len(record) < int(size):
                record += answer.read(int(size) - len(record)) or self._ended()
            self._on(json.loads(record))

    def _ended(self):
        raise OSError("the stream ended")

    def _call(self, call):
        call["framework_id"] = {"value": self.framework_id}
        host, port = self.master.rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("POST", "/api/v1/scheduler", json.dumps(call),
                           {"Content-Type": "application/json", "Mesos-Stream-Id": self.stream_id})
        status = connection.getresponse().status
        connection.close()
        if status != 202:
            raise OSError(f"{call['type']} was answered by {status}")

    def _on(self, event):
        kind = event["type"]
        if kind == "SUBSCRIBED":
            self.framework_id = event["subscribed"]["framework_id"]["value"]
            self._call({"type": "RECONCILE", "reconcile": {"tasks": []}})
        elif kind == "OFFERS":
            self.offers_at.append((time.monotonic(), self.subscriptions))
            for offer in event["offers"]["offers"] if self.answer_offers else []:
                self._use(offer)
        elif kind == "UPDATE":
            status = event["update"]["status"]
            task = status["task_id"]["value"]
            self.states[task] = status["state"]
            self.history.append(f"{task} {status['state']} {status.get('message', '')}")
            if status.get("uuid"):
                self._call({"type": "ACKNOWLEDGE", "acknowledge": {
                    "agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"]}})
        elif kind == "ERROR":
            self.errors.append(event["error"]["message"])
            self.stop.set()

    def _use(self, offer):
        scalars = {r["name"]: r["scalar"]["value"] for r in offer["resources"] if "scalar" in r}
        tasks = []
        while len(self.launched) < self.wanted and len(tasks) < 2 and scalars.get("cpus", 0) >= 0.1 and scalars.get("mem", 0) >= 16:
            scalars["cpus"] -= 0.1
            scalars["mem"] -= 16
            task = self.task_id(len(self.launched))
            self.launched.add(task)
            tasks.append({"name": task, "task_id": {"value": task}, "agent_id": offer["agent_id"],
                          "command": {"value": self.command(task)}, "resources": [
                              {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
                              {"name": "mem", "type": "SCALAR", "scalar": {"value": 16}}]})
        call = {"type": "ACCEPT", "accept": {
            "offer_ids": [offer["id"]], "filters": {"refuse_seconds": 1.0},
            "operations": [{"type": "LAUNCH", "launch": {"task_infos": tasks}}] if tasks else []}}
        self._call(call)
