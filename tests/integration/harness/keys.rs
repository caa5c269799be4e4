//! Keys and tokens.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use ojwt_core::issue::encrypt::encrypt;
use ojwt_core::issue::sign::{SigningKey, to_jwk};
use ojwt_core::keys::material::Material;
use ojwt_core::text::base64url;
use ojwt_core::{Alg, Enc, KeyAlg};
use serde_json::{Value, json};

use super::data;

/// The key whose tokens the gates of the tests trust.
pub static ISSUER: LazyLock<SigningKey> = LazyLock::new(|| key("rsa.pem"));

/// A key that no gate trusts.
pub static FORGER: LazyLock<SigningKey> = LazyLock::new(|| key("attacker_rsa.pem"));

/// A key of `tests/data`.
pub fn key(name: &str) -> SigningKey {
    SigningKey::read(&fs::read(data(name)).unwrap()).unwrap()
}

/// A token of the issuer, RS256.
pub fn token(claims: Value) -> String {
    signed_by(&ISSUER, &claims)
}

/// A token of some RSA key, RS256.
pub fn signed_by(key: &SigningKey, claims: &Value) -> String {
    key.sign(Alg::RS256, None, claims.to_string().as_bytes()).unwrap()
}

/// Parses, says RS256, and is signed by nobody.
pub const GARBAGE: &str = "eyJhbGciOiJSUzI1NiJ9.e30.AA";

/// A JWK Set of these keys, without names.
pub fn jwks(keys: &[&SigningKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|&key| (key, None)).collect();
    named_jwks(&keys)
}

/// A JWK Set of these keys with their names.
pub fn named_jwks(keys: &[(&SigningKey, Option<&str>)]) -> String {
    let jwk = |key: &SigningKey, kid| to_jwk(&key.material().unwrap(), kid, None);
    let keys: Vec<_> = keys.iter().map(|&(key, kid)| jwk(key, kid)).collect();
    json!({ "keys": keys }).to_string()
}

/// A JWK Set of a key whose tokens are trusted, and of the secret that [`encrypted`] encrypts with.
pub fn jwks_with_secret(key: &SigningKey) -> String {
    let public = to_jwk(&key.material().unwrap(), None, None);
    json!({ "keys": [public, secret_jwk()] }).to_string()
}

/// The JWK of the secret that [`encrypted`] encrypts with.
pub fn secret_jwk() -> Value {
    json!({
        "kty": "oct", "use": "enc", "kid": "e", "alg": "A256KW", "k": base64url::encode(&SECRET),
    })
}

/// A token that is encrypted, A256KW and A128CBC-HS256; `cty` is `JWT` if it encloses another.
pub fn encrypted(plaintext: &str, cty: Option<&str>) -> String {
    let key = Material::Secret(SECRET.to_vec());
    encrypt(plaintext.as_bytes(), &key, KeyAlg::A256Kw, Enc::A128CbcHs256, Some("e"), cty).unwrap()
}

const SECRET: [u8; 32] = [7; 32];

/// The public half of a key in PEM.
pub fn public_pem(key: &SigningKey) -> String {
    ojwt_core::issue::sign::public_pem(&key.material().unwrap()).unwrap()
}

/// A key and a certificate for TLS, which nobody but itself vouches for.
pub fn self_signed() -> (Vec<u8>, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let (key, certificate) = (directory.path().join("key"), directory.path().join("certificate"));
    let status = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-subj", "/CN=example.com", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    (fs::read(key).unwrap(), fs::read(certificate).unwrap())
}
