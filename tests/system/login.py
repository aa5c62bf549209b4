#!/usr/bin/env python3
"""Login on a real cluster: who gets in, who does not, how fast a session ends, what survives kill -9, what lies on disk."""

import base64
import json
import os
import pty
import signal
import socket
import stat
import subprocess
import sys
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import results  # noqa: E402
from harness.cluster import BIN, Cluster, call, eventually  # noqa: E402
from harness.ports import free_port  # noqa: E402


def encode(data):
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def metadata(cluster, headers):
    return call(cluster.port("gateway"), "GET", "/metadata", headers=headers).status


def works(cluster, token):
    return metadata(cluster, {"Authorization": f"token={token}"}) == 200


def people_log_in(cluster):
    """A password makes a token of the original's form; header, bearer and cookie carry it; a bad header is not rescued."""
    for path in ("/metadata", "/mesos/state-summary", "/service/marathon/v2/info", "/agent/x/state", "/acs/api/v1/users",
                 "/pkgpanda/active.buildinfo.full.json", "/nginx/metrics"):
        refused = call(cluster.port("gateway"), "GET", path)
        assert refused.status == 401, (path, refused)
        assert refused.headers["WWW-Authenticate"] == "oauthjwt" and refused.headers["Content-Type"].startswith("text/html")
    for path in ("/", "/health", "/dcos-metadata/ui-config.json", "/acs/api/v1/auth/providers", "/acs/api/v1/auth/jwks"):
        assert call(cluster.port("gateway"), "GET", path).status == 200, path
    token = cluster.token()
    header, payload, _ = token.split(".")
    assert decode(header)["alg"] == "RS256" and decode(header)["typ"] == "JWT"
    claims = decode(payload)
    assert claims["uid"] == "admin" and abs(claims["exp"] - time.time() - 5 * 86400) < 60, claims
    for headers in ({"Authorization": f"token={token}"}, {"Authorization": f"Bearer {token}"},
                    {"Cookie": f"a=b; dcos-acs-auth-cookie={token}"}):
        assert metadata(cluster, headers) == 200, headers
    assert metadata(cluster, {"Authorization": "token=", "Cookie": f"dcos-acs-auth-cookie={token}"}) == 401
    assert metadata(cluster, {"Authorization": "token=x", "Cookie": f"dcos-acs-auth-cookie={token}"}) == 401
    assert cluster.gateway("GET", "/service/marathon/v2/info").status == 200
    assert cluster.gateway("GET", "/mesos/state-summary").json()["cluster"] == "dev"


def bad_tokens_get_nowhere(cluster):
    """Tampered, unsigned, foreign, expired and oversized tokens are refused."""
    token = cluster.token()
    header, payload, signature = token.split(".")
    claims = decode(payload)
    for bad in (f"{header}.{encode({**claims, 'uid': 'root'})}.{signature}",
                f"{header}.{encode({**claims, 'exp': claims['exp'] + 1})}.{signature}",
                f"{encode({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
                f"{encode({'alg': 'none', 'typ': 'JWT'})}.{payload}.{signature}",
                f"{encode({'alg': 'HS256', 'typ': 'JWT'})}.{payload}.{signature}",
                f"{header}.{payload}.{signature[:-4]}AAAA", f"{header}.{payload}", token + "." + signature,
                f"{header}.{payload}.{signature}" + "A" * 5000, "." * 3, "a" * 4000):
        assert not works(cluster, bad), bad
    assert works(cluster, token)


