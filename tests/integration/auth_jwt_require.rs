//! `auth_jwt_require`: what is asked besides a valid token.

use serde_json::json;

use crate::harness::{Nginx, Response, bearer, refuses_parameters, token};

const MAPS: &str = "map $jwt_claim_role $is_admin { admin 1; default 0; }
     map $jwt_claim_scope $can_read { ~read yes; default ''; }";

fn gate(server: &str) -> Nginx {
    Nginx::builder()
        .file("html/page.html", "content")
        .http(&format!("auth_jwt_key_file issuer.pem; {MAPS}"))
        .server(&format!("auth_jwt realm; {server}"))
        .start()
}

fn get(nginx: &Nginx, target: &str, claims: serde_json::Value) -> Response {
    nginx.get_as(target, &token(claims))
}

#[test]
fn every_value_must_be_there_and_not_be_zero() {
    let nginx =
        gate("location / { auth_jwt_require $is_admin $can_read; try_files /page.html =404; }");
    assert_eq!(get(&nginx, "/", json!({"role": "admin", "scope": "read"})).status, 200);
    for claims in [
        json!({}),
        json!({"role": "admin"}),
        json!({"scope": "read"}),
        json!({"role": "user", "scope": "read"}),
        json!({"role": ["admin", "x"], "scope": "read"}),
    ] {
        let response = get(&nginx, "/", claims);
        assert_eq!(response.status, 401);
        assert_eq!(
            response.header("WWW-Authenticate"),
            Some("Bearer realm=\"realm\", error=\"invalid_token\"")
        );
    }
}

#[test]
fn first_requirement_that_is_not_met_answers() {
    let nginx = gate(
        "location / {
             auth_jwt_require $is_admin error=403; auth_jwt_require $can_read error=418;
             try_files /page.html =404;
         }",
    );
    let forbidden = get(&nginx, "/", json!({}));
    assert_eq!((forbidden.status, forbidden.header("WWW-Authenticate")), (403, None));
    assert_eq!(get(&nginx, "/", json!({"role": "admin"})).status, 418);
    assert_eq!(get(&nginx, "/", json!({"role": "admin", "scope": "read"})).status, 200);
}

#[test]
fn no_requirement_lets_a_bad_token_pass() {
    let nginx = gate("location / { auth_jwt_require $uri error=403; try_files /page.html =404; }");
    assert_eq!(nginx.get("/").status, 401);
    assert_eq!(nginx.get_as("/", "x.y.z").status, 401);
    assert_eq!(get(&nginx, "/", json!({"nbf": 1e12})).status, 401);
    assert_eq!(get(&nginx, "/", json!({})).status, 200);
}

#[test]
fn inner_requirements_replace_outer_ones() {
    let nginx = gate(
        "auth_jwt_require $is_admin error=403;
         location /inherits { try_files /page.html =404; }
         location /replaces { auth_jwt_require $can_read error=402; try_files /page.html =404; }
         location /limit { limit_except GET { auth_jwt_require $can_read error=402; } try_files /page.html =404; }",
    );
    assert_eq!(get(&nginx, "/inherits", json!({"scope": "read"})).status, 403);
    assert_eq!(get(&nginx, "/inherits", json!({"role": "admin"})).status, 200);
    assert_eq!(get(&nginx, "/replaces", json!({"scope": "read"})).status, 200);
    assert_eq!(get(&nginx, "/replaces", json!({"role": "admin"})).status, 402);
    assert_eq!(get(&nginx, "/limit", json!({"role": "admin"})).status, 200);
}

#[test]
fn refusal_is_told_by_status_and_log() {
    let nginx = Nginx::builder()
        .file("html/index.html", "content")
        .http(&format!(
            "auth_jwt_key_file issuer.pem; {MAPS}
             log_format status '$status $ojwt_status'; access_log access.log status;"
        ))
        .server("auth_jwt realm; auth_jwt_require $is_admin error=403;")
        .start();
    get(&nginx, "/", json!({}));
    get(&nginx, "/", json!({"role": "admin"}));
    nginx.wait("two lines", || nginx.file("access.log").lines().count() == 2);
    assert_eq!(nginx.file("access.log"), "403 claim_rejected\n200 ok\n");
    assert_eq!(nginx.count_in_log("ojwt: claim rejected: a requirement is not met"), 1);
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_parameters(
        "auth_jwt_require",
        &[
            ("", "invalid number of arguments in \"auth_jwt_require\" directive"),
            ("1", "invalid parameter \"1\""),
            ("error=403", "no value is required"),
            ("$uri error=200", "invalid parameter \"error=200\""),
            ("$uri error=444", "invalid parameter \"error=444\""),
            ("$uri error=499", "invalid parameter \"error=499\""),
            ("$uri error=600", "invalid parameter \"error=600\""),
            ("$uri error=-1", "invalid parameter \"error=-1\""),
            ("$uri error=403 error=404", "\"error\" directive is duplicate"),
            ("$nosuch", "unknown \"nosuch\" variable"),
        ],
    );
}

