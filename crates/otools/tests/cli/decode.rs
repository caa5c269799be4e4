//! `otools decode`.

use serde_json::{Value, json};

use crate::harness::{Dir, PRIVATE_KEY_ALGS, secret};

const DECODE: [&str; 3] = ["decode", "-k", "public_key.pem"];

fn decode(dir: &Dir, token: &str, args: &[&str]) -> crate::harness::Answer {
    dir.otools_with_input(&[&DECODE, args].concat(), token)
}

#[test]
fn prints_one_claim_a_line_and_says_what_times_are() {
    let dir = Dir::with_keys("EdDSA");
    let claims = r#"{"sub":"alice","exp":4102444800,"auth_time":1.5,"n":1.50,"roles":["a", "b"]}"#;
    let token = dir.token(&["--iat", "1767225600", "--nbf", "1", "--claims", claims]);
    let expected = "sub: \"alice\"\n\
                    exp: 4102444800 (2100-01-01T00:00:00Z)\n\
                    auth_time: 1.5 (1970-01-01T00:00:01.5Z)\n\
                    n: 1.50\n\
                    roles: [\"a\",\"b\"]\n\
                    nbf: 1 (1970-01-01T00:00:01Z)\n\
                    iat: 1767225600 (2026-01-01T00:00:00Z)\n";
    assert_eq!(decode(&dir, &token, &[]).ok(), expected);
}

#[test]
fn prints_the_claims_as_nginx_shows_them_with_json() {
    let dir = Dir::with_keys("EdDSA");
    let claims = "{ \"b\" : 1.0, \"a\" : [ 1e2 ], \"t\":\"\u{7f}\u{9b}\\u001b\" }";
    let token = dir.token(&["--iat", "5", "--claims", claims]);
    let expected = "{\"b\":1.0,\"a\":[1e2],\"t\":\"\\u007f\\u009b\\u001b\",\"iat\":5}\n";
    assert_eq!(decode(&dir, &token, &["--json"]).ok(), expected);
}

#[test]
fn claims_command_no_terminal() {
    let dir = Dir::with_keys("EdDSA");
    let claims = json!({
        "\u{1b}[31m": "\u{1b}]0;x\u{7}",
        "two\nlines": "a\nb\u{9b}",
        "exp: 1": "\u{202e}",
        "": 0
    });
    let token = dir.token(&["--iat", "5", "--claims", &claims.to_string()]);
    let text = decode(&dir, &token, &[]).ok();
    let expected = "\"\\u001b[31m\": \"\\u001b]0;x\\u0007\"\n\
                    \"two\\nlines\": \"a\\nb\\u009b\"\n\
                    \"exp: 1\": \"\\u202e\"\n\
                    \"\": 0\n\
                    iat: 5 (1970-01-01T00:00:05Z)\n";
    assert_eq!(text, expected);
}

#[test]
fn a_time_beyond_the_calendar_is_shown_as_it_is() {
    let dir = Dir::with_keys("EdDSA");
    let token = dir.token(&["--iat", "5", "--claim", "exp=1e300"]);
    let expected = "iat: 5 (1970-01-01T00:00:05Z)\nexp: 1e300\n";
    assert_eq!(decode(&dir, &token, &[]).ok(), expected);
}

#[test]
fn reads_the_token_from_a_file_or_standard_input_and_trims_it() {
    let dir = Dir::with_keys("EdDSA");
    let token = dir.token(&["--iat", "5"]);
    dir.write("token.txt", format!(" \r\n\t{token}\r\n\n"));
    let expected = "iat: 5 (1970-01-01T00:00:05Z)\n";
    assert_eq!(dir.ok(&[&DECODE[..], &["-i", "token.txt"]].concat()), expected);
    assert_eq!(decode(&dir, &token, &["-i", "-"]).ok(), expected);
    assert_eq!(decode(&dir, &token, &[]).ok(), expected);
}