def services_log_in_with_a_key(cluster):
    """A service account's signed login token is exchanged for one of the cluster; another key, user or time is not."""
    folder = Path(cluster.root)
    for name in ("good", "other"):
        subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out",
                        str(folder / f"{name}.pem")], check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", str(folder / "good.pem"), "-pubout"], check=True,
                            capture_output=True, text=True).stdout
    made = cluster.gateway("PUT", "/acs/api/v1/users/robot", {"public_key": public, "description": "A robot"})
    assert made.status == 201 and made.body == b"", made

    def exchange(key="good", uid="robot", exp=300, body_uid="robot", **more):
        text = encode({"alg": "RS256", "typ": "JWT"}) + "." + encode({"uid": uid, "exp": int(time.time()) + exp})
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(folder / f"{key}.pem")], input=text.encode(),
                                check=True, capture_output=True).stdout
        return call(cluster.port("gateway"), "POST", "/acs/api/v1/auth/login",
                    {"uid": body_uid, "token": f"{text}.{encode(signed)}", **more})

    good = exchange()
    assert good.status == 200 and works(cluster, good.json()["token"]), good
    for wrong in (dict(key="other"), dict(uid="admin"), dict(exp=-10), dict(body_uid="nobody")):
        assert exchange(**wrong).status == 401, wrong
    endless = exchange(**{"exp": 300}).json()["token"]
    assert "exp" in decode(endless.split(".")[1])
    listed = cluster.gateway("GET", "/acs/api/v1/users?type=service").json()["array"]
    assert [user["uid"] for user in listed] == ["robot"] and listed[0]["is_service"]


def sessions_end_at_once(cluster):
    """Logout, a new password and a deleted user each end the sessions they should within a second, and no others."""
    assert cluster.gateway("PUT", "/acs/api/v1/users/ann", {"password": "ann-secret", "description": "Ann"}).status == 201
    assert cluster.gateway("PUT", "/acs/api/v1/users/ann", {"password": "ann-secret"}).status == 409
    first, second = (cluster.log_in("ann", "ann-secret").json()["token"] for _ in range(2))
    assert first != second and works(cluster, first) and works(cluster, second)

    def ends(token, act):
        done = act()
        assert done.status in (200, 204), done
        assert not works(cluster, token)  # asked right after the answer: nothing to wait for

    ends(first, lambda: call(cluster.port("gateway"), "GET", "/acs/api/v1/auth/logout",
                             headers={"Cookie": f"dcos-acs-auth-cookie={first}"}))
    assert works(cluster, second)
    ends(second, lambda: cluster.gateway("PATCH", "/acs/api/v1/users/ann", {"password": "ann-secret-2"}))
    assert cluster.log_in("ann", "ann-secret").status == 401
    third = cluster.log_in("ann", "ann-secret-2").json()["token"]
    assert works(cluster, third)
    ends(third, lambda: cluster.gateway("DELETE", "/acs/api/v1/users/ann"))
    # A user of the same name is another user.
    assert cluster.gateway("PUT", "/acs/api/v1/users/ann", {"password": "ann-secret-2"}).status == 201
    assert not works(cluster, third)
    assert cluster.gateway("DELETE", "/acs/api/v1/users/ann").status == 204
    unknown = cluster.gateway("GET", "/acs/api/v1/users/ann")
    assert unknown.status == 400 and unknown.json()["code"] == "ERR_UNKNOWN_USER_ID"
    assert works(cluster, cluster.token())


def streams_end_with_their_session(cluster):
    """An event stream that was opened by a session is cut when the session ends; one of another session goes on."""
    assert cluster.gateway("PUT", "/acs/api/v1/users/sam", {"password": "sam-secret"}).status == 201

    def stream(token):
        peer = socket.create_connection(("127.0.0.1", cluster.port("gateway")), timeout=10)
        peer.sendall(b"GET /service/marathon/v2/events HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n"
                     b"Authorization: token=" + token.encode() + b"\r\n\r\n")
        assert b" 200 " in peer.recv(4096).split(b"\r\n")[0]
        return peer

    token = cluster.log_in("sam", "sam-secret").json()["token"]
    mine, other = stream(token), stream(cluster.token())
    assert call(cluster.port("gateway"), "GET", "/acs/api/v1/auth/logout", headers={"Authorization": f"token={token}"}).status == 200
    while mine.recv(65536):  # a timeout of ten seconds fails the test
        pass
    other.settimeout(1)
    try:
        while True:
            assert other.recv(65536), "the other session's stream was cut"
    except TimeoutError:
        pass
    mine.close(), other.close()
    assert cluster.gateway("DELETE", "/acs/api/v1/users/sam").status == 204


