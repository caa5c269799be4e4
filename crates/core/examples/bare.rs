//! What a verification alone costs here: the limit that no gate gets below.
//!
//! `cargo run --release -p ojwt-core --example bare [MILLISECONDS]` prints a line for each algorithm:
//! its name, and nanoseconds a verification with a key that is parsed once.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey, VerificationAlgorithm,
};

/// As long as what a small token has signed.
const MESSAGE: &[u8] = &[b'e'; 150];

fn main() -> Result<(), Box<dyn Error>> {
    let millis = std::env::args().nth(1).map_or(Ok(500), |word| word.parse())?;
    let span = Duration::from_millis(millis);
    let random = SystemRandom::new();

    let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&signature::RSA_PKCS1_SHA256, &random, MESSAGE, &mut signature)?;
    public("RS256", span, &signature::RSA_PKCS1_2048_8192_SHA256, &pair, &signature)?;

    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let signature = pair.sign(&random, MESSAGE)?;
    public("ES256", span, &signature::ECDSA_P256_SHA256_FIXED, &pair, signature.as_ref())?;

    let pair = Ed25519KeyPair::generate()?;
    let signature = pair.sign(MESSAGE);
    public("EdDSA", span, &signature::ED25519, &pair, signature.as_ref())?;

    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let tag = hmac::sign(&key, MESSAGE);
    time("HS256", span, || hmac::verify(&key, black_box(MESSAGE), tag.as_ref()).is_ok())
}

fn public(
    name: &str,
    span: Duration,
    algorithm: &'static dyn VerificationAlgorithm,
    pair: &impl KeyPair,
    signature: &[u8],
) -> Result<(), Box<dyn Error>> {
    let key = ParsedPublicKey::new(algorithm, pair.public_key())?;
    time(name, span, || key.verify_sig(black_box(MESSAGE), signature).is_ok())
}

/// Prints the fastest of five batches: what disturbs a machine only ever adds.
fn time(name: &str, span: Duration, verify: impl Fn() -> bool) -> Result<(), Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let (start, mut count) = (Instant::now(), 0_u32);
        while start.elapsed() < span / 5 {
            for _ in 0..100 {
                if !verify() {
                    return Err(format!("{name}: a good signature is refused").into());
                }
            }
            count += 100;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(count));
    }
    println!("{name} {best:.0}");
    Ok(())
}
