"""``ox_jwt.decode``: which tokens it accepts, and what it says of others."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

import ox_jwt
from support import ALGORITHMS, ED448, SECRET, alg, b64, ec_jwk, judge, oct_jwk, resigned, signed

NOW = int(time.time())


def refusal(token: Any, **asked: Any) -> ox_jwt.InvalidTokenError:
    with pytest.raises(ox_jwt.InvalidTokenError) as raised:
        judge(token, **asked)
    return raised.value


def wrong(token: Any, **asked: Any) -> tuple[str, str]:
    error = refusal(token, **asked)
    return type(error).__name__, error.reason


@pytest.mark.parametrize("name", ALGORITHMS)
def test_each_algorithm_verifies_what_it_signed(
    name: str, pairs: dict[str, ox_jwt.KeyPair]
) -> None:
    token = ox_jwt.encode({"sub": "ada"}, pairs[name].private_key, alg(name))
    assert ox_jwt.decode_unverified_header(token)["alg"] == alg(name)
    assert ox_jwt.decode(token, pairs[name].public_key, [alg(name)]) == {"sub": "ada"}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_each_algorithm_refuses_what_another_key_signed(
    name: str, pairs: dict[str, ox_jwt.KeyPair]
) -> None:
    other = pairs["EdDSA"] if name == ED448 else ox_jwt.make_keys(alg(name))
    token = ox_jwt.encode({"sub": "ada"}, other.private_key, alg(name))
    with pytest.raises(ox_jwt.InvalidSignatureError) as raised:
        ox_jwt.decode(token, pairs[name].public_key, [alg(name)])
    assert raised.value.reason == "signature mismatch"


def test_an_algorithm_that_is_not_asked_for_is_refused(rsa: ox_jwt.KeyPair) -> None:
    token = ox_jwt.encode({}, rsa.private_key, "RS256")
    for algorithms in (["RS384"], ["PS256", "ES256"], ["HS256"]):
        with pytest.raises(ox_jwt.InvalidAlgorithmError) as raised:
            ox_jwt.decode(token, rsa.public_key, algorithms)
        assert raised.value.reason == "algorithm not allowed"


def test_the_public_key_is_no_secret(rsa: ox_jwt.KeyPair) -> None:
    forged = signed({"sub": "eve"}, secret=str(rsa.public_key).encode())
    with pytest.raises(ox_jwt.InvalidAlgorithmError):
        ox_jwt.decode(forged, rsa.public_key, ["RS256", "HS256"])


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE"])
def test_alg_none_is_refused_in_any_spelling(name: str) -> None:
    for token in (signed({}, {"alg": name}), signed({}, {"alg": name}).rpartition(".")[0] + "."):
        assert wrong(token) == ("InvalidAlgorithmError", "unsupported algorithm")


def test_algorithms_are_mandatory() -> None:
    decode: Any = ox_jwt.decode
    for error, arguments in [
        (TypeError, ()),
        (TypeError, (None,)),
        (TypeError, ("HS256",)),
        (TypeError, (5,)),
        (TypeError, ([b"HS256"],)),
        (ValueError, ([],)),
        (NotImplementedError, (["HS256", "HS257"],)),
        (NotImplementedError, (["hs256"],)),
        (NotImplementedError, (["HS256", "none"],)),
    ]:
        with pytest.raises(error):
            decode(signed({}), SECRET, *arguments)


@pytest.mark.parametrize(
    "algorithms", [["HS256"], ("HS256",), {"HS256"}, {"HS256": 1}, iter(["ES256", "HS256"])]
)
def test_algorithms_are_any_iterable(algorithms: Iterable[str]) -> None:
    assert ox_jwt.decode(signed({"a": 1}), SECRET, algorithms) == {"a": 1}


def test_what_is_asked_is_given_by_keyword_alone() -> None:
    decode: Any = ox_jwt.decode
    with pytest.raises(TypeError):
        decode(signed({}), SECRET, ["HS256"], "audience")
    with pytest.raises(TypeError):
        decode(signed({}), SECRET, ["HS256"], options={"verify_signature": False})
    with pytest.raises(TypeError):
        decode(signed({}), SECRET, ["HS256"], verify=False)


def test_an_expired_token_is_refused_from_exp_on() -> None:
    assert wrong(signed({"exp": NOW - 600})) == ("ExpiredSignatureError", "token expired")
    assert wrong(signed({"exp": int(time.time())})) == ("ExpiredSignatureError", "token expired")
    assert wrong(signed({"exp": 0})) == ("ExpiredSignatureError", "token expired")
    assert judge(signed({"exp": NOW + 600.5})) == {"exp": NOW + 600.5}


def test_a_token_of_the_future_is_refused_until_nbf() -> None:
    assert wrong(signed({"nbf": NOW + 600})) == ("ImmatureSignatureError", "token not yet valid")
    assert judge(signed({"nbf": int(time.time())}))


@pytest.mark.parametrize("leeway", [70, 70.9, timedelta(seconds=70), timedelta(minutes=2)])
def test_leeway_moves_exp_and_nbf(leeway: float | timedelta) -> None:
    now = int(time.time())
    assert judge(signed({"exp": now - 60, "nbf": now + 60}), leeway=leeway)
    assert wrong(signed({"exp": now - 600}), leeway=leeway)[1] == "token expired"
    assert wrong(signed({"nbf": now + 600}), leeway=leeway)[1] == "token not yet valid"


def test_leeway_is_rounded_down_and_may_be_none() -> None:
    now = int(time.time())
    for leeway in (None, 0, 0.99, timedelta(milliseconds=999)):
        assert wrong(signed({"exp": now}), leeway=leeway)[1] == "token expired"


@pytest.mark.parametrize(
    "leeway", [-1, -0.5, float("nan"), float("inf"), 10**400, timedelta(seconds=-1)]
)
def test_leeway_is_neither_negative_nor_without_bound(leeway: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        judge(signed({}), leeway=leeway)


def test_leeway_is_a_number() -> None:
    for leeway in ("5", [], object()):
        with pytest.raises(TypeError):
            judge(signed({}), leeway=leeway)


AUDIENCES: list[tuple[Any, Any]] = [
    ("a", "a"),
    ("a", ["b", "a"]),
    (["b", "a"], "a"),
    (["b", "a"], ["c", "a"]),
    (["a"], ("a",)),
    ("a", {"a", "b"}),
    ("", ""),
]


@pytest.mark.parametrize(("claim", "asked"), AUDIENCES)
def test_one_audience_that_is_asked_for_will_do(claim: Any, asked: Any) -> None:
    assert judge(signed({"aud": claim}), audience=asked) == {"aud": claim}


@pytest.mark.parametrize(
    ("claim", "asked"),
    [("a", "b"), (["a"], ["b"]), ([], "a"), ("ab", "a"), ("a", "ab"), ("a", []), ("A", "a")],
)
def test_another_audience_is_refused(claim: Any, asked: Any) -> None:
    token = signed({"aud": claim})
    assert wrong(token, audience=asked) == ("InvalidAudienceError", "claim rejected")


def test_an_audience_is_refused_where_none_is_asked_for_and_missed_where_one_is() -> None:
    assert wrong(signed({"aud": "a"})) == ("InvalidAudienceError", "claim rejected")
    assert wrong(signed({"aud": []})) == ("InvalidAudienceError", "claim rejected")
    assert wrong(signed({}), audience="a") == ("MissingRequiredClaimError", "claim rejected")
    assert wrong(signed({}), audience=[]) == ("MissingRequiredClaimError", "claim rejected")


@pytest.mark.parametrize("asked", ["me", ["you", "me"], ("me",), {"me"}])
def test_one_issuer_that_is_asked_for_will_do(asked: Any) -> None:
    assert judge(signed({"iss": "me"}), issuer=asked) == {"iss": "me"}
    assert wrong(signed({"iss": "m"}), issuer=asked) == ("InvalidIssuerError", "claim rejected")
    assert wrong(signed({}), issuer=asked) == ("MissingRequiredClaimError", "claim rejected")


def test_no_issuer_will_do_where_the_list_is_empty() -> None:
    assert wrong(signed({"iss": "me"}), issuer=[])[0] == "InvalidIssuerError"


@pytest.mark.parametrize("name", ["audience", "issuer", "require"])
@pytest.mark.parametrize("value", [5, [5], [b"a"], [None], ["a", 1], object()])
def test_what_is_asked_is_text(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=name):
        judge(signed({"aud": "a", "iss": "a"}), **{name: value})


def test_required_claims_are_there_and_not_null() -> None:
    token = signed({"a": 0, "b": False, "c": "", "d": None})
    assert judge(token, require=["a", "b", "c"])
    assert judge(token, require="a")
    for missing in ("d", "e", "A"):
        error = refusal(token, require=["a", missing])
        assert isinstance(error, ox_jwt.MissingRequiredClaimError)
        assert error.claim == missing
        assert str(error) == f'Token is missing the "{missing}" claim'
    assert wrong(token, require=["exp"])[0] == "MissingRequiredClaimError"


HOSTS: list[tuple[Any, str, bool]] = [
    ("example.com", "example.com", True),
    ("Example.com", "EXAMPLE.COM:8080", True),
    (["a.org", "example.com"], "example.com", True),
    ("example.com", "example.org", False),
    ("example.com", "www.example.com", False),
    ("example.com", "", False),
    (None, "example.com", False),
    (5, "example.com", False),
    ([], "example.com", False),
]


@pytest.mark.parametrize(("claim", "host", "good"), HOSTS)
def test_a_token_for_a_host_is_for_no_other(claim: Any, host: str, good: bool) -> None:
    token = signed({"host": claim})
    if good:
        assert judge(token, host=host) == {"host": claim}
    else:
        assert wrong(token, host=host) == ("InvalidHostError", "wrong host")


def test_a_host_is_compared_where_one_is_given() -> None:
    assert judge(signed({"host": "example.com"})) == {"host": "example.com"}
    assert judge(signed({}), host="example.com") == {}


ILL_TYPED: list[tuple[str, Any, str]] = [
    ("exp", "1", "DecodeError"),
    ("exp", None, "DecodeError"),
    ("exp", True, "DecodeError"),
    ("nbf", "1", "DecodeError"),
    ("iat", "1", "InvalidIssuedAtError"),
    ("iat", [1], "InvalidIssuedAtError"),
    ("iss", 1, "InvalidIssuerError"),
    ("iss", None, "InvalidIssuerError"),
    ("sub", 1, "InvalidSubjectError"),
    ("sub", None, "InvalidSubjectError"),
    ("jti", {}, "InvalidJTIError"),
    ("aud", 1, "InvalidAudienceError"),
    ("aud", ["a", 1], "InvalidAudienceError"),
    ("aud", None, "InvalidAudienceError"),
]


@pytest.mark.parametrize(("name", "value", "error"), ILL_TYPED)
def test_registered_claims_have_their_types(name: str, value: Any, error: str) -> None:
    assert wrong(signed({name: value})) == (error, "claim rejected")


def test_iat_in_the_future_is_accepted_as_nginx_does() -> None:
    assert judge(signed({"iat": NOW + 3600}))


VALUES: list[Any] = [
    {},
    {"a": [1, -1, 0, 2**63 - 1, -(2**63), 2**63, 2**64, -(2**70), 10**300]},
    {"a": [0.0, -0.0, 1.5, 1e300, 5e-324, 0.1, 1e22, 123456789.123456789]},
    {"a": [True, False, None, "", [], {}]},
    {"": {"": {"": ""}}},
    {"é": "\u00e9\u4e2d\U0001f600", "\x00": "\x00\x1f\x7f\x80\x9f\u2028", 'q"\\/': '"\\/'},
    {"nested": [[[[{"a": [{"b": {}}]}]]]]},
    {"z": 1, "a": 2, "m": 3},
]


@pytest.mark.parametrize("claims", VALUES)
def test_claims_are_what_json_loads_gives(claims: dict[str, Any]) -> None:
    for text in (json.dumps(claims), json.dumps(claims, ensure_ascii=False, indent=1)):
        decoded = judge(signed(text.encode()))
        assert repr(decoded) == repr(json.loads(text))


@pytest.mark.parametrize(
    "number",
    ["0", "-0", "-0.0", "1e5", "1E+5", "1e400", "-1e400", "1.0", "9" * 400, "9223372036854775808"],
)
def test_numbers_are_what_json_loads_gives(number: str) -> None:
    text = f'{{"n":{number}}}'
    assert repr(judge(signed(text.encode()))) == repr(json.loads(text))


def test_a_whole_number_longer_than_python_reads_is_refused() -> None:
    text = b'{"n":' + b"9" * 5000 + b"}"
    assert wrong(signed(text)) == ("DecodeError", "malformed token")
    with pytest.raises(ox_jwt.DecodeError):
        ox_jwt.decode_unverified_header(signed({}, b'{"alg":"HS256","n":' + b"9" * 5000 + b"}"))


NESTED = b'{"a":' + b"[" * 31 + b"]" * 31 + b"}"
MALFORMED: list[bytes] = [
    b"",
    b"[]",
    b'"text"',
    b"null",
    b"{",
    b'{"a":1,}',
    b"{'a':1}",
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"a":01}',
    b'{"a":1}{}',
    b'{"a":1,"a":1}',
    b'{"a":1,"\\u0061":1}',
    b'{"o":{"a":1,"a":1}}',
    b'{"a":"\\ud800"}',
    b'{"a":"\xff"}',
    b'\xef\xbb\xbf{"a":1}',
    '{"a":1}'.encode("utf-16"),
    b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
    b"[" * 4000,
]


@pytest.mark.parametrize("payload", MALFORMED)
def test_claims_that_are_no_strict_json_object_are_refused(payload: bytes) -> None:
    assert wrong(signed(payload)) == ("DecodeError", "malformed token")


def test_nesting_as_deep_as_allowed_is_accepted() -> None:
    assert judge(signed(NESTED)) == json.loads(NESTED)


GOOD = signed({"sub": "ada"})
HEAD, BODY, MAC = GOOD.split(".")


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        HEAD,
        f"{HEAD}.{BODY}",
        f"{GOOD}.",
        f"{GOOD}.{MAC}",
        f".{BODY}.{MAC}",
        f" {GOOD}",
        f"{GOOD}\n",
        f"{GOOD}=",
        resigned(f"{HEAD}=.{BODY}"),
        resigned(f"{HEAD}.{BODY[:2]}\n{BODY[2:]}"),
        f"{HEAD}.{BODY}.{MAC[:-1]}" + chr(ord(MAC[-1]) + 1),
        "é.é.é",
        "\ud800",
        "\x00" * 30,
    ],
)
def test_what_is_no_compact_jws_is_refused(token: str) -> None:
    error = refusal(token)
    assert isinstance(error, ox_jwt.DecodeError)
    assert error.reason in ("malformed token", "signature mismatch")


def test_tokens_are_text_or_bytes() -> None:
    assert judge(GOOD) == judge(GOOD.encode()) == {"sub": "ada"}
    others: tuple[Any, ...] = (None, 5, bytearray(GOOD.encode()), memoryview(GOOD.encode()), [GOOD], {})
    for token in others:
        assert wrong(token)[0] == "DecodeError"


def test_a_subclass_of_str_is_text() -> None:
    class Token(str):
        def encode(self, *_: Any) -> bytes:
            raise AssertionError

    assert judge(Token(GOOD)) == {"sub": "ada"}


def test_a_token_of_more_than_16_kb_is_refused() -> None:
    small = len(signed({"a": ""}))
    fits = signed({"a": "x" * ((16384 - small) * 3 // 4)})
    assert 16380 <= len(fits) <= 16384
    assert judge(fits)
    assert wrong(signed({"a": "x" * 12288})) == ("DecodeError", "token too large")
    assert wrong("x" * 10_000_000) == ("DecodeError", "token too large")


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ({"typ": "JWT"}, ("DecodeError", "malformed token")),
        ({"alg": ["HS256"]}, ("DecodeError", "malformed token")),
        ({"alg": "HS256", "kid": 5}, ("DecodeError", "malformed token")),
        ({"alg": "HS256", "typ": 5}, ("DecodeError", "malformed token")),
        (b'{"alg":"HS256","alg":"HS256"}', ("DecodeError", "malformed token")),
        ({"alg": "HS256", "crit": ["exp"]}, ("InvalidTokenError", "unsupported critical header")),
        ({"alg": "HS256", "crit": []}, ("InvalidTokenError", "unsupported critical header")),
        ({"alg": "HS256", "b64": False}, ("InvalidTokenError", "unsupported critical header")),
    ],
)
def test_headers_are_read_strictly(header: Any, error: tuple[str, str]) -> None:
    assert wrong(signed({}, header)) == error


def test_a_key_in_the_header_is_not_looked_at() -> None:
    forged = signed({}, {"alg": "HS256", "jwk": oct_jwk(b"f" * 64)}, b"f" * 64)
    assert wrong(forged) == ("InvalidSignatureError", "signature mismatch")


def test_the_header_can_be_had_unverified() -> None:
    token = signed({}, {"alg": "none", "kid": "a", "n": [1, 2.5]})
    header = {"alg": "none", "kid": "a", "n": [1, 2.5]}
    assert ox_jwt.decode_unverified_header(token) == header
    assert ox_jwt.decode_unverified_header(token.encode()) == header
    for bad in ("", "a.b.c", "x" * 20000, "\ud800", None):
        broken: Any = bad
        with pytest.raises(ox_jwt.DecodeError):
            ox_jwt.decode_unverified_header(broken)


CANARY = "canary0123456789"


@pytest.mark.parametrize(
    "token",
    [
        CANARY,
        f"{CANARY}.{CANARY}.{CANARY}",
        f"{CANARY}\ud800",
        signed({}, {"alg": CANARY}),
        signed({}, {"alg": "HS256", "kid": CANARY}),
        signed({"exp": CANARY}),
        signed({"exp": 1, "sub": CANARY}),
        signed({"aud": CANARY}),
        signed({"iss": CANARY}),
        signed({"host": CANARY}),
        signed(f'{{"{CANARY}":1,"{CANARY}":2}}'.encode()),
        signed(f'{{"{CANARY}'.encode()),
        signed({"sub": CANARY}, secret=b"another secret of 32 or more bytes"),
    ],
)
def test_no_exception_holds_any_of_the_token(token: str) -> None:
    key = oct_jwk(kid="k")
    with pytest.raises(ox_jwt.InvalidTokenError) as raised:
        ox_jwt.decode(token, key, ["HS256"], issuer="me", host="example.com")
    error = raised.value
    told = repr((str(error), error.args, vars(error), error.__cause__, error.__context__))
    for secret in (CANARY, b64(CANARY.encode()), token[-20:]):
        assert secret not in told


def test_the_classes_are_children_as_in_pyjwt() -> None:
    assert issubclass(ox_jwt.InvalidSignatureError, ox_jwt.DecodeError)
    assert not issubclass(ox_jwt.InvalidKeyError, ox_jwt.InvalidTokenError)
    for name in ox_jwt.__all__:
        value = getattr(ox_jwt, name)
        if name.endswith("Error"):
            assert issubclass(value, ox_jwt.PyJWTError)
            if name not in ("PyJWTError", "InvalidKeyError"):
                assert issubclass(value, ox_jwt.InvalidTokenError)


FREQUENT = 100


@pytest.mark.parametrize("name", ["ES256", "EdDSA"])
def test_a_key_that_is_used_often_decides_the_same(
    name: str, pairs: dict[str, ox_jwt.KeyPair]
) -> None:
    pair = pairs[name]
    good = ox_jwt.encode({"sub": "ada"}, pair.private_key, name)
    forged = ox_jwt.encode({"sub": "ada"}, ox_jwt.make_keys(name).private_key, name)
    for _ in range(3 * FREQUENT):
        assert ox_jwt.decode(good, pair.public_key, [name]) == {"sub": "ada"}
        with pytest.raises(ox_jwt.InvalidSignatureError):
            ox_jwt.decode(forged, pair.public_key, [name])


def _verdicts(name: str, pair: ox_jwt.KeyPair, number: int) -> list[bool]:
    """What many tokens of one thread get, every other one forged."""
    right = []
    for use in range(2 * FREQUENT):
        claims = {"thread": number, "use": use}
        token = ox_jwt.encode(claims, pair.private_key, name)
        if use % 2:
            head, _, mac = token.split(".")
            token = f"{head}.{b64(json.dumps({'thread': -1}).encode())}.{mac}"
        try:
            right.append(ox_jwt.decode(token, pair.public_key, [name]) == claims and not use % 2)
        except ox_jwt.InvalidSignatureError:
            right.append(use % 2 == 1)
    return right


@pytest.mark.parametrize("name", ["ES256", "EdDSA", "HS256"])
def test_threads_get_right_verdicts_at_once(name: str) -> None:
    pair = ox_jwt.make_keys(name)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda number: _verdicts(name, pair, number), range(8))
    assert all(all(right) and len(right) == 2 * FREQUENT for right in answers)


def _in_child(token: str, key: str | bytes, forged: str, queue: Any) -> None:
    made = ox_jwt.make_keys("ES256")
    own = ox_jwt.decode(ox_jwt.encode({"a": 1}, made.private_key, "ES256"), made.public_key, ["ES256"])
    try:
        ox_jwt.decode(forged, key, ["ES256"])
        refused = False
    except ox_jwt.InvalidSignatureError:
        refused = True
    queue.put((ox_jwt.decode(token, key, ["ES256"]), own, refused))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_works_in_a_forked_child(ec: ox_jwt.KeyPair) -> None:
    token = ox_jwt.encode({"sub": "ada"}, ec.private_key, "ES256")
    assert ox_jwt.decode(token, ec.public_key, ["ES256"])
    forged = ox_jwt.encode({}, ox_jwt.make_keys("ES256").private_key, "ES256")
    fork = multiprocessing.get_context("fork")
    queue = fork.Queue()
    child = fork.Process(target=_in_child, args=(token, ec.public_key, forged, queue))
    child.start()
    answer = queue.get(timeout=20)
    child.join(20)
    assert (answer, child.exitcode) == (({"sub": "ada"}, {"a": 1}, True), 0)


def test_forked_children_make_different_keys() -> None:
    fork = multiprocessing.get_context("fork")
    with fork.Pool(2) as pool:
        made = pool.map(ox_jwt.make_keys, ["HS256"] * 4, chunksize=1)
    assert len({pair.private_key for pair in [*made, ox_jwt.make_keys("HS256")]}) == 5


def _refuse(count: int, tokens: list[str]) -> int:
    refused = 0
    for number in range(count):
        try:
            judge(tokens[number % len(tokens)])
        except ox_jwt.InvalidTokenError:
            refused += 1
    return refused


def test_refused_tokens_take_no_memory() -> None:
    tokens = ["nonsense", GOOD[:-1] + "!", signed({"exp": 1}), signed({"aud": "x" * 500})]
    tokens.append(signed({"sub": "x" * 4000}, secret=b"f" * 64))
    _refuse(5_000, tokens)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert _refuse(100_000, tokens) == 100_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024


def test_refused_keys_take_no_memory(ec: ox_jwt.KeyPair) -> None:
    def refuse(count: int) -> None:
        for number in range(count):
            with pytest.raises(ox_jwt.InvalidKeyError):
                ox_jwt.decode(GOOD, ec_jwk(ec.public_key, x=f"{number}", pad="x" * 4000), ["ES256"])

    refuse(500)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refuse(8_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024


def test_headers_are_read_under_the_name_that_pyjwt_has_for_it() -> None:
    assert ox_jwt.get_unverified_header is ox_jwt.decode_unverified_header
