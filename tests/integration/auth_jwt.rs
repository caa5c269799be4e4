//! `auth_jwt`: the gate in nginx's access phase.

use std::process::Command;

use serde_json::json;

use crate::harness::{
    FORGER, Nginx, bearer, issuer, now, public_pem, refuses_parameters, signed_by, token,
};

/// A server whose content comes from a phase after the access phase: `return` would come before.
fn gate(server: &str) -> Nginx {
    Nginx::builder()
        .file("html/index.html", "content")
        .file("html/page.html", "content")
        .file("html/denied.html", "denied")
        .http("auth_jwt_key_file issuer.pem;")
        .server(server)
        .start()
}

#[test]
fn lets_a_valid_bearer_token_pass_and_refuses_all_else() {
    let nginx = gate("auth_jwt realm;");
    assert_eq!(nginx.get_as("/", &token(json!({}))).body, "content");
    assert_eq!(
        nginx.get_with("/", &[&format!("authorization: bEARER {}", token(json!({})))]).status,
        200
    );
    for jwt in [
        "x.y.z".to_owned(),
        token(json!({"exp": now() - 1})),
        token(json!({"nbf": now() + 60})),
        token(json!({"host": "other.example"})),
        signed_by(&FORGER, &json!({})),
    ] {
        assert_eq!(nginx.get_as("/", &jwt).status, 401, "{jwt}");
    }
    // As in the paid module, no other place is looked at by default.
    let jwt = token(json!({}));
    assert_eq!(nginx.get(&format!("/?jwt={jwt}")).status, 401);
    assert_eq!(nginx.get_with("/", &[&format!("Cookie: jwtcookie={jwt}")]).status, 401);
}

#[test]
fn challenge_names_an_error_only_if_a_token_was_presented() {
    let nginx = gate("auth_jwt \"closed site\";");
    let response = nginx.get("/");
    assert_eq!(response.status, 401);
    assert_eq!(response.header("WWW-Authenticate"), Some("Bearer realm=\"closed site\""));
    let response = nginx.get_as("/", "x");
    assert_eq!(
        response.header("WWW-Authenticate"),
        Some("Bearer realm=\"closed site\", error=\"invalid_token\"")
    );
    assert_eq!(nginx.get_as("/", &token(json!({}))).header("WWW-Authenticate"), None);
}

#[test]
fn realm_may_hold_variables_and_cannot_break_out_of_the_header() {
    let nginx = gate("auth_jwt \"of $arg_realm\\\\\"; location /quote { auth_jwt 'a\"b'; }");
    let header = |target: &str| nginx.get(target).header("WWW-Authenticate").unwrap().to_owned();
    assert_eq!(header("/?realm=me"), "Bearer realm=\"of me\\\\\"");
    assert_eq!(header("/quote"), "Bearer realm=\"a\\\"b\"");
    let nginx = gate("set $x $uri; auth_jwt $x;");
    let split = nginx.get("/a%0d%0aSet-Cookie:%20x=1%22,%20error=%22none");
    assert_eq!(split.status, 401);
    assert_eq!(
        split.header("WWW-Authenticate"),
        Some("Bearer realm=\"/a  Set-Cookie: x=1\\\", error=\\\"none\"")
    );
    assert_eq!(split.header("Set-Cookie"), None);
}

#[test]
fn token_is_taken_from_a_variable() {
    let nginx = gate(
        "auth_jwt realm token=$arg_t;
         location /cookie { auth_jwt realm token=$cookie_auth; try_files /page.html =404; }
         location /inherited { try_files /page.html =404; }",
    );
    let jwt = token(json!({}));
    assert_eq!(nginx.get(&format!("/?t={jwt}")).status, 200);
    assert_eq!(nginx.get(&format!("/inherited?t={jwt}")).status, 200);
    assert_eq!(nginx.get_as("/", &jwt).status, 401);
    assert_eq!(nginx.get("/?t=").header("WWW-Authenticate"), Some("Bearer realm=\"realm\""));
    assert_eq!(nginx.get_with("/cookie", &[&format!("Cookie: auth={jwt}")]).status, 200);
    assert_eq!(nginx.get(&format!("/cookie?t={jwt}")).status, 401);
}

