//! Wycheproof's JSON Web Signatures, Encryption and Keys
//! (`tests/data/vectors/wycheproof_jose.json`).
//!
//! They sign and enclose `foo` and the like, which is no claims: so each is judged by its signature
//! or its encryption, and then once more as a gate judges it.

use std::sync::Arc;

use ojwt_core::jose::compact::{Jwe, Jws};
use ojwt_core::text::base64url;
use ojwt_core::token::jwe;
use ojwt_core::token::jws;
use ojwt_core::{Denial, KeySet, KeySetBuilder, TokenType};
use serde_json::Value;

use crate::common::{judge, shared_vectors, verifier};

fn keys(vector: &Value) -> Result<KeySet, String> {
    let mut builder = KeySetBuilder::new();
    builder.add(vector["jwks"].to_string().as_bytes(), None).map_err(|error| error.to_string())?;
    Ok(builder.build().0)
}

/// What the token signs or encloses, if its keys say so.
fn content(vector: &Value, keys: KeySet) -> Result<Vec<u8>, Denial> {
    let token = vector["token"].as_str().unwrap().as_bytes();
    let keys = [Arc::new(keys)];
    if vector["type"].is_string() {
        return jwe::decrypt(&Jwe::split(token, token.len())?, &keys)?.into_enclosed();
    }
    jws::verify(Jws::split(token, token.len())?, None, &keys, |_| true)?;
    let payload = token.split(|byte| *byte == b'.').nth(1).unwrap();
    Ok(base64url::decode(payload).unwrap())
}

#[test]
fn verdicts_are_those_of_wycheproof_but_for_reviewed_differences() {
    let vectors = shared_vectors("wycheproof_jose.json");
    assert_eq!(vectors.len(), 193);
    let (mut good, mut bad, mut different) = (0, 0, 0);
    for vector in &vectors {
        let found = keys(vector).ok().and_then(|keys| content(vector, keys).ok());
        let is_valid = vector["result"] == "valid";
        if vector["difference"].is_string() {
            assert_ne!(found.is_some(), is_valid, "no difference: {}", vector["name"]);
            different += 1;
        } else if is_valid {
            let content = vector["content"].as_str().unwrap().as_bytes();
            assert_eq!(found.as_deref(), Some(content), "{}", vector["name"]);
            good += 1;
        } else {
            assert_eq!(found, None, "{}", vector["name"]);
            bad += 1;
        }
    }
    assert_eq!((good, bad, different), (25, 156, 12));
}

/// `expect` is the gate's answer or, where no gate takes the keys, why not.
#[test]
fn gates_answer_each_with_the_reason_that_fits() {
    let mut wrong = Vec::new();
    for vector in shared_vectors("wycheproof_jose.json") {
        let answer = match keys(&vector) {
            Err(error) => format!("keys refused: {error}"),
            Ok(keys) => {
                let mut gate = verifier(keys);
                if vector["type"].is_string() {
                    gate.token_type = TokenType::Encrypted;
                }
                judge(&gate, vector["token"].as_str().unwrap()).unwrap_err().to_string()
            }
        };
        let expect = vector["expect"].as_str().unwrap();
        let is_reason =
            answer.strip_prefix(expect).is_some_and(|more| more.starts_with(": key 0: "));
        if answer != expect && !is_reason {
            wrong.push(format!("{}: {answer}, not {}", vector["name"], vector["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
