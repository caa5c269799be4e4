//! Why keys cannot be used, and the limits of key files and RSA keys.

use core::fmt;

use crate::denial::Defect;

/// The largest key file, in bytes: room for tens of thousands of keys.
pub const MAX_KEY_FILE_SIZE: usize = 16 * 1024 * 1024;

/// The smallest RSA modulus, in bits (RFC 7518 sections 3.3 and 3.5).
pub const MIN_RSA_BITS: usize = 2048;

/// The largest RSA modulus, in bits; verification time grows with the square of this length.
pub const MAX_RSA_BITS: usize = 8192;

/// How many characters of a `kid` are shown where an error names a key.
const MAX_SHOWN_KID: usize = 64;

/// How many reasons an error gives where no key of a file is usable.
const MAX_REASONS: usize = 8;

/// Why keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Larger than [`MAX_KEY_FILE_SIZE`].
    FileTooLarge,
    /// The file is well-formed, but has no key.
    NoKey,
    /// The file has keys, but none that can be used.
    NoUsableKey {
        /// Why the first keys cannot be used.
        reasons: Vec<KeyError>,
        /// How many more keys cannot be used.
        more: usize,
    },
    /// The file holds no keys; the text says what the file is.
    NotKeys(&'static str),
    /// Not in the expected encoding; the text says what was expected.
    Encoding(&'static str),
    /// Not JSON, or JSON that this project refuses.
    Json(Defect),
    /// A member of a JWK is missing or broken.
    Member(&'static str),
    /// A key of a kind or for a purpose that is not supported; the text says why.
    Unusable(&'static str),
    /// `alg` of a JWK does not fit its key.
    NotForAlgorithm {
        /// The name of that algorithm.
        alg: &'static str,
    },
    /// An RSA modulus below [`MIN_RSA_BITS`] or above [`MAX_RSA_BITS`].
    RsaSize {
        /// The length of the modulus.
        bits: usize,
    },
    /// A secret shorter than the output of any hash (RFC 7518 section 3.2).
    SecretTooShort {
        /// The length of the secret.
        bytes: usize,
    },
    /// A shared secret is a public key or a certificate, in one of the encodings of these.
    PublicKeyAsSecret,
    /// A shared secret is evidently something else; the text says what.
    NotSecret(&'static str),
    /// A text that could be a shared secret, in a file whose format is guessed.
    GuessedSecret,
    /// A private key in PEM, where a public key is wanted.
    PrivateKey,
    /// A PEM block with an unsupported label.
    PemLabel,
    /// One of several keys that have names.
    InKeyNamed {
        /// The name of the key in the file, made printable.
        kid: String,
        /// What is wrong with the key.
        error: Box<KeyError>,
    },
    /// One of several keys.
    InKey {
        /// The index of the key in the file, from 0.
        index: usize,
        /// What is wrong with the key.
        error: Box<KeyError>,
    },
}

impl KeyError {
    /// The error that no key of a file is usable, with these reasons.
    #[must_use]
    pub fn of_all(mut reasons: Vec<Self>) -> Self {
        if reasons.is_empty() {
            return Self::NoKey;
        }
        let more = reasons.len().saturating_sub(MAX_REASONS);
        reasons.truncate(MAX_REASONS);
        Self::NoUsableKey { reasons, more }
    }

    /// Adds the index of the key that has the error.
    #[must_use]
    pub fn in_key(self, index: usize) -> Self {
        match self {
            Self::InKey { .. } => self,
            error => Self::InKey { index, error: Box::new(error) },
        }
    }

    /// Adds the `kid` of the key that has the error.
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
