from collections.abc import Iterable
from datetime import timedelta
from typing import Any, final

__all__ = [
    "JwkSet",
    "argument",
    "bare",
    "bearer",
    "check",
    "cookie",
    "decode",
    "decode_unverified_header",
    "make_keys",
    "no_secret",
    "sign",
]

@final
class JwkSet:
    """A JWK Set (RFC 7517 section 5): keys that verify tokens, chosen by ``kid`` and ``alg``.

    It is parsed once; keep it. Keys that are broken or of an unknown kind are skipped: see ``warnings``.
    """

    def __new__(cls, source: str | bytes | dict[str, Any]) -> JwkSet: ...
    @property
    def kids(self) -> list[str]: ...
    @property
    def warnings(self) -> list[str]: ...

def decode(
    token: str | bytes,
    key: str | bytes | dict[str, Any] | JwkSet,
    algorithms: Iterable[str],
    *,
    audience: str | Iterable[str] | None = None,
    issuer: str | Iterable[str] | None = None,
    host: str | None = None,
    leeway: float | timedelta | None = None,
    require: Iterable[str] | None = None,
) -> dict[str, Any]: ...
def decode_unverified_header(token: str | bytes) -> dict[str, Any]: ...
def check(
    key: str | bytes | dict[str, Any] | JwkSet,
    algorithms: Iterable[str],
    leeway: float | timedelta | None = None,
) -> None: ...
def sign(
    header: str, payload: str, key: str | bytes | dict[str, Any], algorithm: str
) -> str: ...
def make_keys(
    algorithm: str, rsa_bits: int | None = None
) -> tuple[str, str] | tuple[bytes, bytes]: ...
def no_secret(secret: bytes) -> str | None: ...
def argument(query: bytes, name: str) -> bytes | None: ...
def cookie(headers: list[bytes], name: str) -> bytes | None: ...
def bare(header: bytes) -> bytes | None: ...
def bearer(header: bytes) -> bytes | None: ...
