//! Requests that mean harm: no worker crashes, hangs or believes them.

use std::time::{Duration, Instant};

use ojwt_core::text::base64url::encode;
use serde_json::json;

use crate::harness::{FORGER, Module, Nginx, Upstream, bearer, ok, signed_by, token};

/// A gate whose nginx takes large requests, so that it is the module that has to cope.
fn wide_open() -> Nginx {
    Nginx::builder()
        .http(
            "auth_jwt_key_file issuer.pem; auth_jwt_max_token_size 1m;
             large_client_header_buffers 8 1m; client_header_buffer_size 64k;",
        )
        .server("location / { return 200 $decoded_ojwt; }")
        .start()
}

fn forged(header: &str) -> String {
    format!("{}.{}.{}", encode(header.as_bytes()), encode(b"{}"), encode(&[1; 256]))
}

#[test]
fn deep_nesting_and_many_members_are_bounded() {
    let nginx = wide_open();
    let members: Vec<String> = (0..50_000).map(|i| format!("\"{i}\":0")).collect();
    for header in [
        format!("{{\"alg\":\"RS256\",\"x\":{}}}", "[".repeat(100_000)),
        format!("{{\"alg\":\"RS256\",{}}}", members.join(",")),
        format!("{{\"alg\":\"RS256\",\"kid\":\"{}\"}}", "k".repeat(300_000)),
        format!("{{\"alg\":\"RS256\",\"x\":{}}}", "9".repeat(300_000)),
    ] {
        let start = Instant::now();
        let response = nginx.get(&format!("/?jwt={}", forged(&header)));
        assert!(response.body.starts_with("failed: "), "{}", response.body);
        assert!(start.elapsed() < Duration::from_secs(2));
    }
    assert_eq!(nginx.get(&format!("/?jwt={}", token(json!({})))).body, "{}");
}

#[test]
fn keys_that_a_token_brings_or_points_to_are_ignored() {
    let nginx = wide_open();
    let jwk =
        ojwt_core::issue::sign::to_jwk(&crate::harness::FORGER.material().unwrap(), None, None);
    for header in [
        json!({"alg": "RS256", "jwk": jwk}),
        json!({"alg": "RS256", "jku": "http://127.0.0.1:1/jwks"}),
        json!({"alg": "RS256", "x5u": "http://127.0.0.1:1/x5u"}),
        json!({"alg": "RS256", "x5c": ["AAAA"]}),
        json!({"alg": "RS256", "kid": "/dev/null"}),
        json!({"alg": "RS256", "kid": "' or 1=1 --"}),
        json!({"alg": "RS256", "kid": "\u{0}"}),
    ] {
        let jwt = crate::harness::FORGER
            .sign_with_header(ojwt_core::Alg::RS256, header.to_string().as_bytes(), b"{}")
            .unwrap();
        let body = nginx.get(&format!("/?jwt={jwt}")).body;
        assert_eq!(body, "failed: signature mismatch", "{header}");
    }
}

#[test]
fn any_bytes_get_an_answer() {
    let nginx = wide_open();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..300 {
        let length = usize::try_from(random() % 64).unwrap();
        let bytes: Vec<u8> = (0..length).map(|_| random().to_le_bytes()[0]).collect();
        let percent: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
        let raw: Vec<u8> =
            bytes.iter().copied().filter(|byte| !b"\r\n\0 ".contains(byte)).collect();
        let mut request =
            format!("GET /?jwt={percent} HTTP/1.1\r\nHost: a\r\nApi-Key: ").into_bytes();
        request.extend_from_slice(&raw);
        request.extend_from_slice(b"\r\nCookie: jwtcookie=");
        request.extend_from_slice(&raw);
        request.extend_from_slice(b"\r\nAuthorization: Bearer ");
        request.extend_from_slice(&raw);
        request.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
        let response = nginx.send(&request);
        assert!(response.body.starts_with("failed: "), "{response:?}");
    }
}

