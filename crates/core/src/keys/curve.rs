//! The curves of ECDSA keys.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256K1_SHA256_FIXED, ECDSA_P384_SHA384_FIXED,
    ECDSA_P521_SHA512_FIXED, EcdsaVerificationAlgorithm, ParsedPublicKey,
};

use crate::jose::alg::Alg;

/// The curves of ECDSA keys (RFC 7518 section 6.2.1.1, RFC 8812 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // Each variant is the registered name.
pub enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

impl Curve {
    /// Every curve.
    pub const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::Secp256k1];

    /// The name in `crv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Secp256k1 => "secp256k1",
        }
    }

    /// The object identifier in a `SubjectPublicKeyInfo` (RFC 5480 section 2.1.1.1).
    pub const fn oid(self) -> &'static str {
        match self {
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
            Self::Secp256k1 => "1.3.132.0.10",
        }
    }

    /// The octets of one coordinate (RFC 7518 section 6.2.1.2).
    pub const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The one algorithm that signs with keys of this curve (RFC 7518 section 3.4, RFC 8812 section
    /// 3.2).
    pub const fn alg(self) -> Alg {
        let [alg] = self.algs();
        *alg
    }

    /// A slice of the one algorithm that [`Curve::alg`] gives.
    pub(super) const fn algs(self) -> &'static [Alg; 1] {
        match self {
            Self::P256 => &[Alg::ES256],
            Self::P384 => &[Alg::ES384],
            Self::P521 => &[Alg::ES512],
            Self::Secp256k1 => &[Alg::ES256K],
        }
    }

    /// Whether these bytes are a point of the curve (SEC 1 section 2.3.3), compressed or not.
    pub(crate) fn holds(self, point: &[u8]) -> bool {
        ParsedPublicKey::new(self.verification(), point).is_ok()
    }

    pub(super) fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::P521 => &ECDSA_P521_SHA512_FIXED,
            Self::Secp256k1 => &ECDSA_P256K1_SHA256_FIXED,
        }
    }
}
