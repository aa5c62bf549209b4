#!/usr/bin/env python3
"""A cluster where everything speaks TLS: master, agent, gateway, scheduler and command line, with an authority made by openssl.

Also what is refused and how both sides say so, and certificates that change while tasks run.
"""

import base64
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results, zookeeper  # noqa: E402
from harness.cluster import BIN, Answer, eventually  # noqa: E402
from harness.ports import free_port, is_free  # noqa: E402

CREDENTIALS = {"credentials": [{"principal": name, "secret": f"{name}-secret"} for name in ("agents", "ops", "gateway", "runner", "guest")]}
ACLS = {"register_agents": [{"principals": {"values": ["agents"]}, "agents": {"type": "ANY"}},
                            {"principals": {"type": "ANY"}, "agents": {"type": "NONE"}}],
        "get_endpoints": [{"principals": {"values": ["ops", "gateway"]}, "paths": {"type": "ANY"}},
                          {"principals": {"type": "ANY"}, "paths": {"type": "NONE"}}]}


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Authority:
    """Makes certificates for 127.0.0.1 and localhost below one directory."""

    def __init__(self, directory, name):
        self.directory, self.name = Path(directory), name
        self.ca = str(self.directory / f"{name}-ca.pem")
        self.ca_key = str(self.directory / f"{name}-ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                "-keyout", self.ca_key, "-out", self.ca)

    def issue(self, name, days=30, cert=None, key=None):
        """The paths of certificate and key. With days < 0 the certificate has expired."""
        cert = cert or str(self.directory / f"{self.name}-{name}.pem")
        key = key or str(self.directory / f"{self.name}-{name}.key")
        request, fresh_cert, fresh_key = f"{cert}.csr", f"{cert}.new", f"{key}.new"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", fresh_key,
                "-out", request)
        extensions = Path(f"{cert}.ext")
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        if days >= 0:
            openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial", "-days", str(days), "-extfile",
                    str(extensions), "-out", fresh_cert)
        else:
            database = Path(f"{cert}.db")
            database.write_text("")
            config = Path(f"{cert}.cnf")
            config.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={database}\nnew_certs_dir={self.directory}\nrand_serial=yes\n"
                              "default_md=sha256\npolicy=p\nx509_extensions=x\nunique_subject=no\n[p]\ncommonName=supplied\n"
                              "[x]\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n")
            openssl("ca", "-batch", "-config", str(config), "-in", request, "-cert", self.ca, "-keyfile", self.ca_key, "-out", fresh_cert,
                    "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-notext")
        os.chmod(fresh_key, 0o600)
        os.rename(fresh_key, key)
        os.rename(fresh_cert, cert)
        return cert, key


class Daemon:
    def __init__(self, root, name, *arguments, environment=None):
        self.name, self.log = name, Path(root) / f"{name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **(environment or {})})

    def says(self, words):
        return words in self.log.read_text(errors="replace")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Place:
    """A temporary directory and the daemons started in it."""

    def __enter__(self):
        self.root = Path(tempfile.mkdtemp(prefix="dcos-tls-"))
        self.daemons = []
        self.authority = Authority(self.root, "authority")
        self.write("credentials.json", CREDENTIALS)
        self.write("acls.json", ACLS)
        for entry in CREDENTIALS["credentials"]:
            self.write(f"{entry['principal']}.json", entry)
        return self

    def __exit__(self, kind, value, trace):
        for daemon in reversed(self.daemons):
            daemon.close()
        if kind is not None:
            for daemon in self.daemons:
                print(f"--- {daemon.name}", *daemon.log.read_text(errors="replace").splitlines()[-25:], sep="\n", flush=True)
        shutil.rmtree(self.root, ignore_errors=True)

    def write(self, name, value):
        path = self.root / name
        path.write_text(json.dumps(value))
        os.chmod(path, 0o600)

    def file(self, name):
        return f"file://{self.root / name}"

    def start(self, name, *arguments, environment=None):
        daemon = Daemon(self.root, name, *arguments, environment=environment)
        self.daemons.append(daemon)
        return daemon

    def tls(self, name, authority=None):
        """Flags of a daemon with a certificate of the authority."""
        cert, key = (authority or self.authority).issue(name)
        return [f"--ssl_cert_file={cert}", f"--ssl_key_file={key}", f"--ssl_ca_file={(authority or self.authority).ca}"]

    def start_master(self, *flags):
        self.master_port = free_port()
        # The port behind the link's is for plain links, where both are taken.
        self.link_port = eventually("two ports in a row", lambda: next((p for p in (free_port(),) if is_free(p + 1)), None))
        return self.start("master", BIN / "dcos-master", "--ip=127.0.0.1", f"--port={self.master_port}",
                          f"--agent_link_port={self.link_port}", "--registry=in_memory", *flags)

    def start_agent(self, name, *flags, port=None, environment=None):
        port = port or free_port()
        agent = self.start(name, BIN / "dcos-agent", "--ip=127.0.0.1", f"--port={port}", f"--master=127.0.0.1:{self.master_port}",
                           f"--work_dir={self.root / name}", "--launcher=posix", "--isolation=posix/cpu,posix/mem",
                           f"--cgroups_root=dcos-tls-{name}", "--resources=cpus:2;mem:1024;disk:1024;ports:[31000-31100]",
                           "--registration_backoff_factor=100ms", *flags, environment=environment)
        agent.port = port
        return agent

    def call(self, port, path, principal=None, cert=None, authority=None, plain=False, method="GET", body=None):
        headers = {}
        if principal:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{principal}:{principal}-secret".encode()).decode()
        if plain:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        else:
            context = ssl.create_default_context(cafile=(authority or self.authority).ca)
            if cert:
                context.load_cert_chain(*cert)
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def agents(self, **how):
        return self.call(self.master_port, "/slaves", **how).json()["slaves"]

    def run_tasks(self, *flags, tasks=3):
        return subprocess.run([str(BIN / "dcos-run-tasks"), f"--tasks={tasks}", "--command=true", *flags], capture_output=True, text=True,
                              timeout=120)


