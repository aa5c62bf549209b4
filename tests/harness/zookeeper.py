"""ZooKeeper servers of a test's own: Debian's package, on addresses, ports and directories of their own."""

import os
import signal
import socket
import subprocess
from pathlib import Path

from harness.cluster import eventually

JAR = Path("/usr/share/java/zookeeper.jar")


def available():
    return JAR.exists()


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
