"""Container images for tests: made from the machine's own static busybox, pushed to Debian's docker-registry on the loopback."""

import base64
import crypt
import gzip
import hashlib
import http.client
import http.server
import io
import json
import os
import shutil
import socketserver
import ssl
import subprocess
import tarfile
import tempfile
import threading
import time
from pathlib import Path

from harness.cluster import eventually
from harness.ports import free_port
from harness.results import Skip

BUSYBOX = "/bin/busybox"
TOOLS = ("sh", "ls", "cat", "id", "pwd", "env", "echo", "sleep", "touch", "test", "httpd", "nc", "stat", "true", "head", "wc", "mkdir")


def need_tools():
    if not os.path.exists(BUSYBOX):
        raise Skip("busybox-static is not installed")
    if not shutil.which("docker-registry"):
        raise Skip("docker-registry is not installed")


def layer(files=(), removed=(), links=(), base=False):
    """The tar of one layer. `files`: (name, bytes, mode, uid); `removed`: names that lower layers have."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        def add(name, content=b"", mode=0o644, uid=0, kind=tarfile.REGTYPE, link=""):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid, entry.gid, entry.type, entry.linkname = len(content), mode, uid, uid, kind, link
            tar.addfile(entry, io.BytesIO(content))
        if base:
            add("bin", mode=0o755, kind=tarfile.DIRTYPE)
            add("bin/busybox", Path(BUSYBOX).read_bytes(), 0o755)
            for tool in TOOLS:
                add(f"bin/{tool}", kind=tarfile.SYMTYPE, link="busybox")
            add("etc/passwd", b"root:x:0:0::/root:/bin/sh\napp:x:1234:1234::/home/app:/bin/sh\n")
            add("etc/group", b"root:x:0:\napp:x:1234:\n")
            add("tmp", mode=0o1777, kind=tarfile.DIRTYPE)
        for name, content, mode, uid in files:
            add(name, content, mode, uid)
        for name, target in links:
            add(name, kind=tarfile.SYMTYPE, link=target)
        for name in removed:
            folder, _, leaf = name.rpartition("/")
            add(f"{folder}/.wh.{leaf}" if folder else f".wh.{leaf}")
    return out.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def configuration(layers, config):
    return json.dumps({"architecture": "amd64" if os.uname().machine == "x86_64" else "arm64", "os": "linux", "config": config,
                       "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in layers]}}).encode()


def docker_archive(path, tag, layers, config):
    """What `docker save` writes."""
    text = configuration(layers, config)
    with tarfile.open(path, "w") as tar:
        members = [(digest(text)[7:] + ".json", text)] + [(f"{n}/layer.tar", one) for n, one in enumerate(layers)]
        members.append(("manifest.json", json.dumps([{"Config": members[0][0], "RepoTags": [tag],
                                                      "Layers": [name for name, _ in members[1:]]}]).encode()))
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


class Registry:
    """with Registry() as registry: ...   `users`: {name: password}; then everything needs a login. `tls`: with a certificate of its own."""

    def __init__(self, users=None, tls=False):
        need_tools()
        self.tls = tls
        self.users = users or {}
        self.root = tempfile.mkdtemp(prefix="dcos-registry-")
        self.port = 0
        self.process = None

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        self.port = free_port()
        self.start()
        return self

    def start(self):
        config = {"version": "0.1", "log": {"level": "error"}, "http": {"addr": self.host},
                  "storage": {"filesystem": {"rootdirectory": f"{self.root}/data"}, "delete": {"enabled": True}}}
        if self.tls:
            key, certificate = f"{self.root}/key.pem", f"{self.root}/certificate.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
            config["http"]["tls"] = {"certificate": certificate, "key": key}
        if self.users:
            lines = [f"{name}:{crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=32))}" for name, password in self.users.items()]
            Path(self.root, "htpasswd").write_text("\n".join(lines) + "\n")
            config["auth"] = {"htpasswd": {"realm": "test", "path": f"{self.root}/htpasswd"}}
        Path(self.root, "config.yml").write_text(json.dumps(config))
        log = open(f"{self.root}/log", "ab")
        self.process = subprocess.Popen(["docker-registry", "serve", f"{self.root}/config.yml"], stdout=log, stderr=log,
                                        env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"})
        log.close()
        eventually("the registry answers", lambda: self.request("GET", "/v2/")[0] in (200, 401))

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        for name, password in self.users.items():
            headers["Authorization"] = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
        if self.tls:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def upload(self, repository, data):
        status, headers, body = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        assert status == 202, (status, body)
        where = headers["Location"].split(self.host, 1)[-1]
        status, _, body = self.request("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest(data)}", data,
                                       {"Content-Type": "application/octet-stream"})
        assert status == 201, (status, body)
        return {"size": len(data), "digest": digest(data)}

    def push(self, name, layers, config, level=1):
        """`name`: repository:tag. Returns the manifest's digest."""
        repository, tag = name.rsplit(":", 1)
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        text = configuration(layers, config)
        manifest = {"schemaVersion": 2, "mediaType": kind,
                    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **self.upload(repository, text)},
                    "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                                **self.upload(repository, gzip.compress(one, level, mtime=0))} for one in layers]}
        data = json.dumps(manifest).encode()
        status, _, body = self.request("PUT", f"/v2/{repository}/manifests/{tag}", data, {"Content-Type": kind})
        assert status == 201, (status, body)
        return digest(data)

    def blob_files(self):
        return [path for path in Path(self.root, "data/docker/registry/v2/blobs").glob("sha256/*/*/data")]


class SlowProxy:
    """Before a registry: blobs above 64 KiB come at `rate` bytes a second until told otherwise."""

    def __init__(self, registry, rate):
        proxy = self
        self.rate, self.blobs_begun = rate, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                status, headers, body = registry.request("GET", self.path, headers={"Accept": self.headers.get("Accept", "*/*")})
                self.send_response(status)
                for key in ("Content-Type", "Docker-Content-Digest"):
                    if key in headers:
                        self.send_header(key, headers[key])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                slow = "/blobs/" in self.path and len(body) > 65536
                proxy.blobs_begun += slow
                at = 0
                try:
                    while at < len(body):
                        step = max(1, proxy.rate // 20) if slow and proxy.rate else len(body)
                        self.wfile.write(body[at:at + step])
                        self.wfile.flush()
                        at += step
                        if slow and proxy.rate:
                            time.sleep(0.05)
                except OSError:
                    self.close_connection = True

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