#[test]
fn verifies_with_every_kind_of_key_file() {
    let dir = Dir::with_keys("ES256");
    let subject = ["-subj", "/CN=issuer", "-key", "private_key.pem", "-out", "cert.pem"];
    dir.openssl(&[&["req", "-x509", "-new"], &subject[..]].concat());
    dir.ok(&["jwks", "public_key.pem", "-o", "set.json"]);
    let set: Value = serde_json::from_str(&dir.read("set.json")).unwrap();
    dir.write("jwk.json", set["keys"][0].to_string());
    let token = dir.token(&["--iat", "5"]);
    for key in ["private_key.pem", "public_key.pem", "cert.pem", "set.json", "jwk.json"] {
        let claims = dir.otools_with_input(&["decode", "-k", key, "--json"], &token).ok();
        assert_eq!(claims, "{\"iat\":5}\n", "{key}");
    }
    for set in ["set.json", "jwk.json"] {
        let claims = dir.otools_with_input(&["decode", "--jwks", set, "--json"], &token).ok();
        assert_eq!(claims, "{\"iat\":5}\n");
    }
    let message = dir.otools_with_input(&["decode", "--jwks", "public_key.pem"], &token).fails(1);
    assert_eq!(message, "public_key.pem: not JSON in UTF-8");
}

#[test]
fn verifies_what_keys_of_every_algorithm_signed() {
    for alg in PRIVATE_KEY_ALGS {
        let dir = Dir::with_keys(alg);
        let token = dir.token(&["--alg", alg, "--iat", "5"]);
        assert_eq!(dir.claims(&token), "{\"iat\":5}\n", "{alg}");
        let other = Dir::with_keys(alg);
        assert_eq!(decode(&other, &token, &[]).fails(1), "signature mismatch", "{alg}");
    }
}

#[test]
fn verifies_with_shared_secrets() {
    let dir = Dir::new();
    dir.write("secret.jwk", secret(64));
    for alg in ["HS256", "HS384", "HS512"] {
        let line =
            format!("chmod 600 secret.jwk; exec \"$0\" encode -k secret.jwk --alg {alg} --iat 5");
        let token = dir.shell(&line).ok();
        let claims = dir.otools_with_input(&["decode", "-k", "secret.jwk", "--json"], token).ok();
        assert_eq!(claims, "{\"iat\":5}\n");
    }
}

#[test]
fn chooses_the_key_of_a_set_by_kid() {
    let dir = Dir::with_keys("ES256");
    let other = Dir::with_keys("ES256");
    dir.write("other.pem", other.read("public_key.pem"));
    dir.ok(&["jwks", "other.pem", "public_key.pem", "-o", "set.json"]);
    let set: Value = serde_json::from_str(&dir.read("set.json")).unwrap();
    let (wrong, right) = (&set["keys"][0]["kid"], &set["keys"][1]["kid"]);
    let verdict = |kid: &Value| {
        let token = dir.token(&["--kid", kid.as_str().unwrap()]);
        dir.otools_with_input(&["decode", "--jwks", "set.json"], token)
    };
    verdict(right).ok();
    assert_eq!(verdict(wrong).fails(1), "signature mismatch");
    assert_eq!(verdict(&json!("none")).fails(1), "unknown key");
}

