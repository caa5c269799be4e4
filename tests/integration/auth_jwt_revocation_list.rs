//! `auth_jwt_revocation_list_sub`, `auth_jwt_revocation_list_kid`, `auth_jwt_revocation_list_jti`.

use std::fs;
use std::process::Command;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use ojwt_core::Alg;
use serde_json::json;

use crate::harness::{FORGER, ISSUER, MappedFile, Nginx, now, signed_by, token};

const REVOKED: &str = "failed: token revoked";
const KINDS: [&str; 3] = ["sub", "kid", "jti"];

/// An oracle with one list of subjects.
fn oracle(contents: impl Into<Vec<u8>>) -> Nginx {
    Nginx::builder()
        .file("list", contents)
        .http("auth_jwt_key_file issuer.pem; auth_jwt_revocation_list_sub list;")
        .server("location / { return 200 $decoded_ojwt; }")
        .start()
}

/// Replaces a file as it should be done.
fn replace(nginx: &Nginx, name: &str, contents: &str) {
    nginx.write("new", contents);
    fs::rename(nginx.path("new"), nginx.path(name)).unwrap();
}

fn is_revoked(nginx: &Nginx, sub: &str) -> bool {
    let claims = json!({"sub": sub});
    let body = nginx.get(&format!("/?jwt={}", token(claims.clone()))).body;
    assert!(body == REVOKED || body == claims.to_string().as_str(), "{body}");
    body == REVOKED
}

/// Asks until a worker has looked at the file once more.
fn look(nginx: &Nginx) {
    sleep(Duration::from_millis(1100));
    is_revoked(nginx, "nobody");
}

