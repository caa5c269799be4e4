"""The forms that a key may have, and those that it may not."""

from __future__ import annotations

import base64
import json
import pathlib
import re
import secrets
import string
from collections.abc import Callable
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
    b64,
    ec_jwk,
    judge,
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


def test_a_key_in_pem_may_have_come_through_the_environment(
    token: str, ec: ox_jwt.KeyPair, certificate: x509.Certificate
) -> None:
    forms: list[Callable[[str], str]] = [
        lambda pem: pem.replace("\n", "\\n"),
        lambda pem: pem.replace("\n", "\\\\n"),
        lambda pem: pem.replace("\n", "\\r\\n"),
        lambda pem: pem.replace("\n", "\r\n"),
        lambda pem: pem.replace("\n", " "),
        lambda pem: f'"{pem.strip()}"',
        lambda pem: "'" + pem.replace("\n", "\\n") + "'",
        lambda pem: json.dumps(pem),
        lambda pem: json.dumps(json.dumps(pem)),
    ]
    for form in forms:
        assert accepts(token, form(str(ec.public_key)))
        assert accepts(token, form(str(ec.public_key)).encode())
        assert accepts(token, form(certificate.public_bytes(serialization.Encoding.PEM).decode()))
        assert accepts(ox_jwt.encode({"sub": "ada"}, form(str(ec.private_key)), "ES256"), ec.public_key)
        assert "private key" in why_not(form(str(ec.private_key)))


def test_a_public_key_may_be_in_base64(
    token: str, ec: ox_jwt.KeyPair, certificate: x509.Certificate
) -> None:
    for key in (
        public_der(ec.public_key),
        certificate.public_bytes(serialization.Encoding.DER),
        pem_bytes(ec.public_key),
        json.dumps(ec_jwk(ec.public_key)).encode(),
    ):
        plain, url = base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode()
        for text in (plain, plain.encode(), plain.rstrip("="), url, base64.encodebytes(key)):
            assert accepts(token, text)
            with pytest.raises(ox_jwt.InvalidAlgorithmError):
                forged = text if isinstance(text, bytes) else text.encode()
                ox_jwt.decode(signed({}, secret=forged), text, ALL)
    assert "private key" in why_not(base64.b64encode(private_der(ec.private_key)))


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


def likeness(key: str | bytes) -> str:
    """What a key is said to look like, wherever it would be a secret."""
    message = why_not(key)
    with pytest.raises(ox_jwt.InvalidKeyError) as raised:
        ox_jwt.encode({}, key, "HS256")
    assert str(raised.value) == message
    with pytest.raises(ox_jwt.InvalidKeyError) as raised:
        ox_jwt.Gate(key, ["HS256", "RS256"])
    assert str(raised.value) == message
    return message


@pytest.mark.parametrize(
    "key",
    [
        *("/etc/keys/x.pem", "/etc/ssl/certs/the-public-key-of-our-issuer", "/run/secrets/jwt_secret"),
        *("/home/ada/The Public Key Of Our Issuer", "/srv/KeysOfTheIssuer/PublicKeyOfTheShop"),
        *("./x.pem", "../keys/of/the/issuer/public_key_of_the_shop", "~/keys/of/the/issuer/jwt_public"),
        *("keys/of/the/issuer/public_key.pem", "public_key_of_the_issuer_of_our_shop.json"),
        *("file:///etc/keys/x.pem", "file:keys/of/the/issuer", "FILE:/x", "C:\\Keys\\The Public Key"),
        *("c:/keys/of/the/issuer/public", "\\\\server\\keys\\public", "\ufeff/etc/keys/x.pem\n"),
        *('"/etc/keys/of/the/issuer/public"', "/schlüssel/öffentlich/des/ausstellers/der/token"),
    ],
)
def test_a_path_is_no_secret(key: str) -> None:
    assert "looks like a path" in likeness(key)
    assert "looks like a path" in likeness(key.encode())


