"""A gate in front of a WSGI or an ASGI application.

    app.wsgi_app = WsgiGate(app.wsgi_app, Gate(key, ["ES256"]))

The claims are in ``environ["ox_jwt.claims"]`` or ``scope["ox_jwt.claims"]``.

``exempt`` are the paths that need no token: each as a whole (``/health``), or all that begin with a folder
(``/static/*``). They are compared, percent-decoded, with what the application routes by: the path below
the place where it is mounted (``SCRIPT_NAME``, ``root_path``). A path that has ``//``, ``/./``, ``/../``, a
backslash, an encoded slash, or something that was percent-encoded twice is never exempt.

A browser's CORS preflight reaches the application without a token, and without claims: an ``OPTIONS`` request
with ``Origin`` and ``Access-Control-Request-Method`` that has neither a body nor credentials. Of the answer the
client gets the status, ``Access-Control-*``, ``Allow``, ``Date`` and ``Vary``, and no body. A view is called
all the same: one that acts whatever the method is acts for anyone who sends a preflight. With
``preflight="refuse"`` preflights are refused as other requests without a token are.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ox_jwt import _preflight
from ox_jwt._exempt import Exempt
from ox_jwt._preflight import AsgiApplication, Preflight, Receive, Scope, Send
from ox_jwt.exceptions import InvalidTokenError, MissingTokenError, PyJWTError
from ox_jwt.gate import Gate, Headers, Refusal, refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CLAIMS = "ox_jwt.claims"

_log = logging.getLogger("ox_jwt")


class WsgiGate:
    """Lets requests through to a WSGI application (PEP 3333) whose token is good.

    ``exempt`` is what needs none, ``preflight`` what becomes of CORS preflights: see the module.
    """

    def __init__(
        self,
        app: WSGIApplication,
        gate: Gate,
        *,
        exempt: str | Iterable[str] = (),
        realm: str = "ox_jwt",
        preflight: Preflight = "pass",
    ) -> None:
        self._app, self._gate = app, gate
        self._exempt, self._realm = Exempt(exempt), realm
        self._preflights_pass = _preflight.passes(preflight)

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        environ.pop(CLAIMS, None)
        error = self._judged(environ)
        if error is None:
            return self._app(environ, start_response)
        is_asked = self._preflights_pass and isinstance(error, MissingTokenError)
        headers = functools.partial(wsgi_header, environ)
        if is_asked and _preflight.wsgi_is_preflight(environ, headers):
            return _preflight.wsgi_answer(self._app, environ, start_response)
        refused = _refused(error, self._realm)
        start_response(f"{refused.status} {refused.phrase}", refused.headers)
        # A server may send what it is given, and a client that asked for the head alone
        # would take it for the next response.
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [refused.body]

    def _judged(self, environ: WSGIEnvironment) -> PyJWTError | None:
        """Why the request is refused; ``None`` if it is not, with its claims in the environ."""
        try:
            if not self._exempt.covers(_wsgi_path(environ)):
                environ[CLAIMS] = wsgi_claims(self._gate, environ)
        except PyJWTError as error:
            return error
        return None


def _wsgi_path(environ: WSGIEnvironment) -> str:
    """The path that the application routes by. WSGI has its bytes, percent-decoded, as text in Latin-1."""
    # Some applications route by the path before it was decoded, where the server has it: to them ``%2F``
    # ends no folder.
    raw = (str(environ.get(name, "")).partition("?")[0] for name in ("RAW_URI", "REQUEST_URI"))
    if any("%2f" in uri.lower() for uri in raw):
        return ""
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

    ``exempt`` is what needs none, ``preflight`` what becomes of CORS preflights: see the module.
    """

    def __init__(
        self,
        app: AsgiApplication,
        gate: Gate,
        *,
        exempt: str | Iterable[str] = (),
        realm: str = "ox_jwt",
        preflight: Preflight = "pass",
    ) -> None:
        self._app, self._gate = app, gate
        self._exempt, self._realm = Exempt(exempt), realm
        self._preflights_pass = _preflight.passes(preflight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        scope = dict(scope)
        scope.pop(CLAIMS, None)
        # They may be an iterator, and others read them, too.
        scope["headers"] = list(scope["headers"])
        headers = _asgi_headers(scope)
        error = self._judged(scope, headers)
        if error is None:
            return await self._app(scope, receive, send)
        is_asked = self._preflights_pass and isinstance(error, MissingTokenError)
        if is_asked and _preflight.asgi_is_preflight(scope, headers):
            return await _preflight.asgi_answer(self._app, scope, receive, send)
        await self._refuse(_refused(error, self._realm), scope, receive, send)

    def _judged(self, scope: Scope, headers: Headers) -> PyJWTError | None:
        """Why the request is refused; ``None`` if it is not, with its claims in the scope."""
        try:
            if not self._exempt.covers(_asgi_path(scope)):
                scope[CLAIMS] = self._claims(scope, headers)
        except PyJWTError as error:
            return error
        return None

    def _claims(self, scope: Scope, headers: Headers) -> dict[str, Any]:
        # Of several hosts the application may take another one.
        hosts = list(headers("host"))
        host = hosts[0].decode("latin-1") if len(hosts) == 1 else ""
        return self._gate.claims(query=scope.get("query_string") or b"", headers=headers, host=host)

    @staticmethod
    async def _refuse(refused: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            # Before the handshake is accepted the server answers 403.
            return await send({"type": "websocket.close", "code": 1008})
        headers = [(name.lower().encode(), value.encode()) for name, value in refused.headers]
        await send({"type": "http.response.start", "status": refused.status, "headers": headers})
        # As for WSGI: who asked for the head alone gets no body.
        body = b"" if scope.get("method") == "HEAD" else refused.body
        await send({"type": "http.response.body", "body": body})


def _asgi_headers(scope: Scope) -> Headers:
    def headers(name: str) -> list[bytes]:
        wanted = name.encode()
        return [value for key, value in scope["headers"] if key == wanted]

    return headers


def _asgi_path(scope: Scope) -> str:
    """The path that the application routes by, which ASGI has percent-decoded, below ``root_path``."""
    # As for WSGI.
    if b"%2f" in (scope.get("raw_path") or b"").lower():
        return ""
    path: str = scope["path"]
    root: str = scope.get("root_path") or ""
    return path[len(root) :] if f"{path}/".startswith(f"{root}/") else path


def _refused(error: PyJWTError, realm: str) -> Refusal:
    if isinstance(error, InvalidTokenError):
        _log.info("refused: %s", error.reason)
    else:
        _log.error("no token can be judged: %s", error)
    return refusal(error, realm=realm)
