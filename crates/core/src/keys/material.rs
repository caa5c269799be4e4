//! The contents of a key, independent of the file format that the key was read from.

use core::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters,
};
use aws_lc_rs::{hmac, rsa};

use crate::crypto::digest::Digest;
use crate::crypto::ed448;
use crate::crypto::frequent::FrequentKey;
use crate::jose::alg::Alg;
use crate::keys::curve::Curve;
use crate::keys::error::{KeyError, MAX_RSA_BITS, MIN_RSA_BITS};
use crate::keys::{der, published};
use crate::text::base64url;

/// The largest public exponent of an RSA key, in bits: the limit of AWS-LC. The exponents in use
/// are 3 and 65537; a long exponent makes verification as slow as signing.
pub const MAX_RSA_EXPONENT_BITS: usize = 33;

/// The bytes before an Ed448 key in a `SubjectPublicKeyInfo` in DER (RFC 8410 section 4).
const ED448_SPKI: [u8; 12] =
    [0x30, 0x43, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x03, 0x3a, 0x00];

/// A public key or a shared secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Material {
    /// Modulus and public exponent, big-endian.
    Rsa {
        /// The modulus, without leading zeros.
        n: Vec<u8>,
        /// The public exponent, without leading zeros.
        e: Vec<u8>,
    },
    /// An RSA key that is marked as for RSASSA-PSS only (RFC 4055 section 1.2).
    RsaPss {
        /// The modulus, without leading zeros.
        n: Vec<u8>,
        /// The public exponent, without leading zeros.
        e: Vec<u8>,
        /// The one algorithm that the parameters allow; `None` where the key has no parameters.
        alg: Option<Alg>,
    },
    /// A point on a curve, uncompressed (SEC 1 section 2.3.3).
    Ec {
        /// The curve.
        curve: Curve,
        /// 0x04, x and y.
        point: Vec<u8>,
    },
    /// An Ed25519 public key (RFC 8032 section 5.1.5).
    Ed25519(Vec<u8>),
    /// An Ed448 public key (RFC 8032 section 5.2.5).
    Ed448(Vec<u8>),
    /// A shared secret, for HMAC or encryption. Only [`Material::secret`] makes one from a file.
    Secret(Vec<u8>),
}

impl Material {
    /// An RSA key from `RSAPublicKey` (PKCS#1, RFC 8017 appendix A.1.1) in DER.
    ///
    /// # Errors
    ///
    /// [`KeyError::Encoding`]; the sizes are checked by [`Material::algs`].
    pub fn rsa_from_der(encoded: &[u8]) -> Result<Self, KeyError> {
        let broken = KeyError::Encoding("an RSA public key");
        // AWS-LC also reads a `SubjectPublicKeyInfo`, even of a key for encryption alone.
        if !der::is_pkcs1(encoded) {
            return Err(broken);
        }
        let key = rsa::PublicKey::from_der(encoded).map_err(|_| broken)?;
        Ok(Self::Rsa {
            n: key.modulus().big_endian_without_leading_zero().to_vec(),
            e: key.exponent().big_endian_without_leading_zero().to_vec(),
        })
    }

    /// A shared secret.
    ///
    /// # Errors
    ///
    /// [`KeyError::PublicKeyAsSecret`] for what everyone can read; [`KeyError::NotSecret`] for a
    /// URL, HTML, or the path of a file.
    pub fn secret(secret: Vec<u8>) -> Result<Self, KeyError> {
        if published::is_public(&secret) {
            return Err(KeyError::PublicKeyAsSecret);
        }
        if let Some(what) = published::lookalike(&secret) {
            return Err(KeyError::NotSecret(what));
        }
        Ok(Self::Secret(secret))
    }

