//! What the module writes to nginx's logs, and what it never writes.

use serde_json::json;

use crate::harness::{FORGER, ISSUER, Nginx, now, public_pem, signed_by, token};

#[test]
fn refusal_is_one_line_at_info_with_the_reason_and_the_client() {
    let nginx = Nginx::with_location("/", "return 200 $decoded_ojwt;");
    nginx.get("/?jwt=a.b");
    let log = nginx.error_log();
    let line = log.lines().find(|line| line.contains("ojwt:")).unwrap();
    assert!(line.contains("[info]"), "{line}");
    assert!(
        line.contains("ojwt: malformed token: not three parts separated by periods, client: 127."),
        "{line}"
    );
}

#[test]
fn mismatch_says_so_where_keys_were_left_untried() {
    let file = |strangers: usize| public_pem(&FORGER).repeat(strangers) + &public_pem(&ISSUER);
    let nginx = Nginx::builder()
        .file("16.pem", file(15))
        .file("17.pem", file(16))
        .server(
            "location /16 { auth_jwt_key_file 16.pem; return 200 $decoded_ojwt; }
             location /17 { auth_jwt_key_file 17.pem; return 200 $decoded_ojwt; }",
        )
        .start();
    let jwt = token(json!({}));
    assert_eq!(nginx.get(&format!("/16?jwt={jwt}")).body, "{}");
    let forged = format!("{}.AAAA", jwt.rsplit_once('.').unwrap().0);
    assert_eq!(nginx.get(&format!("/16?jwt={forged}")).body, "failed: signature mismatch");
    assert_eq!(nginx.count_in_log("ojwt: signature mismatch, client:"), 1);
    // The answer says no more than before.
    assert_eq!(nginx.get(&format!("/17?jwt={jwt}")).body, "failed: signature mismatch");
    let line = "ojwt: signature mismatch: none of the first 16 keys that fit made it, and others were \
                not tried, client:";
    assert_eq!(nginx.count_in_log(line), 1, "{}", nginx.error_log());
}

#[test]
fn token_of_the_wrong_kind_is_told_as_such() {
    let nginx = Nginx::with_server(
        "location /signed { return 200 $decoded_ojwt; }
         location /encrypted { auth_jwt_type encrypted; return 200 $decoded_ojwt; }
         location /nested { auth_jwt_type nested; return 200 $decoded_ojwt; }",
    );
    let (signed, encrypted) = (token(json!({})), "e30.YQ.YQ.YQ.YQ");
    for (path, jwt, line) in [
        ("/signed", encrypted, "five parts: an encrypted token, where a signed one is wanted"),
        ("/encrypted", &signed, "three parts: a signed token, where an encrypted one is wanted"),
        ("/nested", &signed, "three parts: a signed token, where an encrypted one is wanted"),
        ("/signed", "a.b", "not three parts separated by periods"),
        ("/nested", "a.b", "not the five parts of an encrypted token"),
    ] {
        let body = nginx.get(&format!("{path}?jwt={jwt}")).body;
        assert_eq!(body, "failed: malformed token", "{path}");
        let line = format!("ojwt: malformed token: {line}, client:");
        assert!(nginx.error_log().contains(&line), "{path} {}", nginx.error_log());
    }
}

