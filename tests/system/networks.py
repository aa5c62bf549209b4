#!/usr/bin/env python3
"""Networks of containers with real traffic: the built-in bridge, stock CNI plugins, IPv6, host ports, virtual addresses, crashes
at every step, policy. All of it in network namespaces of its own: "the machine", and one outside of it."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import Cluster, call, eventually  # noqa: E402
from harness.images import Registry, layer  # noqa: E402

TAG = os.environ.get("NETWORKS_TAG") or f"cn{os.getpid() % 100000}"
PLUGINS = "/usr/lib/cni"
OUTSIDE = os.environ.get("NETWORKS_OUTSIDE", "")
SERVER = ("import http.server,os,socket\n"
          "class H(http.server.BaseHTTPRequestHandler):\n"
          " def log_message(self,*a): pass\n"
          " def do_GET(self):\n"
          "  b=(socket.gethostname()+' '+self.client_address[0]).encode()\n"
          "  self.send_response(200); self.send_header('Content-Length',str(len(b))); self.end_headers(); self.wfile.write(b)\n"
          "class S(http.server.ThreadingHTTPServer): address_family=socket.AF_INET6\n"
          "S(('::',%d),H).serve_forever()\n")
ECHO = ("import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('0.0.0.0',%d))\n"
        "while True:\n d,a=s.recvfrom(1500); s.sendto(b'udp '+d,a)\n")


def sh(command, check=True):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def script(text):
    """A command line that runs this Python text."""
    return f"exec python3 -c \"$(echo {base64.b64encode(text.encode()).decode()} | base64 -d)\""


def outside(command, check=True):
    return sh(f"ip netns exec {OUTSIDE} sh -c {json.dumps(command)}", check)


def get(host, port, timeout=5):
    answer = call(port, "GET", "/", host=host, timeout=timeout)
    assert answer.status == 200, answer
    return answer.body.decode()


def ask_udp(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.sendto(b"x", (host, port))
        return s.recv(100).decode()


@contextmanager
def cluster_with(agents=1, networks=None, **flags):
    """A cluster whose agents have these flags; `networks`: more files in the directory of networks."""
    names = {f"MESOS_{name.upper()}": str(value) for name, value in flags.items()}
    os.environ.update(names)
    try:
        with Cluster(agents=agents) as cluster:
            for name, text in (networks or {}).items():
                add_network(cluster, name, text)
            yield cluster
            cluster.marathon("DELETE", "/v2/groups?force=true")
            nothing_left(cluster)
    finally:
        for name in names:
            del os.environ[name]


def add_network(cluster, name, text):
    path = Path(cluster.root, "cni", name)
    path.with_suffix(".new").write_text(text if isinstance(text, str) else json.dumps(text))
    path.with_suffix(".new").rename(path)


def leftovers(cluster):
    found = [line.split(":")[1].strip() for line in sh("ip -o link").splitlines() if "veth" in line and "@" in line and "uplink" not in line]
    found += re.findall(r"table \w+ dcos_net_\w+", sh("nft list tables"))
    found += re.findall(r"CNI-DN-\w+|CNI-[0-9a-f]+", sh("iptables-save; ip6tables-save", check=False))
    for agent in range(1, cluster.agents + 1):
        found += [str(p) for p in Path(cluster.root, f"run/agent-{agent}/isolators/network/cni").glob("*")]
    for leases in (Path(cluster.root, "run/cni-leases"), Path(f"/tmp/{TAG}-leases")):
        found += [str(p) for p in leases.glob("*/*") if re.match(r"^[0-9a-f.:]+$", p.name)]
    return found


def nothing_left(cluster):
    found = []

    def none():
        found[:] = leftovers(cluster)
        return not found
    try:
        eventually("nothing of any network is left", none, limit=60, interval=0.2)
    except AssertionError as error:
        raise AssertionError(f"{error}: {found}")


def app_of(name, cmd, networks=None, mappings=None, image=None, kind="MESOS", **more):
    container = {"type": kind}
    if image:
        container["docker"] = {"image": image}
    if mappings is not None:
        container["portMappings"] = mappings
    return {"id": name, "cpus": 0.01, "mem": 32, "instances": 1, "cmd": cmd, "container": container,
            "networks": networks or [{"mode": "container/bridge"}], **more}


def task_of(cluster, app):
    return next(iter(cluster.tasks(app).values()))


def address_of(cluster, app, v6=False):
    return next(a["ipAddress"] for a in task_of(cluster, app)["ipAddresses"] if (":" in a["ipAddress"]) == v6)


def failure_of(cluster, app):
    def last():
        return cluster.marathon("GET", f"/v2/apps{app}?embed=app.lastTaskFailure").json()["app"].get("lastTaskFailure")
    return eventually(f"the failure of {app} is told", last, limit=60)


def sandbox_file(cluster, app, name="stdout", agent="agent-1"):
    frameworks = call(cluster.port(agent), "GET", "/state").json()["frameworks"]
    executors = [e for f in frameworks for kind in ("executors", "completed_executors") for e in f[kind] if f"{app.strip('/')}." in e["id"]]
    return call(cluster.port(agent), "GET", f"/files/download?path={executors[-1]['directory']}/{name}").body.decode()


def inside(cluster, app, command):
    """Runs a command in the network of the app's container."""
    container = eventually("its container", lambda: [c for c in call(cluster.port("agent-1"), "GET", "/containers").json()
                                                      if f"{app.strip('/')}." in c["executor_id"]])[0]
    return subprocess.run(["nsenter", f"--net={cluster.root}/run/agent-1/isolators/network/cni/{container['container_id']}/ns", "sh", "-c", command],
                          capture_output=True, text=True, timeout=20)


