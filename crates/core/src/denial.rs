//! Why a request is refused: the only vocabulary of failure, the same in nginx, at the command
//! line and in Python.

use core::fmt;

/// The reason a token is not accepted.
///
/// `Display` gives the stable, lower-case reason (`token expired`), [`Denial::code`] the same with
/// `_` for spaces. Neither ever holds a byte of the token, so both are safe in a log, a header
/// and a response body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denial {
    /// No source held a token.
    NoToken,
    /// One place held different tokens, of which an application might read another than the gate.
    SeveralTokens,
    /// Not a compact JWS or JWE, whichever is wanted, or its header or payload is not what RFC 7515 and RFC 7519 ask for.
    Malformed(Defect),
    /// Longer than the gate reads.
    TooLarge,
    /// `alg` names no algorithm that is implemented; `none` in any spelling is one of those.
    UnsupportedAlgorithm,
    /// `alg` is known, but not one that the key or the policy permits.
    AlgorithmNotAllowed,
    /// `crit` is present: no extension is understood (RFC 7515 section 4.1.11); or `zip` is: nothing
    /// is decompressed (RFC 8725 section 3.6).
    UnsupportedCriticalHeader,
    /// No key has the token's `kid`.
    UnknownKey,
    /// No candidate key made this signature.
    SignatureMismatch,
    /// None of the candidate keys that were tried made this signature, and there are more of them than
    /// [`crate::keys::MAX_CANDIDATES`].
    KeysUntried,
    /// `exp` has passed (RFC 7519 section 4.1.4).
    Expired,
    /// `nbf` lies ahead (RFC 7519 section 4.1.5).
    NotYetValid,
    /// The `host` claim does not name the host that is asked for.
    WrongHost,
    /// A registered claim has the wrong type, or a required claim the wrong value.
    ClaimRejected,
    /// A revocation list names the token.
    Revoked,
    /// An encrypted token could not be decrypted; deliberately no more is said.
    DecryptionFailed,
    /// The gate has no key at all.
    NoKey,
    /// The gate's keys cannot be had now.
    KeyUnavailable,
    /// Something of ours failed; the request is refused all the same.
    InternalError,
}

/// What is wrong with a malformed token, for the operator's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// Not three parts separated by periods (RFC 7515 section 7.1).
    Parts,
    /// Not five parts separated by periods (RFC 7516 section 7.1).
    EncryptedParts,
    /// Five parts, as an encrypted token has (RFC 7516 section 7.1), where a signed one is wanted.
    Encrypted,
    /// Three parts, as a signed token has (RFC 7515 section 7.1), where an encrypted one is wanted.
    Signed,
    /// A part is not base64url without padding, white space or stray bits (RFC 7515 section 2).
    Base64,
    /// The header or the payload is not JSON, or not UTF-8 (RFC 7515 sections 4 and 7.2).
    Json,
    /// An object names a member twice (RFC 7515 section 4, RFC 7519 section 4).
    DuplicateMember,
    /// Nested deeper than [`crate::text::json::MAX_DEPTH`].
    TooDeep,
    /// The header or the payload is JSON, but not an object.
    NotAnObject,
    /// `alg` is missing or not a string (RFC 7515 section 4.1.1).
    Alg,
    /// `enc` is missing or not a string (RFC 7516 section 4.1.2).
    Enc,
    /// `kid`, `typ` or `cty` is not a string (RFC 7515 sections 4.1.4, 4.1.9 and 4.1.10).
    HeaderType,
    /// `iv` or `tag` of a wrapped key is missing, or not base64url (RFC 7518 section 4.7.1).
    KeyParameter,
    /// `cty` of a token that encloses another is not `JWT` (RFC 7519 section 5.2).
    ContentType,
}

