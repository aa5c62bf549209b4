#!/usr/bin/env python3
"""Every package of the bundled catalog on a real cluster: installed by the command line, used by a real client, removed.

Also: options that do not validate, repositories that are malformed, slow, huge or gone, and a framework torn down.
"""

import contextlib
import http.server
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, Cluster, call, eventually  # noqa: E402

NEEDS = {"redis": "redis-server", "memcached": "memcached", "postgresql": "psql", "nginx": "nginx", "static-web": "python3"}
cluster = None


def dcos(*words, check=True, stdin=None):
    environment = {**os.environ, "DCOS_URL": cluster.url, "DCOS_DIR": f"{cluster.root}/home"}
    done = subprocess.run([str(BIN / "dcos"), *words], env=environment, input=stdin, capture_output=True, text=True, timeout=60)
    if check:
        assert done.returncode == 0, f"dcos {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def cosmos(path, body, headers=None):
    """A request to the package service itself."""
    return call(cluster.port("universe"), "POST", path, body, headers={"Accept": "application/json", **(headers or {})})


def options_file(options):
    path = Path(cluster.root, "options.json")
    path.write_text(json.dumps(options))
    return str(path)


@contextlib.contextmanager
def installed(package, options=None):
    """The package with a healthy task; yields its host and port. Afterwards it is uninstalled and gone."""
    if not shutil.which(NEEDS[package], path=os.environ["PATH"] + ":/usr/sbin"):
        raise results.Skip(f"{NEEDS[package]} is not installed: installer/packages demo")
    words = ["--options", options_file(options)] if options else []
    done = dcos("package", "install", package, "--yes", *words)
    assert f"Installing Marathon app for package [{package}]" in done.stderr, done.stderr

    def healthy():
        app = cluster.marathon("GET", f"/v2/apps/{package}").json()["app"]
        return app["tasksHealthy"] == app["instances"] and app

    app = eventually(f"{package} is healthy", healthy, limit=60)
    assert app["user"] == "nobody"
    task = next(iter(cluster.tasks(package).values()))
    try:
        yield task["host"], task["ports"][0]
    finally:
        done = dcos("package", "uninstall", package, "--yes")
    assert f"Uninstalled package [{package}]" in done.stderr, done.stderr
    eventually(f"{package} is gone", lambda: cluster.marathon("GET", f"/v2/apps/{package}").status == 404)

    def closed():
        try:
            socket.create_connection((task["host"], task["ports"][0]), 1).close()
            return False
        except OSError:
            return True

    eventually(f"the process of {package} has ended", closed)
    assert dcos("package", "list", package, check=False).returncode == 1


def resolve(name):
    """The address that the cluster's name service gives for a name; "" when it has none."""
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(3)
        asker.sendto(struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + question,
                     (f"127.53.{cluster.offset // 250}.{cluster.offset % 250 + 1}", 53))
        answer = asker.recv(512)
    return socket.inet_ntoa(answer[-4:]) if struct.unpack(">HHHHHH", answer[:12])[3] else ""


def command_lines():
    return [entry.read_bytes() for entry in Path("/proc").glob("[0-9]*/cmdline") if entry.exists()]


def redis():
    """redis with a password: SET and GET by redis-cli, by its name too; none without the password, which is in no argv."""
    with installed("redis", {"redis": {"password": "s3cret-42", "appendonly": True}}) as (host, port):
        def cli(*words, password="s3cret-42"):
            return subprocess.run(["redis-cli", "-h", host, "-p", str(port), *words], capture_output=True, text=True, timeout=20,
                                  env={**os.environ, "REDISCLI_AUTH": password}).stdout.strip()

        assert cli("SET", "greeting", "hello") == "OK"
        assert cli("GET", "greeting") == "hello"
        assert "NOAUTH" in subprocess.run(["redis-cli", "-h", host, "-p", str(port), "GET", "greeting"], capture_output=True,
                                          text=True, timeout=20).stdout
        assert cli("CONFIG", "GET", "maxmemory").split() == ["maxmemory", str(64 << 20)]
        assert not [line for line in command_lines() if b"s3cret-42" in line]
        if any(d["name"] == "l4lb" for d in cluster.status()["daemons"]):
            vip = eventually("its name resolves", lambda: resolve("redis.marathon.l4lb.thisdcos.directory"))
            eventually("it answers at its name", lambda: subprocess.run(
                ["redis-cli", "-h", vip, "-p", "6379", "GET", "greeting"], capture_output=True, text=True, timeout=20,
                env={**os.environ, "REDISCLI_AUTH": "s3cret-42"}).stdout.strip() == "hello")


def memcached():
    """memcached: a value set and read back over its protocol."""
    with installed("memcached", {"memcached": {"cache_mb": 32}}) as (host, port):
        with socket.create_connection((host, port), 10) as connection:
            connection.sendall(b"set k 0 0 5\r\nvalue\r\nget k\r\nstats settings\r\n")
            answer = b""
            while b"STAT maxbytes" not in answer:
                piece = connection.recv(4096)
                assert piece, answer
                answer += piece
        assert answer.startswith(b"STORED\r\nVALUE k 0 5\r\nvalue\r\nEND\r\n"), answer
        assert b"STAT maxbytes %d" % (32 << 20) in answer, answer


