//! The signature algorithms of JWS (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 8812, RFC
//! 9864).

use core::fmt;

/// A JWS signature algorithm. There is no variant for `none`, so no token can be unsigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // Each variant is the registered name.
pub enum Alg {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    ES256K,
    EdDSA,
    Ed25519,
    Ed448,
}

impl Alg {
    /// Every algorithm, in the order of their declaration.
    pub const ALL: [Self; 16] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::ES256K,
        Self::EdDSA,
        Self::Ed25519,
        Self::Ed448,
    ];

    /// The registered name, as it stands in `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::ES256K => "ES256K",
            Self::EdDSA => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
        }
    }

    /// The algorithm with this name; names are case-sensitive (RFC 7515 section 4.1.1).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }

    /// Whether a list with this name also admits `other`: `EdDSA` is the older name of both
    /// `Ed25519` and `Ed448`, which name the curve (RFC 9864 section 2.2).
    pub const fn covers(self, other: Self) -> bool {
        self as u8 == other as u8
            || matches!((self, other), (Self::EdDSA, Self::Ed25519 | Self::Ed448))
    }
}

impl fmt::Display for Alg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_no_algorithm_named_none_in_any_spelling() {
        for name in ["none", "None", "NONE", "nOnE", "none ", "", "\0none"] {
            assert_eq!(Alg::from_name(name), None);
        }
    }

    #[test]
    fn takes_names_in_their_registered_case_only() {
        assert_eq!(Alg::from_name("RS256"), Some(Alg::RS256));
        assert_eq!(Alg::from_name("rs256"), None);
        assert_eq!(Alg::from_name("EDDSA"), None);
        assert_eq!(Alg::from_name("Ed25519"), Some(Alg::Ed25519));
        assert_eq!(Alg::from_name("ed25519"), None);
        assert_eq!(Alg::from_name("ED448"), None);
    }

    #[test]
    fn the_old_name_of_edwards_curves_covers_the_new_ones_and_nothing_else_covers_another() {
        for alg in Alg::ALL {
            for other in Alg::ALL {
                let is_newer_name =
                    alg == Alg::EdDSA && [Alg::Ed25519, Alg::Ed448].contains(&other);
                assert_eq!(alg.covers(other), alg == other || is_newer_name, "{alg} {other}");
            }
        }
    }
}