def bridge_apps():
    """container/bridge by default: address, host ports by TCP and UDP, files in /etc, names, a virtual address, health."""
    with cluster_with() as cluster:
        cluster.add_app(app_of("/web", script(SERVER % 8000), mappings=[
            {"containerPort": 8000, "hostPort": 0, "name": "http", "labels": {"VIP_0": "/web:80"}}],
            healthChecks=[{"protocol": "MESOS_HTTP", "portIndex": 0, "intervalSeconds": 1, "gracePeriodSeconds": 60}]))
        task = task_of(cluster, "/web")
        address, host_port = address_of(cluster, "/web"), task["ports"][0]
        assert address.startswith("172.31."), task
        eventually("the container answers", lambda: get(address, 8000))
        def used():
            containers = call(cluster.port("agent-1"), "GET", "/containers").json()
            return next(each["statistics"] for each in containers if each["executor_id"].startswith("web."))
        eventually("what went through its interface is counted", lambda: used()["net_rx_packets"] > 0 and used()["net_tx_bytes"] > 0)
        # From the machine itself by its loopback, and by another of its addresses.
        assert get("127.0.0.1", host_port)
        eventually("healthy by a check inside its network", lambda: cluster.marathon("GET", "/v2/apps/web").json()["app"]["tasksHealthy"] == 1)
        assert OUTSIDE == "" or outside(f"curl -s -m 5 http://10.99.0.1:{host_port}")
        vips = eventually("it has a virtual address", lambda: call(cluster.port("l4lb"), "GET", "/v1/vips").json())
        text = json.dumps(vips)
        assert "web" in text, text
        name = "web.marathon.l4lb.thisdcos.directory"
        cluster.add_app(app_of("/client", "cat /etc/hosts /etc/hostname /etc/resolv.conf; hostname; "
                               f"until curl -s -m 2 http://{name}; do sleep 0.1; done; echo; curl -s -m 5 http://127.53.0.1 ; "
                               "echo loopback $?; sleep 1000"))
        out = eventually("the client has asked", lambda: re.search(r"(?s).*loopback \d+\n", sandbox_file(cluster, "/client")))[0]
        own = address_of(cluster, "/client")
        gateway = own.rsplit(".", 1)[0] + ".1"
        assert f"{own}\t" in out and "127.0.0.1\tlocalhost" in out and f"nameserver {gateway}" in out, out
        assert out.count(own) >= 1 and "loopback 0" not in out, out
        # UDP and TCP of one port, and a host port that is asked for.
        udp = app_of("/udp", script(ECHO % 5300), mappings=[{"containerPort": 5300, "hostPort": 0, "protocol": "udp,tcp"}])
        cluster.add_app(udp)
        port = task_of(cluster, "/udp")["ports"][0]
        eventually("UDP answers", lambda: ask_udp("127.0.0.1", port) == "udp x")
        eventually("UDP answers at its own address", lambda: ask_udp(address_of(cluster, "/udp"), 5300) == "udp x")
        # The kernel's rules are in one table of the agent's own; its name says whose.
        assert len(re.findall(r"table inet dcos_net_", sh("nft list tables"))) == 1