def postgresql():
    """postgresql: a table made, filled and read by psql; without the password no entry."""
    with installed("postgresql", {"postgresql": {"user": "owner", "database": "shop", "password": "pw-7"}}) as (host, port):
        def psql(sql, password="pw-7"):
            return subprocess.run(["psql", "-h", host, "-p", str(port), "-U", "owner", "-d", "shop", "-AtqX", "-c", sql],
                                  env={**os.environ, "PGPASSWORD": password}, capture_output=True, text=True, timeout=30)

        assert psql("create table t (a int); insert into t select generate_series(1, 1000)").returncode == 0
        assert psql("select sum(a) from t").stdout.strip() == "500500"
        refused = psql("select 1", password="wrong")
        assert refused.returncode != 0 and "authentication failed" in refused.stderr, refused
        assert not [line for line in command_lines() if b"pw-7" in line]


def nginx():
    """nginx: the given page, through the gateway too; two instances."""
    page = "<p>\"quotes\", $HOME, `date` and umlauts: ü</p>"
    with installed("nginx", {"nginx": {"index": page}, "service": {"instances": 2}}) as (host, port):
        assert call(port, "GET", "/", host=host).body.decode() == page + "\n"
        eventually("the gateway serves it", lambda: page in call(cluster.port("gateway"), "GET", "/service/nginx/").body.decode())
        assert len(cluster.running("nginx")) == 2


def static_web():
    """static-web: the given page; the service is updated in place to another one."""
    with installed("static-web", {"web": {"index": "one"}}) as (host, port):
        assert call(port, "GET", "/", host=host).body == b"one\n"
        known = cosmos("/service/describe", {"appId": "static-web"}).json()
        assert known["userProvidedOptions"] == {"web": {"index": "one"}} and known["resolvedOptions"]["service"]["cpus"] == 0.1
        changed = cosmos("/service/update", {"appId": "static-web", "replace": False, "options": {"web": {"index": "two"}}})
        assert changed.status == 200, changed

        def served():
            task = next(iter(cluster.tasks("static-web").values()))
            return call(task["ports"][0], "GET", "/", host=task["host"]).body == b"two\n"

        eventually("the new page is served", served, limit=60)
        moved = cosmos("/service/update", {"appId": "static-web", "replace": False, "options": {"service": {"name": "else"}}})
        assert moved.json()["type"] == "AppIdChanged", moved


def missing_binaries():
    """Each package's command says in one sentence what is not installed and which Debian package has it."""
    for package, needed in NEEDS.items():
        app = json.loads(dcos("package", "describe", package, "--app", "--render").stdout)
        command = app["cmd"].replace("/usr/lib/postgresql/", "/nonexistent/").replace("PATH=$PATH:/usr/sbin; ", "")
        done = subprocess.run(["/bin/sh", "-c", command], env={"PATH": "/nonexistent"}, capture_output=True, text=True, timeout=20)
        assert done.returncode == 127, (package, done)
        assert "is not installed on this agent: apt-get install" in done.stderr, (package, done.stderr)


def refusals():
    """Options that do not validate: all errors at once with their places; unknown packages; a second install; cancelling."""
    bad = options_file({"redis": {"password": "a b", "maxmemory_policy": "x", "bogus": 1}, "service": {"cpus": "1"}})
    done = dcos("package", "install", "redis", "--yes", "--options", bad, check=False)
    assert done.returncode == 1
    for place in ("/redis/password:", "/redis/maxmemory_policy:", "/redis:", "/service/cpus:"):
        assert f"\n  {place}" in done.stderr, done.stderr
    assert cluster.marathon("GET", "/v2/apps/redis").status == 404
    assert dcos("package", "install", "no-such", "--yes", check=False).stderr.endswith("Package [no-such] not found\n")
    assert "Version [9] of package [redis] not found" in dcos("package", "describe", "redis", "--package-version=9", check=False).stderr
    assert "couldn't get confirmation" in dcos("package", "install", "static-web", check=False, stdin="no\n").stderr
    dcos("package", "install", "static-web", "--app-id=/a/one", stdin="yes\n")
    assert "Package is already installed" in dcos("package", "install", "static-web", "--yes", "--app-id=/a/one", check=False).stderr
    dcos("package", "install", "static-web", "--yes", "--app-id=/a/two")
    ambiguous = dcos("package", "uninstall", "static-web", "--yes", check=False)
    assert "Multiple apps named [static-web] are installed: [/a/one, /a/two]" in ambiguous.stderr, ambiguous.stderr
    typo = dcos("package", "uninstall", "static-web", "--all", stdin="x\ny\nz\n", check=False)
    assert typo.returncode == 1 and typo.stderr.endswith("Error: cancelling uninstall\n"), typo.stderr
    dcos("package", "uninstall", "static-web", "--all", stdin="uninstall all static-web\n")
    eventually("both are gone", lambda: not cosmos("/package/list", {}).json()["packages"])


