//! The tokens of `tests/vectors/jws.json`, put to a real nginx.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::harness::{Nginx, root};

#[test]
fn tokens_of_the_vectors_get_the_same_answer_as_from_the_core() {
    let file = fs::read(root().join("tests/vectors/jws.json")).unwrap();
    let vectors: Vec<Value> = serde_json::from_slice(&file).unwrap();
    // Those with a time of their own are for the core.
    let vectors: Vec<&Value> =
        vectors.iter().filter(|vector| vector.get("now").is_none()).collect();
    assert!(vectors.len() > 50, "{}", vectors.len());

    let key_of = |vector: &Value| match vector.get("pem") {
        Some(pem) => pem.as_str().unwrap().to_owned(),
        None => vector["jwks"].to_string(),
    };
    let mut keys: Vec<String> = vectors.iter().map(|vector| key_of(vector)).collect();
    keys.sort();
    keys.dedup();

    let mut builder = Nginx::builder().http("large_client_header_buffers 4 64k;");
    let mut server = String::new();
    for (index, key) in keys.iter().enumerate() {
        builder = builder.file(&format!("key{index}"), key.as_str());
        writeln!(
            server,
            "location = /{index} {{ auth_jwt_key_file key{index}; return 200 $decoded_ojwt; }}"
        )
        .unwrap();
    }
    let nginx = builder.server(&server).start();
    for vector in vectors {
        let index = keys.binary_search(&key_of(vector)).unwrap();
        let host = vector.get("host").and_then(Value::as_str).unwrap_or("example.com");
        let header = format!("Api-Key: {}", vector["token"].as_str().unwrap());
        let body = nginx.get_with(&format!("/{index}"), &[&format!("Host: {host}"), &header]).body;
        let answer = match body.strip_prefix("failed: ") {
            Some(reason) => reason,
            None if body.starts_with('{') => "ok",
            None => &body,
        };
        assert_eq!(answer, vector["expect"].as_str().unwrap(), "{}", vector["name"]);
    }
}
