"""A gate in front of a WSGI or an ASGI application.

    app.wsgi_app = WsgiGate(app.wsgi_app, Gate(key, ["ES256"]))

The claims are in ``environ["ox_jwt.claims"]`` or ``scope["ox_jwt.claims"]``.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from ox_jwt.exceptions import InvalidTokenError, PyJWTError
from ox_jwt.gate import Gate, Refusal, refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CLAIMS = "ox_jwt.claims"

_log = logging.getLogger("ox_jwt")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]


class WsgiGate:
    """Lets requests through to a WSGI application (PEP 3333) whose token is good.

    ``exempt`` are the paths that need none, each as a whole.
    """

    def __init__(
        self, app: WSGIApplication, gate: Gate, *, exempt: Iterable[str] = (), realm: str = "ox_jwt"
    ) -> None:
        self._app, self._gate = app, gate
        self._exempt, self._realm = frozenset(exempt), realm

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        environ.pop(CLAIMS, None)
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        if path not in self._exempt:
            try:
                environ[CLAIMS] = wsgi_claims(self._gate, environ)
            except PyJWTError as error:
                refused = _refused(error, self._realm)
                start_response(f"{refused.status} {refused.phrase}", refused.headers)
                # A server may send what it is given, and a client that asked for the head alone
                # would take it for the next response.
                return [] if environ.get("REQUEST_METHOD") == "HEAD" else [refused.body]
        return self._app(environ, start_response)


def wsgi_claims(gate: Gate, environ: WSGIEnvironment) -> dict[str, Any]:
    """The claims of a WSGI request's token: see ``Gate.claims``."""
    return gate.claims(
        query=environ.get("QUERY_STRING", "").encode("latin-1"),
        headers=lambda name: wsgi_header(environ, name),
        host=environ.get("HTTP_HOST", ""),
    )


def wsgi_header(environ: WSGIEnvironment, name: str) -> list[bytes]:
    """The value of a header field, which WSGI has as text in Latin-1."""
    value = environ.get("HTTP_" + name.upper().replace("-", "_"))
    return [] if value is None else [value.encode("latin-1")]


class AsgiGate:
    """Lets requests and WebSockets through to an ASGI application whose token is good.

    ``exempt`` are the paths that need none, each as a whole.
    """

    def __init__(
        self, app: AsgiApplication, gate: Gate, *, exempt: Iterable[str] = (), realm: str = "ox_jwt"
    ) -> None:
        self._app, self._gate = app, gate
        self._exempt, self._realm = frozenset(exempt), realm

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        scope = dict(scope)
        scope.pop(CLAIMS, None)
        if scope["path"] not in self._exempt:
            try:
                scope[CLAIMS] = self._claims(scope)
            except PyJWTError as error:
                return await self._refuse(_refused(error, self._realm), scope, receive, send)
        await self._app(scope, receive, send)

    def _claims(self, scope: Scope) -> dict[str, Any]:
        def headers(name: str) -> list[bytes]:
            wanted = name.encode()
            return [value for key, value in scope["headers"] if key == wanted]

        host = b"".join(headers("host")[:1]).decode("latin-1")
        return self._gate.claims(query=scope.get("query_string") or b"", headers=headers, host=host)

    @staticmethod
    async def _refuse(refused: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            # Before the handshake is accepted the server answers 403.
            return await send({"type": "websocket.close", "code": 1008})
        headers = [(name.lower().encode(), value.encode()) for name, value in refused.headers]
        await send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await send({"type": "http.response.body", "body": refused.body})


def _refused(error: PyJWTError, realm: str) -> Refusal:
    if isinstance(error, InvalidTokenError):
        _log.info("refused: %s", error.reason)
    else:
        _log.error("no token can be judged: %s", error)
    return refusal(error, realm=realm)
