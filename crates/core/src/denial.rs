//! Why a request is refused: the only vocabulary of failure, the same in nginx, at the command
//! line and in Python.

use core::fmt;

/// Makes [`Denial`] and its [`Row`]s from one table of variants, each with its reason, its code,
/// and the side that is at fault.
macro_rules! denials {
    (
        $(#[$about:meta])*
        pub enum Denial {
        $($(#[$doc:meta])* $name:ident $(($data:ident))? => $reason:literal, $code:literal, $fault:ident;)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Denial {
            $($(#[$doc])* $name $(($data))?,)*
        }

        impl Denial {
            const fn row(self) -> Row {
                match self {
                    $(Self::$name { .. } => Row {
                        reason: $reason,
                        code: $code,
                        verdict: concat!("failed: ", $reason),
                        fault: Fault::$fault,
                    },)*
                }
            }
        }
    };
}

/// The row of a denial in the table.
struct Row {
    reason: &'static str,
    code: &'static str,
    verdict: &'static str,
    fault: Fault,
}

/// The side that is at fault.
#[derive(Clone, Copy)]
enum Fault {
    /// The client, which may have a better token.
    Theirs,
    /// The server.
    Ours,
}

denials! {
    /// The reason a token is not accepted.
    ///
    /// `Display` gives the stable, lower-case reason (`token expired`); [`Denial::code`] gives the
    /// reason with `_` for spaces. Neither ever contains a byte of the token, so both are safe in a
    /// log, a header and a response body.
    pub enum Denial {
        /// No source had a token.
        NoToken => "no token", "no_token", Theirs;
        /// One place had different tokens, and an application might read another of them than the
        /// gate.
        SeveralTokens => "several tokens", "several_tokens", Theirs;
        /// Not a compact JWS or JWE, whichever is expected, or a header or payload that RFC 7515
        /// and RFC 7519 do not allow.
        Malformed(Defect) => "malformed token", "malformed_token", Theirs;
        /// Longer than the gate accepts.
        TooLarge => "token too large", "token_too_large", Theirs;
        /// `alg` is not the name of an implemented algorithm; `none`, in any spelling, is not
        /// implemented.
        UnsupportedAlgorithm => "unsupported algorithm", "unsupported_algorithm", Theirs;
        /// `alg` is known, but not one that the key or the policy permits.
        AlgorithmNotAllowed => "algorithm not allowed", "algorithm_not_allowed", Theirs;
        /// `crit` is present, and no extension is supported (RFC 7515 section 4.1.11); or `zip` is
        /// present, and nothing is decompressed (RFC 8725 section 3.6).
        UnsupportedCriticalHeader => "unsupported critical header", "unsupported_critical_header", Theirs;
        /// No key has the token's `kid`.
        UnknownKey => "unknown key", "unknown_key", Theirs;
        /// No candidate key made this signature.
        SignatureMismatch => "signature mismatch", "signature_mismatch", Theirs;
        /// None of the candidate keys that were tried made this signature, and there are more
        /// candidate keys than `MAX_CANDIDATES` of `keys`.
        KeysUntried => "signature mismatch", "signature_mismatch", Theirs;
        /// `exp` has passed (RFC 7519 section 4.1.4).
        Expired => "token expired", "token_expired", Theirs;
        /// `nbf` is in the future (RFC 7519 section 4.1.5).
        NotYetValid => "token not yet valid", "token_not_yet_valid", Theirs;
        /// The `host` claim does not name the requested host.
        WrongHost => "wrong host", "wrong_host", Theirs;
        /// A registered claim has the wrong type, or a required claim the wrong value.
        ClaimRejected => "claim rejected", "claim_rejected", Theirs;
        /// A revocation list names the token.
        Revoked => "token revoked", "token_revoked", Theirs;
        /// An encrypted token could not be decrypted; the cause is deliberately not given.
        DecryptionFailed => "decryption failed", "decryption_failed", Theirs;
        /// The gate has no key at all.
        NoKey => "no key", "no_key", Ours;
        /// The gate's keys cannot be obtained now.
        KeyUnavailable => "key unavailable", "key_unavailable", Ours;
        /// The server itself failed; the request is refused nevertheless.
        InternalError => "internal error", "internal_error", Ours;
    }
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
    /// Nested deeper than `MAX_DEPTH` of `text::json`.
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
        self.row().reason
    }

    /// The reason as one word, for `$ojwt_status`.
    pub const fn code(self) -> &'static str {
        self.row().code
    }

    /// What `$decoded_ojwt` shows: `failed: ` and the reason.
    pub const fn verdict(self) -> &'static str {
        self.row().verdict
    }

    /// Whether the server is at fault, so that no other token would be accepted either.
    pub const fn is_our_fault(self) -> bool {
        matches!(self.row().fault, Fault::Ours)
    }

    /// What the operator may want to know besides the reason; `None` where the reason is enough.
    pub const fn detail(self) -> Option<&'static str> {
        if let Self::Malformed(defect) = self {
            return Some(defect.description());
        }
        if let Self::KeysUntried = self {
            return Some("none of the first 16 keys that fit made it, and others were not tried");
        }
        None
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

/// Why a token is refused, with a detail for the operator's log only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub denial: Denial,
    /// What exactly is wrong, such as the claim concerned, beyond [`Denial::detail`]; never a value
    /// of the token.
    pub detail: Option<String>,
}

impl Refusal {
    /// The refusal of a claim that is not as required.
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