def docker_apps():
    """Docker's BRIDGE, USER and NONE with images, its options, the form of 2015, inspection data; refusals by name."""
    with Registry() as registry:
        registry.push("box:1", [layer(base=True)], {"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"]})
        with cluster_with(docker_registry=f"http://{registry.host}", networks={"other.conf": bridge_config("other", "br-other", "10.77.0.0/24")}) as cluster:
            cmd = "cat /etc/hosts; busybox hostname; cat /etc/resolv.conf; mkdir -p /www; echo hi > /www/index.html; httpd -f -p 8080 -h /www"
            old = {"id": "/old", "cpus": 0.01, "mem": 32, "instances": 1, "cmd": cmd, "container": {"type": "DOCKER", "docker": {
                "image": "box:1", "network": "BRIDGE", "portMappings": [{"containerPort": 8080, "hostPort": 0}],
                "parameters": [{"key": "hostname", "value": "given"}, {"key": "add-host", "value": "db:10.0.0.7"}, {"key": "dns", "value": "10.0.0.9"}]}}}
            cluster.add_app(old)
            port = task_of(cluster, "/old")["ports"][0]
            eventually("it answers", lambda: call(port, "GET", "/").body == b"hi\n")
            out = sandbox_file(cluster, "/old")
            assert "10.0.0.7\tdb" in out and f"{address_of(cluster, '/old')}\tgiven" in out and "\ngiven\n" in out and "nameserver 10.0.0.9" in out, out
            cluster.add_app(app_of("/user", cmd, networks=[{"mode": "container", "name": "other", "labels": {"a": "b"}}], image="box:1", kind="DOCKER",
                                   mappings=[{"containerPort": 8080}]))
            address = address_of(cluster, "/user")
            assert address.startswith("10.77.0."), address
            eventually("it answers at its address", lambda: call(8080, "GET", "/", host=address).body == b"hi\n")
            cluster.add_app(app_of("/ip", cmd, image="box:1", kind="DOCKER", networks=[{"mode": "container", "name": "other"}]) |
                            {"container": {"type": "DOCKER", "docker": {"image": "box:1", "parameters": [{"key": "ip", "value": "10.77.0.77"}]}}})
            assert address_of(cluster, "/ip") == "10.77.0.77"
            status = next(s for t in cluster.master("GET", "/tasks").json()["tasks"] if t["name"] == "ip" for s in t["statuses"] if s["state"] == "TASK_RUNNING")
            assert status["container_status"]["network_infos"][0]["ip_addresses"][0]["ip_address"] == "10.77.0.77", status
            for name, network, words in (("/unknown", "nowhere", "Unknown CNI network 'nowhere'"), ("/taken", "other", "10.77.0.77 is taken")):
                app = app_of(name, cmd, image="box:1", kind="DOCKER", networks=[{"mode": "container", "name": network}])
                if name == "/taken":
                    app["container"]["docker"]["parameters"] = [{"key": "ip", "value": "10.77.0.77"}]
                assert cluster.marathon("POST", "/v2/apps", app).status == 201
                message = failure_of(cluster, name)["message"]
                assert words in message, message
                cluster.marathon("DELETE", f"/v2/apps{name}?force=true")


def bridge_config(name, bridge, subnet, kind="mesos-cni-port-mapper", **more):
    delegate = {"type": "bridge", "bridge": bridge, "isDefaultGateway": True, "ipMasq": True, "hairpinMode": True,
                "ipam": {"type": "host-local", "subnet": subnet, "dataDir": "/tmp/unused"}, **more}
    delegate["ipam"]["dataDir"] = f"/tmp/{TAG}-leases"
    if kind == "mesos-cni-port-mapper":
        return {"name": name, "type": kind, "cniVersion": "0.4.0", "delegate": delegate}
    return {"name": name, "cniVersion": "0.4.0", "plugins": [delegate, {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}]}


def need_plugins(*names):
    for name in names:
        if not Path(PLUGINS, name).exists():
            raise results.Skip("containernetworking-plugins is not installed")