    /// The algorithms whose signatures the key can verify; never empty.
    ///
    /// # Errors
    ///
    /// [`KeyError::RsaSize`], [`KeyError::SecretTooShort`] and [`KeyError::Encoding`] for a key
    /// that is not safe with any algorithm.
    pub fn algs(&self) -> Result<&'static [Alg], KeyError> {
        use Alg::{EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};
        match self {
            Self::Rsa { n, e } | Self::RsaPss { n, e, .. } => {
                let bits = bits(n);
                if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
                    return Err(KeyError::RsaSize { bits });
                }
                if !is_rsa(n, e) {
                    return Err(KeyError::Encoding("an RSA public key"));
                }
                Ok(match self {
                    Self::RsaPss { alg: None, .. } => &[PS256, PS384, PS512],
                    Self::RsaPss { alg: Some(PS256), .. } => &[PS256],
                    Self::RsaPss { alg: Some(PS384), .. } => &[PS384],
                    Self::RsaPss { alg: Some(PS512), .. } => &[PS512],
                    Self::RsaPss { alg: Some(alg), .. } => {
                        return Err(KeyError::NotForAlgorithm { alg: alg.name() });
                    }
                    _ => &[RS256, RS384, RS512, PS256, PS384, PS512],
                })
            }
            Self::Ec { curve, .. } => Ok(curve.algs()),
            Self::Ed25519(x) if is_of_small_order(x) => {
                Err(KeyError::Encoding("an Ed25519 public key"))
            }
            Self::Ed448(x) if ed448::PublicKey::parse(x).is_none() => {
                Err(KeyError::Encoding("an Ed448 public key"))
            }
            Self::Ed25519(_) => Ok(&[EdDSA, Alg::Ed25519]),
            Self::Ed448(_) => Ok(&[EdDSA, Alg::Ed448]),
            // RFC 7518 section 3.2: "a key of the same size as the hash output ... or larger".
            Self::Secret(secret) => match secret.len() {
                64.. => Ok(&[HS256, HS384, HS512]),
                48.. => Ok(&[HS256, HS384]),
                32.. => Ok(&[HS256]),
                bytes => Err(KeyError::SecretTooShort { bytes }),
            },
        }
    }

    /// The key, parsed for verifying signatures of `alg`.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotForAlgorithm`] where `alg` is not among [`Material::algs`];
    /// [`KeyError::Encoding`] where the numbers are not a key, for example a point that is not on
    /// its curve.
    pub fn verifier(&self, alg: Alg) -> Result<SignatureVerifier, KeyError> {
        if !self.algs()?.contains(&alg) {
            return Err(KeyError::NotForAlgorithm { alg: alg.name() });
        }
        let parsed = match self {
            Self::Rsa { n, e } | Self::RsaPss { n, e, .. } => {
                let parameters =
                    rsa_parameters(alg).ok_or(KeyError::NotForAlgorithm { alg: alg.name() })?;
                PublicKeyComponents { n, e }
                    .to_parsed_public_key(parameters)
                    .map_err(|_| KeyError::Encoding("an RSA public key"))?
            }
            Self::Ec { curve, point } => {
                let parsed = ParsedPublicKey::new(curve.verification(), point)
                    .map_err(|_| KeyError::Encoding("a point on its curve"))?;
                if *curve == Curve::P256 {
                    return Ok(SignatureVerifier::frequent(FrequentKey::p256(parsed, point)));
                }
                parsed
            }
            Self::Ed25519(x) => {
                let parsed = ParsedPublicKey::new(&ED25519, x)
                    .map_err(|_| KeyError::Encoding("an Ed25519 public key"))?;
                return Ok(SignatureVerifier::frequent(FrequentKey::ed25519(parsed, x)));
            }
            Self::Ed448(x) => {
                let key = ed448::PublicKey::parse(x);
                let key = key.ok_or(KeyError::Encoding("an Ed448 public key"))?;
                return Ok(SignatureVerifier(Inner::Ed448(Box::new(key))));
            }
            Self::Secret(secret) => {
                let algorithm =
                    hmac_algorithm(alg).ok_or(KeyError::NotForAlgorithm { alg: alg.name() })?;
                let key = Box::new(hmac::Key::new(algorithm, secret));
                return Ok(SignatureVerifier(Inner::Hmac(key)));
            }
        };
        Ok(SignatureVerifier(Inner::Public(parsed)))
    }

    /// The `SubjectPublicKeyInfo` of a public key in DER (RFC 5280 section 4.1.2.7); `None` for a
    /// secret.
    pub fn to_spki_der(&self) -> Option<Vec<u8>> {
        let alg = *self.algs().ok()?.first()?;
        if let Self::Ed448(x) = self {
            return Some([&ED448_SPKI[..], x].concat());
        }
        let verifier = self.verifier(alg).ok()?;
        let parsed = match &verifier.0 {
            Inner::Public(key) => key,
            Inner::Frequent(key) => key.parsed(),
            Inner::Ed448(_) | Inner::Hmac(_) => return None,
        };
        let der = parsed.as_der().ok()?;
        match self {
            Self::RsaPss { alg, .. } => der::to_pss_spki(der.as_ref(), *alg),
            _ => Some(der.as_ref().to_vec()),
        }
    }

    /// The members that define the key, in the order of RFC 7638 section 3, including `kty`.
    pub fn jwk_members(&self) -> Vec<(&'static str, String)> {
        let encode = |bytes: &[u8]| base64url::encode(bytes);
        match self {
            Self::Rsa { n, e } | Self::RsaPss { n, e, .. } => {
                vec![("e", encode(e)), ("kty", "RSA".into()), ("n", encode(n))]
            }
            Self::Ec { curve, point } => {
                let (x, y) = coordinates(*curve, point);
                vec![
                    ("crv", curve.name().into()),
                    ("kty", "EC".into()),
                    ("x", encode(x)),
                    ("y", encode(y)),
                ]
            }
            Self::Ed25519(x) => {
                vec![("crv", "Ed25519".into()), ("kty", "OKP".into()), ("x", encode(x))]
            }
            Self::Ed448(x) => {
                vec![("crv", "Ed448".into()), ("kty", "OKP".into()), ("x", encode(x))]
            }
            Self::Secret(secret) => vec![("k", encode(secret)), ("kty", "oct".into())],
        }
    }

    /// The JWK thumbprint with SHA-256, in base64url (RFC 7638 section 3).
    pub fn thumbprint(&self) -> String {
        let members: Vec<String> = self
            .jwk_members()
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":\"{value}\""))
            .collect();
        let json = format!("{{{}}}", members.join(","));
        base64url::encode(Digest::of(json.as_bytes()).as_bytes())
    }
}

