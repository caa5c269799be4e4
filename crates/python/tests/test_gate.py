"""``ox_jwt.Gate``: where a token may be, and what a refusal tells."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import ox_jwt
from ox_jwt.exceptions import UntrustedRequestError
from ox_jwt.gate import TOKEN_FROM, refusal
from support import SECRET, oct_jwk, signed

LISTS = ["audience", "issuer", "require", "token_from"]
ADA, BOB, EVE, DAN = (signed({"sub": name}) for name in ("ada", "bob", "eve", "dan"))


def claims(
    gate: ox_jwt.Gate, query: str = "", host: str = "example.com", **headers: Any
) -> dict[str, Any]:
    """Header fields are named with underscores; each has one value or a list."""

    def values(name: str) -> list[bytes]:
        assert name == name.lower()
        value = headers.get(name.replace("-", "_"), [])
        return [text.encode() for text in ([value] if isinstance(value, str) else value)]

    return gate.claims(query=query.encode(), headers=values, host=host)


@pytest.fixture
def gate() -> ox_jwt.Gate:
    return ox_jwt.Gate(SECRET, ["HS256"])


def who(gate: ox_jwt.Gate, query: str = "", **headers: Any) -> Any:
    return claims(gate, query, **headers)["sub"]


def test_the_places_are_those_of_nginx_in_its_order(gate: ox_jwt.Gate) -> None:
    assert TOKEN_FROM == ("arg=jwt", "cookie=jwtcookie", "header=Api-Key", "bearer")
    query, places = f"jwt={ADA}", {"cookie": f"jwtcookie={BOB}", "api_key": EVE}
    bearer = f"Bearer {DAN}"
    assert who(gate, query, authorization=bearer, **places) == "ada"
    assert who(gate, authorization=bearer, **places) == "bob"
    assert who(gate, authorization=bearer, api_key=EVE) == "eve"
    assert who(gate, authorization=bearer) == "dan"


def test_the_first_place_that_holds_anything_decides(gate: ox_jwt.Gate) -> None:
    with pytest.raises(ox_jwt.DecodeError):
        claims(gate, "jwt=nonsense", authorization=f"Bearer {ADA}")
    with pytest.raises(ox_jwt.DecodeError):
        claims(gate, cookie="jwtcookie=x", api_key=ADA)


def test_an_empty_value_holds_nothing(gate: ox_jwt.Gate) -> None:
    assert who(gate, "jwt=", cookie="jwtcookie=", api_key="", authorization=f"Bearer {ADA}") == "ada"
    assert who(gate, f"jwt=&jwt={ADA}") == "ada"
    assert who(gate, api_key=["", " ", ADA]) == "ada"


def test_no_place_that_holds_one_is_no_token(gate: ox_jwt.Gate) -> None:
    places: list[tuple[str, dict[str, Any]]] = [
        ("", {}),
        (f"token={ADA}&JWT={ADA}", {}),
        ("", {"cookie": f"other={ADA}", "authorization": f"Basic {ADA}"}),
        ("", {"authorization": ["Bearer", "Bearer ", ADA]}),
    ]
    for query, headers in places:
        with pytest.raises(ox_jwt.MissingTokenError) as raised:
            claims(gate, query, **headers)
        assert raised.value.reason == "no token"


def test_values_are_read_as_nginx_reads_them(gate: ox_jwt.Gate) -> None:
    assert who(gate, f"a=b&jwt={ADA.replace('.', '%2E')}&c") == "ada"
    assert who(gate, cookie=f'a=b; jwtcookie="{ADA}"; c') == "ada"
    assert who(gate, cookie=["a=b", f"jwtcookie={ADA}"]) == "ada"
    assert who(gate, authorization=f"bearer   {ADA} ") == "ada"
    assert who(gate, authorization=["Basic x", f"BEARER {ADA}"]) == "ada"
    assert who(gate, api_key=f" {ADA}\t") == "ada"


def test_different_tokens_at_one_place_are_refused_and_one_twice_is_one(gate: ox_jwt.Gate) -> None:
    def places(first: str, second: str) -> list[tuple[str, dict[str, Any]]]:
        return [
            (f"jwt={first}&jwt={second}", {}),
            (f"%6awt={first}&jwt={second}", {}),
            ("", {"cookie": f"jwtcookie={first}; jwtcookie={second}"}),
            ("", {"cookie": [f"jwtcookie={first}", f"jwtcookie={second}"]}),
            ("", {"api_key": [first, f"Bearer {second}"]}),
            ("", {"authorization": [f"Bearer {first}", f"Bearer {second}"]}),
        ]

    for query, headers in [*places(ADA, BOB), *places("x", ADA)]:
        with pytest.raises(ox_jwt.SeveralTokensError) as raised:
            claims(gate, query, **headers)
        assert raised.value.reason == "several tokens"
    for query, headers in [*places(ADA, ADA), *places(ADA, ""), *places("", ADA)]:
        assert who(gate, query, **headers) == "ada"
    assert who(gate, f"jwt={ADA}", api_key=[BOB, EVE]) == "ada"


def test_a_token_in_a_header_of_its_own_may_stand_behind_bearer(gate: ox_jwt.Gate) -> None:
    for scheme in ("", "Bearer ", "bearer   ", "BEARER "):
        assert who(gate, api_key=scheme + ADA) == "ada"
    with pytest.raises(ox_jwt.DecodeError):
        claims(gate, api_key=f"Bearer Bearer {ADA}")


def test_places_can_be_chosen() -> None:
    gate = ox_jwt.Gate(SECRET, ["HS256"], token_from=["header=X-Token", "arg=t", "cookie=c"])
    assert who(gate, f"t={BOB}", x_token=ADA) == "ada"
    assert who(gate, f"t={BOB}", cookie=f"c={ADA}") == "bob"
    assert who(gate, cookie=f"c={ADA}") == "ada"
    with pytest.raises(ox_jwt.MissingTokenError):
        claims(gate, f"jwt={ADA}", authorization=f"Bearer {ADA}", api_key=ADA)


@pytest.mark.parametrize(
    "word",
    [
        *("", "arg", "arg=", "bearer=x", "body=jwt", "=", "Bearer", "header"),
        *("arg=jwt bearer", "cookie=a,cookie=b", "header=X-Token;bearer", "arg=a=b", "arg=a&b"),
    ],
)
def test_places_that_do_not_exist_are_an_error(word: str) -> None:
    with pytest.raises(ValueError):
        ox_jwt.Gate(SECRET, ["HS256"], token_from=[word])


def test_what_is_broken_is_an_error_at_once() -> None:
    make: Any = ox_jwt.Gate
    broken: list[tuple[type[Exception], Any, Any, dict[str, Any]]] = [
        (ox_jwt.InvalidKeyError, b"short", ["HS256"], {}),
        (ox_jwt.InvalidKeyError, "-----BEGIN nonsense", ["RS256"], {}),
        (TypeError, None, ["HS256"], {}),
        (TypeError, SECRET, "HS256", {}),
        (TypeError, SECRET, None, {}),
        (ValueError, SECRET, [], {}),
        (NotImplementedError, SECRET, ["none"], {}),
        (ValueError, SECRET, ["HS256"], {"leeway": -1}),
        (TypeError, SECRET, ["HS256"], {"leeway": "5"}),
        *((TypeError, SECRET, ["HS256"], {name: 5}) for name in LISTS),
        *((TypeError, SECRET, ["HS256"], {name: [5]}) for name in LISTS),
        *((TypeError, SECRET, ["HS256"], {name: b"text"}) for name in LISTS),
        # An empty list, byte by byte.
        *((TypeError, SECRET, ["HS256"], {name: b""}) for name in LISTS),
        *((TypeError, SECRET, ["HS256"], {name: bytearray()}) for name in LISTS),
        (TypeError, SECRET, b"HS256", {}),
        (ox_jwt.InvalidKeyError, SECRET, ["RS256", "ES256"], {}),
        (ox_jwt.InvalidKeyError, b"s" * 32, ["HS384"], {}),
        (ox_jwt.InvalidKeyError, "/etc/keys/public.pem", ["HS256", "RS256"], {}),
    ]
    for error, key, algorithms, more in broken:
        with pytest.raises(error):
            make(key, algorithms, **more)


def test_text_where_a_list_is_wanted_is_its_only_entry() -> None:
    gate = ox_jwt.Gate(
        SECRET, ["HS256"], audience="abc", issuer="me", require="sub", token_from="bearer"
    )
    good = {"aud": "abc", "iss": "me", "sub": "ada"}
    assert who(gate, authorization=f"Bearer {signed(good)}") == "ada"
    for wrong in ({"aud": "a"}, {"aud": ["a", "b", "c"]}, {"iss": "m"}, {"sub": None, "s": 1}):
        with pytest.raises(ox_jwt.InvalidTokenError):
            claims(gate, authorization=f"Bearer {signed({**good, **wrong})}")
    assert who(ox_jwt.Gate(SECRET, ["HS256"], token_from="arg=t"), f"t={ADA}") == "ada"


def test_what_is_asked_is_asked_of_every_request() -> None:
    gate = ox_jwt.Gate(
        ox_jwt.JwkSet(oct_jwk()),
        iter(["HS256"]),
        audience=iter(["a"]),
        issuer=iter(["me"]),
        leeway=timedelta(minutes=5),
        require=iter(["sub"]),
    )
    good = {"aud": "a", "iss": "me", "sub": "ada"}
    for _ in range(2):
        assert claims(gate, "jwt=" + signed(good)) == good
        for name, wrong in (("aud", "b"), ("iss", "you"), ("sub", None), ("exp", 1)):
            with pytest.raises(ox_jwt.InvalidTokenError):
                claims(gate, "jwt=" + signed({**good, name: wrong}))


def test_a_list_that_is_changed_later_changes_nothing() -> None:
    algorithms, audience = ["HS256"], ["a"]
    gate = ox_jwt.Gate(SECRET, algorithms, audience=audience)
    algorithms.append("RS256")
    audience.append("b")
    with pytest.raises(ox_jwt.InvalidAudienceError):
        claims(gate, "jwt=" + signed({"aud": "b"}))


def test_a_token_for_another_host_is_refused(gate: ox_jwt.Gate) -> None:
    query = "jwt=" + signed({"host": "example.com"})
    assert claims(gate, query, "EXAMPLE.com:8080")
    for host in ("example.org", ""):
        with pytest.raises(ox_jwt.InvalidHostError):
            claims(gate, query, host)


def test_the_claims_of_a_request_are_its_own(gate: ox_jwt.Gate) -> None:
    first = claims(gate, f"jwt={ADA}")
    first["sub"] = "root"
    assert claims(gate, f"jwt={ADA}") == {"sub": "ada"}
    assert claims(gate, f"jwt={BOB}") == {"sub": "bob"}


def test_a_refusal_says_why_and_no_more() -> None:
    error = ox_jwt.ExpiredSignatureError("internals")
    error.reason = "token expired"
    answer = refusal(error, realm="here")
    assert (answer.status, answer.phrase, answer.body) == (
        401,
        "Unauthorized",
        b"failed: token expired\n",
    )
    headers = dict(answer.headers)
    assert headers["WWW-Authenticate"] == (
        'Bearer realm="here", error="invalid_token", error_description="token expired"'
    )
    assert headers["Cache-Control"] == "no-store"


def test_without_a_token_the_challenge_names_no_error() -> None:
    answer = refusal(ox_jwt.MissingTokenError("internals"))
    assert dict(answer.headers)["WWW-Authenticate"] == 'Bearer realm="ox_jwt"'
    assert (answer.status, answer.body) == (401, b"failed: no token\n")


def test_several_tokens_are_an_invalid_request() -> None:
    answer = refusal(ox_jwt.SeveralTokensError("internals"), realm="here")
    assert (answer.status, answer.phrase) == (400, "Bad Request")
    assert answer.body == b"failed: several tokens\n"
    challenge = 'Bearer realm="here", error="invalid_request", error_description="several tokens"'
    assert dict(answer.headers)["WWW-Authenticate"] == challenge


def test_what_is_our_fault_is_500_and_no_challenge() -> None:
    answer = refusal(ox_jwt.InvalidKeyError("internals"))
    assert (answer.status, answer.body) == (500, b"failed: internal error\n")
    assert "WWW-Authenticate" not in dict(answer.headers)


def test_without_proof_of_nginx_the_answer_is_401() -> None:
    answer = refusal(UntrustedRequestError("internals"))
    assert (answer.status, answer.body) == (401, b"failed: no proof\n")


def test_a_realm_cannot_end_its_quotes_or_the_header() -> None:
    answer = refusal(ox_jwt.MissingTokenError(), realm='a"b\\c\r\nX: y\x7fщ')
    challenge = dict(answer.headers)["WWW-Authenticate"]
    assert challenge == 'Bearer realm="a\\"b\\\\c??X: y??"'


def test_an_answer_says_its_length() -> None:
    for error in (ox_jwt.MissingTokenError(), ox_jwt.InvalidKeyError()):
        answer = refusal(error)
        assert dict(answer.headers)["Content-Length"] == str(len(answer.body))
