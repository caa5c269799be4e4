"""``ox_jwt.encode`` and ``ox_jwt.make_keys``."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import OrderedDict
from datetime import date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

import ox_jwt
from support import SECRET, b64, oct_jwk, pem_bytes, private_der, private_ec_jwk


def payload(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.split(".")[1] + "==")


def header(token: str) -> dict[str, Any]:
    part = token.split(".")[0]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return read


def hs256(claims: Any, **more: Any) -> str:
    return ox_jwt.encode(claims, SECRET, "HS256", **more)


def test_a_token_is_three_parts_of_unpadded_base64url() -> None:
    token = hs256({"sub": "ada?>~"})
    head, body, mac = token.split(".")
    assert head == b64(b'{"alg":"HS256","typ":"JWT"}')
    assert body == b64(b'{"sub":"ada?>~"}')
    wanted = hmac.new(SECRET, f"{head}.{body}".encode(), hashlib.sha256).digest()
    assert mac == b64(wanted)


def test_rs256_is_the_default(rsa: ox_jwt.KeyPair) -> None:
    token = ox_jwt.encode({}, rsa.private_key)
    assert header(token) == {"alg": "RS256", "typ": "JWT"}
    assert ox_jwt.decode(token, rsa.public_key, ["RS256"]) == {}


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_dates_are_seconds(name: str) -> None:
    seconds = 2_000_000_000
    naive = datetime(2033, 5, 18, 3, 33, 20)
    elsewhere = timezone(timedelta(hours=-5))
    for moment in (
        naive,
        naive.replace(tzinfo=timezone.utc),
        naive.replace(tzinfo=timezone.utc).astimezone(elsewhere),
        naive.replace(microsecond=999_999),
    ):
        assert json.loads(payload(hs256({name: moment}))) == {name: seconds}


def test_dates_of_other_claims_are_not_json() -> None:
    moment = datetime(2033, 5, 18)
    for claims in ({"at": moment}, {"exp": moment.date()}, {"exp": date(2033, 5, 18)}):
        with pytest.raises(TypeError):
            hs256(claims)


def test_the_payload_is_left_as_it_was() -> None:
    claims = {"exp": datetime(2033, 5, 18, tzinfo=timezone.utc)}
    headers = {"kid": "a"}
    hs256(claims, headers=headers)
    assert isinstance(claims["exp"], datetime)
    assert headers == {"kid": "a"}


@pytest.mark.parametrize("claims", [{"a": 1}, OrderedDict(a=1), MappingProxyType({"a": 1})])
def test_any_mapping_is_a_payload(claims: Any) -> None:
    assert payload(hs256(claims)) == b'{"a":1}'


@pytest.mark.parametrize("claims", [None, [], "{}", b"{}", 5, [("a", 1)], {"a"}])
def test_only_a_mapping_is_a_payload(claims: Any) -> None:
    with pytest.raises(TypeError, match="mapping"):
        hs256(claims)


@pytest.mark.parametrize("value", [b"bytes", {1}, object(), 1j, {(1,): 1}])
def test_what_is_not_json_is_no_claim(value: Any) -> None:
    with pytest.raises(TypeError):
        hs256({"a": value})
    with pytest.raises(TypeError):
        hs256({}, headers={"a": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_has_not_are_no_claims(value: float) -> None:
    with pytest.raises(ValueError):
        hs256({"a": value})


@pytest.mark.parametrize("name", ["iss", "sub", "jti"])
@pytest.mark.parametrize("value", [5, None, ["a"], b"a"])
def test_names_are_strings(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=name):
        hs256({name: value})


def test_headers_are_added_but_alg_is_what_signs() -> None:
    token = hs256({}, headers={"kid": "a", "typ": "at+jwt", "alg": "none", "x": [1]})
    assert header(token) == {"alg": "HS256", "typ": "at+jwt", "kid": "a", "x": [1]}
    assert ox_jwt.decode(token, SECRET, ["HS256"]) == {}


def test_the_kid_of_a_jwk_is_in_the_header(ec: ox_jwt.KeyPair) -> None:
    jwk = private_ec_jwk(ec.private_key, kid="mine")
    assert header(ox_jwt.encode({}, jwk, "ES256"))["kid"] == "mine"
    assert header(ox_jwt.encode({}, jwk, "ES256", {"kid": "other"}))["kid"] == "other"


@pytest.mark.parametrize("name", ["none", "None", "", "HS257", "hs256", "RS1", "A128KW"])
def test_an_algorithm_that_is_not_known_is_not_implemented(name: str) -> None:
    with pytest.raises(NotImplementedError):
        ox_jwt.encode({}, SECRET, name)
    with pytest.raises(NotImplementedError):
        ox_jwt.make_keys(name)


def test_a_private_key_is_pem_der_or_jwk(ec: ox_jwt.KeyPair) -> None:
    jwk = private_ec_jwk(ec.private_key)
    for key in (
        ec.private_key,
        pem_bytes(ec.private_key),
        private_der(ec.private_key),
        jwk,
        json.dumps(jwk),
        json.dumps(jwk, indent=1).encode(),
    ):
        token = ox_jwt.encode({"a": 1}, key, "ES256")
        assert ox_jwt.decode(token, ec.public_key, ["ES256"]) == {"a": 1}


def test_a_secret_is_bytes_text_or_jwk() -> None:
    for key in (SECRET, SECRET.decode(), oct_jwk()):
        token = ox_jwt.encode({"a": 1}, key, "HS256")
        assert ox_jwt.decode(token, SECRET, ["HS256"]) == {"a": 1}


def test_a_key_for_another_algorithm_is_refused(
    rsa: ox_jwt.KeyPair, ec: ox_jwt.KeyPair
) -> None:
    for key, algorithm in [
        (rsa.private_key, "ES256"),
        (rsa.private_key, "HS256"),
        (ec.private_key, "ES384"),
        (ec.private_key, "ES256K"),
        (ec.private_key, "EdDSA"),
        (ec.private_key, "RS256"),
        (SECRET, "RS256"),
        (oct_jwk(alg="HS512"), "HS256"),
        (private_ec_jwk(ec.private_key, use="enc"), "ES256"),
        (private_ec_jwk(ec.private_key, alg="ES384"), "ES256"),
    ]:
        with pytest.raises(ox_jwt.InvalidKeyError) as raised:
            ox_jwt.encode({}, key, algorithm)
        assert raised.value.reason == "no key"


@pytest.mark.parametrize(("name", "length"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_is_as_long_as_the_hash(name: str, length: int) -> None:
    secret = b"s" * length
    assert ox_jwt.decode(ox_jwt.encode({}, secret, name), secret, [name]) == {}
    for key in (secret[1:], oct_jwk(secret[1:])):
        with pytest.raises(ox_jwt.InvalidKeyError):
            ox_jwt.encode({}, key, name)


def test_a_public_key_signs_nothing(rsa: ox_jwt.KeyPair) -> None:
    for algorithm in ("RS256", "HS256"):
        with pytest.raises(ox_jwt.InvalidKeyError):
            ox_jwt.encode({}, rsa.public_key, algorithm)


@pytest.mark.parametrize("key", [None, 5, bytearray(64), [SECRET]])
def test_a_key_is_text_bytes_or_dict(key: Any) -> None:
    with pytest.raises(TypeError):
        ox_jwt.encode({}, key, "HS256")


@pytest.mark.parametrize("bits", [2048, 3072])
def test_rsa_keys_have_the_size_that_is_asked_for(bits: int) -> None:
    pair = ox_jwt.make_keys("PS256", rsa_bits=bits)
    public: Any = serialization.load_pem_public_key(pem_bytes(pair.public_key))
    private: Any = serialization.load_pem_private_key(pem_bytes(pair.private_key), None)
    assert public.key_size == bits
    assert private.public_key() == public


def test_other_sizes_are_refused() -> None:
    for algorithm, bits in [("RS256", 1024), ("RS256", 2047), ("RS256", 0), ("ES256", 2048)]:
        with pytest.raises(ValueError):
            ox_jwt.make_keys(algorithm, rsa_bits=bits)


@pytest.mark.parametrize("name", ["ES256", "ES384", "ES512", "ES256K", "EdDSA"])
def test_other_libraries_read_the_keys(name: str) -> None:
    pair = ox_jwt.make_keys(name)
    private = serialization.load_pem_private_key(pem_bytes(pair.private_key), None)
    assert private.public_key() == serialization.load_pem_public_key(pem_bytes(pair.public_key))


def test_secrets_are_bytes_that_stand_for_both() -> None:
    for name in ("HS256", "HS384", "HS512"):
        pair = ox_jwt.make_keys(name)
        assert isinstance(pair.private_key, bytes)
        assert pair.private_key == pair.public_key
        assert len(pair.private_key) >= 64


def test_keys_are_new_each_time() -> None:
    for name in ("ES256", "EdDSA", "HS256"):
        assert len({ox_jwt.make_keys(name).private_key for _ in range(20)}) == 20


def test_a_header_has_no_type_where_none_is_wanted() -> None:
    assert ox_jwt.decode_unverified_header(hs256({}, headers={"typ": None})) == {"alg": "HS256"}
