"""CORS preflights that reach an application without a token, and what of its answers reaches the client.

Many applications answer ``OPTIONS`` as they answer ``GET``, and anyone can send a preflight: what browsers
do not need of an answer is withheld.
"""

from __future__ import annotations

import http
import io
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, Literal

from ox_jwt.gate import Headers, is_preflight

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Preflight = Literal["pass", "refuse"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

#: The fields of an answer that are handed on, beside ``Access-Control-*``.
_HANDED_ON = frozenset({"allow", "date", "vary"})

#: Fields that no browser sends with a preflight: credentials (Fetch, section 4.8), and a body.
_NEVER_SENT = frozenset({"authorization", "cookie", "transfer-encoding"})


def passes(preflight: Preflight) -> bool:
    """Whether preflights pass. Raises ``ValueError`` for what says neither."""
    if preflight not in ("pass", "refuse"):
        raise ValueError("preflight is 'pass' or 'refuse'")
    return preflight == "pass"


def wsgi_is_preflight(environ: WSGIEnvironment, headers: Headers) -> bool:
    """Whether a WSGI request in which no token was found is a preflight, as browsers send them."""
    names = [key[len("HTTP_") :].replace("_", "-") for key in environ if key.startswith("HTTP_")]
    has_body = environ.get("CONTENT_LENGTH") not in (None, "", "0")
    return is_preflight(environ.get("REQUEST_METHOD", ""), headers) and not (
        has_body or _are_foreign(names)
    )


def asgi_is_preflight(scope: Scope, headers: Headers) -> bool:
    """Whether an ASGI request in which no token was found is a preflight, as browsers send them."""
    if scope["type"] != "http":
        return False
    names = [name.decode("latin-1") for name, _ in scope["headers"]]
    has_body = any(length != b"0" for length in headers("content-length"))
    return is_preflight(scope.get("method", ""), headers) and not (has_body or _are_foreign(names))


def _are_foreign(names: Iterable[str]) -> bool:
    """Whether one of these fields never comes with a preflight, or turns it into another request for some
    applications, as ``X-HTTP-Method-Override`` does."""
    lower = {name.lower() for name in names} - {"access-control-request-method"}
    return not lower.isdisjoint(_NEVER_SENT) or any("method" in name for name in lower)


def wsgi_answer(
    app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Has a WSGI application answer a preflight, and hands on what is harmless of it."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        begun.append((status, headers))
        return lambda data: None

    environ["wsgi.input"] = io.BytesIO()
    body = app(environ, begin)
    try:
        # A generator may begin with the first part of its body.
        parts = iter(body)
        while not begun and next(parts, None) is not None:
            pass
    finally:
        if hasattr(body, "close"):
            body.close()
    status, headers = begun[-1] if begun else ("", [])
    code = _code(int(status[:3]) if re.match("[0-9]{3}", status) else 0)
    # The phrase may say anything.
    phrase = http.HTTPStatus(code).phrase if code in _KNOWN else "Unknown"
    start_response(f"{code} {phrase}", _handed_on(code, headers))
    return []


class _Enough(OSError):
    """What an application is told that goes on to send, as if the client had gone."""


async def asgi_answer(app: AsgiApplication, scope: Scope, receive: Receive, send: Send) -> None:
    """Has an ASGI application answer a preflight, and hands on what is harmless of it."""
    exchange = _Exchange(receive, send)
    try:
        await app(scope, exchange.receive, exchange.send)
    except Exception:
        # What an application makes of a client that has gone is of no interest.
        if not exchange.is_cut_off:
            raise


class _Exchange:
    """A preflight as an ASGI application sees it: without a body, and over once its answer has begun."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._is_read = self._has_begun = self._has_body = False
        self.is_cut_off = False

    async def receive(self) -> Message:
        if not self._is_read:
            self._is_read = True
            return {"type": "http.request", "body": b"", "more_body": False}
        while not self._has_begun:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._has_begun:
            self._drop(message)
        elif message["type"] == "http.response.start":
            self._has_begun = True
            code = _code(message["status"])
            given = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message.get("headers") or ()
            ]
            headers = [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in _handed_on(code, given)
            ]
            await self._send({"type": "http.response.start", "status": code, "headers": headers})
            await self._send({"type": "http.response.body", "body": b""})

    def _drop(self, message: Message) -> None:
        """Drops a part of the body. An application that has ever more to send would never end."""
        if message.get("more_body") and self._has_body:
            self.is_cut_off = True
            raise _Enough("the answer to a preflight has no body")
        self._has_body = True


_KNOWN = frozenset(map(int, http.HTTPStatus))


def _code(code: int) -> int:
    """A status code; 500 for what is none, or does not end an exchange."""
    return int(code) if 200 <= code <= 599 else 500


def _handed_on(code: int, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The fields of an answer that reach the client: of redirections and failures none."""
    kept = [
        (name, value)
        for name, value in headers
        if name.lower() in _HANDED_ON or name.lower().startswith("access-control-")
    ]
    fields = [] if 300 <= code <= 399 or code >= 500 else kept
    # RFC 9110 section 8.6: not with 204, and with 304 it would be the length of another answer.
    return fields if code in (204, 304) else [*fields, ("Content-Length", "0")]
