"""Making tokens and keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ox_jwt import _core

_DATES = ("exp", "iat", "nbf")


def encode(
    payload: Mapping[str, Any],
    key: str | bytes | dict[str, Any],
    algorithm: str = "RS256",
    headers: Mapping[str, Any] | None = None,
) -> str:
    """Signs claims: a compact JWS.

    ``key`` is a private key in PEM or DER, a private JWK, or the bytes of a secret of HMAC, as long as
    the hash at least (32 bytes for HS256). ``exp``, ``iat`` and ``nbf`` may be aware ``datetime``s, or naive
    ones in UTC. ``headers`` are added to the header, without ``typ`` where that is None; a JWK's ``kid`` is
    there by itself.

    Raises ``InvalidKeyError`` for a key that is none or none for ``algorithm``, ``NotImplementedError`` for
    an algorithm that is not known (``none`` is not), ``TypeError`` for a payload that is not JSON, or
    whose ``iss``, ``sub`` or ``jti`` is not a string, ``ValueError`` for numbers that JSON does not have.
    """
    if not isinstance(payload, Mapping):
        raise TypeError("a payload is a mapping of claims")
    claims = dict(payload)
    for name in _DATES:
        if isinstance(claims.get(name), datetime):
            claims[name] = _seconds(claims[name])
    for name in ("iss", "sub", "jti"):
        if name in claims and not isinstance(claims[name], str):
            raise TypeError(f"{name} is a string")
    header: dict[str, Any] = {"alg": algorithm, "typ": "JWT"}
    if isinstance(key, dict) and "kid" in key:
        header["kid"] = key["kid"]
    header.update(headers or {})
    if header["typ"] is None:
        del header["typ"]
    # What the header says of the algorithm is what it is.
    header["alg"] = algorithm
    return _core.sign(_json(header), _json(claims), key, algorithm)


def _seconds(date: datetime) -> int:
    aware = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
    return int(aware.timestamp())


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


class KeyPair(NamedTuple):
    """A private key and its public half, in PEM; of HMAC both are the secret, in bytes."""

    private_key: str | bytes
    public_key: str | bytes


def make_keys(algorithm: str = "RS256", *, rsa_bits: int | None = None) -> KeyPair:
    """Makes keys for an algorithm; ``rsa_bits`` is 2048 (the default), 3072, 4096 or 8192.

    Raises ``NotImplementedError`` for an algorithm that is not known, ``ValueError`` for another size.
    """
    return KeyPair(*_core.make_keys(algorithm, rsa_bits))
