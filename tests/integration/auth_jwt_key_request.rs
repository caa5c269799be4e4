//! `auth_jwt_key_request` and `auth_jwt_key_cache`: keys that a subrequest brings.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ojwt_core::Alg;
use ojwt_core::issue::sign::{SigningKey, to_jwk};
use serde_json::{Value, json};

use crate::harness::{
    Builder, FORGER, HOST, ISSUER, Nginx, Upstream, bearer, issuer, jwks, ok, public_pem,
    refuses_lines, self_signed, signed_by, token,
};

/// An nginx whose `/` is guarded by keys of `upstream`, and whose `/oracle` shows the verdict.
fn builder(upstream: &Upstream, lines: &str) -> Builder {
    Nginx::builder().file("html/page.html", "content").server(&format!(
        "auth_jwt_key_request /keys;
         {lines}
         location / {{ auth_jwt realm; try_files /page.html =404; }}
         location /oracle {{ if ($decoded_ojwt = x) {{ return 400; }} return 200 $decoded_ojwt; }}
         location = /keys {{ internal; proxy_pass http://{}; }}",
        upstream.address()
    ))
}

fn gate(upstream: &Upstream, lines: &str) -> Nginx {
    builder(upstream, lines).start()
}

/// With the lines that the documentation has: nginx takes any certificate without them. Sessions
/// are not resumed, since the one server here would vouch for itself.
#[test]
fn keys_of_a_server_that_nobody_vouches_for_open_no_gate() {
    let (key, certificate) = self_signed();
    let (_, other) = self_signed();
    let nginx = Nginx::builder()
        .file("tls.key", key)
        .file("tls.pem", certificate)
        .file("other.pem", other)
        .http("ssl_certificate tls.pem; ssl_certificate_key tls.key;")
        .server(&format!(
            "listen unix:idp.sock ssl;
             location /idp {{ return 200 '{}'; }}
             location /verified {{ auth_jwt_key_request /1; return 200 $decoded_ojwt; }}
             location /intercepted {{ auth_jwt_key_request /2; return 200 $decoded_ojwt; }}
             location /misnamed {{ auth_jwt_key_request /3; return 200 $decoded_ojwt; }}
             proxy_ssl_verify on; proxy_ssl_server_name on; proxy_ssl_name {HOST};
             proxy_ssl_session_reuse off;
             proxy_ssl_trusted_certificate tls.pem;
             location = /1 {{ internal; proxy_pass https://unix:idp.sock:/idp; }}
             location = /2 {{
                 internal; proxy_pass https://unix:idp.sock:/idp;
                 proxy_ssl_trusted_certificate other.pem;
             }}
             location = /3 {{
                 internal; proxy_pass https://unix:idp.sock:/idp; proxy_ssl_name other.example;
             }}",
            jwks(&[&ISSUER])
        ))
        .start();
    let token = token(json!({"sub": "a"}));
    assert_eq!(nginx.get_as("/verified", &token).body, r#"{"sub":"a"}"#);
    assert_eq!(nginx.get_as("/intercepted", &token).body, "failed: key unavailable");
    assert_eq!(nginx.get_as("/misnamed", &token).body, "failed: key unavailable");
}

#[test]
fn keys_of_an_upstream_open_the_gate_and_no_others_do() {
    let upstream = issuer();
    let nginx = gate(&upstream, "");
    let (good, bad) = (token(json!({"sub": "a"})), signed_by(&FORGER, &json!({})));
    let response = nginx.get_as("/", &good);
    assert_eq!((response.status, response.body.as_str()), (200, "content"));
    assert_eq!(nginx.get_as("/", &bad).status, 401);
    assert_eq!(nginx.get("/").status, 401);
    assert_eq!(nginx.get_as("/oracle", &good).body, r#"{"sub":"a"}"#);
    assert_eq!(nginx.get_as("/oracle", &bad).body, "failed: signature mismatch");
    // No token, no fetch.
    assert_eq!(upstream.requests().len(), 4);
    assert_eq!(nginx.get("/keys").status, 404, "an internal location");
}

#[test]
fn keys_may_be_a_file_or_text_that_nginx_serves() {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("html/keys.json", jwks(&[&ISSUER]))
        .file("html/keys.pem", public_pem(&ISSUER))
        .http("sendfile on;")
        .server(&format!(
            "auth_jwt realm;
             location /file {{ auth_jwt_key_request /keys.json jwks; try_files /page.html =404; }}
             location /pem {{ auth_jwt_key_request /keys.pem pem; try_files /page.html =404; }}
             location /text {{ auth_jwt_key_request /inline; try_files /page.html =404; }}
             location = /inline {{ return 200 '{}'; }}",
            jwks(&[&ISSUER])
        ))
        .start();
    for path in ["/file", "/pem", "/text"] {
        assert_eq!(nginx.get_as(path, &token(json!({}))).body, "content", "{path}");
        assert_eq!(nginx.get_as(path, &signed_by(&FORGER, &json!({}))).status, 401, "{path}");
    }
}

#[test]
fn several_requests_and_files_count_together_and_each_is_fetched_once_for_a_token() {
    let upstream = Upstream::start(|head, stream| {
        let keys = if head.starts_with("GET /one ") { jwks(&[&FORGER]) } else { jwks(&[&ISSUER]) };
        let _ = stream.write_all(ok(&keys).as_bytes());
    });
    let elliptic = crate::harness::key("ec_prime256v1.pem");
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("ec.pem", public_pem(&elliptic))
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_file ec.pem;
             auth_jwt_key_request /one; auth_jwt_key_request /two;
             location / {{ try_files /page.html =404; }}
             location /inner {{ auth_jwt_key_request /one; try_files /page.html =404; }}
             location ~ ^/(one|two)$ {{ internal; proxy_pass http://{}; }}",
            upstream.address()
        ))
        .start();
    for jwt in [
        token(json!({})),
        signed_by(&FORGER, &json!({})),
        elliptic.sign(Alg::ES256, None, b"{}").unwrap(),
    ] {
        assert_eq!(nginx.get_as("/", &jwt).status, 200);
    }
    let mut lines: Vec<String> = upstream
        .requests_once(4)
        .iter()
        .map(|head| head.split(' ').nth(1).unwrap().to_owned())
        .collect();
    lines.sort_unstable();
    // Side by side, so that either may come first; those of the file need no others.
    assert_eq!(lines, ["/one", "/one", "/two", "/two"]);
    // The requests of an inner level replace those of the outer one; its files it inherits.
    assert_eq!(nginx.get_as("/inner", &token(json!({}))).status, 401);
    assert_eq!(nginx.get_as("/inner", &signed_by(&FORGER, &json!({}))).status, 200);
    assert_eq!(
        nginx.get_as("/inner", &elliptic.sign(Alg::ES256, None, b"{}").unwrap()).status,
        200
    );
}

#[test]
fn answers_that_are_no_keys_deny_with_500_and_a_log_line() {
    let whole = jwks(&[&ISSUER]);
    let cases: [(&str, String, &str); 11] = [
        (
            "status",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(),
            "the status is 404, not 200",
        ),
        (
            "created",
            format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{whole}", whole.len()),
            "the status is 201, not 200",
        ),
        (
            "redirect",
            "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n".into(),
            "the status is 302, not 200",
        ),
        ("garbage", ok("not keys"), "no usable key: neither JSON, nor PEM, nor DER"),
        ("page", ok("<html>not keys</html>"), "no usable key: it looks like HTML"),
        (
            "broken",
            ok(r#"{"keys":[{"kty":"RSA"},{"kty":"oct","k":"AA"}]}"#),
            "no usable key: key 0: \"n\" is missing or broken; key 1: secret of 1 bytes",
        ),
        ("empty", ok(""), "no usable key"),
        (
            "cut",
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{whole}", whole.len() + 9),
            "the response is incomplete",
        ),
        (
            "compressed",
            format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{whole}",
                whole.len()
            ),
            "the response is compressed",
        ),
        (
            "huge",
            ok(&format!("{}{whole}", " ".repeat(1024 * 1024))),
            "the response exceeds 1048576 bytes",
        ),
        ("closed", String::new(), "the status is 502, not 200"),
    ];
    for (name, answer, message) in cases {
        let upstream = Upstream::with_answer(answer);
        let nginx = gate(&upstream, "");
        let good = token(json!({}));
        assert_eq!(nginx.get_as("/", &good).status, 500, "{name}");
        assert_eq!(nginx.get_as("/oracle", &good).body, "failed: key unavailable", "{name}");
        let line = format!("ojwt: key request \"/keys\": {message}");
        assert!(nginx.error_log().contains(&line), "{name}: {}", nginx.error_log());
        // And the worker serves on.
        assert_eq!(nginx.get("/oracle").body, "failed: no token", "{name}");
    }
}

#[test]
fn large_answer_is_taken_whatever_the_proxy_buffers() {
    let many: Vec<Value> = (0..300)
        .map(|index| to_jwk(&FORGER.material().unwrap(), Some(&index.to_string()), None))
        .chain([to_jwk(&ISSUER.material().unwrap(), Some("right"), None)])
        .collect();
    let body = json!({ "keys": many }).to_string();
    assert!(body.len() > 100_000);
    let upstream = Upstream::with_answer(ok(&body));
    let jwt = ISSUER.sign(Alg::RS256, Some("right"), b"{}").unwrap();
    for lines in [
        "",
        "proxy_buffering off;",
        "proxy_buffers 2 4k; proxy_busy_buffers_size 4k; proxy_buffer_size 2k;",
    ] {
        let nginx = gate(&upstream, lines);
        assert_eq!(nginx.get_as("/", &jwt).status, 200, "{lines}: {}", nginx.error_log());
    }
    // In nginx's temporary files, too.
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("html/keys.json", body)
        .http("sendfile on; aio off;")
        .server("auth_jwt realm; auth_jwt_key_request /keys.json; location / { try_files /page.html =404; } location = /keys.json {}")
        .start();
    assert_eq!(nginx.get_as("/", &jwt).status, 200);
}

#[test]
fn proxy_cache_keeps_answers() {
    let upstream = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http("proxy_cache_path cache keys_zone=keys:1m; proxy_cache_valid 200 1h;")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys;
             location / {{ try_files /page.html =404; }}
             location = /keys {{ internal; proxy_cache keys; proxy_pass http://{}; }}",
            upstream.address()
        ))
        .start();
    for _ in 0..5 {
        assert_eq!(nginx.get_as("/", &token(json!({}))).status, 200);
    }
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn nothing_of_the_client_reaches_the_key_server() {
    let upstream = issuer();
    let nginx = gate(&upstream, "");
    let jwt = token(json!({}));
    let body = "POST / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\nContent-Length: 5\r\n";
    let request = format!(
        "{body}{}\r\nCookie: a=secret\r\nAccept-Encoding: gzip\r\nRange: bytes=0-1\r\n\
         If-None-Match: \"x\"\r\nIf-Modified-Since: Sun, 06 Nov 2044 08:49:37 GMT\r\n\
         X-Secret: secret\r\nExpect: 100-continue\r\n\r\nhello",
        bearer(&jwt)
    );
    nginx.send(request.as_bytes());
    let heads = upstream.requests();
    assert_eq!(heads.len(), 1, "{heads:?}");
    let head = &heads[0];
    assert!(head.starts_with("GET /keys HTTP/1."), "{head}");
    assert!(!head.contains("secret") && !head.contains(&jwt), "{head}");
    // Before 1.29.7 nginx speaks HTTP/1.0 to upstreams, and says that it closes the connection.
    let names: Vec<&str> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':').map(|(name, _)| name))
        .filter(|name| *name != "Connection")
        .collect();
    assert_eq!(names, ["Host"], "{head}");
}

#[test]
fn request_is_served_whole_after_the_fetch() {
    let keys = issuer();
    let application = Upstream::start(|_, stream| {
        let mut body = [0; 5];
        std::io::Read::read_exact(stream, &mut body).unwrap();
        let _ = stream.write_all(ok(&format!("got {}", String::from_utf8_lossy(&body))).as_bytes());
    });
    let nginx = Nginx::builder()
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys;
             location / {{ proxy_pass http://{}; proxy_set_header X-Sub $jwt_claim_sub; }}
             location = /keys {{ internal; proxy_pass http://{}; }}",
            application.address(),
            keys.address()
        ))
        .start();
    let jwt = token(json!({"sub": "alice"}));
    let request = format!(
        "POST /a?b=c HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nContent-Length: 5\r\n{}\r\n\r\nhello",
        bearer(&jwt)
    );
    let response = nginx.send(request.as_bytes());
    assert_eq!((response.status, response.body.as_str()), (200, "got hello"));
    let heads = application.requests();
    assert!(heads[0].starts_with("POST /a?b=c ") && heads[0].contains("X-Sub: alice\r\n"));
}

#[test]
fn concurrent_requests_share_one_fetch() {
    let upstream = Upstream::start(|_, stream| {
        thread::sleep(Duration::from_millis(400));
        let _ = stream.write_all(ok(&jwks(&[&ISSUER])).as_bytes());
    });
    let nginx = gate(&upstream, "");
    let (good, bad) = (token(json!({})), signed_by(&FORGER, &json!({})));
    thread::scope(|scope| {
        let (nginx, good, bad) = (&nginx, &good, &bad);
        for path in ["/", "/oracle"].repeat(5) {
            scope.spawn(move || assert_eq!(nginx.get_as(path, good).status, 200, "{path}"));
        }
        scope.spawn(move || assert_eq!(nginx.get_as("/", bad).status, 401));
    });
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn failed_fetch_denies_all_who_share_it() {
    let upstream = Upstream::start(|_, stream| {
        thread::sleep(Duration::from_millis(400));
        let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    });
    let nginx = gate(&upstream, "");
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| assert_eq!(nginx.get_as("/", &token(json!({}))).status, 500));
        }
    });
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(nginx.count_in_log("the status is 503, not 200"), 1);
}

#[test]
fn waiting_client_may_go_away() {
    let upstream = Upstream::start(|_, stream| {
        thread::sleep(Duration::from_millis(600));
        let _ = stream.write_all(ok(&jwks(&[&ISSUER])).as_bytes());
    });
    let nginx = gate(&upstream, "");
    let jwt = token(json!({}));
    thread::scope(|scope| {
        let patient = scope.spawn(|| nginx.get_as("/", &jwt).status);
        thread::sleep(Duration::from_millis(150));
        for _ in 0..20 {
            let mut impatient = TcpStream::connect(nginx.address()).unwrap();
            write!(impatient, "GET / HTTP/1.1\r\nHost: {HOST}\r\n{}\r\n\r\n", bearer(&jwt))
                .unwrap();
        }
        assert_eq!(patient.join().unwrap(), 200);
    });
    assert_eq!(nginx.get_as("/", &jwt).status, 200);
}

/// An upstream whose answer the test changes.
fn changing(first: String) -> (Upstream, Arc<Mutex<String>>) {
    let answer = Arc::new(Mutex::new(first));
    let current = Arc::clone(&answer);
    let upstream = Upstream::start(move |_, stream| {
        let answer = current.lock().unwrap().clone();
        let _ = stream.write_all(answer.as_bytes());
    });
    (upstream, answer)
}

#[test]
fn cached_keys_need_no_fetch_until_they_are_too_old() {
    let (upstream, answer) = changing(ok(&jwks(&[&ISSUER])));
    let nginx = gate(&upstream, "auth_jwt_key_cache 2s;");
    let (old, new) = (token(json!({})), signed_by(&FORGER, &json!({})));
    let start = Instant::now();
    assert_eq!(nginx.get_as("/", &old).status, 200);
    *answer.lock().unwrap() = ok(&jwks(&[&FORGER]));
    assert_eq!(nginx.get_as("/oracle", &old).body, "{}");
    if start.elapsed() < Duration::from_millis(900) {
        assert_eq!(upstream.requests().len(), 1);
    }
    nginx.wait("the new keys", || nginx.get_as("/", &new).status == 200);
    assert_eq!(nginx.get_as("/", &old).status, 401);
}

#[test]
fn last_good_keys_serve_through_an_outage_and_garbage_but_not_for_ever() {
    let (upstream, answer) = changing(ok(&jwks(&[&ISSUER])));
    let nginx = gate(&upstream, "auth_jwt_key_cache 1s;");
    let (good, bad) = (token(json!({})), signed_by(&FORGER, &json!({})));
    assert_eq!(nginx.get_as("/", &good).status, 200);
    let start = Instant::now();
    *answer.lock().unwrap() = ok("garbage");
    let mut refused_at = None;
    while start.elapsed() < Duration::from_secs(15) && refused_at.is_none() {
        // The keys may die between the two.
        match (nginx.get_as("/", &good).status, nginx.get_as("/", &bad).status) {
            (200, 401) => {}
            (200 | 500, 500) => refused_at = Some(start.elapsed()),
            statuses => panic!("{statuses:?}"),
        }
        thread::sleep(Duration::from_millis(100));
    }
    // One second fresh, ten more of grace.
    let refused_at = refused_at.expect("keys of the dead are not for ever");
    assert!(refused_at > Duration::from_secs(9) && refused_at < Duration::from_secs(13));
    assert!(nginx.error_log().contains("ojwt: key request \"/keys\": no usable key"));
    // A try every few seconds, not every request.
    assert!(upstream.requests().len() < 8, "{}", upstream.requests().len());
    *answer.lock().unwrap() = ok(&jwks(&[&ISSUER]));
    nginx.wait("recovery", || nginx.get_as("/", &good).status == 200);
}

#[test]
fn same_body_is_parsed_once() {
    let skipped = json!({"keys": [
        to_jwk(&ISSUER.material().unwrap(), None, None),
        {"kty": "AKP", "pub": "AA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    ]});
    let upstream = Upstream::with_answer(ok(&skipped.to_string()));
    let nginx = gate(&upstream, "");
    for _ in 0..3 {
        assert_eq!(nginx.get_as("/", &token(json!({}))).status, 200);
    }
    assert_eq!(upstream.requests().len(), 3);
    let line = "key request \"/keys\": key 1: skipped: unknown \"kty\"";
    assert_eq!(nginx.count_in_log(line), 1);
    // One key that is broken breaks no other.
    let line = "key request \"/keys\": key 2: skipped: RSA key of 17 bits";
    assert_eq!(nginx.count_in_log(line), 1, "{}", nginx.error_log());
}

#[test]
fn odd_keys_beside_a_good_one_refuse_nobody() {
    let good = to_jwk(&ISSUER.material().unwrap(), Some("good"), None);
    let odd = [
        json!(null),
        json!({"kty": "RSA", "n": null, "e": null}),
        json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "use": "sig"}),
        json!({"kty": "RSA", "x5c": ["AAAA"]}),
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        json!({"kty": "RSA", "use": "x509-svid", "x5c": ["AAAA"]}),
    ];
    let keys: Vec<_> = odd.iter().cloned().chain([good]).collect();
    let upstream = Upstream::with_answer(ok(&json!({ "keys": keys }).to_string()));
    let nginx = gate(&upstream, "");
    let jwt = ISSUER.sign(Alg::RS256, Some("good"), b"{}").unwrap();
    assert_eq!(nginx.get_as("/", &jwt).status, 200);
    for index in 0..odd.len() {
        let line = format!("key request \"/keys\": key {index}: skipped: ");
        let log = nginx.error_log();
        let line = log.lines().find(|text| text.contains(&line));
        assert!(line.is_some_and(|line| line.contains("[warn]")), "{index}: {log}");
    }
    // A byte order mark makes no difference.
    let marked = format!("\u{feff}{}", json!({ "keys": keys }));
    let upstream = Upstream::with_answer(ok(&marked));
    assert_eq!(gate(&upstream, "").get_as("/", &jwt).status, 200);
}

#[test]
fn keys_may_come_by_name_in_an_object() {
    let upstream = Upstream::with_answer(ok(&json!({"a": public_pem(&ISSUER)}).to_string()));
    let good = ISSUER.sign(Alg::RS256, Some("a"), b"{}").unwrap();
    for format in ["", "keyval"] {
        let nginx = Nginx::builder()
            .file("html/page.html", "content")
            .server(&format!(
                "auth_jwt realm; auth_jwt_key_request /keys {format};
                 location / {{ try_files /page.html =404; }}
                 location = /keys {{ internal; proxy_pass http://{}; }}",
                upstream.address()
            ))
            .start();
        assert_eq!(nginx.get_as("/", &good).status, 200);
        assert_eq!(
            nginx.get_as("/", &ISSUER.sign(Alg::RS256, Some("b"), b"{}").unwrap()).status,
            401
        );
    }
}

#[test]
fn answer_for_one_host_or_server_is_none_for_another() {
    let upstream = Upstream::start(|head, stream| {
        thread::sleep(Duration::from_millis(200));
        let key = if head.contains("X-Tenant: a.example") { &ISSUER } else { &FORGER };
        let _ = stream.write_all(ok(&jwks(&[key])).as_bytes());
    });
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "server_name _; auth_jwt realm; auth_jwt_key_request /keys; auth_jwt_key_cache 1h;
             location / {{ try_files /page.html =404; }}
             location = /keys {{
                 internal; proxy_pass http://{}; proxy_set_header X-Tenant $host;
             }}",
            upstream.address()
        ))
        .start();
    let (a, b) = (token(json!({})), signed_by(&FORGER, &json!({})));
    thread::scope(|scope| {
        for (host, jwt, status) in [
            ("a.example", &a, 200),
            ("b.example", &a, 401),
            ("b.example", &b, 200),
            ("a.example", &b, 401),
        ]
        .repeat(3)
        {
            let nginx = &nginx;
            scope.spawn(move || {
                let host = format!("Host: {host}");
                assert_eq!(nginx.get_with("/", &[&host, &bearer(jwt)]).status, status, "{host}");
            });
        }
    });
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn uri_may_be_made_of_what_the_token_says_of_itself() {
    let upstream = Upstream::start(|head, stream| {
        let answer = match head.split(' ').nth(1).unwrap() {
            "/keys/one?kid=1" => ok(&jwks(&[&ISSUER])),
            "/keys/two?kid=2" => ok(&jwks(&[&FORGER])),
            _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http(
            "map $jwt_claim_tenant $tenant { default ''; ~^(?<name>[a-z./]+)$ $name; }
             log_format tenant '$status [$tenant]'; access_log access.log tenant;",
        )
        .server(&format!(
            "auth_jwt realm;
             location / {{
                 auth_jwt_key_request /keys/$tenant?kid=$jwt_header_kid;
                 try_files /page.html =404;
             }}
             location /keys {{ internal; proxy_pass http://{}; }}",
            upstream.address()
        ))
        .start();
    let signed = |key: &SigningKey, tenant: &str, kid: &str| {
        let claims = json!({"tenant": tenant}).to_string();
        key.sign(Alg::RS256, Some(kid), claims.as_bytes()).unwrap()
    };
    assert_eq!(nginx.get_as("/", &signed(&ISSUER, "one", "1")).status, 200);
    assert_eq!(nginx.get_as("/", &signed(&FORGER, "two", "2")).status, 200);
    assert_eq!(nginx.get_as("/", &signed(&FORGER, "one", "1")).status, 401);
    assert_eq!(nginx.get_as("/", &signed(&ISSUER, "one", "2")).status, 401);
    assert_eq!(nginx.get_as("/", &signed(&ISSUER, "../secret", "1")).status, 401);
    assert!(nginx.error_log().contains("the token leads elsewhere"));
    assert!(!upstream.requests().iter().any(|head| head.contains("secret")));
    // What a forged token says is not remembered, in no map.
    nginx.wait("five lines", || nginx.file("access.log").lines().count() == 5);
    assert_eq!(nginx.file("access.log"), "200 [one]\n200 [two]\n401 []\n401 []\n401 []\n");
}

#[test]
fn keys_cannot_be_chosen_by_what_they_are_to_verify() {
    let upstream = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys$decoded_ojwt$jwt_claims;
             location / {{ try_files /page.html =404; }}
             location /keys {{ internal; proxy_pass http://{}; }}",
            upstream.address()
        ))
        .start();
    assert_eq!(nginx.get_as("/", &token(json!({}))).status, 200);
    let uri = upstream.requests()[0].split(' ').nth(1).unwrap().to_owned();
    assert_eq!(uri, "/keysfailed:%20internal%20error");
}

#[test]
fn variables_work_in_every_phase_with_fetched_keys() {
    let upstream = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http(
            "map $jwt_claim_role $role { default none; ~. $jwt_claim_role; }
             limit_req_zone $jwt_claim_sub zone=z:1m rate=1000r/s;
             log_format claims '$jwt_claim_sub $ojwt_status'; access_log access.log claims;",
        )
        .server(&format!(
            "auth_jwt_key_request /keys; limit_req zone=z burst=5;
             if ($jwt_claim_role = banned) {{ return 403; }}
             location / {{ return 200 $role; }}
             location /if {{ if ($decoded_ojwt ~ ^fail) {{ return 401 $decoded_ojwt; }} try_files /page.html =404; }}
             location /set {{ set $sub $jwt_claim_sub; add_header X-Sub $sub; try_files /page.html =404; }}
             location /jump {{ rewrite ^ /set last; }}
             location /header {{ add_header X-Claims $decoded_ojwt; try_files /page.html =404; }}
             location = /keys {{ internal; proxy_pass http://{}; proxy_set_header X-Claims $decoded_ojwt; }}",
            upstream.address()
        ))
        .start();
    let jwt = token(json!({"sub": "me", "role": "admin"}));
    assert_eq!(nginx.get_as("/", &jwt).body, "admin");
    assert_eq!(nginx.get_as("/", &signed_by(&FORGER, &json!({"role": "admin"}))).body, "none");
    assert_eq!(nginx.get_as("/", &token(json!({"role": "banned"}))).status, 403);
    assert_eq!(nginx.get_as("/if", &jwt).body, "content");
    assert_eq!(
        nginx.get_as("/if", &signed_by(&FORGER, &json!({}))).body,
        "failed: signature mismatch"
    );
    assert_eq!(nginx.get_as("/set", &jwt).header("X-Sub"), Some("me"));
    assert_eq!(nginx.get_as("/jump", &jwt).header("X-Sub"), Some("me"));
    assert!(nginx.get_as("/header", &jwt).header("X-Claims").unwrap().contains("admin"));
    nginx.wait("eight lines", || nginx.file("access.log").lines().count() == 8);
    assert_eq!(
        nginx.file("access.log").matches("me ok\n").count(),
        5,
        "{}",
        nginx.file("access.log")
    );
    // Each request fetched once, and the fetch itself sees no claims.
    assert_eq!(upstream.requests().len(), 8);
    assert!(upstream.requests().iter().all(|head| head.contains("X-Claims: failed: no token")));
}

#[test]
fn fetch_within_the_guarded_server_needs_no_token_and_fetches_nothing() {
    let upstream = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys;
             if ($decoded_ojwt = x) {{ return 400; }}
             location / {{ try_files /page.html =404; }}
             location = /keys {{ proxy_pass http://{}; }}",
            upstream.address()
        ))
        .start();
    assert_eq!(nginx.get_as("/", &token(json!({}))).status, 200);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn error_page_of_the_key_location_may_answer_for_it() {
    let upstream = Upstream::with_answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("html/spare.json", jwks(&[&ISSUER]))
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_request /keys;
             location / {{ try_files /page.html =404; }}
             location = /keys {{
                 internal; proxy_pass http://{}; proxy_intercept_errors on;
                 error_page 503 =200 /spare.json;
             }}
             location = /spare.json {{ internal; }}",
            upstream.address()
        ))
        .start();
    let response = nginx.get_as("/", &token(json!({})));
    assert_eq!((response.status, response.body.as_str()), (200, "content"));
    assert_eq!(nginx.get_as("/", &signed_by(&FORGER, &json!({}))).status, 401);
}

#[test]
fn gate_works_beside_other_access_modules_and_redirects() {
    let upstream = issuer();
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http("addition_types text/html;")
        .server(&format!(
            "auth_jwt_key_request /keys;
             location /any {{ satisfy any; deny all; auth_jwt realm; try_files /page.html =404; }}
             location /all {{ satisfy all; allow all; auth_jwt realm; auth_request /yes; try_files /page.html =404; }}
             location /no {{ auth_jwt realm; auth_request /denied; try_files /page.html =404; }}
             location /login {{ auth_jwt realm; error_page 401 = @login; try_files /page.html =404; }}
             location @login {{ return 200 login; }}
             location = /yes {{ return 204; }}
             location = /denied {{ return 403; }}
             location /early {{ auth_jwt realm; auth_jwt_phase preaccess; try_files /page.html =404; }}
             location /delete {{ limit_except GET {{ auth_jwt realm; }} try_files /page.html =404; }}
             location = /keys {{ internal; proxy_pass http://{}; }}",
            upstream.address()
        ))
        .start();
    let (good, bad) = (token(json!({})), signed_by(&FORGER, &json!({})));
    for (path, with_good, with_bad) in [
        ("/any", 200, 403),
        ("/all", 200, 401),
        ("/no", 403, 401),
        ("/early", 200, 401),
        ("/delete", 200, 200),
    ] {
        assert_eq!(nginx.get_as(path, &good).status, with_good, "{path}");
        let status = nginx.get_as(path, &bad).status;
        assert!(status == with_bad || (path == "/any" && status == 401), "{path}: {status}");
    }
    assert_eq!(nginx.get_as("/login", &bad).body, "login");
    assert_eq!(nginx.get_as("/login", &good).body, "content");
    assert_eq!(nginx.get_as("/login", "x").body, "login");
}

#[test]
fn reload_and_shutdown_wait_for_a_fetch() {
    let upstream = Upstream::start(|_, stream| {
        thread::sleep(Duration::from_millis(700));
        let _ = stream.write_all(ok(&jwks(&[&ISSUER])).as_bytes());
    });
    let nginx = gate(&upstream, "auth_jwt_key_cache 1h;");
    let jwt = token(json!({}));
    thread::scope(|scope| {
        let waiting: Vec<_> =
            (0..4).map(|_| scope.spawn(|| nginx.get_as("/", &jwt).status)).collect();
        thread::sleep(Duration::from_millis(200));
        nginx.reload();
        for request in waiting {
            assert_eq!(request.join().unwrap(), 200);
        }
    });
    assert_eq!(nginx.get_as("/", &jwt).status, 200);
}

#[test]
fn pipelined_and_kept_alive_requests_each_get_their_answer() {
    let upstream = issuer();
    let nginx = gate(&upstream, "");
    let (good, bad) = (bearer(&token(json!({}))), bearer(&signed_by(&FORGER, &json!({}))));
    let request =
        |line: &str, last: &str| format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{line}\r\n{last}\r\n");
    let all = [
        request(&good, ""),
        request(&bad, ""),
        request(&good, ""),
        request(&bad, "Connection: close\r\n"),
    ]
    .concat();
    let mut stream = TcpStream::connect(nginx.address()).unwrap();
    stream.write_all(all.as_bytes()).unwrap();
    let mut answers = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answers).unwrap();
    let statuses: Vec<&str> =
        answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "401", "200", "401"]);
}

#[test]
fn keys_are_fetched_over_http_2_as_well() {
    let upstream = issuer();
    let nginx = gate(&upstream, "listen unix:h2.sock http2;");
    let curl = std::process::Command::new("curl")
        .args(["-s", "--http2-prior-knowledge", "-w", "%{http_version} %{http_code}\n"])
        .args(["--unix-socket", nginx.path("h2.sock").to_str().unwrap()])
        .args(["-H", &bearer(&token(json!({}))), "http://example.com/"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(curl.stdout).unwrap(), "content2 200\n");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_lines(&[
        ("auth_jwt_key_request;", "invalid number of arguments in \"auth_jwt_key_request\""),
        ("auth_jwt_key_request keys;", "invalid URI \"keys\""),
        ("auth_jwt_key_request http://a/keys;", "invalid URI \"http://a/keys\""),
        ("auth_jwt_key_request /keys der;", "invalid parameter \"der\""),
        ("auth_jwt_key_request /$nosuch;", "unknown \"nosuch\" variable"),
        ("auth_jwt_key_cache soon;", "invalid value \"soon\" in \"auth_jwt_key_cache\""),
        (
            "auth_jwt_key_cache 1s; auth_jwt_key_cache 1s;",
            "\"auth_jwt_key_cache\" directive is duplicate",
        ),
        (
            "location / { if ($arg_a) { auth_jwt_key_request /a; } }",
            "directive is not allowed here",
        ),
    ]);
    Nginx::builder()
        .http("auth_jwt_key_request /a; auth_jwt_key_cache 1m;")
        .server("auth_jwt_key_request /b jwks; location / { auth_jwt_key_request /c pem; auth_jwt_key_cache 0; limit_except GET { auth_jwt_key_request /d; } }")
        .accepted();
}
