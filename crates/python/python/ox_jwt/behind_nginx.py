"""Claims that nginx verified and hands on in a header, for an application behind it.

A header is believed only with a proof that nginx made the request, for whoever reaches the application
past nginx can send any header. The proof is a secret that nginx and the application share::

    location /app/ {
        auth_jwt "app";
        proxy_set_header X-Ojwt-Claims $jwt_claims;
        proxy_set_header X-Ojwt-Proof  "a secret of 16 characters or more";
        proxy_pass http://127.0.0.1:8091;
    }

``proxy_set_header`` replaces what the client sent; leave nginx's ``underscores_in_headers`` off, for WSGI cannot
tell ``X_Ojwt_Claims`` from ``X-Ojwt-Claims``. Where no secret can be shared, have nginx hand on the
token instead, and verify it again with ``ox_jwt.Gate``.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

from ox_jwt import _core
from ox_jwt.exceptions import InvalidTokenError, MissingTokenError, UntrustedRequestError
from ox_jwt.gate import Headers

#: The shortest secret, in bytes.
MIN_PROOF = 16


class NginxClaims:
    """Reads claims from a header that nginx sets, where another header proves that it did."""

    def __init__(
        self,
        proof: str | bytes,
        *,
        claims_header: str = "X-Ojwt-Claims",
        proof_header: str = "X-Ojwt-Proof",
    ) -> None:
        self._proof = proof.encode() if isinstance(proof, str) else proof
        if len(self._proof) < MIN_PROOF:
            raise ValueError(f"a proof has {MIN_PROOF} bytes or more")
        if (looks := _core.no_secret(self._proof)) is not None:
            raise ValueError(f"the proof {looks}")
        self._claims_header = claims_header.lower()
        self._proof_header = proof_header.lower()

    def claims(self, headers: Headers) -> dict[str, Any]:
        """The claims.

        Raises ``UntrustedRequestError`` where the proof is missing, wrong or there twice,
        ``MissingTokenError`` where nginx found no token, and ``InvalidTokenError`` for what nginx refused.
        """
        proofs = list(headers(self._proof_header))
        if len(proofs) != 1 or not hmac.compare_digest(proofs[0], self._proof):
            raise UntrustedRequestError("the request does not prove that nginx made it")
        values = list(headers(self._claims_header))
        if not values or not values[0]:
            raise MissingTokenError("no token")
        if len(values) == 1 and not values[0].startswith(b"failed"):
            try:
                claims = json.loads(values[0])
            except ValueError:
                claims = None
            if isinstance(claims, dict):
                return claims
        error = InvalidTokenError("nginx accepted no token")
        error.reason = "claim rejected"
        raise error