#[test]
fn token_is_taken_from_where_ojwt_token_from_says() {
    let nginx = gate("ojwt_token_from arg=jwt cookie=c; auth_jwt realm;");
    let jwt = token(json!({}));
    let response = nginx.get(&format!("/?jwt={jwt}"));
    assert_eq!(response.status, 200);
    assert!(response.header("Set-Cookie").unwrap().starts_with("jwtcookie="));
    assert_eq!(nginx.get_with("/", &[&format!("Cookie: c={jwt}")]).status, 200);
    assert_eq!(nginx.get_as("/", &jwt).status, 401);
}

#[test]
fn is_inherited_and_may_be_switched_off() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http("auth_jwt_key_file issuer.pem; auth_jwt outer;")
        .server(
            "location /inherits { try_files /page.html =404; }
             location /off { auth_jwt off; try_files /page.html =404; }
             location /own { auth_jwt inner; try_files /page.html =404; }
             location /off/on { auth_jwt again; try_files /page.html =404; }",
        )
        .start();
    for (target, realm) in [("/inherits", "outer"), ("/own", "inner"), ("/off/on", "again")] {
        let response = nginx.get(target);
        assert_eq!(response.status, 401, "{target}");
        let challenge = format!("Bearer realm=\"{realm}\"");
        assert_eq!(response.header("WWW-Authenticate"), Some(challenge.as_str()));
        assert_eq!(nginx.get_as(target, &token(json!({}))).status, 200, "{target}");
    }
    assert_eq!(nginx.get("/off").status, 200);
}

#[test]
fn off_with_a_token_refuses_nobody_and_shows_the_claims_that_the_keys_verify() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("html/a/page.html", "inner")
        .http(
            "auth_jwt_key_file issuer.pem; auth_jwt_claim_set $roles realm_access roles;
             add_header X-Sub $jwt_claim_sub; add_header X-Roles $roles;
             add_header X-Decoded $decoded_ojwt;",
        )
        .server(
            "auth_jwt off token=$cookie_id; auth_jwt_require $arg_never error=403;
             location /a/ { }
             location /on { auth_jwt realm; auth_jwt_require $jwt_claim_sub; try_files /page.html =404; }
             location /plain { auth_jwt off; try_files /page.html =404; }",
        )
        .start();
    let jwt = token(json!({"sub": "me", "realm_access": {"roles": ["a", "b"]}}));
    let cookie = format!("Cookie: id={jwt}");
    for target in ["/page.html", "/a/page.html"] {
        let response = nginx.get_with(target, &[&cookie]);
        assert_eq!(response.status, 200, "{target}");
        assert_eq!(response.header("X-Sub"), Some("me"), "{target}");
        assert_eq!(response.header("X-Roles"), Some("a,b"), "{target}");
        assert_eq!(response.header("X-Decoded"), Some("failed: no token"), "{target}");
    }
    let forged = format!("Cookie: id={}", signed_by(&FORGER, &json!({"sub": "root"})));
    let expired = format!("Cookie: id={}", token(json!({"sub": "root", "exp": 1})));
    for header in ["Cookie: id=x.y.z", &forged, &expired, &bearer(&jwt)] {
        let response = nginx.get_with("/page.html", &[header]);
        assert_eq!((response.status, response.header("X-Sub")), (200, None), "{header}");
        assert_eq!(response.header("WWW-Authenticate"), None, "{header}");
    }
    assert_eq!(nginx.get_with("/on", &[&cookie]).status, 401);
    let plain = nginx.get_with("/plain", &[&cookie]);
    assert_eq!((plain.status, plain.header("X-Sub")), (200, None));
}