#[test]
fn token_never_stands_in_the_error_log() {
    let nginx = Nginx::with_server(
        "location / { if ($decoded_ojwt = x) { return 500; } }
         location /refuse { if ($decoded_ojwt ~ ^failed) { return 401 $decoded_ojwt; } }",
    );
    let expired = token(json!({"exp": now() - 1}));
    let forged = signed_by(&FORGER, &json!({"sub": "me"}));
    let odd = ISSUER.sign_with_header(ojwt_core::Alg::RS256, br#"{"alg":"none"}"#, b"{}").unwrap();
    for jwt in [&token(json!({"sub": "me"})), &expired, &forged, &odd] {
        for path in ["/missing-file", "/refuse"] {
            nginx.get(&format!("{path}?jwt={jwt}"));
            nginx.get(&format!("{path}?a=1&jwt={}&b=2", jwt.replace('.', "%2E")));
            nginx.get_with(path, &[&format!("Cookie: jwtcookie={jwt}")]);
            nginx.get_with(path, &[&format!("Api-Key: {jwt}")]);
            nginx.get_as(path, jwt);
        }
    }
    // A token in the URL stands in the referrer of what the page loads.
    let jwt = token(json!({"sub": "me"}));
    nginx.get_with(
        &format!("/missing-file?jwt={jwt}"),
        &[&format!("Referer: http://{}/page?x=1&jwt={jwt}", crate::harness::HOST)],
    );
    let log = nginx.error_log();
    assert!(log.contains("No such file"), "{log}");
    assert!(log.contains("request: \"GET /missing-file?jwt=... HTTP/1.1\""), "{log}");
    assert!(log.contains("request: \"GET /missing-file?a=1&jwt=...&b=2 HTTP/1.1\""), "{log}");
    for part in jwt.split('.').chain(expired.split('.')).chain(forged.split('.')) {
        assert!(!log.contains(part), "{part} in\n{log}");
    }
}

#[test]
fn bytes_of_a_request_are_not_echoed() {
    let nginx = Nginx::with_location("/", "return 200 $decoded_ojwt;");
    let response = nginx.get_with("/", &["Api-Key: \u{1b}[31mred<script>"]);
    assert_eq!(response.body, "failed: malformed token");
    assert!(!nginx.error_log().contains("script"));
}

#[test]
fn token_is_redacted_where_a_limit_refuses_before_the_gate_is_asked() {
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem; limit_req_zone $server_name zone=z:1m rate=1r/m;")
        .server(
            "limit_req zone=z;
             location / { if ($decoded_ojwt = x) { return 400; } }
             location /auth { auth_jwt realm; ojwt_token_from arg=access_token; }",
        )
        .start();
    let jwt = token(json!({}));
    for target in ["/?jwt=", "/auth?access_token=", "/auth?a=b&access_token="] {
        nginx.get(&format!("{target}{jwt}"));
        assert_eq!(nginx.get(&format!("{target}{jwt}")).status, 503, "{target}");
    }
    assert!(nginx.error_log().contains("limiting requests"));
    assert!(!nginx.error_log().contains(&jwt), "{}", nginx.error_log());
}

/// nginx refuses a large body before it looks for a gate.
#[test]
fn token_is_redacted_where_nginx_refuses_a_body_that_is_too_large() {
    let nginx = Nginx::with_server(
        "client_max_body_size 1; location / { auth_jwt realm token=$arg_access; }
         location /other { auth_jwt realm token=${arg_Token2}; }
         location /map { auth_jwt realm token=$mapped; set $mapped $arg_m; }",
    );
    let jwt = token(json!({}));
    let post = |target: &str, more: &str| {
        let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}");
        nginx.send(format!("{head}Content-Length: 5\r\n\r\nhello").as_bytes()).status
    };
    for name in ["jwt", "%6awt", "access", "ACCESS", "token2", "m"] {
        assert_eq!(post(&format!("/?a=b&{name}={jwt}"), ""), 413, "{name}");
    }
    assert_eq!(post("/", &format!("Referer: http://a/page?jwt={jwt}&b=c\r\n")), 413);
    assert_eq!(post("/?jwt=of-another-kind&access=x&q=shown", ""), 413);
    let log = nginx.error_log();
    assert_eq!(log.matches("client intended to send too large body").count(), 8, "{log}");
    assert!(log.contains("POST /?a=b&access=... HTTP/1.1"), "{log}");
    assert!(log.contains("referrer: \"http://a/page?jwt=...&b=c\""), "{log}");
    assert!(log.contains("POST /?jwt=...&access=.&q=shown"), "{log}");
    assert!(!log.contains(&jwt), "{log}");
}

/// What `rewrite_log` says itself no module can change; `security.md` tells what helps.
#[test]
fn token_is_redacted_in_the_request_line_of_what_rewrite_log_shows_and_can_be_kept_out_of_the_rest()
{
    for (recipe, is_kept_out) in [("", false), ("set $args $ojwt_args;", true)] {
        let nginx = Nginx::with_server(&format!(
            "rewrite_log on; {recipe} rewrite ^/old /new last;
             location / {{ rewrite ^/new$ /newer last; return 200 $decoded_ojwt; }}",
        ));
        let jwt = token(json!({}));
        assert_eq!(nginx.get(&format!("/old?jwt={jwt}")).body, "{}");
        let log = nginx.error_log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("[notice]")).collect();
        let lines: Vec<&str> = lines.into_iter().filter(|line| line.contains("/new")).collect();
        assert!(lines.len() >= 4, "{log}");
        for line in lines {
            assert!(line.contains("request: \"GET /old?jwt=... HTTP/1.1\""), "{line}");
        }
        assert_eq!(!log.contains(&jwt), is_kept_out, "{log}");
    }
}

#[test]
fn refusal_of_a_registered_claim_names_it_and_its_type_and_not_its_value() {
    let nginx = Nginx::with_location("/", "return 200 $decoded_ojwt;");
    for (claims, told) in [
        (r#"{"exp":"secret"}"#, "claim exp is a string, not a number"),
        (r#"{"exp":"1700000000"}"#, "claim exp is a string, not a number"),
        (r#"{"exp":1e400}"#, "claim exp is a number beyond all times"),
        (r#"{"nbf":null}"#, "claim nbf is null, not a number"),
        (r#"{"iat":["secret"]}"#, "claim iat is an array, not a number"),
        (r#"{"sub":54321}"#, "claim sub is a number, not a string"),
        (r#"{"iss":{"secret":1}}"#, "claim iss is an object, not a string"),
        (r#"{"jti":true}"#, "claim jti is a boolean, not a string"),
        (r#"{"aud":54321}"#, "claim aud is a number, not a string or an array of strings"),
        (
            r#"{"aud":["secret",54321]}"#,
            "claim aud is an array with a number, not a string or an array of strings",
        ),
    ] {
        let jwt = ISSUER.sign(ojwt_core::Alg::RS256, None, claims.as_bytes()).unwrap();
        assert_eq!(nginx.get(&format!("/?jwt={jwt}")).body, "failed: claim rejected", "{claims}");
        nginx.wait_for_log(&format!("ojwt: claim rejected: {told}, client:"));
    }
    for secret in ["secret", "54321", "1700000000"] {
        assert!(!nginx.error_log().contains(secret), "{}", nginx.error_log());
    }
}