#[test]
fn requirement_is_met_by_the_token_of_its_own_gate_alone() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("other.pem", crate::harness::public_pem(&crate::harness::FORGER))
        .http(&format!("auth_jwt_key_file issuer.pem; {MAPS}"))
        .server(
            "set $tier $is_admin;
             location /console {
                 auth_jwt realm; auth_jwt_require_claim aud eq console;
                 auth_jwt_require $is_admin error=403; try_files /page.html =404;
             }
             location /variable {
                 auth_jwt realm; auth_jwt_require_claim role eq $is_admin; try_files /page.html =404;
             }
             location /low {
                 auth_jwt realm token=$cookie_t; auth_jwt_key_file other.pem;
                 auth_jwt_require $is_admin; try_files /none /high;
             }
             location /high {
                 auth_jwt realm; auth_jwt_require $is_admin error=403; try_files /page.html =404;
             }",
        )
        .start();
    let user = token(json!({"role": "user", "aud": "console"}));
    let admin = token(json!({"role": "admin", "aud": "sandbox"}));
    assert_eq!(get(&nginx, "/console", json!({"role": "user", "aud": "console"})).status, 403);
    let authorization = bearer(&user);
    assert_eq!(nginx.get_with(&format!("/console?jwt={admin}"), &[&authorization]).status, 403);
    let named = token(json!({"role": "1"}));
    let of_named = bearer(&named);
    assert_eq!(nginx.get_with(&format!("/variable?jwt={admin}"), &[&of_named]).status, 401);
    // By way of another gate, with another token.
    let cookie = crate::harness::signed_by(&crate::harness::FORGER, &json!({"role": "admin"}));
    let cookie = format!("Cookie: t={cookie}");
    assert_eq!(nginx.get_with("/low", &[&cookie, &authorization]).status, 403);
}

#[test]
fn token_in_the_url_that_is_refused_for_a_requirement_sets_no_cookie() {
    let nginx = gate(
        "ojwt_token_from arg=jwt;
         location / { auth_jwt_require $is_admin error=403; try_files /page.html =404; }",
    );
    let refused = nginx.get(&format!("/?jwt={}", token(json!({"role": "user"}))));
    assert_eq!((refused.status, refused.header("Set-Cookie")), (403, None));
    let passed = nginx.get(&format!("/?jwt={}", token(json!({"role": "admin"}))));
    assert!(passed.status == 200 && passed.header("Set-Cookie").is_some());
}

/// A map that says yes unless a claim says no, so that it says yes where no claim is visible.
const CLEARANCE: &str = "map $jwt_claim_role $is_cleared { banned 0; default 1; }
     map $is_cleared $is_welcome { 1 yes; default ''; }";

#[test]
fn map_that_was_remembered_before_the_gate_had_a_verdict_meets_no_requirement() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http(&format!(
            "auth_jwt_key_file issuer.pem; {CLEARANCE}
             map $uri $door {{ volatile; ~/inner shut; default open; }}"
        ))
        .server(
            "auth_jwt realm; auth_jwt_require_claim door eq $door;
             location = /realm { auth_jwt $is_cleared; error_page 401 = /inner; }
             location = /if { if ($is_cleared) { set $x 1; } error_page 401 = /inner; }
             location = /nested { if ($is_welcome) { set $x 1; } error_page 401 = /inner-nested; }
             location = /named { if ($is_cleared) { set $x 1; } error_page 401 = @inner; }
             location = /token {
                 auth_jwt realm token=$cookie_none; if ($is_cleared) { set $x 1; }
                 error_page 401 = /inner;
             }
             location = /off {
                 auth_jwt off; if ($is_cleared) { set $x 1; } error_page 404 = /inner;
             }
             location = /compared {
                 auth_jwt_require_claim door eq $is_cleared; error_page 401 = /inner-nested;
             }
             location = /inner { auth_jwt_require $is_cleared error=403; try_files /page.html =404; }
             location = /inner-nested {
                 auth_jwt_require $is_welcome error=403; try_files /page.html =404;
             }
             location @inner {
                 auth_jwt_require_claim door eq shut;
                 auth_jwt_require $is_cleared error=403; try_files /page.html =404;
             }",
        )
        .start();
    for target in ["/realm", "/if", "/nested", "/named", "/token", "/off", "/compared"] {
        for (role, status) in [("banned", 403), ("user", 200)] {
            let response = get(&nginx, target, json!({"role": role, "door": "shut"}));
            assert_eq!(response.status, status, "{target} {role}");
        }
    }
}

#[test]
fn map_of_claims_that_are_compared_and_refused_is_remembered_by_nothing() {
    let nginx = Nginx::builder()
        .http(
            "auth_jwt_key_file issuer.pem; map $jwt_claim_role $wanted { admin good; default x; }",
        )
        .server(
            "location = / {
                 auth_jwt realm; auth_jwt_require_claim v eq $wanted; error_page 401 = /told;
                 try_files /none =404;
             }
             location = /told { auth_jwt off; auth_jwt_key_file other.pem; return 200 $wanted; }",
        )
        .file("other.pem", crate::harness::public_pem(&crate::harness::FORGER))
        .start();
    assert_eq!(get(&nginx, "/", json!({"role": "admin", "v": "bad"})).body, "x");
}

#[test]
fn refusal_names_the_value_that_is_missing_and_not_what_it_holds() {
    let nginx = gate(
        "location / { auth_jwt_require $uri $is_admin error=403; try_files /page.html =404; }",
    );
    assert_eq!(get(&nginx, "/", json!({"role": "secret"})).status, 403);
    nginx.wait_for_log("ojwt: claim rejected: a requirement is not met: $is_admin, client:");
    assert!(!nginx.error_log().contains("secret"));
}
