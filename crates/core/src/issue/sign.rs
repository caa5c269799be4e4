//! Making keys and tokens, for the command line, the Python package and tests.
//!
//! Nothing here is part of the nginx module.

use core::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
    RsaSignatureEncoding,
};
use aws_lc_rs::{hmac, rand};
use serde_json::{Map, Value as JsonValue};

use crate::jose::alg::Alg;
use crate::jose::enc::KeyAlg;
use crate::keys::Curve;
use crate::keys::jwk;
use crate::keys::material::{Material, hmac_algorithm};
use crate::keys::{self, KeyError};
use crate::text::base64url;
use crate::text::json::{Json, Value};

/// The RSA modulus sizes that can be made, in bits.
pub const RSA_BITS: [usize; 4] = [2048, 3072, 4096, 8192];

/// The bytes before an Ed448 key in PKCS#8 in DER (RFC 8410 section 7).
const ED448_PKCS8: [u8; 16] = [
    0x30, 0x47, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x04, 0x3b, 0x04, 0x39,
];

/// A private key or a shared secret.
pub struct SigningKey {
    pair: Pair,
    kid: Option<String>,
    alg: Option<Alg>,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(Curve, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Ed448(Box<ed448_goldilocks::SigningKey>),
    Secret(Vec<u8>),
}

impl SigningKey {
    /// Makes a new key for `alg`; `rsa_bits` is one of [`RSA_BITS`], 2048 if not given.
    ///
    /// # Errors
    ///
    /// [`SignError::RsaBits`] for another size, or for a size with an algorithm that is not an RSA
    /// algorithm; [`SignError::Crypto`] where the system gives no randomness.
    pub fn generate(alg: Alg, rsa_bits: Option<usize>) -> Result<Self, SignError> {
        let crypto = |_| SignError::Crypto;
        let pair = match alg {
            Alg::RS256 | Alg::RS384 | Alg::RS512 | Alg::PS256 | Alg::PS384 | Alg::PS512 => {
                let size = match rsa_bits.unwrap_or(2048) {
                    2048 => KeySize::Rsa2048,
                    3072 => KeySize::Rsa3072,
                    4096 => KeySize::Rsa4096,
                    8192 => KeySize::Rsa8192,
                    bits => return Err(SignError::RsaBits { alg, bits }),
                };
                Pair::Rsa(RsaKeyPair::generate(size).map_err(crypto)?)
            }
            _ if rsa_bits.is_some() => {
                return Err(SignError::RsaBits { alg, bits: rsa_bits.unwrap_or_default() });
            }
            Alg::ES256 | Alg::ES384 | Alg::ES512 | Alg::ES256K => {
                let curve = Curve::ALL
                    .into_iter()
                    .find(|curve| curve.alg() == alg)
                    .ok_or(SignError::Crypto)?;
                Pair::Ec(curve, EcdsaKeyPair::generate(signing(curve)).map_err(crypto)?)
            }
            Alg::EdDSA | Alg::Ed25519 => Pair::Ed25519(Ed25519KeyPair::generate().map_err(crypto)?),
            Alg::Ed448 => {
                let mut seed = [0; 57];
                rand::fill(&mut seed).map_err(crypto)?;
                Pair::Ed448(ed448(&seed).ok_or(SignError::Crypto)?)
            }
            Alg::HS256 | Alg::HS384 | Alg::HS512 => {
                let mut secret = vec![0; 64];
                rand::fill(&mut secret).map_err(crypto)?;
                Pair::Secret(secret)
            }
        };
        Ok(Self { pair, kid: None, alg: None })
    }

