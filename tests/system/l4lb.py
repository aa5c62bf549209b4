#!/usr/bin/env python3
"""Three machines as network namespaces on a bridge, each with a real dcos-l4lb and an agent's task stream, and real traffic
through virtual addresses. Everything is in namespaces of its own, made and removed by name."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness.cluster import BIN, Cluster, call, eventually  # noqa: E402
from harness import results  # noqa: E402

TAG = f"l4{os.getpid() % 100000}"
ZONE = "marathon.l4lb.thisdcos.directory"


def sh(command, check=True):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


class Namespace:
    """Runs functions and programs inside a named network namespace."""

    def __init__(self, name):
        self.name = name
        sh(f"ip netns add {name}")
        sh(f"ip -n {name} link set lo up")

    def popen(self, words, **options):
        return subprocess.Popen(["ip", "netns", "exec", self.name, *words], **options)

    def run(self, command, check=False, timeout=20):
        done = subprocess.run(["ip", "netns", "exec", self.name, "sh", "-c", command], capture_output=True, text=True,
                              timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {command}: {done.stdout}{done.stderr}")
        return done.stdout

    def remove(self):
        sh(f"ip netns del {self.name}", check=False)


# The stand-in for an agent, as a program inside the namespace: tasks come as JSON lines on its standard input.
AGENT = r'''
import http.server, json, queue, sys, threading, time
ip = sys.argv[1]
tasks, readers, lock = {}, [], threading.Lock()
def chunk(text): return b"%x\r\n%s\r\n" % (len(text.encode()), text.encode())
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def handle(self):
        try: super().handle()
        except OSError: pass
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        mine = queue.Queue()
        with lock:
            snapshot = {"agent_id": "a", "hostname": ip, "ip": ip, "tasks": list(tasks.values())}
            readers.append(mine)
        self.wfile.write(chunk("event: snapshot\ndata: %s\n\n" % json.dumps(snapshot)))
        while True:
            try: text = mine.get(timeout=5)
            except queue.Empty: text = ": \n\n"
            self.wfile.write(chunk(text))
server = http.server.ThreadingHTTPServer((ip, 5051), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
for line in sys.stdin:
    task = json.loads(line)
    with lock:
        if task.get("state"): tasks[task["id"]] = task; text = "event: task\ndata: %s\n\n" % line.strip()
        else:
            tasks.pop(task["id"], None)
            text = "event: removed\ndata: %s\n\n" % json.dumps({"framework_id": "f", "id": task["id"]})
        for reader in readers: reader.put(text)
'''

# Answers every connection, and every datagram, with its own name.
SERVER = r'''
import socket, sys, threading
address, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
family = socket.AF_INET6 if ":" in address else socket.AF_INET
tcp = socket.socket(family); tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); tcp.bind((address, port)); tcp.listen(256)
udp = socket.socket(family, socket.SOCK_DGRAM); udp.bind((address, port))
def datagrams():
    while True:
        data, peer = udp.recvfrom(2048); udp.sendto(name, peer)
threading.Thread(target=datagrams, daemon=True).start()
def stay(c):
    while True:
        data = c.recv(100)
        if not data: return
        c.sendall(name)
while True:
    c, peer = tcp.accept(); c.sendall(name)
    threading.Thread(target=stay, args=(c,), daemon=True).start()
'''

CLIENT = r'''
import socket, sys, collections
kind, address, port, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
source = sys.argv[5] if len(sys.argv) > 5 else None
family = socket.AF_INET6 if ":" in address else socket.AF_INET
seen = collections.Counter()
for i in range(times):
    s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM); s.settimeout(2)
    if source: s.bind((source, 0))
    try:
        s.connect((address, port))
        if kind == "udp": s.send(b"x")
        seen[s.recv(100).decode()] += 1
    except ConnectionRefusedError: seen["refused"] += 1
    except (TimeoutError, socket.timeout): seen["timeout"] += 1
    except OSError as e: seen[str(e)] += 1
    s.close()
import json; print(json.dumps(seen))
'''


class Machine:
    def __init__(self, world, index):
        self.world, self.index = world, index
        self.ip = f"10.77.0.{index + 1}"
        self.ip6 = f"fd77::{index + 1}"
        self.ns = Namespace(f"{TAG}m{index}")
        self.children = []
        self.daemon = None
        sh(f"ip link add {TAG}v{index} netns {world.bridge.name} type veth peer name eth0 netns {self.ns.name}")
        sh(f"ip -n {world.bridge.name} link set {TAG}v{index} master br0 up")
        sh(f"ip -n {self.ns.name} addr add {self.ip}/24 dev eth0")
        sh(f"ip -n {self.ns.name} addr add {self.ip6}/64 dev eth0 nodad")
        sh(f"ip -n {self.ns.name} link set eth0 up")
        self.agent = self.spawn(["python3", "-c", AGENT, self.ip], stdin=subprocess.PIPE, text=True)

    def spawn(self, words, **options):
        child = self.ns.popen(words, **options)
        self.children.append(child)
        return child

    def start(self, *more, key=None):
        self.log = open(f"{self.world.root}/l4lb-{self.index}.log", "a")
        words = [str(BIN / "dcos-l4lb"), f"--ip={self.ip}", f"--hostname=host-{self.index}", f"--agents=http://{self.ip}:5051",
                 f"--peers=10.77.0.1:62501,10.77.0.2:62501", f"--cluster_key_file={key or self.world.key}",
                 f"--data_dir={self.world.root}/data-{self.index}", *more]
        self.daemon = self.spawn(words, stdout=self.log, stderr=self.log)
        eventually("the daemon answers", lambda: self.api("/v1/version"))

    def kill(self, number):
        self.daemon.send_signal(number)
        self.daemon.wait(10)

    def api(self, path):
        text = self.ns.run(f"curl -s -m 3 'http://127.0.0.1:62080{path}'")
        return json.loads(text) if text else None

    def metric(self, name):
        for line in self.ns.run("curl -s -m 3 http://127.0.0.1:62080/v1/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        return 0.0

    def task(self, id, vip, port, protocol="tcp", state="TASK_RUNNING", healthy=None, addresses=None):
        task = {"framework_id": "f", "framework_name": "marathon", "id": id, "name": id, "state": state,
                "has_health_check": healthy is not None, "ports": [port],
                "discovery": {"ports": {"ports": [{"number": port, "protocol": protocol,
                                                   "labels": {"labels": [{"key": "VIP_0", "value": vip}]}}]}}}
        if healthy is not None:
            task["healthy"] = healthy
        if addresses:
            task["container_status"] = {"network_infos": [{"ip_addresses": [{"ip_address": a} for a in addresses]}]}
        self.tell(task)

    def tell(self, task):
        self.agent.stdin.write(json.dumps(task) + "\n")
        self.agent.stdin.flush()

    def untask(self, id):
        self.tell({"id": id, "state": ""})

    def serve(self, port, name, address=None):
        child = self.spawn(["python3", "-c", SERVER, address or self.ip, str(port), name])
        eventually(f"{name} serves", lambda: self.ask("tcp", address or self.ip, port).get(name))
        return child

    def ask(self, kind, address, port, times=1, source=""):
        done = subprocess.run(["ip", "netns", "exec", self.ns.name, "python3", "-c", CLIENT, kind, address, str(port),
                               str(times)] + ([source] if source else []), capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout) if done.stdout else {"error": done.stderr}

    def address(self, name, rtype="A"):
        """Of the virtual service as this machine knows it."""
        for record in self.api("/v1/records") or []:
            if record["name"] == f"{name}.{ZONE}" and record["rtype"] == rtype:
                return record["host"]
        return None

    def end(self):
        for child in reversed(self.children):
            if child.poll() is None:
                child.kill()
            child.wait()


class World:
    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="dcos-l4lb-")
        self.key = f"{self.root}/key"
        Path(self.key).write_text(os.urandom(32).hex())
        os.chmod(self.key, 0o600)
        self.machines, self.namespaces = [], []
        self.bridge = Namespace(f"{TAG}br")
        self.namespaces.append(self.bridge)
        sh(f"ip -n {self.bridge.name} link add br0 type bridge")
        sh(f"ip -n {self.bridge.name} link set br0 up")
        for index in range(3):
            self.machines.append(Machine(self, index))

    def close(self):
        for machine in self.machines:
            machine.end()
            machine.ns.remove()
        for namespace in self.namespaces:
            namespace.remove()
        subprocess.run(["rm", "-rf", self.root])
        left = [n for n in sh("ip netns list").split() if n.startswith(TAG)]
        assert not left, left


def wait_address(machine, name, rtype="A"):
    return eventually(f"{name} has an address on host-{machine.index}", lambda: machine.address(name, rtype))


def answers(machine, kind, address, port, wanted, times=40, limit=15):
    """The set of backends that answer is `wanted`."""
    last = {}

    def probe():
        last.clear()
        last.update(machine.ask(kind, address, port, times))
        return set(last) == set(wanted)

    try:
        eventually(f"{kind} {address}:{port} on host-{machine.index} is answered by {wanted}", probe, limit)
    except AssertionError as error:
        raise AssertionError(f"{error}; last answers: {last}") from None


def traffic(world):
    """Local, remote and own backends behind one address that all machines agree on."""
    a, b, c = world.machines
    for machine in world.machines:
        machine.start()
    eventually("three know each other", lambda: all(m.metric("lashup_alive") == 3 for m in world.machines))
    a.serve(31000, "a")
    b.serve(31000, "b")
    a.task("a1", "/web:80", 31000)
    b.task("b1", "/web:80", 31000)
    addresses = {wait_address(m, "web") for m in world.machines}
    assert len(addresses) == 1, f"machines disagree: {addresses}"
    vip = addresses.pop()
    for machine in world.machines:  # local and remote backends; a backend's own machine included
        answers(machine, "tcp", vip, 80, {"a", "b"})
    share = c.ask("tcp", vip, 80, 400)
    assert 120 <= share.get("a", 0) <= 280, share
    assert c.api(f"/v1/explain?vip={vip}:80")[0]["backends"][0]["used"]


def refusal(world):
    """What is not served is refused at once; names keep their address."""
    a, b, c = world.machines
    vip = c.address("web")
    assert c.ask("tcp", vip, 81) == {"refused": 1}, "a port that is no service is refused at once"
    b.untask("b1")
    answers(c, "tcp", vip, 80, {"a"})
    a.task("a1", "/web:80", 31000, state="TASK_KILLING")
    answers(c, "tcp", vip, 80, {"refused"}, times=2)
    assert c.address("web") == vip
    a.task("a1", "/web:80", 31000)
    b.task("b1", "/web:80", 31000)
    answers(c, "tcp", vip, 80, {"a", "b"})


def draining(world):
    """A connection under way goes on when its backend gets weight 0."""
    a, b, c = world.machines
    vip = c.address("web")
    holder = c.ns.popen(["python3", "-c", "import socket,sys\n"
                         f"s=socket.create_connection(('{vip}',80)); n=s.recv(10).decode(); print(n, flush=True)\n"
                         "sys.stdin.readline(); s.send(b'x'); print(s.recv(10).decode(), flush=True)"],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        name = holder.stdout.readline().strip()
        machine = a if name == "a" else b
        machine.task(f"{name}1", "/web:80", 31000, healthy=False)
        answers(c, "tcp", vip, 80, {"b" if name == "a" else "a"})
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline().strip() == name, "the connection was cut"
        machine.task(f"{name}1", "/web:80", 31000)
        answers(c, "tcp", vip, 80, {"a", "b"})
    finally:
        holder.kill()
        holder.wait()


def udp(world):
    """Flows without connections leave a backend that is gone."""
    a, b, c = world.machines
    a.task("a2", "/dns:53", 31000, protocol="udp")
    vip = wait_address(c, "dns")
    answers(c, "udp", vip, 53, {"a"}, times=3)
    client = c.ns.popen(["python3", "-u", "-c", "import socket,sys\n"
                         f"s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(1); s.connect(('{vip}',53))\n"
                         "for line in sys.stdin:\n"
                         "  try: s.send(b'x'); print(s.recv(10).decode())\n"
                         "  except OSError: print('none')"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        def once():
            client.stdin.write("\n")
            client.stdin.flush()
            return client.stdout.readline().strip()
        assert once() == "a"
        b.task("b2", "/dns:53", 31000, protocol="udp")
        answers(c, "udp", vip, 53, {"a", "b"})
        a.untask("a2")
        eventually("the same socket reaches the other backend", lambda: once() == "b")
    finally:
        client.kill()
        client.wait()


def forwarded(world):
    """Containers behind machine c: their packets are forwarded; two on one bridge; one that calls its own service."""
    a, b, c = world.machines
    c.ns.run("ip link add cbr type bridge && ip addr add 172.30.0.1/24 dev cbr && ip link set cbr up && sysctl -qw net.ipv4.ip_forward=1",
             check=True)
    containers = []
    for index in (2, 3):
        ns = Namespace(f"{TAG}c{index}")
        world.namespaces.append(ns)
        sh(f"ip link add veth{index} netns {c.ns.name} type veth peer name eth0 netns {ns.name}")
        # Where the kernel filters bridged packets, one back to its own port needs this, as for any port mapping.
        sh(f"ip -n {c.ns.name} link set veth{index} master cbr up")
        sh(f"bridge -n {c.ns.name} link set dev veth{index} hairpin on")
        sh(f"ip -n {ns.name} addr add 172.30.0.{index}/24 dev eth0")
        sh(f"ip -n {ns.name} link set eth0 up")
        sh(f"ip -n {ns.name} route add default via 172.30.0.1")
        containers.append(ns)
    for machine in (a, b):
        machine.ns.run("ip route add 172.30.0.0/24 via 10.77.0.3", check=True)
    # New networks are seen by the comparison: here at once.
    c.kill(signal.SIGTERM)
    c.start("--reconcile_interval=1secs")

    def ask(ns, address, port, times=20):
        out = ns.run(f"python3 -c '{CLIENT}' tcp {address} {port} {times}")
        return json.loads(out) if out else {}

    vip = wait_address(c, "web")
    eventually("a container reaches both backends", lambda: set(ask(containers[0], vip, 80)) == {"a", "b"})
    serving = [ns.popen(["python3", "-c", SERVER, f"172.30.0.{i}", "8000", f"c{i}"]) for i, ns in zip((2, 3), containers)]
    try:
        for index in (2, 3):
            c.task(f"c{index}", "/inner:80", 8000, addresses=[f"172.30.0.{index}"])
        inner = wait_address(c, "inner")
        for ns in containers:  # the other on the same bridge, and itself
            eventually("both on the bridge answer", lambda: ask(ns, inner, 80) .keys() == {"c2", "c3"})
        eventually("the machine itself reaches them", lambda: set(c.ask("tcp", inner, 80, 20)) == {"c2", "c3"})
        eventually("another machine reaches them", lambda: c.ask("tcp", inner, 80, 1))
        assert ask(containers[0], vip, 81, 1) == {"refused": 1}
    finally:
        for child in serving:
            child.kill()
            child.wait()
        for index in (2, 3):
            c.untask(f"c{index}")


def ipv6(world):
    """The same for IPv6."""
    a, b, c = world.machines
    a.serve(31600, "a6", address=a.ip6)
    a.task("a6", "/six:80", 31600, addresses=[a.ip6])
    vip = wait_address(c, "six", "AAAA")
    eventually("IPv6 is forwarded", lambda: c.ask("tcp", vip, 80, 2).get("a6") == 2)
    assert c.ask("tcp", vip, 81, 1) == {"refused": 1}
    a.untask("a6")


def loopback(world):
    """A backend on 127.0.0.1 of a machine that says --ip=127.0.0.1."""
    ns = Namespace(f"{TAG}lo")
    world.namespaces.append(ns)
    children = []
    try:
        agent = ns.popen(["python3", "-c", AGENT, "127.0.0.1"], stdin=subprocess.PIPE, text=True)
        server = ns.popen(["python3", "-c", SERVER, "127.0.0.1", "31000", "lo"])
        daemon = ns.popen([str(BIN / "dcos-l4lb"), "--agents=http://127.0.0.1:5051", f"--cluster_key_file={world.key}",
                           f"--data_dir={world.root}/data-lo", "--table=other"], stderr=subprocess.DEVNULL)
        children += [agent, server, daemon]
        task = {"framework_id": "f", "framework_name": "marathon", "id": "t", "state": "TASK_RUNNING", "ports": [31000],
                "labels": {"labels": [{"key": "vip_PORT0", "value": "tcp://1.2.3.4:99"}]}}
        agent.stdin.write(json.dumps(task) + "\n")
        agent.stdin.flush()
        ask = lambda: json.loads(ns.run(f"python3 -c '{CLIENT}' tcp 1.2.3.4 99 3") or "{}")
        eventually("a literal address leads to the loopback", lambda: ask() == {"lo": 3})
        daemon.send_signal(signal.SIGUSR1)
        daemon.wait(10)
        assert "other" not in ns.run("nft list ruleset"), "the table is left"
        assert "proto 77" not in ns.run("ip route show table local"), "routes are left"
    finally:
        for child in children:
            child.kill()
            child.wait()


def failures(world):
    """A backend that refuses connections is left out by the machine that saw it."""
    a, b, c = world.machines
    a.task("dead", "/half:80", 31999)
    b.task("b3", "/half:80", 31000)
    vip = wait_address(c, "half")
    eventually("both are there", lambda: len(c.api(f"/v1/explain?vip=half.{ZONE}:80")[0]["backends"]) == 2)
    eventually("a refusal is seen", lambda: "refused" in c.ask("tcp", vip, 80, 4))
    answers(c, "tcp", vip, 80, {"b"}, times=30)
    a.untask("dead")
    b.untask("b3")


def repair(world):
    """Rules and routes that somebody removed come back."""
    c = world.machines[2]
    vip = c.address("web")
    before = c.metric("l4lb_reconciled_tables_total")
    c.ns.run("nft delete table inet dcos_l4lb", check=True)
    answers(c, "tcp", vip, 80, {"a", "b"}, limit=30)
    assert c.metric("l4lb_reconciled_tables_total") > before
    c.ns.run("nft flush map inet dcos_l4lb b16v4", check=True)
    answers(c, "tcp", vip, 80, {"a", "b"}, limit=30)
    c.ns.run("ip route flush table local proto 77", check=True)
    answers(c, "tcp", vip, 80, {"a", "b"}, limit=30)


def kill_9(world):
    """A killed daemon: traffic goes on; soon back, nobody notices; otherwise its backends go."""
    a, b, c = world.machines
    vip = c.address("web")
    c.kill(signal.SIGKILL)
    assert set(c.ask("tcp", vip, 80, 40)) == {"a", "b"}, "traffic goes on without the daemon"
    c.start("--reconcile_interval=1secs")
    for _ in range(20):
        assert "refused" not in c.ask("tcp", vip, 80, 2)
    assert wait_address(c, "web") == vip
    # Of a machine with backends: the others do not even notice, if it is back soon.
    deaths = c.metric("lashup_deaths")
    a.kill(signal.SIGKILL)
    a.start()
    answers(c, "tcp", vip, 80, {"a", "b"})
    assert c.metric("lashup_deaths") == deaths
    # Its backends go when it does not come back.
    a.kill(signal.SIGKILL)
    answers(c, "tcp", vip, 80, {"b"}, limit=30)
    a.start()
    answers(c, "tcp", vip, 80, {"a", "b"}, limit=30)


def partition(world):
    """A machine cut off and back."""
    a, b, c = world.machines
    vip = c.address("web")
    a.ns.run("ip link set eth0 down", check=True)
    answers(c, "tcp", vip, 80, {"b"}, limit=30)
    b.task("new", "/born-apart:80", 31000)
    wait_address(c, "born-apart")
    a.ns.run("ip link set eth0 up", check=True)
    a.ns.run(f"ip addr add {a.ip6}/64 dev eth0 nodad")
    answers(c, "tcp", vip, 80, {"a", "b"}, limit=30)
    assert wait_address(a, "born-apart") == c.address("born-apart")
    eventually("three again", lambda: all(m.metric("lashup_alive") == 3 for m in world.machines))
    b.untask("new")


def hostile(world):
    """Datagrams under another key, of nonsense, and genuine ones sent again."""
    a, b, c = world.machines
    other = f"{world.root}/other-key"
    Path(other).write_text(os.urandom(32).hex())
    os.chmod(other, 0o600)
    b.ns.run("ip addr add 10.77.0.9/24 dev eth0", check=True)
    stranger = b.spawn([str(BIN / "dcos-l4lb"), "--ip=10.77.0.9", "--peers=10.77.0.3:62501", f"--cluster_key_file={other}",
                        "--rest_port=0", f"--data_dir={world.root}/data-x", "--dataplane=none"], stderr=subprocess.DEVNULL)
    eventually("datagrams under another key are counted", lambda: c.metric("lashup_datagrams_wrong_key") > 0)
    stranger.kill()
    stranger.wait()
    # One that takes what comes from a to c out of the air and sends it again.
    replay = ("import socket,time\n"
              "s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW,socket.htons(0x800)); s.bind(('eth0',0)); got=[]\n"
              "while len(got)<5:\n"
              "  p=s.recv(65535)\n"
              "  if p[23]==17 and p[26:30]==socket.inet_aton('10.77.0.1') and p[36:38]==(62501).to_bytes(2,'big'): got.append(p)\n"
              "o=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); o.bind(('lo',0))\n"
              "u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
              "[u.sendto(p[42:],('10.77.0.3',62501)) for p in got]\n"
              "u.sendto(b'nonsense',('10.77.0.3',62501)); u.sendto(b'',('10.77.0.3',62501))\n")
    before = c.metric("lashup_datagrams_replayed")
    c.ns.run(f'python3 -c "{replay}"', check=True)
    eventually("replays are counted", lambda: c.metric("lashup_datagrams_replayed") >= before + 5)
    eventually("nonsense is counted", lambda: c.metric("lashup_datagrams_malformed") >= 2)
    assert all(m.metric("lashup_alive") == 3 for m in world.machines)
    assert len(c.api("/v1/nodes")) == 3
    refused = subprocess.run([str(BIN / "dcos-l4lb"), f"--cluster_key_file={other}", f"--data_dir={world.root}/data-y",
                              "--table=a b"], capture_output=True, text=True)
    assert refused.returncode == 112 and "--table" in refused.stderr, refused
    os.chmod(other, 0o644)
    refused = subprocess.run([str(BIN / "dcos-l4lb"), f"--cluster_key_file={other}", f"--data_dir={world.root}/data-y",
                              "--rest_port=0", "--gossip_port=0", "--dataplane=none"], capture_output=True, text=True)
    assert refused.returncode == 1 and "chmod 600" in refused.stderr, refused


def watch(world):
    """Names as an event stream."""
    a, b, c = world.machines
    reader = c.ns.popen(["curl", "-sN", "http://127.0.0.1:62080/v1/watch"], stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout.readline().strip() == "event: snapshot"
        names = {r["name"] for r in json.loads(reader.stdout.readline()[5:])}
        assert f"web.{ZONE}" in names
        b.task("w", "/watched:80", 31000)
        line = ""
        while "watched" not in line:
            line = reader.stdout.readline()
        record = json.loads(line[5:])["added"][0]
        assert record["name"] == f"watched.{ZONE}" and record["rtype"] == "A", record
        b.untask("w")
        line = ""
        while "removed\":[{" not in line:
            line = reader.stdout.readline()
    finally:
        reader.kill()
        reader.wait()


def cluster(_):
    """The development cluster: an app's label becomes a name and an address that answers; nothing is left after down."""
    with Cluster() as dev:
        dev.add_app({"id": "/web", "cmd": "exec python3 -m http.server $PORT0 --bind 127.0.0.1", "cpus": 0.1, "mem": 64,
                     "instances": 2,
                     "portDefinitions": [{"port": 0, "protocol": "tcp", "name": "http", "labels": {"VIP_0": "/web:80"}}]})
        name = f"web.{ZONE}"
        records = eventually("the name has an address", lambda: [
            r for r in call(dev.port("l4lb"), "GET", "/v1/records").json() if r["name"] == name])
        vip = records[0]["host"]
        eventually("the address answers", lambda: call(80, "GET", "/", host=vip).status == 200)
        dns = f"127.53.{dev.offset // 250}.{dev.offset % 250 + 1}"
        eventually("the name service answers", lambda: resolve(dns, name) == vip)
        # From a task, by name.
        dev.add_app({"id": "/client", "cmd": f"until curl -fs http://{name}/ >page; do sleep 0.1; done; exec sleep 1000",
                     "cpus": 0.1, "mem": 32, "instances": 1})
        sandbox = Path(dev.root)
        eventually("a task reaches it by name", lambda: any(p.stat().st_size > 0 for p in sandbox.glob(
            "agent-*/slaves/*/frameworks/*/executors/client*/runs/*/page")))
        assert name in call(dev.port("gateway"), "GET", "/net/v1/vips").body.decode()
        offset = dev.offset // 100
        dev.dev("down")
        assert f"11.{offset}." not in sh("ip route show table local"), "routes are left"
        table = sh("nft list tables")
        root_table = call_table(dev)
        assert root_table not in table, table
        dev.dev("up")


