//! Nothing of a request, a key or a configuration is left when it is gone.
//!
//! Here that is seen by the size of the processes. Under `AddressSanitizer` (scripts/check/memory)
//! whatever no pointer leads to is reported as well, by each worker and by the master as it ends.
//! `OJWT_MEMORY_ROUNDS` says how often.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::{env, fs};

use ojwt_core::issue::sign::SigningKey;
use serde_json::json;

use crate::harness::{
    FORGER, HOST, ISSUER, Nginx, Upstream, encrypted, jwks_with_secret, ok, public_pem, resident,
    signed_by,
};

/// The pages, and how they answer a token that is not good.
const PAGES: [(&str, u16); 6] = [
    ("/file?name=a.pem", 401),
    ("/fetched", 401),
    ("/early", 401),
    ("/kept", 401),
    ("/nested", 401),
    ("/oracle", 200),
];

fn rounds() -> usize {
    env::var("OJWT_MEMORY_ROUNDS").map_or(40, |rounds| rounds.parse().unwrap())
}

/// The key that is trusted in a round, and the one that is not.
fn keys(round: usize) -> [&'static SigningKey; 2] {
    if round.is_multiple_of(2) { [&ISSUER, &FORGER] } else { [&FORGER, &ISSUER] }
}

struct Gate {
    nginx: Nginx,
    answer: Arc<Mutex<String>>,
}

impl Gate {
    fn start() -> Self {
        let answer = Arc::new(Mutex::new(String::new()));
        let current = Arc::clone(&answer);
        let upstream = Upstream::start(move |_, stream| {
            let answer = current.lock().unwrap().clone();
            let _ = stream.write_all(answer.as_bytes());
        });
        let nginx = Nginx::builder()
            .file("html/page.html", "content")
            .file("keys/a.pem", public_pem(&ISSUER))
            .file("revoked", "[\"stolen\"]")
            .http("auth_jwt_revocation_list_jti revoked;")
            .server(&format!(
                "auth_jwt_require_claim sub match ^m; ojwt_cookie jwt; auth_jwt_cache 64k;
                 add_header X-Sub $jwt_claim_sub; add_header X-Claims $jwt_claims;
                 location /file {{
                     auth_jwt realm; auth_jwt_key_file keys/$arg_name; try_files /page.html =404;
                 }}
                 location /fetched {{
                     auth_jwt realm; auth_jwt_key_request /keys; try_files /page.html =404;
                 }}
                 location /early {{
                     auth_jwt realm; auth_jwt_phase preaccess; auth_jwt_key_request /keys;
                     error_page 401 /refused; try_files /page.html =404;
                 }}
                 location /kept {{
                     auth_jwt realm; auth_jwt_key_request /keys?$arg_round;
                     auth_jwt_key_cache 10s; try_files /page.html =404;
                 }}
                 location /nested {{
                     auth_jwt realm; auth_jwt_type nested; auth_jwt_key_request /keys;
                     try_files /page.html =404;
                 }}
                 location /oracle {{
                     auth_jwt_key_file keys/a.pem; auth_jwt_key_request /keys;
                     if ($decoded_ojwt = x) {{ return 400; }} return 200 $decoded_ojwt;
                 }}
                 location = /refused {{ return 401; }}
                 location = /keys {{ internal; proxy_pass http://{}; }}",
                upstream.address()
            ))
            .start();
        Self { nginx, answer }
    }

    /// Rotates the keys, and asks for every page with good tokens and bad ones, over one
    /// connection.
    fn ask(&self, round: usize) {
        let [trusted, other] = keys(round);
        *self.answer.lock().unwrap() = ok(&jwks_with_secret(trusted));
        self.nginx.write("keys/new.pem", public_pem(trusted));
        fs::rename(self.nginx.path("keys/new.pem"), self.nginx.path("keys/a.pem")).unwrap();

        let signed = |key: &SigningKey, sub: &str, jti: &str| {
            signed_by(key, &json!({"sub": sub, "jti": jti, "round": round}))
        };
        let tokens = [
            (signed(trusted, "me", "kept"), true),
            (signed(trusted, "me", "stolen"), false),
            (signed(trusted, "you", "kept"), false),
            (signed(other, "me", "kept"), false),
            ("garbage".to_owned(), false),
        ];
        let (mut requests, mut expected) = (String::new(), Vec::new());
        for (page, refusal) in PAGES {
            for (jwt, is_good) in &tokens {
                let target = match page {
                    // Few enough that all are kept soon, and of those with the same keys.
                    "/kept" => format!("/kept?round={}", round % 8),
                    page => page.to_owned(),
                };
                let jwt = if page == "/nested" { encrypted(jwt, Some("JWT")) } else { jwt.clone() };
                write!(
                    requests,
                    "GET {target} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {jwt}\r\n\r\n"
                )
                .unwrap();
                expected.push(if *is_good { 200 } else { refusal });
            }
        }
        let last = "GET /none HTTP/1.0\r\n\r\n";
        expected.push(404);
        let answers = self.nginx.send_all(&(requests + last).into_bytes());
        assert_eq!(answers, expected, "{}", self.nginx.error_log());
    }

    fn worker_size(&self) -> usize {
        resident(self.nginx.workers()[0])
    }
}

/// What was `first` must not have grown by more than a tenth.
fn assert_steady(what: &str, first: usize, last: usize) {
    println!("{what}: {first} kB at first, {last} kB in the end");
    assert!(last <= first + first / 10, "{what}: {first} kB at first, {last} kB in the end");
}

#[test]
fn requests_fetches_and_new_keys_leave_nothing_behind() {
    let gate = Gate::start();
    let count = 10 * rounds();
    let mut first = 0;
    for round in 0..count {
        gate.ask(round);
        if round == count / 4 {
            first = gate.worker_size();
        }
    }
    assert_steady("worker", first, gate.worker_size());
    gate.nginx.quit();
}

#[test]
fn reloads_leave_nothing_behind() {
    let gate = Gate::start();
    let master = gate.nginx.master();
    let mut first = (0, 0);
    for round in 0..rounds() {
        gate.ask(round);
        if round == rounds() / 4 {
            first = (resident(master), gate.worker_size());
        }
        gate.nginx.reload();
    }
    gate.ask(0);
    assert_steady("master", first.0, resident(master));
    assert_steady("worker", first.1, gate.worker_size());
    gate.nginx.quit();
}
