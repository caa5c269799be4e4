//! The vectors that all parts of the project share (`tests/vectors`), those of the RFCs among them.

use ojwt_core::compact::Jws;
use ojwt_core::{Circumstances, Policy, signature};
use serde_json::Value;

use crate::common::{NOW, key_set, verifier};

fn vectors() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/jws.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn key_file(vector: &Value) -> String {
    vector["pem"].as_str().map_or_else(|| vector["jwks"].to_string(), ToOwned::to_owned)
}

#[test]
fn every_vector_gets_the_answer_that_it_expects() {
    let mut wrong = Vec::new();
    for vector in vectors() {
        let circumstances = Circumstances::new(
            vector["now"].as_i64().unwrap_or(NOW),
            Some(vector["host"].as_str().unwrap_or("example.com").as_bytes()),
        );
        let verifier = verifier(key_set(key_file(&vector)));
        let token = vector["token"].as_str().unwrap();
        let answer = verifier.verify(token.as_bytes(), &circumstances);
        let answer = answer.map_or_else(|denial| denial.to_string(), |_| "ok".to_owned());
        if answer != vector["expect"] {
            wrong.push(format!("{}: {answer}, not {}", vector["name"], vector["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn vectors_without_a_time_are_good_for_a_long_time() {
    // Else they could not be put to a real nginx.
    for vector in vectors().into_iter().filter(|vector| vector["now"].is_null()) {
        let verifier = verifier(key_set(key_file(&vector)));
        let host = Some(vector["host"].as_str().unwrap_or("example.com").as_bytes());
        let answers = [NOW, 4_102_444_799].map(|now| {
            let token = vector["token"].as_str().unwrap();
            verifier.verify(token.as_bytes(), &Circumstances::new(now, host)).err()
        });
        assert_eq!(answers[0], answers[1], "{}", vector["name"]);
    }
}

/// RFC 7515 appendix A.4 and RFC 8037 appendix A.4 sign what is no JSON object.
#[test]
fn the_signatures_of_rfc_examples_are_good_whatever_their_payload() {
    let mut count = 0;
    for vector in vectors() {
        let name = vector["name"].as_str().unwrap();
        if !name.contains("example") || name.contains("tampered") || name.contains("unsecured") {
            continue;
        }
        let token = vector["token"].as_str().unwrap();
        let jws = Jws::split(token.as_bytes(), token.len()).unwrap();
        let keys = key_set(key_file(&vector));
        signature::verify(jws, &[keys.into()], &Policy::default()).unwrap();
        count += 1;
    }
    assert_eq!(count, 11);
}
