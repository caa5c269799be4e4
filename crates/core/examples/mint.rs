//! Makes the token that each line of standard input describes, and prints it on a line.
//!
//! A line is `{"key": FILE, "alg": "ES256", "kid": "a", "claims": {...}}`, for a signed token; with
//! `"secret": FILE` it is encrypted by that secret, and without `"key"` it is encrypted alone.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufWriter, Write as _, stdin, stdout};

use ojwt_core::issue::encrypt::encrypt;
use ojwt_core::issue::sign::SigningKey;
use ojwt_core::keys::material::Material;
use ojwt_core::{Alg, Enc, KeyAlg};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(stdout().lock());
    for line in stdin().lock().lines() {
        writeln!(out, "{}", token(&serde_json::from_str(&line?)?)?)?;
    }
    out.flush()?;
    Ok(())
}

fn token(line: &Value) -> Result<String, Box<dyn Error>> {
    let text = |name: &str| line.get(name).and_then(Value::as_str);
    let claims = line.get("claims").ok_or("no claims")?.to_string();
    let signed = match text("key") {
        Some(file) => {
            let alg = text("alg").and_then(Alg::from_name).ok_or("no such algorithm")?;
            let key = SigningKey::read(&fs::read(file)?)?;
            Some(key.sign(alg, text("kid"), claims.as_bytes())?)
        }
        None => None,
    };
    let Some(secret) = text("secret") else { return Ok(signed.ok_or("no key")?) };
    let secret = Material::Secret(fs::read(secret)?);
    let (plain, cty) = match &signed {
        Some(signed) => (signed, Some("JWT")),
        None => (&claims, None),
    };
    Ok(encrypt(plain.as_bytes(), &secret, KeyAlg::A256Kw, Enc::A128CbcHs256, Some("secret"), cty)?)
}