def stock_plugins():
    """Chains of Debian's plugins: bridge, host-local and portmap; both families; macvlan; two networks at once."""
    need_plugins("bridge", "host-local", "portmap", "macvlan")
    leases = f"/tmp/{TAG}-leases"
    dual = {"name": "dual", "cniVersion": "1.0.0", "plugins": [
        {"type": "bridge", "bridge": "br-dual", "isDefaultGateway": True, "ipMasq": True, "hairpinMode": True,
         "ipam": {"type": "host-local", "dataDir": leases, "ranges": [[{"subnet": "10.78.0.0/24"}], [{"subnet": "fd78::/64"}]]}},
        {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}]}
    sh("ip link add uplink type veth peer name uplink-peer && ip link set uplink up && ip link set uplink-peer up")
    try:
        direct = {"name": "direct", "cniVersion": "0.3.1", "type": "macvlan", "master": "uplink", "mode": "bridge",
                  "ipam": {"type": "host-local", "dataDir": leases, "subnet": "10.79.0.0/24"}}
        with cluster_with(network_cni_plugins_dir=PLUGINS, networks={"dual.conflist": dual, "direct.conf": direct}) as cluster:
            cluster.add_app(app_of("/dual", script(SERVER % 8000), networks=[{"mode": "container", "name": "dual"}],
                                   mappings=[{"containerPort": 8000, "hostPort": 0}]))
            eventually("it answers by IPv4", lambda: get(address_of(cluster, "/dual"), 8000))
            eventually("it answers by IPv6", lambda: get(address_of(cluster, "/dual", v6=True), 8000))
            assert get("127.0.0.1", task_of(cluster, "/dual")["ports"][0])
            both = [{"mode": "container", "name": "direct"}, {"mode": "container", "name": "dual"}]
            cluster.add_app(app_of("/both", "ip -o addr; sleep 1000", networks=both))
            out = eventually("it shows its interfaces", lambda: re.search(r"(?s).*eth1.*", sandbox_file(cluster, "/both")))[0]
            assert "10.79.0." in out and "10.78.0." in out and "fd78::" in out, out
            cluster.add_app(app_of("/neighbour", script(SERVER % 8000), networks=[{"mode": "container", "name": "direct"}]))
            there = address_of(cluster, "/neighbour")
            eventually("macvlan containers reach each other", lambda: inside(cluster, "/both", f"curl -s -m 2 http://{there}:8000").returncode == 0)
            # A restart finds them again, asks the plugins and changes nothing, whatever they answer: Debian's portmap looks
            # for the IPv4 rule in its IPv6 chain when a container has both.
            before = task_of(cluster, "/dual")
            cluster.kill("agent-1")
            assert task_of(cluster, "/dual")["id"] == before["id"]
            assert get("127.0.0.1", before["ports"][0])
    finally:
        sh("ip link del uplink", check=False)


def both_families():
    """The built-in bridge with IPv4 and IPv6: addresses, routes, host ports from outside, masquerade, hairpin."""
    config = bridge_config("six", "br-six", "10.80.0.0/24")
    config["delegate"]["ipam"] = {"type": "host-local", "dataDir": f"/tmp/{TAG}-leases", "ranges": [[{"subnet": "10.80.0.0/24"}], [{"subnet": "fd80::/64"}]]}
    with cluster_with(networks={"six.conf": config}) as cluster:
        cluster.add_app(app_of("/six", script(SERVER % 8000), networks=[{"mode": "container", "name": "six"}], mappings=[{"containerPort": 8000, "hostPort": 0}]))
        port = task_of(cluster, "/six")["ports"][0]
        eventually("it answers by IPv6", lambda: get(address_of(cluster, "/six", v6=True), 8000))
        four = outside(f"curl -s -m 5 http://10.99.0.1:{port}")
        assert four.endswith("10.99.0.2") or four.endswith("::ffff:10.99.0.2"), four  # the client's address is kept
        assert outside(f"curl -g -s -m 5 http://[fd99::1]:{port}").endswith("fd99::2")
        # The container's own host port leads back to it, and what leaves the machine has the machine's address.
        assert inside(cluster, "/six", f"curl -s -m 5 http://10.80.0.1:{port}").returncode == 0
        server = subprocess.Popen(["ip", "netns", "exec", OUTSIDE, "python3", "-c", SERVER % 8001])
        try:
            eventually("the server outside", lambda: get("10.99.0.2", 8001))
            seen = inside(cluster, "/six", "curl -s -m 5 http://10.99.0.2:8001").stdout
            assert seen.endswith("10.99.0.1"), seen
            seen = inside(cluster, "/six", "curl -g -s -m 5 http://[fd99::2]:8001").stdout
            assert seen.endswith("fd99::1"), seen
        finally:
            server.kill()
            server.wait()


