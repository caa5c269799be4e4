"""The demonstration: a small Flask application whose views ask for tokens.

    python -m ox_jwt.app                                      # with keys made for it
    FLASK_JWT_NGINX_PROOF=... python -m ox_jwt.app            # behind nginx, with nginx-conf/flask.conf

``/hello`` greets whoever brings a token. ``/issue`` gives a proxy user, whose token names in
``proxy_for`` whom it may act for, a short-lived token of such a user. ``/support/urgent`` is for premium
users whose token is not older than an hour.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import flask

import ox_jwt
from ox_jwt.flask import jwt_claims, jwt_iat, key_of, requires_jwt

#: How long an issued token is good for, in seconds.
ISSUED_FOR = 300

#: The claims that say where a token is good, and whose key has to go with it: what is issued for one is good
#: nowhere else, and for nobody else.
BINDING = ("aud", "cnf", "host", "Host", "iss", "tenant")


def create_app(config: Mapping[str, Any] | None = None) -> flask.Flask:
    """The application. ``FLASK_JWT_PRIVATE_KEY``, which is text or encoded as ``FLASK_JWT_KEY`` is, signs what
    ``/issue`` gives, by ``FLASK_JWT_PRIVATE_ALG``; for the rest of the configuration see ``ox_jwt.flask``."""
    app = flask.Flask("ox_jwt.app")
    app.config.from_mapping(config or {})

    @app.get("/hello")
    @requires_jwt
    def hello() -> flask.Response:
        claims = flask.g.decoded_jwt
        name = claims.get("sub", "whoever you are")
        by = f", by {claims['act']['sub']}" if "act" in claims else ""
        return _text(f"Hello, {name}{by}.")

    @app.post("/issue")
    @jwt_claims(["sub", "proxy_for"])
    def issue() -> flask.Response:
        claims = flask.g.decoded_jwt
        user = flask.request.form.get("user", "")
        if not isinstance(claims["proxy_for"], list) or user not in claims["proxy_for"]:
            return _text("failed: not a user that you act for", 403)
        now = int(time.time())
        # RFC 8693 section 4.1: who acts for the subject. The token names nobody to act for in turn.
        issued = {
            **{name: claims[name] for name in BINDING if name in claims},
            "sub": user,
            "act": {"sub": claims["sub"]},
            "iat": now,
            "exp": int(min(now + ISSUED_FOR, claims.get("exp", now + ISSUED_FOR))),
        }
        key = app.config.get("FLASK_JWT_PRIVATE_KEY")
        if key is None:
            return _text("failed: nothing is issued here", 501)
        answer = _text(ox_jwt.encode(issued, key_of(key), app.config["FLASK_JWT_PRIVATE_ALG"]))
        # RFC 6749 section 5.1.
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @app.get("/support/urgent")
    @jwt_claims(["premium"])
    @jwt_iat(timedelta(hours=1))
    def urgent() -> flask.Response:
        return _text("Somebody will call you at once.")

    return app


def _text(text: str, status: int = 200) -> flask.Response:
    return flask.Response(text + "\n", status, content_type="text/plain; charset=utf-8")


def main() -> None:
    """Runs the demonstration on 127.0.0.1, as the environment configures it, else with keys of its own."""
    parser = argparse.ArgumentParser(prog="python -m ox_jwt.app", description=main.__doc__)
    parser.add_argument("--port", type=int, default=8091, help="8091 if not given")
    port = parser.parse_args().port
    config: dict[str, Any] = {}
    if not {"FLASK_JWT_KEY", "FLASK_JWT_NGINX_PROOF"} & os.environ.keys():
        keys = ox_jwt.make_keys("EdDSA")
        config = demo_config(keys, "EdDSA")
        now = int(time.time())
        claims = {"sub": "ada", "premium": True, "proxy_for": ["bob"], "iat": now, "exp": now + 3600}
        token = ox_jwt.encode(claims, keys.private_key, "EdDSA")
        print(f"curl -H 'Authorization: Bearer {token}' http://127.0.0.1:{port}/hello", flush=True)
    create_app(config).run(port=port)


def demo_config(keys: ox_jwt.KeyPair, algorithm: str) -> dict[str, Any]:
    """A configuration that trusts these keys, and issues tokens with them."""
    return {
        "FLASK_JWT_KEY": keys.public_key,
        "FLASK_JWT_ALGS": [algorithm],
        "FLASK_JWT_PRIVATE_KEY": keys.private_key,
        "FLASK_JWT_PRIVATE_ALG": algorithm,
    }


if __name__ == "__main__":
    main()
