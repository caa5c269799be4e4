"""What holds for any claims, any token and any key."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ox_jwt
from support import SECRET, b64, judge, resigned, signed

REGISTERED = {"exp", "nbf", "iat", "iss", "sub", "aud", "jti"}
ANY_ALGORITHM = ["RS256", "PS256", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "HS256"]

settings.register_profile(
    "ox_jwt", max_examples=100, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("ox_jwt")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
names = text.filter(lambda name: name not in REGISTERED)
# No more than fit a token.
claims_of_any_kind = st.dictionaries(names, values, max_size=5).filter(
    lambda claims: len(json.dumps(claims, indent=3)) < 12_000
)


@cache
def pair(algorithm: str) -> ox_jwt.KeyPair:
    return ox_jwt.make_keys(algorithm)


@given(claims_of_any_kind, st.sampled_from(["HS256", "ES256", "EdDSA"]))
def test_claims_come_back_as_they_were(claims: dict[str, Any], algorithm: str) -> None:
    token = ox_jwt.encode(claims, pair(algorithm).private_key, algorithm)
    decoded = ox_jwt.decode(token, pair(algorithm).public_key, [algorithm])
    assert repr(decoded) == repr(json.loads(json.dumps(claims)))


@given(claims_of_any_kind, st.booleans(), st.integers(0, 3))
def test_any_writing_of_json_is_read_as_json_loads_reads_it(
    claims: dict[str, Any], ascii_only: bool, indent: int
) -> None:
    written = json.dumps(claims, ensure_ascii=ascii_only, indent=indent or None)
    assert repr(judge(signed(written.encode()))) == repr(json.loads(written))


@pytest.mark.parametrize("algorithm", ["HS256", "ES256", "EdDSA", "RS256"])
def test_any_flipped_bit_of_a_token_has_it_refused(algorithm: str) -> None:
    token = ox_jwt.encode({"sub": "ada"}, pair(algorithm).private_key, algorithm).encode()
    for position in range(len(token)):
        for bit in range(8):
            other = bytearray(token)
            other[position] ^= 1 << bit
            with pytest.raises(ox_jwt.InvalidTokenError):
                ox_jwt.decode(bytes(other), pair(algorithm).public_key, [algorithm])


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_any_text_or_bytes_are_judged(token: bytes | str) -> None:
    for read in (judge, ox_jwt.decode_unverified_header):
        with pytest.raises(ox_jwt.InvalidTokenError):
            read(token)


parts = st.binary(max_size=60) | st.builds(lambda value: json.dumps(value).encode(), values)


@given(st.lists(parts, min_size=1, max_size=6))
def test_any_parts_are_judged(encoded: list[bytes]) -> None:
    with pytest.raises(ox_jwt.InvalidTokenError):
        judge(".".join(map(b64, encoded)))


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "x"]), values))
def test_any_signed_header_is_judged(header: dict[str, Any]) -> None:
    with pytest.raises(ox_jwt.InvalidTokenError):
        judge(signed({}, {"alg": "RS256", **header}))
    if not {"kid", "typ", "crit", "b64"} & set(header):
        assert judge(signed({}, {**header, "alg": "HS256"})) == {}


@given(st.binary(max_size=200))
def test_any_signed_payload_is_judged_no_looser_than_by_json_loads(payload: bytes) -> None:
    try:
        claims = judge(signed(payload))
    except ox_jwt.InvalidTokenError:
        return
    assert repr(claims) == repr(json.loads(payload))


@given(st.dictionaries(st.sampled_from(sorted(REGISTERED | {"host", "Host"})), values))
def test_any_registered_claims_are_judged(claims: dict[str, Any]) -> None:
    try:
        judge(signed(claims), audience="a", issuer="i", host="h", leeway=5, require=["exp"])
    except ox_jwt.InvalidTokenError as error:
        assert error.reason in ("claim rejected", "token expired", "token not yet valid", "wrong host")
        return
    assert (claims["iss"], isinstance(claims["exp"], (int, float))) == ("i", True)


GOOD = {
    name: ox_jwt.encode({}, pair(name).private_key, name) for name in ("ES256", "RS256", "EdDSA")
}


def verifies_nothing(key: Any) -> None:
    for token in GOOD.values():
        with pytest.raises((ox_jwt.InvalidKeyError, ox_jwt.InvalidTokenError)):
            ox_jwt.decode(token, key, ANY_ALGORITHM)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_text_or_bytes_for_a_key_verify_nothing(key: bytes | str) -> None:
    verifies_nothing(key)
    for algorithm in ("RS256", "ES256", "EdDSA"):
        with pytest.raises(ox_jwt.InvalidKeyError):
            ox_jwt.encode({}, key, algorithm)


MEMBERS = ["kty", "crv", "x", "y", "n", "e", "d", "k", "alg", "use", "key_ops", "kid", "keys"]
NAMES = ["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "Ed448", "sig", "enc", "RS256", "HS256", "AQAB"]


@given(st.dictionaries(st.sampled_from(MEMBERS), st.sampled_from(NAMES) | values))
def test_any_dict_for_a_key_verifies_nothing(key: dict[str, Any]) -> None:
    verifies_nothing(key)
    try:
        ox_jwt.JwkSet(key)
    except ox_jwt.InvalidKeyError:
        pass


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_any_damaged_key_verifies_nothing(name: str, data: st.DataObject) -> None:
    der = base64.b64decode("".join(str(pair(name).public_key).splitlines()[1:-1]))
    damaged = bytearray(der)
    # The parameters of RSA's algorithm, which are none, are not looked at.
    first = 20 if name == "RS256" else 0
    position = data.draw(st.integers(first, len(der) - 1))
    damaged[position] ^= data.draw(st.integers(1, 255))
    try:
        ox_jwt.decode(GOOD[name], bytes(damaged), [name])
    except (ox_jwt.InvalidKeyError, ox_jwt.InvalidTokenError):
        return
    raise AssertionError(f"byte {position} does not count")


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_signing_input_of_the_right_secret_is_judged(head: str, body: str) -> None:
    token = resigned(f"{b64(head.encode('utf-8', 'replace'))}.{b64(body.encode('utf-8', 'replace'))}")
    with pytest.raises(ox_jwt.InvalidTokenError):
        ox_jwt.decode(token, SECRET, ["HS256"])