#[test]
fn off_with_a_token_waits_for_keys_that_are_fetched_and_not_for_ever() {
    let upstream = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http("add_header X-Sub $jwt_claim_sub;")
        .server(&format!(
            "auth_jwt off token=$cookie_id; auth_jwt_key_request /keys;
             location = /return {{ return 200 $jwt_claim_sub; }}
             location = /set {{
                 set $id $cookie_other; auth_jwt off token=$id; try_files /page.html =404;
             }}
             location = /broken {{ auth_jwt_key_request /none; try_files /page.html =404; }}
             location = /keys {{ internal; proxy_pass http://{}; }}
             location = /none {{ internal; return 404; }}",
            upstream.address()
        ))
        .start();
    let jwt = token(json!({"sub": "me"}));
    let cookie = format!("Cookie: id={jwt}");
    assert_eq!(nginx.get_with("/return", &[&cookie]).body, "me");
    assert_eq!(nginx.get_with("/page.html", &[&cookie]).header("X-Sub"), Some("me"));
    let other = format!("Cookie: other={jwt}");
    assert_eq!(nginx.get_with("/set", &[&other]).header("X-Sub"), Some("me"));
    let broken = nginx.get_with("/broken", &[&cookie]);
    assert_eq!((broken.status, broken.header("X-Sub")), (200, None));
    let fetches = upstream.requests().len();
    assert_eq!(nginx.get("/page.html").status, 200);
    assert_eq!(upstream.requests().len(), fetches, "nothing is fetched for no token");
}

#[test]
fn every_401_of_the_gate_has_a_challenge() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("revoked", "mallory\n")
        .http("auth_jwt_key_file issuer.pem; auth_jwt_revocation_list_sub revoked;")
        .server(
            "auth_jwt realm; error_page 401 /denied.html;
             location = /denied.html { internal; auth_jwt off; try_files /page.html =404; }
             location / { try_files /page.html =404; }
             location /variable { auth_jwt realm token=$cookie_t; try_files /page.html =404; }
             location /early { auth_jwt_phase preaccess; try_files /page.html =404; }
             location /claim { auth_jwt_require_claim role eq admin; try_files /page.html =404; }
             location /value { auth_jwt_require $arg_never; try_files /page.html =404; }
             location /any { satisfy any; deny all; try_files /page.html =404; }
             location /nobody { auth_jwt ''; try_files /page.html =404; }",
        )
        .start();
    let good = token(json!({"sub": "me"}));
    let bad = "Bearer realm=\"realm\", error=\"invalid_token\"";
    let none = "Bearer realm=\"realm\"";
    for (target, header, challenge) in [
        ("/", String::new(), none),
        ("/", "Authorization: Basic bWU6bWU=".to_owned(), none),
        ("/", "Authorization: Bearer x".to_owned(), bad),
        ("/", bearer(&signed_by(&FORGER, &json!({"sub": "me"}))), bad),
        ("/", bearer(&token(json!({"sub": "me", "exp": 1}))), bad),
        ("/", bearer(&token(json!({"sub": "mallory"}))), bad),
        ("/variable", String::new(), none),
        ("/variable", "Cookie: t=x".to_owned(), bad),
        ("/early", String::new(), none),
        ("/claim", bearer(&good), bad),
        ("/value", bearer(&good), bad),
        ("/any", String::new(), none),
        ("/nobody", String::new(), "Bearer realm=\"\""),
    ] {
        let headers: Vec<&str> = [header.as_str()].into_iter().filter(|h| !h.is_empty()).collect();
        let response = nginx.get_with(target, &headers);
        assert_eq!(response.status, 401, "{target} {header}");
        assert_eq!(response.header("WWW-Authenticate"), Some(challenge), "{target} {header}");
    }
    assert_eq!(nginx.get_as("/", &good).header("WWW-Authenticate"), None);
}

#[test]
fn limit_except_guards_the_other_methods_alone() {
    let nginx = gate("location / { limit_except GET { auth_jwt writers; } }");
    assert_eq!(nginx.get("/").status, 200);
    let post = |authorization: &str| {
        let request = format!(
            "POST /page.html HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\
             Content-Length: 0\r\n{authorization}\r\n"
        );
        nginx.send(request.as_bytes()).status
    };
    assert_eq!(post(""), 401);
    // Let pass: a static file does not take it.
    assert_eq!(post(&format!("Authorization: Bearer {}\r\n", token(json!({})))), 405);
}

#[test]
fn satisfy_all_wants_the_address_as_well_and_satisfy_any_either() {
    let nginx = gate(
        "location /all { satisfy all; deny all; auth_jwt realm; try_files /page.html =404; }
         location /any-deny { satisfy any; deny all; auth_jwt realm; try_files /page.html =404; }
         location /any-allow { satisfy any; allow 127.0.0.0/8; deny all; auth_jwt realm; try_files /page.html =404; }",
    );
    let jwt = token(json!({}));
    assert_eq!(nginx.get_as("/all", &jwt).status, 403);
    assert_eq!(nginx.get_as("/any-deny", &jwt).status, 200);
    let refused = nginx.get("/any-deny");
    assert_eq!(refused.status, 401);
    assert!(refused.header("WWW-Authenticate").is_some());
    let admitted = nginx.get("/any-allow");
    assert_eq!((admitted.status, admitted.header("WWW-Authenticate")), (200, None));
}

#[test]
fn satisfy_any_with_auth_basic_takes_either() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("users", "me:{PLAIN}secret\n")
        .http("auth_jwt_key_file issuer.pem;")
        .server(
            "satisfy any; auth_basic basic; auth_basic_user_file users; auth_jwt realm token=$arg_jwt;
             location / { try_files /page.html =404; }",
        )
        .start();
    assert_eq!(nginx.get("/").status, 401);
    assert_eq!(nginx.get(&format!("/?jwt={}", token(json!({})))).status, 200);
    assert_eq!(nginx.get_with("/", &["Authorization: Basic bWU6c2VjcmV0"]).status, 200);
    assert_eq!(nginx.get_with("/?jwt=x", &["Authorization: Basic bWU6d3Jvbmc="]).status, 401);
}

