//! The vectors that all parts of the project share (`tests/data/vectors`), those of the RFCs among
//! them.

use ojwt_core::{Alg, Circumstances, Enc, KeyAlg, TokenType};
use serde_json::Value;

use crate::common::{NOW, Verifier, key_set, shared_vectors, verifier};

const FILES: [&str; 3] = ["jws.json", "jwe.json", "rfc.json"];

/// A gate as the vector has it.
fn gate(vector: &Value) -> Verifier {
    let keys = vector["pem"].as_str().map_or_else(|| vector["jwks"].to_string(), ToOwned::to_owned);
    let mut gate = verifier(key_set(keys));
    gate.token_type = match vector["type"].as_str() {
        None | Some("signed") => TokenType::Signed,
        Some("encrypted") => TokenType::Encrypted,
        Some("nested") => TokenType::Nested,
        Some(other) => panic!("{other}"),
    };
    gate
}

#[test]
fn every_vector_gets_the_answer_that_it_expects() {
    let mut wrong = Vec::new();
    for vector in FILES.into_iter().flat_map(shared_vectors) {
        let circumstances = Circumstances::new(
            vector["now"].as_i64().unwrap_or(NOW),
            Some(vector["host"].as_str().unwrap_or("example.com").as_bytes()),
        );
        let token = vector["token"].as_str().unwrap();
        let answer = gate(&vector).verify(token.as_bytes(), &circumstances);
        let answer = answer.map_or_else(|denial| denial.to_string(), |_| "ok".to_owned());
        if answer != vector["expect"] {
            wrong.push(format!("{}: {answer}, not {}", vector["name"], vector["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each made by an implementation that is not ours, and one of which something was changed.
#[test]
fn every_algorithm_has_tokens_of_other_implementations_and_their_tampered_twins() {
    let expectations = |vectors: &[Value], prefix: &str, libraries: &[&str]| {
        let of_prefix = vectors.iter().filter(|vector| {
            let (name, source) = (vector["name"].as_str(), vector["source"].as_str().unwrap());
            name.unwrap().starts_with(prefix)
                && libraries.iter().any(|library| source.starts_with(library))
        });
        of_prefix.map(|vector| vector["expect"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let signed = shared_vectors("jws.json");
    for name in Alg::ALL.iter().map(|alg| alg.name()).chain(["EdDSA with Ed448"]) {
        for library in ["PyJWT", "jwcrypto"] {
            let found = expectations(&signed, &format!("{name} by "), &[library]);
            let expected = ["ok", "signature mismatch", "signature mismatch"];
            assert_eq!(found, expected, "{name} {library}");
        }
    }
    let encrypted = shared_vectors("jwe.json");
    for alg in KeyAlg::ALL {
        let encs: Vec<Enc> = match alg {
            KeyAlg::Dir(enc) => vec![enc],
            _ => Enc::ALL.to_vec(),
        };
        for enc in encs {
            let libraries = ["jwcrypto", "cryptography"];
            let found = expectations(&encrypted, &format!("{alg} with {enc}"), &libraries);
            assert_eq!(found, ["ok", "decryption failed"], "{alg} {enc}");
        }
    }
}

#[test]
fn vectors_without_a_time_are_good_for_a_long_time() {
    // Else they could not be put to a real nginx.
    for vector in
        FILES.into_iter().flat_map(shared_vectors).filter(|vector| vector["now"].is_null())
    {
        let gate = gate(&vector);
        let host = Some(vector["host"].as_str().unwrap_or("example.com").as_bytes());
        let answers = [NOW, 4_102_444_799].map(|now| {
            let token = vector["token"].as_str().unwrap();
            gate.verify(token.as_bytes(), &Circumstances::new(now, host)).err()
        });
        assert_eq!(answers[0], answers[1], "{}", vector["name"]);
    }
}
