"""JSON Web Tokens, verified by the core that guards nginx: the same rules, the same reasons.

    >>> import ox_jwt
    >>> keys = ox_jwt.make_keys("EdDSA")
    >>> token = ox_jwt.encode({"sub": "ada"}, keys.private_key, "EdDSA")
    >>> ox_jwt.decode(token, keys.public_key, ["EdDSA"])
    {'sub': 'ada'}
"""

from ox_jwt._core import JwkSet, decode, decode_unverified_header
from ox_jwt._encode import KeyPair, encode, make_keys
from ox_jwt.gate import Gate
from ox_jwt.exceptions import (
    DecodeError,
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAlgorithmError,
    InvalidAudienceError,
    InvalidHostError,
    InvalidIssuedAtError,
    InvalidIssuerError,
    InvalidJTIError,
    InvalidKeyError,
    InvalidSignatureError,
    InvalidSubjectError,
    InvalidTokenError,
    MissingRequiredClaimError,
    MissingTokenError,
    PyJWTError,
    SeveralTokensError,
    UnknownKeyError,
    UntrustedRequestError,
)

#: As PyJWT calls it.
get_unverified_header = decode_unverified_header

__all__ = [
    "DecodeError",
    "ExpiredSignatureError",
    "ImmatureSignatureError",
    "InvalidAlgorithmError",
    "InvalidAudienceError",
    "InvalidHostError",
    "InvalidIssuedAtError",
    "InvalidIssuerError",
    "InvalidJTIError",
    "InvalidKeyError",
    "InvalidSignatureError",
    "InvalidSubjectError",
    "InvalidTokenError",
    "Gate",
    "JwkSet",
    "KeyPair",
    "MissingRequiredClaimError",
    "MissingTokenError",
    "PyJWTError",
    "SeveralTokensError",
    "UnknownKeyError",
    "UntrustedRequestError",
    "decode",
    "decode_unverified_header",
    "encode",
    "get_unverified_header",
    "make_keys",
]
