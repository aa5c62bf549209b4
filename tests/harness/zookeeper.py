"""ZooKeeper servers of a test's own: Debian's package, on addresses, ports and directories of their own."""

import os
import signal
import socket
import struct
import subprocess
from pathlib import Path

from harness.cluster import eventually

JAR = Path("/usr/share/java/zookeeper.jar")


def available():
    return JAR.exists()


class Writer:
    """One session that makes nodes: as much of ZooKeeper's protocol as a test needs to leave something there, and to look at it."""

    CREATE, REMOVE, GET, CHILDREN, CLOSE = 1, 2, 4, 8, -11
    EVERYBODY = struct.pack(">ii", 1, 31) + struct.pack(">i", 5) + b"world" + struct.pack(">i", 6) + b"anyone"

    def __init__(self, address, port):
        self.connection, self.number = socket.create_connection((address, port), timeout=10), 0
        self._send(struct.pack(">iqiq", 0, 0, 30000, 0) + self._text(bytes(16)))
        self._receive()

    def create(self, path, data=b""):
        self._call(self.CREATE, self._text(path.encode()) + self._text(data) + self.EVERYBODY + struct.pack(">i", 0))

    def remove(self, path):
        self._call(self.REMOVE, self._text(path.encode()) + struct.pack(">i", -1))

    def tree(self, path):
        """Everything from the node on, with its data."""
        answer = self._call(self.GET, self._text(path.encode()) + b"\0")
        length = struct.unpack(">i", answer[:4])[0]
        found = {path: answer[4:4 + max(length, 0)]}
        answer = self._call(self.CHILDREN, self._text(path.encode()) + b"\0")
        count, answer = struct.unpack(">i", answer[:4])[0], answer[4:]
        for _ in range(count):
            length = struct.unpack(">i", answer[:4])[0]
            found |= self.tree(f"{path}/{answer[4:4 + length].decode()}")
            answer = answer[4 + length:]
        return found

    def close(self):
        self._call(self.CLOSE, b"")
        self.connection.close()

    @staticmethod
    def _text(data):
        return struct.pack(">i", len(data)) + data

    def _send(self, request):
        self.connection.sendall(self._text(request))

    def _receive(self):
        (length,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(length)

    def _exactly(self, length):
        data = b""
        while len(data) < length:
            piece = self.connection.recv(length - len(data))
            if not piece:
                raise OSError("ZooKeeper ended the connection")
            data += piece
        return data

    def _call(self, kind, body):
        self.number += 1
        self._send(struct.pack(">ii", self.number, kind) + body)
        answer = self._receive()
        number, _, error = struct.unpack(">iqi", answer[:16])
        assert number == self.number and error == 0, f"call {kind} was answered by {error}"
        return answer[16:]


class Ensemble:
    """`places`: for each server an (address, command prefix) pair, such as ["nsenter", ...] to run it elsewhere."""

    def __init__(self, root, places, tick_ms=500, client_port=2181):
        self.root, self.places, self.port = Path(root), places, client_port
        self.processes = [None] * len(places)
        for number, (address, _) in enumerate(places, 1):
            home = self.root / f"zk{number}"
            (home / "data").mkdir(parents=True)
            (home / "data" / "myid").write_text(str(number))
            lines = [f"tickTime={tick_ms}", "initLimit=20", "syncLimit=8", f"dataDir={home}/data", f"clientPort={client_port}",
                     f"clientPortAddress={address}", "admin.enableServer=false", "4lw.commands.whitelist=ruok,srvr",
                     "maxClientCnxns=0", "electionPortBindRetry=0"]
            if len(places) > 1:
                lines += [f"server.{i}={peer}:2888:3888" for i, (peer, _) in enumerate(places, 1)]
            (home / "zoo.cfg").write_text("\n".join(lines) + "\n")
            (home / "log4j.properties").write_text(
                "log4j.rootLogger=WARN, CONSOLE\nlog4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender\n"
                "log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout\n"
                "log4j.appender.CONSOLE.layout.ConversionPattern=%d{ISO8601} %p %c{1} %m%n\n")

    @property
    def servers(self):
        return ",".join(f"{address}:{self.port}" for address, _ in self.places)

    def start(self, number):
        home = self.root / f"zk{number + 1}"
        log = open(home / "server.log", "ab")
        self.processes[number] = subprocess.Popen(
            [*self.places[number][1], "java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
             "-Dzookeeper.jmx.log4j.disable=true", "-cp", f"{home}:{JAR}",
             "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(home / "zoo.cfg")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ask(self, number, word):
        with socket.create_connection((self.places[number][0], self.port), timeout=2) as connection:
            connection.sendall(word.encode())
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
        return answer.decode()

    def serves(self, number):
        return "Mode:" in self.ask(number, "srvr")

    def __enter__(self):
        for number in range(len(self.places)):
            self.start(number)
        try:
            for number in range(len(self.places)):
                eventually(f"ZooKeeper server {number + 1} serves", lambda: self.serves(number), limit=90)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def kill(self, number):
        process = self.processes[number]
        if process and process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def __exit__(self, kind, value, trace):
        for number in range(len(self.places)):
            self.kill(number)
