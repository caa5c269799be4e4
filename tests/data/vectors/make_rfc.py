#!/usr/bin/env python3
"""Checks the examples of rfc.json with jwcrypto, and makes their twins anew.

An example stands in rfc.json as in its RFC; a twin, which has the member `twin_of`, is the same with
one bit of one part changed. What an example must sign or enclose is in `content`: jwcrypto is to find
exactly that, so that no error of typing hides behind a refusal that was expected anyway. The good
vectors of wycheproof_jose.json are checked in the same way.
"""

from __future__ import annotations

import base64
import json
import pathlib
from typing import Any

from jwcrypto import jwe, jwk, jws

FILE = pathlib.Path(__file__).parent / "rfc.json"
WYCHEPROOF = FILE.with_name("wycheproof_jose.json")
ALGORITHMS = [*jwe.default_allowed_algs, "RSA1_5"]
SIGNED_PARTS = {1: "payload", 2: "signature"}
ENCRYPTED_PARTS = {1: "key", 2: "initialization vector", 3: "content", 4: "tag"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def keys_of(example: dict[str, Any]) -> list[jwk.JWK]:
    """The gate's keys, and those that no gate takes, without a word on what they are for."""
    keys = example["jwks"]["keys"] + example.get("others", [])
    return [
        jwk.JWK(**{name: value for name, value in key.items() if name not in ("alg", "use")})
        for key in keys
    ]


def verified(token: str, key: jwk.JWK, detached: bytes | None) -> bytes:
    signed = jws.JWS()
    signed.deserialize(token)
    signed.verify(key, detached_payload=detached)
    return signed.payload or detached


def decrypted(token: str, key: jwk.JWK) -> bytes:
    encrypted = jwe.JWE(algs=ALGORITHMS)
    encrypted.deserialize(token, key)
    return encrypted.payload


def check(example: dict[str, Any]) -> None:
    content, token = example["content"].encode(), example["token"]
    detached = content if example.get("detached") else None
    failures = []
    for key in keys_of(example):
        try:
            if example.get("type", "signed") == "signed":
                found = verified(token, key, detached)
            else:
                found = decrypted(token, key)
        except Exception as failure:  # jwcrypto raises many kinds, for a key that does not fit, too
            failures.append(f"{type(failure).__name__}: {failure}")
            continue
        assert found == content, f"{example['name']}: {found!r}"
        return
    raise SystemExit(f"{example['name']}: no key fits: {failures}")


def twins(example: dict[str, Any]) -> list[dict[str, Any]]:
    """The example with a bit changed in each part but the header, where the gate takes its algorithm."""
    parts = example["token"].split(".")
    names, refusal = {
        3: (SIGNED_PARTS, "signature mismatch"),
        5: (ENCRYPTED_PARTS, "decryption failed"),
    }.get(len(parts), ({}, ""))
    if example["token"].startswith("{") or example["expect"].startswith("unsupported"):
        return []
    made = []
    for index, name in names.items():
        raw = bytearray(unb64(parts[index]))
        if not raw:
            continue
        raw[len(raw) // 2] ^= 1
        token = ".".join([*parts[:index], b64(bytes(raw)), *parts[index + 1 :]])
        twin = {key: value for key, value in example.items() if key not in ("content", "now", "detached")}
        twin |= {
            "name": f"{example['name']}, {name} changed",
            "twin_of": example["name"],
            "token": token,
            "expect": refusal,
        }
        made.append(twin)
    return made


def main() -> None:
    examples = [entry for entry in json.loads(FILE.read_text()) if "twin_of" not in entry]
    entries = []
    for example in examples:
        if "content" in example:
            check(example)
        entries.append(example)
        if "content" in example and "now" not in example:
            entries += twins(example)
    names = [entry["name"] for entry in entries]
    assert len(names) == len(set(names)), "a name occurs twice"
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    FILE.write_text(f"[\n{lines}\n]\n")
    print(len(examples), "examples,", len(entries) - len(examples), "twins")
    good = [vector for vector in json.loads(WYCHEPROOF.read_text()) if "content" in vector]
    for vector in good:
        check(vector)
    print(len(good), "good vectors of Wycheproof")


if __name__ == "__main__":
    main()