#[test]
fn error_page_answers_for_a_refusal_and_keeps_its_status() {
    let nginx = gate(
        "location / { auth_jwt realm; error_page 401 /denied.html; }
         location = /denied.html { auth_jwt off; }
         location /named { auth_jwt realm; error_page 401 = @named; }
         location @named { return 302 /login; }",
    );
    let refused = nginx.get("/");
    assert_eq!((refused.status, refused.body.as_str()), (401, "denied"));
    assert_eq!(refused.header("WWW-Authenticate"), Some("Bearer realm=\"realm\""));
    assert_eq!(nginx.get("/named").status, 302);
}

#[test]
fn internal_redirect_meets_the_gate_of_where_it_leads() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("other.pem", public_pem(&FORGER))
        .http("auth_jwt_key_file issuer.pem;")
        .server(
            "location /open { rewrite ^ /guarded last; }
             location /ours { auth_jwt realm; try_files /nothing /guarded; }
             location /guarded { auth_jwt_key_file other.pem; auth_jwt other; try_files /page.html =404; }",
        )
        .start();
    let (ours, others) = (token(json!({})), signed_by(&FORGER, &json!({})));
    assert_eq!(nginx.get("/open").status, 401);
    assert_eq!(nginx.get_as("/open", &others).status, 200);
    assert_eq!(nginx.get_as("/ours", &ours).status, 401);
    assert_eq!(nginx.get_as("/ours", &others).status, 401);
}

#[test]
fn auth_request_passes_the_challenge_on() {
    let nginx = gate(
        "listen unix:self.sock;
         location / { auth_request /check; try_files /page.html =404; }
         location /check { internal; proxy_pass http://unix:self.sock:/gate; proxy_set_header Authorization $http_authorization; }
         location /gate { auth_jwt realm; try_files /page.html =404; }",
    );
    let refused = nginx.get("/");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("WWW-Authenticate"), Some("Bearer realm=\"realm\""));
    assert_eq!(nginx.get_as("/", &token(json!({}))).status, 200);
}

#[test]
fn subrequest_cannot_bring_a_token_in_a_variable_of_its_own() {
    let jwt = token(json!({"sub": "me"}));
    let nginx = gate(&format!(
        "listen unix:self.sock;
         auth_jwt realm token=$arg_t;
         location / {{
             auth_jwt off;
             auth_request /check?t={jwt};
             try_files /page.html =404;
         }}
         location /check {{ if ($jwt_claim_sub = me) {{ return 204; }} return 403; }}"
    ));
    assert_eq!(nginx.get("/").status, 403);
    assert_eq!(nginx.get(&format!("/?t={jwt}")).status, 200);
}

#[test]
fn gate_without_a_key_refuses_everything_as_a_fault_of_the_server() {
    let nginx =
        Nginx::builder().file("html/index.html", "content").server("auth_jwt realm;").start();
    assert_eq!(nginx.get("/").status, 401);
    assert_eq!(nginx.get_as("/", &token(json!({}))).status, 500);
    let log = nginx.error_log();
    assert!(log.lines().any(|line| line.contains("[error]") && line.contains("ojwt: no key")));
}

#[test]
fn return_comes_before_the_access_phase_but_decoded_ojwt_guards_it() {
    let nginx = gate(
        "location /unguarded { auth_jwt realm; return 200 open; }
         location /guarded { if ($decoded_ojwt ~ ^failed) { return 401; } return 200 open; }",
    );
    assert_eq!(nginx.get("/unguarded").body, "open");
    assert_eq!(nginx.get("/guarded").status, 401);
}

