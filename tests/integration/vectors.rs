//! The tokens of `tests/vectors`, put to a real nginx.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::harness::{Nginx, root};

#[test]
fn tokens_of_the_vectors_get_the_same_answer_as_from_the_core() {
    let read = |name: &str| -> Vec<Value> {
        let file = fs::read(root().join("tests/vectors").join(name)).unwrap();
        serde_json::from_slice(&file).unwrap()
    };
    let vectors: Vec<Value> = ["jws.json", "jwe.json"].into_iter().flat_map(read).collect();
    // Those with a time of their own are for the core.
    let vectors: Vec<&Value> =
        vectors.iter().filter(|vector| vector.get("now").is_none()).collect();
    assert!(vectors.len() > 400, "{}", vectors.len());

    let key_of = |vector: &Value| match vector.get("pem") {
        Some(pem) => pem.as_str().unwrap().to_owned(),
        None => vector["jwks"].to_string(),
    };
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
