"""The forms that a key may have, and those that it may not."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ed448, x448, x25519
from cryptography.hazmat.primitives.asymmetric import ec as ec_keys
from cryptography.hazmat.primitives.asymmetric import rsa as rsa_keys

import ox_jwt
from support import (
    SECRET,
    ec_jwk,
    oct_jwk,
    pem_bytes,
    private_der,
    private_ec_jwk,
    public_der,
    rsa_jwk,
    signed,
)

ALL = ["RS256", "ES256", "EdDSA", "HS256", "HS384", "HS512"]


@pytest.fixture(scope="module")
def token(ec: ox_jwt.KeyPair) -> str:
    return ox_jwt.encode({"sub": "ada"}, ec.private_key, "ES256")


@pytest.fixture(scope="module")
def certificate(ec: ox_jwt.KeyPair) -> x509.Certificate:
    """One that expired, of a name that nobody has: its key alone counts."""
    key: Any = serialization.load_pem_private_key(pem_bytes(ec.private_key), None)
    name = x509.Name([])
    past = datetime(2000, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(past).not_valid_after(past + timedelta(days=1))
    return builder.public_key(key.public_key()).sign(key, hashes.SHA256())


def accepts(token: str, key: Any) -> bool:
    return ox_jwt.decode(token, key, ["ES256"]) == {"sub": "ada"}


def why_not(key: Any, algorithms: list[str] = ALL) -> str:
    with pytest.raises(ox_jwt.InvalidKeyError) as raised:
        ox_jwt.decode(signed({}), key, algorithms)
    assert raised.value.reason == "no key"
    return str(raised.value)


def test_a_key_in_pem_is_text_or_bytes(token: str, ec: ox_jwt.KeyPair) -> None:
    pem = str(ec.public_key)
    for key in (pem, pem.encode(), "\ufeff" + pem, "text before\n" + pem, pem.replace("\n", "\r\n")):
        assert accepts(token, key)


def test_a_key_in_der_is_bytes(token: str, ec: ox_jwt.KeyPair) -> None:
    assert accepts(token, public_der(ec.public_key))


def test_a_certificate_stands_for_its_key(token: str, certificate: x509.Certificate) -> None:
    for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
        assert accepts(token, certificate.public_bytes(encoding))
    assert accepts(token, certificate.public_bytes(serialization.Encoding.PEM).decode())


def test_rsa_keys_in_pkcs1_are_read(rsa: ox_jwt.KeyPair) -> None:
    signed_by_rsa = ox_jwt.encode({"a": 1}, rsa.private_key, "RS256")
    key = serialization.load_pem_public_key(pem_bytes(rsa.public_key))
    for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
        pkcs1 = key.public_bytes(encoding, serialization.PublicFormat.PKCS1)
        assert ox_jwt.decode(signed_by_rsa, pkcs1, ["RS256"]) == {"a": 1}


def test_a_jwk_is_a_dict_text_or_bytes(token: str, ec: ox_jwt.KeyPair) -> None:
    jwk = ec_jwk(ec.public_key, kid="a", use="sig", alg="ES256")
    text = json.dumps(jwk)
    for key in (jwk, text, text.encode(), f"\n {text}\n", ox_jwt.JwkSet(jwk)):
        assert accepts(token, key)


def test_a_jwk_set_is_a_dict_text_bytes_or_parsed(
    token: str, ec: ox_jwt.KeyPair, rsa: ox_jwt.KeyPair
) -> None:
    jwks = {"keys": [rsa_jwk(rsa.public_key, kid="r"), ec_jwk(ec.public_key)]}
    text = json.dumps(jwks)
    for source in (jwks, text, text.encode()):
        assert accepts(token, source)
        assert accepts(token, ox_jwt.JwkSet(source))


def test_keys_of_a_set_are_chosen_by_kid(ec: ox_jwt.KeyPair) -> None:
    other = ox_jwt.make_keys("ES256")
    keys = [ec_jwk(ec.public_key, kid="a"), ec_jwk(other.public_key, kid="b")]
    key_set = ox_jwt.JwkSet({"keys": keys})
    for pair, kid in ((ec, "a"), (other, "b")):
        good = ox_jwt.encode({}, pair.private_key, "ES256", {"kid": kid})
        assert ox_jwt.decode(good, key_set, ["ES256"]) == {}
    confused = ox_jwt.encode({}, ec.private_key, "ES256", {"kid": "b"})
    with pytest.raises(ox_jwt.InvalidSignatureError):
        ox_jwt.decode(confused, key_set, ["ES256"])
    stray = ox_jwt.encode({}, ec.private_key, "ES256", {"kid": "c"})
    with pytest.raises(ox_jwt.UnknownKeyError) as raised:
        ox_jwt.decode(stray, key_set, ["ES256"])
    assert raised.value.reason == "unknown key"
    nameless = ox_jwt.encode({}, other.private_key, "ES256")
    assert ox_jwt.decode(nameless, key_set, ["ES256"]) == {}


def test_a_set_tells_its_kids_and_what_it_skipped(ec: ox_jwt.KeyPair) -> None:
    good = [ec_jwk(ec.public_key, kid="b"), ec_jwk(ec.public_key, kid="a")]
    broken = [{"kty": "RSA", "kid": "c"}, {"kty": "new", "kid": "d"}, {}, 5]
    key_set = ox_jwt.JwkSet({"keys": [*broken, *good]})
    assert key_set.kids == ["a", "b"]
    assert len(key_set.warnings) == len(broken)
    assert repr(key_set) == 'JwkSet(["a", "b"])'
    with pytest.raises(AttributeError):
        key_set.kids = []  # type: ignore[misc]


def test_a_broken_key_beside_a_good_one_is_skipped(ec: ox_jwt.KeyPair) -> None:
    jwks = {"keys": [ec_jwk(ec.public_key), ec_jwk(ec.public_key, x="AA")]}
    assert ox_jwt.JwkSet(jwks).warnings
    token = ox_jwt.encode({}, ec.private_key, "ES256")
    assert ox_jwt.decode(token, jwks, ["ES256"]) == {}
    why_not({"keys": jwks["keys"][1:]})


@pytest.mark.parametrize(
    "source", [{"keys": []}, {"keys": 5}, {"keys": [{"kty": "new"}]}, "", "[]", "{}", "no json", b"\xff"]
)
def test_a_set_without_a_key_is_none(source: Any) -> None:
    with pytest.raises(ox_jwt.InvalidKeyError):
        ox_jwt.JwkSet(source)


@pytest.mark.parametrize("source", [None, 5, [], bytearray(b"{}")])
def test_a_set_is_text_bytes_or_dict(source: Any) -> None:
    with pytest.raises(TypeError):
        ox_jwt.JwkSet(source)


def test_a_jwk_is_good_for_its_algorithm_alone(rsa: ox_jwt.KeyPair) -> None:
    token = ox_jwt.encode({}, rsa.private_key, "RS256")
    with pytest.raises(ox_jwt.InvalidAlgorithmError):
        ox_jwt.decode(token, rsa_jwk(rsa.public_key, alg="PS256"), ["RS256", "PS256"])
    for members in ({"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "XX"}):
        why_not(rsa_jwk(rsa.public_key, **members))


def test_a_private_key_verifies_nothing(rsa: ox_jwt.KeyPair, ec: ox_jwt.KeyPair) -> None:
    for pair in (rsa, ec):
        for key in (pair.private_key, pem_bytes(pair.private_key), private_der(pair.private_key)):
            assert "private key" in why_not(key)


def test_of_a_private_jwk_the_public_half_counts(token: str, ec: ox_jwt.KeyPair) -> None:
    jwk = private_ec_jwk(ec.private_key)
    assert accepts(token, jwk)
    assert ox_jwt.JwkSet(jwk).warnings


@pytest.mark.parametrize("length", [0, 1, 16, 31])
def test_a_short_secret_is_refused(length: int) -> None:
    assert f"{length} bytes" in why_not(b"s" * length)
    why_not(oct_jwk(b"s" * length))


def test_a_secret_is_good_for_hashes_that_are_no_longer() -> None:
    secret = b"s" * 32
    assert ox_jwt.decode(signed({}, secret=secret), secret, ["HS256"]) == {}
    long_hash = signed({}, {"alg": "HS512"}, secret)
    with pytest.raises(ox_jwt.InvalidAlgorithmError):
        ox_jwt.decode(long_hash, secret, ["HS256", "HS512"])


def test_what_everyone_knows_is_no_secret(
    rsa: ox_jwt.KeyPair, ec: ox_jwt.KeyPair, certificate: x509.Certificate
) -> None:
    public = serialization.load_pem_public_key(pem_bytes(rsa.public_key))
    ssh = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    base64_of_pem = "".join(str(rsa.public_key).splitlines()[1:-1])
    for known in (
        str(rsa.public_key).encode(),
        public_der(rsa.public_key),
        base64_of_pem.encode(),
        certificate.public_bytes(serialization.Encoding.DER),
        ssh,
        json.dumps(rsa_jwk(rsa.public_key)).encode(),
        json.dumps([ec_jwk(ec.public_key)]).encode(),
        json.dumps({"keys": [ec_jwk(ec.public_key)]}).encode()[:-3],
        b'{"kty":"oct","kty":"oct","k":"' + b"s" * 43 + b'"}',
        json.dumps({"error": "not found", "more": "x" * 40}).encode(),
        json.dumps({"kid": str(rsa.public_key)}).encode(),
        "\ufeff".encode() + json.dumps({"keys": [ec_jwk(ec.public_key)]}).encode(),
        "\ufeff".encode() + json.dumps({"error": "not found", "more": "x" * 40}).encode(),
        json.dumps(ec_jwk(ec.public_key)).encode("utf-16"),
        repr(ec_jwk(ec.public_key)).encode(),
        str(rsa.public_key).encode("utf-16"),
        base64.b64encode(str(rsa.public_key).encode()),
        base64.urlsafe_b64encode(public_der(ec.public_key)).rstrip(b"="),
        public_der(ec.public_key).hex().encode(),
        ssh.split()[1],
    ):
        forged = signed({"sub": "eve"}, secret=known)
        with pytest.raises((ox_jwt.InvalidKeyError, ox_jwt.InvalidAlgorithmError)):
            ox_jwt.decode(forged, known, ALL)


def unsupported() -> list[Any]:
    return [
        dsa.generate_private_key(1024),
        ec_keys.generate_private_key(ec_keys.SECP224R1()),
        ec_keys.generate_private_key(ec_keys.BrainpoolP256R1()),
        x25519.X25519PrivateKey.generate(),
        x448.X448PrivateKey.generate(),
    ]


def test_public_keys_of_other_kinds_are_no_secrets() -> None:
    encoding, spki = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    known = [key.public_key().public_bytes(encoding, spki) for key in unsupported()]
    broken = bytearray(known[1])
    broken[-57] = 5
    for key in (*known, bytes(broken)):
        why_not(key)
        with pytest.raises(ox_jwt.InvalidKeyError):
            ox_jwt.encode({}, key, "HS256")


def test_a_certificate_of_another_kind_of_key_is_no_secret() -> None:
    signer = ed448.Ed448PrivateKey.generate()
    name, past = x509.Name([]), datetime(2000, 1, 1)
    subject = ec_keys.generate_private_key(ec_keys.SECP224R1()).public_key()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(past).not_valid_after(past).public_key(subject)
    why_not(builder.sign(signer, None).public_bytes(serialization.Encoding.DER))


@pytest.mark.parametrize(
    "key",
    [{}, {"a": "x" * 64}, {"k": "x" * 64}, {"kty": None}, {"kty": float("nan")}, {1: 2}, {"a": {1}}],
)
def test_a_dict_that_is_no_jwk_is_no_key(key: Any) -> None:
    why_not(key)


def test_random_secrets_are_secrets_whatever_they_begin_with() -> None:
    for begin in (b"{", b"[", b"\x30\x82", b"-----", b" "):
        secret = begin + secrets.token_bytes(64)
        assert ox_jwt.decode(signed({}, secret=secret), secret, ["HS256"]) == {}


def test_a_broken_key_is_refused(ec: ox_jwt.KeyPair) -> None:
    pem = str(ec.public_key)
    jwk = ec_jwk(ec.public_key)
    for key in (
        pem[:-30],
        pem.replace("MFkw", "AAAA"),
        pem.replace("PUBLIC KEY", "SOMETHING"),
        pem + "-----BEGIN PUBLIC KEY-----\n",
        {**jwk, "x": 5},
        {**jwk, "y": jwk["x"]},
        {**jwk, "crv": "P-257"},
        {**jwk, "x": "!"},
        "\ud800" * 40,
    ):
        why_not(key)


def test_a_small_rsa_key_is_refused() -> None:
    small = rsa_keys.generate_private_key(65537, 1024).public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
        key = small.public_bytes(encoding, spki)
        with pytest.raises(ox_jwt.InvalidKeyError):
            ox_jwt.decode(signed({}, secret=key), key, ALL)


@pytest.mark.parametrize("key", [None, 5, 1.5, [], bytearray(SECRET), object()])
def test_a_key_of_another_type_is_a_type_error(key: Any) -> None:
    with pytest.raises(TypeError):
        ox_jwt.decode(signed({}), key, ["HS256"])


def test_no_message_tells_the_secret() -> None:
    for key in (b"canary", '{"kty":"oct","k":"canary"}', {"kty": "oct", "k": "Y2FuYXJ5"}):
        message = why_not(key)
        assert "canary" not in message
        assert "Y2FuYXJ5" not in message


def test_more_keys_than_are_kept_parsed_keep_apart() -> None:
    known = [secrets.token_bytes(32) for _ in range(200)]
    tokens = [signed({"n": number}, secret=secret) for number, secret in enumerate(known)]
    for _ in range(2):
        for number, secret in enumerate(known):
            assert ox_jwt.decode(tokens[number], secret, ["HS256"]) == {"n": number}
            with pytest.raises(ox_jwt.InvalidSignatureError):
                ox_jwt.decode(tokens[number - 1], secret, ["HS256"])


def test_a_dict_that_is_changed_is_another_key(ec: ox_jwt.KeyPair, token: str) -> None:
    jwk = ec_jwk(ec.public_key)
    assert accepts(token, jwk)
    jwk.update(ec_jwk(ox_jwt.make_keys("ES256").public_key))
    with pytest.raises(ox_jwt.InvalidSignatureError):
        accepts(token, jwk)