#[test]
fn gives_the_stable_reason_of_every_refusal_and_no_claim() {
    let dir = Dir::with_keys("ES256");
    let secret_claim = ["-m", "do not print"];
    let token = |args: &[&str]| dir.token(&[&secret_claim, args].concat());
    let good = token(&[]);
    let (signed, signature) = good.trim_end().rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{flipped}{}", &signature[1..]);
    let header = |json: &str| {
        let header = ojwt_core::text::base64url::encode(json.as_bytes());
        format!("{header}.{}", good.split_once('.').unwrap().1)
    };
    for (token, reason) in [
        (token(&["--exp", "-1d"]), "token expired"),
        (token(&["--exp", "now"]), "token expired"),
        (token(&["--nbf", "+1h"]), "token not yet valid"),
        (forged, "signature mismatch"),
        (String::new(), "no token"),
        (" \n".to_owned(), "no token"),
        ("x".to_owned(), "malformed token: not three parts separated by periods"),
        (format!("{signed}.{signature}="), "malformed token: a part is not unpadded base64url"),
        (header(r#"{"alg":"none"}"#), "unsupported algorithm"),
        (header(r#"{"alg":"RS256"}"#), "algorithm not allowed"),
        (header(r#"{"alg":"ES256","crit":["x"],"x":1}"#), "unsupported critical header"),
        (token(&["--claim", &format!("big={}", "x".repeat(1000))]).repeat(20), "token too large"),
        ("x".repeat(2_000_000), "token too large"),
    ] {
        assert_eq!(decode(&dir, &token, &[]).fails(1), reason);
        assert_eq!(decode(&dir, &token, &["--json"]).fails(1), reason);
    }
}

#[test]
fn compares_the_host_if_one_is_given() {
    let dir = Dir::with_keys("EdDSA");
    let token = dir.token(&["-h", "example.com"]);
    decode(&dir, &token, &[]).ok();
    decode(&dir, &token, &["--host", "EXAMPLE.com:8089"]).ok();
    decode(&dir, &token, &["-h", "example.com"]).ok();
    assert_eq!(decode(&dir, &token, &["--host", "example.org"]).fails(1), "wrong host");
    assert_eq!(decode(&dir, &token, &["--host", ""]).fails(1), "wrong host");
    decode(&dir, &dir.token(&[]), &["--host", "example.org"]).ok();
}

#[test]
fn without_a_key_nothing_is_printed() {
    let dir = Dir::with_keys("EdDSA");
    dir.token(&["-m", "do not print", "-o", "token.txt"]);
    let answer = dir.otools(&["decode", "-i", "token.txt"]);
    assert_eq!((answer.status, answer.stdout.as_str()), (Some(2), ""), "{answer:?}");
    assert!(answer.stderr.contains("--key <KEY>|--jwks <FILE>"), "{answer:?}");
    let both = ["decode", "-i", "token.txt", "-k", "public_key.pem", "--jwks", "public_key.pem"];
    assert_eq!(dir.otools(&both).status, Some(2));
}

#[test]
fn token_and_key_cannot_both_be_standard_input() {
    let dir = Dir::with_keys("EdDSA");
    dir.fails(2, &["decode", "-k", "-"]);
    dir.fails(2, &["decode", "--jwks", "-"]);
    dir.token(&["--iat", "5", "-o", "token.txt"]);
    let args = ["decode", "-i", "token.txt", "-k", "-", "--json"];
    assert_eq!(dir.otools_with_input(&args, dir.read("public_key.pem")).ok(), "{\"iat\":5}\n");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let dir = Dir::with_keys("EdDSA");
    dir.write("broken.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
    dir.write("short.jwk", secret(31));
    for (key, words) in [
        ("missing.pem", "No such file or directory"),
        (".", "Is a directory"),
        ("broken.pem", "key 0: not a public key in DER"),
        ("short.jwk", "secret of 31 bytes"),
        ("/dev/null", "no usable key"),
    ] {
        let message = dir.fails(1, &["decode", "-k", key]);
        assert!(message.starts_with(&format!("{key}: ")) && message.contains(words), "{message}");
    }
    let message = dir.fails(1, &[&DECODE[..], &["-i", "missing.txt"]].concat());
    assert_eq!(message, "missing.txt: No such file or directory");
}

#[test]
fn keys_of_a_set_that_are_skipped_earn_a_warning() {
    let dir = Dir::with_keys("EdDSA");
    let mut set: Value = serde_json::from_str(&dir.ok(&["jwks", "public_key.pem"])).unwrap();
    set["keys"].as_array_mut().unwrap().push(json!({ "kty": "AKP" }));
    dir.write("set.json", set.to_string());
    let token = dir.token(&["--iat", "5"]);
    let answer = dir.otools_with_input(&["decode", "--jwks", "set.json", "--json"], token);
    assert_eq!((answer.status, answer.stdout.as_str()), (Some(0), "{\"iat\":5}\n"));
    let warning = "otools: warning: set.json: key 1: skipped: unknown \"kty\"\n";
    assert_eq!(answer.stderr, warning);
}
