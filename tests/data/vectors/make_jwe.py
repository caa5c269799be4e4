#!/usr/bin/env python3
"""Writes jwe.json: encrypted tokens that every part of the project must judge alike.

Needs jwcrypto, which makes the tokens. It has no RSA-OAEP with SHA-384 and SHA-512: those are made
here with the `cryptography` package, which encrypts with OpenSSL. The RSA key and the key of P-256 are
those of tests/data. Run it again only to add a vector: every token differs each time.
"""

from __future__ import annotations

import base64
import importlib.metadata
import json
import os
import pathlib
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jwcrypto import jwe, jwk, jws

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent
CLAIMS = {"sub": "alice", "exp": 4102444800, "host": "example.com"}
RSA = json.loads((DATA / "rsa.private.jwk").read_text())
SIGNER = jwk.JWK.from_pem((DATA / "ec_prime256v1.pem").read_bytes())
JWCRYPTO = f"jwcrypto {importlib.metadata.version('jwcrypto')}"
OPENSSL = f"cryptography {importlib.metadata.version('cryptography')} (OpenSSL)"
# The octets of a content encryption key, and of a key that wraps one.
ENCS = {
    "A128CBC-HS256": 32,
    "A192CBC-HS384": 48,
    "A256CBC-HS512": 64,
    "A128GCM": 16,
    "A192GCM": 24,
    "A256GCM": 32,
}
RSA_ALGS = ["RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512"]
WRAPS = {f"A{bits}{kind}": bits // 8 for kind in ("KW", "GCMKW") for bits in (128, 192, 256)}
FAILED = "decryption failed"


def b64(data: bytes | str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def secret(size: int) -> dict[str, Any]:
    return {"kty": "oct", "k": b64(bytes(37 * i % 256 for i in range(size)))}


def key_for(alg: str, enc: str) -> dict[str, Any]:
    if alg in RSA_ALGS:
        return RSA
    return secret(WRAPS.get(alg) or ENCS[enc])


def seal(alg: str, enc: str, content: str, **more: Any) -> str:
    header = compact({"alg": alg, "enc": enc} | more)
    if alg in ("RSA-OAEP-384", "RSA-OAEP-512"):
        return seal_with_openssl(alg, enc, header, content)
    token = jwe.JWE(content, protected=header, algs=[alg, enc])
    token.add_recipient(jwk.JWK(**key_for(alg, enc)))
    return token.serialize(compact=True)


def seal_with_openssl(alg: str, enc: str, header: str, content: str) -> str:
    digest = {"384": hashes.SHA384(), "512": hashes.SHA512()}[alg[-3:]]
    cek = os.urandom(ENCS[enc])
    scheme = padding.OAEP(padding.MGF1(digest), digest, None)
    public = jwk.JWK(**RSA).get_op_key("wrapKey")
    wrapped = public.encrypt(cek, scheme)
    aad = b64(header).encode()
    if enc.endswith("GCM"):
        iv = os.urandom(12)
        sealed = AESGCM(cek).encrypt(iv, content.encode(), aad)
        text, tag = sealed[:-16], sealed[-16:]
    else:
        iv, half = os.urandom(16), len(cek) // 2
        padder = block_padding.PKCS7(128).padder()
        padded = padder.update(content.encode()) + padder.finalize()
        encryptor = Cipher(algorithms.AES(cek[half:]), modes.CBC(iv)).encryptor()
        text = encryptor.update(padded) + encryptor.finalize()
        size = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
        mac = hmac.HMAC(cek[:half], size[enc[-3:]])
        mac.update(aad + iv + text + (len(aad) * 8).to_bytes(8, "big"))
        tag = mac.finalize()[:half]
    return ".".join([aad.decode(), *map(b64, (wrapped, iv, text, tag))])


def sign(alg: str, key: jwk.JWK, claims: Any = None) -> str:
    token = jws.JWS(compact(CLAIMS if claims is None else claims))
    token.add_signature(key, alg=alg, protected=compact({"alg": alg, "typ": "JWT"}))
    return token.serialize(compact=True)


def damaged(token: str, part: int) -> str:
    parts = token.split(".")
    raw = bytearray(unb64(parts[part]))
    raw[len(raw) // 2] ^= 1
    parts[part] = b64(bytes(raw))
    return ".".join(parts)


VECTORS: list[dict[str, Any]] = []


def vector(name: str, source: str, kind: str, keys: list[Any], token: str, expect: str) -> None:
    members = {"name": name, "source": source, "type": kind, "jwks": {"keys": keys}}
    VECTORS.append(members | {"token": token, "expect": expect})


def for_encryption(alg: str, enc: str) -> dict[str, Any]:
    return key_for(alg, enc) | {"use": "enc"}


def public(key: jwk.JWK) -> dict[str, Any]:
    members = key.export_public(as_dict=True)
    members.pop("kid", None)
    return members | {"use": "sig"}


# Every alg with every enc, each with a twin of which one part was changed, in turn.

COMBINATIONS = [(alg, enc) for alg in [*RSA_ALGS, *WRAPS] for enc in ENCS]
COMBINATIONS += [("dir", enc) for enc in ENCS]
PARTS = {1: "key", 2: "initialization vector", 3: "content", 4: "tag"}
for index, (alg, enc) in enumerate(COMBINATIONS):
    source = OPENSSL if alg in ("RSA-OAEP-384", "RSA-OAEP-512") else JWCRYPTO
    keys = [for_encryption(alg, enc)]
    good = seal(alg, enc, compact(CLAIMS))
    vector(f"{alg} with {enc}", source, "encrypted", keys, good, "ok")
    part = 2 + index % 3 if alg == "dir" else 1 + index % 4
    name = f"{alg} with {enc}, {PARTS[part]} changed"
    vector(name, source, "encrypted", keys, damaged(good, part), FAILED)

# Nested: signed, then encrypted.

SECRET = {"kty": "oct", "k": b64(b"\x5a" * 64)}
ED25519 = jwk.JWK.from_pem((DATA / "ed25519.pem").read_bytes())
for signer, alg, enc in [
    ("ES256", "RSA-OAEP-256", "A256GCM"),
    ("EdDSA", "A256KW", "A128CBC-HS256"),
    ("RS256", "A192GCMKW", "A192CBC-HS384"),
    ("HS512", "dir", "A256CBC-HS512"),
]:
    key = {
        "ES256": SIGNER,
        "EdDSA": ED25519,
        "RS256": jwk.JWK(**RSA),
        "HS512": jwk.JWK(**SECRET),
    }[signer]
    signing = SECRET | {"use": "sig"} if signer == "HS512" else public(key)
    keys = [signing, for_encryption(alg, enc)]
    name = f"{signer} within {alg} with {enc}"
    inner = sign(signer, key)
    good = seal(alg, enc, inner, cty="JWT")
    vector(name, JWCRYPTO, "nested", keys, good, "ok")
    vector(f"{name}, tag changed", JWCRYPTO, "nested", keys, damaged(good, 4), FAILED)
    twin = seal(alg, enc, damaged(inner, 2), cty="JWT")
    vector(f"{name}, signature changed", JWCRYPTO, "nested", keys, twin, "signature mismatch")

# What is refused, and where.

KEYS = [public(SIGNER), for_encryption("RSA-OAEP", ""), secret(16) | {"use": "enc"}]
INNER = sign("ES256", SIGNER)
JWT = {"cty": "JWT"}
DEF = "RFC 8725 section 3.6"
NESTING = "RFC 7519 section 5.2"
EXPIRED = sign("ES256", SIGNER, {"exp": 1})
UNSIGNED = f"{b64(compact({'alg': 'none'}))}.{b64(compact(CLAIMS))}."
for name, source, kind, token, expect in [
    ("signed, where encrypted is wanted", "RFC 7516 section 9", "encrypted", INNER, "malformed token"),
    ("signed, where nested is wanted", "RFC 7516 section 9", "nested", INNER, "malformed token"),
    (
        "encrypted, where signed is wanted",
        "RFC 7516 section 9",
        "signed",
        seal("RSA-OAEP", "A128GCM", compact(CLAIMS)),
        "malformed token",
    ),
    (
        "nested, where encrypted is wanted",
        NESTING,
        "encrypted",
        seal("RSA-OAEP", "A128GCM", INNER, **JWT),
        "malformed token",
    ),
    (
        "encrypted, where nested is wanted",
        NESTING,
        "nested",
        seal("RSA-OAEP", "A128GCM", compact(CLAIMS)),
        "malformed token",
    ),
    (
        "encrypted twice",
        NESTING,
        "nested",
        seal("RSA-OAEP", "A128GCM", seal("A128KW", "A128GCM", INNER, **JWT), **JWT),
        "malformed token",
    ),
    (
        "cty of something else",
        NESTING,
        "nested",
        seal("RSA-OAEP", "A128GCM", INNER, cty="application/json"),
        "malformed token",
    ),
    ("cty in lower case", NESTING, "nested", seal("A128KW", "A128GCM", INNER, cty="jwt"), "ok"),
    ("no cty", NESTING, "nested", seal("A128KW", "A128GCM", INNER), "ok"),
    (
        "alg none within",
        "RFC 8725 section 2.1",
        "nested",
        seal("RSA-OAEP", "A128GCM", UNSIGNED, **JWT),
        "unsupported algorithm",
    ),
    (
        "expired within",
        "RFC 7519 section 4.1.4",
        "nested",
        seal("RSA-OAEP", "A128GCM", EXPIRED, **JWT),
        "token expired",
    ),
    (
        "expired",
        "RFC 7519 section 4.1.4",
        "encrypted",
        seal("A128KW", "A128GCM", compact({"exp": 1})),
        "token expired",
    ),
    (
        "compressed",
        DEF,
        "encrypted",
        seal("A128KW", "A128GCM", compact(CLAIMS), zip="DEF"),
        "unsupported critical header",
    ),
    (
        "another kid",
        "RFC 7516 section 4.1.6",
        "encrypted",
        seal("A128KW", "A128GCM", compact(CLAIMS), kid="x"),
        "unknown key",
    ),
    (
        "key of another length",
        "RFC 7518 section 4.4",
        "encrypted",
        seal("A192KW", "A128GCM", compact(CLAIMS)),
        "algorithm not allowed",
    ),
]:
    keys = [key | {"kid": "e"} for key in KEYS] if expect == "unknown key" else KEYS
    vector(name, source, kind, keys, token, expect)


def by_jwcrypto(alg: str, enc: str, key: jwk.JWK) -> str:
    token = jwe.JWE(compact(CLAIMS), protected=compact({"alg": alg, "enc": enc}), algs=[alg, enc])
    token.add_recipient(key)
    return token.serialize(compact=True)


for alg, key in [
    ("RSA1_5", jwk.JWK(**RSA)),
    ("ECDH-ES", SIGNER),
    ("ECDH-ES+A128KW", SIGNER),
    ("PBES2-HS256+A128KW", jwk.JWK.from_password("secret")),
]:
    token = by_jwcrypto(alg, "A128CBC-HS256", key)
    vector(f"{alg} is not supported", JWCRYPTO, "encrypted", KEYS, token, "unsupported algorithm")

names = [vector["name"] for vector in VECTORS]
assert len(names) == len(set(names)), "a name occurs twice"
lines = ",\n".join(json.dumps(vector) for vector in VECTORS)
(HERE / "jwe.json").write_text(f"[\n{lines}\n]\n")
print(len(VECTORS), "vectors")