#[test]
fn one_bearer_token_is_judged_once_by_gate_variables_and_log() {
    let nginx = Nginx::builder()
        .file("html/index.html", "content")
        .http(
            "auth_jwt_key_file issuer.pem; ojwt_token_from bearer;
             log_format claims '$jwt_claim_sub $decoded_ojwt $ojwt_status'; access_log access.log claims;",
        )
        .server("auth_jwt realm; add_header X-Sub $jwt_claim_sub always;")
        .start();
    nginx.get_as("/", "x.y.z");
    assert_eq!(nginx.count_in_log("ojwt: malformed token"), 1);
}

#[test]
fn works_over_http_2_and_for_head() {
    let nginx = gate("listen unix:h2.sock http2; auth_jwt realm;");
    let status = |arguments: &[&str]| {
        let output = Command::new("curl")
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--http2-prior-knowledge"])
            .arg("--unix-socket")
            .arg(nginx.path("h2.sock"))
            .args(arguments)
            .arg("http://example.com/")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let header = bearer(&token(json!({})));
    assert_eq!(status(&[]), "401");
    assert_eq!(status(&["-H", &header]), "200");
    assert_eq!(status(&["--head", "-H", &header]), "200");
    assert_eq!(status(&["--head"]), "401");
}

#[test]
fn panic_in_the_access_phase_denies() {
    let nginx = Nginx::builder()
        .module(crate::harness::Module::Panicking)
        .file("html/index.html", "content")
        .http("auth_jwt_key_file issuer.pem;")
        .server("auth_jwt realm;")
        .start();
    assert_eq!(nginx.get_as("/", "panic").status, 500);
    assert_eq!(nginx.get_as("/", &token(json!({}))).status, 200);
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_parameters(
        "auth_jwt",
        &[
            ("", "invalid number of arguments in \"auth_jwt\" directive"),
            ("a b c", "invalid number of arguments"),
            ("realm token", "invalid parameter \"token\""),
            ("realm token=", "invalid parameter \"token=\""),
            ("realm token=abc", "invalid parameter \"token=abc\""),
            ("realm cookie=$x", "invalid parameter \"cookie=$x\""),
            ("realm token=$nosuch", "unknown \"nosuch\" variable"),
            ("off token=abc", "invalid parameter \"token=abc\""),
            ("off token=$nosuch", "unknown \"nosuch\" variable"),
            ("a; auth_jwt b", "\"auth_jwt\" directive is duplicate"),
        ],
    );
}

#[test]
fn verdict_is_of_the_token_that_the_variable_holds_where_a_redirect_leads() {
    let nginx = Nginx::builder()
        .file("html/inner", "content")
        .http(
            "auth_jwt_key_file issuer.pem;
             map $uri $chosen { volatile; /by-map $cookie_a; default $cookie_b; }",
        )
        .server(
            "set $token $cookie_b;
             location /by-map {
                 auth_jwt realm token=$chosen;
                 location = /by-map { try_files /none /by-map-inner; }
                 location = /by-map-inner { try_files /inner =404; }
             }
             auth_jwt realm token=$token;
             location = /by-set { set $token $cookie_a; try_files /none /set-inner; }
             location = /page { set $token $cookie_a; error_page 404 = /set-inner; }
             location = /named { set $token $cookie_a; try_files /none @named; }
             location @named { set $token $cookie_b; try_files /inner =404; }
             location = /set-inner { add_header X-Sub $jwt_claim_sub; try_files /inner =404; }",
        )
        .start();
    let (a, b) = (token(json!({"sub": "a"})), token(json!({"sub": "b"})));
    let expired = token(json!({"sub": "b", "exp": now() - 1}));
    let get = |target: &str, b: &str| nginx.get_with(target, &[&format!("Cookie: a={a}; b={b}")]);
    for target in ["/by-map", "/by-set", "/page", "/named"] {
        assert_eq!(get(target, &b).status, 200, "{target}");
        for bad in [expired.as_str(), "x.y.z", ""] {
            assert_eq!(get(target, bad).status, 401, "{target} {bad}");
        }
    }
    assert_eq!(get("/by-set", &b).header("X-Sub"), Some("b"));
}