def test_the_name_of_a_file_that_is_there_is_no_secret(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "A" * 40
    assert ox_jwt.decode(signed({}, secret=name.encode()), name, ["HS256"]) == {}
    other = "B" * 40
    (tmp_path / other).touch()
    for key in (other, f" {other}\n"):
        assert "looks like a path" in likeness(key)


@pytest.mark.parametrize(
    "key",
    [
        *("https://idp.example/.well-known/jwks.json", "http://localhost/keys/of/the/issuer/of/ours"),
        *("HTTPS://IDP.EXAMPLE/", " https://idp.example/keys ", "vault://secret/of/the/issuer/of/ours"),
    ],
)
def test_a_url_is_no_secret(key: str) -> None:
    assert "looks like a URL" in likeness(key)
    with pytest.raises(ox_jwt.InvalidKeyError, match="looks like a URL"):
        ox_jwt.JwkSet(key)


@pytest.mark.parametrize(
    "key",
    [
        "<!DOCTYPE html><html><title>502 Bad Gateway",
        "\n<html>\r\n<head><title>502 Bad Gateway</title></head>",
        '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "<Error><Code>AccessDenied</Code><Message/></Error>",
        "<h1>503 Service Unavailable</h1> No server is available.",
        "<h1>503 Service Unavailable\nNo server is available",
        "<!-- the secret of the issuer of our shop -->",
        "<your-256-bit-secret-of-32-bytes-or-more>",
    ],
)
def test_a_page_is_no_secret(key: str) -> None:
    assert "looks like HTML" in likeness(key)
    assert "looks like HTML" in likeness(key.encode())


def points() -> list[bytes]:
    """Public keys as SEC 1 has them, and without their first octet."""
    known: list[bytes] = []
    curves = (ec_keys.SECP256R1(), ec_keys.SECP384R1(), ec_keys.SECP521R1(), ec_keys.SECP256K1())
    for curve in curves:
        public = ec_keys.generate_private_key(curve).public_key()
        encoding, form = serialization.Encoding.X962, serialization.PublicFormat
        point = public.public_bytes(encoding, form.UncompressedPoint)
        known += [point, point[1:], public.public_bytes(encoding, form.CompressedPoint)]
    return known


def test_a_raw_public_key_is_no_secret() -> None:
    for point in points():
        digits = point.hex()
        colons = ":".join(digits[start : start + 2] for start in range(0, len(digits), 2))
        lines = "\n    ".join(colons[start : start + 45] for start in range(0, len(colons), 45))
        for key in (digits, digits.upper(), f"0x{digits}", colons, lines):
            assert "public key" in likeness(key)
        # Compressed points in bytes or base64 cannot be told from random secrets of 33 bytes.
        if point[0] not in (2, 3):
            for coded in (base64.b64encode(point), base64.urlsafe_b64encode(point).rstrip(b"=")):
                assert "public key" in likeness(coded)
                assert "public key" in likeness(point)


def test_a_part_of_a_public_key_is_no_secret(
    rsa: ox_jwt.KeyPair, ec: ox_jwt.KeyPair, certificate: x509.Certificate
) -> None:
    pkcs1 = serialization.load_pem_public_key(pem_bytes(rsa.public_key)).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    )
    ed = public_der(ox_jwt.make_keys("EdDSA").public_key)
    keys = [public_der(rsa.public_key), public_der(ec.public_key), pkcs1, ed]
    keys.append(certificate.public_bytes(serialization.Encoding.DER))
    for der in keys:
        coded = base64.b64encode(der).decode()
        for length in range(32, min(len(coded) - 2, 100)):
            assert "public key" in likeness(coded[:length])
        assert "public key" in likeness(der[:-1])
        assert "public key" in likeness(der[:-1].hex())
    pem = str(rsa.public_key)
    for key in (
        pem.replace("-----BEGIN PUBLIC KEY-----", "BEGIN PUBLIC KEY"),
        pem.splitlines()[0].strip("-"),
        "\n".join(pem.splitlines()[4:]),
        "\n".join(pem.splitlines()[4:]).replace("-----END PUBLIC KEY-----", "PUBLIC KEY--"),
        "Public-Key: (2048 bit)\nModulus:\n    00:b3:51:0a",
        "Modulus=B3510A2BCD4CE644C5B594AE5059E12B",
    ):
        assert "public key" in likeness(key)


#: What nginx, too, takes for a path: by what it begins with, and by what base64 does not have.
PATH = re.compile(r"(~|\.\.?)/[\w.@~+ /-]*|/[\w.@~+ /-]*[._@~ -][\w.@~+ /-]*")

ALPHABETS = [
    string.ascii_letters + string.digits + string.punctuation,
    string.ascii_lowercase + string.digits,
    string.ascii_letters + string.digits + "+/",
    string.ascii_letters + string.digits + "._-/",
    string.ascii_letters + string.digits + "-_ ",
]


