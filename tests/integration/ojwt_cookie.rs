//! `ojwt_cookie`: a token that came in the URL comes back as a cookie.

use std::process::Command;

use serde_json::json;

use crate::harness::{
    FORGER, HOST, Nginx, Response, now, refuses_parameters, self_signed, signed_by, token,
};

fn oracle(directives: &str) -> Nginx {
    Nginx::with_server(&format!("{directives} location / {{ return 200 $decoded_ojwt; }}"))
}

fn cookie(response: &Response) -> Vec<String> {
    let line = response.header("Set-Cookie").expect("a cookie is set");
    line.split("; ").map(str::to_owned).collect()
}

#[test]
fn valid_token_in_the_url_is_set_as_a_cookie_that_scripts_cannot_read() {
    let jwt = token(json!({}));
    let response = oracle("").get(&format!("/?jwt={jwt}"));
    assert_eq!(
        cookie(&response),
        [&format!("jwtcookie={jwt}"), "Path=/", "HttpOnly", "SameSite=Lax"]
    );
}

#[test]
fn cookie_admits_the_next_request() {
    let nginx = oracle("");
    let first = nginx.get(&format!("/?jwt={}", token(json!({"sub": "me"}))));
    let line = format!("Cookie: {}", cookie(&first)[0]);
    let second = nginx.get_with("/", &[&line]);
    assert_eq!(second.body, r#"{"sub":"me"}"#);
    assert_eq!(second.header("Set-Cookie"), None);
}

#[test]
fn cookie_expires_with_the_token() {
    let nginx = oracle("");
    let expires = now() + 3600;
    let response = nginx.get(&format!("/?jwt={}", token(json!({"exp": expires}))));
    let attributes = cookie(&response);
    let attribute = |name: &str| {
        attributes.iter().find_map(|attribute| attribute.strip_prefix(name)).unwrap().to_owned()
    };
    let age: u64 = attribute("Max-Age=").parse().unwrap();
    assert!((3590..=3600).contains(&age), "{age}");
    let date = Command::new("date").args(["-d", &attribute("Expires="), "+%s"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&date.stdout).trim().parse::<u64>().unwrap(), expires);
}

#[test]
fn cookie_of_a_token_that_never_ends_in_practice_has_a_date_all_the_same() {
    let nginx = oracle("");
    for exp in ["1e300", "99999999999999999999", "253402300800"] {
        let payload = format!(r#"{{"exp":{exp}}}"#);
        let jwt =
            crate::harness::ISSUER.sign(ojwt_core::Alg::RS256, None, payload.as_bytes()).unwrap();
        let response = nginx.get(&format!("/?jwt={jwt}"));
        assert!(cookie(&response).contains(&"Expires=Fri, 31 Dec 9999 23:59:59 GMT".to_owned()));
    }
}

#[test]
fn token_within_the_leeway_of_its_end_sets_no_cookie() {
    let nginx = oracle("auth_jwt_leeway 1h;");
    let response = nginx.get(&format!("/?jwt={}", token(json!({"exp": now() - 5}))));
    assert!(response.body.starts_with('{'));
    assert_eq!(response.header("Set-Cookie"), None);
}

#[test]
fn no_other_token_sets_a_cookie() {
    let nginx = oracle("");
    let jwt = token(json!({}));
    for response in [
        nginx.get("/"),
        nginx.get("/?jwt=x"),
        nginx.get(&format!("/?jwt={}", signed_by(&FORGER, &json!({})))),
        nginx.get(&format!("/?jwt={}", token(json!({"exp": now() - 1})))),
        nginx.get_with("/", &[&format!("Api-Key: {jwt}")]),
        nginx.get_as("/", &jwt),
        nginx.get_with("/", &[&format!("Cookie: jwtcookie={jwt}")]),
    ] {
        assert_eq!(response.header("Set-Cookie"), None);
    }
}

#[test]
fn no_cookie_is_set_where_no_token_was_asked_for() {
    let nginx = Nginx::with_location("/", "return 200;");
    let response = nginx.get(&format!("/?jwt={}", token(json!({}))));
    assert_eq!(response.header("Set-Cookie"), None);
}

#[test]
fn cookie_is_set_even_if_add_header_was_the_first_to_ask() {
    let nginx = Nginx::with_location("/", "add_header X-Claims $decoded_ojwt; return 204;");
    let response = nginx.get(&format!("/?jwt={}", token(json!({}))));
    assert_eq!(response.header("X-Claims"), Some("{}"));
    assert!(response.header("Set-Cookie").is_some());
}

#[test]
fn cookie_is_set_by_static_files_errors_and_redirects_too() {
    let nginx = Nginx::builder()
        .file("html/file.txt", "content")
        .http("auth_jwt_key_file issuer.pem;")
        .server(
            "if ($decoded_ojwt ~ ^failed) { return 401; }
             location / { }
             location /moved { return 302 /file.txt; }",
        )
        .start();
    let jwt = token(json!({}));
    for (target, status) in [("/file.txt", 200), ("/missing", 404), ("/moved", 302)] {
        let response = nginx.get(&format!("{target}?jwt={jwt}"));
        assert_eq!(response.status, status);
        assert!(response.header("Set-Cookie").is_some(), "{target}");
    }
}

#[test]
fn attributes_are_those_of_the_directive() {
    let jwt = token(json!({}));
    let set = |directive: &str| {
        let nginx = oracle(&format!("ojwt_cookie {directive};"));
        cookie(&nginx.get(&format!("/?jwt={jwt}")))[1..].join("; ")
    };
    assert_eq!(set("jwtcookie"), "Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(
        set("jwtcookie secure=on samesite=strict path=/app domain=example.com"),
        "Path=/app; Domain=example.com; Secure; HttpOnly; SameSite=Strict"
    );
    assert_eq!(set("jwtcookie secure=on samesite=none"), "Path=/; Secure; HttpOnly; SameSite=None");
    assert_eq!(set("jwtcookie secure=off"), "Path=/; HttpOnly; SameSite=Lax");
}

#[test]
fn cookie_of_another_name_is_set_and_read() {
    let nginx = oracle("ojwt_cookie __Host-token secure=on;");
    let first = nginx.get(&format!("/?jwt={}", token(json!({}))));
    let pair = &cookie(&first)[0];
    assert!(pair.starts_with("__Host-token="));
    assert_eq!(nginx.get_with("/", &[&format!("Cookie: {pair}")]).body, "{}");
    let old = pair.replace("__Host-token", "jwtcookie");
    assert_eq!(nginx.get_with("/", &[&format!("Cookie: {old}")]).body, "{}");
}

#[test]
fn off_sets_none_and_a_location_may_differ_from_its_server() {
    let nginx = Nginx::with_server(
        "ojwt_cookie off;
         location /off { return 200 $decoded_ojwt; }
         location /on { ojwt_cookie jwtcookie; return 200 $decoded_ojwt; }",
    );
    let jwt = token(json!({}));
    assert_eq!(nginx.get(&format!("/off?jwt={jwt}")).header("Set-Cookie"), None);
    assert!(nginx.get(&format!("/on?jwt={jwt}")).header("Set-Cookie").is_some());
}

#[test]
fn cookie_is_secure_over_tls() {
    let (key, certificate) = self_signed();
    let nginx = Nginx::builder()
        .file("tls.key", key)
        .file("tls.pem", certificate)
        .http("auth_jwt_key_file issuer.pem; ssl_certificate tls.pem; ssl_certificate_key tls.key;")
        .server("listen unix:tls.sock ssl; location / { return 200 $decoded_ojwt; }")
        .start();
    let output = Command::new("curl")
        .args(["-sik", "--unix-socket"])
        .arg(nginx.path("tls.sock"))
        .arg(format!("https://{HOST}/?jwt={}", token(json!({}))))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("; Path=/; Secure; HttpOnly; SameSite=Lax\r\n"), "{text}");
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_parameters(
        "ojwt_cookie",
        &[
            ("", "invalid number of arguments in \"ojwt_cookie\" directive"),
            ("'a b'", "invalid cookie name \"a b\""),
            ("a=b", "invalid cookie name \"a=b\""),
            ("off secure=on", "invalid parameter \"secure=on\""),
            ("a secure=maybe", "invalid parameter \"secure=maybe\""),
            ("a samesite=", "invalid parameter \"samesite=\""),
            ("a path=app", "invalid parameter \"path=app\""),
            ("a 'path=/;x'", "invalid parameter \"path=/;x\""),
            ("a domain=", "invalid parameter \"domain=\""),
            ("a HttpOnly", "invalid parameter \"HttpOnly\""),
            ("a samesite=none secure=off", "browsers refuse such a cookie"),
            ("a; ojwt_cookie b", "\"ojwt_cookie\" directive is duplicate"),
        ],
    );
}
