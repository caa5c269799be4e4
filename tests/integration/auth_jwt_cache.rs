//! `auth_jwt_cache`: a remembered token is judged like a new one.

use ojwt_core::Alg;
use serde_json::json;

use crate::harness::{
    FORGER, ISSUER, Nginx, bearer, now, public_pem, refuses_lines, resident, signed_by, token,
};

fn gate(server: &str) -> Nginx {
    Nginx::builder()
        .file("html/page.html", "content")
        .file("keys/a.pem", public_pem(&ISSUER))
        .file("keys/b.pem", public_pem(&FORGER))
        .http("auth_jwt_key_file issuer.pem;")
        .server(&format!("auth_jwt realm; {server}"))
        .start()
}

#[test]
fn remembered_token_expires_on_time() {
    let nginx = gate("location / { try_files /page.html =404; }");
    let jwt = token(json!({"exp": now() + 2}));
    assert_eq!(nginx.get_as("/", &jwt).status, 200);
    assert_eq!(nginx.get_as("/", &jwt).status, 200);
    nginx.wait("the end of the token", || nginx.get_as("/", &jwt).status == 401);
    assert!(nginx.error_log().contains("ojwt: token expired"));
}

#[test]
fn remembered_token_meets_stricter_gates_as_a_new_one_does() {
    let nginx = gate(
        "location / { try_files /page.html =404; }
         location /alg { auth_jwt_algorithms PS256; try_files /page.html =404; }
         location /claim { auth_jwt_require_claim role eq admin; try_files /page.html =404; }
         location /size { auth_jwt_max_token_size 100; try_files /page.html =404; }
         location /type { auth_jwt_type nested; try_files /page.html =404; }
         location /key { auth_jwt_key_file keys/b.pem; try_files /page.html =404; }",
    );
    let jwt = token(json!({"host": "example.com"}));
    for _ in 0..3 {
        assert_eq!(nginx.get_as("/", &jwt).status, 200);
        for path in ["/alg", "/claim", "/size", "/type", "/key"] {
            assert_eq!(nginx.get_as(path, &jwt).status, 401, "{path}");
        }
        let elsewhere = bearer(&jwt);
        assert_eq!(nginx.get_with("/", &["Host: other.example", &elsewhere]).status, 401);
    }
}

#[test]
fn remembered_token_goes_with_its_key() {
    let nginx = gate("location / { auth_jwt_key_file keys/$arg_k; try_files /page.html =404; }");
    let jwt = token(json!({}));
    for _ in 0..3 {
        assert_eq!(nginx.get_as("/?k=a.pem", &jwt).status, 200);
    }
    nginx.write("keys/a.pem", public_pem(&FORGER));
    assert_eq!(nginx.get_as("/?k=a.pem", &jwt).status, 401);
    assert_eq!(nginx.get_as("/?k=a.pem", &signed_by(&FORGER, &json!({}))).status, 200);
    nginx.write("keys/a.pem", public_pem(&ISSUER));
    assert_eq!(nginx.get_as("/?k=a.pem", &jwt).status, 200);
}

#[test]
fn signature_of_a_remembered_token_carries_no_other_claims() {
    let nginx = gate("location / { try_files /page.html =404; }");
    let jwt = token(json!({"sub": "me"}));
    assert_eq!(nginx.get_as("/", &jwt).status, 200);
    let parts: Vec<&str> = jwt.split('.').collect();
    let forged = ojwt_core::text::base64url::encode(br#"{"sub":"is"}"#);
    let forged = format!("{}.{forged}.{}", parts[0], parts[2]);
    for _ in 0..3 {
        assert_eq!(nginx.get_as("/", &forged).status, 401);
        assert_eq!(nginx.get_as("/", &jwt).status, 200);
    }
}

#[test]
fn claims_of_a_remembered_token_are_all_there() {
    for setting in ["", "auth_jwt_cache off;", "auth_jwt_cache 64k;"] {
        let nginx = gate(&format!(
            "{setting} location / {{
                 add_header X-Sub $jwt_claim_sub; add_header X-Alg $jwt_header_alg;
                 add_header X-Claims $jwt_claims; try_files /page.html =404;
             }}"
        ));
        for sub in ["a", "b", "a", "a", "b"] {
            let response = nginx.get_as("/", &token(json!({ "sub": sub })));
            assert_eq!(response.header("X-Sub"), Some(sub), "{setting}");
            assert_eq!(response.header("X-Alg"), Some("RS256"));
            assert_eq!(response.header("X-Claims"), Some(json!({"sub": sub}).to_string().as_str()));
        }
    }
}

#[test]
fn flood_of_valid_tokens_leaves_the_worker_within_bounds() {
    let secret =
        json!({"kty": "oct", "k": ojwt_core::text::base64url::encode(&[7; 32])}).to_string();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("secret.json", secret.as_str())
        .server(
            "auth_jwt realm; auth_jwt_key_file secret.json; auth_jwt_cache 1m;
             location / { try_files /page.html =404; }",
        )
        .start();
    let key = ojwt_core::issue::sign::SigningKey::read(secret.as_bytes()).unwrap();
    let size = || resident(nginx.workers()[0]);
    let ask = |index: usize| {
        let claims = json!({"n": index, "filler": "x".repeat(2000)}).to_string();
        let jwt = key.sign(Alg::HS256, None, claims.as_bytes()).unwrap();
        assert_eq!(nginx.get_as("/", &jwt).status, 200);
    };
    (0..300).for_each(ask);
    let before = size();
    (300..3000).for_each(ask);
    let after = size();
    // Some 8 MB of tokens and as much of claims went by.
    assert!(after < before + 2048, "{before} kB, then {after} kB");
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_lines(&[
        ("auth_jwt_cache;", "invalid number of arguments in \"auth_jwt_cache\""),
        ("auth_jwt_cache on;", "invalid value \"on\" in \"auth_jwt_cache\""),
        ("auth_jwt_cache 1k;", "invalid value \"1k\" in \"auth_jwt_cache\""),
        ("auth_jwt_cache -1;", "invalid value \"-1\" in \"auth_jwt_cache\""),
        ("auth_jwt_cache off; auth_jwt_cache 1m;", "\"auth_jwt_cache\" directive is duplicate"),
        ("location / { if ($arg_a) { auth_jwt_cache off; } }", "directive is not allowed here"),
    ]);
}
