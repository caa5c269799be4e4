//! What the fuzz targets share: keys, a [`reference`] to agree with, and a bound for memory.

pub mod heap;
pub mod reference;

use std::sync::{Arc, LazyLock};

use ojwt_core::issue::sign::{self, SigningKey};
use ojwt_core::verify::DEFAULT_MAX_TOKEN_SIZE;
use ojwt_core::{KeySet, KeySetBuilder, Policy, TokenType, Verifier};

/// The keys that tokens are signed with, and their names.
pub static SIGNERS: LazyLock<Vec<(&str, SigningKey)>> = LazyLock::new(|| {
    macro_rules! data {
        ($name:literal) => {
            SigningKey::read(include_bytes!(concat!("../../tests/data/", $name))).unwrap()
        };
    }
    vec![
        ("secret", SigningKey::from_secret(vec![0x5a; 64]).unwrap()),
        ("rsa", data!("rsa.pem")),
        ("p256", data!("ec_prime256v1.pem")),
        ("p384", data!("ec_secp384r1.pem")),
        ("p521", data!("ec_secp521r1.pem")),
        ("k1", data!("ec_secp256k1.pem")),
        ("ed25519", data!("ed25519.pem")),
        ("ed448", data!("ed448.pem")),
    ]
});

/// The JWK of a signer, for every algorithm that it has.
pub fn jwk(signer: &SigningKey, kid: Option<&str>) -> serde_json::Value {
    sign::to_jwk(&signer.material().unwrap(), kid, None)
}

/// The keys of a file whose format is guessed.
pub fn key_set(file: &[u8]) -> Arc<KeySet> {
    let mut builder = KeySetBuilder::new();
    builder.add(file, None).unwrap();
    Arc::new(builder.build().0)
}

/// A verifier that asks for no more than each does.
pub fn verifier(token_type: TokenType) -> Verifier {
    Verifier { policy: Policy::default(), token_type, max_token_size: DEFAULT_MAX_TOKEN_SIZE }
}

/// How much memory may be held to judge a token, or to read JSON, of this length.
pub fn memory_for(length: usize) -> usize {
    16 * 1024 + 64 * length
}

/// The text until the next line feed, and what follows it.
pub fn line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[]),
    }
}