    /// Reads a private key in PEM (PKCS#8, PKCS#1 or SEC 1) or a private JWK.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] that says what the file is instead.
    pub fn read(file: &[u8]) -> Result<Self, KeyError> {
        let file = keys::without_byte_order_mark(file);
        if file.trim_ascii_start().first() == Some(&b'{') {
            let json = Json::parse_object(file).map_err(KeyError::Json)?;
            return Self::from_jwk(json.root());
        }
        let blocks = pem::parse_many(file).map_err(|_| KeyError::Encoding("PEM"))?;
        let private = blocks.iter().find(|block| block.tag().ends_with("PRIVATE KEY"));
        match private {
            Some(block) if block.tag() == "ENCRYPTED PRIVATE KEY" => {
                Err(KeyError::Unusable("an encrypted private key; decrypt it first"))
            }
            Some(block) => Self::from_der(block.contents()),
            None if blocks.is_empty() => Err(KeyError::Encoding("a private key in PEM, nor a JWK")),
            None => Err(KeyError::Encoding("a private key")),
        }
    }

    /// Reads a private key in DER: PKCS#8, PKCS#1 or SEC 1.
    ///
    /// # Errors
    ///
    /// [`KeyError::Encoding`], and the errors of [`Material::algs`].
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let rsa = || RsaKeyPair::from_der(der).or_else(|_| RsaKeyPair::from_pkcs8(der));
        let elliptic = || {
            Curve::ALL.into_iter().find_map(|curve| {
                let pair = EcdsaKeyPair::from_private_key_der(signing(curve), der).ok()?;
                Some(Pair::Ec(curve, pair))
            })
        };
        let pair = rsa()
            .map(Pair::Rsa)
            .ok()
            .or_else(elliptic)
            .or_else(|| {
                // RFC 8410 section 7: the public key may be left out of a PKCS#8.
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Pair::Ed25519).ok()
            })
            .or_else(|| ed448(der.strip_prefix(&ED448_PKCS8)?).map(Pair::Ed448))
            .ok_or(KeyError::Encoding("a private key of a kind that is supported"))?;
        let key = Self { pair, kid: None, alg: None };
        key.material()?.algs()?;
        Ok(key)
    }

    /// Takes a shared secret for HMAC.
    ///
    /// # Errors
    ///
    /// The errors of [`Material::secret`] and [`Material::algs`].
    pub fn from_secret(secret: Vec<u8>) -> Result<Self, KeyError> {
        Material::secret(secret.clone())?.algs()?;
        Ok(Self { pair: Pair::Secret(secret), kid: None, alg: None })
    }

    fn from_jwk(value: Value<'_>) -> Result<Self, KeyError> {
        let object = value.as_object().ok_or(KeyError::Encoding("a JWK"))?;
        let public = jwk::parse(value)?;
        if !public.verifies {
            return Err(KeyError::Unusable("a key for encryption, not for signatures"));
        }
        let pair = match &public.material {
            Material::Secret(secret) => {
                public.material.algs()?;
                Pair::Secret(secret.clone())
            }
            _ if !public.has_private_part => return Err(KeyError::Encoding("a private key")),
            Material::Rsa { n, e } | Material::RsaPss { n, e, .. } => {
                let part = |name| jwk::bytes(object, name);
                let pair = RsaKeyPair::from_components(&aws_lc_rs::rsa::KeyPairComponents {
                    public_key: aws_lc_rs::rsa::PublicKeyComponents { n, e },
                    d: part("d")?,
                    p: part("p")?,
                    q: part("q")?,
                    dP: part("dp")?,
                    dQ: part("dq")?,
                    qInv: part("qi")?,
                })
                .map_err(|_| KeyError::Encoding("an RSA private key"))?;
                Pair::Rsa(pair)
            }
            Material::Ec { curve, point } => {
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    signing(*curve),
                    &jwk::bytes(object, "d")?,
                    point,
                )
                .map_err(|_| KeyError::Encoding("an EC private key"))?;
                Pair::Ec(*curve, pair)
            }
            Material::Ed25519(x) => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(&jwk::bytes(object, "d")?, x)
                    .map_err(|_| KeyError::Encoding("an Ed25519 private key"))?;
                Pair::Ed25519(pair)
            }
            Material::Ed448(x) => {
                let key = ed448(&jwk::bytes(object, "d")?)
                    .filter(|key| key.verifying_key().as_bytes()[..] == x[..])
                    .ok_or(KeyError::Encoding("an Ed448 private key"))?;
                Pair::Ed448(key)
            }
        };
        Ok(Self { pair, kid: public.kid, alg: public.alg })
    }

    /// The public half of a key pair, or the shared secret itself.
    ///
    /// # Errors
    ///
    /// [`KeyError::Encoding`] where the public half cannot be obtained from the key.
    pub fn material(&self) -> Result<Material, KeyError> {
        match &self.pair {
            Pair::Rsa(pair) => Material::rsa_from_der(pair.public_key().as_ref()),
            Pair::Ec(curve, pair) => {
                Ok(Material::Ec { curve: *curve, point: pair.public_key().as_ref().to_vec() })
            }
            Pair::Ed25519(pair) => Ok(Material::Ed25519(pair.public_key().as_ref().to_vec())),
            Pair::Ed448(key) => Ok(Material::Ed448(key.verifying_key().as_bytes().to_vec())),
            Pair::Secret(secret) => Ok(Material::Secret(secret.clone())),
        }
    }

    /// `kid` of the JWK that the key came from.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `alg` of the JWK that the key came from: the only one that it is meant for.
    pub fn alg(&self) -> Option<Alg> {
        self.alg
    }

    /// The private key as PKCS#8 in PEM (RFC 5958, RFC 7468 section 10).
    ///
    /// # Errors
    ///
    /// [`SignError::NoPem`] for a shared secret, which has no PEM form.
    pub fn to_pkcs8_pem(&self) -> Result<String, SignError> {
        let crypto = |_| SignError::Crypto;
        let der = match &self.pair {
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(crypto)?;
                der.as_ref().to_vec()
            }
            Pair::Ec(_, pair) => pair.to_pkcs8v1().map_err(crypto)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map_err(crypto)?.as_ref().to_vec(),
            Pair::Ed448(key) => [&ED448_PKCS8[..], &key.to_bytes()].concat(),
            Pair::Secret(_) => return Err(SignError::NoPem),
        };
        Ok(to_pem("PRIVATE KEY", der))
    }

    /// Signs a payload: a compact JWS whose header holds `alg`, `typ` and, if given, `kid`.
    ///
    /// # Errors
    ///
    /// [`SignError::NotForAlgorithm`] where the key cannot make signatures of `alg`.
    pub fn sign(&self, alg: Alg, kid: Option<&str>, payload: &[u8]) -> Result<String, SignError> {
        let mut header = Map::new();
        header.insert("alg".into(), alg.name().into());
        header.insert("typ".into(), "JWT".into());
        if let Some(kid) = kid {
            header.insert("kid".into(), kid.into());
        }
        self.sign_with_header(alg, JsonValue::Object(header).to_string().as_bytes(), payload)
    }

    /// Signs a payload with a header that is used as it is, so that tests can make any header.
    ///
    /// # Errors
    ///
    /// [`SignError::NotForAlgorithm`] where the key cannot make signatures of `alg`.
    pub fn sign_with_header(
        &self,
        alg: Alg,
        header: &[u8],
        payload: &[u8],
    ) -> Result<String, SignError> {
        let input = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
        let signature = self.signature(alg, input.as_bytes())?;
        Ok(format!("{input}.{}", base64url::encode(&signature)))
    }

    fn signature(&self, alg: Alg, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let crypto = |_| SignError::Crypto;
        let wrong = SignError::NotForAlgorithm { alg };
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    rsa_encoding(alg).ok_or(wrong)?,
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )
                .map_err(crypto)?;
                Ok(signature)
            }
            Pair::Ec(curve, pair) if curve.alg() == alg => {
                Ok(pair.sign(&SystemRandom::new(), message).map_err(crypto)?.as_ref().to_vec())
            }
            Pair::Ed25519(pair) if matches!(alg, Alg::EdDSA | Alg::Ed25519) => {
                Ok(pair.sign(message).as_ref().to_vec())
            }
            Pair::Ed448(key) if matches!(alg, Alg::EdDSA | Alg::Ed448) => {
                Ok(key.sign_raw(message).to_bytes().to_vec())
            }
            Pair::Secret(secret) => {
                let algorithm = hmac_algorithm(alg).ok_or(wrong)?;
                let key = hmac::Key::new(algorithm, secret);
                Ok(hmac::sign(&key, message).as_ref().to_vec())
            }
            Pair::Ec(..) | Pair::Ed25519(_) | Pair::Ed448(_) => Err(wrong),
        }
    }
}

