#!/usr/bin/env python3
"""Names of what runs, on a real cluster: they follow tasks, outlive masters, survive floods and garbage; others' names are
asked for; virtual addresses come from a scripted l4lb."""

import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import dns, results  # noqa: E402
from harness.cluster import BIN, Cluster, call, eventually  # noqa: E402
from harness.ports import free_port  # noqa: E402


def server_of(cluster):
    return (f"127.53.{cluster.offset // 250}.{cluster.offset % 250 + 1}", 53)


def get(cluster, path):
    return call(cluster.port("dns"), "GET", path).json()


def app(name, **more):
    return {"id": name, "cmd": "sleep 100000", "cpus": 0.01, "mem": 16, **more}


def sandbox_text(cluster, task, file):
    """A file of the task's sandbox, by way of the agent that ran it."""
    for name in ("agent-1", "agent-2"):
        state = call(cluster.port(name), "GET", "/state").json()
        for framework in state["frameworks"] + state["completed_frameworks"]:
            for executor in framework["executors"] + framework["completed_executors"]:
                if executor["id"] == task:
                    path = f"{executor['directory']}/{file}"
                    answer = call(cluster.port(name), "GET", f"/files/download?path={path}")
                    return answer.body.decode() if answer.status == 200 else None
    return None


def follows_tasks():
    """A task has its names while it runs, in every form; the HTTP API shows the same."""
    with Cluster() as cluster:
        server = server_of(cluster)
        assert dns.ask(server, "web.marathon.mesos").rcode == dns.NXDOMAIN
        cluster.add_app(app("/prod/web", instances=2, portDefinitions=[{"port": 0, "name": "http", "protocol": "tcp"}]))
        name = "web-prod.marathon.mesos"
        eventually("the app's name answers", lambda: dns.ask(server, name).values() == ["127.0.0.1"])
        ports = sorted(port for task in cluster.tasks("/prod/web").values() for port in task["ports"])
        services = eventually("both instances have a service record",
                              lambda: len(found := dns.ask(server, f"_{name.replace('.marathon', '._tcp.marathon')}",
                                                           dns.SRV).values()) == 2 and found)
        assert sorted(port for _, port in services) == ports, (services, ports)
        for target, _ in services:
            assert dns.ask(server, target).values() == ["127.0.0.1"], target
        assert len(dns.ask(server, f"_http._{name.replace('.marathon', '._tcp.marathon')}", dns.SRV).values()) == 2
        for other in ("web-prod.marathon.agentip.dcos.thisdcos.directory", "web-prod.marathon.mesos.thisdcos.directory",
                      "marathon.mesos", "leader.mesos", "master.mesos", "slave.mesos", "LEADER.MESOS", "leader.*.mesos"):
            assert dns.ask(server, other).values() == ["127.0.0.1"], other
        assert dns.ask(server, name, tcp=True).values() == ["127.0.0.1"]
        assert dns.ask(server, name, dns.AAAA).rcode == dns.NOERROR
        assert dns.ask(server, "_leader._tcp.mesos", dns.SRV).values() == [("leader.mesos", cluster.port("master"))]

        assert get(cluster, f"/v1/hosts/{name}") == [{"host": name + ".", "ip": "127.0.0.1"}]
        assert get(cluster, "/v1/hosts/nothing.mesos") == [{"host": "", "ip": ""}]
        listed = get(cluster, "/v1/services/_web-prod._tcp.Marathon.mesos")
        assert sorted(int(entry["port"]) for entry in listed) == ports
        assert all(entry["service"] == "_web-prod._tcp.Marathon.mesos" and entry["ip"] == "127.0.0.1" for entry in listed)
        assert get(cluster, "/v1/services/_x._tcp.mesos") == [{"service": "", "host": "", "ip": "", "port": ""}]
        transfer = get(cluster, "/v1/axfr")
        assert transfer["Records"]["As"][name + "."] == ["127.0.0.1"] and transfer["Domain"] == "mesos"
        frameworks = {entry["name"]: entry["tasks"] for entry in get(cluster, "/v1/enumerate")["frameworks"]}
        own = [task for task in frameworks["marathon"] if task["name"] == "web.prod"]
        assert {task["id"] for task in own} == set(cluster.tasks("/prod/web")), [task["id"] for task in own]
        shown = [record for task in own for record in task["records"] if record["name"] == name + "."]
        assert shown == [{"name": name + ".", "host": "127.0.0.1", "rtype": "A"}], "once, under the first"
        version = get(cluster, "/v1/version")
        assert version["Service"] == "Mesos-DNS"
        assert call(cluster.port("gateway"), "GET", f"/mesos_dns/v1/hosts/{name}").json()[0]["ip"] == "127.0.0.1"

        cluster.marathon("DELETE", "/v2/apps/prod/web?force=true")
        eventually("the name is gone", lambda: dns.ask(server, name).rcode == dns.NXDOMAIN)


