//! `auth_jwt_leeway`: by how much clocks may differ.

use serde_json::json;

use crate::harness::{Nginx, now, refuses_parameters, token};

#[test]
fn widens_exp_and_nbf_by_as_much() {
    let nginx = Nginx::with_server(
        "auth_jwt_leeway 1m;
         location / { return 200 $decoded_ojwt; }
         location /strict { auth_jwt_leeway 0; return 200 $decoded_ojwt; }",
    );
    let verdict = |path: &str, claims: serde_json::Value| {
        let body = nginx.get(&format!("{path}?jwt={}", token(claims))).body;
        if body.starts_with('{') { "ok".to_owned() } else { body }
    };
    for (path, claims, expected) in [
        ("/", json!({"exp": now() - 30}), "ok"),
        ("/", json!({"nbf": now() + 30}), "ok"),
        ("/", json!({"exp": now() - 61}), "failed: token expired"),
        ("/", json!({"nbf": now() + 90}), "failed: token not yet valid"),
        ("/strict", json!({"exp": now() - 30}), "failed: token expired"),
        ("/strict", json!({"nbf": now() + 30}), "failed: token not yet valid"),
    ] {
        assert_eq!(verdict(path, claims.clone()), expected, "{path} {claims}");
    }
}

#[test]
fn default_is_none() {
    let nginx = Nginx::with_location("/", "return 200 $decoded_ojwt;");
    let body = nginx.get(&format!("/?jwt={}", token(json!({"exp": now() - 1})))).body;
    assert_eq!(body, "failed: token expired");
}

#[test]
fn requirement_on_exp_is_compared_exactly_and_stands_for_no_check() {
    let nginx = Nginx::with_server(
        "auth_jwt_leeway 1m;
         location / { auth_jwt_require_claim exp gt $jwt_nowtime; return 200 $decoded_ojwt; }
         location /past { auth_jwt_require_claim exp lt $jwt_nowtime; return 200 $decoded_ojwt; }",
    );
    let verdict = |path: &str, exp: u64| {
        let body = nginx.get(&format!("{path}?jwt={}", token(json!({"exp": exp})))).body;
        if body.starts_with('{') { "ok".to_owned() } else { body }
    };
    assert_eq!(verdict("/", now() + 60), "ok");
    assert_eq!(verdict("/", now() - 30), "failed: claim rejected");
    assert_eq!(verdict("/past", now() - 30), "ok");
    assert_eq!(verdict("/past", now() - 90), "failed: token expired");
}

#[test]
fn largest_leeway_overflows_nothing() {
    let nginx = Nginx::with_server("auth_jwt_leeway 68y; location / { return 200 $decoded_ojwt; }");
    for claims in [json!({"exp": 0}), json!({"exp": -1e308, "nbf": 1e308}), json!({"nbf": 1e308})] {
        let body = nginx.get(&format!("/?jwt={}", token(claims.clone()))).body;
        let expected = match claims.get("exp").and_then(serde_json::Value::as_f64) {
            Some(exp) if exp < -1e300 => "failed: token expired",
            Some(_) => r#"{"exp":0}"#,
            None => "failed: token not yet valid",
        };
        assert_eq!(body, expected);
    }
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_parameters(
        "auth_jwt_leeway",
        &[
            ("", "invalid number of arguments in \"auth_jwt_leeway\" directive"),
            ("soon", "invalid value \"soon\" in \"auth_jwt_leeway\""),
            ("-1", "invalid value \"-1\""),
            ("9999999999999999999999", "invalid value"),
            ("1s; auth_jwt_leeway 2s", "\"auth_jwt_leeway\" directive is duplicate"),
        ],
    );
}
