"""``NginxClaims``: what is believed of the headers that nginx sets."""

from __future__ import annotations

from typing import Any

import pytest

from ox_jwt.behind_nginx import MIN_PROOF, NginxClaims
from ox_jwt.exceptions import InvalidTokenError, MissingTokenError, UntrustedRequestError

PROOF = "0123456789abcdef"
GOOD: dict[str, list[bytes]] = {
    "x-ojwt-proof": [PROOF.encode()],
    "x-ojwt-claims": [b'{"sub":"ada","n":[1,2.5]}'],
}


def claims(fields: dict[str, list[bytes]], nginx: NginxClaims | None = None) -> dict[str, Any]:
    return (nginx or NginxClaims(PROOF)).claims(lambda name: fields.get(name, []))


def test_claims_are_believed_with_the_proof() -> None:
    assert claims(GOOD) == {"sub": "ada", "n": [1, 2.5]}
    assert claims(GOOD, NginxClaims(PROOF.encode())) == {"sub": "ada", "n": [1, 2.5]}


@pytest.mark.parametrize(
    "proofs",
    [
        [],
        [b""],
        [b"0123456789abcdeX"],
        [PROOF.encode()[:-1]],
        [PROOF.encode() + b"0"],
        [PROOF.upper().encode()],
        [PROOF.encode()] * 2,
        [b"x", PROOF.encode()],
        [b"\xff" * 16],
    ],
)
def test_claims_are_not_believed_without_it(proofs: list[bytes]) -> None:
    with pytest.raises(UntrustedRequestError) as raised:
        claims({**GOOD, "x-ojwt-proof": proofs})
    assert raised.value.reason == "no proof"
    assert PROOF not in str(raised.value)


def test_no_claims_are_no_token() -> None:
    for values in ([], [b""]):
        with pytest.raises(MissingTokenError):
            claims({**GOOD, "x-ojwt-claims": values})


@pytest.mark.parametrize(
    "values",
    [
        [b"failed: token expired"],
        [b"failed"],
        [b"null"],
        [b"[]"],
        [b'"text"'],
        [b"{"],
        [b'{"a":"\xff"}'],
        [b'{"sub":"ada"}', b'{"sub":"eve"}'],
        [b'{"sub":"ada"},{"sub":"eve"}'],
        [b'{"sub":"ada"}, {"sub":"eve"}'],
        [b" failed"],
    ],
)
def test_what_nginx_did_not_accept_is_refused(values: list[bytes]) -> None:
    with pytest.raises(InvalidTokenError) as raised:
        claims({**GOOD, "x-ojwt-claims": values})
    assert type(raised.value) is InvalidTokenError
    assert raised.value.reason == "claim rejected"
    assert "sub" not in str(raised.value)


def test_headers_can_be_named() -> None:
    nginx = NginxClaims(PROOF, claims_header="X-Claims", proof_header="X-Proof")
    fields = {"x-proof": [PROOF.encode()], "x-claims": [b'{"sub":"bob"}']}
    assert claims(fields, nginx) == {"sub": "bob"}
    with pytest.raises(UntrustedRequestError):
        claims(GOOD, nginx)


@pytest.mark.parametrize("proof", ["", b"", "short", "x" * (MIN_PROOF - 1)])
def test_a_short_proof_is_an_error(proof: str | bytes) -> None:
    with pytest.raises(ValueError, match="16"):
        NginxClaims(proof)


@pytest.mark.parametrize("proof", ["/run/secrets/proof", "https://vault.example/proof", __file__])
def test_a_proof_that_is_evidently_none_is_an_error(proof: str) -> None:
    with pytest.raises(ValueError, match="proof looks like a"):
        NginxClaims(proof)