SLOW_PLUGIN = """#!/bin/sh
# Stands before the real plugin: waits at the verb and place that the file "stop" names.
dir=${0%/*}
input=$(cat)
stop=$(cat "$dir/stop" 2>/dev/null)
if [ "$stop" = "before $CNI_COMMAND" ]; then touch "$dir/reached"; while [ -e "$dir/stop" ]; do sleep 0.05; done; fi
printf '%s' "$input" | @PLUGINS@/bridge; code=$?
if [ "$stop" = "after $CNI_COMMAND" ]; then touch "$dir/reached"; while [ -e "$dir/stop" ]; do sleep 0.05; done; fi
exit $code
"""


def killed_at_each_verb():
    """kill -9 of the agent before and after ADD and DEL did their work: nothing is left, and the next task runs."""
    need_plugins("bridge", "host-local", "portmap")
    plugins = Path(f"/tmp/{TAG}-plugins")
    plugins.mkdir()
    try:
        (plugins / "slow").write_text(SLOW_PLUGIN.replace("@PLUGINS@", PLUGINS))
        (plugins / "slow").chmod(0o755)
        config = bridge_config("slow", "br-slow", "10.81.0.0/24", kind="chain")
        config["plugins"][0]["type"] = "slow"
        with cluster_with(network_cni_plugins_dir=f"{plugins}:{PLUGINS}", networks={"slow.conflist": config}) as cluster:
            app = app_of("/x", "sleep 1000", networks=[{"mode": "container", "name": "slow"}], mappings=[{"containerPort": 80, "hostPort": 0}],
                         backoffSeconds=1, backoffFactor=1)
            for stop in ("before ADD", "after ADD", "before DEL", "after DEL"):
                (plugins / "reached").unlink(missing_ok=True)
                adds = stop.endswith("ADD")
                if adds:
                    (plugins / "stop").write_text(stop)
                    assert cluster.marathon("POST", "/v2/apps", app).status == 201
                else:
                    cluster.add_app(app)
                    (plugins / "stop").write_text(stop)
                    assert cluster.marathon("DELETE", "/v2/apps/x?force=true").status == 200
                eventually(f"the plugin is there: {stop}", lambda: (plugins / "reached").exists())
                cluster.kill("agent-1")
                (plugins / "stop").unlink()
                if adds:
                    eventually(f"it runs after all ({stop})", lambda: cluster.running("/x"), limit=60)
                    cluster.marathon("DELETE", "/v2/apps/x?force=true")
                eventually(f"nothing is left ({stop})", lambda: not leftovers(cluster), limit=60)
                eventually("its deployments are over", lambda: not cluster.deployments())
            # The built-in bridge, at moments that nobody chooses.
            for _ in range(4):
                assert cluster.marathon("POST", "/v2/apps", app_of("/y", "sleep 1000", instances=3, mappings=[{"containerPort": 80, "hostPort": 0}])).status == 201
                time.sleep(0.15)
                cluster.kill("agent-1")
                eventually("all run", lambda: len(cluster.running("/y")) == 3, limit=60)
                cluster.marathon("DELETE", "/v2/apps/y?force=true")
                cluster.kill("agent-1")
                eventually("nothing is left", lambda: not leftovers(cluster) and not cluster.deployments(), limit=60)
    finally:
        shutil.rmtree(plugins, ignore_errors=True)


