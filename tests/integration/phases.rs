//! `$decoded_ojwt` wherever nginx takes variables, through subrequests and internal redirects.

use serde_json::json;

use crate::harness::{Nginx, token};

/// How often a token was judged: each refusal is a line of the log.
fn judged(nginx: &Nginx) -> usize {
    nginx.count_in_log("ojwt: malformed token")
}

fn claims() -> (String, String) {
    (token(json!({"sub": "me"})), r#"{"sub":"me"}"#.to_owned())
}

#[test]
fn works_in_if_return_map_set_and_add_header() {
    let nginx = Nginx::builder()
        .http(
            "auth_jwt_key_file issuer.pem;
             map $decoded_ojwt $is_me { '~\"sub\":\"me\"' yes; default no; }",
        )
        .server(
            "location /if { if ($decoded_ojwt ~ ^failed) { return 401 $decoded_ojwt; } return 200 in; }
             location /map { return 200 $is_me; }
             location /set { set $x $decoded_ojwt; return 200 $x; }
             location /add { add_header X-Claims $decoded_ojwt; return 204; }",
        )
        .start();
    let (jwt, json) = claims();
    assert_eq!(nginx.get(&format!("/if?jwt={jwt}")).body, "in");
    let refused = nginx.get("/if");
    assert_eq!((refused.status, refused.body.as_str()), (401, "failed: no token"));
    assert_eq!(nginx.get(&format!("/map?jwt={jwt}")).body, "yes");
    assert_eq!(nginx.get("/map").body, "no");
    assert_eq!(nginx.get(&format!("/set?jwt={jwt}")).body, json);
    assert_eq!(nginx.get(&format!("/add?jwt={jwt}")).header("X-Claims"), Some(json.as_str()));
}

#[test]
fn works_in_the_access_log() {
    let nginx = Nginx::builder()
        .http(
            "auth_jwt_key_file issuer.pem;
             log_format claims escape=none '$uri $decoded_ojwt'; access_log access.log claims;",
        )
        .server("location / { return 200; }")
        .start();
    let (jwt, json) = claims();
    nginx.get(&format!("/a?jwt={jwt}"));
    nginx.get("/b");
    nginx.wait("two lines", || nginx.file("access.log").lines().count() == 2);
    assert_eq!(nginx.file("access.log"), format!("/a {json}\n/b failed: no token\n"));
}

#[test]
fn reaches_an_upstream_in_a_header() {
    let nginx = Nginx::with_server(
        "listen unix:upstream.sock;
         location / { proxy_set_header X-Claims $decoded_ojwt; proxy_pass http://unix:upstream.sock:/upstream; }
         location /upstream { return 200 $http_x_claims; }",
    );
    let (jwt, json) = claims();
    // What the client says there is replaced.
    let response = nginx.get_with(&format!("/?jwt={jwt}"), &["X-Claims: forged"]);
    assert_eq!(response.body, json);
}

#[test]
fn token_is_judged_once_however_often_it_is_used() {
    let nginx = Nginx::builder()
        .http(
            "auth_jwt_key_file issuer.pem; map $decoded_ojwt $m { default $decoded_ojwt; }
             log_format claims '$decoded_ojwt'; access_log access.log claims;",
        )
        .server(
            "if ($decoded_ojwt = x) { return 500; }
             location / {
                 if ($decoded_ojwt = y) { return 500; }
                 set $a $decoded_ojwt;
                 add_header X-Claims $decoded_ojwt always;
                 return 401 \"$m $decoded_ojwt $a\";
             }",
        )
        .start();
    nginx.get("/?jwt=x");
    assert_eq!(judged(&nginx), 1);
    nginx.get("/?jwt=x");
    assert_eq!(judged(&nginx), 2);
}

#[test]
fn outcome_survives_internal_redirects_that_drop_the_arguments() {
    let nginx = Nginx::builder()
        .file("html/dir/index.html", "index")
        .http("auth_jwt_key_file issuer.pem;")
        .server(
            "location /error { if ($decoded_ojwt = x) { return 500; } error_page 418 /verdict; return 418; }
             location /unasked { error_page 418 = /verdict; return 418; }
             location /named { error_page 418 = @named; return 418; }
             location @named { return 200 $decoded_ojwt; }
             location /try { try_files /nothing /verdict; }
             location /rewritten { rewrite ^ /verdict? last; }
             location /rewritten-args { rewrite ^ /verdict?a=1? last; }
             location /dir/ { add_header X-Claims $decoded_ojwt; }
             location /verdict { return 200 $decoded_ojwt; }",
        )
        .start();
    let (jwt, json) = claims();
    for path in ["/error", "/unasked", "/named", "/try", "/rewritten", "/rewritten-args"] {
        assert_eq!(nginx.get(&format!("{path}?jwt={jwt}")).body, json, "{path}");
        assert_eq!(nginx.get(path).body, "failed: no token", "{path}");
        let before = judged(&nginx);
        assert_eq!(nginx.get(&format!("{path}?jwt=x")).body, "failed: malformed token", "{path}");
        assert_eq!(judged(&nginx), before + 1, "{path}");
    }
    let index = nginx.get(&format!("/dir/?jwt={jwt}"));
    assert_eq!((index.body.as_str(), index.header("X-Claims")), ("index", Some(json.as_str())));
}

#[test]
fn argument_that_a_rewrite_brings_is_a_source_too() {
    let nginx = Nginx::with_server(
        "rewrite ^/t/(.*) /verdict?jwt=$1? last; location /verdict { return 200 $decoded_ojwt; }",
    );
    let (jwt, json) = claims();
    assert_eq!(nginx.get(&format!("/t/{jwt}")).body, json);
}

#[test]
fn subrequest_sees_the_token_of_the_request_that_the_client_made() {
    let nginx = Nginx::with_server(
        "listen unix:self.sock;
         location / { auth_request /check; return 200 open; }
         location /guarded { auth_request /check; proxy_pass http://unix:self.sock:/content; }
         location /args { auth_request /check?jwt=x; proxy_pass http://unix:self.sock:/content; }
         location /content { return 200 content; }
         location /check { internal; if ($decoded_ojwt ~ ^failed) { return 401; } return 204; }",
    );
    let (jwt, _) = claims();
    for path in ["/guarded", "/args"] {
        assert_eq!(nginx.get(&format!("{path}?jwt={jwt}")).body, "content", "{path}");
        assert_eq!(nginx.get_with(path, &[&format!("Api-Key: {jwt}")]).body, "content");
        assert_eq!(nginx.get(path).status, 401);
        assert_eq!(nginx.get(&format!("{path}?jwt=x")).status, 401);
    }
    // `return` answers before the access phase, and so before auth_request.
    assert_eq!(nginx.get("/").body, "open");
}

#[test]
fn subrequest_cannot_bring_a_token_of_its_own() {
    let (jwt, _) = claims();
    let nginx = Nginx::builder()
        .file("html/page.html", format!("<!--# include virtual=\"/verdict?jwt={jwt}\" -->"))
        .http("auth_jwt_key_file issuer.pem;")
        .server("ssi on; ssi_value_length 4096; location /verdict { return 200 $decoded_ojwt; }")
        .start();
    assert_eq!(nginx.get("/page.html").body, "failed: no token");
}

#[test]
fn included_parts_share_one_outcome_with_the_page() {
    let nginx = Nginx::builder()
        .file(
            "html/page.html",
            "<!--# echo var=\"decoded_ojwt\" encoding=\"none\" --> <!--# include virtual=\"/verdict\" --> \
             <!--# include virtual=\"/verdict\" -->",
        )
        .http("auth_jwt_key_file issuer.pem;")
        .server("ssi on; ssi_value_length 4096; location /verdict { return 200 $decoded_ojwt; }")
        .start();
    let (jwt, json) = claims();
    assert_eq!(nginx.get(&format!("/page.html?jwt={jwt}")).body, format!("{json} {json} {json}"));
    nginx.get("/page.html?jwt=x");
    assert_eq!(judged(&nginx), 1);
}

#[test]
fn each_gate_on_the_way_judges_for_itself() {
    let nginx = Nginx::builder()
        .file("other.pem", crate::harness::public_pem(&crate::harness::FORGER))
        .http("auth_jwt_key_file issuer.pem;")
        .server(
            "location /ours {
                 if ($decoded_ojwt ~ ^failed) { return 401 $decoded_ojwt; }
                 rewrite ^ /theirs last;
             }
             location /theirs { auth_jwt_key_file other.pem; return 200 $decoded_ojwt; }
             location /back {
                 auth_jwt_key_file other.pem;
                 if ($decoded_ojwt !~ ^failed) { return 500; }
                 rewrite ^ /end last;
             }
             location /end { return 200 $decoded_ojwt; }",
        )
        .start();
    let (jwt, json) = claims();
    assert_eq!(nginx.get(&format!("/ours?jwt={jwt}")).body, "failed: signature mismatch");
    assert_eq!(nginx.get(&format!("/back?jwt={jwt}")).body, json);
}

#[test]
fn works_over_http_2() {
    let nginx =
        Nginx::with_server("listen unix:h2.sock http2; location / { return 200 $decoded_ojwt; }");
    let (jwt, json) = claims();
    let curl = |arguments: &[&str]| {
        let output = std::process::Command::new("curl")
            .args(["-s", "--http2-prior-knowledge", "--unix-socket"])
            .arg(nginx.path("h2.sock"))
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(curl(&[&format!("http://example.com/?jwt={jwt}")]), json);
    assert_eq!(curl(&["-H", &format!("Api-Key: {jwt}"), "http://example.com/"]), json);
    let cookie = format!("cookie: a=1; jwtcookie={jwt}; b=2");
    assert_eq!(curl(&["-H", &cookie, "http://example.com/"]), json);
    let bound = token(json!({"host": "example.com"}));
    assert_eq!(curl(&[&format!("http://other.example/?jwt={bound}")]), "failed: wrong host");
}

#[test]
fn answers_while_a_request_body_is_read_and_proxied() {
    let nginx = Nginx::with_server(
        "listen unix:up.sock;
         location /in { if ($decoded_ojwt ~ ^failed) { return 401; } proxy_pass http://unix:up.sock:/out; }
         location /out { return 200 $http_content_length; }",
    );
    let (jwt, _) = claims();
    let body = "x".repeat(100_000);
    let request = format!(
        "POST /in?jwt={jwt} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(nginx.send(request.as_bytes()).body, "100000");
}

#[test]
fn token_that_a_rewrite_puts_into_the_arguments_is_judged_for_itself() {
    let nginx = Nginx::builder()
        .file("html/page", "content")
        .http(
            "auth_jwt_key_file issuer.pem; ojwt_token_from arg=jwt;
             log_format status '$ojwt_status'; access_log access.log status;",
        )
        .server(
            "if ($decoded_ojwt ~ ^failed) { return 401; }
             location /last { rewrite ^ /judged?jwt=$arg_other? last; }
             location /set { set $args jwt=$arg_other; return 200 $decoded_ojwt; }
             location /files { try_files /none /judged?jwt=$arg_other; }
             location /kept { rewrite ^ /judged?a=b? last; }
             location /gate { auth_jwt realm; rewrite ^ /page?jwt=$arg_other? break; }
             location /judged { return 200 $decoded_ojwt; }",
        )
        .start();
    let (own, json) = claims();
    let other = token(json!({"sub": "other"}));
    for target in ["/last", "/set", "/files"] {
        let get = |other: &str| nginx.get(&format!("{target}?jwt={own}&other={other}")).body;
        assert_eq!(get(&other), r#"{"sub":"other"}"#, "{target}");
        assert_eq!(get(&own), json, "{target}");
        let bad = get("x.y.z");
        assert!(bad == "failed: malformed token" || bad.contains("401"), "{target}: {bad}");
    }
    // What the client sent counts on where a rewrite dropped it, and is judged once.
    assert_eq!(nginx.get(&format!("/kept?jwt={own}")).body, json);
    assert_eq!(nginx.get(&format!("/gate?jwt={own}&other={other}")).status, 200);
    assert_eq!(nginx.get(&format!("/gate?jwt={own}&other=x.y.z")).status, 401);
    nginx.wait("12 lines", || nginx.file("access.log").lines().count() == 12);
    assert_eq!(nginx.file("access.log").lines().last(), Some("malformed_token"));
}
