//! Requests that mean harm: no worker crashes, hangs or believes them.

use std::time::{Duration, Instant};

use ojwt_core::base64url::encode;
use serde_json::json;

use crate::harness::{Module, Nginx, token};

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
    let jwk = ojwt_core::sign::to_jwk(&crate::harness::FORGER.material().unwrap(), None, None);
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
    assert!(log.contains("ojwt: internal error at src/context.rs:"), "{log}");
    assert!(!log.contains("as the test wants it"), "{log}");
}
