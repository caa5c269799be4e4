"""Keys that the tests share, made once."""

from __future__ import annotations

import pytest

import ox_jwt
from support import ED448, pem_pair


@pytest.fixture(scope="session")
def rsa() -> ox_jwt.KeyPair:
    return ox_jwt.make_keys("RS256")


@pytest.fixture(scope="session")
def ec() -> ox_jwt.KeyPair:
    return ox_jwt.make_keys("ES256")


@pytest.fixture(scope="session")
def pairs(rsa: ox_jwt.KeyPair, ec: ox_jwt.KeyPair) -> dict[str, ox_jwt.KeyPair]:
    """A key pair for each algorithm, and one for EdDSA with Ed448."""
    made = {
        name: ox_jwt.make_keys(name)
        for name in ("ES384", "ES512", "ES256K", "EdDSA", "HS256", "HS384", "HS512")
    }
    made.update({name: rsa for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")})
    made["ES256"] = ec
    made[ED448] = pem_pair()
    return made
