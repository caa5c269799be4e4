//! `$ojwt_status`: the verdict as one word, without asking for one.

use serde_json::json;

use crate::harness::{Nginx, now, token};

#[test]
fn is_ok_or_the_reason_as_one_word() {
    let nginx = Nginx::with_location(
        "/",
        "if ($decoded_ojwt = x) { return 500; } return 200 $ojwt_status;",
    );
    assert_eq!(nginx.get(&format!("/?jwt={}", token(json!({})))).body, "ok");
    assert_eq!(nginx.get("/").body, "no_token");
    let expired = token(json!({"exp": now() - 1}));
    assert_eq!(nginx.get(&format!("/?jwt={expired}")).body, "token_expired");
}

#[test]
fn is_empty_where_nothing_was_evaluated() {
    let nginx = Nginx::with_location("/", "return 200 \"[$ojwt_status]\";");
    assert_eq!(nginx.get(&format!("/?jwt={}", token(json!({})))).body, "[]");
    assert!(!nginx.error_log().contains("ojwt:"));
}

#[test]
fn tells_the_access_log_after_an_error_page_of_another_gate() {
    let nginx = Nginx::builder()
        .http(
            "auth_jwt_key_file issuer.pem;
             log_format status '$uri $status [$ojwt_status]'; access_log access.log status;",
        )
        .server(
            "location / { if ($decoded_ojwt ~ ^failed) { return 401; } return 200; error_page 401 /denied; }
             location /denied { auth_jwt_leeway 5s; return 200 denied; }
             location /open { return 200; }",
        )
        .start();
    nginx.get("/?jwt=x");
    nginx.get("/open");
    nginx.wait("two lines", || nginx.file("access.log").lines().count() == 2);
    assert_eq!(nginx.file("access.log"), "/denied 401 [malformed_token]\n/open 200 []\n");
}

#[test]
fn may_be_mapped() {
    let nginx = Nginx::builder()
        .http(
            "auth_jwt_key_file issuer.pem;
             map $ojwt_status $answer { ok in; no_token who; default out; }",
        )
        .server("location / { if ($decoded_ojwt = x) { return 500; } return 200 $answer; }")
        .start();
    assert_eq!(nginx.get(&format!("/?jwt={}", token(json!({})))).body, "in");
    assert_eq!(nginx.get("/").body, "who");
    assert_eq!(nginx.get("/?jwt=x").body, "out");
}