/// Shows the kind of key, never a secret.
impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { n, .. } => write!(f, "RSA {}", bits(n)),
            Self::RsaPss { n, .. } => write!(f, "RSA-PSS {}", bits(n)),
            Self::Ec { curve, .. } => write!(f, "EC {}", curve.name()),
            Self::Ed25519(_) => f.write_str("Ed25519"),
            Self::Ed448(_) => f.write_str("Ed448"),
            Self::Secret(secret) => write!(f, "secret of {} bytes", secret.len()),
        }
    }
}

/// A key parsed for one algorithm: for each token, only the signature itself remains to be checked.
#[derive(Debug)]
pub struct SignatureVerifier(Inner);

#[derive(Debug)]
enum Inner {
    Public(ParsedPublicKey),
    Frequent(Box<FrequentKey>),
    Ed448(Box<ed448::PublicKey>),
    Hmac(Box<hmac::Key>),
}

impl SignatureVerifier {
    fn frequent(key: FrequentKey) -> Self {
        Self(Inner::Frequent(Box::new(key)))
    }

    /// Whether this key made `signature` over `message`. ECDSA signatures have the fixed length of
    /// RFC 7518 section 3.4; HMACs are compared in constant time.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Inner::Public(key) => key.verify_sig(message, signature).is_ok(),
            Inner::Frequent(key) => key.verifies(message, signature),
            Inner::Ed448(key) => key.verifies(message, signature),
            Inner::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

/// The two coordinates of an uncompressed point.
fn coordinates(curve: Curve, point: &[u8]) -> (&[u8], &[u8]) {
    point
        .split_first()
        .and_then(|(_, coordinates)| coordinates.split_at_checked(curve.coordinate_len()))
        .unwrap_or_default()
}

/// The length of a big-endian number in bits.
fn bits(number: &[u8]) -> usize {
    let significant = number.iter().skip_while(|byte| **byte == 0).count();
    let leading = number.iter().find(|byte| **byte != 0).map_or(0, |byte| byte.leading_zeros());
    significant * 8 - leading as usize
}

/// Whether the numbers can be an RSA key (RFC 8017 section 3.1): the modulus is a product of odd
/// primes, and the exponent is odd and at least 3. With an exponent of 1, every message would be
/// its own signature.
fn is_rsa(n: &[u8], e: &[u8]) -> bool {
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    is_odd(n) && is_odd(e) && (2..=MAX_RSA_EXPONENT_BITS).contains(&bits(e))
}

/// Whether an Ed25519 key is one of the points whose order divides 8, in any encoding: for such a
/// key, anyone can sign (RFC 8725 section 3.4, "Validate Cryptographic Inputs").
fn is_of_small_order(x: &[u8]) -> bool {
    // y, little-endian: 0, 1, the two points of order 8, then -1, and 0 and 1 with p added.
    const Y: [[u8; 32]; 7] = [
        [0; 32],
        with_ends(1, 0, 0),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
        with_ends(0xec, 0xff, 0x7f),
        with_ends(0xed, 0xff, 0x7f),
        with_ends(0xee, 0xff, 0x7f),
    ];
    let Some((last, rest)) = x.split_last() else { return true };
    // The highest bit is the sign of the x coordinate.
    Y.iter().any(|y| y.strip_suffix(&[last & 0x7f]) == Some(rest))
}

const fn with_ends(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    let [head, .., tail] = &mut bytes;
    *head = first;
    *tail = last;
    bytes
}

fn rsa_parameters(alg: Alg) -> Option<&'static RsaParameters> {
    match alg {
        Alg::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Alg::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Alg::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Alg::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
        Alg::PS384 => Some(&RSA_PSS_2048_8192_SHA384),
        Alg::PS512 => Some(&RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

pub(crate) fn hmac_algorithm(alg: Alg) -> Option<hmac::Algorithm> {
    match alg {
        Alg::HS256 => Some(hmac::HMAC_SHA256),
        Alg::HS384 => Some(hmac::HMAC_SHA384),
        Alg::HS512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_bits_of_big_endian_numbers() {
        assert_eq!(bits(&[]), 0);
        assert_eq!(bits(&[0, 0]), 0);
        assert_eq!(bits(&[0, 1, 0]), 9);
        assert_eq!(bits(&[0x80; 256]), 2048);
    }

    #[test]
    fn never_prints_a_secret() {
        assert_eq!(format!("{:?}", Material::Secret(b"hunter2".to_vec())), "secret of 7 bytes");
    }

    #[test]
    fn thumbprint_is_that_of_rfc_7638() {
        let n = concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7",
            "aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXA",
            "rwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7",
            "d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lF",
            "d2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        );
        let jwk = format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB","alg":"RS256"}}"#);
        let json = crate::text::json::Json::parse(jwk.as_bytes()).unwrap();
        let key = crate::keys::jwk::parse(json.root()).unwrap();
        assert_eq!(key.material.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