def runtime_directory_swept_away():
    """As after a reboot with the runtime directory on a tmpfs: the containers and their records are gone, their addresses are given back."""
    with cluster_with() as cluster:
        app = app_of("/x", "sleep 1000", instances=2, mappings=[{"containerPort": 80, "hostPort": 0}])
        assert cluster.marathon("POST", "/v2/apps", app).status == 201
        eventually("both run", lambda: len(cluster.running("/x")) == 2, limit=60)
        before = cluster.running("/x")

        def leases():
            return {p.name for p in Path(cluster.root, "run/cni-leases").glob("*/*") if re.match(r"^[0-9a-f.:]+$", p.name)}
        old = leases()
        assert len(old) == 2, old
        runtime, pid = Path(cluster.root, "run/agent-1"), cluster.daemon("agent-1")["pid"]
        os.kill(pid, signal.SIGSTOP)
        for file in runtime.glob("containers/*/pid"):
            os.kill(int(file.read_text().split()[0]), signal.SIGKILL)
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if line.split()[1].startswith(str(runtime))]
        for mount in reversed(mounts):
            sh(f"umount -l {mount}")
        for name in ("containers", "isolators"):
            shutil.rmtree(runtime / name)
        os.kill(pid, signal.SIGKILL)
        eventually("others run in their place", lambda: len(cluster.running("/x") - before) == 2, limit=90)
        eventually("only these have addresses", lambda: len(leases()) == 2 and not leases() & old, limit=60)


def policy():
    """Who may connect to whom, by labels: on one bridge, between two, through host ports; nobody lies about his address."""
    rules = {"rules": [{"from": {"labels": {"tier": "web"}}, "to": {"labels": {"tier": "db"}}, "ports": ["8000/tcp"], "action": "allow"},
                       {"to": {"labels": {"tier": "db"}}, "action": "deny"}]}
    networks = {"a.conf": bridge_config("a", "br-a", "10.82.0.0/24"), "b.conf": bridge_config("b", "br-b", "10.83.0.0/24")}
    with cluster_with(network_policy=json.dumps(rules), networks=networks) as cluster:
        def add(name, tier, network, cmd="sleep 1000", **more):
            cluster.add_app(app_of(name, cmd, networks=[{"mode": "container", "name": network, "labels": {"tier": tier}}], **more))
        add("/db", "db", "a", script(SERVER % 8000), mappings=[{"containerPort": 8000, "hostPort": 0}])
        add("/web", "web", "a")
        add("/other", "other", "a", script(SERVER % 8000))
        add("/far", "other", "b")
        add("/farweb", "web", "b")
        db, host_port = address_of(cluster, "/db"), task_of(cluster, "/db")["ports"][0]
        eventually("the machine itself gets through", lambda: get(db, 8000))

        def reaches(app, address=db, port=8000):
            return inside(cluster, app, f"curl -s -m 2 http://{address}:{port}").returncode == 0
        eventually("web may", lambda: reaches("/web"))
        assert reaches("/farweb")
        for app in ("/other", "/far"):
            assert not reaches(app), app
            assert not reaches(app, "10.82.0.1", host_port), app  # nor around the corner
            assert inside(cluster, app, f"busybox ping -c1 -W1 {db}").returncode != 0, app
        assert reaches("/web", address_of(cluster, "/other"))  # nothing is said of it
        assert inside(cluster, "/db", f"curl -s -m 2 http://{address_of(cluster, '/other')}:8000").returncode == 0  # answers come back
        # Somebody else's address is of no use.
        web = address_of(cluster, "/web")
        inside(cluster, "/other", f"ip addr add {web}/32 dev eth0")
        assert inside(cluster, "/other", f"curl -s -m 2 --interface {web} http://{db}:8000").returncode != 0
        # After a restart the rules are the same.
        cluster.kill("agent-1")
        assert reaches("/web") and not reaches("/other")


def two_agents():
    """Two agents on one machine and one bridge: each has its own table; the death of one is nothing to the other."""
    with cluster_with(agents=2) as cluster:
        cluster.add_app(app_of("/spread", script(SERVER % 8000), instances=2, constraints=[["rack", "UNIQUE"]], mappings=[{"containerPort": 8000, "hostPort": 0}]))
        ports = [t["ports"][0] for t in cluster.tasks("/spread").values()]
        addresses = {t["ipAddresses"][0]["ipAddress"] for t in cluster.tasks("/spread").values()}
        assert len(addresses) == 2, addresses
        for port in ports:
            eventually("each host port answers", lambda: get("127.0.0.1", port))
        assert len(re.findall(r"table inet dcos_net_", sh("nft list tables"))) == 2
        sh("nft add table inet others_table")
        cluster.kill("agent-1")
        for port in ports:
            assert get("127.0.0.1", port)
        assert "others_table" in sh("nft list tables")
        sh("nft delete table inet others_table")


