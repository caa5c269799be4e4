//! Why keys cannot be used, and the limits that say so.

use core::fmt;

use crate::denial::Defect;

/// The largest key file, in bytes: tens of thousands of keys.
pub const MAX_KEY_FILE_SIZE: usize = 16 * 1024 * 1024;

/// The smallest RSA modulus, in bits (RFC 7518 sections 3.3 and 3.5).
pub const MIN_RSA_BITS: usize = 2048;

/// The largest RSA modulus, in bits; verification takes time in its square.
pub const MAX_RSA_BITS: usize = 8192;

/// How many characters of a `kid` are shown where it is named as broken.
const MAX_SHOWN_KID: usize = 64;

/// How many reasons an error gives where no key of a file is usable.
const MAX_REASONS: usize = 8;

/// Why keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Larger than [`MAX_KEY_FILE_SIZE`].
    FileTooLarge,
    /// No key in the file, which is whole.
    NoKey,
    /// No key that can be used in the file.
    NoUsableKey {
        /// Why the first of them cannot be.
        reasons: Vec<KeyError>,
        /// How many more cannot be.
        more: usize,
    },
    /// Nothing that holds keys; the text says what it is.
    NotKeys(&'static str),
    /// Not what it should be; the text says what that is.
    Encoding(&'static str),
    /// Not JSON as this project reads it.
    Json(Defect),
    /// A member of a JWK is missing or broken.
    Member(&'static str),
    /// A key of a kind or for a purpose that is not ours; the text says why.
    Unusable(&'static str),
    /// `alg` of a JWK does not fit its key.
    NotForAlgorithm {
        /// The name of that algorithm.
        alg: &'static str,
    },
    /// An RSA modulus below [`MIN_RSA_BITS`] or above [`MAX_RSA_BITS`].
    RsaSize {
        /// Its length.
        bits: usize,
    },
    /// A secret shorter than the output of any hash (RFC 7518 section 3.2).
    SecretTooShort {
        /// Its length.
        bytes: usize,
    },
    /// A shared secret is a public key or a certificate, in one of its spellings.
    PublicKeyAsSecret,
    /// A shared secret is evidently something else; the text says what it looks like.
    NotSecret(&'static str),
    /// A text that would be a shared secret, in a file whose format is guessed.
    GuessedSecret,
    /// A private key in PEM, where a public one is wanted.
    PrivateKey,
    /// A PEM block of another label.
    PemLabel,
    /// One of several keys that have names.
    InKeyNamed {
        /// Its name in the file, made printable.
        kid: String,
        /// What is wrong with it.
        error: Box<KeyError>,
    },
    /// One of several keys.
    InKey {
        /// Its place in the file, from 0.
        index: usize,
        /// What is wrong with it.
        error: Box<KeyError>,
    },
}

impl KeyError {
    /// That no key of a file is usable, for these reasons.
    #[must_use]
    pub fn of_all(mut reasons: Vec<Self>) -> Self {
        if reasons.is_empty() {
            return Self::NoKey;
        }
        let more = reasons.len().saturating_sub(MAX_REASONS);
        reasons.truncate(MAX_REASONS);
        Self::NoUsableKey { reasons, more }
    }

    /// Names the key of the file that has the error.
    #[must_use]
    pub fn in_key(self, index: usize) -> Self {
        match self {
            Self::InKey { .. } => self,
            error => Self::InKey { index, error: Box::new(error) },
        }
    }

    /// Names the key of the file that has the error by its `kid`.
    #[must_use]
    pub fn in_key_named(self, kid: &str) -> Self {
        let kid = kid.chars().take(MAX_SHOWN_KID).collect::<String>().escape_debug().to_string();
        match self {
            Self::InKey { error, .. } => Self::InKeyNamed { kid, error },
            error => Self::InKeyNamed { kid, error: Box::new(error) },
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileTooLarge => write!(f, "larger than {MAX_KEY_FILE_SIZE} bytes"),
            Self::NoKey => f.write_str("no usable key"),
            Self::NoUsableKey { reasons, more } => {
                for (index, reason) in reasons.iter().enumerate() {
                    write!(f, "{}{reason}", if index == 0 { "no usable key: " } else { "; " })?;
                }
                if *more > 0 { write!(f, "; and {more} more") } else { Ok(()) }
            }
            Self::NotKeys(what) => write!(f, "no usable key: {what}"),
            Self::Encoding(what) => write!(f, "not {what}"),
            Self::Json(defect) => match defect {
                Defect::NotAnObject => f.write_str("not a JSON object"),
                Defect::Json => f.write_str("not JSON in UTF-8"),
                other => write!(f, "{other}"),
            },
            Self::Member(name) => write!(f, "\"{name}\" is missing or broken"),
            Self::Unusable(why) => f.write_str(why),
            Self::NotForAlgorithm { alg } => {
                write!(f, "\"alg\" is {alg}, which does not fit the key")
            }
            Self::RsaSize { bits } => {
                write!(f, "RSA key of {bits} bits, not {MIN_RSA_BITS} to {MAX_RSA_BITS}")
            }
            Self::SecretTooShort { bytes } => {
                write!(f, "secret of {bytes} bytes, at least 32 are needed for HS256")
            }
            Self::PublicKeyAsSecret => {
                f.write_str("the secret is a public key, which everyone knows")
            }
            Self::NotSecret(what) => write!(f, "no shared secret: it looks like {what}"),
            Self::GuessedSecret => {
                f.write_str("a shared secret: for such a file the format \"keyval\" must be given")
            }
            Self::PrivateKey => f.write_str(
                "a private key: only its public key belongs here (otools make_pub_key extracts it)",
            ),
            Self::PemLabel => {
                f.write_str("not a PEM block of PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE")
            }
            Self::InKeyNamed { kid, error } => write!(f, "key \"{kid}\": {error}"),
            Self::InKey { index, error } => write!(f, "key {index}: {error}"),
        }
    }
}

impl core::error::Error for KeyError {}
