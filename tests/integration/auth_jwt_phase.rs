//! `auth_jwt_phase`: when `auth_jwt` answers. And `auth_jwt_type`, which has one value so far.

use serde_json::json;

use crate::harness::{FORGER, Nginx, Upstream, issuer, ok, refuses_lines, signed_by, token};

fn gate(server: &str) -> Nginx {
    Nginx::builder()
        .file("html/page.html", "content")
        .http("auth_jwt_key_file issuer.pem; limit_req_zone $uri zone=all:1m rate=1r/m;")
        .server(server)
        .start()
}

#[test]
fn in_preaccess_a_request_without_a_token_uses_up_no_limit() {
    let nginx = gate(
        "auth_jwt realm; limit_req zone=all;
         location /early { auth_jwt_phase preaccess; try_files /page.html =404; }
         location /late { try_files /page.html =404; }",
    );
    let jwt = token(json!({}));
    assert_eq!(nginx.get("/early").status, 401);
    assert_eq!(nginx.get("/early").status, 401);
    assert_eq!(nginx.get_as("/early", &jwt).status, 200);
    // The limit still has its say on what passes.
    assert_eq!(nginx.get_as("/early", &jwt).status, 503);
    assert_eq!(nginx.get("/late").status, 401);
    assert_eq!(nginx.get("/late").status, 503);
}

#[test]
fn in_preaccess_satisfy_any_lets_no_one_around_the_gate() {
    let nginx = gate(
        "satisfy any; allow all; auth_jwt realm; auth_jwt_phase preaccess;
         location / { try_files /page.html =404; }
         location /access { auth_jwt_phase access; try_files /page.html =404; }",
    );
    assert_eq!(nginx.get("/").status, 401);
    assert_eq!(nginx.get_as("/", &token(json!({}))).status, 200);
    assert_eq!(nginx.get("/access").status, 200);
}

#[test]
fn access_phase_asks_no_subrequest_and_requirements_count_in_either() {
    for phase in ["preaccess", "access"] {
        let nginx = gate(&format!(
            "auth_jwt_phase {phase};
             location / {{ auth_request /check; try_files /page.html =404; }}
             location /check {{ auth_jwt realm; try_files /page.html =404; }}
             location /never {{
                 auth_jwt realm; auth_jwt_require $arg_never error=403; try_files /page.html =404;
             }}"
        ));
        assert_eq!(nginx.get("/").status, if phase == "access" { 200 } else { 401 });
        assert_eq!(nginx.get("/check").status, 401, "{phase}");
        assert_eq!(nginx.get_as("/never", &token(json!({}))).status, 403, "{phase}");
    }
}

/// A page behind an `auth_request` whose target holds the gate.
fn behind_auth_request(target: &str) -> Nginx {
    gate(&format!(
        "error_page 500 503 /fault; location = /fault {{ internal; return 500 fault; }}
         location /page.html {{ auth_request /check; auth_request_set $who $jwt_claim_sub;
             add_header X-Who $who; }}
         location = /check {{
             internal; auth_jwt realm; auth_jwt_phase preaccess; {target} try_files /none =204;
         }}"
    ))
}

#[test]
fn in_preaccess_the_target_of_auth_request_refuses_and_its_challenge_arrives() {
    let nginx = behind_auth_request("");
    let response = nginx.get("/page.html");
    assert_eq!(response.status, 401);
    assert_eq!(response.header("WWW-Authenticate"), Some("Bearer realm=\"realm\""));
    for jwt in ["x.y.z".to_owned(), signed_by(&FORGER, &json!({})), token(json!({"exp": 1}))] {
        let response = nginx.get_as("/page.html", &jwt);
        assert_eq!(response.status, 401, "{jwt}");
        let challenge = "Bearer realm=\"realm\", error=\"invalid_token\"";
        assert_eq!(response.header("WWW-Authenticate"), Some(challenge));
    }
    let jwt = token(json!({"sub": "me"}));
    let response = nginx.get_as("/page.html", &jwt);
    assert_eq!((response.status, response.body.as_str()), (200, "content"));
    assert_eq!(response.header("X-Who"), Some("me"));
    assert_eq!(response.header("WWW-Authenticate"), None);
}

