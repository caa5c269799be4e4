//! The tokens of `tests/data/vectors`, put to a real nginx.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::harness::{Nginx, data};

/// Why no gate takes the keys of a vector, in its `expect`.
const REFUSED: &str = "keys refused: ";

/// The vectors of every file, but for those with a time of their own, which are for the core.
fn vectors() -> Vec<Value> {
    let files = ["jws.json", "jwe.json", "rfc.json", "wycheproof_jose.json"];
    let read = |name: &str| -> Vec<Value> {
        let file = fs::read(data("vectors").join(name)).unwrap();
        serde_json::from_slice(&file).unwrap()
    };
    files.into_iter().flat_map(read).filter(|vector| vector.get("now").is_none()).collect()
}

fn key_of(vector: &Value) -> String {
    match vector.get("pem") {
        Some(pem) => pem.as_str().unwrap().to_owned(),
        None => vector["jwks"].to_string(),
    }
}

fn expected(vector: &Value) -> &str {
    vector["expect"].as_str().unwrap()
}

#[test]
fn tokens_of_the_vectors_get_the_same_answer_as_from_the_core() {
    let vectors = vectors();
    let vectors: Vec<&Value> =
        vectors.iter().filter(|vector| !expected(vector).starts_with(REFUSED)).collect();
    assert!(vectors.len() > 650, "{}", vectors.len());

    let gate_of = |vector: &Value| {
        let token_type = vector.get("type").and_then(Value::as_str).unwrap_or("signed");
        (key_of(vector), token_type.to_owned())
    };
    let mut gates: Vec<(String, String)> = vectors.iter().map(|vector| gate_of(vector)).collect();
    gates.sort();
    gates.dedup();

    let mut builder = Nginx::builder().http("large_client_header_buffers 4 64k;");
    let mut server = String::new();
    for (index, (key, token_type)) in gates.iter().enumerate() {
        builder = builder.file(&format!("key{index}"), key.as_str());
        writeln!(
            server,
            "location = /{index} {{
                 auth_jwt_key_file key{index}; auth_jwt_type {token_type};
                 return 200 $decoded_ojwt;
             }}"
        )
        .unwrap();
    }
    let nginx = builder.server(&server).start();
    for vector in vectors {
        let index = gates.binary_search(&gate_of(vector)).unwrap();
        let host = vector.get("host").and_then(Value::as_str).unwrap_or("example.com");
        let token = vector["token"].as_str().unwrap();
        let header = format!("Api-Key: {token}");
        let body = nginx.get_with(&format!("/{index}"), &[&format!("Host: {host}"), &header]).body;
        let answer = match body.strip_prefix("failed: ") {
            Some(reason) => reason,
            None if body.starts_with('{') => "ok",
            None => &body,
        };
        // An empty header is none.
        let expected = if token.is_empty() { "no token" } else { expected(vector) };
        assert_eq!(answer, expected, "{}", vector["name"]);
    }
}

#[test]
fn keys_of_the_vectors_that_no_gate_takes_are_refused_with_the_reason() {
    let vectors = vectors();
    let refused: BTreeMap<String, &str> = vectors
        .iter()
        .filter_map(|vector| Some((key_of(vector), expected(vector).strip_prefix(REFUSED)?)))
        .collect();
    assert_eq!(refused.len(), 23);
    for (key, reason) in refused {
        let server = "location / { auth_jwt_key_file broken.jwks; return 200 $decoded_ojwt; }";
        Nginx::builder().file("broken.jwks", key).server(server).refuses(reason);
    }
}
