//! Several sources of keys at a gate: a token is judged by the keys at hand, unknown keys are asked
//! for again, and what a token says leads to no keys but those that the operator has in mind.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, thread};

use ojwt_core::Alg;
use ojwt_core::issue::sign::{SigningKey, to_jwk};
use ojwt_core::text::base64url;
use serde_json::json;

use crate::harness::{
    FORGER, HOST, ISSUER, MappedFile, Nginx, Upstream, bearer, encrypted, issuer, jwks, named_jwks,
    now, ok, public_pem, secret_jwk, signed_by, token,
};

const EMPTY: &str = "{\"keys\":[]}";

fn status_of(code: &str) -> String {
    format!("HTTP/1.1 {code} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn named(key: &SigningKey, kid: &str) -> String {
    key.sign(Alg::RS256, Some(kid), b"{}").unwrap()
}

/// What an upstream answers, by the target.
type Answers = Arc<Mutex<Vec<(String, String)>>>;

/// An upstream that answers by the path; what it answers can be changed.
fn answering(answers: &[(&str, String)]) -> (Upstream, Answers) {
    let owned = answers.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone()));
    let answers = Arc::new(Mutex::new(owned.collect::<Vec<_>>()));
    let current = Arc::clone(&answers);
    let upstream = Upstream::start(move |head, stream| {
        let target = head.split(' ').nth(1).unwrap();
        let answers = current.lock().unwrap().clone();
        let found = answers.iter().find(|(path, _)| path == target);
        let answer = found.map_or_else(|| status_of("404"), |(_, answer)| answer.clone());
        let _ = stream.write_all(answer.as_bytes());
    });
    (upstream, answers)
}

