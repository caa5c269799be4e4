//! `ojwt_token_from`: where tokens are looked for, and in which order.

use serde_json::json;

use crate::harness::{Nginx, bearer, refuses_parameters, token};

fn oracle(directives: &str) -> Nginx {
    Nginx::with_server(&format!("{directives} location / {{ return 200 $decoded_ojwt; }}"))
}

fn tokens() -> [String; 4] {
    ["1", "2", "3", "4"].map(|subject| token(json!({"sub": subject})))
}

#[test]
fn by_default_argument_cookie_api_key_and_bearer_are_tried_in_this_order() {
    let nginx = oracle("");
    let [a, b, c, d] = tokens();
    let query = format!("/?jwt={a}");
    let cookie = format!("Cookie: jwtcookie={b}");
    let api_key = format!("Api-Key: {c}");
    let authorization = bearer(&d);
    let all = [cookie.as_str(), &api_key, &authorization];
    assert_eq!(nginx.get_with(&query, &all).body, r#"{"sub":"1"}"#);
    assert_eq!(nginx.get_with("/", &all).body, r#"{"sub":"2"}"#);
    assert_eq!(nginx.get_with("/", &all[1..]).body, r#"{"sub":"3"}"#);
    assert_eq!(nginx.get_with("/", &all[2..]).body, r#"{"sub":"4"}"#);
    assert_eq!(nginx.get("/").body, "failed: no token");
}

#[test]
fn first_source_that_is_present_decides_even_if_it_fails() {
    let nginx = oracle("");
    let good = token(json!({}));
    let header = bearer(&good);
    assert_eq!(nginx.get_with("/?jwt=x", &[&header]).body, "failed: malformed token");
    let cookie = ["Cookie: jwtcookie=x", &header];
    assert_eq!(nginx.get_with("/", &cookie).body, "failed: malformed token");
}

#[test]
fn empty_value_is_not_a_token() {
    let nginx = oracle("");
    let header = bearer(&token(json!({})));
    for (target, cookie, api_key) in [
        ("/?jwt=", "Cookie: a=b", "X: y"),
        ("/?jwt", "Cookie: jwtcookie=", "Api-Key:"),
        ("/?jwt=&jwt=", "Cookie: jwtcookie=\"\"; jwtcookie=", "Api-Key:  "),
    ] {
        let response = nginx.get_with(target, &[cookie, api_key, &header]);
        assert_eq!(response.body, "{}", "{target} {cookie} {api_key}");
    }
}

#[test]
fn percent_encoded_argument_is_decoded() {
    let nginx = oracle("");
    let jwt = token(json!({})).replace('.', "%2e").replacen('e', "%65", 1);
    assert_eq!(nginx.get(&format!("/?x=1&jwt={jwt}&y=2")).body, "{}");
    assert_eq!(nginx.get(&format!("/?jwt={jwt}%00")).body, "failed: malformed token");
}

#[test]
fn another_cookie_does_not_hide_the_token_in_a_header() {
    let nginx = oracle("");
    let header = bearer(&token(json!({})));
    let response = nginx.get_with("/", &["Cookie: session=abc; theme=dark", &header]);
    assert_eq!(response.body, "{}");
}

#[test]
fn token_is_found_among_several_cookies_and_cookie_headers() {
    let nginx = oracle("");
    let cookie = format!("jwtcookie={}", token(json!({})));
    let one = format!("Cookie: a=1; xjwtcookie=2; {cookie}; b=3");
    assert_eq!(nginx.get_with("/", &[&one]).body, "{}");
    let second = format!("Cookie: {cookie}");
    assert_eq!(nginx.get_with("/", &["Cookie: a=1", &second, "Cookie: b=2"]).body, "{}");
}

#[test]
fn cookie_value_is_not_cut_at_an_equals_sign() {
    let nginx = oracle("");
    let valid = token(json!({}));
    // Cut there, it would be the valid token.
    let response = nginx.get_with("/", &[&format!("Cookie: jwtcookie={valid}=x")]);
    assert_eq!(response.body, "failed: malformed token");
}

#[test]
fn token_is_found_after_many_other_header_fields() {
    let nginx = oracle("");
    let mut lines: Vec<String> = (0..60).map(|i| format!("X-Filler-{i}: y")).collect();
    lines.push(format!("Api-Key: {}", token(json!({}))));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(nginx.get_with("/", &lines).body, "{}");
}

#[test]
fn scheme_bearer_and_header_names_are_matched_in_any_case() {
    let nginx = oracle("");
    let jwt = token(json!({}));
    for line in [
        format!("authorization: bearer {jwt}"),
        format!("AUTHORIZATION: BEARER  {jwt} "),
        format!("api-key: {jwt}"),
    ] {
        assert_eq!(nginx.get_with("/", &[&line]).body, "{}", "{line}");
    }
    for line in [format!("Authorization: Basic {jwt}"), format!("Authorization: {jwt}")] {
        assert_eq!(nginx.get_with("/", &[&line]).body, "failed: no token");
    }
}

/// As clients send it that have one setting for any header.
#[test]
fn token_in_a_header_of_its_own_may_stand_behind_the_scheme_bearer() {
    let nginx = Nginx::with_server(
        "location / { return 200 $decoded_ojwt; }
         location /header { ojwt_token_from header=X-Token; return 200 $decoded_ojwt; }
         location /variable { auth_jwt realm token=$http_x_token; return 200 $jwt_claims; }",
    );
    let jwt = token(json!({}));
    for scheme in ["", "Bearer ", "bearer   ", "BEARER "] {
        for (target, name) in [("/", "Api-Key"), ("/header", "X-Token"), ("/variable", "X-Token")] {
            let line = format!("{name}: {scheme}{jwt}");
            assert_eq!(nginx.get_with(target, &[&line]).body, "{}", "{target} {line}");
        }
    }
    for value in [format!("Bearer{jwt}"), format!("Bearer Bearer {jwt}"), format!("Basic {jwt}")] {
        let line = format!("Api-Key: {value}");
        assert_eq!(nginx.get_with("/", &[&line]).body, "failed: malformed token", "{line}");
    }
    let authorization = bearer(&jwt);
    assert_eq!(nginx.get_with("/", &["Api-Key: Bearer ", &authorization]).body, "{}");
}

#[test]
fn sets_sources_and_their_order() {
    let nginx = oracle("ojwt_token_from header=X-Token bearer cookie=tok arg=t;");
    let [a, b, c, d] = tokens();
    let lines = [format!("X-Token: {a}"), bearer(&b), format!("Cookie: tok={c}; jwtcookie=x")];
    let lines = [lines[0].as_str(), &lines[1], &lines[2]];
    let query = format!("/?t={d}&jwt=x");
    assert_eq!(nginx.get_with(&query, &lines).body, r#"{"sub":"1"}"#);
    assert_eq!(nginx.get_with(&query, &lines[1..]).body, r#"{"sub":"2"}"#);
    assert_eq!(nginx.get_with(&query, &lines[2..]).body, r#"{"sub":"3"}"#);
    assert_eq!(nginx.get(&query).body, r#"{"sub":"4"}"#);
    assert_eq!(nginx.get(&format!("/?jwt={d}")).body, "failed: no token");
}

#[test]
fn is_inherited_and_replaced_as_a_whole() {
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem; ojwt_token_from arg=a;")
        .server(
            "location /inherits { return 200 $decoded_ojwt; }
             location /replaces { ojwt_token_from arg=b; return 200 $decoded_ojwt; }",
        )
        .start();
    let jwt = token(json!({}));
    for (target, verdict) in [
        ("/inherits?a=", "{}"),
        ("/inherits?b=", "failed: no token"),
        ("/replaces?b=", "{}"),
        ("/replaces?a=", "failed: no token"),
    ] {
        assert_eq!(nginx.get(&format!("{target}{jwt}")).body, verdict, "{target}");
    }
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_parameters(
        "ojwt_token_from",
        &[
            ("arg", "invalid parameter \"arg\" in nginx.conf:"),
            ("arg=", "invalid parameter \"arg=\""),
            ("arg=$x", "invalid parameter \"arg=$x\""),
            ("cookie=a;b", "unknown directive \"b\""),
            ("'cookie=a b'", "invalid parameter \"cookie=a b\""),
            ("'header=a:b'", "invalid parameter \"header=a:b\""),
            ("bearer=x", "invalid parameter \"bearer=x\""),
            ("query=jwt", "invalid parameter \"query=jwt\""),
            ("bearer bearer", "duplicate parameter \"bearer\""),
            ("bearer; ojwt_token_from bearer", "\"ojwt_token_from\" directive is duplicate"),
            ("", "invalid number of arguments in \"ojwt_token_from\" directive"),
        ],
    );
}