/// Shows the kind of key, never the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.material())
    }
}

/// A public key in PEM (`SubjectPublicKeyInfo`); `None` for a secret.
pub fn public_pem(material: &Material) -> Option<String> {
    Some(to_pem("PUBLIC KEY", material.to_spki_der()?))
}

/// The JWK of a key (RFC 7517 section 4).
pub fn to_jwk(material: &Material, kid: Option<&str>, alg: Option<Alg>) -> JsonValue {
    let mut jwk = Map::new();
    for (name, value) in material.jwk_members() {
        jwk.insert(name.to_owned(), value.into());
    }
    jwk.insert("use".into(), "sig".into());
    if let Some(alg) = alg {
        jwk.insert("alg".into(), alg.name().into());
    }
    if let Some(kid) = kid {
        jwk.insert("kid".into(), kid.into());
    }
    JsonValue::Object(jwk)
}

/// Why a key or a token could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignError {
    /// The key cannot make signatures of this algorithm.
    NotForAlgorithm {
        /// The algorithm.
        alg: Alg,
    },
    /// The key cannot encrypt for this algorithm of JWE.
    NotForEncryption {
        /// The algorithm.
        alg: KeyAlg,
    },
    /// RSA keys of this size cannot be made, or a size was given for a key that is not an RSA key.
    RsaBits {
        /// The algorithm that was asked for.
        alg: Alg,
        /// The size that was asked for.
        bits: usize,
    },
    /// A secret has no PEM form.
    NoPem,
    /// The cryptographic library refused.
    Crypto,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForAlgorithm { alg } => write!(f, "the key cannot sign with {alg}"),
            Self::NotForEncryption { alg } => write!(f, "the key cannot encrypt for {alg}"),
            Self::RsaBits { alg, bits } => write!(
                f,
                "no key of {bits} bits for {alg}: RSA keys have 2048, 3072, 4096 or 8192 bits, \
                 other keys have no choice"
            ),
            Self::NoPem => f.write_str("a shared secret has no PEM form"),
            Self::Crypto => f.write_str("the cryptographic library refused"),
        }
    }
}

impl core::error::Error for SignError {}

fn to_pem(label: &str, der: Vec<u8>) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), config)
}

fn ed448(seed: &[u8]) -> Option<Box<ed448_goldilocks::SigningKey>> {
    let seed: [u8; 57] = seed.try_into().ok()?;
    Some(Box::new(ed448_goldilocks::SigningKey::from(ed448_goldilocks::SecretKey::from(seed))))
}

fn signing(curve: Curve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        Curve::Secp256k1 => &ECDSA_P256K1_SHA256_FIXED_SIGNING,
    }
}

fn rsa_encoding(alg: Alg) -> Option<&'static RsaSignatureEncoding> {
    match alg {
        Alg::RS256 => Some(&RSA_PKCS1_SHA256),
        Alg::RS384 => Some(&RSA_PKCS1_SHA384),
        Alg::RS512 => Some(&RSA_PKCS1_SHA512),
        Alg::PS256 => Some(&RSA_PSS_SHA256),
        Alg::PS384 => Some(&RSA_PSS_SHA384),
        Alg::PS512 => Some(&RSA_PSS_SHA512),
        _ => None,
    }
}
