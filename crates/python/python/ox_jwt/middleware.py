"""A gate in front of a WSGI or an ASGI application.

    app.wsgi_app = WsgiGate(app.wsgi_app, Gate(key, ["ES256"]))

The claims are in ``environ["ox_jwt.claims"]`` or ``scope["ox_jwt.claims"]``.

``exempt`` are the paths that need no token: each as a whole (``/health``), or all that begin with a folder
(``/static/*``). They are compared, percent-decoded, with what the application routes by: the path below
the place where it is mounted (``SCRIPT_NAME``, ``root_path``). A path that has ``//``, ``/./``, ``/../``, a
backslash, or something that was percent-encoded twice is never exempt.

With ``preflight=True`` a browser's CORS preflight reaches the application, without claims: an ``OPTIONS``
request without a token, with ``Origin`` and ``Access-Control-Request-Method``. Anyone can send one, so that
the application must answer ``OPTIONS`` by itself, whatever the path, and never as it answers other methods.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from ox_jwt._exempt import Exempt
from ox_jwt.exceptions import InvalidTokenError, MissingTokenError, PyJWTError
from ox_jwt.gate import Gate, Headers, Refusal, is_preflight, refusal

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

    ``exempt`` and ``preflight`` are what needs none: see the module.
    """

    def __init__(
        self,
        app: WSGIApplication,
        gate: Gate,
        *,
        exempt: str | Iterable[str] = (),
        realm: str = "ox_jwt",
        preflight: bool = False,
    ) -> None:
        self._app, self._gate = app, gate
        self._exempt, self._realm, self._preflight = Exempt(exempt), realm, preflight

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        environ.pop(CLAIMS, None)
        try:
            if not self._exempt.covers(_wsgi_path(environ)):
                environ[CLAIMS] = wsgi_claims(self._gate, environ)
        except PyJWTError as error:
            method = environ.get("REQUEST_METHOD", "")
            asks = _asks(error, method, lambda name: wsgi_header(environ, name))
            if not (self._preflight and asks):
                refused = _refused(error, self._realm, asks)
                start_response(f"{refused.status} {refused.phrase}", refused.headers)
                # A server may send what it is given, and a client that asked for the head alone
                # would take it for the next response.
                return [] if method == "HEAD" else [refused.body]
        return self._app(environ, start_response)


def _wsgi_path(environ: WSGIEnvironment) -> str:
    """The path that the application routes by. WSGI has its bytes, percent-decoded, as text in Latin-1."""
    try:
        path: str = environ.get("PATH_INFO", "")
        return path.encode("latin-1").decode()
    except UnicodeError:
        return ""


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

    ``exempt`` and ``preflight`` are what needs none: see the module.
    """

    def __init__(
        self,
        app: AsgiApplication,
        gate: Gate,
        *,
        exempt: str | Iterable[str] = (),
        realm: str = "ox_jwt",
        preflight: bool = False,
    ) -> None:
        self._app, self._gate = app, gate
        self._exempt, self._realm, self._preflight = Exempt(exempt), realm, preflight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        scope = dict(scope)
        scope.pop(CLAIMS, None)
        headers = _asgi_headers(scope)
        try:
            if not self._exempt.covers(_asgi_path(scope)):
                scope[CLAIMS] = self._claims(scope, headers)
        except PyJWTError as error:
            method = scope.get("method", "") if scope["type"] == "http" else ""
            asks = _asks(error, method, headers)
            if not (self._preflight and asks):
                refused = _refused(error, self._realm, asks)
                return await self._refuse(refused, scope, receive, send)
        await self._app(scope, receive, send)

    def _claims(self, scope: Scope, headers: Headers) -> dict[str, Any]:
        host = b"".join(list(headers("host"))[:1]).decode("latin-1")
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


def _asgi_headers(scope: Scope) -> Headers:
    def headers(name: str) -> list[bytes]:
        wanted = name.encode()
        return [value for key, value in scope["headers"] if key == wanted]

    return headers


def _asgi_path(scope: Scope) -> str:
    """The path that the application routes by, which ASGI has percent-decoded, below ``root_path``."""
    path: str = scope["path"]
    root: str = scope.get("root_path") or ""
    return path[len(root) :] if f"{path}/".startswith(f"{root}/") else path


def _asks(error: PyJWTError, method: str, headers: Headers) -> bool:
    """Whether it is a CORS preflight that is refused, since it has no token."""
    return isinstance(error, MissingTokenError) and is_preflight(method, headers)


def _refused(error: PyJWTError, realm: str, asks: bool) -> Refusal:
    if isinstance(error, InvalidTokenError):
        hint = " (CORS preflights pass with preflight=True)" if asks else ""
        _log.info("refused: %s%s", error.reason, hint)
    else:
        _log.error("no token can be judged: %s", error)
    return refusal(error, realm=realm)
