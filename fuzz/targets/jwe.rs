//! Encrypted tokens: any bytes, and tokens that are well encrypted whose header and content are
//! any.
//!
//! A token as it is, or: two bytes for the algorithms, a line of further header parameters, the
//! content.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use ojwt_core::issue::encrypt::encrypt_with_header;
use ojwt_core::keys::material::Material;
use ojwt_core::text::base64url;
use ojwt_core::{Alg, Circumstances, Denial, Enc, KeyAlg, KeySet, TokenType};
use ojwt_fuzz::heap::within;
use ojwt_fuzz::reference::{self, At, Refused};
use ojwt_fuzz::{SIGNERS, jwk, key_set, line, memory_for, verifier};
use serde_json::{Map, Value, json};

const ENCS: [Enc; 6] = [
    Enc::A128CbcHs256,
    Enc::A192CbcHs384,
    Enc::A256CbcHs512,
    Enc::A128Gcm,
    Enc::A192Gcm,
    Enc::A256Gcm,
];

fn secret(length: usize) -> Vec<u8> {
    vec![0x5a; length]
}

static KEYS: LazyLock<[Arc<KeySet>; 1]> = LazyLock::new(|| {
    let private: Value =
        serde_json::from_slice(include_bytes!("../../tests/data/rsa.private.jwk")).unwrap();
    let mut keys = vec![jwk(&SIGNERS[0].1, None)];
    for alg in KeyAlg::ALL {
        let mut key = match alg.secret_len() {
            Some(length) => json!({"kty": "oct", "k": base64url::encode(&secret(length))}),
            None => private.clone(),
        };
        key["use"] = "enc".into();
        key["alg"] = match alg {
            KeyAlg::Dir(enc) => enc.name().into(),
            alg => alg.name().into(),
        };
        keys.push(key);
    }
    [key_set(json!({ "keys": keys }).to_string().as_bytes())]
});

/// The public half of the pair that decrypts.
static RSA: LazyLock<Material> = LazyLock::new(|| {
    let file = include_bytes!("../../tests/data/rsa.private.jwk");
    ojwt_core::issue::sign::SigningKey::read(file).unwrap().material().unwrap()
});

fuzz_target!(|data: &[u8]| {
    let (keys, at) = (&*KEYS, Circumstances::new(1_700_000_000, Some(b"example.com")));
    for token_type in [TokenType::Encrypted, TokenType::Nested] {
        // Nobody guesses a tag.
        let judge = || verifier(token_type).verify(data, keys, &at);
        let verdict = within(memory_for(data.len()), judge);
        assert!(!matches!(verdict, Err(Denial::NoKey | Denial::InternalError)));
    }
    let [alg, enc, rest @ ..] = data else { return };
    let alg = KeyAlg::ALL[usize::from(*alg) % KeyAlg::ALL.len()];
    let enc = match alg {
        KeyAlg::Dir(enc) => enc,
        _ => ENCS[usize::from(*enc) % ENCS.len()],
    };
    let (more, content) = line(rest);
    let mut header: Map<String, Value> = serde_json::from_slice(more).unwrap_or_default();
    header.insert("alg".into(), alg.name().into());
    header.insert("enc".into(), enc.name().into());
    let is_plain =
        ["kid", "typ", "cty"].iter().all(|name| header.get(*name).is_none_or(Value::is_string))
            && !header.contains_key("crit")
            && !header.contains_key("zip")
            && reference::json(Value::from(header.clone()).to_string().as_bytes()).is_ok();
    let secret = alg.secret_len().map(|length| Material::Secret(secret(length)));
    let key = secret.as_ref().unwrap_or(&RSA);
    let encrypted = |content: &[u8], header: &Map<String, Value>| {
        encrypt_with_header(content, key, alg, enc, header.clone()).unwrap()
    };
    let expected = reference::claims(
        content,
        At { now: 1_700_000_000, leeway: 0, host: Some(b"example.com") },
    );

    let token = encrypted(content, &header);
    let is_short = |token: &str| token.len() <= verifier(TokenType::Encrypted).max_token_size;
    let judge = || verifier(TokenType::Encrypted).verify(token.as_bytes(), keys, &at);
    let verdict = within(memory_for(token.len()), judge);
    if expected != Err(Refused::Unknown) {
        assert_eq!(
            verdict.is_ok(),
            is_plain && expected.is_ok() && is_short(&token),
            "{verdict:?}"
        );
    }

    let jws = SIGNERS[0].1.sign(Alg::HS256, None, content).unwrap();
    let token = encrypted(jws.as_bytes(), &header);
    let is_jwt = header
        .get("cty")
        .is_none_or(|cty| cty.as_str().is_some_and(|cty| cty.eq_ignore_ascii_case("JWT")));
    let judge = || verifier(TokenType::Nested).verify(token.as_bytes(), keys, &at);
    let verdict = within(memory_for(token.len()), judge);
    if expected != Err(Refused::Unknown) {
        let is_good = is_plain && is_jwt && expected.is_ok() && is_short(&token);
        assert_eq!(verdict.is_ok(), is_good, "{verdict:?}");
    }
});