impl Denial {
    /// The stable reason, in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoToken => "no token",
            Self::SeveralTokens => "several tokens",
            Self::Malformed(_) => "malformed token",
            Self::TooLarge => "token too large",
            Self::UnsupportedAlgorithm => "unsupported algorithm",
            Self::AlgorithmNotAllowed => "algorithm not allowed",
            Self::UnsupportedCriticalHeader => "unsupported critical header",
            Self::UnknownKey => "unknown key",
            Self::SignatureMismatch | Self::KeysUntried => "signature mismatch",
            Self::Expired => "token expired",
            Self::NotYetValid => "token not yet valid",
            Self::WrongHost => "wrong host",
            Self::ClaimRejected => "claim rejected",
            Self::Revoked => "token revoked",
            Self::DecryptionFailed => "decryption failed",
            Self::NoKey => "no key",
            Self::KeyUnavailable => "key unavailable",
            Self::InternalError => "internal error",
        }
    }

    /// The reason as one word, for `$ojwt_status`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::SeveralTokens => "several_tokens",
            Self::Malformed(_) => "malformed_token",
            Self::TooLarge => "token_too_large",
            Self::UnsupportedAlgorithm => "unsupported_algorithm",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::UnsupportedCriticalHeader => "unsupported_critical_header",
            Self::UnknownKey => "unknown_key",
            Self::SignatureMismatch | Self::KeysUntried => "signature_mismatch",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::WrongHost => "wrong_host",
            Self::ClaimRejected => "claim_rejected",
            Self::Revoked => "token_revoked",
            Self::DecryptionFailed => "decryption_failed",
            Self::NoKey => "no_key",
            Self::KeyUnavailable => "key_unavailable",
            Self::InternalError => "internal_error",
        }
    }

    /// What `$decoded_ojwt` shows: `failed: ` and the reason.
    pub const fn verdict(self) -> &'static str {
        match self {
            Self::NoToken => "failed: no token",
            Self::SeveralTokens => "failed: several tokens",
            Self::Malformed(_) => "failed: malformed token",
            Self::TooLarge => "failed: token too large",
            Self::UnsupportedAlgorithm => "failed: unsupported algorithm",
            Self::AlgorithmNotAllowed => "failed: algorithm not allowed",
            Self::UnsupportedCriticalHeader => "failed: unsupported critical header",
            Self::UnknownKey => "failed: unknown key",
            Self::SignatureMismatch | Self::KeysUntried => "failed: signature mismatch",
            Self::Expired => "failed: token expired",
            Self::NotYetValid => "failed: token not yet valid",
            Self::WrongHost => "failed: wrong host",
            Self::ClaimRejected => "failed: claim rejected",
            Self::Revoked => "failed: token revoked",
            Self::DecryptionFailed => "failed: decryption failed",
            Self::NoKey => "failed: no key",
            Self::KeyUnavailable => "failed: key unavailable",
            Self::InternalError => "failed: internal error",
        }
    }

    /// Whether the server is at fault, so that no other token would be accepted either.
    pub const fn is_our_fault(self) -> bool {
        match self {
            Self::NoKey | Self::KeyUnavailable | Self::InternalError => true,
            Self::NoToken
            | Self::SeveralTokens
            | Self::Malformed(_)
            | Self::TooLarge
            | Self::UnsupportedAlgorithm
            | Self::AlgorithmNotAllowed
            | Self::UnsupportedCriticalHeader
            | Self::UnknownKey
            | Self::SignatureMismatch
            | Self::KeysUntried
            | Self::Expired
            | Self::NotYetValid
            | Self::WrongHost
            | Self::ClaimRejected
            | Self::Revoked
            | Self::DecryptionFailed => false,
        }
    }

    /// What else the operator may want to know; `None` where the reason says it all.
    pub const fn detail(self) -> Option<&'static str> {
        match self {
            Self::Malformed(defect) => Some(defect.description()),
            Self::KeysUntried => {
                Some("none of the first 16 keys that fit made it, and others were not tried")
            }
            Self::NoToken
            | Self::SeveralTokens
            | Self::TooLarge
            | Self::UnsupportedAlgorithm
            | Self::AlgorithmNotAllowed
            | Self::UnsupportedCriticalHeader
            | Self::UnknownKey
            | Self::SignatureMismatch
            | Self::Expired
            | Self::NotYetValid
            | Self::WrongHost
            | Self::ClaimRejected
            | Self::Revoked
            | Self::DecryptionFailed
            | Self::NoKey
            | Self::KeyUnavailable
            | Self::InternalError => None,
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for Denial {}

impl From<Defect> for Denial {
    fn from(defect: Defect) -> Self {
        Self::Malformed(defect)
    }
}

/// Why a token is refused, with what else the operator may want to know: for the log alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub denial: Denial,
    /// What is wrong in particular, such as the claim concerned, beyond [`Denial::detail`]; never a value
    /// of the token.
    pub detail: Option<String>,
}

impl Refusal {
    /// A claim that is not what it must be.
    pub(crate) fn claim(detail: String) -> Self {
        Self { denial: Denial::ClaimRejected, detail: Some(detail) }
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self { denial, detail: None }
    }
}

impl From<Defect> for Refusal {
    fn from(defect: Defect) -> Self {
        Denial::from(defect).into()
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        refusal.denial
    }
}

impl Defect {
    const fn description(self) -> &'static str {
        match self {
            Self::Parts => "not three parts separated by periods",
            Self::EncryptedParts => "not the five parts of an encrypted token",
            Self::Encrypted => "five parts: an encrypted token, where a signed one is wanted",
            Self::Signed => "three parts: a signed token, where an encrypted one is wanted",
            Self::Base64 => "a part is not unpadded base64url",
            Self::Json => "the header or the payload is not JSON in UTF-8",
            Self::DuplicateMember => "an object names a member twice",
            Self::TooDeep => "nested too deeply",
            Self::NotAnObject => "the header or the payload is not an object",
            Self::Alg => "\"alg\" is missing or not a string",
            Self::Enc => "\"enc\" is missing or not a string",
            Self::HeaderType => "a header parameter is not a string",
            Self::KeyParameter => "\"iv\" or \"tag\" is missing or not base64url",
            Self::ContentType => "\"cty\" is not \"JWT\"",
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

impl core::error::Error for Defect {}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Denial; 19] = [
        Denial::NoToken,
        Denial::SeveralTokens,
        Denial::Malformed(Defect::Parts),
        Denial::TooLarge,
        Denial::UnsupportedAlgorithm,
        Denial::AlgorithmNotAllowed,
        Denial::UnsupportedCriticalHeader,
        Denial::UnknownKey,
        Denial::SignatureMismatch,
        Denial::KeysUntried,
        Denial::Expired,
        Denial::NotYetValid,
        Denial::WrongHost,
        Denial::ClaimRejected,
        Denial::Revoked,
        Denial::DecryptionFailed,
        Denial::NoKey,
        Denial::KeyUnavailable,
        Denial::InternalError,
    ];

    #[test]
    fn code_and_verdict_are_spellings_of_the_reason() {
        for denial in ALL {
            assert_eq!(denial.code(), denial.reason().replace(' ', "_"));
            assert_eq!(denial.verdict(), format!("failed: {}", denial.reason()));
        }
    }
}
