"""nginx with the module in front of the demonstration: nginx verifies, Flask reads the claims."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

import ox_jwt

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODULE = os.environ.get("OJWT_MODULE")
# nginx itself takes NGINX for a list of the sockets that it inherits.
NGINX = os.environ.pop("NGINX", None) or shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
PROOF = "0123456789abcdef0123456789abcdef"

pytestmark = pytest.mark.skipif(
    not (MODULE and NGINX), reason="OJWT_MODULE names no module, or there is no nginx"
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Site:
    """nginx.conf and flask.conf as they are, but for ports, places and the key."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.keys = ox_jwt.make_keys("ES256")
        self.port, self.app_port = free_port(), free_port()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        (self.folder / "key.pem").write_text(str(self.keys.public_key))
        (self.folder / "ojwt_proof.conf").write_text(f"proxy_set_header X-Ojwt-Proof {PROOF};\n")
        (self.folder / "conf.d").mkdir()
        temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        lines = [f"{kind}_temp_path {self.folder}/{kind};" for kind in temporary]
        lines.append(f"auth_jwt_key_file {self.folder}/key.pem;")
        (self.folder / "conf.d" / "test.conf").write_text("\n".join(lines))
        server = (ROOT / "nginx-conf" / "flask.conf").read_text()
        server = server.replace("listen 8089;", f"listen 127.0.0.1:{self.port};")
        server = server.replace("127.0.0.1:8091", f"127.0.0.1:{self.app_port}")
        (self.folder / "conf.d" / "flask.conf").write_text(server)
        main = (ROOT / "nginx-conf" / "nginx.conf").read_text()
        main = main.replace("modules/ngx_http_ojwt_module.so", f'"{MODULE}"')
        main = main.replace("/dev/stdout", f"{self.folder}/access.log")
        path = self.folder / "nginx.conf"
        path.write_text(f"daemon off; pid {self.folder}/nginx.pid;\n{main}")
        environment = dict(os.environ, FLASK_JWT_NGINX_PROOF=PROOF)
        self.run(sys.executable, "-m", "ox_jwt.app", "--port", str(self.app_port), env=environment)
        self.run(str(NGINX), "-p", str(self.folder), "-e", "stderr", "-c", str(path))
        for port in [self.app_port, self.port]:
            self.wait_for(port)

    def run(self, *command: str, **options: Any) -> None:
        log = (self.folder / "output.log").open("ab")
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, **options))

    def wait_for(self, port: int) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                dead = any(process.poll() is not None for process in self.processes)
                if dead or time.monotonic() > deadline:
                    raise AssertionError((self.folder / "output.log").read_text()) from None
                time.sleep(0.05)

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(10)

    def token(self, **claims: Any) -> str:
        claims = {"sub": "ada", "exp": int(time.time()) + 60, **claims}
        return ox_jwt.encode(claims, self.keys.private_key, "ES256")

    def get(self, path: str, port: int | None = None, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    # Where nginx starts as root its workers are not.
    for parent in [folder, *folder.parents][:4]:
        if parent.stat().st_uid == os.getuid() and str(parent) != "/":
            parent.chmod(parent.stat().st_mode | 0o055)
    site = Site(folder)
    try:
        site.start()
        yield site
    finally:
        site.stop()


def test_claims_that_nginx_verified_reach_the_application(site: Site) -> None:
    token = site.token(sub="Zoë \u2603")
    assert site.get("/hello", Authorization=f"Bearer {token}") == (200, "Hello, Zoë \u2603.\n")
    assert site.get(f"/hello?jwt={token}") == (200, "Hello, Zoë \u2603.\n")
    assert site.get("/hello", Cookie=f"jwtcookie={token}") == (200, "Hello, Zoë \u2603.\n")


def test_what_nginx_refuses_never_reaches_the_application(site: Site) -> None:
    log = site.folder / "output.log"
    before = log.read_text().count("GET /hello")
    forged = ox_jwt.encode({"sub": "eve"}, ox_jwt.make_keys("ES256").private_key, "ES256")
    for token in ["nonsense", forged, site.token(exp=1)]:
        assert site.get("/hello", Authorization=f"Bearer {token}")[0] == 401
    assert site.get("/hello")[0] == 401
    assert log.read_text().count("GET /hello") == before


def test_client_cannot_send_claims_or_a_proof_through_nginx(site: Site) -> None:
    spoofed: dict[str, Any] = {"X_Ojwt_Claims": '{"sub":"eve"}', "X_Ojwt_Proof": PROOF}
    assert site.get("/hello", **spoofed)[0] == 401
    token = site.token()
    answer = site.get("/hello", Authorization=f"Bearer {token}", **spoofed)
    assert answer == (200, "Hello, ada.\n")


def test_application_believes_nobody_who_comes_past_nginx(site: Site) -> None:
    for headers in [
        {},
        {"X_Ojwt_Claims": '{"sub":"eve"}'},
        {"X_Ojwt_Claims": '{"sub":"eve"}', "X_Ojwt_Proof": PROOF[:-1] + "0"},
    ]:
        answer = site.get("/hello", port=site.app_port, **headers)
        assert answer == (401, "failed: no proof\n"), headers


def test_application_never_sees_the_token(site: Site) -> None:
    token = site.token()
    site.get(f"/hello?jwt={token}")
    log = (site.folder / "output.log").read_text()
    assert re.search(r"GET /hello\S* HTTP", log)
    assert token not in log
