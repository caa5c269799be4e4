//! Makes many tokens, faster than a process for each: `tokens KEY ALG COUNT EXP [FILLER [KID]]`.
//!
//! Each line is a token of its own: its message holds its number; FILLER is how many bytes it has
//! more. One that names its key by KID has a `jti`, too.

use std::error::Error;
use std::io::{BufWriter, Write as _, stdout};

use ojwt_core::Alg;
use ojwt_core::issue::sign::SigningKey;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [key, alg, count, exp, rest @ ..] = words.as_slice() else {
        return Err("usage: tokens KEY ALG COUNT EXP [FILLER [KID]]".into());
    };
    let key = SigningKey::read(&std::fs::read(key)?)?;
    let alg = Alg::from_name(alg).ok_or("no such algorithm")?;
    let exp: u64 = exp.parse()?;
    let filler = match rest {
        [length, ..] if length != "0" => {
            format!(r#","filler":"{}""#, "x".repeat(length.parse()?))
        }
        _ => String::new(),
    };
    let kid = rest.get(1).map(String::as_str);
    let mut out = BufWriter::new(stdout().lock());
    for number in 0..count.parse::<u32>()? {
        let jti = kid.map(|_| format!(r#","jti":"token {number:06}""#)).unwrap_or_default();
        let claims = format!(
            r#"{{"message":"message {number:06}","host":"example.com","exp":{exp}{filler}{jti}}}"#
        );
        writeln!(out, "{}", key.sign(alg, kid, claims.as_bytes())?)?;
    }
    out.flush()?;
    Ok(())
}
