//! The algorithms of JWE: `alg`, how the content encryption key is obtained, and `enc`, how the
//! content is encrypted (RFC 7518 sections 4.1 and 5.1).

use core::fmt;

/// How the content encryption key (CEK) of a JWE is obtained.
///
/// There are no variants for `RSA1_5` (which RFC 8725 section 3.2 advises against), for PBES2
/// (where the token would choose the number of iterations) and for ECDH-ES.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each variant is the registered name, as near as Rust allows.
pub enum KeyAlg {
    RsaOaep,
    RsaOaep256,
    RsaOaep384,
    RsaOaep512,
    A128Kw,
    A192Kw,
    A256Kw,
    A128GcmKw,
    A192GcmKw,
    A256GcmKw,
    /// The shared secret is the CEK itself, so the key fits one `enc` only.
    Dir(Enc),
}

impl KeyAlg {
    /// Every algorithm, `dir` once for each `enc`.
    pub const ALL: [Self; 16] = [
        Self::RsaOaep,
        Self::RsaOaep256,
        Self::RsaOaep384,
        Self::RsaOaep512,
        Self::A128Kw,
        Self::A192Kw,
        Self::A256Kw,
        Self::A128GcmKw,
        Self::A192GcmKw,
        Self::A256GcmKw,
        Self::Dir(Enc::A128CbcHs256),
        Self::Dir(Enc::A192CbcHs384),
        Self::Dir(Enc::A256CbcHs512),
        Self::Dir(Enc::A128Gcm),
        Self::Dir(Enc::A192Gcm),
        Self::Dir(Enc::A256Gcm),
    ];

    /// The registered name, as it stands in `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaOaep => "RSA-OAEP",
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::RsaOaep384 => "RSA-OAEP-384",
            Self::RsaOaep512 => "RSA-OAEP-512",
            Self::A128Kw => "A128KW",
            Self::A192Kw => "A192KW",
            Self::A256Kw => "A256KW",
            Self::A128GcmKw => "A128GCMKW",
            Self::A192GcmKw => "A192GCMKW",
            Self::A256GcmKw => "A256GCMKW",
            Self::Dir(_) => "dir",
        }
    }

    /// The algorithm with this name, in a token whose content is encrypted with `enc`.
    pub fn from_name(name: &str, enc: Enc) -> Option<Self> {
        Self::ALL
            .into_iter()
            .filter(|alg| !matches!(alg, Self::Dir(other) if *other != enc))
            .find(|alg| alg.name() == name)
    }

    /// The length of the shared secret, in bytes; `None` where the key is an RSA key.
    pub const fn secret_len(self) -> Option<usize> {
        match self {
            Self::RsaOaep | Self::RsaOaep256 | Self::RsaOaep384 | Self::RsaOaep512 => None,
            Self::A128Kw | Self::A128GcmKw => Some(16),
            Self::A192Kw | Self::A192GcmKw => Some(24),
            Self::A256Kw | Self::A256GcmKw => Some(32),
            Self::Dir(enc) => Some(enc.cek_len()),
        }
    }

    /// Whether a JWK whose `alg` is `name` is meant for this algorithm. A JWK for `dir` may also
    /// name the `enc` that the key is for (as in RFC 7520 section 5.6.1).
    pub(crate) fn is_named(self, name: &str) -> bool {
        self.name() == name || matches!(self, Self::Dir(enc) if enc.name() == name)
    }

    /// Whether the header must have `iv` and `tag` of the wrapped key (RFC 7518 section 4.7.1).
    pub(crate) const fn has_parameters(self) -> bool {
        matches!(self, Self::A128GcmKw | Self::A192GcmKw | Self::A256GcmKw)
    }
}

impl fmt::Display for KeyAlg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the content of a JWE is encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each variant is the registered name, as near as Rust allows.
pub enum Enc {
    A128CbcHs256,
    A192CbcHs384,
    A256CbcHs512,
    A128Gcm,
    A192Gcm,
    A256Gcm,
}

impl Enc {
    /// Every algorithm, in the order of their declaration.
    pub const ALL: [Self; 6] = [
        Self::A128CbcHs256,
        Self::A192CbcHs384,
        Self::A256CbcHs512,
        Self::A128Gcm,
        Self::A192Gcm,
        Self::A256Gcm,
    ];

    /// The registered name, as it stands in `enc`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A192CbcHs384 => "A192CBC-HS384",
            Self::A256CbcHs512 => "A256CBC-HS512",
            Self::A128Gcm => "A128GCM",
            Self::A192Gcm => "A192GCM",
            Self::A256Gcm => "A256GCM",
        }
    }

    /// The algorithm with this name; names are case-sensitive (RFC 7516 section 4.1.2).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|enc| enc.name() == name)
    }

    /// The length of the CEK, in bytes (RFC 7518 sections 5.2.3 to 5.3).
    pub const fn cek_len(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A192Gcm => 24,
            Self::A128CbcHs256 | Self::A256Gcm => 32,
            Self::A192CbcHs384 => 48,
            Self::A256CbcHs512 => 64,
        }
    }
}

impl fmt::Display for Enc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_in_their_registered_case_only() {
        for enc in Enc::ALL {
            assert_eq!(Enc::from_name(enc.name()), Some(enc));
            assert_eq!(Enc::from_name(&enc.name().to_lowercase()), None);
            for alg in KeyAlg::ALL {
                let named = KeyAlg::from_name(alg.name(), enc).unwrap();
                assert_eq!(named.name(), alg.name());
                let other = alg.name().to_lowercase().replace("dir", "Dir");
                assert_eq!(KeyAlg::from_name(&other, enc), None);
            }
        }
    }

    #[test]
    fn dir_is_of_the_enc_that_stands_beside_it() {
        for enc in Enc::ALL {
            assert_eq!(KeyAlg::from_name("dir", enc), Some(KeyAlg::Dir(enc)));
        }
    }

    #[test]
    fn knows_no_algorithm_whose_cost_or_key_the_token_chooses() {
        for name in [
            "RSA1_5",
            "PBES2-HS256+A128KW",
            "PBES2-HS512+A256KW",
            "ECDH-ES",
            "ECDH-ES+A128KW",
            "none",
            "",
            "A128GCM",
            "HS256",
            "RS256",
        ] {
            assert_eq!(KeyAlg::from_name(name, Enc::A128Gcm), None, "{name}");
        }
    }
}
