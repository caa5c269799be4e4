"""``WsgiGate`` and ``AsgiGate``, called as servers call them."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import pytest

import ox_jwt
from ox_jwt.middleware import CLAIMS, AsgiGate, WsgiGate
from support import SECRET, signed

ADA, BOB = signed({"sub": "ada"}), signed({"sub": "bob"})
GATE = ox_jwt.Gate(SECRET, ["HS256"])


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [repr(environ.get(CLAIMS)).encode()]


def wsgi(app: Any = None, **environ: Any) -> tuple[str, dict[str, str], str]:
    begun: list[tuple[str, dict[str, str]]] = []
    app = app or WsgiGate(echo, GATE, exempt=["/health"])
    body = app(environ, lambda status, headers: begun.append((status, dict(headers))))
    ((status, headers),) = begun
    return status, headers, b"".join(body).decode()


def test_wsgi_requests_with_a_good_token_are_let_through() -> None:
    for environ in (
        {"QUERY_STRING": f"jwt={ADA}"},
        {"HTTP_COOKIE": f"jwtcookie={ADA}"},
        {"HTTP_API_KEY": ADA},
        {"HTTP_AUTHORIZATION": f"Bearer {ADA}"},
    ):
        assert wsgi(PATH_INFO="/", **environ) == ("200 OK", {}, "{'sub': 'ada'}")


def test_other_wsgi_requests_never_reach_the_application() -> None:
    def never(environ: Any, start_response: Any) -> Any:
        raise AssertionError

    gate = WsgiGate(never, GATE, realm="here")
    status, headers, body = wsgi(gate, PATH_INFO="/")
    assert (status, body) == ("401 Unauthorized", "failed: no token\n")
    assert headers["WWW-Authenticate"] == 'Bearer realm="here"'
    for token in ("nonsense", signed({"exp": 1}), signed({}, secret=b"f" * 64), "\xff"):
        status, headers, body = wsgi(gate, PATH_INFO="/", HTTP_AUTHORIZATION=f"Bearer {token}")
        assert status == "401 Unauthorized"
        assert token not in body + repr(headers)


def test_whoever_asks_for_the_head_gets_no_body() -> None:
    status, headers, body = wsgi(PATH_INFO="/", REQUEST_METHOD="HEAD")
    assert (status, headers["Content-Length"], body) == ("401 Unauthorized", "17", "")
    (start, part), _ = asgi({**http(), "method": "HEAD"})
    assert (start["status"], part["body"]) == (401, b"")


def test_wsgi_paths_are_exempt_as_a_whole_alone() -> None:
    assert wsgi(PATH_INFO="/health")[2] == "None"
    for path in ("/health/", "/healthy", "/Health", "/", "", "//health", "/x/../health", "/health;x"):
        assert wsgi(PATH_INFO=path)[0] == "401 Unauthorized"
    assert wsgi(PATH_INFO="/x", QUERY_STRING="/health")[0] == "401 Unauthorized"


def test_wsgi_paths_are_those_that_the_application_routes_by() -> None:
    """Clients of some servers can choose ``SCRIPT_NAME``, by a header."""
    gate = WsgiGate(echo, GATE, exempt=["/health", "/static/*"])
    assert wsgi(gate, SCRIPT_NAME="/app", PATH_INFO="/health")[2] == "None"
    for script, path in (("/static", "/admin"), ("/static/", "admin"), ("/hea", "lth"), ("/health", "")):
        assert wsgi(gate, SCRIPT_NAME=script, PATH_INFO=path)[0] == "401 Unauthorized"


def wsgi_opens(exempt: Any, path: str) -> bool:
    """``path`` as it stands in a URL, which servers decode once."""
    decoded = unquote_to_bytes(path).decode("latin-1")
    gate = WsgiGate(echo, GATE, exempt=exempt)
    raw = {"RAW_URI": f"{path}?next=%2F", "REQUEST_URI": path}
    return wsgi(gate, PATH_INFO=decoded, **raw)[0] == "200 OK"


def asgi_opens(exempt: Any, path: str) -> bool:
    scope = {**http(unquote(path)), "raw_path": path.encode()}
    return bool(asgi(scope, exempt=exempt)[1])


OPENS = [wsgi_opens, asgi_opens]


@pytest.mark.parametrize("opens", OPENS)
def test_text_for_exempt_is_one_path_and_not_its_characters(opens: Any) -> None:
    assert opens("/health", "/health")
    for path in ("/", "/h", "/e", "h", "", "health", "/admin"):
        assert not opens("/health", path)


@pytest.mark.parametrize("opens", OPENS)
def test_a_folder_is_exempt_with_all_that_is_below_it(opens: Any) -> None:
    exempt = ["/static/*", "/pub lic/*", "/a%20b/%C3%BC/*", "/one"]
    for path in (
        *("/static/", "/static/a", "/static/a/b.css", "/static/a/", "/static/%61", "/stati%63/a"),
        *("/static/a%20b", "/static/%C3%BC", "/static/.well-known/a", "/static/a..b/c", "/static/..a"),
        *("/pub%20lic/a", "/a%20b/%c3%bc/a", "/one", "/static/a;b", "/static/100%25", "/static/*"),
    ):
        assert opens(exempt, path), path
    for path in (
        *("/static", "/staticx", "/staticx/a", "/Static/a", "/x/static/a", "/", "", "static/a"),
        *("/one/", "/one/a", "/onex", "/%2Fstatic/a"),
    ):
        assert not opens(exempt, path), path


CLIMBING = [
    *("/static/../admin", "/static/%2e%2e/admin", "/static%2f..%2fadmin", "/static/%2e./admin"),
    *("/static/x/../../admin", "/static/..", "/static/.", "/static/./a", "/static//a", "//static/a"),
    *("/static/..%2fadmin", "/static/%2e%2e%2fadmin", "/static/..%5cadmin", "/static/..\\admin"),
    *("/static/%252e%252e/admin", "/static/%252e%252e%252fadmin", "/static/..%252fadmin"),
    *("/static/..;/admin", "/static/..;a=b/admin", "/static/..%3b/admin", "/static/.;/a"),
    *("/static/..%20/admin", "/static/...", "/static/ ../admin", "/static/%00/a", "/static/a%00"),
    *("/static/%0a", "/static/%c0%ae%c0%ae/admin", "/static/%ff", "/static/a%7f", "/static/%25%32%65"),
    # Those who normalise Unicode, or drop what cannot be seen, read full stops, slashes and percent signs.
    *("/static/․․/admin", "/static/．．/admin", "/static/‥/admin", "/static/．．／admin"),
    *("/static/％2e％2e/admin", "/static/..%E2%80%8B/admin", "/static/%C2%AD../admin"),
    *("/static/..%C2%A0/admin", "/static/..%E2%80%A8/admin", "/static/＼..＼admin"),
    *("/static/%25u002e%25u002e/admin", "/static/..%3f/admin", "/static/..%23/admin"),
    *("/static/..+/admin", "/static/%ed%b0%80"),
    # Those who route by what was not decoded see another folder.
    *("/static%2fadmin", "/%2Fstatic/a", "/static/a%2Fb"),
    *("/admin/../static/a", "/./static/a", "/static/../static/a", "/static%5c..%5cadmin"),
]


@pytest.mark.parametrize("path", CLIMBING)
@pytest.mark.parametrize("opens", OPENS)
def test_a_path_that_can_be_read_in_two_ways_is_never_exempt(opens: Any, path: str) -> None:
    assert not opens(["/static/*", "/one"], path)


@pytest.mark.parametrize(
    "entry",
    [
        *("", "health", "*", "/*", "/static*", "/*/a", "/a*/b", "/static/**", "/a/*/b/*", "//*"),
        *("/a/../b", "/a//b/*", "/./*", "/a/..", "/%2e%2e/a", "/a\\b", "/a%00", "/%2A", "/%FF"),
    ],
)
def test_an_entry_that_exempts_nothing_or_everything_is_an_error(entry: str) -> None:
    for gate in (WsgiGate, AsgiGate):
        make: Any = gate
        for exempt in (entry, [entry], ["/health", entry]):
            with pytest.raises(ValueError):
                make(echo, GATE, exempt=exempt)
        for wrong in (b"/health", [b"/health"], [5], 5, None, b"", bytearray(), memoryview(b"")):
            with pytest.raises(TypeError):
                make(echo, GATE, exempt=wrong)


def test_a_name_in_any_script_is_plain() -> None:
    for opens in OPENS:
        for path in ("/static/ü", "/static/日本語.css", "/static/wait….css", "/static/a+b", "/static/½"):
            assert opens("/static/*", path), path
        # As it is written, and not as it would be normalised.
        assert opens("/ü/*", "/%C3%BC/a")
        assert not opens("/ü/*", "/u%CC%88/a")


def test_where_the_path_was_not_kept_as_it_was_sent_the_decoded_one_counts() -> None:
    assert asgi({**http("/health"), "raw_path": None})[1]
    assert wsgi(PATH_INFO="/health")[2] == "None"


def test_the_root_is_exempt_alone() -> None:
    for opens in OPENS:
        assert opens("/", "/")
        for path in ("/a", "", "//", "/.", "/%2f"):
            assert not opens("/", path)


WSGI_PREFLIGHT = {
    "REQUEST_METHOD": "OPTIONS",
    "HTTP_ORIGIN": "https://shop.example",
    "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT",
}


TALKATIVE = [
    *(("Access-Control-Allow-Origin", "*"), ("ACCESS-CONTROL-MAX-AGE", "60"), ("Vary", "Origin")),
    *(("Allow", "GET"), ("Date", "today"), ("Content-Length", "6"), ("Content-Type", "text/x")),
    *(("Set-Cookie", "canary"), ("Location", "/canary"), ("WWW-Authenticate", "canary")),
    *(("X-Canary", "1"), ("ETag", "canary"), ("Link", "canary"), ("Vary", "Accept")),
]
HANDED_ON = [
    *(("Access-Control-Allow-Origin", "*"), ("ACCESS-CONTROL-MAX-AGE", "60"), ("Vary", "Origin")),
    *(("Allow", "GET"), ("Date", "today"), ("Vary", "Accept")),
]
EMPTY = ("Content-Length", "0")
ANSWERS = [
    (200, "200 OK", [*HANDED_ON, EMPTY]),
    (204, "204 No Content", HANDED_ON),
    (299, "299 Unknown", [*HANDED_ON, EMPTY]),
    (403, "403 Forbidden", [*HANDED_ON, EMPTY]),
    (302, "302 Found", [EMPTY]),
    (304, "304 Not Modified", []),
    (500, "500 Internal Server Error", [EMPTY]),
    (503, "503 Service Unavailable", [EMPTY]),
    (101, "500 Internal Server Error", [EMPTY]),
    (600, "500 Internal Server Error", [EMPTY]),
]


def wsgi_preflight(app: Any, **environ: Any) -> tuple[str, list[tuple[str, str]], bytes]:
    """What a server is given for a preflight."""
    begun: list[Any] = []
    start: Any = lambda *answer: begun.append(answer)
    body = WsgiGate(app, GATE)({"PATH_INFO": "/", **WSGI_PREFLIGHT, **environ}, start)
    (answer,) = begun
    return *answer, b"".join(body)


@pytest.mark.parametrize(("status", "line", "fields"), ANSWERS)
def test_of_a_wsgi_answer_to_a_preflight_only_what_is_harmless_reaches_the_client(
    status: int, line: str, fields: Any
) -> None:
    def returns(environ: Any, start_response: Any) -> Any:
        start_response(f"{status} canary", TALKATIVE)(b"canary")
        return [b"canary"]

    def yields(environ: Any, start_response: Any) -> Any:
        yield b""
        start_response(f"{status} canary", TALKATIVE)
        while True:
            yield b"canary"

    def changes(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("X-Canary", "1")])
        start_response(f"{status} canary", TALKATIVE, (None, None, None))
        return iter([b"canary"])

    for app in (returns, yields, changes):
        assert wsgi_preflight(app) == (line, fields, b"")


def test_wsgi_preflights_reach_the_application_without_claims_and_without_a_body() -> None:
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        seen.append((environ.get(CLAIMS), environ["wsgi.input"].read(), sys.exc_info()))
        return echo(environ, start_response)

    body = io.BytesIO(b"canary")
    for more in ({}, {CLAIMS: {"sub": "root"}}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "0"}):
        environ = {"wsgi.input": body, "QUERY_STRING": "jwt=", **more}
        assert wsgi_preflight(app, **environ) == ("200 OK", [EMPTY], b"")
    assert seen == 4 * [(None, b"", (None, None, None))]


def test_what_a_wsgi_application_returns_for_a_preflight_is_closed() -> None:
    closed: list[str] = []

    class Body:
        def __init__(self, name: str, *parts: bytes) -> None:
            self.name, self.parts = name, parts

        def __iter__(self) -> Any:
            if self.name == "breaks":
                raise KeyError
            return iter(self.parts)

        def close(self) -> None:
            closed.append(self.name)

    def app(name: str, *begins: str) -> Any:
        def called(environ: Any, start_response: Any) -> Any:
            for status in begins:
                start_response(status, [])
            return Body(name, b"canary")

        return called

    assert wsgi_preflight(app("good", "200 OK"))[0] == "200 OK"
    assert wsgi_preflight(app("never begins")) == ("500 Internal Server Error", [EMPTY], b"")
    assert wsgi_preflight(app("odd", "two hundred"))[0] == "500 Internal Server Error"
    with pytest.raises(KeyError):
        wsgi_preflight(app("breaks"))
    assert closed == ["good", "never begins", "odd", "breaks"]


def test_only_wsgi_preflights_without_a_token_pass() -> None:
    def status(fields: dict[str, Any], **more: Any) -> str:
        return wsgi(WsgiGate(echo, GATE), PATH_INFO="/", **{**fields, **more})[0]

    assert status(WSGI_PREFLIGHT) == "200 OK"
    for name in WSGI_PREFLIGHT:
        fields = {key: text for key, text in WSGI_PREFLIGHT.items() if key != name}
        for others in (fields, {**fields, name: ""}):
            assert status(others) == "401 Unauthorized"
    more: dict[str, Any]
    for more in (
        *({"REQUEST_METHOD": method} for method in ("GET", "PUT", "options")),
        *({"CONTENT_LENGTH": length} for length in ("1", "00", "-0", " ")),
        *({"HTTP_TRANSFER_ENCODING": coding} for coding in ("chunked", "identity", "")),
        *({"HTTP_AUTHORIZATION": value} for value in ("Bearer nonsense", "Basic x", "Bearer", "")),
        {"HTTP_ORIGIN": "https://a.example,https://b.example"},
        {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT, PUT"},
        *({"HTTP_COOKIE": value} for value in ("session=1", "jwtcookie=x")),
        *({f"HTTP_X_{name}": "DELETE"} for name in ("HTTP_METHOD_OVERRIDE", "HTTP_METHOD")),
        {"HTTP_X_METHOD_OVERRIDE": "GET"},
        {"QUERY_STRING": f"jwt={signed({'exp': 1})}"},
    ):
        assert status(WSGI_PREFLIGHT, **more) == "401 Unauthorized", more
    assert status(WSGI_PREFLIGHT, QUERY_STRING="jwt=a&jwt=b") == "400 Bad Request"
    fields = {**WSGI_PREFLIGHT, "HTTP_API_KEY": ADA}
    assert wsgi(PATH_INFO="/", **fields)[2] == "{'sub': 'ada'}"
    broken = WsgiGate(echo, Broken())
    assert wsgi(broken, PATH_INFO="/", **WSGI_PREFLIGHT)[0] == "500 Internal Server Error"


@pytest.mark.parametrize("gate", [WsgiGate, AsgiGate])
def test_what_becomes_of_preflights_is_said_in_a_word(gate: Any) -> None:
    for word in (True, False, None, "", "Refuse", "answer", b"refuse"):
        with pytest.raises(ValueError):
            gate(echo, GATE, preflight=word)


def test_wsgi_preflights_can_be_refused() -> None:
    refusing = WsgiGate(echo, GATE, preflight="refuse")
    passing = WsgiGate(echo, GATE, preflight="pass")
    assert wsgi(refusing, PATH_INFO="/", **WSGI_PREFLIGHT)[0] == "401 Unauthorized"
    assert wsgi(passing, PATH_INFO="/", **WSGI_PREFLIGHT)[0] == "200 OK"


def test_claims_that_were_in_the_environ_are_removed() -> None:
    spoofed = {CLAIMS: {"sub": "root"}, "HTTP_OX_JWT.CLAIMS": "root"}
    assert wsgi(PATH_INFO="/health", **spoofed)[2] == "None"
    assert wsgi(PATH_INFO="/", QUERY_STRING=f"jwt={ADA}", **spoofed)[2] == "{'sub': 'ada'}"
    assert wsgi(PATH_INFO="/", **spoofed)[0] == "401 Unauthorized"


def test_the_wsgi_host_is_that_of_the_request() -> None:
    token = signed({"host": "example.com"})
    for host, status in (("example.com:80", "200 OK"), ("example.org", "401 Unauthorized")):
        assert wsgi(PATH_INFO="/", QUERY_STRING=f"jwt={token}", HTTP_HOST=host)[0] == status
    spoofed = {"SERVER_NAME": "example.com", "HTTP_X_FORWARDED_HOST": "example.com"}
    assert wsgi(PATH_INFO="/", QUERY_STRING=f"jwt={token}", **spoofed)[0] == "401 Unauthorized"


class Broken(ox_jwt.Gate):
    """A gate whose keys cannot be had."""

    def __init__(self) -> None:
        pass

    def claims(self, **_: Any) -> dict[str, Any]:
        raise ox_jwt.InvalidKeyError("internals")


def test_what_is_our_fault_is_told_to_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    status, _, body = wsgi(WsgiGate(echo, Broken()), PATH_INFO="/")
    assert (status, body) == ("500 Internal Server Error", "failed: internal error\n")
    assert "internals" in caplog.text


def test_the_log_holds_the_reason_and_nothing_of_the_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    token = signed({"exp": 1, "sub": "canary"})
    wsgi(PATH_INFO="/", QUERY_STRING=f"jwt={token}")
    assert "token expired" in caplog.text
    assert token[-20:] not in caplog.text
    assert "canary" not in caplog.text


def test_wsgi_threads_see_their_own_claims() -> None:
    def one(number: int) -> bool:
        token = signed({"sub": str(number)})
        return wsgi(PATH_INFO="/", QUERY_STRING=f"jwt={token}")[2] == f"{{'sub': '{number}'}}"

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(2000)))


def headers_of(**fields: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), text.encode()) for name, text in fields.items()]


def asgi(
    scope: dict[str, Any],
    received: Iterable[dict[str, Any]] = (),
    gate: Any = None,
    exempt: Any = ("/health",),
    preflight: Any = "pass",
) -> tuple[list[Any], list[Any]]:
    """What the server is sent, and the scopes that the application sees."""
    seen: list[Any] = []
    sent: list[Any] = []
    messages = iter(received)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    async def receive() -> MutableMapping[str, Any]:
        return next(messages)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    gated = AsgiGate(app, gate or GATE, exempt=exempt, realm="here", preflight=preflight)
    asyncio.run(gated(scope, receive, send))
    return sent, seen


def http(path: str = "/", query: str = "", **fields: str) -> dict[str, Any]:
    return {
        "type": "http",
        "path": path,
        "query_string": query.encode(),
        "headers": headers_of(**fields),
    }


def test_asgi_requests_with_a_good_token_are_let_through() -> None:
    for scope in (
        http(query=f"jwt={ADA}"),
        http(cookie=f"jwtcookie={ADA}"),
        http(api_key=ADA),
        http(authorization=f"Bearer {ADA}"),
    ):
        sent, (seen,) = asgi(scope)
        assert (sent, seen[CLAIMS]) == ([], {"sub": "ada"})
        assert CLAIMS not in scope


def test_other_asgi_requests_never_reach_the_application() -> None:
    (start, body), seen = asgi(http(authorization="Bearer nonsense"))
    assert seen == []
    assert (start["type"], start["status"]) == ("http.response.start", 401)
    assert dict(start["headers"])[b"www-authenticate"].startswith(b'Bearer realm="here", error=')
    assert all(name == name.lower() for name, _ in start["headers"])
    assert body == {"type": "http.response.body", "body": b"failed: malformed token\n"}


def test_asgi_paths_are_exempt_as_a_whole_alone() -> None:
    assert CLAIMS not in asgi(http("/health"))[1][0]
    for path in ("/health/", "/healthy", "/", "", "//health"):
        sent, seen = asgi(http(path))
        assert (sent[0]["status"], seen) == (401, [])


def test_asgi_paths_are_those_below_the_root_path() -> None:
    def opens(path: str, root: str) -> bool:
        exempt = ["/health", "/static/*"]
        return bool(asgi({**http(path), "root_path": root}, exempt=exempt)[1])

    for path, root in (("/app/health", "/app"), ("/health", ""), ("/health", "/app")):
        assert opens(path, root)
    for path, root in (
        *(("/health", "/health"), ("/healthx/health", "/health"), ("/static/admin", "/static")),
        *(("/app/health", ""), ("/app/health", "/ap"), ("/app/../health", "/app"), ("/app//health", "/app")),
    ):
        assert not opens(path, root)


def preflight(*fields: tuple[bytes, bytes], **members: Any) -> dict[str, Any]:
    both = ((b"origin", b"https://a.example"), (b"access-control-request-method", b"PUT"))
    return {**http(), "method": "OPTIONS", "headers": list(fields or both), **members}


def asgi_preflight(
    *messages: Any, scope: Any = None, received: Iterable[Any] = ()
) -> tuple[list[Any], list[Any], list[Any]]:
    """What the server is sent of these messages, and what the application sees and receives."""
    seen: list[Any] = []
    heard: list[Any] = []
    sent: list[Any] = []
    waiting = iter(received)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        heard.append(await receive())
        for message in messages:
            await send(message)
        heard.append(await receive())

    async def receive() -> MutableMapping[str, Any]:
        return next(waiting)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(AsgiGate(app, GATE)(scope or preflight(), receive, send))
    return sent, seen, heard


def raw(fields: Any, lower: bool = False) -> list[tuple[bytes, bytes]]:
    return [((name.lower() if lower else name).encode(), text.encode()) for name, text in fields]


def part(more_body: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": b"canary", "more_body": more_body}


@pytest.mark.parametrize(("status", "_", "fields"), ANSWERS)
def test_of_an_asgi_answer_to_a_preflight_only_what_is_harmless_reaches_the_client(
    status: int, _: str, fields: Any
) -> None:
    start = {
        "type": "http.response.start",
        "status": HTTPStatus(status) if status == 200 else status,
        "headers": raw(TALKATIVE),
        "trailers": True,
    }
    code = 500 if status in (101, 600) else status
    safe = [
        {"type": "http.response.start", "status": code, "headers": raw(fields, lower=True)},
        {"type": "http.response.body", "body": b""},
    ]
    hint = {"type": "http.response.early_hint", "links": [b"canary"]}
    file = {"type": "http.response.pathsend", "path": "canary"}
    trailers = {"type": "http.response.trailers", "headers": raw(TALKATIVE)}
    for messages in (
        *((start,), (start, part()), (start, part(True), part()), (hint, start, file)),
        (start, part(True), part(False), trailers),
    ):
        assert asgi_preflight(*messages)[0] == safe


def test_asgi_preflights_reach_the_application_without_claims_and_without_a_body() -> None:
    scope = preflight(query_string=b"jwt=", **{CLAIMS: {"sub": "root"}})
    start = {"type": "http.response.start", "status": 204}
    sent, (seen,), heard = asgi_preflight(start, scope=scope)
    assert CLAIMS not in seen
    assert heard == [
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.disconnect"},
    ]
    assert sent[0] == {"type": "http.response.start", "status": 204, "headers": []}
    # Over HTTP/2 a body needs no field that announces it.
    canary = {"type": "http.request", "body": b"canary", "more_body": True}
    sent, _, heard = asgi_preflight(received=[canary, canary, {"type": "http.disconnect"}])
    assert (sent, heard[-1]) == ([], {"type": "http.disconnect"})


def test_an_asgi_application_that_answers_a_preflight_without_end_is_stopped() -> None:
    said: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        try:
            while True:
                await send(part(True))
        except OSError as error:
            said.append(str(error))
            raise RuntimeError("the client has gone") from error

    async def unused(*_: Any) -> Any:
        return None

    asyncio.run(AsgiGate(app, GATE)(preflight(), unused, unused))
    assert said == ["the answer to a preflight has no body"]


def test_what_an_asgi_application_fails_with_at_a_preflight_is_raised() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("internals")

    async def unused(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(KeyError) as raised:
        asyncio.run(AsgiGate(app, GATE)(preflight(), unused, unused))
    assert raised.value.__context__ is None


def test_only_asgi_preflights_without_a_token_pass() -> None:
    origin, method = preflight()["headers"]
    assert asgi(preflight())[1]
    for fields in ((origin,), (method,), (origin, origin, method), (origin, (method[0], b""))):
        assert asgi(preflight(*fields))[1] == []
    for name, value in (
        *(("content-length", "1"), ("content-length", ""), ("transfer-encoding", "chunked")),
        *(("authorization", "Basic x"), ("cookie", "session=1"), ("X-HTTP-Method-Override", "PUT")),
    ):
        assert asgi(preflight(origin, method, (name.encode(), value.encode())))[1] == [], name
    assert asgi(preflight(origin, method, (b"content-length", b"0")))[1]
    for members in ({"method": "GET"}, {"query_string": b"jwt=x"}, {"type": "websocket"}):
        received = [{"type": "websocket.connect"}]
        assert asgi(preflight(**members), received)[1] == []
    good = preflight(query_string=f"jwt={ADA}".encode())
    assert asgi(good)[1][0][CLAIMS] == {"sub": "ada"}
    assert asgi(preflight(), gate=Broken())[0][0]["status"] == 500
    refused, seen = asgi(preflight(), preflight="refuse")
    assert (refused[0]["status"], seen) == (401, [])


def test_of_several_tokens_in_a_request_none_is_taken() -> None:
    bearer = f"Bearer {ADA}"
    several = [
        (400, http(query=f"jwt={ADA}&%6awt={BOB}")),
        (400, {**http(), "headers": headers_of(api_key=f"Bearer {ADA}") + headers_of(api_key=BOB)}),
        (400, {**http(), "headers": 2 * headers_of(cookie="a=b") + headers_of(cookie=f"jwtcookie={ADA}")
               + headers_of(cookie=f"jwtcookie={BOB}")}),
        (400, {**http(), "headers": headers_of(authorization=bearer)
               + headers_of(authorization=f"bearer {BOB}")}),
    ]
    for status, scope in several:
        sent, seen = asgi(scope)
        assert (sent[0]["status"], seen) == (status, [])
    # WSGI has several fields as one, with commas between.
    for name, value in (
        *(("HTTP_API_KEY", f"{ADA},{BOB}"), ("HTTP_API_KEY", f"{ADA}, {ADA}")),
        *(("HTTP_AUTHORIZATION", f"{bearer},{bearer}"), ("HTTP_AUTHORIZATION", f"Basic x,{bearer}")),
        *(("HTTP_COOKIE", f"jwtcookie={ADA},jwtcookie={BOB}"), ("HTTP_COOKIE", f"a=b,jwtcookie={ADA}")),
    ):
        assert wsgi(PATH_INFO="/", **{name: value})[0] == "401 Unauthorized"
    assert wsgi(PATH_INFO="/", HTTP_COOKIE=f"jwtcookie={ADA}; jwtcookie={BOB}")[0] == "400 Bad Request"
    assert wsgi(PATH_INFO="/", HTTP_API_KEY=f"bearer {ADA}")[2] == "{'sub': 'ada'}"


def test_claims_that_were_in_the_scope_are_removed() -> None:
    spoofed = {CLAIMS: {"sub": "root"}}
    assert CLAIMS not in asgi({**http("/health"), **spoofed})[1][0]
    assert asgi({**http(query=f"jwt={ADA}"), **spoofed})[1][0][CLAIMS] == {"sub": "ada"}


def test_the_asgi_host_is_that_of_the_request() -> None:
    query = "jwt=" + signed({"host": "example.com"})
    assert asgi(http(query=query, host="example.com"))[1]
    assert not asgi(http(query=query, host="example.org"))[1]
    assert not asgi(http(query=query))[1]
    two = {**http(query=query), "headers": [(b"host", b"example.com"), (b"host", b"example.org")]}
    assert not asgi(two)[1]


def test_asgi_headers_may_come_from_an_iterator() -> None:
    def scope(*fields: tuple[bytes, bytes]) -> dict[str, Any]:
        return {**http(), "headers": iter([(b"accept", b"*/*"), *fields])}

    (seen,) = asgi(scope((b"authorization", f"Bearer {ADA}".encode())))[1]
    assert (seen[CLAIMS], len(seen["headers"])) == ({"sub": "ada"}, 2)
    # The cookie is looked for before.
    fields = (b"api-key", b"nonsense"), (b"authorization", f"Bearer {ADA}".encode())
    assert asgi(scope(*fields))[1] == []


def websocket(**members: Any) -> dict[str, Any]:
    return {"type": "websocket", "path": "/ws", "headers": [], **members}


def test_websockets_with_a_good_token_are_let_through() -> None:
    sent, (seen,) = asgi(websocket(query_string=f"jwt={ADA}".encode()))
    assert (sent, seen[CLAIMS]) == ([], {"sub": "ada"})
    fields = headers_of(cookie=f"jwtcookie={BOB}")
    assert asgi(websocket(headers=fields))[1][0][CLAIMS] == {"sub": "bob"}


def test_other_websockets_are_closed_before_the_handshake() -> None:
    for scope in (websocket(query_string=b""), websocket(), websocket(query_string=b"jwt=x")):
        sent, seen = asgi(scope, [{"type": "websocket.connect"}])
        assert (sent, seen) == ([{"type": "websocket.close", "code": 1008}], [])


def test_lifespan_needs_no_token() -> None:
    scope = {"type": "lifespan"}
    assert asgi(scope) == ([], [scope])


def test_asgi_answers_500_without_internals(caplog: pytest.LogCaptureFixture) -> None:
    (start, body), seen = asgi(http(query=f"jwt={ADA}"), gate=Broken())
    assert (start["status"], body["body"], seen) == (500, b"failed: internal error\n", [])
    assert "internals" in caplog.text


def test_asgi_tasks_see_their_own_claims() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        seen[scope["path"]] = scope[CLAIMS]["sub"]

    async def unused(*_: Any) -> Any:
        raise AssertionError

    async def all_at_once() -> None:
        gate = AsgiGate(app, GATE)
        scopes = [http(str(n), "jwt=" + signed({"sub": str(n)})) for n in range(500)]
        await asyncio.gather(*(gate(scope, unused, unused) for scope in scopes))

    asyncio.run(all_at_once())
    assert len(seen) == 500
    assert all(path == sub for path, sub in seen.items())