def call_table(dev):
    """The cluster's table: as the installer names it, after its root."""
    value = 2166136261
    for byte in dev.root.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return f"dcos_l4lb_{value:08x}"


def resolve(server, name):
    """The first A record that `server` has for `name`."""
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp_socket:
        udp_socket.settimeout(2)
        udp_socket.sendto(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + question, (server, 53))
        answer = udp_socket.recv(1500)
    if answer[6:8] == b"\0\0":
        return None
    return socket.inet_ntoa(answer[12 + len(question) + 12:][:4])


TESTS = [traffic, refusal, draining, udp, forwarded, ipv6, loopback, failures, repair, kill_9, partition, hostile, watch, cluster]


def main():
    if os.geteuid() != 0:
        for test in TESTS:
            results.report("skip", f"system/l4lb/{test.__name__}", "needs root")
        return 0
    world = World()

    def bound(test):
        def run():
            try:
                test(world)
            except Exception:
                for machine in world.machines:
                    log = Path(f"{world.root}/l4lb-{machine.index}.log")
                    if log.exists():
                        print(f"--- host-{machine.index}", *log.read_text().splitlines()[-12:], sep="\n", flush=True)
                raise
        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run

    try:
        results.run("system/l4lb", [bound(test) for test in TESTS])
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