def host_ports():
    """network/ports: a task on the host's network that listens on a port it was not given is told of, and ended if wanted."""
    isolation = "cgroups/cpu,cgroups/mem,namespaces/pid,namespaces/ipc,filesystem/linux,network/ports"
    listen = "exec python3 -m http.server %s --bind 127.0.0.1"
    for enforce in ("false", "true"):
        with cluster_with(isolation=isolation, container_ports_watch_interval="200ms", enforce_container_ports=enforce) as cluster:
            good = {"id": "/good", "cpus": 0.01, "mem": 32, "instances": 1, "cmd": listen % "$PORT0"}
            cluster.add_app(good)
            bad = {"id": "/bad", "cpus": 0.01, "mem": 32, "instances": 1, "cmd": listen % "18999", "ports": []}
            assert cluster.marathon("POST", "/v2/apps", bad).status == 201
            metric = "containerizer/networks/unallocated_ports"
            eventually("it is found", lambda: call(cluster.port("agent-1"), "GET", "/metrics/snapshot").json()[metric] > 0)
            if enforce == "true":
                failure = failure_of(cluster, "/bad")
                assert failure["state"] == "TASK_FAILED" and "unallocated ports [18999-18999]" in failure["message"], failure
            else:
                assert len(cluster.running("/bad")) == 1
            assert len(cluster.running("/good")) == 1


def ids_of_their_own():
    """namespaces/user: a user without powers serves port 80 in its own network; checks are run with the container's ids."""
    isolation = "cgroups/cpu,cgroups/mem,namespaces/pid,namespaces/ipc,filesystem/linux,namespaces/user"
    with cluster_with(isolation=isolation) as cluster:
        serve = "echo served > index.html; grep -q 65536 /proc/self/uid_map && exec busybox httpd -f -p 80 -h ."
        check = {"protocol": "COMMAND", "command": {"value": "test $(id -u) = 65534 && grep -q 65536 /proc/self/uid_map && test -s index.html"},
                 "intervalSeconds": 1, "gracePeriodSeconds": 60}
        cluster.add_app(app_of("/low", serve, mappings=[{"containerPort": 80, "hostPort": 0}], user="nobody", healthChecks=[check]))
        port = task_of(cluster, "/low")["ports"][0]
        assert eventually("its page", lambda: get("127.0.0.1", port)) == "served\n"
        eventually("it is healthy", lambda: [result["alive"] for result in task_of(cluster, "/low").get("healthCheckResults", [])] == [True])


def in_namespaces():
    """Runs this file again in a namespace that is the machine (with its cgroups, which ip-netns hides), and one beside it."""
    machine, beside = f"{TAG}m", f"{TAG}o"
    for name in (machine, beside):
        sh(f"ip netns add {name} && ip -n {name} link set lo up")
    try:
        sh(f"ip link add {TAG}a netns {machine} type veth peer name {TAG}b netns {beside}")
        for name, link, number in ((machine, f"{TAG}a", 1), (beside, f"{TAG}b", 2)):
            sh(f"ip -n {name} link set {link} name wire && ip -n {name} addr add 10.99.0.{number}/24 dev wire && "
               f"ip -n {name} addr add fd99::{number}/64 dev wire nodad && ip -n {name} link set wire up")
        child = subprocess.Popen(["nsenter", f"--net=/run/netns/{machine}", sys.executable, *sys.argv], env={**os.environ, "NETWORKS_OUTSIDE": beside, "NETWORKS_TAG": TAG})
        signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
        return child.wait()
    finally:
        for name in (machine, beside):
            sh(f"ip netns del {name}", check=False)
        shutil.rmtree(f"/tmp/{TAG}-leases", ignore_errors=True)


if __name__ == "__main__":
    if not OUTSIDE:
        sys.exit(in_namespaces())
    results.run("system/networks", [bridge_apps, docker_apps, both_families, stock_plugins, killed_at_each_verb, runtime_directory_swept_away, policy, two_agents, host_ports,
                                    ids_of_their_own])
