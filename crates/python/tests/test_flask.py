"""``ox_jwt.flask``: decorators and configuration."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import flask
import pytest
from werkzeug.test import TestResponse

import ox_jwt
from ox_jwt.app import create_app
from ox_jwt.flask import jwt_claims, jwt_iat, requires_jwt
from support import SECRET, ec_jwk, public_der, signed

NOW = int(time.time())
TEXT = SECRET.decode()
CONFIG = {"FLASK_JWT_KEY": TEXT, "FLASK_JWT_ALGS": ["HS256"]}
SETTINGS = ["KEY", "ALGS", "AUDIENCE", "ISSUER", "LEEWAY", "FROM", "NGINX_PROOF", "PREFLIGHT"]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(f"FLASK_JWT_{name}", raising=False)


def made(**config: Any) -> flask.Flask:
    app = flask.Flask("here")
    app.config.from_mapping(config)

    def view() -> str:
        return json.dumps(flask.g.decoded_jwt)

    for path, decorate in {
        "/": requires_jwt,
        "/premium": jwt_claims(["premium"]),
        "/both": jwt_claims(["a", "b"]),
        "/equal": jwt_claims({"tier": "gold", "level": 1}),
        "/recent": jwt_iat(timedelta(hours=1)),
    }.items():
        app.add_url_rule(path, path, decorate(view))
    app.add_url_rule("/open", "/open", lambda: repr(flask.g.get("decoded_jwt")))
    app.add_url_rule("/twice", "/twice", requires_jwt(jwt_claims(["a"])(view)))
    return app


def ask(app: flask.Flask, path: str = "/", token: str | None = None, **more: Any) -> TestResponse:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return app.test_client(use_cookies=False).get(path, headers={**headers, **more.pop("headers", {})}, **more)


def status(app: flask.Flask, path: str = "/", claims: Any = None, **more: Any) -> int:
    return ask(app, path, signed({} if claims is None else claims), **more).status_code


@pytest.fixture
def app() -> flask.Flask:
    return made(**CONFIG)


def test_a_view_gets_the_claims_of_a_good_token(app: flask.Flask) -> None:
    answer = ask(app, "/", signed({"sub": "ada", "n": 1.5}))
    assert (answer.status_code, json.loads(answer.text)) == (200, {"sub": "ada", "n": 1.5})


@pytest.mark.parametrize("path", ["/", "/premium", "/both", "/equal", "/recent", "/twice"])
def test_every_decorator_asks_for_a_good_token(app: flask.Flask, path: str) -> None:
    everything = {"premium": 1, "a": 1, "b": 1, "tier": "gold", "level": 1, "iat": NOW}
    assert status(app, path, everything) == 200
    assert ask(app, path).status_code == 401
    assert ask(app, path, "nonsense").status_code == 401
    assert ask(app, path, signed(everything, secret=b"f" * 64)).status_code == 401
    assert status(app, path, {**everything, "exp": 1}) == 401


def test_the_answer_says_why_and_no_more(app: flask.Flask) -> None:
    token = signed({"exp": 1, "sub": "canary"})
    answer = ask(app, "/", token)
    assert (answer.status_code, answer.data) == (401, b"failed: token expired\n")
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer realm="here", error="invalid_token", error_description="token expired"'
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "canary" not in str(answer.headers)
    missing = ask(app)
    assert missing.data == b"failed: no token\n"
    assert missing.headers["WWW-Authenticate"] == 'Bearer realm="here"'


def test_the_log_holds_nothing_of_the_token(
    app: flask.Flask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = signed({"exp": 1, "sub": "canary"})
    ask(app, "/", token)
    assert "token expired" in caplog.text
    assert token[-20:] not in caplog.text


@pytest.mark.parametrize("value", [True, 1, "x", [0], {"a": 0}, 0.5])
def test_claims_that_are_named_are_there_and_true(app: flask.Flask, value: Any) -> None:
    assert status(app, "/premium", {"premium": value}) == 200


@pytest.mark.parametrize("value", ["missing", False, None, 0, 0.0, "", [], {}])
def test_claims_that_are_not_are_403(app: flask.Flask, value: Any) -> None:
    answer = ask(app, "/premium", signed({} if value == "missing" else {"premium": value}))
    assert (answer.status_code, answer.data) == (403, b"failed: claim rejected\n")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="here", error="insufficient_scope"'


def test_all_claims_that_are_named_are_asked_for(app: flask.Flask) -> None:
    assert status(app, "/both", {"a": 1, "b": 1}) == 200
    assert status(app, "/both", {"a": 1}) == status(app, "/both", {"b": 1}) == 403


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({"tier": "gold", "level": 1, "more": 0}, True),
        ({"tier": "gold"}, False),
        ({"tier": "silver", "level": 1}, False),
        ({"tier": "gold", "level": True}, False),
        ({"tier": "gold", "level": 1.0}, True),
        ({"tier": "gold", "level": 1.5}, False),
        ({"tier": "gold", "level": "1"}, False),
        ({"tier": ["gold"], "level": 1}, False),
    ],
)
def test_claims_with_values_are_equal(app: flask.Flask, claims: Any, good: bool) -> None:
    assert status(app, "/equal", claims) == (200 if good else 403)


NESTED: list[tuple[Any, Any, bool]] = [
    ({"admin": True}, {"admin": 1}, False),
    ({"admin": True}, {"admin": 1.0}, False),
    ({"admin": 1}, {"admin": True}, False),
    ({"admin": False}, {"admin": 0}, False),
    ({"admin": True}, {"admin": True}, True),
    ([True], [1], False),
    ([[{"a": [False]}]], [[{"a": [0]}]], False),
    ([[{"a": [False]}]], [[{"a": [False]}]], True),
    ([1, 2.0], [1.0, 2], True),
    ([1], [1, 1], False),
    ([1, 2], [2, 1], False),
    ({"a": 1}, {"a": 1, "b": 2}, False),
    ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
    ({"a": None}, {}, False),
    ({"a": None}, {"a": False}, False),
    ({"a": 9007199254740993}, {"a": 9007199254740992}, False),
    ({"a": 9007199254740993}, {"a": 9007199254740992.0}, False),
    ({"a": 1}, {"a": "1"}, False),
    ({"a": []}, {"a": {}}, False),
    (("x", ["y"]), ["x", ["y"]], True),
]


@pytest.mark.parametrize(("wanted", "claim", "good"), NESTED)
def test_values_within_a_claim_are_compared_as_json(wanted: Any, claim: Any, good: bool) -> None:
    app = made(**CONFIG)
    app.add_url_rule("/nested", "/nested", jwt_claims({"c": wanted})(lambda: "good"))
    assert status(app, "/nested", {"c": claim}) == (200 if good else 403)


@pytest.mark.parametrize("value", [{1}, b"x", object(), float("nan"), float("inf"), [{"a": b"x"}]])
def test_a_value_that_json_has_not_is_a_mistake(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        jwt_claims({"a": value})


def test_a_value_that_is_changed_later_is_not_asked_for() -> None:
    app, wanted = made(**CONFIG), ["a"]
    app.add_url_rule("/roles", "/roles", jwt_claims({"roles": wanted})(lambda: "good"))
    wanted.clear()
    assert status(app, "/roles", {"roles": []}) == 403


def test_a_claim_that_may_be_false_is_asked_for_by_value() -> None:
    app = made(**CONFIG)
    app.add_url_rule("/off", "/off", jwt_claims({"on": None})(lambda: "off"))
    assert status(app, "/off", {"on": None}) == 200
    assert status(app, "/off", {}) == status(app, "/off", {"on": False}) == 403


def test_a_name_alone_is_a_mistake() -> None:
    with pytest.raises(TypeError):
        jwt_claims("premium")
    misused: Any = jwt_claims
    for wanted in (lambda: "a view", b"premium", [b"premium"], [5], {5: "a"}, None):
        with pytest.raises(TypeError):
            misused(wanted)


def test_an_age_is_a_timedelta() -> None:
    misused: Any = jwt_iat
    for age in (3600, None, lambda: "a view"):
        with pytest.raises(TypeError):
            misused(age)


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({"iat": NOW}, True),
        ({"iat": NOW - 1800.5}, True),
        ({"iat": NOW - 3660}, False),
        ({"iat": NOW + 1800}, False),
        ({"iat": 0}, False),
        ({}, False),
        ({"iat": None}, False),
        ({"iat": True}, False),
    ],
)
def test_old_tokens_do_not_do(app: flask.Flask, claims: Any, good: bool) -> None:
    assert status(app, "/recent", claims) == (200 if good else 401)


def test_leeway_counts_for_the_age_too() -> None:
    app = made(**CONFIG, FLASK_JWT_LEEWAY=3600)
    assert status(app, "/recent", {"iat": NOW - 5400}) == status(app, "/recent", {"iat": NOW + 1800}) == 200
    assert status(app, "/recent", {"iat": NOW - 7260}) == status(app, "/recent", {"iat": NOW + 7200}) == 401


def test_decorators_leave_the_view_its_name_and_arguments() -> None:
    app = made(**CONFIG)

    @app.get("/user/<name>")
    @jwt_iat(timedelta(minutes=5))
    @jwt_claims(["sub"])
    @requires_jwt
    def user(name: str) -> str:
        """Says who."""
        return name

    assert (user.__name__, user.__doc__) == ("user", "Says who.")
    assert ask(app, "/user/bob", signed({"sub": "a", "iat": NOW})).text == "bob"


def settings(environment: bool, monkeypatch: pytest.MonkeyPatch, **values: str) -> flask.Flask:
    names = {f"FLASK_JWT_{name}": value for name, value in values.items()}
    if not environment:
        return made(**names)
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    return made()


@pytest.fixture(params=[False, True], ids=["app.config", "environment"])
def configure(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def make(**values: str) -> flask.Flask:
        return settings(request.param, monkeypatch, **{"KEY": TEXT, "ALGS": "HS256", **values})

    yield make


def test_a_key_is_pem_jwk_jwks_or_one_of_them_or_der_in_base64(
    configure: Any, ec: ox_jwt.KeyPair
) -> None:
    jwk = json.dumps(ec_jwk(ec.public_key))
    pem, der = str(ec.public_key), public_der(ec.public_key)
    token = ox_jwt.encode({}, ec.private_key, "ES256")
    coded = [base64.encodebytes(key).decode() for key in (pem.encode(), jwk.encode(), der)]
    coded += [f"base64:{code}" for code in coded]
    coded += [f"hex:{der.hex()}", base64.urlsafe_b64encode(der).decode().rstrip("=")]
    for key in (pem, jwk, f'{{"keys":[{jwk}]}}', *coded):
        app = configure(KEY=key, ALGS="RS256, ES256")
        assert ask(app, "/", token).status_code == 200
        assert ask(app, "/", signed({}, secret=key.encode())).status_code == 401


def test_a_key_is_any_that_decode_takes(ec: ox_jwt.KeyPair) -> None:
    jwk = ec_jwk(ec.public_key)
    token = ox_jwt.encode({}, ec.private_key, "ES256")
    for key in (jwk, ox_jwt.JwkSet(jwk), public_der(ec.public_key)):
        app = made(FLASK_JWT_KEY=key, FLASK_JWT_ALGS=("ES256",))
        assert ask(app, "/", token).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "0123456789abcdef" * 4,
        "0123456789ABCDEF" * 8,
        base64.b64encode(bytes(range(48))).decode(),
        base64.b64encode(bytes(range(64))).decode(),
        base64.urlsafe_b64encode(bytes(range(32, 96))).decode().rstrip("="),
        "a passphrase of words, which is long enough",
        "hexagons: " + "x" * 32,
        "base64" + "0" * 64,
    ],
)
def test_a_secret_that_could_be_hex_or_base64_is_itself(configure: Any, text: str) -> None:
    app = configure(KEY=text)
    assert ask(app, "/", signed({}, secret=text.encode())).status_code == 200
    decoders: list[Any] = [bytes.fromhex, base64.b64decode, base64.urlsafe_b64decode]
    for decode in decoders:
        try:
            secret = decode(text)
        except ValueError:
            continue
        assert ask(app, "/", signed({}, secret=secret)).status_code == 401


@pytest.mark.parametrize(
    "text",
    [
        "hex:" + SECRET.hex(),
        "hex: " + SECRET.hex().upper() + "\n",
        "base64:" + base64.b64encode(SECRET).decode(),
        "base64:" + base64.encodebytes(SECRET).decode(),
        "base64:" + base64.urlsafe_b64encode(SECRET).decode().rstrip("="),
    ],
)
def test_a_secret_is_decoded_where_its_form_is_named(configure: Any, text: str) -> None:
    app = configure(KEY=text)
    assert ask(app, "/", signed({})).status_code == 200
    assert ask(app, "/", signed({}, secret=text.encode())).status_code == 401
    demonstration = create_app({**CONFIG, "FLASK_JWT_PRIVATE_KEY": text, "FLASK_JWT_PRIVATE_ALG": "HS256"})
    answer = issue(demonstration, {"sub": "ada", "proxy_for": ["bob"]}, "bob")
    assert ox_jwt.decode(answer.text.strip(), SECRET, ["HS256"])["sub"] == "bob"


def test_a_public_key_is_pem_as_the_environment_holds_it(configure: Any, ec: ox_jwt.KeyPair) -> None:
    pem = str(ec.public_key).strip()
    token = ox_jwt.encode({}, ec.private_key, "ES256")
    lines = pem.replace("\n", "\\n")
    for key in (lines, f'"{lines}"', f"'{pem}'", pem.replace("\n", "\r\n"), pem.replace("\n", "\\r\\n")):
        app = configure(KEY=key, ALGS="RS256, ES256")
        assert ask(app, "/", token).status_code == 200
        assert ask(app, "/", signed({}, secret=key.encode())).status_code == 401


def test_audience_and_issuer_are_asked_for(configure: Any) -> None:
    app = configure(AUDIENCE="a, b", ISSUER="me,you")
    assert status(app, "/", {"aud": "b", "iss": "me"}) == 200
    for claims in ({"aud": "c", "iss": "me"}, {"iss": "me"}, {"aud": "a"}, {"aud": "a", "iss": "x"}):
        assert status(app, "/", claims) == 401


def test_leeway_is_seconds(configure: Any) -> None:
    assert status(configure(LEEWAY="3600"), "/", {"exp": NOW - 1800}) == 200
    assert status(configure(LEEWAY="10"), "/", {"exp": NOW - 1800}) == 401


def test_leeway_may_be_a_timedelta() -> None:
    app = made(**CONFIG, FLASK_JWT_LEEWAY=timedelta(hours=1))
    assert status(app, "/", {"exp": NOW - 1800}) == 200


def test_places_of_the_token_are_those_that_are_set(configure: Any) -> None:
    app = configure(FROM="header=X-Token, arg=t")
    token = signed({})
    assert ask(app, "/", headers={"X-Token": token}).status_code == 200
    assert ask(app, f"/?t={token}").status_code == 200
    assert ask(app, f"/?jwt={token}").status_code == ask(app, "/", token).status_code == 401


def test_places_of_the_token_are_in_the_order_of_nginx(app: flask.Flask) -> None:
    ada, bob, eve, dan = (signed({"sub": name}) for name in ("ada", "bob", "eve", "dan"))
    headers = {"Cookie": f"jwtcookie={bob}", "Api-Key": eve}
    assert "ada" in ask(app, f"/?jwt={ada}", dan, headers=headers).text
    assert "bob" in ask(app, "/", dan, headers=headers).text
    del headers["Cookie"]
    assert "eve" in ask(app, "/", dan, headers=headers).text
    assert "dan" in ask(app, "/", dan).text


def test_app_config_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_JWT_KEY", "e" * 64)
    monkeypatch.setenv("FLASK_JWT_ALGS", "HS512")
    assert status(made(**CONFIG)) == 200


def test_the_host_of_the_request_counts(app: flask.Flask) -> None:
    assert status(app, "/", {"host": "localhost"}) == 200
    assert status(app, "/", {"host": "example.com"}) == 401
    spoofed = {"X-Forwarded-Host": "example.com", "X-Host": "example.com"}
    assert status(app, "/", {"host": "example.com"}, headers=spoofed) == 401


BROKEN: list[dict[str, Any]] = [
    {},
    {"FLASK_JWT_KEY": TEXT},
    {"FLASK_JWT_ALGS": ["HS256"]},
    {**CONFIG, "FLASK_JWT_KEY": ""},
    {**CONFIG, "FLASK_JWT_KEY": "base64:" + base64.b64encode(b"short").decode()},
    {**CONFIG, "FLASK_JWT_KEY": "hex:"},
    {**CONFIG, "FLASK_JWT_KEY": "hex:canary" + "0" * 64},
    {**CONFIG, "FLASK_JWT_KEY": "hex:" + "0" * 65},
    {**CONFIG, "FLASK_JWT_KEY": "base64:canary!" + "0" * 64},
    {**CONFIG, "FLASK_JWT_KEY": "base64:" + "0" * 65},
    {**CONFIG, "FLASK_JWT_KEY": "base64:" + "0" * 64 + "01"},
    {**CONFIG, "FLASK_JWT_KEY": TEXT, "FLASK_JWT_ALGS": "RS256, ES256"},
    {**CONFIG, "FLASK_JWT_PREFLIGHT": "canary"},
    {**CONFIG, "FLASK_JWT_PREFLIGHT": True},
    {**CONFIG, "FLASK_JWT_ALGS": b"HS256"},
    {**CONFIG, "FLASK_JWT_FROM": "arg=jwt bearer"},
    {**CONFIG, "FLASK_JWT_KEY": "https://idp.canary.example/.well-known/jwks.json"},
    {"FLASK_JWT_NGINX_PROOF": "/run/secrets/canary"},
    {**CONFIG, "FLASK_JWT_KEY": "-----BEGIN PUBLIC KEY-----\ncanary"},
    {**CONFIG, "FLASK_JWT_KEY": '{"kty":"canary"}'},
    {**CONFIG, "FLASK_JWT_KEY": "/etc/keys/canary.pem"},
    {**CONFIG, "FLASK_JWT_KEY": 5},
    {**CONFIG, "FLASK_JWT_ALGS": []},
    {**CONFIG, "FLASK_JWT_ALGS": ""},
    {**CONFIG, "FLASK_JWT_ALGS": "none"},
    {**CONFIG, "FLASK_JWT_ALGS": "HS256,canary"},
    {**CONFIG, "FLASK_JWT_ALGS": 5},
    {**CONFIG, "FLASK_JWT_LEEWAY": "canary"},
    {**CONFIG, "FLASK_JWT_LEEWAY": "-5"},
    {**CONFIG, "FLASK_JWT_LEEWAY": "nan"},
    {**CONFIG, "FLASK_JWT_FROM": "body=canary"},
    {**CONFIG, "FLASK_JWT_AUDIENCE": 5},
    {**CONFIG, "FLASK_JWT_ISSUER": [5]},
    {**CONFIG, "FLASK_JWT_NGINX_PROOF": "short"},
    {**CONFIG, "FLASK_JWT_NGINX_PROOF": 5},
    {**CONFIG, "FLASK_JWT_LEEWAY": 10**400},
    {"FLASK_JWT_NGINX_PROOF": "p" * 16, "FLASK_JWT_LEEWAY": "inf"},
    {"FLASK_JWT_NGINX_PROOF": "p" * 16, "FLASK_JWT_LEEWAY": "nan"},
]


@pytest.mark.parametrize("config", BROKEN, ids=str)
def test_a_broken_configuration_answers_500_without_internals(
    config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    app = made(**config)
    for token in (signed({}), None, "nonsense"):
        for path in ("/", "/premium", "/recent"):
            answer = ask(app, path, token)
            assert (answer.status_code, answer.data) == (500, b"failed: internal error\n")
            assert "WWW-Authenticate" not in answer.headers
    assert "no token can be judged" in caplog.text
    assert ask(app, "/open").status_code == 200


@pytest.mark.parametrize("name", ["AUDIENCE", "ISSUER"])
def test_an_empty_audience_or_issuer_accepts_nobody(name: str) -> None:
    nobodies: list[Any] = ["", " ", [], ()]
    for nobody in nobodies:
        app = made(**CONFIG, **{f"FLASK_JWT_{name}": nobody})
        assert status(app) == status(app, "/", {"aud": "a", "iss": "me"}) == 401


def test_claims_of_one_request_are_not_seen_in_another(app: flask.Flask) -> None:
    token = signed({"sub": "ada"})
    with app.app_context():
        assert ask(app, "/", token).status_code == 200
        assert ask(app, "/").status_code == 401
        assert ask(app, "/", "nonsense").status_code == 401
        assert "bob" in ask(app, "/", signed({"sub": "bob"})).text


def test_claims_are_gone_with_their_request(app: flask.Flask) -> None:
    with app.app_context():
        assert ask(app, "/", signed({"sub": "ada"})).status_code == 200
        assert ask(app, "/open").text == "None"
        assert ask(app, "/", "nonsense").status_code == 401
        assert "decoded_jwt" not in flask.g


def test_a_request_keeps_its_claims_whatever_others_it_makes(app: flask.Flask) -> None:
    inner = ""

    @app.get("/outer")
    @requires_jwt
    def outer() -> str:
        status = ask(app, "/", inner).status_code
        ask(app, "/open", inner)
        return f"{flask.g.decoded_jwt['sub']} {status}"

    for inner, status in ((signed({"sub": "root"}), 200), ("nonsense", 401)):
        assert ask(app, "/outer", signed({"sub": "ada"})).text == f"ada {status}"


def test_claims_are_there_until_the_request_is_over(app: flask.Flask) -> None:
    seen: list[Any] = []

    @app.teardown_request
    def log(_: Any) -> None:
        seen.append(flask.g.get("decoded_jwt"))

    with app.test_client() as client:
        client.get("/", headers={"Api-Key": signed({"sub": "ada"})})
        assert flask.g.decoded_jwt == {"sub": "ada"}
    assert seen and seen[0] == {"sub": "ada"}


@pytest.mark.parametrize("name", ["we \"are\"", "приложение"])
def test_the_name_of_the_application_makes_no_broken_challenge(name: str) -> None:
    app = flask.Flask(name)
    app.config.from_mapping(CONFIG)
    app.add_url_rule("/", "/", jwt_claims(["premium"])(lambda: ""))
    realm = name.replace('"', '\\"') if name.isascii() else "?" * len(name)
    for answer in (ask(app), ask(app, "/", signed({}))):
        assert f'realm="{realm}"' in answer.headers["WWW-Authenticate"]


def test_claims_that_others_put_into_g_are_not_believed(app: flask.Flask) -> None:
    @app.before_request
    def spoof() -> None:
        flask.g.decoded_jwt = {"sub": "root", "premium": True}

    assert ask(app).status_code == 401
    assert status(app, "/premium", {"sub": "ada"}) == 403


def test_threads_see_their_own_claims(app: flask.Flask) -> None:
    def one(number: int) -> bool:
        return ask(app, "/", signed({"sub": str(number)})).text == f'{{"sub": "{number}"}}'

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(200)))


def test_two_applications_keep_their_keys_apart() -> None:
    first, second = made(**CONFIG), made(**{**CONFIG, "FLASK_JWT_KEY": "o" * 64})
    assert (status(first), status(second)) == (200, 401)


PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "PUT"}


def with_options(mode: str | None, **config: Any) -> flask.Flask:
    """An application with views that take ``OPTIONS`` themselves."""
    app = made(**CONFIG, **config, **({} if mode is None else {"FLASK_JWT_PREFLIGHT": mode}))

    def view() -> str:
        return f"called with {flask.g.get('decoded_jwt')}"

    views = (requires_jwt, jwt_claims(["a"]), jwt_iat(timedelta(hours=1)))
    for path, decorate in zip(("/one", "/two", "/three"), views):
        app.add_url_rule(path, path, decorate(view), methods=["GET", "PUT", "OPTIONS"])
    nested = requires_jwt(jwt_claims(["a"])(view))
    app.add_url_rule("/four", "/four", nested, methods=["GET", "PUT", "OPTIONS"])
    return app


def options(app: flask.Flask, path: str, headers: Any, method: str = "OPTIONS") -> TestResponse:
    return app.test_client().open(path, method=method, headers=headers)


@pytest.mark.parametrize("path", ["/one", "/two", "/three", "/four"])
def test_flask_answers_a_preflight_and_no_view_is_called(path: str) -> None:
    for mode in (None, "answer"):
        answer = options(with_options(mode), path, PREFLIGHT)
        assert (answer.status_code, answer.text) == (200, "")
        assert "PUT" in answer.headers["Allow"]
    assert options(with_options(None), "/", PREFLIGHT).status_code == 200


@pytest.mark.parametrize("path", ["/one", "/two", "/three", "/four"])
def test_a_preflight_reaches_the_view_or_is_refused_where_that_is_set(path: str) -> None:
    answer = options(with_options("view"), path, PREFLIGHT)
    assert (answer.status_code, answer.text) == (200, "called with None")
    assert options(with_options("refuse"), path, PREFLIGHT).status_code == 401


@pytest.mark.parametrize("mode", [None, "view"])
def test_only_a_preflight_without_a_token_is_spared_one(mode: str | None) -> None:
    app = with_options(mode)
    origin, method = ({name: PREFLIGHT[name]} for name in PREFLIGHT)
    for headers in ({}, origin, method, {**origin, "Access-Control-Request-Method": ""}):
        assert options(app, "/one", headers).status_code == 401
    for other in ("GET", "PUT"):
        assert options(app, "/one", PREFLIGHT, other).status_code == 401
    for token in ("nonsense", signed({"exp": 1}), signed({}, secret=b"f" * 64)):
        headers = {**PREFLIGHT, "Authorization": f"Bearer {token}"}
        assert options(app, "/one", headers).status_code == 401
    good = {**PREFLIGHT, "Authorization": f"Bearer {signed({'sub': 'ada'})}"}
    assert options(app, "/one", good).text == "called with {'sub': 'ada'}"
    assert options(app, "/two", good).status_code == 403


def test_behind_nginx_a_preflight_needs_the_proof() -> None:
    app = made(FLASK_JWT_NGINX_PROOF=PROOF, FLASK_JWT_PREFLIGHT="view")
    app.add_url_rule("/any", "/any", requires_jwt(lambda: "called"), methods=["OPTIONS"])
    assert options(app, "/any", PREFLIGHT).data == b"failed: no proof\n"
    assert options(app, "/any", {**PREFLIGHT, **from_nginx("")}).data == b"called"


def test_a_broken_configuration_answers_500_to_a_preflight_too() -> None:
    app = with_options("view")
    app.config["FLASK_JWT_KEY"] = "short"
    assert options(app, "/one", PREFLIGHT).status_code == 500


PROOF = "0123456789abcdef"


def from_nginx(claims: str, proof: str = PROOF, **more: str) -> dict[str, str]:
    return {"X-Ojwt-Claims": claims, "X-Ojwt-Proof": proof, **more}


def test_behind_nginx_claims_need_the_proof_and_no_key() -> None:
    app = made(FLASK_JWT_NGINX_PROOF=PROOF)
    assert ask(app, "/", headers=from_nginx('{"sub":"ada"}')).text == '{"sub": "ada"}'
    assert ask(app, "/premium", headers=from_nginx('{"sub":"ada"}')).status_code == 403
    for headers in (
        {"X-Ojwt-Claims": '{"sub":"eve"}'},
        from_nginx('{"sub":"eve"}', "another secret of 16"),
        from_nginx('{"sub":"eve"}', ""),
    ):
        answer = ask(app, "/", headers=headers)
        assert (answer.status_code, answer.data) == (401, b"failed: no proof\n")
    assert ask(app, "/", headers=from_nginx("failed: token expired")).status_code == 401
    assert ask(app, "/", headers=from_nginx("")).data == b"failed: no token\n"
    assert ask(app, "/", signed({})).status_code == 401


def test_without_a_proof_headers_of_nginx_are_not_looked_at(app: flask.Flask) -> None:
    assert ask(app, "/", headers=from_nginx('{"sub":"eve"}')).status_code == 401
    answer = ask(app, "/", signed({"sub": "ada"}), headers=from_nginx('{"sub":"eve"}'))
    assert json.loads(answer.text) == {"sub": "ada"}


@pytest.fixture
def demonstration() -> flask.Flask:
    return create_app({**CONFIG, "FLASK_JWT_PRIVATE_KEY": SECRET, "FLASK_JWT_PRIVATE_ALG": "HS256"})


def issue(app: flask.Flask, claims: Any, user: str | None) -> TestResponse:
    headers = {"Authorization": f"Bearer {signed(claims)}"}
    return app.test_client().post("/issue", headers=headers, data={"user": user} if user else {})


def test_a_proxy_user_is_issued_a_token_of_those_it_acts_for(demonstration: flask.Flask) -> None:
    answer = issue(demonstration, {"sub": "ada", "proxy_for": ["bob"], "premium": True}, "bob")
    claims = ox_jwt.decode(answer.text.strip(), SECRET, ["HS256"])
    assert (claims["sub"], claims["act"]) == ("bob", {"sub": "ada"})
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert set(claims) == {"sub", "act", "iat", "exp"}


def test_what_is_issued_is_good_nowhere_else_and_no_longer(demonstration: flask.Flask) -> None:
    bound = {"aud": ["a", "b"], "host": "localhost", "iss": "me", "tenant": {"id": 5}}
    bound |= {"Host": "localhost", "cnf": {"x5t#S256": "x"}}
    demonstration.config["FLASK_JWT_AUDIENCE"] = "a"
    end = int(time.time()) + 100
    claims = {"sub": "ada", "proxy_for": ["bob"], "exp": end, "jti": "1", "role": "x", **bound}
    answer = issue(demonstration, claims, "bob")
    issued = ox_jwt.decode(answer.text.strip(), SECRET, ["HS256"], audience="b", host="localhost")
    assert {name: issued[name] for name in bound} == bound
    assert set(issued) == {"sub", "act", "iat", "exp", *bound}
    assert issued["exp"] == end
    assert answer.headers["Cache-Control"] == "no-store"
    with pytest.raises(ox_jwt.InvalidHostError):
        ox_jwt.decode(answer.text.strip(), SECRET, ["HS256"], audience="b", host="example.com")


@pytest.mark.parametrize(
    ("claims", "user"),
    [
        ({"sub": "ada", "proxy_for": ["bob"]}, "eve"),
        ({"sub": "ada", "proxy_for": ["bob"]}, None),
        ({"sub": "ada", "proxy_for": "bobby"}, "bob"),
        ({"sub": "ada", "proxy_for": {"bob": 1}}, "bob"),
        ({"sub": "ada", "proxy_for": []}, "bob"),
        ({"sub": "ada"}, "bob"),
        ({"proxy_for": ["bob"]}, "bob"),
    ],
)
def test_nobody_else_is_issued_one(demonstration: flask.Flask, claims: Any, user: Any) -> None:
    assert issue(demonstration, claims, user).status_code == 403


def test_urgent_support_is_for_premium_users_with_a_recent_token(demonstration: flask.Flask) -> None:
    assert status(demonstration, "/support/urgent", {"premium": True, "iat": NOW}) == 200
    assert status(demonstration, "/support/urgent", {"premium": True, "iat": NOW - 7200}) == 401
    assert status(demonstration, "/support/urgent", {"iat": NOW}) == 403
