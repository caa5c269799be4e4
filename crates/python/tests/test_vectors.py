"""The vectors that all parts of the project share (``tests/data/vectors``)."""

from __future__ import annotations

import base64
import json
import pathlib
import time
from typing import Any

import pytest

import ox_jwt

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "tests" / "data" / "vectors"
PATHS = [FOLDER / name for name in ("jws.json", "rfc.json") if FOLDER.parents[1].exists()]
VECTORS: list[dict[str, Any]] = [vector for path in PATHS for vector in json.loads(path.read_text())]
EVERY = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
    *("ES256K", "EdDSA", "Ed25519", "Ed448", "HS256", "HS384", "HS512"),
]

pytestmark = pytest.mark.skipif(not VECTORS, reason="the vectors are not beside the package")


def payload(token: str) -> dict[str, Any]:
    """The claims, as far as they can be read."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    except (ValueError, IndexError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def cannot_be_asked(vector: dict[str, Any]) -> str | None:
    """Why Python has no way to ask for the answer."""
    if vector.get("type", "signed") != "signed":
        return "encrypted tokens are not read"
    if "now" in vector and "nbf" in payload(vector["token"]):
        return "the clock cannot be set"
    return None


def judged(vector: dict[str, Any], key: Any) -> str:
    claims = payload(vector["token"])
    aud = claims.get("aud")
    names = [aud] if isinstance(aud, str) else aud if isinstance(aud, list) else []
    audience = [name for name in names if isinstance(name, str)] or None
    while True:
        began = int(time.time())
        # A clock that is behind is the same to exp as a leeway.
        leeway = began - vector["now"] if "now" in vector else None
        try:
            host = vector.get("host", "example.com")
            ox_jwt.decode(
                vector["token"], key, EVERY, audience=audience, host=host, leeway=leeway
            )
            answer = "ok"
        except ox_jwt.InvalidTokenError as error:
            answer = error.reason
        if int(time.time()) == began:
            return answer


def key_of(vector: dict[str, Any]) -> Any:
    return vector.get("pem") or vector["jwks"]


def test_every_vector_gets_the_answer_that_it_expects(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left_out = [vector for vector in VECTORS if cannot_be_asked(vector)]
    asked = [vector for vector in VECTORS if not cannot_be_asked(vector)]
    answers = [(vector["name"], judged(vector, key_of(vector)), vector["expect"]) for vector in asked]
    assert [answer for answer in answers if answer[1] != answer[2]] == []
    with capsys.disabled():
        print(f" [{len(asked)} vectors judged, {len(left_out)} cannot be asked]", end="")
        for vector in left_out:
            print(f"\n  not asked: {vector['name']}: {cannot_be_asked(vector)}")
    assert len(asked) >= 300


def test_a_parsed_set_gives_the_same_answers() -> None:
    asked = [vector for vector in VECTORS if "jwks" in vector and not cannot_be_asked(vector)]
    for vector in asked:
        key = ox_jwt.JwkSet(json.dumps(vector["jwks"]))
        assert (vector["name"], judged(vector, key)) == (vector["name"], vector["expect"])
    assert len(asked) > 250


def test_no_accepted_vector_is_accepted_for_another_algorithm() -> None:
    asked = [vector for vector in VECTORS if not cannot_be_asked(vector)]
    good = [vector for vector in asked if vector["expect"] == "ok"]
    for vector in good:
        own = ox_jwt.decode_unverified_header(vector["token"])["alg"]
        # EdDSA admits the names that say the curve as well (RFC 9864 section 2.2).
        admitting = {own, "EdDSA"} if own in ("Ed25519", "Ed448") else {own}
        others = [name for name in EVERY if name not in admitting]
        with pytest.raises(ox_jwt.InvalidAlgorithmError):
            ox_jwt.decode(vector["token"], key_of(vector), others)
    assert len(good) > 100
