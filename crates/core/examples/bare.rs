//! What a verification alone costs here.
//!
//! `cargo run --release -p ojwt-core --example bare [MILLISECONDS]` prints a line for each
//! algorithm: its name, and nanoseconds a verification with a key that is parsed once, by AWS-LC
//! and by ojwt.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey, VerificationAlgorithm,
};
use ojwt_core::Alg;
use ojwt_core::keys::Curve;
use ojwt_core::keys::material::Material;

/// As long as what a small token has signed.
const MESSAGE: &[u8] = &[b'e'; 150];

fn main() -> Result<(), Box<dyn Error>> {
    let millis = std::env::args().nth(1).map_or(Ok(500), |word| word.parse())?;
    let span = Duration::from_millis(millis);
    let random = SystemRandom::new();

    let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&signature::RSA_PKCS1_SHA256, &random, MESSAGE, &mut signature)?;
    let algorithm = &signature::RSA_PKCS1_2048_8192_SHA256;
    let ours = Material::rsa_from_der(pair.public_key().as_ref())?;
    public(Alg::RS256, span, algorithm, &pair, &ours, &signature)?;

    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let signature = pair.sign(&random, MESSAGE)?;
    let algorithm = &signature::ECDSA_P256_SHA256_FIXED;
    let ours = Material::Ec { curve: Curve::P256, point: pair.public_key().as_ref().to_vec() };
    public(Alg::ES256, span, algorithm, &pair, &ours, signature.as_ref())?;

    let pair = Ed25519KeyPair::generate()?;
    let signature = pair.sign(MESSAGE);
    let ours = Material::Ed25519(pair.public_key().as_ref().to_vec());
    public(Alg::EdDSA, span, &signature::ED25519, &pair, &ours, signature.as_ref())?;

    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let tag = hmac::sign(&key, MESSAGE);
    let bare = time(span, || hmac::verify(&key, black_box(MESSAGE), tag.as_ref()).is_ok())?;
    let ours = Material::secret(vec![7; 32])?.verifier(Alg::HS256)?;
    let ours = time(span, || ours.verifies(black_box(MESSAGE), tag.as_ref()))?;
    println!("HS256 {bare:.0} {ours:.0}");
    Ok(())
}

fn public(
    alg: Alg,
    span: Duration,
    algorithm: &'static dyn VerificationAlgorithm,
    pair: &impl KeyPair,
    ours: &Material,
    signature: &[u8],
) -> Result<(), Box<dyn Error>> {
    let key = ParsedPublicKey::new(algorithm, pair.public_key())?;
    let bare = time(span, || key.verify_sig(black_box(MESSAGE), signature).is_ok())?;
    let ours = ours.verifier(alg)?;
    let ours = time(span, || ours.verifies(black_box(MESSAGE), signature))?;
    println!("{} {bare:.0} {ours:.0}", alg.name());
    Ok(())
}

/// Nanoseconds a verification, in the fastest of five batches: what disturbs a machine only ever
/// adds.
fn time(span: Duration, verify: impl Fn() -> bool) -> Result<f64, Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let (start, mut count) = (Instant::now(), 0_u32);
        while start.elapsed() < span / 5 {
            for _ in 0..100 {
                if !verify() {
                    return Err("a good signature is refused".into());
                }
            }
            count += 100;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(count));
    }
    Ok(best)
}
