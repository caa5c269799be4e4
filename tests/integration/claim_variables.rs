//! `$jwt_claim_NAME`, `$jwt_header_NAME` and their kin; `auth_jwt_claim_set`,
//! `auth_jwt_header_set`.

use ojwt_core::Alg;
use serde_json::json;

use crate::harness::{
    FORGER, ISSUER, Nginx, Upstream, now, ok, refuses_parameters, signed_by, token,
};

fn oracle(http: &str, value: &str) -> Nginx {
    Nginx::builder()
        .http(&format!("auth_jwt_key_file issuer.pem; {http}"))
        .server(&format!("location / {{ return 200 \"{value}\"; }}"))
        .start()
}

#[test]
fn claims_are_shown_as_text() {
    let nginx = oracle(
        "",
        "$jwt_claim_sub|$jwt_claim_n|$jwt_claim_t|$jwt_claim_a|$jwt_claim_o|$jwt_claim_x",
    );
    let jwt = token(json!({
        "sub": "me \"é\"", "n": 1.5, "t": true, "a": ["b", 2, {"c": 3}], "o": {"p": [1]}
    }));
    let body = nginx.get(&format!("/?jwt={jwt}")).body;
    assert_eq!(body, r#"me "é"|1.5|true|b,2,{"c":3}|{"p":[1]}|"#);
}

#[test]
fn header_parameters_are_shown_once_they_are_verified() {
    let nginx = oracle("", "$jwt_header_alg $jwt_header_kid $jwt_header_x");
    let header = br#"{"alg":"RS256","kid":"k 1","x":[1,2]}"#;
    let jwt = ISSUER.sign_with_header(Alg::RS256, header, b"{}").unwrap();
    assert_eq!(nginx.get(&format!("/?jwt={jwt}")).body, "RS256 k 1 1,2");
    let forged = FORGER.sign_with_header(Alg::RS256, header, b"{}").unwrap();
    assert_eq!(nginx.get(&format!("/?jwt={forged}")).body, "  ");
}

#[test]
fn nothing_of_a_token_that_fails_is_visible() {
    let nginx = oracle(
        "auth_jwt_claim_set $email info email; auth_jwt_header_set $algorithm alg;",
        "[$jwt_claim_sub$jwt_claims$jwt_payload$jwt_header_alg$email$algorithm]",
    );
    let claims = json!({"sub": "admin", "info": {"email": "a@b"}});
    let mut expired = claims.clone();
    expired["exp"] = json!(now() - 1);
    let mut elsewhere = claims.clone();
    elsewhere["host"] = json!("other.example");
    for jwt in [signed_by(&FORGER, &claims), token(expired), token(elsewhere), "x.y.z".to_owned()] {
        assert_eq!(nginx.get(&format!("/?jwt={jwt}")).body, "[]");
    }
    assert_ne!(nginx.get(&format!("/?jwt={}", token(claims))).body, "[]");
}

#[test]
fn control_characters_in_claims_split_no_header() {
    let nginx = Nginx::with_location("/", "add_header X-Sub $jwt_claim_sub; return 204;");
    let jwt = token(json!({"sub": "a\r\nX-Admin: 1\u{0}\u{85}"}));
    let response = nginx.get(&format!("/?jwt={jwt}"));
    assert_eq!(response.header("X-Sub"), Some("a\\u000d\\u000aX-Admin: 1\\u0000\\u0085"));
    assert_eq!(response.header("X-Admin"), None);
}

/// Whoever reads a header drops white space around its value, and around what stands between
/// commas.
#[test]
fn white_space_at_the_ends_of_claims_does_not_get_lost_on_the_way() {
    let application = Upstream::with_answer(ok("application"));
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem; auth_jwt_claim_set $role info role;")
        .server(&format!(
            "location / {{
                 proxy_set_header X-Sub $jwt_claim_sub; proxy_set_header X-Groups $jwt_claim_groups;
                 proxy_set_header X-Role $role; proxy_set_header X-Kid $jwt_header_kid;
                 proxy_pass http://{};
             }}",
            application.address()
        ))
        .start();
    let claims = json!({
        "sub": " admin", "groups": ["a b", " root", "staff\t"], "info": {"role": "boss \u{a0}"}
    });
    let jwt = ISSUER.sign(Alg::RS256, Some("key "), claims.to_string().as_bytes()).unwrap();
    assert_eq!(nginx.get(&format!("/?jwt={jwt}")).body, "application");
    let head = application.requests().concat();
    for line in [
        "X-Sub: \\u0020admin",
        "X-Groups: a b,\\u0020root,staff\\u0009",
        "X-Role: boss\\u0020\\u00a0",
        "X-Kid: key\\u0020",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
}