def everything_speaks_tls():
    """Tasks run in a cluster of certificates and secrets; what has neither stays outside."""
    with Place() as place:
        client = place.authority.issue("client")
        secured = ["--ssl_require_client_cert", f"--acls={place.file('acls.json')}"]
        place.start_master(*place.tls("master"), *secured, f"--credentials={place.file('credentials.json')}", "--authenticate_agents",
                           "--authenticate_http_readonly", "--authenticate_http_readwrite", "--authenticate_http_frameworks")
        agent = place.start_agent("agent", *place.tls("agent"), *secured, f"--credential={place.file('agents.json')}",
                                  f"--http_credentials={place.file('credentials.json')}", "--authenticate_http_readonly",
                                  "--authenticate_http_readwrite")
        ops = {"principal": "ops", "cert": client}
        eventually("the agent registers", lambda: place.agents(**ops))
        assert agent.says("Authenticated with the master as principal 'agents'"), "the agent tells of its authentication"

        address = f"--master=https://127.0.0.1:{place.master_port}"
        done = place.run_tasks(address, *place.tls("runner"), f"--credential={place.file('runner.json')}")
        assert done.returncode == 0, done.stderr

        assert place.call(place.master_port, "/state", cert=client).status == 401
        assert place.call(place.master_port, "/metrics/snapshot", **ops).status == 200
        assert place.call(place.master_port, "/metrics/snapshot", principal="guest", cert=client).status == 403
        assert place.call(agent.port, "/state", cert=client).status == 401
        assert place.call(agent.port, "/state", **ops).json()["id"].endswith("-S0")
        assert place.call(agent.port, "/containers", principal="guest", cert=client).status == 403
        assert place.call(agent.port, "/health", cert=client).status == 200

        gateway_port, plain_port = free_port(), free_port()
        gateway = place.start("gateway", BIN / "dcos-admin-router", "--ip=127.0.0.1", f"--port={plain_port}", f"--https_port={gateway_port}",
                              address, "--auth=off", f"--data_dir={place.root / 'gateway'}", *place.tls("gateway"),
                              f"--upstream_credential={place.file('gateway.json')}")
        eventually("the gateway follows the master", lambda: gateway.says("following the master"))
        state = place.call(gateway_port, "/mesos/state")
        assert state.status == 200, state
        agent_id = state.json()["slaves"][0]["id"]
        assert place.call(gateway_port, f"/agent/{agent_id}/state").json()["id"] == agent_id
        assert place.call(plain_port, "/mesos/slaves", plain=True).status == 200

        home = place.root / "home"
        home.mkdir()
        environment = {**os.environ, "HOME": str(home), "DCOS_DIR": str(home / ".dcos")}

        def dcos(*words):
            return subprocess.run([str(BIN / "dcos"), *words], capture_output=True, text=True, timeout=60, env=environment)

        stranger = dcos("cluster", "setup", f"https://127.0.0.1:{gateway_port}")
        assert stranger.returncode != 0 and "certificate" in stranger.stderr, stranger.stderr
        known = dcos("cluster", "setup", f"https://127.0.0.1:{gateway_port}", f"--ca-certs={place.authority.ca}")
        assert known.returncode == 0, known.stderr
        for verify, good in ((place.authority.ca, True), ("true", False), ("false", True)):
            changed = dcos("config", "set", "core.ssl_verify", verify)
            assert changed.returncode == 0, changed.stderr
            nodes = dcos("node", "--json")
            assert (nodes.returncode == 0) == good, nodes.stderr
            assert (agent_id in nodes.stdout) if good else "certificate" in nodes.stderr, nodes


