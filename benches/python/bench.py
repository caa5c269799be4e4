"""Compares ox_jwt with other libraries: the same tokens, the same keys, one run.

    python benches/python/bench.py [--rounds 15] [--seconds 0.05]

Rounds are interleaved, so that what else the machine does falls on all alike. Keys are parsed beforehand
where a library lets one; ox_jwt remembers those it has parsed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import ox_jwt

ALGORITHMS = ["RS256", "ES256", "EdDSA", "HS256"]
BASIS = "PyJWT"

Action = Callable[[], Any]


class Material(NamedTuple):
    """What every library works on."""

    algorithm: str
    private: Any
    public: Any
    claims: dict[str, Any]
    token: str


class Contestant(NamedTuple):
    """A library: its version, and what it does with the material, if it can."""

    name: str
    version: str
    verify: Action | None
    sign: Action | None


def material(algorithm: str) -> Material:
    keys = ox_jwt.make_keys(algorithm)
    now = int(time.time())
    claims = {
        "iss": "https://issuer.example.com",
        "sub": "5ba552d67",
        "aud": "https://api.example.com",
        "iat": now,
        "exp": now + 86400,
        "jti": "9f86d081-884c-4d63-a0b2-5d5b1e0c4b2e",
        "scope": "read write",
        "roles": ["user", "admin"],
    }
    token = ox_jwt.encode(claims, keys.private_key, algorithm)
    return Material(algorithm, keys.private_key, keys.public_key, claims, token)


def with_ox_jwt(m: Material) -> tuple[Action, Action]:
    aud = m.claims["aud"]
    return (
        lambda: ox_jwt.decode(m.token, m.public, [m.algorithm], audience=aud),
        lambda: ox_jwt.encode(m.claims, m.private, m.algorithm),
    )


def with_pyjwt(m: Material) -> tuple[Action, Action]:
    import jwt

    handler = jwt.get_algorithm_by_name(m.algorithm)
    public, private = handler.prepare_key(m.public), handler.prepare_key(m.private)
    aud = m.claims["aud"]
    return (
        lambda: jwt.decode(m.token, public, [m.algorithm], audience=aud),
        lambda: jwt.encode(m.claims, private, m.algorithm),
    )


def with_python_jose(m: Material) -> tuple[Action, Action] | None:
    from jose import jwk, jwt

    if m.algorithm == "EdDSA":
        return None
    public, private = jwk.construct(m.public, m.algorithm), jwk.construct(m.private, m.algorithm)
    aud = m.claims["aud"]
    return (
        lambda: jwt.decode(m.token, public, [m.algorithm], audience=aud),
        lambda: jwt.encode(m.claims, private, m.algorithm),
    )


def with_joserfc(m: Material) -> tuple[Action, Action]:
    from joserfc import jwk, jwt

    kind: Any = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "HS256": "oct"}[m.algorithm]
    public, private = jwk.import_key(m.public, kind), jwk.import_key(m.private, kind)
    names = [m.algorithm]
    registry = jwt.JWTClaimsRegistry(aud={"essential": True, "value": m.claims["aud"]})
    header = {"alg": m.algorithm, "typ": "JWT"}

    def verify() -> Any:
        claims = jwt.decode(m.token, public, algorithms=names).claims
        registry.validate(claims)
        return claims

    return verify, lambda: jwt.encode(header, m.claims, private, algorithms=names)


def with_authlib(m: Material) -> tuple[Action, Action]:
    from authlib.jose import JsonWebKey, JsonWebToken

    kind = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "HS256": "oct"}[m.algorithm]
    public, private = (JsonWebKey.import_key(key, {"kty": kind}) for key in (m.public, m.private))
    library = JsonWebToken([m.algorithm])
    options = {"aud": {"essential": True, "value": m.claims["aud"]}}
    header = {"alg": m.algorithm, "typ": "JWT"}

    def verify() -> Any:
        claims = library.decode(m.token, public, claims_options=options)
        claims.validate()
        return claims

    # It writes into the claims that it is given.
    return verify, lambda: library.encode(header, dict(m.claims), private)


LIBRARIES: dict[str, tuple[str, Callable[[Material], tuple[Action, Action] | None]]] = {
    "ox_jwt": ("ox_jwt", with_ox_jwt),
    "PyJWT": ("jwt", with_pyjwt),
    "python-jose": ("jose", with_python_jose),
    "joserfc": ("joserfc", with_joserfc),
    "Authlib": ("authlib", with_authlib),
}


def contestants(m: Material) -> Iterator[Contestant]:
    for name, (module, make) in LIBRARIES.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            shout(f"SKIPPED {name}: {error}")
            continue
        made = make(m)
        if made is None:
            shout(f"SKIPPED {name} for {m.algorithm}: it does not have it")
            continue
        verify, sign = made
        prove(name, m, verify, sign)
        yield Contestant(name, version(name), verify, sign)


def prove(name: str, m: Material, verify: Action, sign: Action) -> None:
    """Fast and wrong is not fast."""
    if dict(verify()) != m.claims:
        raise SystemExit(f"{name} does not verify {m.algorithm}")
    signed = sign()
    signed = signed.decode() if isinstance(signed, bytes) else signed
    read = ox_jwt.decode(signed, m.public, [m.algorithm], audience=m.claims["aud"])
    if read != m.claims:
        raise SystemExit(f"{name} does not sign {m.algorithm}")


def version(name: str) -> str:
    from importlib import metadata

    return metadata.version(name)


def seconds_of(action: Action, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        action()
    return (time.perf_counter() - start) / repeats


def repeats_for(action: Action, seconds: float) -> int:
    """How often it takes to fill so many seconds; it is warm then, too."""
    for _ in range(150):
        action()
    return max(1, int(seconds / min(seconds_of(action, 5) for _ in range(3))))


def measure(actions: dict[str, Action], rounds: int, seconds: float) -> dict[str, list[float]]:
    repeats = {name: repeats_for(action, seconds) for name, action in actions.items()}
    times: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds):
        # Each is first as often as last.
        names = list(actions) if number % 2 else list(reversed(actions))
        for name in names:
            times[name].append(seconds_of(actions[name], repeats[name]))
    return times


def rows(algorithm: str, work: str, times: dict[str, list[float]]) -> Iterator[str]:
    basis = times.get(BASIS)
    for name, taken in times.items():
        median = statistics.median(taken)
        low, _, high = statistics.quantiles(taken, n=4)
        spread = (high - low) / median
        ratio = "-"
        if basis:
            # Of the same round, so that a slow moment counts for both.
            ratio = f"{statistics.median(b / own for b, own in zip(basis, taken)):.1f}"
        cells = (algorithm, work, name, f"{median * 1e6:.1f}", f"{spread:.0%}", ratio)
        yield "| " + " | ".join(cells) + " |"


def shout(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.05, help="of each measurement")
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS, choices=ALGORITHMS)
    options = parser.parse_args()
    seen: dict[str, str] = {}
    print("| algorithm | work | library | median, us | spread | times as fast as PyJWT |")
    print("| --- | --- | --- | ---: | ---: | ---: |")
    for algorithm in options.algorithms:
        taking_part = list(contestants(material(algorithm)))
        seen.update({one.name: one.version for one in taking_part})
        for work in ("verify", "sign"):
            actions = {one.name: getattr(one, work) for one in taking_part}
            times = measure(actions, options.rounds, options.seconds)
            for row in rows(algorithm, work, times):
                print(row, flush=True)
    versions = json.dumps({"Python": platform.python_version(), **seen})
    print(f"\nSpread is the range of the middle half. Versions: {versions}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