#[test]
fn all_claims_and_the_time_are_variables_too() {
    let nginx = oracle("", "$jwt_claims $jwt_payload $jwt_nowtime");
    let before = now();
    let body = nginx.get(&format!("/?jwt={}", token(json!({"a": 1})))).body;
    let mut words = body.split(' ');
    assert_eq!((words.next(), words.next()), (Some(r#"{"a":1}"#), Some(r#"{"a":1}"#)));
    let time: u64 = words.next().unwrap().parse().unwrap();
    assert!((before - 1..=now()).contains(&time));
}

#[test]
fn claim_set_reaches_into_objects_and_keeps_case_and_dots() {
    let nginx = oracle(
        "auth_jwt_claim_set $email info e-mail; auth_jwt_claim_set $Job info jobTitle;
         auth_jwt_claim_set $dotted a.b; auth_jwt_header_set $nested h x;",
        "$email|$job|$dotted|$nested",
    );
    let header = br#"{"alg":"RS256","h":{"x":7}}"#;
    let payload = br#"{"info":{"e-mail":"m@e","jobTitle":"boss"},"a.b":["x","y"],"a":{"b":1}}"#;
    let jwt = ISSUER.sign_with_header(Alg::RS256, header, payload).unwrap();
    assert_eq!(nginx.get(&format!("/?jwt={jwt}")).body, "m@e|boss|x,y|7");
}

#[test]
fn claims_serve_maps_limits_and_rewrites() {
    let nginx = Nginx::builder()
        .http(
            "auth_jwt_key_file issuer.pem;
             map $jwt_claim_role $is_admin { admin 1; default 0; }
             limit_req_zone $jwt_claim_sub zone=per_subject:1m rate=1r/m;",
        )
        .file("html/page.html", "content")
        .server(
            "location /map { return 200 $is_admin; }
             location /if { if ($jwt_claim_role != admin) { return 403; } return 200 in; }
             location /limit { limit_req zone=per_subject; try_files /page.html =404; }",
        )
        .start();
    let admin = token(json!({"role": "admin", "sub": "a"}));
    let other = token(json!({"role": "other", "sub": "b"}));
    assert_eq!(nginx.get(&format!("/map?jwt={admin}")).body, "1");
    assert_eq!(nginx.get(&format!("/map?jwt={other}")).body, "0");
    assert_eq!(nginx.get("/map").body, "0");
    assert_eq!(nginx.get(&format!("/if?jwt={admin}")).body, "in");
    assert_eq!(nginx.get(&format!("/if?jwt={other}")).status, 403);
    assert_eq!(nginx.get(&format!("/limit?jwt={admin}")).status, 200);
    assert_eq!(nginx.get(&format!("/limit?jwt={admin}")).status, 503);
    assert_eq!(nginx.get(&format!("/limit?jwt={other}")).status, 200);
}

#[test]
fn with_auth_jwt_the_variables_show_the_token_that_passed_it() {
    let nginx = Nginx::builder()
        .file("html/index.html", "content")
        .http("auth_jwt_key_file issuer.pem;")
        .server("auth_jwt realm; add_header X-Sub $jwt_claim_sub;")
        .start();
    let (passing, other) = (token(json!({"sub": "passing"})), token(json!({"sub": "other"})));
    let response = nginx.get_as(&format!("/?jwt={other}"), &passing);
    assert_eq!((response.status, response.header("X-Sub")), (200, Some("passing")));
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    for (line, message) in [
        ("auth_jwt_claim_set $x;", "invalid number of arguments"),
        ("auth_jwt_claim_set x name;", "invalid variable name \"x\""),
        ("auth_jwt_claim_set $ name;", "invalid variable name \"$\""),
        ("auth_jwt_header_set $a-b name;", "invalid variable name \"$a-b\""),
        ("auth_jwt_claim_set $uri name;", "the duplicate \"uri\" variable"),
        ("auth_jwt_claim_set $x a; auth_jwt_claim_set $x b;", "the duplicate \"x\" variable"),
    ] {
        Nginx::builder().http(line).refuses(message);
    }
    let message = "\"auth_jwt_claim_set\" directive is not allowed here";
    refuses_parameters("auth_jwt_claim_set", &[("$x a", message)]);
}
