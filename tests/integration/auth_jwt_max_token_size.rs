//! `auth_jwt_max_token_size`: the longest token that is looked at.

use serde_json::json;

use crate::harness::{Nginx, refuses_parameters, token};

#[test]
fn longer_tokens_are_refused_unread() {
    let small = token(json!({}));
    let nginx = Nginx::with_server(&format!(
        "auth_jwt_max_token_size {};
         location / {{ return 200 $decoded_ojwt; }}
         location /more {{ auth_jwt_max_token_size 1k; return 200 $decoded_ojwt; }}",
        small.len()
    ));
    assert_eq!(nginx.get(&format!("/?jwt={small}")).body, "{}");
    let larger = token(json!({"a": ""}));
    assert_eq!(nginx.get(&format!("/?jwt={larger}")).body, "failed: token too large");
    assert_eq!(nginx.get(&format!("/more?jwt={larger}")).body, r#"{"a":""}"#);
    let garbage = "!".repeat(small.len() + 1);
    assert_eq!(nginx.get(&format!("/?jwt={garbage}")).body, "failed: token too large");
}

#[test]
fn default_is_16_kilobytes() {
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem; large_client_header_buffers 4 64k;")
        .server("location / { return 200 $decoded_ojwt; }")
        .start();
    let sized = |claim: usize| token(json!({"a": "x".repeat(claim)}));
    let fits = sized(11_900);
    assert!(fits.len() <= 16 * 1024 && fits.len() > 16_000);
    assert!(nginx.get(&format!("/?jwt={fits}")).body.starts_with('{'));
    assert_eq!(nginx.get(&format!("/?jwt={}", sized(12_100))).body, "failed: token too large");
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_parameters(
        "auth_jwt_max_token_size",
        &[
            ("", "invalid number of arguments in \"auth_jwt_max_token_size\" directive"),
            ("0", "invalid value \"0\" in \"auth_jwt_max_token_size\""),
            ("big", "invalid value \"big\""),
            ("-1k", "invalid value \"-1k\""),
            (
                "1k; auth_jwt_max_token_size 1k",
                "\"auth_jwt_max_token_size\" directive is duplicate",
            ),
        ],
    );
}
