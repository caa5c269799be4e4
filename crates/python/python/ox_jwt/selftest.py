"""``test_ox_jwt``: starts the demonstration on a free port, and shows how it answers tokens good and bad."""

from __future__ import annotations

import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

import ox_jwt
from ox_jwt.app import create_app, demo_config

ALGORITHM = "RS256"


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Demonstration:
    """The demonstration, served by a thread, and the keys that it trusts."""

    def __init__(self) -> None:
        self.keys = ox_jwt.make_keys(ALGORITHM)
        self.forger = ox_jwt.make_keys(ALGORITHM)
        app = create_app(demo_config(self.keys, ALGORITHM))
        app.logger.disabled = True
        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()

    def token(self, key: str | bytes | None = None, **claims: Any) -> str:
        now = int(time.time())
        claims = {"sub": "ada", "iat": now, "exp": now + 60, **claims}
        return ox_jwt.encode(claims, key or self.keys.private_key, ALGORITHM)

    def ask(
        self, path: str, token: str | None = None, form: dict[str, str] | None = None
    ) -> tuple[int, str]:
        data = None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.url + path, data=data)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode().strip()


Check = Callable[[Demonstration], "tuple[tuple[int, str], tuple[int, str]]"]


def _issued(demo: Demonstration) -> tuple[int, str]:
    _, token = demo.ask("/issue", demo.token(proxy_for=["bob"]), {"user": "bob"})
    return demo.ask("/hello", token)


def _tampered(demo: Demonstration) -> tuple[int, str]:
    header, _, signature = demo.token().split(".")
    _, payload, _ = demo.token(sub="eve").split(".")
    return demo.ask("/hello", f"{header}.{payload}.{signature}")


def _unsigned(demo: Demonstration) -> tuple[int, str]:
    _, payload, _ = demo.token().split(".")
    return demo.ask("/hello", f"eyJhbGciOiJub25lIn0.{payload}.")


CHECKS: dict[str, Check] = {
    "a good token is greeted": lambda demo: (
        demo.ask("/hello", demo.token()),
        (200, "Hello, ada."),
    ),
    "a good token in the URL, too": lambda demo: (
        demo.ask("/hello?jwt=" + demo.token()),
        (200, "Hello, ada."),
    ),
    "no token is refused": lambda demo: (demo.ask("/hello"), (401, "failed: no token")),
    "nonsense is refused": lambda demo: (
        demo.ask("/hello", "nonsense"),
        (401, "failed: malformed token"),
    ),
    "an expired token is refused": lambda demo: (
        demo.ask("/hello", demo.token(exp=1)),
        (401, "failed: token expired"),
    ),
    "a token of the future is refused": lambda demo: (
        demo.ask("/hello", demo.token(nbf=int(time.time()) + 600)),
        (401, "failed: token not yet valid"),
    ),
    "a token for another host is refused": lambda demo: (
        demo.ask("/hello", demo.token(host="example.com")),
        (401, "failed: wrong host"),
    ),
    "a token of another key is refused": lambda demo: (
        demo.ask("/hello", demo.token(demo.forger.private_key)),
        (401, "failed: signature mismatch"),
    ),
    "a token with other claims than were signed is refused": lambda demo: (
        _tampered(demo),
        (401, "failed: signature mismatch"),
    ),
    "a token without a signature is refused": lambda demo: (
        _unsigned(demo),
        (401, "failed: unsupported algorithm"),
    ),
    "a proxy user acts for another": lambda demo: (_issued(demo), (200, "Hello, bob, by ada.")),
    "a proxy user acts for nobody else": lambda demo: (
        demo.ask("/issue", demo.token(proxy_for=["bob"]), {"user": "eve"}),
        (403, "failed: not a user that you act for"),
    ),
    "who is no proxy user is issued nothing": lambda demo: (
        demo.ask("/issue", demo.token(), {"user": "bob"}),
        (403, "failed: claim rejected"),
    ),
    "a premium user gets urgent support": lambda demo: (
        demo.ask("/support/urgent", demo.token(premium=True)),
        (200, "Somebody will call you at once."),
    ),
    "others get none": lambda demo: (
        demo.ask("/support/urgent", demo.token(premium=False)),
        (403, "failed: claim rejected"),
    ),
    "nor does a token that was issued long ago": lambda demo: (
        demo.ask("/support/urgent", demo.token(premium=True, iat=int(time.time()) - 7200)),
        (401, "failed: token expired"),
    ),
}


def main() -> int:
    """Runs every check, and prints a line for each; the exit status is how many failed, at most 1."""
    demo = Demonstration()
    failed = 0
    try:
        for name, check in CHECKS.items():
            answer, wanted = check(demo)
            good = answer == wanted
            failed += not good
            print(f"{'ok    ' if good else 'FAILED'}  {name}: {answer[0]} {answer[1]}")
            if not good:
                print(f"        wanted: {wanted[0]} {wanted[1]}")
    finally:
        demo.stop()
    print(f"test_ox_jwt: {len(CHECKS) - failed} of {len(CHECKS)} checks passed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
