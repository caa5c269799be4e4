"""What goes wrong with tokens and keys, under the names that PyJWT has for it.

Each exception holds the core's reason, as nginx and ``otools`` say it, in ``reason``: a stable text
that holds nothing of the token, so that it may be logged and shown.
"""

from __future__ import annotations


class PyJWTError(Exception):
    """The base of all exceptions here; it is named as users know it."""

    reason: str = "internal error"


class InvalidTokenError(PyJWTError):
    """The token is not accepted."""


class MissingTokenError(InvalidTokenError):
    """The request holds no token."""

    reason = "no token"


class SeveralTokensError(InvalidTokenError):
    """The request holds different tokens at one place."""

    reason = "several tokens"


class DecodeError(InvalidTokenError):
    """It is no token, or says something that it may not."""


class InvalidSignatureError(DecodeError):
    """No key made the signature."""


class InvalidAlgorithmError(InvalidTokenError):
    """The algorithm is not one of those asked for, or not the key's."""


class UnknownKeyError(InvalidTokenError):
    """No key has the token's ``kid``."""


class ExpiredSignatureError(InvalidTokenError):
    """``exp`` has passed."""


class ImmatureSignatureError(InvalidTokenError):
    """``nbf`` lies ahead."""


class InvalidHostError(InvalidTokenError):
    """``host`` does not name the host that is asked for."""


class InvalidAudienceError(InvalidTokenError):
    """``aud`` does not name the audience that is asked for, or there is one and none was."""


class InvalidIssuerError(InvalidTokenError):
    """``iss`` is not the issuer that is asked for, or not a string."""


class InvalidIssuedAtError(InvalidTokenError):
    """``iat`` is not a number."""


class InvalidSubjectError(InvalidTokenError):
    """``sub`` is not a string."""


class InvalidJTIError(InvalidTokenError):
    """``jti`` is not a string."""


class MissingRequiredClaimError(InvalidTokenError):
    """A claim that is asked for is not there."""

    def __init__(self, claim: str) -> None:
        super().__init__(claim)
        self.claim = claim

    def __str__(self) -> str:
        return f'Token is missing the "{self.claim}" claim'


class UntrustedRequestError(InvalidTokenError):
    """The request does not prove that nginx made it."""

    reason = "no proof"


class InvalidKeyError(PyJWTError):
    """What is given for a key is none, or none for the algorithm."""