@pytest.mark.parametrize("begin", ["", "/", "<", ".", "~", "M", "0x", "04"])
def test_random_secrets_are_secrets_in_any_encoding(begin: str) -> None:
    made = [secrets.token_hex(32), secrets.token_hex(64)]
    for _ in range(50):
        for length in (32, 48, 64):
            secret = secrets.token_bytes(length)
            made += [secret.hex(), base64.b64encode(secret).decode(), secrets.token_urlsafe(length)]
        made += ["".join(secrets.choice(letters) for _ in range(40)) for letters in ALPHABETS]
    for text in made:
        secret = (begin + text).encode()
        if PATH.fullmatch(secret.decode()):
            # It may be taken for the path that it looks like: see the tests of paths.
            continue
        # Of DER, by its length and two characters.
        if secret[:1] == b"0" and secret[1] == len(secret) - 2:
            continue
        assert ox_jwt.decode(signed({}, secret=secret), secret, ["HS256"]) == {}


@pytest.mark.parametrize(
    "secret",
    [
        "correct horse battery staple and one more",
        "/9j4AAQSkZJRgABAQEAYABgAAD2wBDAAgGBgcGBQ=",
        "</script>--none of a page, but a password",
        "<3 this is a secret, which begins oddly <3",
        "a/path/of/words/that/is/no/file/anywhere",
        "https is what we use, and what we trust in",
        "// no path begins so, or has a comma in it",
        "MIIBkeys and other words of a passphrase...",
    ],
)
def test_odd_passphrases_are_secrets(secret: str) -> None:
    assert ox_jwt.decode(signed({}, secret=secret.encode()), secret, ["HS256"]) == {}


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


def test_the_names_of_rfc_9864_say_which_curve_is_accepted() -> None:
    """RFC 9864 section 2.2: ``EdDSA`` names both curves."""
    for name, other in (("Ed25519", "Ed448"), ("Ed448", "Ed25519")):
        keys = ox_jwt.make_keys(name)
        new = ox_jwt.encode({"sub": "ada"}, keys.private_key, name)
        old = ox_jwt.encode({"sub": "ada"}, keys.private_key, "EdDSA")
        assert ox_jwt.decode_unverified_header(new)["alg"] == name
        for token in (new, old):
            assert ox_jwt.decode(token, keys.public_key, ["EdDSA"]) == {"sub": "ada"}
            for wrong in ([other], ["ES256", "HS256"]):
                with pytest.raises(ox_jwt.InvalidAlgorithmError):
                    ox_jwt.decode(token, keys.public_key, wrong)
        assert ox_jwt.decode(new, keys.public_key, [name, other]) == {"sub": "ada"}
        with pytest.raises(ox_jwt.InvalidAlgorithmError):
            ox_jwt.decode(old, keys.public_key, [name])
        with pytest.raises(ox_jwt.InvalidKeyError):
            ox_jwt.encode({}, keys.private_key, other)
        with pytest.raises(ox_jwt.InvalidKeyError):
            ox_jwt.Gate(keys.public_key, [other])


def test_a_jwk_may_have_a_name_of_rfc_9864() -> None:
    keys = ox_jwt.make_keys("Ed25519")
    x = b64(public_der(keys.public_key)[-32:])
    token = ox_jwt.encode({"sub": "ada"}, keys.private_key, "Ed25519")
    for alg in ("Ed25519", "EdDSA"):
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "alg": alg}
        for key in (jwk, ox_jwt.JwkSet({"keys": [jwk]})):
            assert ox_jwt.decode(token, key, ["Ed25519"]) == {"sub": "ada"}
    for alg in ("Ed448", "HS256", "ed25519"):
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": x, "alg": alg}
        with pytest.raises(ox_jwt.InvalidKeyError):
            ox_jwt.decode(token, jwk, ["Ed25519", "EdDSA", "HS256"])


def test_a_set_without_a_usable_key_says_what_is_wrong_with_each(ec: ox_jwt.KeyPair) -> None:
    wrong = [ec_jwk(ec.public_key, alg="HS256"), {"kty": "oct", "k": "c2hvcnQ"}]
    with pytest.raises(ox_jwt.InvalidKeyError, match='key 0: "alg" is HS256.*key 1: ') as raised:
        ox_jwt.JwkSet({"keys": wrong})
    assert "c2hvcnQ" not in str(raised.value)


def test_bytes_are_no_list_of_texts_even_if_they_are_empty() -> None:
    for name in ("audience", "issuer", "require"):
        for value in (b"", b"a", bytearray(), bytearray(b"a")):
            with pytest.raises(TypeError):
                judge(signed({}), **{name: value})