#[test]
fn request_for_http_0_9_and_pipelined_requests_are_judged_each_for_itself() {
    let nginx = wide_open();
    let jwt = token(json!({"sub": "me"}));
    let request = format!(
        "GET /?jwt={jwt} HTTP/1.1\r\nHost: a\r\n\r\n\
         GET / HTTP/1.1\r\nHost: a\r\n\r\n\
         GET /?jwt={jwt} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    );
    let whole = nginx.send(request.as_bytes()).body;
    assert!(whole.starts_with(r#"{"sub":"me"}HTTP/1.1 200 OK"#), "{whole}");
    assert_eq!(whole.matches("failed: no token").count(), 1, "{whole}");
    assert!(whole.ends_with(r#"{"sub":"me"}"#), "{whole}");
}

#[test]
fn panic_denies_the_request_and_the_worker_lives_on() {
    let nginx = Nginx::builder()
        .module(Module::Panicking)
        .http("auth_jwt_key_file issuer.pem;")
        .server("location / { return 200 $decoded_ojwt; }")
        .start();
    let workers = nginx.workers();
    let (valid, target) = (token(json!({})), "/?jwt=panic");
    for _ in 0..3 {
        assert_eq!(nginx.get(target).body, "failed: internal error");
        assert_eq!(nginx.get(&format!("/?jwt={valid}")).body, "{}");
    }
    assert_eq!(nginx.workers(), workers);
    let log = nginx.error_log();
    assert!(log.contains("[alert]"), "{log}");
    assert!(log.contains("ojwt: internal error at src/gate/judge.rs:"), "{log}");
    assert!(!log.contains("as the test wants it"), "{log}");
}

/// Servers disagree on which part of a request counts (as CVE-2025-54576 of oauth2-proxy had it).
#[test]
fn no_spelling_of_a_guarded_path_leads_around_the_gate() {
    let nginx = Nginx::builder()
        .file("html/guarded/secret.txt", "secret")
        .file("html/open/file.txt", "open")
        .server(
            "location / { root html; }
             location /guarded/ { root html; auth_jwt realm; auth_jwt_key_file issuer.pem; }",
        )
        .start();
    let target = "/guarded/secret.txt";
    let jwt = token(json!({}));
    assert_eq!(nginx.get_as(target, &jwt).body, "secret");
    assert_eq!(nginx.get("/open/file.txt").body, "open");
    let way_round = ["X-Original-URL: /open/file.txt", "X-Rewrite-URL: /open/file.txt"];
    for (target, headers) in [
        (target, &[][..]),
        (target, &way_round),
        ("/open/file.txt", &["X-Original-URL: /guarded/secret.txt"]),
        ("//guarded/secret.txt", &[]),
        ("/guarded//secret.txt", &[]),
        ("/./guarded/secret.txt", &[]),
        ("/open/../guarded/secret.txt", &[]),
        ("/open/..%2fguarded/secret.txt", &[]),
        ("/%67uarded/secret.txt", &[]),
        ("/%2e/guarded/secret.txt", &[]),
        ("/guarded%2fsecret.txt", &[]),
        ("/guarded%252fsecret.txt", &[]),
        ("/guarded/secret.txt?/open/file.txt", &[]),
        ("/guarded/secret.txt#/open/file.txt", &[]),
        ("/guarded/secret.txt;/open/file.txt", &[]),
        ("/guarded/secret.txt/../secret.txt", &[]),
        ("/guarded/secret.txt%00", &[]),
        ("/guarded/secret.txt%20", &[]),
        ("/guarded\\secret.txt", &[]),
        ("/GUARDED/secret.txt", &[]),
        ("http://example.com/guarded/secret.txt", &[]),
        ("http://other.example//guarded/secret.txt", &[]),
    ] {
        let response = nginx.get_with(target, headers);
        assert!(!response.body.contains("secret"), "{target}: {response:?}");
    }
}

#[test]
fn every_method_meets_the_gate() {
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem;")
        .server("location / { auth_jwt realm; proxy_pass http://127.0.0.1:1; }")
        .start();
    for method in [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "MKCOL", "COPY",
        "LOCK", "PURGE", "X",
    ] {
        let request = format!(
            "{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\
             Access-Control-Request-Method: GET\r\nOrigin: http://a\r\n\
             X-HTTP-Method-Override: GET\r\n\r\n"
        );
        assert_eq!(nginx.send(request.as_bytes()).status, 401, "{method}");
    }
    // nginx has none of these.
    for method in ["TRACE", "CONNECT"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(matches!(nginx.send(request.as_bytes()).status, 400 | 405), "{method}");
    }
}

/// An application takes `X_Claims` for `X-Claims` (CGI and WSGI do); a proxy before it may drop
/// what `Connection` names (as CVE-2024-45410 of Traefik had it).
#[test]
fn no_header_of_the_client_stands_for_the_claims_or_takes_them_away() {
    let application = Upstream::with_answer(ok("application"));
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem;")
        .server(&format!(
            "location / {{
                 auth_jwt realm; proxy_set_header X-Claims $decoded_ojwt;
                 proxy_pass http://{};
             }}",
            application.address()
        ))
        .start();
    let authorization = bearer(&token(json!({"sub": "me"})));
    let response = nginx.get_with(
        "/",
        &[
            &authorization,
            "X-Claims: forged",
            "x-claims: forged",
            "X_Claims: forged",
            "X-Claims : forged",
            "X.Claims: forged",
            "Connection: X-Claims",
            "Trailer: X-Claims",
        ],
    );
    // nginx itself refuses a header with white space before the colon, from 1.21.1 on.
    if response.status == 200 {
        assert_eq!(response.body, "application");
    } else {
        assert_eq!(response.status, 400, "{response:?}");
    }
    let rest = ["X-Claims: forged", "x-claims: forged", "X_Claims: forged", "X.Claims: forged"];
    let named = ["Connection: X-Claims", "Trailer: X-Claims"];
    let headers = [&[authorization.as_str()][..], &rest, &named].concat();
    assert_eq!(nginx.get_with("/", &headers).body, "application");
    for head in application.requests() {
        let head = head.to_ascii_lowercase();
        assert!(head.contains("\r\nx-claims: {\"sub\":\"me\"}\r\n"), "{head}");
        assert!(!head.contains("\r\nconnection: x-claims"), "{head}");
        let spelled = head.replace(['_', '.'], "-");
        assert_eq!(spelled.matches("\r\nx-claims").count(), 1, "{head}");
    }
}

#[test]
fn token_in_a_header_with_an_underscore_is_none() {
    let nginx = Nginx::builder()
        .http("auth_jwt_key_file issuer.pem; underscores_in_headers on;")
        .server("location / { return 200 $decoded_ojwt; }")
        .start();
    let header = format!("Api_Key: {}", token(json!({})));
    assert_eq!(nginx.get_with("/", &[&header]).body, "failed: no token");
}

#[test]
fn host_is_none_of_those_that_a_forwarding_header_names() {
    let nginx = wide_open();
    let target = format!("/?jwt={}", token(json!({"host": "example.com"})));
    for header in [
        "X-Forwarded-Host: example.com",
        "X-Host: example.com",
        "X-Forwarded-Server: example.com",
        "Forwarded: host=example.com",
        "Origin: http://example.com",
        "Referer: http://example.com/",
    ] {
        let answer = nginx.get_with(&target, &["Host: other.example", header]).body;
        assert_eq!(answer, "failed: wrong host", "{header}");
    }
    // One of two hosts is no host at all.
    let twice = nginx.get_with(&target, &["Host: other.example", "Host: example.com"]);
    assert_eq!(twice.status, 400);
}

/// As CVE-2021-21378 of Envoy had it, where what failed and what is missing were the same.
#[test]
fn of_several_tokens_none_is_picked_for_being_good() {
    let nginx = wide_open();
    let good = token(json!({"sub": "me"}));
    let forged = signed_by(&FORGER, &json!({"sub": "root"}));
    let (mismatch, several) = ("failed: signature mismatch", "failed: several tokens");
    let good_bearer = bearer(&good);
    let forged_bearer = bearer(&forged);
    for (target, headers, verdict) in [
        (format!("/?jwt={forged}"), vec![good_bearer.clone()], mismatch),
        ("/".into(), vec![format!("Api-Key: {forged}"), good_bearer.clone()], mismatch),
        (format!("/?jwt={forged}&jwt={good}"), vec![], several),
        ("/".into(), vec![format!("Cookie: jwtcookie={forged}; jwtcookie={good}")], several),
        (
            "/".into(),
            vec![format!("Cookie: jwtcookie={forged}"), format!("Cookie: jwtcookie={good}")],
            several,
        ),
        ("/".into(), vec![format!("Api-Key: {forged}"), format!("Api-Key: {good}")], several),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        assert_eq!(nginx.get_with(&target, &headers).body, verdict, "{target} {headers:?}");
    }
    // A second one of these nginx refuses itself.
    assert_eq!(nginx.get_with("/", &[&forged_bearer, &good_bearer]).status, 400);
    // A list is no token.
    for list in [
        format!("Authorization: Bearer {good}, Bearer {forged}"),
        format!("Authorization: Bearer {good},{forged}"),
        format!("Authorization: Bearer {good} {forged}"),
        format!("Authorization: Bearer Bearer {good}"),
        format!("Api-Key: {good}, {forged}"),
    ] {
        assert_eq!(nginx.get_with("/", &[&list]).body, "failed: malformed token", "{list}");
    }
}

/// A signature that nobody checks costs nothing: what `security.md` advises.
#[test]
fn limit_by_address_answers_before_the_gate_but_after_an_if() {
    let nginx = Nginx::builder()
        .http(
            "auth_jwt_key_file issuer.pem; limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m;",
        )
        .server(
            "limit_req zone=z;
             location /file { auth_jwt realm; try_files /none =404; }
             location /if { if ($decoded_ojwt ~ ^fail) { return 401; } try_files /none =404; }",
        )
        .start();
    let forged = bearer(&signed_by(&FORGER, &json!({})));
    assert_eq!(nginx.get_with("/file", &[&forged]).status, 401);
    assert_eq!(nginx.get_with("/file", &[&forged]).status, 503);
    assert_eq!(nginx.get_with("/if", &[&forged]).status, 401);
    let log = nginx.error_log();
    assert!(log.contains("limiting requests"), "{log}");
}

#[test]
fn token_without_an_end_can_be_refused() {
    let nginx = Nginx::with_location(
        "/",
        "auth_jwt realm; auth_jwt_require $jwt_claim_exp; try_files /none =404;",
    );
    let status = |claims| {
        let jwt = token(claims);
        nginx.get_as("/", &jwt).status
    };
    assert_eq!(status(json!({"sub": "a", "exp": 4_102_444_800_u64})), 404);
    assert_eq!(status(json!({"sub": "a"})), 401);
}
