//! nginx makes a text of variables in two passes: it adds up their lengths, then it copies them.
//! What changes in between overflows, so that no variable of ours changes any.

use serde_json::json;

use crate::harness::{Nginx, token};

/// A gate that compares a claim with a variable that shows another one.
const COMPARING: &str =
    "auth_jwt_key_file issuer.pem; auth_jwt_require_claim azp eq $jwt_claim_client_id;";

fn long(azp: &str) -> String {
    let client_id = "x".repeat(3_000);
    let sub = "\"quoted\"";
    token(json!({"azp": azp, "client_id": client_id, "sub": sub}))
}

#[test]
fn text_of_several_claims_of_a_refused_token_is_empty_and_overflows_nothing() {
    let nginx = Nginx::builder()
        .http(COMPARING)
        .server("location / { return 200 \"[$jwt_claim_client_id$jwt_claim_sub]$decoded_ojwt\"; }")
        .start();
    for _ in 0..20 {
        let response = nginx.get(&format!("/?jwt={}", long("another")));
        assert_eq!(response.body, "[]failed: claim rejected");
    }
    assert!(!nginx.error_log().contains("exited on signal"));
}

#[test]
fn access_log_shows_no_claim_of_a_token_that_is_refused_by_a_comparison() {
    let nginx = Nginx::builder()
        .http(&format!(
            "{COMPARING} log_format claims '[$jwt_claim_client_id|$jwt_claim_sub]';
             access_log access.log claims;"
        ))
        .file("html/page.html", "content")
        .server(
            "location / { auth_jwt realm; try_files /page.html =404; }
             location /shown { auth_jwt realm; try_files /page.html =404;
                 add_header X-Client \"<$jwt_claim_client_id>\" always; }",
        )
        .start();
    for path in ["/", "/shown"] {
        let jwt = long("another");
        assert_eq!(nginx.get_as(path, &jwt).status, 401);
    }
    nginx.wait("two lines", || nginx.file("access.log").lines().count() == 2);
    assert_eq!(nginx.file("access.log"), "[-|-]\n[-|-]\n");
}

#[test]
fn access_log_escapes_a_claim_that_another_is_compared_with() {
    let nginx = Nginx::builder()
        .http(&format!(
            "{COMPARING} log_format claims '\"$jwt_claim_client_id\" \"$jwt_claim_sub\"';
             access_log access.log claims;"
        ))
        .file("html/page.html", "content")
        .server("location / { auth_jwt realm; try_files /page.html =404; }")
        .start();
    let claims = json!({"azp": "a\" \"b", "client_id": "a\" \"b", "sub": "c\" \"d"});
    let jwt = token(claims);
    assert_eq!(nginx.get_as("/", &jwt).status, 200);
    nginx.wait("a line", || nginx.file("access.log").lines().count() == 1);
    assert_eq!(nginx.file("access.log"), "\"a\\x22 \\x22b\" \"c\\x22 \\x22d\"\n");
}

#[test]
fn status_does_not_change_while_a_rewrite_directive_makes_a_text_with_it() {
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem;")
        .server(
            "location / { set $text \"<$ojwt_status|$decoded_ojwt>\"; return 200 $text; }
             location /later { set $text \"<$decoded_ojwt|$ojwt_status>\"; return 200 $text; }
             location /named { try_files /none @named; }
             location @named { set $text \"<$ojwt_status|$decoded_ojwt>\"; return 200 $text; }",
        )
        .start();
    for path in ["/", "/named"] {
        assert_eq!(nginx.get(path).body, "<|failed: no token>", "{path}");
    }
    assert_eq!(nginx.get("/later").body, "<failed: no token|no_token>");
}

#[test]
fn status_is_that_of_now_where_a_redirect_leads() {
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem;")
        .server(
            "location / { set $first \"<$ojwt_status>\"; auth_jwt realm; error_page 401 /next; }
             location /next { auth_jwt off; set $second \"<$ojwt_status>\"; return 200 $first$second; }
             location /same { set $all \"$all<$ojwt_status>\"; if ($arg_end) { return 200 $all; }
                 set $verdict $decoded_ojwt; try_files /none /same?end=1; }",
        )
        .start();
    assert_eq!(nginx.get("/").body, "<><no_token>");
    assert_eq!(nginx.get("/same").body, "<><no_token>");
}