/// Gates at `/` and, by `$decoded_ojwt` in `if`, at `/oracle`.
fn gates(upstream: &Upstream, http: &str, lines: &str) -> Nginx {
    Nginx::builder()
        .file("html/page.html", "content")
        .http(http)
        .server(&format!(
            "{lines}
             location / {{ auth_jwt realm; try_files /page.html =404; }}
             location /oracle {{ if ($decoded_ojwt = x) {{ return 400; }} return 200 $decoded_ojwt; }}
             location /keys {{ internal; proxy_pass http://{}; }}",
            upstream.address()
        ))
        .start()
}

#[test]
fn source_that_fails_takes_no_other_down() {
    let (good, bad) = (token(json!({})), signed_by(&FORGER, &json!({})));
    let expired = token(json!({"exp": now() - 60}));
    for failure in [status_of("500"), ok("<html>garbage</html>"), String::new(), status_of("404")] {
        let (upstream, _) =
            answering(&[("/keys/good", ok(&jwks(&[&ISSUER]))), ("/keys/bad", failure.clone())]);
        for lines in [
            "auth_jwt_key_request /keys/good; auth_jwt_key_request /keys/bad;",
            "auth_jwt_key_request /keys/bad; auth_jwt_key_request /keys/good;",
            "auth_jwt_key_file issuer.pem; auth_jwt_key_request /keys/bad;",
            "auth_jwt_key_file issuer.pem; auth_jwt_key_request /keys/bad; auth_jwt_key_cache 1h;",
            "auth_jwt_key_request /keys/good; auth_jwt_key_file none/$host;",
            "auth_jwt_key_request /keys/good; auth_jwt_key_file nginx.conf$arg_x;",
        ] {
            let nginx = gates(&upstream, "", lines);
            for _ in 0..2 {
                assert_eq!(nginx.get_as("/", &good).status, 200, "{lines} {failure}");
                assert_eq!(nginx.get_as("/oracle", &good).body, "{}", "{lines}");
                assert_eq!(nginx.get_as("/", &expired).status, 401, "{lines}");
                assert_eq!(nginx.get_as("/oracle", &expired).body, "failed: token expired");
                assert_eq!(nginx.get_as("/", "e30.e30.AA").status, 401, "{lines}");
                // What another key might have verified is our fault.
                assert_eq!(nginx.get_as("/", &bad).status, 500, "{lines}");
                assert_eq!(
                    nginx.get_as("/oracle", &bad).body,
                    "failed: key unavailable",
                    "{lines}"
                );
            }
            let log = nginx.error_log();
            assert!(log.contains("ojwt: key unavailable: key "), "{lines}: {log}");
        }
    }
}

#[test]
fn file_that_fails_is_told_of_once_while_other_keys_serve() {
    let upstream = issuer();
    let nginx = gates(&upstream, "", "auth_jwt_key_request /keys; auth_jwt_key_file $arg_f;");
    nginx.write("broken", "garbage");
    for _ in 0..3 {
        for file in ["broken", "none"] {
            assert_eq!(nginx.get_as(&format!("/?f={file}"), &token(json!({}))).status, 200);
        }
    }
    for line in ["/broken\": no usable key", "/none\": cannot be read"] {
        assert_eq!(nginx.count_in_log(line), 1, "{}", nginx.error_log());
    }
    nginx.write("broken", public_pem(&ISSUER));
    assert_eq!(nginx.get_as("/?f=broken", &token(json!({}))).status, 200);
    nginx.write("broken", "garbage");
    assert_eq!(nginx.get_as("/?f=broken", &token(json!({}))).status, 200);
    assert_eq!(nginx.count_in_log("/broken\": no usable key"), 2, "{}", nginx.error_log());
}

#[test]
fn answer_or_file_without_keys_is_no_fault() {
    let (upstream, _) =
        answering(&[("/keys/good", ok(&jwks(&[&ISSUER]))), ("/keys/none", ok(EMPTY))]);
    let good = token(json!({}));
    for (lines, is_good) in [
        ("auth_jwt_key_request /keys/none;", false),
        ("auth_jwt_key_request /keys/none jwks; auth_jwt_key_cache 1h;", false),
        ("auth_jwt_key_request /keys/none; auth_jwt_key_request /keys/good;", true),
        ("auth_jwt_key_file empty.jwks$arg_x;", false),
        ("auth_jwt_key_file empty.json$arg_x keyval;", false),
        ("auth_jwt_key_file empty.jwks$arg_x; auth_jwt_key_request /keys/good;", true),
        // A name that is empty names no source.
        ("auth_jwt_key_file $nothing;", false),
        ("auth_jwt_key_request $nothing;", false),
        ("auth_jwt_key_request $nothing; auth_jwt_key_file $nothing;", false),
        ("auth_jwt_key_request $nothing; auth_jwt_key_file issuer.pem;", true),
        ("auth_jwt_key_file $nothing; auth_jwt_key_request /keys/good;", true),
    ] {
        let nginx = gates(&upstream, "map $host $nothing { none none; }", lines);
        nginx.write("empty.jwks", format!("\u{feff}{EMPTY}"));
        nginx.write("empty.json", "{}");
        let status = nginx.get_as("/", &good).status;
        assert_eq!(status, if is_good { 200 } else { 401 }, "{lines}: {}", nginx.error_log());
        let verdict = if is_good { "{}" } else { "failed: unknown key" };
        assert_eq!(nginx.get_as("/oracle", &good).body, verdict, "{lines}");
        assert!(!nginx.error_log().contains("[error]"), "{lines}: {}", nginx.error_log());
        assert_eq!(nginx.get_as("/oracle", "x").body, "failed: malformed token", "{lines}");
    }
}

#[test]
fn set_without_a_key_that_can_be_used_is_a_fault_all_the_same() {
    let sets = ["{\"keys\":[{\"kty\":\"none\"}]}", "{}", "{\"keys\":{}}", "{\"keys\":[]", ""];
    for set in sets {
        let upstream = Upstream::with_answer(ok(set));
        let nginx = gates(&upstream, "", "auth_jwt_key_request /keys;");
        assert_eq!(nginx.get_as("/", &token(json!({}))).status, 500, "{set}");
    }
}

#[test]
fn missing_keys_are_fetched_side_by_side() {
    let at_once = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&at_once);
    let upstream = Upstream::start(move |head, stream| {
        // Answers once all four of a client's request are there, or late.
        let place = seen.fetch_add(1, Ordering::SeqCst) + 1;
        let start = Instant::now();
        while seen.load(Ordering::SeqCst) < place.next_multiple_of(4)
            && start.elapsed() < Duration::from_secs(3)
        {
            thread::sleep(Duration::from_millis(5));
        }
        let has_key = ["GET /keys/4 ", "GET /keys/8 "].iter().any(|line| head.starts_with(line));
        let set = if has_key { jwks(&[&ISSUER]) } else { EMPTY.to_owned() };
        let _ = stream.write_all(ok(&set).as_bytes());
    });
    let requests = |first: usize| {
        let numbers =
            (first..first + 2).map(|number| format!("auth_jwt_key_request /keys/{number};"));
        numbers.collect::<String>()
    };
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "location / {{ {0}{1} auth_jwt realm; try_files /page.html =404; }}
             location /two {{
                 {3}{4} auth_jwt_key_file none$arg_x;
                 if ($decoded_ojwt ~ ^fail) {{ return 401; }} try_files /page.html =404;
             }}
             location /keys {{ internal; proxy_pass http://{2}; }}",
            requests(1),
            requests(3),
            upstream.address(),
            // None that the first request may have under way still.
            requests(5),
            requests(7),
        ))
        .start();
    for path in ["/", "/two"] {
        let start = Instant::now();
        assert_eq!(nginx.get_as(path, &token(json!({}))).status, 200, "{path}");
        assert!(start.elapsed() < Duration::from_secs(2), "{path}: {:?}", start.elapsed());
    }
    assert_eq!(upstream.requests().len(), 8);
}

/// The answer to a request, as far as it must come: nginx keeps a connection while a fetch goes on.
fn promptly(nginx: &Nginx, path: &str, jwt: &str) -> String {
    let mut stream = TcpStream::connect(nginx.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let line = bearer(jwt);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{line}\r\n\r\n").unwrap();
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer).expect("an answer in time");
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[test]
fn source_that_hangs_keeps_out_no_token_that_the_keys_at_hand_verify() {
    let upstream = Upstream::start(|head, stream| {
        if head.starts_with("GET /keys/good ") {
            let _ = stream.write_all(ok(&jwks(&[&ISSUER])).as_bytes());
        } else {
            thread::sleep(Duration::from_secs(6));
        }
    });
    let nginx =
        gates(&upstream, "", "auth_jwt_key_request /keys/hangs; auth_jwt_key_request /keys/good;");
    for path in ["/", "/oracle"] {
        assert!(promptly(&nginx, path, &token(json!({}))).starts_with("HTTP/1.1 200"), "{path}");
    }
    // What is at hand from the start spares the fetch.
    let before = upstream.requests().len();
    let nginx =
        gates(&upstream, "", "auth_jwt_key_request /keys/hangs; auth_jwt_key_file issuer.pem;");
    for jwt in [token(json!({})), token(json!({"exp": 1})), "e30.e30.AA".to_owned()] {
        for path in ["/", "/oracle"] {
            assert!(promptly(&nginx, path, &jwt).starts_with("HTTP/1.1 "), "{path}");
        }
    }
    assert_eq!(upstream.requests().len(), before);
}

#[test]
fn nothing_is_fetched_for_what_is_no_token() {
    let upstream = issuer();
    let nginx =
        gates(&upstream, "", "auth_jwt_key_request /keys; auth_jwt_algorithms RS256 ES256;");
    let of = |header: &str| format!("{}.e30.AA", base64url::encode(header.as_bytes()));
    for jwt in [
        "x".to_owned(),
        "a.b.c".to_owned(),
        of("{}"),
        of(r#"{"alg":"none"}"#),
        of(r#"{"alg":"RS512"}"#),
        of(r#"{"alg":"RS256","crit":["x"]}"#),
        of(r#"{"alg":"RS256"}"#) + "!",
        of(r#"{"alg":"RS256"}"#) + ".AA.AA",
    ] {
        assert_eq!(nginx.get_as("/", &jwt).status, 401, "{jwt}");
        assert!(nginx.get_as("/oracle", &jwt).body.starts_with("failed: "), "{jwt}");
    }
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(nginx.get_as("/", &of(r#"{"alg":"RS256"}"#)).status, 401);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn token_is_remembered_for_the_very_keys_that_verified_it() {
    let (upstream, answers) =
        answering(&[("/keys/a", ok(&jwks(&[&ISSUER]))), ("/keys/b", ok(EMPTY))]);
    let publish = |answer: String| answers.lock().unwrap()[1].1 = answer;
    let nginx = gates(&upstream, "", "auth_jwt_key_request /keys/a; auth_jwt_key_request /keys/b;");
    let (a, b) = (token(json!({})), signed_by(&FORGER, &json!({})));
    for _ in 0..3 {
        for (answer, status) in [
            (ok(&jwks(&[&FORGER])), 200),
            (ok(EMPTY), 401),
            (status_of("503"), 500),
            (ok(&jwks(&[&ISSUER])), 401),
        ] {
            publish(answer);
            assert_eq!(nginx.get_as("/", &b).status, status);
            assert_eq!(nginx.get_as("/", &a).status, 200);
        }
    }
}

#[test]
fn unknown_kid_has_kept_keys_fetched_again() {
    for path in ["/", "/oracle"] {
        let old = ok(&named_jwks(&[(&ISSUER, Some("old"))]));
        let (upstream, answers) = answering(&[("/keys", old)]);
        let nginx = gates(&upstream, "", "auth_jwt_key_request /keys; auth_jwt_key_cache 1h;");
        assert_eq!(nginx.get_as(path, &named(&ISSUER, "old")).status, 200);
        answers.lock().unwrap()[0].1 =
            ok(&named_jwks(&[(&ISSUER, Some("old")), (&FORGER, Some("new"))]));
        let response = nginx.get_as(path, &named(&FORGER, "new"));
        assert!(["content", "{}"].contains(&response.body.as_str()), "{path}: {}", response.body);
        assert_eq!(upstream.targets().len(), 2, "{path}");
        for kid in ["new", "old"] {
            let key = if kid == "new" { &*FORGER } else { &*ISSUER };
            assert!(!nginx.get_as(path, &named(key, kid)).body.contains("fail"), "{path} {kid}");
        }
        assert_eq!(upstream.targets().len(), 2, "{path}");
    }
}

/// They may be for other things, or of a time when the issuer named none.
#[test]
fn unknown_kid_has_keys_fetched_again_beside_keys_without_a_name() {
    for path in ["/", "/oracle"] {
        let before = [(&*ISSUER, None), (&*ISSUER, Some("old"))];
        let (upstream, answers) = answering(&[("/keys", ok(&named_jwks(&before)))]);
        let nginx = gates(&upstream, "", "auth_jwt_key_request /keys; auth_jwt_key_cache 1h;");
        let is_good = |key, kid| !nginx.get_as(path, &named(key, kid)).body.contains("fail");
        // What a key without a name verifies has nothing fetched.
        for kid in ["old", "some", "other"] {
            assert_eq!(nginx.get_as(path, &named(&ISSUER, kid)).status, 200, "{path} {kid}");
        }
        assert_eq!(upstream.targets().len(), 1, "{path}");
        let after = [(&*ISSUER, None), (&*FORGER, Some("new"))];
        answers.lock().unwrap()[0].1 = ok(&named_jwks(&after));
        let response = nginx.get_as(path, &named(&FORGER, "new"));
        assert!(["content", "{}"].contains(&response.body.as_str()), "{path}: {}", response.body);
        for number in 0..20 {
            nginx.get_as(path, &named(&FORGER, &format!("made-up-{number}")));
        }
        assert!(is_good(&FORGER, "new") && is_good(&ISSUER, "some"), "{path}");
        assert_eq!(upstream.targets().len(), 2, "{path}");
    }
}

#[test]
fn made_up_kids_have_keys_fetched_once_in_ten_seconds_and_lose_none() {
    for answer in [status_of("503"), ok("garbage"), ok(&named_jwks(&[(&ISSUER, Some("old"))]))] {
        let old = ok(&named_jwks(&[(&ISSUER, Some("old"))]));
        let (upstream, answers) = answering(&[("/keys", old)]);
        let nginx = gates(&upstream, "", "auth_jwt_key_request /keys; auth_jwt_key_cache 1h;");
        assert_eq!(nginx.get_as("/", &named(&ISSUER, "old")).status, 200);
        answers.lock().unwrap()[0].1 = answer;
        let start = Instant::now();
        for number in 0..40 {
            let jwt = named(&FORGER, &format!("made-up-{number}"));
            assert_eq!(nginx.get_as("/", &jwt).status, 401, "{number}");
            assert_eq!(nginx.get_as("/oracle", &jwt).body, "failed: unknown key");
            assert_eq!(nginx.get_as("/", &named(&ISSUER, "old")).status, 200);
            // A signature that is wrong asks for nothing.
            assert_eq!(nginx.get_as("/", &named(&FORGER, "old")).status, 401);
        }
        assert!(start.elapsed() < Duration::from_secs(9), "too slow to tell");
        assert_eq!(upstream.targets().len(), 2);
    }
}

#[test]
fn keys_are_fetched_again_for_an_unknown_kid_ten_seconds_later() {
    let old = named_jwks(&[(&ISSUER, Some("old"))]);
    let (upstream, answers) = answering(&[("/keys", ok(&old))]);
    let nginx = gates(&upstream, "", "auth_jwt_key_request /keys; auth_jwt_key_cache 1h;");
    let start = Instant::now();
    assert_eq!(nginx.get_as("/", &named(&FORGER, "new")).status, 401);
    // That request fetched them just so.
    assert_eq!(upstream.targets().len(), 1);
    assert_eq!(nginx.get_as("/", &named(&FORGER, "new")).status, 401);
    assert_eq!(upstream.targets().len(), 2);
    answers.lock().unwrap()[0].1 = ok(&named_jwks(&[(&FORGER, Some("new"))]));
    nginx.wait("the new key", || nginx.get_as("/", &named(&FORGER, "new")).status == 200);
    assert!(start.elapsed() > Duration::from_secs(9), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert_eq!(upstream.targets().len(), 3);
}

#[test]
fn all_who_meet_an_unknown_kid_meanwhile_wait_for_the_same_fetch() {
    let count = AtomicUsize::new(0);
    let upstream = Upstream::start(move |_, stream| {
        let answer = if count.fetch_add(1, Ordering::SeqCst) == 0 {
            named_jwks(&[(&ISSUER, Some("old"))])
        } else {
            thread::sleep(Duration::from_millis(800));
            named_jwks(&[(&ISSUER, Some("old")), (&FORGER, Some("new"))])
        };
        let _ = stream.write_all(ok(&answer).as_bytes());
    });
    let nginx = gates(&upstream, "", "auth_jwt_key_request /keys; auth_jwt_key_cache 1h;");
    assert_eq!(nginx.get_as("/", &named(&ISSUER, "old")).status, 200);
    thread::scope(|scope| {
        let nginx = &nginx;
        for path in ["/", "/oracle", "/", "/"] {
            scope.spawn(move || {
                assert!(!nginx.get_as(path, &named(&FORGER, "new")).body.contains("failed"));
                assert_eq!(nginx.get_as(path, &named(&FORGER, "new")).status, 200);
            });
        }
        scope.spawn(move || assert_eq!(nginx.get_as("/", &named(&FORGER, "none")).status, 401));
        thread::sleep(Duration::from_millis(200));
        // Nobody else waits.
        let start = Instant::now();
        assert_eq!(nginx.get_as("/", &named(&ISSUER, "old")).status, 200);
        assert!(start.elapsed() < Duration::from_millis(400), "{:?}", start.elapsed());
    });
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn each_kept_answer_is_fetched_again_for_itself() {
    let (upstream, answers) = answering(&[
        ("/keys/a", ok(&named_jwks(&[(&ISSUER, Some("a"))]))),
        ("/keys/b", ok(&named_jwks(&[(&ISSUER, Some("b"))]))),
    ]);
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .server(&format!(
            "auth_jwt realm; auth_jwt_key_cache 1h;
             location /a {{ auth_jwt_key_request /keys/a; try_files /page.html =404; }}
             location /ab {{
                 auth_jwt_key_request /keys/a; auth_jwt_key_request /keys/b;
                 try_files /page.html =404;
             }}
             location /keys {{ internal; auth_jwt off; proxy_pass http://{}; }}",
            upstream.address()
        ))
        .start();
    assert_eq!(nginx.get_as("/ab", &named(&ISSUER, "a")).status, 200);
    // Both were needed: the first request waits for whichever has its key.
    nginx.wait("both", || nginx.get_as("/ab", &named(&ISSUER, "b")).status == 200);
    assert_eq!(nginx.get_as("/a", &named(&ISSUER, "none")).status, 401);
    let before = upstream.targets();
    assert_eq!(before.iter().filter(|path| *path == "/keys/a").count(), 2, "{before:?}");
    answers.lock().unwrap()[1].1 = ok(&named_jwks(&[(&FORGER, Some("new"))]));
    assert_eq!(nginx.get_as("/ab", &named(&FORGER, "new")).status, 200);
    assert_eq!(upstream.targets()[before.len()..], ["/keys/b"]);
}

#[test]
fn unknown_kid_of_an_enclosed_token_has_keys_fetched_again_too() {
    let nested = |jws: String| encrypted(&jws, Some("JWT"));
    let (upstream, answers) = answering(&[("/keys", ok(&named_jwks(&[(&ISSUER, Some("old"))])))]);
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("secret.jwks", json!({ "keys": [secret_jwk()] }).to_string())
        .server(&format!(
            "auth_jwt_type nested; auth_jwt_key_file secret.jwks;
             auth_jwt_key_request /keys; auth_jwt_key_cache 1h;
             location / {{ auth_jwt realm; try_files /page.html =404; }}
             location /keys {{ internal; proxy_pass http://{}; }}",
            upstream.address()
        ))
        .start();
    assert_eq!(nginx.get_as("/", &nested(named(&ISSUER, "old"))).status, 200);
    answers.lock().unwrap()[0].1 = ok(&named_jwks(&[(&FORGER, Some("new"))]));
    assert_eq!(nginx.get_as("/", &nested(named(&FORGER, "new"))).status, 200);
    assert_eq!(upstream.targets().len(), 2);
}

/// What is in a `kid` or a claim, and how it stands in a URI.
const GIVEN: [(&str, &str); 10] = [
    ("1&tenant=evil", "1%26tenant%3Devil"),
    ("?", "%3F"),
    ("#x", "%23x"),
    (";x", "%3Bx"),
    ("..;/", "..%3B%2F"),
    ("a b+c", "a%20b%2Bc"),
    ("\\", "%5C"),
    ("%2e%2e", "%252e%252e"),
    ("../x", "..%2Fx"),
    ("Az09-._~\u{e4}", "Az09-._~%C3%A4"),
];

#[test]
fn what_a_token_gives_to_a_uri_arrives_percent_encoded() {
    let upstream = issuer();
    // Which variables show a token may be said later than where they stand.
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .http("map $jwt_claim_iss $mapped { default $jwt_claim_iss; }")
        .server(&format!(
            "auth_jwt realm;
             location /kid {{ auth_jwt_key_request /keys?k=$jwt_header_kid&t=$host; }}
             location /claim {{ auth_jwt_key_request \"/keys?k=${{jwt_claim_iss}}&t=$host\"; }}
             location /set {{ auth_jwt_key_request /keys?k=$Of_Claim&t=$host; }}
             location /header {{ auth_jwt_key_request /keys?k=$of_header&t=$host; }}
             location /second {{ auth_jwt_key_request /keys?k=$ojwt_claim_iss&t=$host; }}
             location /other {{ auth_jwt_key_request \"/keys?k=${{ojwt_header_kid}}&t=$host\"; }}
             location /both {{ auth_jwt_key_request /keys?m=$mapped&k=$jwt_claim_iss&t=$host; }}
             location = /keys {{ internal; proxy_pass http://{}; auth_jwt off; }}
             }}
             auth_jwt_claim_set $of_claim iss; auth_jwt_header_set $of_header kid;
             server {{ listen unix:other.sock;",
            upstream.address()
        ))
        .start();
    for (given, encoded) in GIVEN {
        let claims = json!({ "iss": given }).to_string();
        let jwt = ISSUER.sign(Alg::RS256, Some(given), claims.as_bytes()).unwrap();
        for path in ["/kid", "/claim", "/set", "/header", "/second", "/other"] {
            // There is no such page, but the gate is open.
            assert_eq!(nginx.get_as(path, &jwt).status, 404, "{path} {given}");
            let asked = upstream.targets().pop().unwrap();
            assert_eq!(asked, format!("/keys?k={encoded}&t={HOST}"), "{path} {given}");
        }
    }
    // A map in between is the operator's, and asks for what the token says.
    let jwt = token(json!({"iss": "a&b/c"}));
    assert_eq!(nginx.get_as("/both", &jwt).status, 404);
    assert_eq!(upstream.targets().pop().unwrap(), format!("/keys?m=a&b/c&k=a%26b%2Fc&t={HOST}"));
}

#[test]
fn what_a_token_gives_to_the_path_of_a_uri_stays_one_part_of_it() {
    let upstream = issuer();
    let nginx = gates(&upstream, "", "auth_jwt_key_request /keys/$jwt_header_kid;");
    for kid in ["..", ".", "../x", "a/b", "/", "..;", "a;b", "..;/x", "a\\b", "\\..\\x", "a/../b"] {
        assert_eq!(nginx.get_as("/", &named(&ISSUER, kid)).status, 401, "{kid}");
        assert_eq!(nginx.get_as("/oracle", &named(&ISSUER, kid)).body, "failed: unknown key");
    }
    assert_eq!(upstream.targets(), [""; 0]);
    assert!(!nginx.error_log().contains("[error]"), "{}", nginx.error_log());
    assert!(nginx.error_log().contains("the token leads elsewhere"));
    for (kid, arrives) in [
        ("1&tenant=evil", "1&tenant=evil"),
        ("a?b", "a%3Fb"),
        ("a#b", "a%23b"),
        ("a b", "a%20b"),
        ("%2e%2e", "%252e%252e"),
        ("a%2Fb", "a%252Fb"),
        ("...", "..."),
    ] {
        assert_eq!(nginx.get_as("/", &named(&ISSUER, kid)).status, 200, "{kid}");
        assert_eq!(upstream.targets().pop().unwrap(), format!("/keys/{arrives}"));
    }
}

#[test]
fn uri_that_climbs_by_choice_of_a_token_is_an_unknown_key() {
    let upstream = issuer();
    let nginx = gates(&upstream, "", "auth_jwt_key_request $jwt_header_kid/page.html;");
    for kid in ["", "keys", "x", "..", ".", "?"] {
        // What is no path from the root would be a file beside the folder of pages.
        let status = if kid.is_empty() { 500 } else { 401 };
        assert_eq!(nginx.get_as("/", &named(&ISSUER, kid)).status, status, "{kid}");
    }
    assert!(!nginx.error_log().contains("open()"), "{}", nginx.error_log());
    let map = "map $jwt_claim_iss $tenant { ~^(?<name>.*)$ $name; }";
    let nginx = gates(&upstream, map, "auth_jwt_key_request /keys/$tenant;");
    for iss in ["..", "../x", "a/../b", "%2e%2e/x", "..%2fx", "a%00"] {
        assert_eq!(nginx.get_as("/", &token(json!({ "iss": iss }))).status, 401, "{iss}");
    }
    assert_eq!(upstream.targets(), [""; 0]);
    assert!(!nginx.error_log().contains("[error]"), "{}", nginx.error_log());
    // A map stays as it is.
    assert_eq!(nginx.get_as("/", &token(json!({"iss": "a/b;c?d=e&f"}))).status, 200);
    assert_eq!(upstream.targets(), ["/keys/a/b;c?d=e&f"]);
}

/// A gate with a file by a token, in a folder with keys and with other things.
fn filed(lines: &str) -> Nginx {
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("keys/a.jwks", jwks(&[&ISSUER]))
        .file("keys/sub/b.jwks", jwks(&[&ISSUER]))
        .file("secret/a.jwks", jwks(&[&ISSUER]))
        .file("keys/broken.jwks", "garbage")
        .file("keys/unreadable.jwks", jwks(&[&ISSUER]))
        .http(
            "map $jwt_header_kid $by_map { default none; a /nowhere; ~^x(?<rest>.*)$ $rest; }
             map $host $root { default ''; }",
        )
        .server(&format!(
            "{lines} location /oracle {{
                 auth_jwt off; if ($decoded_ojwt = x) {{ return 400; }} return 200 $decoded_ojwt;
             }}
             location / {{ auth_jwt realm; try_files /page.html =404; }}"
        ))
        .start();
    std::fs::create_dir(nginx.path("keys/folder.jwks")).unwrap();
    symlink("loop.jwks", nginx.path("keys/loop.jwks")).unwrap();
    let unreadable = std::fs::Permissions::from_mode(0o0);
    std::fs::set_permissions(nginx.path("keys/unreadable.jwks"), unreadable).unwrap();
    nginx
}

#[test]
fn path_that_a_token_makes_absolute_or_has_climb_is_an_unknown_key() {
    for lines in [
        "auth_jwt_key_file $jwt_header_kid.jwks;",
        "auth_jwt_key_file \"${jwt_claim_iss}$jwt_header_kid.jwks\";",
        "auth_jwt_key_file $root$jwt_header_kid.jwks;",
    ] {
        let nginx = filed(lines);
        let absolute = nginx.path("keys/a");
        for kid in
            [absolute.to_str().unwrap(), "../x", "keys/../keys/a", "keys/a.jwks\0", "keys/.."]
        {
            assert_eq!(nginx.get_as("/", &named(&ISSUER, kid)).status, 401, "{lines} {kid}");
            let verdict = nginx.get_as("/oracle", &named(&ISSUER, kid)).body;
            assert_eq!(verdict, "failed: unknown key", "{lines} {kid}");
        }
        assert!(nginx.error_log().contains("the token makes it absolute"), "{lines}");
        assert!(!nginx.error_log().contains("[error]"), "{}", nginx.error_log());
        for kid in ["keys/a", "keys/sub/b"] {
            assert_eq!(nginx.get_as("/", &named(&ISSUER, kid)).status, 200, "{lines} {kid}");
        }
    }
    // Nor does it make a path absolute by what it leaves out.
    let nginx = filed("auth_jwt_key_file \"${jwt_claim_iss}${jwt_claim_sub}\";");
    let path = nginx.path("keys/a.jwks");
    assert_eq!(nginx.get_as("/", &token(json!({"sub": path.to_str().unwrap()}))).status, 401);
    assert_eq!(nginx.get_as("/", &token(json!({"iss": "keys", "sub": "/a.jwks"}))).status, 200);
    let nginx = filed("auth_jwt_key_file \"${jwt_claim_iss}/etc/hostname\";");
    assert_eq!(nginx.get_as("/", &token(json!({}))).status, 401);
}

#[test]
fn path_that_the_operator_makes_absolute_stays_so() {
    let keys = filed("auth_jwt_key_file issuer.pem;");
    let folder = keys.path("keys").to_str().unwrap().to_owned();
    for (http, name) in [
        (String::new(), format!("{folder}/$jwt_header_kid.jwks")),
        (
            format!("map $host $folder {{ default {folder}; }}"),
            "$folder/$jwt_header_kid.jwks".into(),
        ),
        (format!("map $jwt_header_kid $file {{ a {folder}/a.jwks; }}"), "$file".to_owned()),
    ] {
        let nginx = Nginx::builder()
            .file("html/page.html", "content")
            .http(&http)
            .server(&format!(
                "auth_jwt realm; auth_jwt_key_file {name};
                 location / {{ try_files /page.html =404; }}"
            ))
            .start();
        assert_eq!(nginx.get_as("/", &named(&ISSUER, "a")).status, 200, "{name}");
        assert_eq!(nginx.get_as("/", &named(&ISSUER, "b")).status, 401, "{name}");
    }
}

#[test]
fn file_that_a_token_chose_and_that_is_not_there_is_an_unknown_key() {
    let too_long = "l".repeat(300);
    let nginx = filed(
        "auth_jwt_key_file keys/$jwt_header_kid.jwks;
         location /map { auth_jwt realm; auth_jwt_key_file keys/$by_map.jwks; }
         location /other { auth_jwt realm; auth_jwt_key_file keys/$arg_f; }",
    );
    for kid in ["none", "none/a", "a.jwks/b", "folder", "loop", "", &too_long, "\u{1b}[1m"] {
        assert_eq!(nginx.get_as("/", &named(&ISSUER, kid)).status, 401, "{kid}");
        assert_eq!(nginx.get_as("/oracle", &named(&ISSUER, kid)).body, "failed: unknown key");
        assert_eq!(nginx.get_as("/map", &named(&ISSUER, &format!("x{kid}"))).status, 401, "{kid}");
        assert_eq!(nginx.get_as("/map", &named(&ISSUER, "none")).status, 401);
    }
    let log = nginx.error_log();
    assert!(!log.contains("[error]") && !log.contains('\u{1b}'), "{log}");
    assert!(log.contains("ojwt: unknown key: key file \""), "{log}");
    assert!(log.contains("keys/none.jwks\": cannot be read: No such file"), "{log}");
    // What is there and no good is the operator's fault, and so is a name that the token has no say
    // in.
    assert_eq!(nginx.get_as("/", &named(&ISSUER, "broken")).status, 500);
    // Under AddressSanitizer workers are the user who runs this, who may be root and read
    // everything.
    if env::var_os("ASAN_OPTIONS").is_none() {
        assert_eq!(nginx.get_as("/", &named(&ISSUER, "unreadable")).status, 500);
    }
    assert_eq!(nginx.get_as("/other?f=none", &named(&ISSUER, "a")).status, 500);
    assert_eq!(nginx.get_as("/", &named(&ISSUER, "a")).status, 200);
}

#[test]
fn answer_that_a_token_chose_and_that_is_not_there_is_an_unknown_key() {
    let map = "map $jwt_header_kid $by_map { default $jwt_header_kid; }";
    let absent = ["400", "404", "410", "414", "422"].map(|code| (code, 401));
    let failed = ["401", "403", "429", "500", "302"].map(|code| (code, 500));
    for (code, status) in absent.into_iter().chain(failed) {
        let (upstream, _) =
            answering(&[("/keys/a", status_of(code)), ("/keys?a", status_of(code))]);
        for uri in ["/keys/$jwt_header_kid", "/keys?$jwt_header_kid", "/keys/$by_map"] {
            for cache in ["0", "1h"] {
                let lines = format!("auth_jwt_key_request {uri}; auth_jwt_key_cache {cache};");
                let nginx = gates(&upstream, map, &lines);
                let jwt = named(&ISSUER, "a");
                assert_eq!(nginx.get_as("/", &jwt).status, status, "{code} {uri} {cache}");
                let verdict =
                    if status == 401 { "failed: unknown key" } else { "failed: key unavailable" };
                assert_eq!(nginx.get_as("/oracle", &jwt).body, verdict, "{code} {uri} {cache}");
                let is_told = nginx.error_log().contains("[error]");
                assert_eq!(is_told, status == 500, "{code} {uri}: {}", nginx.error_log());
            }
        }
    }
}

/// Keys are in files of the names that they have.
#[test]
fn file_is_found_under_the_very_name_that_a_token_says() {
    let names = ["a b", "a+b=", "sub/b", "x:1", "\u{e4}", "a%2Fb", "a@b", "{a}", "./a", "sub/./b"];
    for lines in [
        "auth_jwt_key_file keys/$jwt_header_kid.jwks;",
        "auth_jwt_key_file \"keys/${ojwt_header_kid}.jwks\";",
        "auth_jwt_key_file $folder/$JWT_HEADER_KID.jwks;",
    ] {
        let nginx = Nginx::builder()
            .file("html/page.html", "content")
            .http("map $host $folder { default keys; }")
            .server(&format!("{lines} location / {{ auth_jwt realm; try_files /page.html =404; }}"))
            .start();
        std::fs::create_dir_all(nginx.path("keys/sub")).unwrap();
        for name in names {
            std::fs::write(nginx.path(&format!("keys/{name}.jwks")), jwks(&[&ISSUER])).unwrap();
            assert_eq!(nginx.get_as("/", &named(&ISSUER, name)).status, 200, "{lines} {name}");
            assert_eq!(nginx.get_as("/", &named(&FORGER, name)).status, 401, "{lines} {name}");
        }
    }
}

/// A folder of that name would be another thing, and to look for it costs those who mean the file
/// nothing.
#[test]
fn file_is_not_read_again_for_who_names_a_folder_in_its_place() {
    let odd = json!({"keys": [{}, to_jwk(&ISSUER.material().unwrap(), Some("k"), None)]});
    let nginx = Nginx::builder()
        .file("keys/k", odd.to_string())
        .file("html/page.html", "content")
        .server(
            "location / { auth_jwt realm; auth_jwt_key_file keys/$jwt_header_kid;
             try_files /page.html =404; }
             location /map { auth_jwt realm; auth_jwt_key_file keys/k$arg_x;
             try_files /page.html =404; }",
        )
        .start();
    for name in ["k/", "k/.", "k//", "k/./", "./k/.//"] {
        assert_eq!(nginx.get_as("/", &named(&ISSUER, "k")).status, 200);
        assert_eq!(nginx.get_as("/", &named(&ISSUER, name)).status, 401, "{name}");
        assert_eq!(nginx.get_as("/map?x=/", &named(&ISSUER, "k")).status, 500);
    }
    // Whenever it is read it is warned of.
    assert_eq!(nginx.count_in_log("[warn]"), 1, "{}", nginx.error_log());
}

/// What was read for a location that keeps keys longer is older than this one allows.
#[test]
fn location_keeps_keys_no_longer_than_it_says_where_the_server_keeps_them_longer() {
    let (upstream, answers) = answering(&[("/keys", ok(&jwks(&[&ISSUER])))]);
    let nginx = gates(
        &upstream,
        "",
        "auth_jwt_key_request /keys; auth_jwt_key_cache 1h;
         location /brief { auth_jwt realm; auth_jwt_key_cache 1s; try_files /page.html =404; }
         location /new { auth_jwt realm; auth_jwt_key_cache 0; try_files /page.html =404; }",
    );
    let (old, new) = (token(json!({})), signed_by(&FORGER, &json!({})));
    for path in ["/", "/brief", "/new"] {
        assert_eq!(nginx.get_as(path, &old).status, 200, "{path}");
    }
    answers.lock().unwrap()[0].1 = ok(&jwks(&[&FORGER]));
    thread::sleep(Duration::from_millis(2100));
    assert_eq!(nginx.get_as("/", &old).status, 200);
    assert_eq!(nginx.get_as("/brief", &old).status, 401);
    assert_eq!(nginx.get_as("/brief", &new).status, 200);
    assert_eq!(nginx.get_as("/new", &old).status, 401);
    assert_eq!(nginx.get_as("/new", &new).status, 200);
}

#[test]
fn second_write_within_a_tick_of_the_clock_is_seen() {
    let (a, b) = (public_pem(&ISSUER), public_pem(&FORGER));
    assert_eq!(a.len(), b.len());
    let nginx = filed("auth_jwt_key_file keys/$arg_f;");
    nginx.write("keys/k.pem", &a);
    let mut file = MappedFile::open(&nginx.path("keys/k.pem"));
    let good = token(json!({}));
    assert_eq!(nginx.get_as("/?f=k.pem", &good).status, 200);
    let before = std::fs::metadata(nginx.path("keys/k.pem")).unwrap().modified().unwrap();
    file.write(&b);
    assert_eq!(std::fs::metadata(nginx.path("keys/k.pem")).unwrap().modified().unwrap(), before);
    nginx.wait("the new key", || nginx.get_as("/?f=k.pem", &good).status == 401);
    assert_eq!(nginx.get_as("/?f=k.pem", &signed_by(&FORGER, &json!({}))).status, 200);
}

#[test]
fn file_that_says_that_it_has_no_keys_withdraws_them() {
    let upstream = Upstream::with_answer(ok(EMPTY));
    let lines = "auth_jwt_key_file k.pem$arg_x; auth_jwt_key_request /keys; auth_jwt_key_cache 1m;";
    let nginx = gates(&upstream, "", lines);
    for _ in 0..3 {
        nginx.write("k.pem", public_pem(&ISSUER));
        assert_eq!(nginx.get_as("/", &token(json!({}))).status, 200);
        nginx.write("k.pem", EMPTY);
        assert_eq!(nginx.get_as("/", &token(json!({}))).status, 401);
    }
}

#[test]
fn file_that_is_broken_is_not_opened_again_until_it_changes() {
    let nginx = Nginx::builder()
        .own_user()
        .file("keys/a.pem", public_pem(&ISSUER))
        .file("keys/broken.pem", "garbage")
        .server("auth_jwt_key_file keys/$arg_f; return 200 $decoded_ojwt;")
        .start();
    let jwt = token(json!({}));
    let verdict = |file: &str| nginx.get(&format!("/?f={file}.pem&jwt={jwt}")).body;
    assert_eq!(verdict("broken"), "failed: key unavailable");
    // By now nothing can have changed unseen.
    thread::sleep(Duration::from_secs(4));
    assert_eq!((verdict("a"), verdict("broken")), ("{}".into(), "failed: key unavailable".into()));
    nginx.forbid_more_files();
    assert_eq!((verdict("a"), verdict("broken")), ("{}".into(), "failed: key unavailable".into()));
    assert!(!nginx.error_log().contains("os error 24"), "{}", nginx.error_log());
    assert_eq!(nginx.count_in_log("ojwt: key file \""), 1, "{}", nginx.error_log());
    nginx.write("keys/broken.pem", public_pem(&ISSUER));
    verdict("broken");
    assert!(nginx.error_log().contains("os error 24"), "a change is looked at");
}

#[test]
fn keys_beside_those_of_an_outer_level_are_warned_of() {
    let inner = |outer: &str, inner: &str| {
        Nginx::builder()
            .file("b.pem", public_pem(&FORGER))
            .server(&format!("{outer} location / {{ {inner} location /x {{ auth_jwt realm; }} }}"))
            .accepted()
    };
    let (file, request) = ("auth_jwt_key_file b.pem;", "auth_jwt_key_request /keys;");
    let text = inner(request, file);
    let line =
        "\"auth_jwt_key_file\" does not replace the \"auth_jwt_key_request\" of the level around";
    assert!(text.contains("[warn]") && text.matches(line).count() == 1, "{text}");
    let text = inner(file, request);
    let line =
        "\"auth_jwt_key_request\" does not replace the \"auth_jwt_key_file\" of the level around";
    assert!(text.contains("[warn]") && text.matches(line).count() == 1, "{text}");
    for (outer, within) in [
        (request, request),
        (file, file),
        ("", file),
        (request, "auth_jwt_key_file b.pem; auth_jwt_key_request /keys;"),
        ("auth_jwt_key_file b.pem; auth_jwt_key_request /keys;", ""),
    ] {
        let text = inner(outer, within);
        assert!(!text.contains("[warn]"), "{outer} {within}: {text}");
    }
}

#[test]
fn keys_are_fetched_for_a_token_for_which_too_many_others_are_at_hand() {
    let keys = ok(&named_jwks(&[(&ISSUER, Some("new"))]));
    let (upstream, answers) = answering(&[("/keys", keys)]);
    let nginx = Nginx::builder()
        .file("html/page.html", "content")
        .file("strangers.pem", public_pem(&FORGER).repeat(17))
        .server(&format!(
            "location = /keys {{ internal; proxy_pass http://{}; }}
             location / {{ auth_jwt realm; auth_jwt_key_file strangers.pem; auth_jwt_key_request /keys;
                 try_files /page.html =404; }}",
            upstream.address(),
        ))
        .start();
    assert_eq!(nginx.get_as("/", &named(&ISSUER, "new")).status, 200);
    // A source that fails may have had the key.
    answers.lock().unwrap().clear();
    assert_eq!(nginx.get_as("/", &named(&ISSUER, "new")).status, 500);
}
