"""Case by case what PyJWT does; where it is not the same, that is meant."""

from __future__ import annotations

import json
import sys
import time
import warnings
from datetime import timedelta
from typing import Any, NamedTuple

import jwt
import pytest

import ox_jwt
from support import SECRET, b64, ec_jwk, private_ec_jwk, resigned, signed

NOW = int(time.time())
HS = ["HS256"]


class Case(NamedTuple):
    """A call of ``decode``; ``ec`` and ``rsa`` for a key are a public key in PEM."""

    token: Any
    asked: dict[str, Any] = {}
    key: Any = SECRET
    algorithms: Any = HS


def outcome(decode: Any, case: Case, key: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return decode(case.token, key, case.algorithms, **case.asked)
    except Exception as error:
        return type(error).__name__


GOOD = signed({"sub": "ada"})
HEAD, BODY, MAC = GOOD.split(".")
NONE = b64(b'{"alg":"none"}')
#: Its last character ends in bits that stand for nothing, and are not zero.
STRAY = b64(b'{"alg":"HS256"} ')[:-1] + "B"
#: That of RFC 8410 section 10.1.
ED25519 = b"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
OTHER = signed({"sub": "ada"}, secret=b"another secret of 32 bytes or more")

SAME: dict[str, Case] = {
    "good": Case(GOOD),
    "good in bytes": Case(GOOD.encode()),
    "no claims": Case(signed({})),
    "values of all kinds": Case(signed({"a": [1, 1.5, None, True, {"b": "é"}, 2**80, "\U0001f600"]})),
    "1e400": Case(signed(b'{"a":1e400}')),
    "white space": Case(signed(b' {\n"a" :\t1 } ')),
    "another secret": Case(OTHER),
    "signature of another token": Case(f"{HEAD}.{BODY}.{signed({}).split('.')[2]}"),
    "empty signature": Case(f"{HEAD}.{BODY}."),
    "short signature": Case(f"{HEAD}.{BODY}.AAAA"),
    "empty": Case(""),
    "no periods": Case("nonsense"),
    "two parts": Case(f"{HEAD}.{BODY}"),
    "four parts": Case(f"{GOOD}.AAAA"),
    "not base64": Case(f"{HEAD}.!!!!.{MAC}"),
    "white space around": Case(f" {GOOD}"),
    "trailing bits": Case(resigned(f"{STRAY}.e30")),
    "header no JSON": Case(signed({}, b"{")),
    "header a list": Case(signed({}, b"[]")),
    "header not UTF-8": Case(signed({}, b"\xff")),
    "payload no JSON": Case(signed(b"{")),
    "payload a list": Case(signed(b"[]")),
    "payload empty": Case(signed(b"")),
    "payload not UTF-8": Case(signed(b'{"a":"\xff"}')),
    "payload of thousands of digits": Case(signed(b'{"a":' + b"9" * 5000 + b"}")),
    "payload nested too deep": Case(signed(b'{"a":' + b"[" * 5000)),
    "None for a token": Case(None),
    "a number for a token": Case(5),
    "none": Case(signed({}, {"alg": "none"})),
    "none, unsigned": Case(f"{NONE}.{BODY}."),
    "unknown algorithm": Case(signed({}, {"alg": "HS257"})),
    "algorithm in lower case": Case(signed({}, {"alg": "hs256"})),
    "algorithm not asked for": Case(GOOD, algorithms=["HS384", "RS256"]),
    "algorithms as a tuple": Case(GOOD, algorithms=("HS256",)),
    "algorithms as a set": Case(GOOD, algorithms={"HS256", "RS256"}),
    "unknown crit": Case(signed({}, {"alg": "HS256", "crit": ["x"], "x": 1})),
    "empty crit": Case(signed({}, {"alg": "HS256", "crit": []})),
    "a key in the header": Case(signed({}, {"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}})),
    "kid": Case(signed({}, {"alg": "HS256", "kid": "any"})),
    "exp ahead": Case(signed({"exp": NOW + 600})),
    "exp passed": Case(signed({"exp": NOW - 600})),
    "exp now": Case(signed({"exp": NOW})),
    "exp passed within leeway": Case(signed({"exp": NOW - 60}), {"leeway": 600}),
    "exp passed within a timedelta": Case(
        signed({"exp": NOW - 60}), {"leeway": timedelta(minutes=10)}
    ),
    "exp passed before leeway": Case(signed({"exp": NOW - 600}), {"leeway": 60}),
    "exp zero": Case(signed({"exp": 0})),
    "exp negative": Case(signed({"exp": -1})),
    "exp a float": Case(signed({"exp": NOW + 600.5})),
    "exp far ahead": Case(signed({"exp": 10**30})),
    "exp a word": Case(signed({"exp": "soon"})),
    "exp null": Case(signed({"exp": None})),
    "exp a list": Case(signed({"exp": [NOW + 600]})),
    "exp infinite": Case(signed(b'{"exp":1e400}')),
    "nbf passed": Case(signed({"nbf": NOW - 600})),
    "nbf ahead": Case(signed({"nbf": NOW + 600})),
    "nbf ahead within leeway": Case(signed({"nbf": NOW + 60}), {"leeway": 600}),
    "nbf a word": Case(signed({"nbf": "soon"})),
    "nbf null": Case(signed({"nbf": None})),
    "iat passed": Case(signed({"iat": NOW - 600})),
    "iat a word": Case(signed({"iat": "now"})),
    "iat infinite": Case(signed(b'{"iat":1e400}')),
    "iat null": Case(signed({"iat": None})),
    "sub a number": Case(signed({"sub": 5})),
    "sub null": Case(signed({"sub": None})),
    "jti a number": Case(signed({"jti": 5})),
    "jti null": Case(signed({"jti": None})),
    "aud not asked for": Case(signed({"aud": "a"})),
    "aud asked for": Case(signed({"aud": "a"}), {"audience": "a"}),
    "aud asked for as a list": Case(signed({"aud": "a"}), {"audience": ["b", "a"]}),
    "aud asked for as a set": Case(signed({"aud": "a"}), {"audience": {"a"}}),
    "aud a list": Case(signed({"aud": ["b", "a"]}), {"audience": "a"}),
    "aud another": Case(signed({"aud": "b"}), {"audience": "a"}),
    "aud longer": Case(signed({"aud": "ab"}), {"audience": "a"}),
    "aud missing": Case(signed({}), {"audience": "a"}),
    "aud with a number": Case(signed({"aud": ["a", 5]}), {"audience": "a"}),
    "aud an object": Case(signed({"aud": {"a": 1}}), {"audience": "a"}),
    "no audience will do": Case(signed({"aud": "a"}), {"audience": []}),
    "a number for an audience": Case(signed({"aud": "a"}), {"audience": 5}),
    "iss not asked for": Case(signed({"iss": "me"})),
    "iss asked for": Case(signed({"iss": "me"}), {"issuer": "me"}),
    "iss asked for as a list": Case(signed({"iss": "me"}), {"issuer": ["you", "me"]}),
    "iss another": Case(signed({"iss": "me"}), {"issuer": "you"}),
    "iss shorter": Case(signed({"iss": "m"}), {"issuer": "me"}),
    "iss missing": Case(signed({}), {"issuer": "me"}),
    "iss a number": Case(signed({"iss": 5}), {"issuer": "5"}),
    "iss null": Case(signed({"iss": None}), {"issuer": "me"}),
    "no issuer will do": Case(signed({"iss": "me"}), {"issuer": []}),
    "PEM for a secret": Case(GOOD, key="-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
    "JWK for a secret": Case(GOOD, key='{"kty":"RSA","n":"' + "x" * 64 + '"}'),
    "SSH key for a secret": Case(GOOD, key="ssh-rsa " + "A" * 64),
    "empty secret": Case(GOOD, key=b""),
    "None for a key": Case(GOOD, key=None),
    "public key for HMAC": Case(GOOD, key="rsa", algorithms=["RS256"]),
    "nonsense for a public key": Case(
        signed({}, {"alg": "HS256"}), key="-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"
    ),
}

REQUIRED: dict[str, tuple[Any, list[str]]] = {
    "all there": ({"a": 1, "exp": NOW + 600}, ["a", "exp"]),
    "one missing": ({"a": 1}, ["a", "exp"]),
    "null": ({"a": None}, ["a"]),
    "false": ({"a": False}, ["a"]),
    "zero": ({"a": 0}, ["a"]),
    "empty": ({"a": ""}, ["a"]),
    "none asked for": ({}, []),
}

#: What each does: ours, and PyJWT's.
DIFFERENT: dict[str, tuple[str, Case, Any, Any]] = {
    "a member twice": (
        "strict JSON", Case(signed(b'{"a":1,"a":2}')), "DecodeError", {"a": 2}
    ),
    "a header's member twice": (
        "strict JSON", Case(signed({}, b'{"alg":"none","alg":"HS256"}')), "DecodeError", {}
    ),
    "a lone surrogate": (
        "strict JSON", Case(signed(b'{"a":"\\ud800"}')), "DecodeError", {"a": "\ud800"}
    ),
    "NaN in the header": (
        "strict JSON", Case(signed({}, b'{"alg":"HS256","a":NaN}')), "DecodeError", {}
    ),
    "Infinity": ("strict JSON", Case(signed(b'{"a":Infinity}')), "DecodeError", {"a": float("inf")}),
    "UTF-16": ("strict JSON", Case(signed('{"a":1}'.encode("utf-16"))), "DecodeError", {"a": 1}),
    "byte order mark": ("strict JSON", Case(signed(b'\xef\xbb\xbf{"a":1}')), "DecodeError", {"a": 1}),
    "nesting": (
        "bounded",
        Case(signed(b'{"a":' + b"[" * 32 + b"]" * 32 + b"}")),
        "DecodeError",
        json.loads('{"a":' + "[" * 32 + "]" * 32 + "}"),
    ),
    "a large token": (
        "bounded", Case(signed({"a": "x" * 20000})), "DecodeError", {"a": "x" * 20000}
    ),
    "padding": ("compact JWS has none", Case(f"{GOOD}="), "DecodeError", {"sub": "ada"}),
    "a surrogate in the token": (
        "PyJWT's tells the token", Case("\ud800"), "DecodeError", "UnicodeEncodeError"
    ),
    "no alg": (
        "malformed", Case(signed({}, {"typ": "JWT"})), "DecodeError", "InvalidAlgorithmError"
    ),
    "alg a list": (
        "malformed", Case(signed({}, {"alg": ["HS256"]})), "DecodeError", "InvalidAlgorithmError"
    ),
    "kid a number": (
        "malformed", Case(signed({}, {"alg": "HS256", "kid": 5})), "DecodeError", "InvalidTokenError"
    ),
    "typ a number": ("malformed", Case(signed({}, {"alg": "HS256", "typ": 5})), "DecodeError", {}),
    "b64 without crit": (
        "not understood",
        Case(signed({}, {"alg": "HS256", "b64": False})),
        "InvalidTokenError",
        "DecodeError",
    ),
    "crit b64": (
        "not understood",
        Case(signed({}, {"alg": "HS256", "b64": True, "crit": ["b64"]})),
        "InvalidTokenError",
        {},
    ),
    "iat a number in text": (
        "not a number", Case(signed({"iat": "5"})), "InvalidIssuedAtError", {"iat": "5"}
    ),
    "exp a number in text": (
        "not a number",
        Case(signed({"exp": str(NOW + 600)})),
        "DecodeError",
        {"exp": str(NOW + 600)},
    ),
    "exp a boolean": (
        "not a number", Case(signed({"exp": True})), "DecodeError", "ExpiredSignatureError"
    ),
    "nbf a boolean": ("not a number", Case(signed({"nbf": True})), "DecodeError", {"nbf": True}),
    "iat in the future": (
        "as nginx does",
        Case(signed({"iat": NOW + 600})),
        {"iat": NOW + 600},
        "ImmatureSignatureError",
    ),
    "iss a number that nobody asks for": (
        "not a string", Case(signed({"iss": 5})), "InvalidIssuerError", {"iss": 5}
    ),
    "aud null": ("not a string", Case(signed({"aud": None})), "InvalidAudienceError", {"aud": None}),
    "aud empty": ("not for us", Case(signed({"aud": []})), "InvalidAudienceError", {"aud": []}),
    "aud an empty text": ("not for us", Case(signed({"aud": ""})), "InvalidAudienceError", {"aud": ""}),
    "aud empty, another asked for": (
        "it is there",
        Case(signed({"aud": []}), {"audience": "a"}),
        "InvalidAudienceError",
        "MissingRequiredClaimError",
    ),
    "expired, and with a wrong type": (
        "types first", Case(signed({"exp": 1, "sub": 5})), "InvalidSubjectError", "ExpiredSignatureError"
    ),
    "expired, and not yet valid": (
        "exp first",
        Case(signed({"exp": 1, "nbf": NOW + 600})),
        "ExpiredSignatureError",
        "ImmatureSignatureError",
    ),
    "a fraction of a second of leeway": (
        "whole seconds",
        Case(signed({"exp": NOW - 600}), {"leeway": -1}),
        "ValueError",
        "ExpiredSignatureError",
    ),
    "a short secret": (
        "RFC 7518 section 3.2", Case(signed({}, secret=b"short"), key=b"short"), "InvalidKeyError", {}
    ),
    "a path for a secret": (
        "everyone may know it",
        Case(signed({}, secret=b"/etc/keys/of/the/issuer.pem" * 2), key="/etc/keys/of/the/issuer.pem" * 2),
        "InvalidKeyError",
        {},
    ),
    "a public key in base64": (
        "it is that key",
        Case(signed({}, secret=ED25519), key=ED25519),
        "InvalidAlgorithmError",
        {},
    ),
    "no algorithms": ("a mistake", Case(GOOD, algorithms=None), "TypeError", "DecodeError"),
    "an empty list of algorithms": ("a mistake", Case(GOOD, algorithms=[]), "ValueError", "DecodeError"),
    "algorithms as text": (
        "a mistake", Case(GOOD, algorithms="HS256,HS512"), "TypeError", {"sub": "ada"}
    ),
    "an unknown algorithm in the list": (
        "a mistake", Case(GOOD, algorithms=["HS256", "XX"]), "NotImplementedError", {"sub": "ada"}
    ),
    "options": (
        "nothing is switched off",
        Case(signed({"exp": 1}), {"options": {"verify_exp": False}}),
        "TypeError",
        {"exp": 1},
    ),
    "JSON of no JWK for a secret": (
        "everyone may know it",
        Case(signed({}, secret=b'{"error":"' + b"x" * 64 + b'"}'), key=b'{"error":"' + b"x" * 64 + b'"}'),
        "InvalidKeyError",
        {},
    ),
    "host": (
        "claims that nginx checks",
        Case(signed({"host": "a"}), {"host": "b"}),
        "InvalidHostError",
        {"host": "a"},
    ),
}


def key_for(case: Case, rsa: ox_jwt.KeyPair) -> Any:
    return rsa.public_key if case.key == "rsa" else case.key


@pytest.mark.parametrize("name", SAME)
def test_does_what_pyjwt_does(name: str, rsa: ox_jwt.KeyPair) -> None:
    case = SAME[name]
    key = key_for(case, rsa)
    ours, theirs = outcome(ox_jwt.decode, case, key), outcome(jwt.decode, case, key)
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("name", REQUIRED)
def test_requires_what_pyjwt_requires(name: str) -> None:
    claims, required = REQUIRED[name]
    token = signed(claims)
    ours = outcome(ox_jwt.decode, Case(token, {"require": required}), SECRET)
    theirs = outcome(jwt.decode, Case(token, {"options": {"require": required}}), SECRET)
    assert ours == theirs


@pytest.mark.parametrize("name", DIFFERENT)
def test_differs_from_pyjwt_where_it_is_meant_to(name: str, rsa: ox_jwt.KeyPair) -> None:
    _reason, case, ours, theirs = DIFFERENT[name]
    key = key_for(case, rsa)
    assert (outcome(ox_jwt.decode, case, key), outcome(jwt.decode, case, key)) == (ours, theirs)


@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "ES256", "ES512", "ES256K", "EdDSA", "HS512"])
def test_each_reads_what_the_other_signed(
    algorithm: str, pairs: dict[str, ox_jwt.KeyPair]
) -> None:
    pair, claims = pairs[algorithm], {"sub": "ada", "exp": NOW + 600, "n": [1, 2.5, "é"]}
    ours = ox_jwt.encode(claims, pair.private_key, algorithm, {"kid": "k"})
    theirs = jwt.encode(claims, pair.private_key, algorithm, {"kid": "k"})
    for token in (ours, theirs):
        assert ox_jwt.decode(token, pair.public_key, [algorithm]) == claims
        assert jwt.decode(token, pair.public_key, [algorithm]) == claims
        assert ox_jwt.decode_unverified_header(token) == jwt.get_unverified_header(token)


def test_a_private_key_verifies_with_pyjwt_alone(ec: ox_jwt.KeyPair) -> None:
    token = ox_jwt.encode({}, ec.private_key, "ES256")
    private_jwk = private_ec_jwk(ec.private_key)
    assert jwt.decode(token, jwt.PyJWK(ec_jwk(ec.public_key)), ["ES256"]) == {}
    assert ox_jwt.decode(token, private_jwk, ["ES256"]) == {}
    assert outcome(ox_jwt.decode, Case(token, algorithms=["ES256"]), ec.private_key) == "InvalidKeyError"
    assert outcome(jwt.decode, Case(token, algorithms=["ES256"]), ec.private_key) == {}


def test_every_exception_of_pyjwts_decode_has_its_name_here() -> None:
    others = {
        *("InvalidTokenError", "DecodeError", "InvalidSignatureError", "ExpiredSignatureError"),
        *("InvalidAudienceError", "InvalidIssuerError", "InvalidIssuedAtError", "PyJWTError"),
        *("ImmatureSignatureError", "InvalidKeyError", "InvalidAlgorithmError"),
        *("MissingRequiredClaimError", "InvalidSubjectError", "InvalidJTIError"),
    }
    for name in others:
        ours, theirs = getattr(ox_jwt, name), getattr(jwt.exceptions, name)
        bases = [base.__name__ for base in theirs.__mro__ if base.__name__ in others]
        assert [base.__name__ for base in ours.__mro__ if base.__name__ in others] == bases


SIGNING: dict[str, tuple[Any, Any, str, str | None]] = {
    "a list for a payload": ([], SECRET, "HS256", None),
    "iss a number": ({"iss": 5}, SECRET, "HS256", None),
    "a set in the payload": ({"a": {1}}, SECRET, "HS256", None),
    "unknown algorithm": ({}, SECRET, "XX", None),
    "a short secret": ({}, b"short", "HS256", "InvalidKeyError"),
    "nonsense for a private key": ({}, "nonsense", "RS256", None),
    "sub a number": ({"sub": 5}, SECRET, "HS256", "TypeError"),
    "NaN": ({"a": float("nan")}, SECRET, "HS256", "ValueError"),
    "none": ({}, SECRET, "none", "NotImplementedError"),
}


@pytest.mark.parametrize("name", SIGNING)
def test_refuses_to_sign_what_pyjwt_refuses_and_more(name: str) -> None:
    claims, key, algorithm, stricter = SIGNING[name]
    results = []
    for encode in (ox_jwt.encode, jwt.encode):
        sign: Any = encode
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sign(claims, key, algorithm)
            results.append("signed")
        except Exception as error:
            results.append(type(error).__name__)
    if stricter is None:
        assert results[0] == results[1] != "signed"
    else:
        assert results[0] == stricter != results[1]


def test_the_limit_of_digits_is_that_of_python() -> None:
    assert sys.get_int_max_str_digits() == 4300
    assert ox_jwt.decode(signed(b'{"a":' + b"9" * 4300 + b"}"), SECRET, HS) == {"a": 10**4300 - 1}
