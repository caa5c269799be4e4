//! The public key that is embedded when the module is built.

use std::process::Command;

use serde_json::json;

use crate::harness::{FORGER, Module, Nginx, data, public_pem, root, signed_by, token};

#[test]
fn serves_where_no_directive_names_a_key() {
    let nginx = Nginx::builder()
        .module(Module::Embedded)
        .server("location / { return 200 $decoded_ojwt; }")
        .start();
    assert_eq!(nginx.get(&format!("/?jwt={}", token(json!({})))).body, "{}");
    let forged = signed_by(&FORGER, &json!({}));
    assert_eq!(nginx.get(&format!("/?jwt={forged}")).body, "failed: signature mismatch");
}

#[test]
fn gives_way_to_auth_jwt_key_file() {
    let nginx = Nginx::builder()
        .module(Module::Embedded)
        .file("other.pem", public_pem(&FORGER))
        .server(
            "location /file { auth_jwt_key_file other.pem; return 200 $decoded_ojwt; }
             location / { return 200 $decoded_ojwt; }",
        )
        .start();
    let (ours, others) = (token(json!({})), signed_by(&FORGER, &json!({})));
    assert_eq!(nginx.get(&format!("/file?jwt={others}")).body, "{}");
    assert_eq!(nginx.get(&format!("/file?jwt={ours}")).body, "failed: signature mismatch");
    assert_eq!(nginx.get(&format!("/?jwt={ours}")).body, "{}");
}

#[test]
fn private_key_is_never_embedded() {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--package", "ojwt"])
        .current_dir(root())
        .env("OJWT_PUBLIC_KEY", data("rsa.pem"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("is a private key: it must never leave its owner"), "{text}");
}
