//! Keys, tokens and verifiers in one line each.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use ojwt_core::issue::sign::{self, SigningKey};
use ojwt_core::keys::material::Material;
use ojwt_core::{Alg, Circumstances, Claims, Denial, KeySet, KeySetBuilder, Policy, TokenType};
use serde_json::{Value, json};

/// When every token of the suite is presented, unless its test says otherwise.
pub(crate) const NOW: i64 = 1_700_000_000;

/// A payload that is good now and for long.
pub(crate) const PAYLOAD: &[u8] = br#"{"sub":"alice","exp":4102444800}"#;

/// The sort of key that algorithms share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsa,
    P256,
    P384,
    P521,
    Secp256k1,
    Ed25519,
    Ed448,
    Secret,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Rsa,
        Self::P256,
        Self::P384,
        Self::P521,
        Self::Secp256k1,
        Self::Ed25519,
        Self::Ed448,
        Self::Secret,
    ];

    pub(crate) fn of(alg: Alg) -> Self {
        match alg {
            Alg::HS256 | Alg::HS384 | Alg::HS512 => Self::Secret,
            Alg::RS256 | Alg::RS384 | Alg::RS512 | Alg::PS256 | Alg::PS384 | Alg::PS512 => {
                Self::Rsa
            }
            Alg::ES256 => Self::P256,
            Alg::ES384 => Self::P384,
            Alg::ES512 => Self::P521,
            Alg::ES256K => Self::Secp256k1,
            Alg::EdDSA | Alg::Ed25519 => Self::Ed25519,
            Alg::Ed448 => Self::Ed448,
        }
    }

    /// The issuer's key of this kind, always the same.
    pub(crate) fn key(self) -> SigningKey {
        let file = match self {
            Self::Rsa => data("rsa.pem"),
            Self::P256 => data("ec_prime256v1.pem"),
            Self::P384 => data("ec_secp384r1.pem"),
            Self::P521 => data("ec_secp521r1.pem"),
            Self::Secp256k1 => data("ec_secp256k1.pem"),
            Self::Ed25519 => data("ed25519.pem"),
            Self::Ed448 => data("ed448.pem"),
            Self::Secret => json!({"kty": "oct", "k": ojwt_core::text::base64url::encode(&SECRET)})
                .to_string()
                .into_bytes(),
        };
        SigningKey::read(&file).unwrap()
    }

    pub(crate) fn material(self) -> Material {
        self.key().material().unwrap()
    }
}

pub(crate) const SECRET: [u8; 64] = [0x5a; 64];

/// A file of `tests/data`.
pub(crate) fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The vectors of a file that all parts of the project share (`tests/data/vectors`).
pub(crate) fn shared_vectors(name: &str) -> Vec<Value> {
    let path = format!("{}/../../tests/data/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Hexadecimal digits, as bytes.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let pair = |i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(pair).collect()
}

/// The issuer's key for `alg`.
pub(crate) fn key(alg: Alg) -> SigningKey {
    Kind::of(alg).key()
}

/// A good token.
pub(crate) fn token(alg: Alg) -> String {
    key(alg).sign(alg, None, PAYLOAD).unwrap()
}

/// A JWK of the issuer's key for `alg`, without `alg`, `kid` or `use`.
pub(crate) fn bare_jwk(alg: Alg) -> Value {
    let mut jwk = sign::to_jwk(&Kind::of(alg).material(), None, None);
    jwk.as_object_mut().unwrap().remove("use");
    jwk
}

/// `object` with the members of `more` set.
pub(crate) fn with(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// A key set of a file whose format is guessed.
pub(crate) fn key_set(file: impl AsRef<[u8]>) -> KeySet {
    let mut builder = KeySetBuilder::new();
    builder.add(file.as_ref(), None).unwrap();
    builder.build().0
}

/// A key set of JWKs.
pub(crate) fn jwks(keys: &[Value]) -> KeySet {
    key_set(json!({ "keys": keys }).to_string())
}

/// A verifier of the issuer's key for `alg`, which the key does not restrict to `alg`.
pub(crate) fn verifier_for(alg: Alg) -> Verifier {
    verifier(jwks(&[bare_jwk(alg)]))
}

/// A verifier of the issuer's keys of every kind.
pub(crate) fn verifier_of_all_kinds() -> Verifier {
    let keys: Vec<Value> =
        Kind::ALL.into_iter().map(|kind| sign::to_jwk(&kind.material(), None, None)).collect();
    verifier(jwks(&keys))
}

/// A verifier and the keys that it judges by.
#[derive(Debug)]
pub(crate) struct Verifier {
    rules: ojwt_core::Verifier,
    keys: [Arc<KeySet>; 1],
}

impl Verifier {
    pub(crate) fn verify(&self, token: &[u8], at: &Circumstances<'_>) -> Result<Claims, Denial> {
        self.rules.verify(token, &self.keys, at)
    }

    /// Judges by other keys.
    pub(crate) fn verify_by(&self, token: &[u8], keys: &[Arc<KeySet>]) -> Result<Claims, Denial> {
        self.rules.verify(token, keys, &here_and_now())
    }
}

impl Deref for Verifier {
    type Target = ojwt_core::Verifier;

    fn deref(&self) -> &Self::Target {
        &self.rules
    }
}

impl DerefMut for Verifier {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.rules
    }
}

pub(crate) fn verifier(keys: KeySet) -> Verifier {
    let max_token_size = ojwt_core::verify::DEFAULT_MAX_TOKEN_SIZE;
    let rules = ojwt_core::Verifier {
        policy: Policy::default(),
        token_type: TokenType::Signed,
        max_token_size,
    };
    Verifier { rules, keys: [keys.into()] }
}

/// `token` as `example.com` gets it now.
pub(crate) fn judge(verifier: &Verifier, token: impl AsRef<[u8]>) -> Result<Claims, Denial> {
    verifier.verify(token.as_ref(), &here_and_now())
}

/// Why `token` is refused here and now.
pub(crate) fn refusal(verifier: &Verifier, token: impl AsRef<[u8]>) -> Denial {
    match judge(verifier, token) {
        Ok(claims) => panic!("accepted: {}", claims.as_json()),
        Err(denial) => denial,
    }
}

pub(crate) fn here_and_now() -> Circumstances<'static> {
    Circumstances::new(NOW, Some(b"example.com"))
}

/// A token of three parts as given, none of them encoded yet.
pub(crate) fn assemble(header: &[u8], payload: &[u8], signature: &[u8]) -> String {
    [header, payload, signature].map(ojwt_core::text::base64url::encode).join(".")
}

/// The encoded parts of a token.
pub(crate) fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// `token` with its signature changed.
pub(crate) fn with_signature(token: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let [header, payload, signature] = parts(token);
    let signature = change(ojwt_core::text::base64url::decode(signature.as_bytes()).unwrap());
    format!("{header}.{payload}.{}", ojwt_core::text::base64url::encode(&signature))
}

/// Base64url of text or bytes.
pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    ojwt_core::text::base64url::encode(bytes.as_ref())
}