def tasks_resolve_names():
    """A task finds another by name through its own resolv.conf; the machine's own file is not touched."""
    with Cluster() as cluster:
        own = Path("/etc/resolv.conf").read_bytes()
        cluster.add_app(app("/target"))
        eventually("its name answers", lambda: dns.ask(server_of(cluster), "target.marathon.mesos").values())
        cluster.add_app(app("/asker", cmd="getent ahostsv4 target.marathon.mesos >found; cat /etc/resolv.conf >resolv; sleep 100000"))
        task = next(iter(cluster.running("/asker")))
        found = eventually("the task found it", lambda: sandbox_text(cluster, task, "found"))
        assert found.split()[0] == "127.0.0.1", found
        assert f"nameserver {server_of(cluster)[0]}" in eventually("resolv", lambda: sandbox_text(cluster, task, "resolv"))
        assert Path("/etc/resolv.conf").read_bytes() == own


def outlives_the_master():
    """kill -9 of the master: every question gets the same answer, before, meanwhile and after."""
    with Cluster() as cluster:
        server = server_of(cluster)
        cluster.add_app(app("/steady", instances=3, portDefinitions=[{"port": 0}]))
        service = "_steady._tcp.marathon.mesos"
        before = eventually("all have a record", lambda: len(found := dns.ask(server, service, dns.SRV).values()) == 3 and found)
        wrong, asked, stop = [], [0], threading.Event()

        def keep_asking():
            while not stop.is_set():
                reply = dns.ask(server, service, dns.SRV)
                asked[0] += 1
                if reply.rcode != dns.NOERROR or reply.values() != before:
                    wrong.append((asked[0], reply.rcode, reply.values()))
                if dns.ask(server, "leader.mesos").values() != ["127.0.0.1"]:
                    wrong.append("leader")
                time.sleep(0.005)

        thread = threading.Thread(target=keep_asking)
        thread.start()
        try:
            for _ in range(2):
                pid = cluster.daemon("master")["pid"]
                os.kill(pid, signal.SIGKILL)
                eventually("the master is restarted", lambda: cluster.daemon("master")["pid"] not in (0, pid))
                eventually("all healthy", cluster.healthy, limit=60)
                eventually("dns follows again", lambda: call(cluster.port("dns"), "GET", "/metrics").body.find(
                    b"dns_cluster_subscribed 1") >= 0, limit=60)
                time.sleep(7)  # past the moment in which tasks that did not come back are dropped
        finally:
            stop.set()
            thread.join()
        assert not wrong, wrong[:5]
        assert asked[0] > 200, asked
        # What changed while nobody listened is seen after the next snapshot.
        cluster.marathon("DELETE", "/v2/apps/steady?force=true")
        eventually("the name is gone", lambda: dns.ask(server, "steady.marathon.mesos").rcode == dns.NXDOMAIN)


