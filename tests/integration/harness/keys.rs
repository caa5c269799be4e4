//! Keys and tokens.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use ojwt_core::Alg;
use ojwt_core::issue::sign::SigningKey;
use serde_json::Value;

use super::data;

/// The key whose tokens the gates of the tests trust.
pub static ISSUER: LazyLock<SigningKey> = LazyLock::new(|| key("rsa.pem"));

/// A key that no gate trusts.
pub static FORGER: LazyLock<SigningKey> = LazyLock::new(|| key("other_rsa.pem"));

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
