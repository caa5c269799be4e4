//! Keys are rotated while requests run: none that is valid is refused, none that is not is let in.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use ojwt_core::Alg;
use ojwt_core::issue::sign::{SigningKey, to_jwk};
use serde_json::json;

use crate::harness::{FORGER, ISSUER, Nginx, Upstream, bearer, ok};

/// How long a worker keeps keys; the issuer waits for longer before it signs with a new one.
const CACHE: Duration = Duration::from_secs(1);

const OVERLAP: Duration = Duration::from_millis(2500);

fn jwks(keys: &[(&SigningKey, &str)]) -> String {
    let keys: Vec<_> =
        keys.iter().map(|(key, kid)| to_jwk(&key.material().unwrap(), Some(kid), None)).collect();
    ok(&json!({ "keys": keys }).to_string())
}

fn signed(key: &SigningKey, kid: &str) -> String {
    key.sign(Alg::RS256, Some(kid), br#"{"sub":"me"}"#).unwrap()
}

#[test]
fn rotation_under_load_with_an_outage_and_garbage_loses_nothing_and_admits_nothing() {
    let (old, new) = (&*ISSUER, &*FORGER);
    let answer = Arc::new(Mutex::new(jwks(&[(old, "old")])));
    let current = Arc::clone(&answer);
    let upstream = Upstream::start(move |_, stream| {
        let answer = current.lock().unwrap().clone();
        let _ = stream.write_all(answer.as_bytes());
    });
    let publish = |text: String| *answer.lock().unwrap() = text;
    let nginx = Nginx::builder()
        .whole(&format!(
            "load_module \"MODULE\"; worker_processes 2; pid nginx.pid; error_log error.log info;
             events {{ worker_connections 512; }}
             http {{
                 access_log off; client_body_temp_path tmp/body; proxy_temp_path tmp/proxy;
                 fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;
                 server {{
                     listen ADDRESS; root html;
                     auth_jwt_key_request /keys; auth_jwt_key_cache {}s;
                     location / {{ auth_jwt realm; try_files /page.html =404; }}
                     location /if {{
                         if ($decoded_ojwt ~ ^fail) {{ return 401; }} try_files /page.html =404;
                     }}
                     location = /keys {{
                         internal; proxy_pass http://{};
                         proxy_connect_timeout 1s; proxy_read_timeout 1s;
                     }}
                 }}
             }}",
            CACHE.as_secs(),
            upstream.address()
        ))
        .file("html/page.html", "content")
        .start();

    // What the issuer signs with now, what it signed with before but no longer, and forgeries.
    let valid = Mutex::new(signed(old, "old"));
    let invalid = Mutex::new(vec![signed(new, "old"), signed(new, "new"), signed(new, "none")]);
    let is_over = AtomicBool::new(false);
    let (passed, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let pause = |duration: Duration| thread::sleep(duration);

    thread::scope(|scope| {
        for path in ["/", "/if", "/"] {
            scope.spawn({
                let (nginx, valid, is_over, passed) = (&nginx, &valid, &is_over, &passed);
                move || {
                    while !is_over.load(Ordering::Relaxed) {
                        let jwt = valid.lock().unwrap().clone();
                        let response = nginx.get_as(path, &jwt);
                        assert_eq!(response.status, 200, "{path}: {}", nginx.error_log());
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            scope.spawn({
                let (nginx, invalid, is_over, refused) = (&nginx, &invalid, &is_over, &refused);
                move || {
                    while !is_over.load(Ordering::Relaxed) {
                        // Held, so that nothing becomes valid meanwhile.
                        let tokens = invalid.lock().unwrap();
                        for jwt in tokens.iter() {
                            assert_eq!(nginx.get_as(path, jwt).status, 401, "{path}");
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                        drop(tokens);
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }

        pause(Duration::from_millis(500));
        // The new key is published; from then on its signatures may pass.
        *invalid.lock().unwrap() = vec![signed(new, "old"), signed(old, "new")];
        publish(jwks(&[(old, "old"), (new, "new")]));
        pause(OVERLAP);
        *valid.lock().unwrap() = signed(new, "new");
        pause(Duration::from_millis(500));
        // The endpoint is down for a while, then answers garbage, then half of the truth.
        publish("HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n".to_owned());
        pause(Duration::from_secs(3));
        publish(ok("<html>maintenance</html>"));
        pause(Duration::from_millis(1500));
        publish(String::new());
        pause(Duration::from_millis(1500));
        // It is back, without the old key.
        publish(jwks(&[(new, "new")]));
        let start = Instant::now();
        let retired = bearer(&signed(old, "old"));
        while nginx.get_with("/", &[&retired]).status == 200 {
            assert!(start.elapsed() < Duration::from_secs(15), "the old key is still accepted");
            pause(Duration::from_millis(20));
        }
        pause(Duration::from_secs(6));
        *invalid.lock().unwrap() = vec![signed(old, "old"), signed(old, "new"), signed(new, "old")];
        pause(Duration::from_millis(500));
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(passed.load(Ordering::Relaxed) > 1000, "{passed:?}");
    assert!(refused.load(Ordering::Relaxed) > 300, "{refused:?}");
    let log = nginx.error_log();
    assert!(log.contains("key request \"/keys\": the status is 503, not 200"), "{log}");
}