def flood_and_garbage():
    """One sender floods, another gets its answers; garbage over UDP and TCP ends nothing."""
    with Cluster() as cluster:
        server = server_of(cluster)
        pid = cluster.daemon("dns")["pid"]
        stop = threading.Event()

        def flood():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind(("127.9.9.9", 0))
                sender.connect(server)
                sender.setblocking(False)
                query = dns.make_query("leader.mesos", dns.A)
                while not stop.is_set():
                    for _ in range(200):
                        try:
                            sender.send(query)
                        except OSError:
                            pass

        threads = [threading.Thread(target=flood) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            limited = eventually("the flood is limited", lambda: metric(cluster, "dns_udp_rate_limited") > 1000)
            assert limited
            for _ in range(100):
                def answered():
                    return dns.ask(server, "leader.mesos", timeout=1, source="127.8.8.8").values() == ["127.0.0.1"]
                eventually("an answer, as a resolver would get it: in three tries", answered, limit=3)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

        rng = random.Random(7)
        good = dns.make_query("leader.mesos", dns.ANY, edns=1232)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(2000):
                data = bytearray(good)
                for _ in range(rng.randrange(1, 6)):
                    data[rng.randrange(len(data))] = rng.randrange(256)
                sender.sendto(bytes(data[:rng.randrange(len(data) + 1)]), server)
            sender.sendto(b"\xc0\x0c" * 700, server)
            sender.sendto(good[:12] + (b"\x3f" + b"a" * 63) * 60, server)
        for piece in (b"", b"\0", b"\0\0", b"\xff\xff" + b"x" * 70000, dns.frame(b"y" * 500), dns.frame(good)[:-3]):
            with socket.create_connection(server, timeout=5) as connection:
                try:
                    connection.sendall(piece)
                except OSError:
                    pass
        with socket.create_connection(server, timeout=5) as connection:  # many questions at once
            ids = list(range(50))
            connection.sendall(b"".join(dns.frame(dns.make_query("leader.mesos", dns.A, id=i)) for i in ids))
            assert sorted(dns.parse(dns.receive_tcp(connection)).id for _ in ids) == ids
        eventually("it answers", lambda: dns.ask(server, "leader.mesos").values() == ["127.0.0.1"])
        assert cluster.daemon("dns")["pid"] == pid, "the daemon died"


def metric(cluster, name):
    for line in call(cluster.port("dns"), "GET", "/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise KeyError(name)


# Without a cluster: one daemon with a configuration file --------------------------------------------------------------

class Alone:
    """with Alone(resolvers=[...]) as server: a dcos-dns whose master does not answer."""

    def __init__(self, **config):
        self.directory = tempfile.TemporaryDirectory(prefix="dcos-dns-")
        self.address = f"127.54.{random.randrange(250)}.{random.randrange(1, 250)}"
        self.http = free_port()
        self.config = {"masters": ["127.0.0.1:1"], "listener": self.address, "port": 53, "httplistener": "127.0.0.1",
                       "httpport": self.http, "timeout": 1, "email": "root.example", **config}

    def __enter__(self):
        path = Path(self.directory.name, "config.json")
        path.write_text(json.dumps(self.config))
        self.process = subprocess.Popen([BIN / "dcos-dns", f"-config={path}", "-v=1"], stderr=subprocess.DEVNULL)
        eventually("it answers", lambda: dns.ask((self.address, 53), "localhost", timeout=0.5).values() == ["127.0.0.1"])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(timeout=10) == 0
        self.directory.cleanup()

    def ask(self, name, kind=dns.A, **options):
        return dns.ask((self.address, 53), name, kind, **options)


class Upstream:
    """A scripted resolver on UDP and TCP: keeps what it was asked, answers by `answer(query, tcp)` (None: silence)."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port = free_port()
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        self.name = f"127.0.0.1:{self.port}"
        for loop in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=loop, daemon=True).start()

    def serve_udp(self):
        while True:
            try:
                query, peer = self.udp.recvfrom(65535)
            except OSError:
                return
            self.asked.append(query)
            if (reply := self.answer(query, False)) is not None:
                self.udp.sendto(reply, peer)

    def serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection:
                query = dns.receive_tcp(connection)
                self.asked.append(query)
                if (reply := self.answer(query, True)) is not None:
                    connection.sendall(dns.frame(reply))

    def close(self):
        self.udp.close()
        self.tcp.close()


def with_records(query, addresses, ttl=30, flags=0x8180):
    end = dns.read_name(query, 12)[1] + 4
    records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, ttl, 4) + socket.inet_aton(a) for a in addresses)
    return query[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0) + query[12:end] + records


def asks_others():
    """Other names: the request's own bytes, over its transport, to each resolver in turn; answers are kept."""
    silent = Upstream(lambda query, tcp: None)
    general = Upstream(lambda query, tcp: with_records(query, ["192.0.2.1"] if not tcp else ["192.0.2.2"]))
    zone = Upstream(lambda query, tcp: with_records(query, [f"192.0.3.{i}" for i in range(60)]))
    forged = Upstream(lambda query, tcp: with_records(bytes([query[0] ^ 1]) + query[1:], ["6.6.6.6"]))
    try:
        with Alone(resolvers=[silent.name, general.name], zoneResolvers={"corp": [zone.name], "bad": [forged.name]}) as server:
            query = dns.make_query("WWW.Example.com", dns.A, edns=4096) + b""
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
                asker.settimeout(5)
                asker.connect((server.address, 53))
                asker.send(query)
                reply = dns.parse(asker.recv(65535))
            assert reply.values() == ["192.0.2.1"] and reply.answer[0][0] == "WWW.Example.com"
            assert silent.asked == [query] and general.asked == [query], "not the request's own bytes"
            for _ in range(3):
                assert server.ask("www.example.com", edns=4096).values() == ["192.0.2.1"]
            assert len(general.asked) == 1, "a kept answer was asked for again"
            assert server.ask("www.example.org", tcp=True).values() == ["192.0.2.2"], "not over the client's transport"
            cut = server.ask("app.corp")
            assert cut.truncated and not cut.answer and len(cut.raw) <= 512
            assert len(server.ask("app.corp", edns=4096).values()) == 60
            assert server.ask("x.bad", timeout=5).rcode == dns.SERVFAIL, "an answer with another id was believed"
            assert server.ask("web.marathon.mesos").rcode == dns.SERVFAIL, "no state yet: neither given nor denied"
            config = call(server.http, "GET", "/v1/config").json()
            assert config["Resolvers"] == [silent.name, general.name] and config["Domain"] == "mesos"
            assert call(server.http, "GET", "/health").status == 503
            assert call(server.http, "GET", "/v1/hosts/x.mesos/ports").status == 501
        with Alone(externalon=False, EnumerationOn=False) as server:
            assert server.ask("www.example.com").rcode == dns.REFUSED
            assert call(server.http, "GET", "/v1/axfr").status == 404
        bad = subprocess.run([BIN / "dcos-dns", "-masters=a:1", "-ip_sources=moon"], capture_output=True, text=True)
        assert bad.returncode != 0 and "IPSources" in bad.stderr, bad.stderr
    finally:
        for upstream in (silent, general, zone, forged):
            upstream.close()


class Vips:
    """A scripted l4lb: /v1/watch sends a snapshot and then what say() is told."""

    def __init__(self, records):
        self.records, self.streams = records, []
        vips = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/v1/watch" else 404)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                self.wfile.write(f"event: snapshot\ndata: {json.dumps(vips.records)}\n\n".encode())
                done = threading.Event()
                vips.streams.append((self.wfile, done, self.connection))
                done.wait()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def say(self, **delta):
        for stream, _, _ in self.streams:
            stream.write(f": comment\n\nevent: delta\ndata: {json.dumps(delta)}\n\n".encode())
            stream.flush()

    def cut(self):
        streams, self.streams = self.streams, []
        for _, done, connection in streams:
            connection.shutdown(socket.SHUT_RDWR)
            done.set()

    def close(self):
        self.cut()
        self.server.shutdown()
        self.server.server_close()


def serves_virtual_addresses():
    """The l4lb domain follows l4lb's stream; a stream that is cut blanks nothing."""
    def record(name, host):
        return {"name": f"{name}.marathon.l4lb.thisdcos.directory", "host": host,
                "rtype": "AAAA" if ":" in host else "A"}

    vips = Vips([record("web", "11.0.0.1"), record("web", "fd01:c::1")])
    try:
        with Alone(l4lb=vips.url) as server:
            web, api = (f"{name}.marathon.l4lb.thisdcos.directory" for name in ("web", "api"))
            eventually("the snapshot is served", lambda: server.ask(web).values() == ["11.0.0.1"])
            assert server.ask(web, dns.AAAA).values() == ["fd01:c::1"]
            assert server.ask(web).answer[0][2] == 5, "TTL"
            assert server.ask(web.replace("l4lb", "dclb")).values() == ["11.0.0.1"]
            assert server.ask(api).rcode == dns.NXDOMAIN
            vips.say(added=[record("api", "11.0.0.2")], removed=[record("web", "fd01:c::1")])
            eventually("the change is served", lambda: server.ask(api).values() == ["11.0.0.2"])
            assert server.ask(web, dns.AAAA).rcode == dns.NOERROR and not server.ask(web, dns.AAAA).answer
            vips.records = [record("api", "11.0.0.3")]
            vips.cut()
            for _ in range(20):
                assert server.ask(api).values() in (["11.0.0.2"], ["11.0.0.3"])
            eventually("the next snapshot is served", lambda: server.ask(api).values() == ["11.0.0.3"]
                       and server.ask(web).rcode == dns.NXDOMAIN)
    finally:
        vips.close()


if __name__ == "__main__":
    results.run("system/dns", [follows_tasks, tasks_resolve_names, outlives_the_master, flood_and_garbage, asks_others,
                               serves_virtual_addresses])
