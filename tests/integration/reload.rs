//! Reloads: nothing valid is refused, nothing invalid let in, and a bad configuration changes
//! nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::harness::{FORGER, ISSUER, Nginx, public_pem, signed_by, token};

fn oracle() -> Nginx {
    Nginx::with_location("/", "return 200 $decoded_ojwt;")
}

#[test]
fn new_key_counts_from_the_reload_on() {
    let nginx = oracle();
    let (old, new) = (token(json!({})), signed_by(&FORGER, &json!({})));
    nginx.write("issuer.pem", public_pem(&FORGER));
    assert_eq!(nginx.get(&format!("/?jwt={old}")).body, "{}");
    nginx.reload();
    assert_eq!(nginx.get(&format!("/?jwt={old}")).body, "failed: signature mismatch");
    assert_eq!(nginx.get(&format!("/?jwt={new}")).body, "{}");
}

#[test]
fn failed_reload_leaves_the_old_configuration_serving() {
    let nginx = oracle();
    nginx.write("issuer.pem", "half a k");
    nginx.signal("HUP");
    nginx.wait_for_log("[emerg]");
    let line = "issuer.pem\": no usable key: neither JSON, nor PEM, nor DER in ";
    assert!(nginx.error_log().contains(line));
    assert_eq!(nginx.get(&format!("/?jwt={}", token(json!({})))).body, "{}");
    assert_eq!(nginx.get("/?jwt=x").body, "failed: malformed token");
    nginx.write("issuer.pem", public_pem(&ISSUER));
    nginx.reload();
    assert_eq!(nginx.get(&format!("/?jwt={}", token(json!({})))).body, "{}");
}

#[test]
fn reloads_under_load_drop_no_request() {
    let nginx = oracle();
    let (valid, forged) = (token(json!({})), signed_by(&FORGER, &json!({})));
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for (jwt, verdict) in [(&valid, "{}"), (&forged, "failed: signature mismatch")] {
            let (nginx, done, served) = (&nginx, &done, &served);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(nginx.get(&format!("/?jwt={jwt}")).body, verdict);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..10 {
            nginx.reload();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(served.into_inner() > 20);
}
