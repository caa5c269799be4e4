#!/usr/bin/env python3
"""Writes jws.json: tokens that every part of the project must judge alike.

Needs the `cryptography` package, which signs with OpenSSL, PyJWT and jwcrypto, so that the tokens are
made by other implementations than the one that verifies them. The keys are those of
tests/data. A token that is there already stays if what it signs is the same, since
signatures of ECDSA and RSA-PSS differ each time; without jws.json all are made anew.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.metadata
import json
import pathlib
from typing import Any

import jwt
import jwt.algorithms
import jwcrypto.jwk
import jwcrypto.jws
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent
SECRET = b"\x5a" * 64
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {"ES256": 32, "ES384": 48, "ES512": 66, "ES256K": 32}
FAR = 4102444800
CLAIMS = {"sub": "alice", "exp": FAR, "host": "example.com"}


def b64(data: bytes | str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def load(name: str) -> Any:
    return serialization.load_pem_private_key((DATA / name).read_bytes(), None)


RSA = load("rsa.pem")
ATTACKER = load("attacker_rsa.pem")
KEYS = {
    "RS": RSA,
    "PS": RSA,
    "ES256": load("ec_prime256v1.pem"),
    "ES384": load("ec_secp384r1.pem"),
    "ES512": load("ec_secp521r1.pem"),
    "ES256K": load("ec_secp256k1.pem"),
    "EdDSA": load("ed25519.pem"),
    "Ed25519": load("ed25519.pem"),
    "Ed448": load("ed448.pem"),
}


def key_of(alg: str) -> Any:
    return KEYS.get(alg) or KEYS.get(alg[:2])


def raw_ecdsa(der: bytes, size: int) -> bytes:
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def pss(digest: hashes.HashAlgorithm, salt: int | None = None, mgf: Any = None) -> padding.PSS:
    return padding.PSS(padding.MGF1(mgf or digest), digest.digest_size if salt is None else salt)


def signature(alg: str, message: bytes, key: Any = None) -> bytes:
    key = key or key_of(alg)
    digest = HASHES.get(alg[2:5])
    if alg.startswith("HS"):
        return hmac.new(key or SECRET, message, f"sha{alg[2:]}").digest()
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
        return key.sign(message)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return raw_ecdsa(key.sign(message, ec.ECDSA(digest)), CURVES[alg])
    return key.sign(message, pss(digest) if alg.startswith("PS") else padding.PKCS1v15(), digest)


def token(
    alg: str,
    payload: dict[str, Any] | str | bytes | None = None,
    header: dict[str, Any] | str | None = None,
    key: Any = None,
    sign: Any = None,
) -> str:
    payload = CLAIMS if payload is None else payload
    header = {"alg": alg, "typ": "JWT"} if header is None else header
    texts = [part if isinstance(part, (str, bytes)) else compact(part) for part in (header, payload)]
    message = ".".join(b64(text) for text in texts)
    sign = sign or (lambda message: signature(alg, message, key))
    return f"{message}.{b64(sign(message.encode()))}"


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk(alg: str, /, **more: Any) -> dict[str, Any]:
    key = key_of(alg)
    if alg.startswith("HS"):
        members = {"kty": "oct", "k": b64(SECRET)}
    elif isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_numbers()
        members = {"kty": "RSA", "n": number(public.n), "e": number(public.e)}
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        crv = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}[alg]
        size = CURVES[alg]
        members = {"kty": "EC", "crv": crv, "x": number(point.x, size), "y": number(point.y, size)}
    else:
        raw = key.public_key().public_bytes_raw()
        crv = "Ed448" if isinstance(key, ed448.Ed448PrivateKey) else "Ed25519"
        members = {"kty": "OKP", "crv": crv, "x": b64(raw)}
    return members | more


def jwks(*keys: dict[str, Any]) -> dict[str, Any]:
    return {"keys": list(keys)}


def pem(key: Any) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


VECTORS: list[dict[str, Any]] = []
OLD = {}
if (HERE / "jws.json").exists():
    OLD = {vector["name"]: vector for vector in json.loads((HERE / "jws.json").read_text())}


def vector(name: str, source: str, expect: str, text: str, keys: Any, **more: Any) -> None:
    keys = {"pem": keys} if isinstance(keys, str) else {"jwks": keys}
    old = OLD.get(name, {}).get("token", "")
    if old and old.rpartition(".")[0] == text.rpartition(".")[0]:
        text = old
    VECTORS.append({"name": name, "source": source, **keys, "token": text, **more, "expect": expect})


# Every algorithm, by name and by kind.

OURS = "make.py, signed by OpenSSL (cryptography)"
ALGS = [f"{kind}{size}" for kind in ("HS", "RS", "PS") for size in HASHES]
ALGS += ["ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448"]
KIDS = {alg: {"HS": "HS512", "RS": "RS256", "PS": "RS256"}.get(alg[:2], alg) for alg in ALGS}
ALL = jwks(*(jwk(alg, kid=alg) for alg in dict.fromkeys(KIDS.values())))
for alg in ALGS:
    good = token(alg)
    vector(f"{alg} with a bare JWK", OURS, "ok", good, jwks(jwk(alg)))
    named = token(alg, header={"alg": alg, "kid": KIDS[alg]})
    vector(f"{alg} with one of many JWKs, by kid", OURS, "ok", named, ALL)
    vector(f"{alg} with one of many JWKs, without kid", OURS, "ok", good, ALL)
    if not alg.startswith("HS"):
        vector(f"{alg} with a key in PEM", OURS, "ok", good, pem(key_of(alg)))
    header, _, tag = good.split(".")
    root = f"{header}.{b64(compact(CLAIMS | {'sub': 'root'}))}.{tag}"
    vector(f"{alg}, claims changed", OURS, "signature mismatch", root, jwks(jwk(alg)))
    stripped = good.rsplit(".", 1)[0] + "."
    vector(f"{alg}, signature stripped", OURS, "signature mismatch", stripped, jwks(jwk(alg)))

# The same by libraries that make tokens, each with two twins that someone tampered with.


# PyJWT does not know the names of RFC 9864, but lets them be told.
for name in ("Ed25519", "Ed448"):
    jwt.register_algorithm(name, jwt.algorithms.OKPAlgorithm())


def by_pyjwt(alg: str, of: str) -> str:
    key = SECRET if alg.startswith("HS") else key_of(of)
    return jwt.encode(CLAIMS, key, algorithm=alg)


def by_jwcrypto(alg: str, of: str) -> str:
    if alg.startswith("HS"):
        key = jwcrypto.jwk.JWK(**jwk(alg))
    else:
        key = jwcrypto.jwk.JWK()
        key.import_from_pyca(key_of(of))
    jws = jwcrypto.jws.JWS(compact(CLAIMS))
    jws.allowed_algs = [alg]
    jws.add_signature(key, protected=compact({"alg": alg, "typ": "JWT"}))
    return jws.serialize(compact=True)


def damaged(text: str) -> str:
    message, _, tag = text.rpartition(".")
    raw = bytearray(unb64(tag))
    raw[len(raw) // 2] ^= 1
    return f"{message}.{b64(bytes(raw))}"


for library, make in [("PyJWT", by_pyjwt), ("jwcrypto", by_jwcrypto)]:
    version = importlib.metadata.version(library)
    source = f"{library} {version}"
    for title, alg, of in [(alg, alg, alg) for alg in ALGS] + [("EdDSA with Ed448", "EdDSA", "Ed448")]:
        good = make(alg, of)
        vector(f"{title} by {library}", source, "ok", good, jwks(jwk(of)))
        # What is in the file, if that was kept.
        good = VECTORS[-1]["token"]
        twin = damaged(good)
        name = f"{title} by {library}, signature damaged"
        VECTORS.append({**VECTORS[-1], "name": name, "token": twin, "expect": "signature mismatch"})
        header, _, tag = good.split(".")
        twin = f"{header}.{b64(compact(CLAIMS | {'sub': 'root'}))}.{tag}"
        name = f"{title} by {library}, claims changed"
        VECTORS.append({**VECTORS[-1], "name": name, "token": twin})
text = token("EdDSA", key=KEYS["Ed448"])
vector("EdDSA with Ed448 and a key in PEM", OURS, "ok", text, pem(KEYS["Ed448"]))
both = jwks(jwk("EdDSA"), jwk("Ed448"))
vector("EdDSA with Ed448, of both curves", OURS, "ok", text, both)
vector("EdDSA with Ed448 and a key of Ed25519", OURS, "signature mismatch", text, jwks(jwk("EdDSA")))
chain = (DATA / "chain.crt").read_text()
vector("RS256 with a certificate", OURS, "ok", token("RS256"), chain)

# Forgeries.

BARE = jwks(jwk("RS256"))
PEM = pem(RSA)
for none in ("none", "None", "NONE", "nOnE"):
    text = token("RS256", header={"alg": none}, sign=lambda message: b"")
    vector(f"alg {none}", "RFC 8725 section 2.1", "unsupported algorithm", text, BARE)
der = base64.b64decode("".join(PEM.splitlines()[1:-1]))
for name, secret in [("PEM", PEM.encode()), ("DER", der)]:
    text = token("HS256", key=secret)
    source = "RFC 8725 section 2.1"
    vector(f"HS256 with the public key's {name}", source, "algorithm not allowed", text, PEM)
    both = jwks(jwk("RS256"), jwk("HS256"))
    name = f"HS256 with the public key's {name}, beside a secret"
    vector(name, source, "signature mismatch", text, both)
attackers = ATTACKER.public_key().public_numbers()
embedded = {"kty": "RSA", "n": number(attackers.n), "e": number(attackers.e)}
for name, more in [
    ("embedded", {"jwk": embedded}),
    ("linked by jku", {"jku": "https://evil.example/jwks.json"}),
    ("linked by x5u", {"x5u": "https://evil.example/chain.pem"}),
]:
    text = token("RS256", header={"alg": "RS256", **more}, key=ATTACKER)
    vector(f"attacker's key {name}", "RFC 8725 section 3.10", "signature mismatch", text, BARE)
    text = token("RS256", header={"alg": "RS256", **more})
    vector(f"issuer's key, another {name}", "RFC 8725 section 3.10", "ok", text, BARE)
for kid in ("../../../../dev/null", "' OR 1=1 --", "x\u0000", "", "RS257"):
    text = token("RS256", header={"alg": "RS256", "kid": kid})
    vector(f"kid {kid!r}", "RFC 8725 section 3.10", "unknown key", text, ALL)
for alg, other in [("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512"), ("HS512", "HS256")]:
    named = jwks(jwk(other, alg=other))
    text = token(alg)
    vector(f"{alg} with a JWK for {other}", "RFC 7517 section 4.4", "algorithm not allowed", text, named)
text = token("ES256", header={"alg": "ES256K"})
vector("ES256 called ES256K", OURS, "algorithm not allowed", text, jwks(jwk("ES256")))
vector("ES256 called ES256K, of many", OURS, "signature mismatch", text, ALL)

# Signatures of another shape.

P256, SHA256 = KEYS["ES256"], HASHES["256"]
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def mirrored(message: bytes) -> bytes:
    r, s = utils.decode_dss_signature(P256.sign(message, ec.ECDSA(SHA256)))
    return r.to_bytes(32, "big") + (ORDER - s).to_bytes(32, "big")


RFC = "RFC 7518 section 3.4"
MISMATCH = "signature mismatch"
for name, sign, expect in [
    ("in DER", lambda message: P256.sign(message, ec.ECDSA(SHA256)), MISMATCH),
    ("of zeros", lambda message: bytes(64), MISMATCH),
    ("of zero and one", lambda message: bytes(63) + b"\1", MISMATCH),
    ("of the order twice", lambda message: ORDER.to_bytes(32, "big") * 2, MISMATCH),
    ("a byte short", lambda message: signature("ES256", message)[:-1], MISMATCH),
    ("a byte long", lambda message: signature("ES256", message) + b"\0", MISMATCH),
    ("with the other s", mirrored, "ok"),
    (
        "over SHA-384",
        lambda message: raw_ecdsa(P256.sign(message, ec.ECDSA(HASHES["384"])), 32),
        MISMATCH,
    ),
]:
    text = token("ES256", sign=sign)
    vector(f"ES256 signature {name}", RFC, expect, text, jwks(jwk("ES256")))
for name, scheme in [
    ("without salt", pss(SHA256, 0)),
    ("with a short salt", pss(SHA256, 20)),
    ("with the longest salt", pss(SHA256, padding.PSS.MAX_LENGTH)),
    ("with a mask by SHA-1", pss(SHA256, mgf=hashes.SHA1())),
    ("with a mask by SHA-512", pss(SHA256, mgf=HASHES["512"])),
]:
    text = token("PS256", sign=lambda message, scheme=scheme: RSA.sign(message, scheme, SHA256))
    vector(f"PS256 signature {name}", "RFC 7518 section 3.5", MISMATCH, text, BARE)
for name, digest in [("SHA-1", hashes.SHA1()), ("SHA-512", HASHES["512"])]:
    text = token("RS256", sign=lambda message, digest=digest: RSA.sign(message, padding.PKCS1v15(), digest))
    vector(f"RS256 signature over {name}", "RFC 7518 section 3.3", MISMATCH, text, BARE)


def bleichenbacher(message: bytes) -> bytes:
    """A good digest, but with garbage after it instead of padding before it (CVE-2006-4339)."""
    prefix = bytes.fromhex("3031300d060960864801650304020105000420")
    block = b"\0\1" + b"\xff" * 8 + b"\0" + prefix + hashlib.sha256(message).digest()
    private = RSA.private_numbers()
    n, d = private.public_numbers.n, private.d
    return pow(int.from_bytes(block.ljust(256, b"\x5a"), "big"), d, n).to_bytes(256, "big")


def without_null(message: bytes) -> bytes:
    """`DigestInfo` without the NULL parameters that RFC 8017 section 9.2 has."""
    info = bytes.fromhex("302f300b0609608648016503040201") + b"\4\x20"
    block = info + hashlib.sha256(message).digest()
    block = b"\0\1" + b"\xff" * (253 - len(block)) + b"\0" + block
    private = RSA.private_numbers()
    n, d = private.public_numbers.n, private.d
    return pow(int.from_bytes(block, "big"), d, n).to_bytes(256, "big")


for name, sign in [("garbage after the digest", bleichenbacher), ("no NULL", without_null)]:
    text = token("RS256", sign=sign)
    vector(f"RS256 padding with {name}", "RFC 8017 section 8.2.2", MISMATCH, text, BARE)

# Headers.

for name, header, expect in [
    ("crit unknown", '{"alg":"RS256","crit":["x"],"x":1}', "unsupported critical header"),
    ("crit empty", '{"alg":"RS256","crit":[]}', "unsupported critical header"),
    ("b64 false", '{"alg":"RS256","b64":false}', "unsupported critical header"),
    ("alg twice", '{"alg":"none","alg":"RS256"}', "malformed token"),
    ("alg twice, once escaped", '{"alg":"RS256","\\u0061lg":"none"}', "malformed token"),
    ("no alg", '{"typ":"JWT"}', "malformed token"),
    ("alg no string", '{"alg":["RS256"]}', "malformed token"),
    ("alg in lower case", '{"alg":"rs256"}', "unsupported algorithm"),
    ("kid no string", '{"alg":"RS256","kid":1}', "malformed token"),
    ("byte order mark", '\ufeff{"alg":"RS256"}', "malformed token"),
    ("array", '[{"alg":"RS256"}]', "malformed token"),
    ("nested deeply", '{"alg":"RS256","x":%s}' % ("[" * 40 + "]" * 40), "malformed token"),
    ("white space", ' {\r\n "alg" : "RS256" } ', "ok"),
]:
    vector(f"header: {name}", "RFC 7515 section 4", expect, token("RS256", header=header), BARE)

# Base64url and the number of parts.

good = token("RS256")
header, payload, tag = good.split(".")
for name, text in [
    ("padding", f"{good}=="),
    ("padding of the payload", f"{header}.{payload}=.{tag}"),
    ("plus and slash", f"{header}.{payload}.{tag.replace('-', '+').replace('_', '/')}"),
    ("trailing bits", good[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[good[-1]]),
    ("white space within", f"{header}.{payload}. {tag}"),
    ("two parts", f"{header}.{payload}"),
    ("four parts", f"{good}.{tag}"),
    ("five parts", f"{good}.{payload}.{tag}"),
    ("a final period", f"{good}."),
    ("nothing but periods", ".."),
    ("no token at all", "x"),
]:
    vector(f"encoding: {name}", "RFC 7515 section 7.1", "malformed token", text, BARE)

# Claims.

for name, payload, expect in [
    ("no claim", "{}", "ok"),
    ("white space", '{ "sub" : "alice" }', "ok"),
    ("expired", '{"exp":1}', "token expired"),
    ("expired, with a fraction", '{"exp":1.5}', "token expired"),
    ("expired, before the epoch", '{"exp":-1}', "token expired"),
    ("exp with an exponent", '{"exp":4.1024448e9}', "ok"),
    ("exp beyond 64 bits", '{"exp":99999999999999999999}', "ok"),
    ("exp beyond a double", '{"exp":1e309}', "claim rejected"),
    ("exp a string", '{"exp":"4102444800"}', "claim rejected"),
    ("exp null", '{"exp":null}', "claim rejected"),
    ("exp twice", '{"exp":1,"exp":4102444800}', "malformed token"),
    ("exp twice, once escaped", '{"exp":4102444800,"\\u0065xp":1}', "malformed token"),
    ("not yet valid", '{"nbf":4102444800}', "token not yet valid"),
    ("nbf passed", '{"nbf":1}', "ok"),
    ("nbf a boolean", '{"nbf":true}', "claim rejected"),
    ("iat an array", '{"iat":[1]}', "claim rejected"),
    ("iss a number", '{"iss":1}', "claim rejected"),
    ("sub null", '{"sub":null}', "claim rejected"),
    ("jti an object", '{"jti":{}}', "claim rejected"),
    ("aud a list", '{"aud":["a","b"]}', "ok"),
    ("aud a list with a number", '{"aud":["a",1]}', "claim rejected"),
    ("array", '[{"sub":"alice"}]', "malformed token"),
    ("string", '"alice"', "malformed token"),
    ("empty", "", "malformed token"),
    ("not UTF-8", b'{"sub":"\xe9"}', "malformed token"),
    ("byte order mark", '\ufeff{"sub":"alice"}', "malformed token"),
    ("lone surrogate", '{"sub":"\\ud800"}', "malformed token"),
    ("nested deeply", '{"a":%s}' % ("[" * 40 + "]" * 40), "malformed token"),
    ("host", '{"host":"example.com"}', "ok"),
    ("Host in capitals", '{"Host":"EXAMPLE.COM"}', "ok"),
    ("host with a port", '{"host":"example.com:8089"}', "ok"),
    ("one of several hosts", '{"host":["example.org","example.com"]}', "ok"),
    ("another host", '{"host":"example.org"}', "wrong host"),
    ("another Host", '{"Host":"example.org"}', "wrong host"),
    ("host and another Host", '{"host":"example.com","Host":"example.org"}', "wrong host"),
    ("host empty", '{"host":""}', "wrong host"),
    ("host null", '{"host":null}', "wrong host"),
    ("host a number", '{"host":1}', "wrong host"),
    ("no host in the list", '{"host":[]}', "wrong host"),
    ("host with a longer name", '{"host":"example.com.evil.example"}', "wrong host"),
]:
    vector(f"claims: {name}", "RFC 7519 section 4", expect, token("RS256", payload), BARE)
text = token("RS256", {"host": "example.com"})
vector("asked for as another host", OURS, "wrong host", text, BARE, host="example.org")
vector("asked for with a port", OURS, "ok", text, BARE, host="EXAMPLE.com:8089")

names = [vector["name"] for vector in VECTORS]
assert len(names) == len(set(names)), "a name occurs twice"
lines = ",\n".join(json.dumps(vector) for vector in VECTORS)
(HERE / "jws.json").write_text(f"[\n{lines}\n]\n")
print(len(VECTORS), "vectors")