#[test]
fn in_preaccess_the_target_of_auth_request_answers_401_or_403_and_a_fault_is_500() {
    for (target, expected) in [
        ("auth_jwt_require $arg_never;", 401),
        ("auth_jwt_require $arg_never error=400;", 401),
        ("auth_jwt_require $arg_never error=403;", 403),
        ("auth_jwt_require $arg_never error=404;", 403),
        ("auth_jwt_require $arg_never error=418;", 403),
        ("auth_jwt_require $arg_never error=503;", 500),
        ("auth_jwt_key_file gone$arg_never.pem;", 500),
        ("auth_jwt_www_authenticate off;", 200),
    ] {
        let nginx = behind_auth_request(target);
        assert_eq!(nginx.get_as("/page.html", &token(json!({}))).status, expected, "{target}");
    }
}

#[test]
fn in_preaccess_several_tokens_are_401_in_the_target_of_auth_request() {
    let nginx = behind_auth_request("ojwt_token_from cookie=a;");
    let response = nginx.get_with("/page.html", &["Cookie: a=x; a=y"]);
    assert_eq!(response.status, 401);
    assert_eq!(
        response.header("WWW-Authenticate"),
        Some("Bearer realm=\"realm\", error=\"invalid_request\"")
    );
}

#[test]
fn in_preaccess_the_target_of_auth_request_fetches_keys_that_the_gate_of_the_server_lets_through() {
    let upstream = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http("auth_jwt_phase preaccess; auth_jwt realm; auth_jwt_key_request /keys;")
        .server(&format!(
            "location /page.html {{ auth_jwt off; auth_request /check; }}
             location /both.html {{ auth_request /check; try_files /page.html =404; }}
             location = /check {{ internal; try_files /page.html =404; }}
             location = /keys {{ internal; proxy_pass http://{}; }}",
            upstream.address()
        ))
        .start();
    for target in ["/page.html", "/both.html"] {
        assert_eq!(nginx.get(target).status, 401, "{target}");
        assert_eq!(upstream.requests().len(), 0, "{target}");
    }
    for (fetches, target) in ["/page.html", "/both.html"].into_iter().enumerate() {
        assert_eq!(nginx.get_as(target, &token(json!({}))).status, 200, "{target}");
        assert_eq!(upstream.requests().len(), fetches + 1, "{target}");
    }
    assert_eq!(nginx.get_as("/page.html", &signed_by(&FORGER, &json!({}))).status, 401);
}

#[test]
fn in_preaccess_a_part_of_a_page_and_a_mirror_are_judged_by_the_token_of_the_client() {
    let upstream = Upstream::with_answer(ok("mirrored"));
    let jwt = token(json!({}));
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("html/index.html", format!("[<!--# include virtual=\"/part?jwt={jwt}\" -->]"))
        .http("auth_jwt_key_file issuer.pem;")
        .server(&format!(
            "ssi on; ssi_value_length 4096; error_page 401 = @refused;
             location @refused {{ return 200 refused; }}
             location = /part {{
                 ojwt_token_from arg=jwt bearer;
                 auth_jwt realm; auth_jwt_phase preaccess; try_files /page.html =404;
             }}
             location = /mirrored {{ mirror /mirror; try_files /page.html =404; }}
             location = /mirror {{
                 internal; auth_jwt realm; auth_jwt_phase preaccess;
                 proxy_pass http://{}/seen;
             }}",
            upstream.address()
        ))
        .start();
    // An argument of the part is none of the client's.
    assert_eq!(nginx.get("/index.html").body, "[refused]");
    assert_eq!(nginx.get_as("/index.html", &jwt).body, "[content]");
    assert_eq!(nginx.get("/mirrored").body, "content");
    assert_eq!(nginx.get_as("/mirrored", "x").body, "content");
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(nginx.get_as("/mirrored", &jwt).body, "content");
    nginx.wait("the mirror", || upstream.requests().len() == 1);
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_lines(&[
        ("auth_jwt_phase;", "invalid number of arguments"),
        ("auth_jwt_phase rewrite;", "invalid value \"rewrite\" in \"auth_jwt_phase\""),
        ("auth_jwt_phase access; auth_jwt_phase access;", "directive is duplicate"),
    ]);
}