#[test]
fn revoked_subject_key_and_token_are_refused() {
    let nginx = Nginx::builder()
        .file("sub", r#"{"mallory":{"locked_at":"2023"},"oscar":null}"#)
        .file("kid", r#"["lost"]"#)
        .file("jti", "# stolen\nt-1\nt-2\n")
        .file("html/page", "content")
        .http(
            "auth_jwt_key_file issuer.pem;
             log_format status '$status $ojwt_status'; access_log access.log status;",
        )
        .server(
            "auth_jwt_revocation_list_sub sub; auth_jwt_revocation_list_kid kid;
             auth_jwt_revocation_list_jti jti;
             location = /verdict { return 200 $decoded_ojwt; }
             location = /page { auth_jwt realm; }",
        )
        .start();
    for (kid, payload, is_good) in [
        ("kept", r#"{"sub":"alice","jti":"t-3"}"#, true),
        ("kept", r#"{"sub":"mallory","jti":"t-3"}"#, false),
        ("kept", r#"{"sub":"oscar","jti":"t-3"}"#, false),
        ("lost", r#"{"sub":"alice","jti":"t-3"}"#, false),
        ("kept", r#"{"sub":"alice","jti":"t-2"}"#, false),
        ("kept", r##"{"sub":"t-1","jti":"# stolen"}"##, true),
    ] {
        let jwt = ISSUER.sign(Alg::RS256, Some(kid), payload.as_bytes()).unwrap();
        let verdict = nginx.get_as("/verdict", &jwt).body;
        assert_eq!(verdict, if is_good { payload } else { REVOKED }, "{kid} {payload}");
        let response = nginx.get_as("/page", &jwt);
        assert_eq!(response.status, if is_good { 200 } else { 401 }, "{kid} {payload}");
        let challenge = "Bearer realm=\"realm\", error=\"invalid_token\"";
        assert_eq!(response.header("WWW-Authenticate"), (!is_good).then_some(challenge));
    }
    nginx.wait("the lines", || nginx.file("access.log").lines().count() == 12);
    assert_eq!(nginx.file("access.log").matches("401 token_revoked").count(), 4);
    let log = nginx.error_log();
    assert!(log.contains("[info]") && log.contains("ojwt: token revoked, client:"), "{log}");
    assert!(!log.contains("mallory"), "{log}");
}

#[test]
fn token_that_a_list_could_not_name_is_refused() {
    for kind in KINDS {
        let nginx = Nginx::builder()
            .file("list", "")
            .http(&format!("auth_jwt_key_file issuer.pem; auth_jwt_revocation_list_{kind} list;"))
            .server("location / { return 200 $decoded_ojwt; }")
            .start();
        let verdict = |jwt: &str| nginx.get(&format!("/?jwt={jwt}")).body;
        assert_eq!(verdict(&token(json!({"name": "me"}))), "failed: claim rejected", "{kind}");
        let part = if kind == "kid" { "header" } else { "claim" };
        nginx.wait_for_log(&format!("ojwt: claim rejected: {part} {kind} is missing, client:"));
        let payload = r#"{"sub":"s","jti":"j"}"#;
        let whole = ISSUER.sign(Alg::RS256, Some("k"), payload.as_bytes()).unwrap();
        assert_eq!(verdict(&whole), payload, "{kind}");
    }
}

#[test]
fn forged_token_does_not_learn_who_is_revoked() {
    let nginx = oracle("mallory\n");
    for sub in ["mallory", "alice"] {
        let forged = signed_by(&FORGER, &json!({"sub": sub}));
        assert_eq!(nginx.get(&format!("/?jwt={forged}")).body, "failed: signature mismatch");
    }
}

#[test]
fn changed_list_counts_without_a_reload() {
    let nginx = oracle("mallory\n");
    assert!(is_revoked(&nginx, "mallory") && !is_revoked(&nginx, "oscar"));
    replace(&nginx, "list", "oscar\n");
    nginx.wait("the new list", || is_revoked(&nginx, "oscar"));
    assert!(!is_revoked(&nginx, "mallory"));
    assert!(nginx.error_log().contains("[notice]"));
    assert_eq!(nginx.count_in_log("/list\" changed: 1 entries"), 1);
    // Of the same size, as it is written in place.
    nginx.write("list", "alice\n");
    nginx.wait("the list after that", || is_revoked(&nginx, "alice"));
    assert!(!is_revoked(&nginx, "oscar"));
    replace(&nginx, "list", "");
    nginx.wait("the empty list", || !is_revoked(&nginx, "alice"));
}

#[test]
fn broken_new_list_keeps_the_old_one_and_is_logged_once() {
    let nginx = oracle(r#"{"mallory":1893456000}"#);
    for (contents, reason) in [
        (&b"{\"mallory\":"[..], "not JSON in UTF-8"),
        (b"oscar\n\xff\n", "line 2: not UTF-8"),
        (b"[1]", "entry 0: not a string"),
    ] {
        nginx.write("list", contents);
        let message = format!("/list\" stays as it was: {reason}");
        nginx.wait(reason, || is_revoked(&nginx, "mallory") && nginx.count_in_log(&message) > 0);
        look(&nginx);
        assert_eq!(nginx.count_in_log(&message), 1);
        assert!(is_revoked(&nginx, "mallory") && !is_revoked(&nginx, "oscar"));
    }
    assert!(nginx.error_log().contains("[error]"));
    replace(&nginx, "list", "oscar\n");
    nginx.wait("the mended list", || is_revoked(&nginx, "oscar"));
    assert!(!is_revoked(&nginx, "mallory"));
}

#[test]
fn vanished_list_is_kept_until_there_is_one_again() {
    let nginx = oracle("mallory\n");
    fs::rename(nginx.path("list"), nginx.path("elsewhere")).unwrap();
    let message = "stays as it was: it cannot be read: No such file or directory";
    nginx.wait("the trouble", || is_revoked(&nginx, "mallory") && nginx.count_in_log(message) > 0);
    fs::create_dir(nginx.path("list")).unwrap();
    let another = "stays as it was: it cannot be read: not a regular file";
    nginx.wait("another", || is_revoked(&nginx, "mallory") && nginx.count_in_log(another) > 0);
    look(&nginx);
    assert_eq!((nginx.count_in_log(message), nginx.count_in_log(another)), (1, 1));
    fs::remove_dir(nginx.path("list")).unwrap();
    replace(&nginx, "list", "oscar\n");
    nginx.wait("the new list", || is_revoked(&nginx, "oscar"));
    assert!(!is_revoked(&nginx, "mallory"));
}

#[test]
fn entry_counts_until_its_date() {
    let soon = now() + 5;
    let nginx = oracle(format!("mallory\t{soon}\noscar\t{}\nalice\t1\n", now() + 3600));
    assert!(is_revoked(&nginx, "mallory"));
    assert!(is_revoked(&nginx, "oscar"));
    assert!(!is_revoked(&nginx, "alice"));
    nginx.wait("the date", || !is_revoked(&nginx, "mallory"));
    assert!(now() >= soon);
    assert!(is_revoked(&nginx, "oscar"));
}

#[test]
fn list_of_an_inner_level_replaces_that_of_the_outer_one_of_the_same_kind() {
    let nginx = Nginx::builder()
        .file("outer", "mallory\n")
        .file("inner", "oscar\n")
        .file("tokens", "t\n")
        .http("auth_jwt_key_file issuer.pem; auth_jwt_revocation_list_sub outer;")
        .server(
            "location = /inherits { return 200 $ojwt_status$decoded_ojwt; }
             location = /replaces {
                 auth_jwt_revocation_list_sub inner; return 200 $ojwt_status$decoded_ojwt;
             }
             location = /adds {
                 auth_jwt_revocation_list_jti tokens; return 200 $ojwt_status$decoded_ojwt;
             }",
        )
        .start();
    for (target, sub, jti, is_good) in [
        ("/inherits", "mallory", "x", false),
        ("/inherits", "oscar", "t", true),
        ("/replaces", "mallory", "t", true),
        ("/replaces", "oscar", "x", false),
        ("/adds", "mallory", "x", false),
        ("/adds", "oscar", "t", false),
        ("/adds", "oscar", "x", true),
    ] {
        let jwt = token(json!({"sub": sub, "jti": jti}));
        let body = nginx.get(&format!("{target}?jwt={jwt}")).body;
        assert_eq!(!body.contains("failed"), is_good, "{target} {sub} {jti}: {body}");
    }
}

#[test]
fn lists_of_a_level_unite_and_those_of_an_inner_level_replace_them_all() {
    for (kind, name) in [("sub", "a user"), ("kid", "a key"), ("jti", "a token")] {
        let directive = format!("auth_jwt_revocation_list_{kind}");
        let nginx = Nginx::builder()
            .file("first", "a\n")
            .file("second", "{\"b\":null}")
            .file("third", "[\"c\"]")
            .http(&format!("auth_jwt_key_file issuer.pem; {directive} first; {directive} second;"))
            .server(&format!(
                "location = /outer {{ return 200 $decoded_ojwt; }}
                 location = /inner {{
                     {directive} third; {directive} second; {directive} third;
                     return 200 $decoded_ojwt;
                 }}"
            ))
            .start();
        let revoked = |target: &str| {
            let names = ["a", "b", "c", "d"].into_iter().filter(|value| {
                let claims = json!({"sub": value, "jti": value}).to_string();
                let jwt = ISSUER.sign(Alg::RS256, Some(value), claims.as_bytes()).unwrap();
                nginx.get(&format!("{target}?jwt={jwt}")).body == REVOKED
            });
            names.collect::<String>()
        };
        assert_eq!((revoked("/outer"), revoked("/inner")), ("ab".into(), "bc".into()), "{name}");
        // Each is looked at for itself.
        replace(&nginx, "second", "d\n");
        nginx.wait("the new list", || revoked("/outer") == "ad" && revoked("/inner") == "cd");
    }
}

#[test]
fn each_gate_on_the_way_of_a_request_has_its_own_list() {
    let nginx = Nginx::builder()
        .file("list", "mallory\n")
        .http("auth_jwt_key_file issuer.pem;")
        .server(
            "location = / { set $first $decoded_ojwt; rewrite ^ /inner last; }
             location = /inner {
                 auth_jwt_revocation_list_sub list; return 200 \"$first $decoded_ojwt\";
             }",
        )
        .start();
    let jwt = token(json!({"sub": "mallory"}));
    let body = nginx.get(&format!("/?jwt={jwt}")).body;
    assert_eq!(body, format!("{{\"sub\":\"mallory\"}} {REVOKED}"));
}

#[test]
fn file_that_many_locations_name_is_read_once() {
    let location = |number| {
        format!(
            "location = /{number} {{ auth_jwt_revocation_list_sub list;
                 auth_jwt_revocation_list_jti list; return 200 $decoded_ojwt; }}"
        )
    };
    let nginx = Nginx::builder()
        .file("list", "mallory\n")
        .http("auth_jwt_key_file issuer.pem;")
        .server(&(0..3).map(location).collect::<Vec<_>>().concat())
        .start();
    let get = |number: usize, sub: &str| {
        let jwt = token(json!({"sub": sub, "jti": "x"}));
        nginx.get(&format!("/{number}?jwt={jwt}")).body
    };
    replace(&nginx, "list", "oscar\n");
    nginx.wait("the new list", || get(0, "oscar") == REVOKED);
    for number in 0..3 {
        assert_eq!(get(number, "oscar"), REVOKED);
        assert_ne!(get(number, "mallory"), REVOKED);
    }
    assert_eq!(nginx.count_in_log("changed: 1 entries"), 1);
}

#[test]
fn list_that_is_being_written_in_place_lets_nobody_in() {
    let nginx = oracle("alice\nbob\nmallory\n");
    assert!(is_revoked(&nginx, "mallory"));
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        for part in ["", "alice\n", "alice\nbob\n", "alice\nbob\nmallory\n"] {
            nginx.write("list", part);
            for _ in 0..10 {
                assert!(is_revoked(&nginx, "mallory"), "{part:?}");
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
    // One that stays shorter is meant.
    nginx.write("list", "alice\n");
    nginx.wait("the shorter list", || !is_revoked(&nginx, "mallory"));
    assert!(is_revoked(&nginx, "alice") && !is_revoked(&nginx, "bob"));
}

#[test]
fn list_that_is_renamed_into_place_is_never_seen_by_halves() {
    let names: Vec<String> = (0..2000).map(|number| format!("user-{number}\n")).collect();
    let nginx = oracle(names.concat());
    for _ in 0..3 {
        replace(&nginx, "list", &names.concat());
        look(&nginx);
        assert!(is_revoked(&nginx, "user-0") && is_revoked(&nginx, "user-1999"));
    }
    assert_eq!(nginx.count_in_log("changed: 2000 entries"), 3);
}

#[test]
fn reload_reads_the_list_anew_and_a_broken_one_fails_it() {
    let nginx = oracle("mallory\n");
    nginx.write("list", "a\tsoon\n");
    nginx.signal("HUP");
    nginx.wait_for_log("[emerg]");
    assert!(nginx.error_log().contains("/list\": line 1: no number of seconds after the tab in "));
    assert!(is_revoked(&nginx, "mallory"));
    replace(&nginx, "list", "oscar\n");
    nginx.reload();
    assert!(is_revoked(&nginx, "oscar") && !is_revoked(&nginx, "mallory"));
}

#[test]
fn mistakes_are_refused_with_file_line_and_reason() {
    let fifo = tempfile::tempdir().unwrap();
    let fifo = fifo.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let fifo = fifo.to_str().unwrap();
    for kind in KINDS {
        for (contents, words, message) in [
            ("", "", "invalid number of arguments in \"auth_jwt_revocation_list_"),
            ("", "list list", "invalid number of arguments"),
            ("", "missing", "list \"missing\": it cannot be read: No such file or directory"),
            ("", "html", "list \"html\": it cannot be read: not a regular file"),
            ("", "/dev/zero", "it cannot be read: not a regular file"),
            ("", fifo, "it cannot be read: not a regular file"),
            ("", "$arg_file", "variables in \"auth_jwt_revocation_list_"),
            ("{\"a\":1", "list", "revocation list \"list\": not JSON in UTF-8"),
            ("{\"a\":1,\"a\":1}", "list", "list \"list\": an object names a member twice"),
            ("[\"a\",[]]", "list", "revocation list \"list\": entry 1: not a string"),
            ("a\nb\u{7}\n", "list", "revocation list \"list\": line 2: a control character"),
            ("a\nb\tx\n", "list", "\"list\": line 2: no number of seconds after the tab"),
        ] {
            let server = format!("auth_jwt_revocation_list_{kind} {words};");
            Nginx::builder().file("list", contents).server(&server).refuses(message);
        }
    }
}

#[test]
fn is_allowed_at_every_level() {
    let words = "auth_jwt_revocation_list_sub list; auth_jwt_revocation_list_kid list;
        auth_jwt_revocation_list_jti list;";
    Nginx::builder()
        .file("list", "{}")
        .http(words)
        .server(&format!("{words} location / {{ {words} limit_except GET {{ {words} }} }}"))
        .accepted();
}

#[test]
fn second_change_of_a_list_within_a_tick_of_the_clock_counts() {
    let nginx = oracle("mallory\n");
    nginx.write("list", "oscar\n#\n");
    let mut list = MappedFile::open(&nginx.path("list"));
    nginx.wait("the new list", || is_revoked(&nginx, "oscar"));
    list.write("malory\n#");
    nginx.wait("the list after that", || is_revoked(&nginx, "malory"));
    assert!(!is_revoked(&nginx, "oscar"));
    assert_eq!(nginx.count_in_log("/list\" changed: 1 entries"), 2);
}
