"""What an application asks of the token in a request, whatever its framework is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from ox_jwt import _core
from ox_jwt._lists import texts
from ox_jwt.exceptions import (
    InvalidTokenError,
    MissingTokenError,
    PyJWTError,
    SeveralTokensError,
)

#: Where nginx's module looks for a token, in this order: the first place that holds one decides.
TOKEN_FROM = ("arg=jwt", "cookie=jwtcookie", "header=Api-Key", "bearer")

#: All values of a header field, by its name in lower case.
Headers = Callable[[str], Iterable[bytes]]


class Gate:
    """Keys, algorithms and claims that are asked for, and where in a request a token may be.

    The arguments are those of ``ox_jwt.decode``. ``token_from`` names places as nginx's directive
    ``ojwt_token_from`` does: ``arg=NAME``, ``cookie=NAME``, ``header=NAME`` and ``bearer``. Text where a list
    is wanted is its only entry, but for ``algorithms``, where it is a ``TypeError``. A key that is broken or
    evidently no secret, an algorithm that is not known or a negative leeway is an error here already.
    """

    def __init__(
        self,
        key: str | bytes | dict[str, Any] | _core.JwkSet,
        algorithms: Iterable[str],
        *,
        audience: str | Iterable[str] | None = None,
        issuer: str | Iterable[str] | None = None,
        leeway: float | timedelta | None = None,
        require: str | Iterable[str] | None = None,
        token_from: str | Iterable[str] = TOKEN_FROM,
    ) -> None:
        self._key = key
        self._algorithms = algorithms if isinstance(algorithms, str) else list(algorithms)
        _core.check(key, self._algorithms, leeway)
        self._audience = None if audience is None else texts(audience, "audience")
        self._issuer = None if issuer is None else texts(issuer, "issuer")
        self._leeway = leeway
        self._require = None if require is None else texts(require, "require")
        self._places = [_place(word) for word in texts(token_from, "token_from")]

    def claims(self, *, query: bytes, headers: Headers, host: str) -> dict[str, Any]:
        """The claims of the request's token, verified.

        Raises ``MissingTokenError`` where there is none, ``SeveralTokensError`` where one place holds
        different ones, and what ``ox_jwt.decode`` raises.
        """
        for place in self._places:
            token = place(query, headers)
            if token is not None:
                return _core.decode(
                    token,
                    self._key,
                    self._algorithms,
                    audience=self._audience,
                    issuer=self._issuer,
                    host=host,
                    leeway=self._leeway,
                    require=self._require,
                )
        raise MissingTokenError("no token")


def is_preflight(method: str, headers: Headers) -> bool:
    """Whether a browser asks which requests of another site it may make (the Fetch standard's
    CORS-preflight request), for which it has no token."""
    fields = ("origin", "access-control-request-method")
    values = [list(headers(name)) for name in fields]
    # WSGI has several fields as one, with commas between.
    are_single = all(len(value) == 1 and value[0] and b"," not in value[0] for value in values)
    return method == "OPTIONS" and are_single


class Refusal(NamedTuple):
    """The response to a request that is refused. It says why, and nothing of how."""

    status: int
    phrase: str
    headers: list[tuple[str, str]]
    body: bytes


def refusal(error: PyJWTError, *, realm: str = "ox_jwt") -> Refusal:
    """What to answer: 401 or 400 (RFC 6750 section 3), or 500 where the fault is ours."""
    if not isinstance(error, InvalidTokenError):
        return _refusal(500, "Internal Server Error", "failed: internal error\n", [])
    several = isinstance(error, SeveralTokensError)
    challenge = f"Bearer realm={_quoted(realm)}"
    if not isinstance(error, MissingTokenError):
        code = "invalid_request" if several else "invalid_token"
        challenge += f', error="{code}", error_description="{error.reason}"'
    status, phrase = (400, "Bad Request") if several else (401, "Unauthorized")
    headers = [("WWW-Authenticate", challenge)]
    return _refusal(status, phrase, f"failed: {error.reason}\n", headers)


def insufficient_scope(*, realm: str = "ox_jwt") -> Refusal:
    """What to answer where a good token does not claim enough: 403 (RFC 6750 section 3.1)."""
    challenge = f'Bearer realm={_quoted(realm)}, error="insufficient_scope"'
    headers = [("WWW-Authenticate", challenge)]
    return _refusal(403, "Forbidden", "failed: claim rejected\n", headers)


def _refusal(status: int, phrase: str, text: str, more: list[tuple[str, str]]) -> Refusal:
    body = text.encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    return Refusal(status, phrase, headers + more, body)


def _quoted(text: str) -> str:
    """A quoted string (RFC 9110 section 5.6.4), with ``?`` for what is not printable ASCII."""
    printable = "".join(c if " " <= c <= "~" else "?" for c in text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'


Place = Callable[[bytes, Headers], "bytes | None"]


def _place(word: str) -> Place:
    kind, _, name = word.partition("=")
    if kind == "bearer" and not name:
        return lambda _, headers: _one(map(_core.bearer, headers("authorization")))
    if not name or any(character.isspace() or character in ",;&=" for character in name):
        raise ValueError(f"a token is not to be had from {word!r}")
    if kind == "arg":
        return lambda query, _: _core.argument(query, name)
    if kind == "cookie":
        return lambda _, headers: _core.cookie(list(headers("cookie")), name)
    if kind == "header":
        lower = name.lower()
        return lambda _, headers: _one(map(_core.bare, headers(lower)))
    raise ValueError(f"a token is not to be had from {word!r}")


def _one(values: Iterable[bytes | None]) -> bytes | None:
    """The one value that all of these are."""
    found = {value for value in values if value}
    if len(found) > 1:
        raise SeveralTokensError("several tokens")
    return found.pop() if found else None