def a_killed_gateway_forgets_nothing(cluster):
    """kill -9: users, tokens and ended sessions are as before, and no session comes back."""
    assert cluster.gateway("PUT", "/acs/api/v1/users/eve", {"password": "eve-secret"}).status == 201
    kept, ended = (cluster.log_in("eve", "eve-secret").json()["token"] for _ in range(2))
    assert call(cluster.port("gateway"), "GET", "/acs/api/v1/auth/logout",
                headers={"Authorization": f"token={ended}"}).status == 200
    pid = cluster.daemon("gateway")["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually("the gateway is back", lambda: call(cluster.port("gateway"), "GET", "/health").status == 200)
    assert cluster.daemon("gateway")["pid"] != pid
    assert works(cluster, kept) and works(cluster, cluster.token())
    assert not works(cluster, ended)
    assert cluster.log_in("eve", "eve-secret").status == 200


def secrets_stay_where_they_belong(cluster):
    """Nothing of the login can be read by others; no password or token is in a log, an argument or another file."""
    login = Path(cluster.root, "gateway", "login")
    assert stat.S_IMODE(login.stat().st_mode) == 0o700
    names = {entry.name for entry in login.iterdir()}
    assert {"key.pem", "users.db", "api.sock"} <= names, names
    for entry in login.iterdir():
        assert stat.S_IMODE(entry.stat().st_mode) & 0o077 == 0, (entry, oct(entry.stat().st_mode))
    assert not Path(cluster.root, "run", "owner-password").exists()
    secrets = [cluster.password.encode(), b"eve-secret", cluster.token().encode(), cluster.token().split(".")[2].encode()]
    for file in [p for p in Path(cluster.root).rglob("*") if p.is_file() and not p.is_symlink()]:
        content = file.read_bytes()
        for secret in secrets:
            assert secret not in content, f"{file} holds a secret"
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            assert not any(secret in told for secret in secrets), f"process {entry.name} was told a secret"


def a_lost_password_is_replaced(cluster):
    """installer/dev password: the old password and its sessions end, the new one works."""
    old_token, old = cluster.token(), cluster.password
    cluster.dev("password")
    assert cluster.password != old
    cluster._token = None
    eventually("the new password works", lambda: cluster.log_in().status == 200)
    assert not works(cluster, old_token)
    assert cluster.log_in(password=old).status == 401


def the_command_line_logs_in(cluster):
    """dcos: setup by password file and by typing it, commands with the token, logout ends the session on the cluster."""
    home = Path(cluster.root, "home")
    home.mkdir(exist_ok=True)
    secret = home / "password"
    secret.touch(mode=0o600)
    secret.write_text(cluster.password)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DCOS_")} | {"DCOS_DIR": str(home / ".dcos")}

    def dcos(*words, code=0):
        done = subprocess.run([str(BIN / "dcos"), *words], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == code, (words, done)
        return done

    dcos("cluster", "setup", cluster.url, "--username=admin", f"--password-file={secret}")
    token = dcos("config", "show", "core.dcos_acs_token").stdout.strip()
    assert works(cluster, token)
    assert stat.S_IMODE(next(home.glob(".dcos/clusters/*/dcos.toml")).stat().st_mode) == 0o600
    assert "127.0.0.1" in dcos("node").stdout
    assert "marathon" in dcos("service").stdout
    assert "hello" in dcos("task").stdout and "/hello" in dcos("marathon", "app", "list").stdout
    eventually("the task's log can be read", lambda: dcos("task", "log", "hello", "stderr").returncode == 0)
    assert "dcos-users" in dcos("auth", "list-providers").stdout
    dcos("auth", "logout")
    assert not works(cluster, token)
    assert "please run `dcos auth login`" in dcos("node", code=1).stderr
    assert "give --username and --password-file" in dcos("auth", "login", code=1).stderr

    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BIN / "dcos", ["dcos", "auth", "login"], environment)
    shown = read_until(terminal, b"Username: ")
    os.write(terminal, b"admin\n")
    shown += read_until(terminal, b"Password: ")
    eventually("the terminal does not echo", lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO)
    os.write(terminal, cluster.password.encode() + b"\n")
    shown += read_until(terminal, None)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    os.close(terminal)
    assert cluster.password.encode() not in shown, shown
    assert "127.0.0.1" in dcos("node").stdout
    secret.unlink()
    dcos("auth", "logout")


def read_until(terminal, mark):
    """What a terminal shows up to `mark`, or to its end."""
    shown = b""
    while mark is None or mark not in shown:
        try:
            piece = os.read(terminal, 1024)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    return shown


def guessing_is_slowed_down(cluster):
    """After some wrong passwords even the right one must wait, and the answer says how long. Sessions go on."""
    token = cluster.token()
    statuses = [cluster.log_in(password=f"guess-{i}").status for i in range(12)]
    assert statuses[0] == 401 and statuses[-1] == 429, statuses
    assert 401 not in statuses[statuses.index(429):], statuses
    waiting = cluster.log_in()
    assert waiting.status == 429 and int(waiting.headers["Retry-After"]) > 0, waiting
    assert works(cluster, token)


def a_scheduler_takes_the_gateways_tokens(cluster):
    """With the gateway's key set a scheduler knows its users: who has no rule, no token or a changed one gets no further."""
    keys, rules, port = Path(cluster.root, "jwks.json"), Path(cluster.root, "rules.json"), free_port()
    keys.write_bytes(call(cluster.port("gateway"), "GET", "/acs/api/v1/auth/jwks").body)
    rules.write_text(json.dumps({"users": {"admin": {"rules": [{"path": "/v2/apps/team", "actions": ["read", "write"]}]}}}))
    with open(f"{cluster.root}/log/own-marathon.log", "wb") as log:
        own = subprocess.Popen([str(BIN / "dcos-marathon"), f"--master=127.0.0.1:{cluster.port('master')}", f"--http_port={port}",
                                f"--data_dir={cluster.root}/own-marathon", "--framework_name=own", f"--http_token_keys={keys}",
                                f"--http_authorization={rules}"], stdout=log, stderr=log)
    try:
        token = cluster.token()

        def status(method, path, header, body=None):
            return call(port, method, path, body, {"Authorization": header} if header else {}).status
        eventually("it answers", lambda: status("GET", "/v2/apps", "") == 401)
        for header in (f"token={token}", f"Bearer {token}"):
            assert status("GET", "/v2/apps", header) == 200
            assert status("GET", "/v2/info", header) == 403
        assert status("PUT", "/v2/apps/team/a", f"token={token}", {"cmd": "true", "instances": 0}) == 201
        assert status("PUT", "/v2/apps/other/a", f"token={token}", {"cmd": "true", "instances": 0}) == 403
        head, payload, signature = token.split(".")
        changed = f"{head}.{encode({**decode(payload), 'uid': 'root'})}.{signature}"
        assert status("GET", "/v2/apps", f"token={changed}") == 401
    finally:
        own.terminate()
        own.wait()


def without_login_only_the_loopback(cluster):
    """--auth=off on an address that others reach is refused with a sentence."""
    for words in (["--ip=0.0.0.0"], ["--ip=127.0.0.1", "--listen=0.0.0.0:1"]):
        refused = subprocess.run([str(BIN / "dcos-admin-router"), "--auth=off", "--port=0", *words], capture_output=True, text=True)
        assert refused.returncode == 2 and "can be reached from other machines" in refused.stderr, refused


def main():
    tests = [people_log_in, bad_tokens_get_nowhere, services_log_in_with_a_key, sessions_end_at_once, streams_end_with_their_session,
             a_killed_gateway_forgets_nothing, secrets_stay_where_they_belong, a_lost_password_is_replaced,
             the_command_line_logs_in, guessing_is_slowed_down, a_scheduler_takes_the_gateways_tokens, without_login_only_the_loopback]

    def with_cluster(test):
        def run():
            test(cluster)
        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run

    with Cluster(agents=1, auth=True) as cluster:
        results.run("system/login", [with_cluster(test) for test in tests])


main()