def refusals_are_told_on_both_sides():
    """Wrong authority, expired certificate, plain client, no client certificate, wrong secret: each says what is wrong."""
    with Place() as place:
        other = Authority(place.root, "other")
        client = place.authority.issue("client")
        master = place.start_master(*place.tls("master"), f"--credentials={place.file('credentials.json')}", "--authenticate_agents",
                                    "--ssl_verify_client_cert", f"--acls={place.file('acls.json')}")
        eventually("the master serves", lambda: place.call(place.master_port, "/health").status == 200)

        answer = place.call(place.master_port, "/state", plain=True)
        assert answer.status == 400 and b"https://" in answer.body, answer
        eventually("a line about it", lambda: master.says("it speaks plain HTTP where TLS is required"))

        plain = place.start_agent("plain")
        eventually("the plain agent says why", lambda: plain.says("answered 400 This port speaks TLS"))
        stranger = place.start_agent("stranger", *place.tls("stranger", other))
        eventually("the agent of another authority says why", lambda: stranger.says("the certificate is not accepted"))
        expired = place.authority.issue("expired", days=-1)
        old = place.start_agent("old", f"--ssl_cert_file={expired[0]}", f"--ssl_key_file={expired[1]}", f"--ssl_ca_file={place.authority.ca}")
        eventually("the agent knows that its certificate has expired", lambda: old.says("has expired"))
        eventually("and hears it", lambda: old.says("the other side refuses: certificate expired"))
        eventually("as the master says", lambda: master.says("certificate has expired"))
        try:
            place.call(place.master_port, "/health", cert=expired)
            raise AssertionError("an expired certificate was taken")
        except (ssl.SSLError, ConnectionError, http.client.HTTPException):
            pass
        try:
            place.call(place.master_port, "/health", authority=other)
            raise AssertionError("a certificate of another authority was taken")
        except ssl.SSLCertVerificationError:
            pass

        nobody = place.start_agent("nobody", *place.tls("nobody"))
        eventually("an agent without a credential is told", lambda: nobody.says("Agent is not authenticated"))
        eventually("and the master says so", lambda: master.says("refused an agent: Agent is not authenticated"))
        place.write("wrong.json", {"principal": "agents", "secret": "wrong"})
        wrong = place.start_agent("wrong", *place.tls("wrong"), f"--credential={place.file('wrong.json')}")
        eventually("an agent with a wrong secret is told", lambda: wrong.says("'agents' or its secret is wrong"))
        eventually("and the master says so", lambda: master.says("its secret is another than ours"))
        assert not wrong.says("-secret"), "no secret is in the log"
        guest = place.start_agent("guest", *place.tls("guest"), f"--credential={place.file('guest.json')}")
        eventually("an agent that may not register is told", lambda: guest.says("Not authorized to register agents as principal 'guest'"))
        assert place.agents(cert=client) == []


