"""Tokens and keys made without ``ox_jwt``, so that both can be wrong apart."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

import ox_jwt

SECRET = b"a secret of more than 64 bytes, which is long enough for each of HMAC's hashes"
HEADER = {"alg": "HS256", "typ": "JWT"}
ED448 = "EdDSA with Ed448"
ALGORITHMS = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "EdDSA", ED448),
    *("HS256", "HS384", "HS512"),
]


def alg(name: str) -> str:
    """What ``alg`` is for one of ``ALGORITHMS``."""
    return name.split()[0]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(part: Any) -> bytes:
    return part if isinstance(part, bytes) else json.dumps(part).encode()


def signed(claims: Any, header: Any = HEADER, secret: bytes = SECRET) -> str:
    """A token of HS256 over any bytes, or over the JSON of anything else."""
    return resigned(f"{b64(_bytes(header))}.{b64(_bytes(claims))}", secret)


def resigned(signing_input: str, secret: bytes = SECRET) -> str:
    mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{b64(mac)}"


def judge(token: str | bytes, **asked: Any) -> dict[str, Any]:
    return ox_jwt.decode(token, SECRET, ["HS256"], **asked)


def pem_pair() -> ox_jwt.KeyPair:
    """Keys of Ed448, made without ``ox_jwt``."""
    key = ed448.Ed448PrivateKey.generate()
    encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return ox_jwt.KeyPair(
        key.private_bytes(encoding, private, serialization.NoEncryption()).decode(),
        key.public_key().public_bytes(encoding, spki).decode(),
    )


def pem_bytes(pem: str | bytes) -> bytes:
    return pem.encode() if isinstance(pem, str) else pem


def public_der(pem: str | bytes) -> bytes:
    key = serialization.load_pem_public_key(pem_bytes(pem))
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, spki)


def private_der(pem: str | bytes) -> bytes:
    key = serialization.load_pem_private_key(pem_bytes(pem), None)
    private, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.DER, private, plain)


def _number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def ec_jwk(pem: str | bytes, **members: Any) -> dict[str, Any]:
    """The public JWK of a key of P-256."""
    key = cast(ec.EllipticCurvePublicKey, serialization.load_pem_public_key(pem_bytes(pem)))
    point = key.public_numbers()
    x, y = _number(point.x, 32), _number(point.y, 32)
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, **members}


def private_ec_jwk(pem: str | bytes, **members: Any) -> dict[str, Any]:
    loaded = serialization.load_pem_private_key(pem_bytes(pem), None)
    numbers = cast(ec.EllipticCurvePrivateKey, loaded).private_numbers()
    point = numbers.public_numbers
    x, y = _number(point.x, 32), _number(point.y, 32)
    d = _number(numbers.private_value, 32)
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": d, **members}


def rsa_jwk(pem: str | bytes, **members: Any) -> dict[str, Any]:
    key = cast(rsa.RSAPublicKey, serialization.load_pem_public_key(pem_bytes(pem)))
    numbers = key.public_numbers()
    return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e), **members}


def oct_jwk(secret: bytes = SECRET, **members: Any) -> dict[str, Any]:
    return {"kty": "oct", "k": b64(secret), **members}