def package_json(name="tool", version="1.0", release=0, **more):
    return {"packagingVersion": "4.0", "name": name, "version": version, "releaseVersion": release, "description": f"the {name}",
            "maintainer": "m", "tags": [], **more}


class Repository:
    """An HTTP server whose answer can be exchanged."""

    def __init__(self):
        self.body, self.kind, self.wait, self.status = b"", "application/json", 0.0, 200
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                time.sleep(owner.wait)
                with contextlib.suppress(OSError):
                    self.send_response(owner.status)
                    self.send_header("Content-Type", owner.kind)
                    self.send_header("Content-Length", str(len(owner.body)))
                    self.end_headers()
                    self.wfile.write(owner.body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/repo"

    def serve(self, *packages):
        self.body = json.dumps({"packages": list(packages)}).encode()


def source_state(uri):
    answer = call(cluster.port("universe"), "GET", "/package/repository/status").json()
    return next(r for r in answer["repositories"] if r["uri"] == uri)


def repositories():
    """Repositories: a bad package is set aside, a malformed, slow or gone source keeps its last copy, also over a restart."""
    repository = Repository()
    repository.serve(package_json(), package_json(name="Bad Name"), 7)
    dcos("package", "repo", "add", "mine", repository.url, "--index=0")
    assert dcos("package", "repo", "list").stdout.splitlines()[0] == f"mine: {repository.url}"
    assert "tool" in dcos("package", "search", "tool").stdout
    state = source_state(repository.url)
    assert state["state"] == "ok" and state["packageVersions"] == 1 and state["setAsideCount"] == 2, state
    assert "/name must be" in state["setAside"][0]["reason"], state

    # What is wrong with an address is told to who adds it.
    other = Repository()
    for body, kind, status, text in ((b"<html>", "text/html", 200, "Unsupported Content-Type: text/html"),
                                     (b"{]", "application/json", 200, "Could not access data"),
                                     (b"", "application/json", 404, "GET 404")):
        other.body, other.kind, other.status = body, kind, status
        refused = dcos("package", "repo", "add", "other", other.url, check=False)
        assert refused.returncode == 1 and text in refused.stderr, refused.stderr
    assert "unsupported scheme" in dcos("package", "repo", "add", "other", "ftp://x/y", check=False).stderr
    assert "already present" in dcos("package", "repo", "add", "mine", "http://127.0.0.1:1/", check=False).stderr

    # Gone, then the daemon is killed: the copy on disk serves.
    repository.server.shutdown()
    repository.server.server_close()
    before = cluster.daemon("universe")["pid"]
    os.kill(before, 9)
    eventually("universe is back", lambda: cluster.daemon("universe")["pid"] not in (0, before)
               and call(cluster.port("universe"), "GET", "/health").status == 200)
    assert "tool" in dcos("package", "search", "tool").stdout
    eventually("its source is known to be gone", lambda: source_state(repository.url)["state"] == "stale")
    dcos("package", "repo", "remove", "mine")
    assert "no packages found" in dcos("package", "search", "tool", check=False).stderr


def directories():
    """A directory in the layout of a repository, added by its path; one package of it is malformed."""
    top = Path(cluster.root, "my-repo", "packages")
    for name, text in (("T/tree/0", json.dumps(package_json(name="tree"))), ("B/broken/0", "{")):
        (top / name).mkdir(parents=True)
        (top / name / "package.json").write_text(text)
    dcos("package", "repo", "add", "tree", str(top.parent))
    assert "tree" in dcos("package", "search", "tree").stdout
    assert [s["package"] for s in source_state(f"file://{top.parent}")["setAside"]] == ["broken/0"]
    dcos("package", "repo", "remove", "tree")


def slow_repository():
    """While a repository hangs, every other request is answered."""
    slow = Repository()
    slow.serve(package_json(name="late"))
    slow.wait = 3
    adding = threading.Thread(target=lambda: cosmos("/package/repository/add", {"name": "slow", "uri": slow.url}))
    adding.start()
    answered = 0
    while adding.is_alive():
        assert cosmos("/package/search", {"query": "redis"}).status == 200
        answered += 1
        time.sleep(0.05)
    adding.join()
    assert answered > 10, answered
    assert cosmos("/package/describe", {"packageName": "late"}).status == 200
    dcos("package", "repo", "remove", "slow")


def main():
    global cluster
    root = tempfile.mkdtemp(prefix="dcos-test-")
    os.chmod(root, 0o755)  # tasks run as nobody and use paths below it
    cluster = Cluster(agents=1, root=root)
    with cluster:
        results.run("system/packages", [redis, memcached, postgresql, nginx, static_web, missing_binaries, refusals, repositories,
                                        directories, slow_repository])


main()