def certificates_change_without_a_restart():
    """New certificates of a new authority: connections go on, new ones use them, and an agent comes back by them."""
    with Place() as place:
        master_files, agent_files = place.authority.issue("master"), place.authority.issue("agent")
        bundle = place.root / "authorities.pem"
        shutil.copy(place.authority.ca, bundle)

        def flags(files):
            return [f"--ssl_cert_file={files[0]}", f"--ssl_key_file={files[1]}", f"--ssl_ca_file={bundle}", "--ssl_require_client_cert"]

        client = place.authority.issue("client")
        master = place.start_master(*flags(master_files))
        agent = place.start_agent("agent", *flags(agent_files))
        eventually("the agent registers", lambda: place.agents(cert=client))

        def replace(text):
            fresh = place.root / "authorities.new"
            fresh.write_text(text)
            os.rename(fresh, bundle)

        following = Authority(place.root, "following")
        both = Path(place.authority.ca).read_text() + Path(following.ca).read_text()
        replace(both)
        following.issue("master", cert=master_files[0], key=master_files[1])
        following.issue("agent", cert=agent_files[0], key=agent_files[1])
        new_client = following.issue("client")
        eventually("the master shows its new certificate",
                   lambda: place.call(place.master_port, "/health", authority=following, cert=new_client).status == 200)
        eventually("the agent shows its new certificate",
                   lambda: place.call(agent.port, "/health", authority=following, cert=new_client).status == 200)
        replace(Path(following.ca).read_text())
        for daemon in (master, agent):
            daemon.process.send_signal(signal.SIGHUP)

        def old_is_refused():
            try:
                place.call(place.master_port, "/health", authority=following, cert=client)
            except (ssl.SSLError, ConnectionError, http.client.HTTPException):
                return True
            return False

        eventually("the old authority counts no more", old_is_refused)
        agents = place.agents(authority=following, cert=new_client)
        assert len(agents) == 1 and agents[0]["active"], "the open link went on"

        # The link of a new connection: both sides have read the new files by now, gRPC's own watcher too.
        agent.close()
        agent = place.start_agent("agent", *flags(agent_files), port=agent.port)
        eventually("the agent is back by its new certificate",
                   lambda: agent.says("Reregistered with the master") and place.agents(authority=following, cert=new_client)[0]["active"])
        assert master.process.poll() is None


def a_cluster_changes_to_tls_step_by_step():
    """With downgrade a master takes agents and clients with TLS and without, on one port for HTTP."""
    with Place() as place:
        cert, key = place.authority.issue("master")
        # By the original's variables.
        place.master_port = free_port()
        place.link_port = eventually("two ports in a row", lambda: next((p for p in (free_port(),) if is_free(p + 1)), None))
        place.start("master", BIN / "dcos-master", "--ip=127.0.0.1", f"--port={place.master_port}", f"--agent_link_port={place.link_port}",
                    "--registry=in_memory",
                    environment={"LIBPROCESS_SSL_ENABLED": "true", "LIBPROCESS_SSL_CERT_FILE": cert, "LIBPROCESS_SSL_KEY_FILE": key,
                                 "LIBPROCESS_SSL_SUPPORT_DOWNGRADE": "true"})
        place.start_agent("plain")
        place.start_agent("secure", *place.tls("secure"))
        place.start_agent("careless", *place.tls("careless")[:2])  # without an authority nothing is checked, as in the original
        eventually("all agents register", lambda: len(place.agents()) == 3)
        assert len(place.agents(plain=True)) == 3
        for address in (f"127.0.0.1:{place.master_port}", f"https://127.0.0.1:{place.master_port}"):
            done = place.run_tasks(f"--master={address}", f"--ssl_ca_file={place.authority.ca}")
            assert done.returncode == 0, done.stderr


def the_gateway_finds_the_master_by_zookeeper():
    """--master=zk://...: the leading master is followed, and the next one after it."""
    if not zookeeper.available():
        raise results.Skip("no ZooKeeper on this machine")
    with Place() as place, zookeeper.Ensemble(place.root, [("127.0.0.1", [])], client_port=free_port()) as ensemble:
        url = f"zk://{ensemble.servers}/mesos"

        def master(name):
            place.master_port = free_port()
            return place.start(name, BIN / "dcos-master", "--ip=127.0.0.1", f"--port={place.master_port}", f"--agent_link_port={free_port()}",
                               f"--zk={url}", "--zk_session_timeout=4secs", "--quorum=1", *place.tls(name))

        first = master("first")
        port = free_port()
        place.start("gateway", BIN / "dcos-admin-router", "--ip=127.0.0.1", f"--port={port}", f"--master={url}", "--upstream_tls",
                    "--auth=off", f"--data_dir={place.root / 'gateway'}", f"--ssl_ca_file={place.authority.ca}")

        def leader():
            return place.call(port, "/mesos/state", plain=True).json()["leader"]

        eventually("the gateway reaches the first master", lambda: leader() == f"master@127.0.0.1:{place.master_port}", limit=60)
        master("second")
        first.close()
        eventually("and then the second", lambda: leader() == f"master@127.0.0.1:{place.master_port}", limit=60)


if __name__ == "__main__":
    results.run("tls", [everything_speaks_tls, refusals_are_told_on_both_sides, certificates_change_without_a_restart,
                        a_cluster_changes_to_tls_step_by_step, the_gateway_finds_the_master_by_zookeeper])
