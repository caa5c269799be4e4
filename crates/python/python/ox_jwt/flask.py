"""Flask views that ask for a token.

    from ox_jwt.flask import jwt_claims, jwt_iat, requires_jwt

    @app.get("/hello")
    @requires_jwt
    def hello():
        return "Hello, " + flask.g.decoded_jwt["sub"]

The configuration is in ``app.config`` or, where it is not there, in the environment:

``FLASK_JWT_KEY``
    A public key in PEM, also with ``\\n`` for its line breaks, or in base64 of its DER; a JWK or a JWK Set;
    or else a secret of HMAC: the text itself, or after ``hex:`` or ``base64:`` what it is the code of.
``FLASK_JWT_ALGS``
    The algorithms that are accepted: a list, or names separated by commas.
``FLASK_JWT_AUDIENCE``, ``FLASK_JWT_ISSUER``, ``FLASK_JWT_LEEWAY``, ``FLASK_JWT_FROM``
    As ``audience``, ``issuer``, ``leeway`` and ``token_from`` of ``ox_jwt.Gate``; all optional.
``FLASK_JWT_NGINX_PROOF``
    The secret of ``ox_jwt.behind_nginx``: claims are those that nginx verified, and no key is needed.
``FLASK_JWT_PREFLIGHT``
    What becomes of CORS preflights without a token, where a view takes ``OPTIONS``: ``answer``, if not set:
    Flask answers, as for views that do not; ``view``: the view is called, without claims; ``refuse``.

A request that is refused is answered 401, one whose token does not claim enough 403. Where the
configuration is missing or broken every request is answered 500, and the log says why.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import flask

from ox_jwt.behind_nginx import NginxClaims
from ox_jwt._lists import texts
from ox_jwt.exceptions import InvalidKeyError, InvalidTokenError, MissingTokenError, PyJWTError
from ox_jwt.gate import TOKEN_FROM, Gate, Refusal, insufficient_scope, is_preflight, refusal
from ox_jwt.middleware import wsgi_claims, wsgi_header

View = TypeVar("View", bound=Callable[..., Any])

_EXTENSION = "ox_jwt"
_JUDGED = "_ox_jwt_judged"


def requires_jwt(view: View) -> View:
    """Has a view called for requests with a good token alone; its claims are ``flask.g.decoded_jwt``."""
    return _guarded(view, lambda claims: None)


def jwt_claims(wanted: Iterable[str] | Mapping[str, Any]) -> Callable[[View], View]:
    """Asks for claims, too: by name, such that are there and neither false, null, zero nor empty; or
    by name and value, such that are equal, as JSON."""
    if isinstance(wanted, str):
        raise TypeError("jwt_claims takes a list of names, or a mapping of names to values")
    names = texts(wanted, "names of claims")
    equal = None
    if isinstance(wanted, Mapping):
        # What JSON has not is equal to no claim, and what is changed later is not asked for.
        equal = json.loads(json.dumps(dict(wanted), allow_nan=False))

    def check(claims: Mapping[str, Any]) -> None:
        for name in names:
            value = claims.get(name)
            good = value if equal is None else name in claims and _equal(value, equal[name])
            if not good:
                _forbid()

    return lambda view: _guarded(view, check)


def jwt_iat(age: timedelta) -> Callable[[View], View]:
    """Asks for a token that was issued (``iat``) no longer ago, so that long-lived ones do not do."""
    if not isinstance(age, timedelta):
        raise TypeError("jwt_iat takes a timedelta")

    def check(claims: Mapping[str, Any]) -> None:
        issued = claims.get("iat")
        passed = time.time() - issued if isinstance(issued, (int, float)) else None
        if passed is None or not -_leeway() <= passed <= age.total_seconds() + _leeway():
            error = InvalidTokenError("the token was issued too long ago")
            error.reason = "token expired" if passed is not None else "claim rejected"
            _refuse(error)

    return lambda view: _guarded(view, check)


def _guarded(view: View, check: Callable[[Mapping[str, Any]], None]) -> View:
    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            claims = _verified()
        except PyJWTError as error:
            preflight = _preflight(error)
            if preflight == "refuse":
                _refuse(error)
            if preflight == "answer":
                return flask.current_app.make_default_options_response()
        else:
            check(claims)
        return flask.current_app.ensure_sync(view)(*args, **kwargs)

    return guarded  # type: ignore[return-value]


def _preflight(error: PyJWTError) -> str:
    """What becomes of a request without good claims: ``refuse``, but for CORS preflights without a token."""
    environ = flask.request.environ
    asks = is_preflight(flask.request.method, lambda name: wsgi_header(environ, name))
    return _reader().preflight if asks and isinstance(error, MissingTokenError) else "refuse"


@dataclass
class _Judged:
    """What is known of a request; and of the one that made it meanwhile, if they share their ``g``."""

    request: flask.Request
    claims: dict[str, Any] | None
    outer: _Judged | None
    is_over: bool = False


def _verified() -> dict[str, Any]:
    """The claims of the request that is being answered, verified once."""
    judged = _this()
    if judged.claims is None:
        try:
            judged.claims = _reader().claims(judged.request.environ)
        finally:
            _show(judged)
    return judged.claims


def _this(*_: Any, **__: Any) -> _Judged:
    """What is known of the request that is being answered; ``flask.g`` holds nothing of another."""
    # An application context, and with it g, may outlive a request, and serve another meanwhile.
    request = flask.request._get_current_object()  # type: ignore[attr-defined]
    judged: _Judged | None = flask.g.get(_JUDGED)
    if judged is None or judged.request is not request:
        outer = judged if judged is not None and not judged.is_over else None
        judged = _Judged(request, None, outer)
        _show(judged)
    return judged


def _show(judged: _Judged) -> None:
    setattr(flask.g, _JUDGED, judged)
    if judged.claims is None:
        flask.g.pop("decoded_jwt", None)
    else:
        flask.g.decoded_jwt = judged.claims


def _end(*_: Any, **__: Any) -> None:
    """Has ``flask.g`` hold what it held before the request that is over."""
    judged = _this()
    judged.is_over = True
    if judged.outer is not None:
        _show(judged.outer)


flask.request_started.connect(_this)
flask.request_tearing_down.connect(_end)


@dataclass(frozen=True)
class _Reader:
    """What reads the claims of a request, and what becomes of CORS preflights."""

    claims: Callable[[dict[str, Any]], dict[str, Any]]
    preflight: str


def _reader() -> _Reader:
    """The reader that is made of the configuration, once."""
    extensions = flask.current_app.extensions
    if _EXTENSION not in extensions:
        extensions[_EXTENSION] = _make_reader()
    reader: _Reader = extensions[_EXTENSION]
    return reader


def _make_reader() -> _Reader:
    try:
        leeway = _leeway()
        preflight = _setting("FLASK_JWT_PREFLIGHT") or "answer"
        if preflight not in ("answer", "view", "refuse"):
            raise ValueError("FLASK_JWT_PREFLIGHT is answer, view or refuse")
        proof = _setting("FLASK_JWT_NGINX_PROOF")
        if proof:
            nginx = NginxClaims(proof)
            return _Reader(
                lambda environ: nginx.claims(lambda name: wsgi_header(environ, name)), preflight
            )
        algorithms = _words("FLASK_JWT_ALGS")
        if not algorithms:
            raise ValueError("FLASK_JWT_ALGS is not set")
        gate = Gate(
            _key(_setting("FLASK_JWT_KEY")),
            algorithms,
            audience=_words("FLASK_JWT_AUDIENCE"),
            issuer=_words("FLASK_JWT_ISSUER"),
            leeway=leeway,
            token_from=_words("FLASK_JWT_FROM") or TOKEN_FROM,
        )
    except (TypeError, ValueError, OverflowError, NotImplementedError) as error:
        raise InvalidKeyError(str(error)) from error
    return _Reader(lambda environ: wsgi_claims(gate, environ), preflight)


def _setting(name: str) -> Any:
    value = flask.current_app.config.get(name)
    return os.environ.get(name) if value is None else value


def _words(name: str) -> list[str] | None:
    value = _setting(name)
    if value is None:
        return None
    words = value.split(",") if isinstance(value, str) else list(value)
    if not all(isinstance(word, str) for word in words):
        raise TypeError(f"{name} is text, or a list of it")
    return [word.strip() for word in words]


def _leeway() -> float:
    value = _setting("FLASK_JWT_LEEWAY") or 0
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not 0 <= seconds < math.inf:
        raise ValueError("FLASK_JWT_LEEWAY is negative or without end")
    return seconds


def _key(value: Any) -> Any:
    if not value:
        raise InvalidKeyError("FLASK_JWT_KEY is not set")
    return key_of(value)


def key_of(setting: Any) -> Any:
    """The key of a setting: what ``hex:`` or ``base64:`` precedes is decoded, anything else stays as it is.

    Raises ``InvalidKeyError`` where that is not hexadecimal digits or base64.
    """
    if not isinstance(setting, str):
        return setting
    form, colon, code = setting.lstrip().partition(":")
    decode = _DECODERS.get(form + colon)
    if decode is None:
        return setting
    try:
        return decode("".join(code.split()))
    except ValueError:
        # What Python says of it holds a part of it.
        raise InvalidKeyError(f"what follows {form}: in a key is not {form}") from None


def _from_base64(text: str) -> bytes:
    """What it is the base64 of, in either alphabet, with padding or without."""
    code = text.translate(str.maketrans("-_", "+/")).rstrip("=")
    decoded = base64.b64decode(code + "=" * (-len(code) % 4), validate=True)
    # Bits that stand for nothing tell that a character is wrong or missing.
    if base64.b64encode(decoded).decode().rstrip("=") != code:
        raise ValueError
    return decoded


_DECODERS: dict[str, Callable[[str], bytes]] = {"hex:": bytes.fromhex, "base64:": _from_base64}


def _equal(value: Any, wanted: Any) -> bool:
    """Whether two values of JSON are the same. In Python 1 == True, at any depth; in JSON it is not."""
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_equal, value, wanted))
    if isinstance(value, dict) and isinstance(wanted, dict):
        same = value.keys() == wanted.keys()
        return same and all(_equal(value[name], wanted[name]) for name in wanted)
    # 1 and 1.0 are the same number.
    return isinstance(value, bool) is isinstance(wanted, bool) and bool(value == wanted)


def _refuse(error: PyJWTError) -> NoReturn:
    if isinstance(error, InvalidTokenError):
        flask.current_app.logger.info("refused: %s", error.reason)
    else:
        flask.current_app.logger.error("no token can be judged: %s", error)
    _answer(refusal(error, realm=flask.current_app.name))


def _forbid() -> NoReturn:
    flask.current_app.logger.info("refused: claim rejected")
    _answer(insufficient_scope(realm=flask.current_app.name))


def _answer(refused: Refusal) -> NoReturn:
    flask.abort(flask.Response(refused.body, refused.status, refused.headers))
