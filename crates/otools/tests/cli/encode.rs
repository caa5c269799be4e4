//! `otools encode`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::{Dir, header, secret};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// One claim of what these arguments make.
fn claim(dir: &Dir, name: &str, args: &[&str]) -> Value {
    let claims: Value = serde_json::from_str(&dir.claims(&dir.token(args))).unwrap();
    claims[name].clone()
}

#[test]
fn message_host_and_times_become_claims_in_that_order() {
    let dir = Dir::with_keys("EdDSA");
    let times = ["--exp", "4102444800", "--nbf", "1", "--iat", "2"];
    let token = dir.token(&[&["-m", "my example msg", "-h", "example.com"], &times[..]].concat());
    let expected = concat!(
        r#"{"message":"my example msg","host":"example.com","exp":4102444800,"#,
        r#""nbf":1,"iat":2}"#,
        "\n"
    );
    assert_eq!(dir.claims(&token), expected);
}

#[test]
fn iat_is_now_unless_it_is_given() {
    let dir = Dir::with_keys("EdDSA");
    let before = now();
    let issued = claim(&dir, "iat", &[]).as_u64().unwrap();
    assert!((before..=now()).contains(&issued));
    assert_eq!(claim(&dir, "iat", &["--claims", r#"{"iat":5}"#]), json!(5));
    assert_eq!(claim(&dir, "iat", &["--claim", "iat=6"]), json!(6));
    assert_eq!(claim(&dir, "iat", &["--iat", "7"]), json!(7));
}

#[test]
fn times_are_read_in_every_spelling_of_the_contract() {
    let dir = Dir::with_keys("EdDSA");
    let iat = |text| claim(&dir, "iat", &["--iat", text]).as_u64().unwrap();
    for (text, offset) in [
        ("now", 0),
        ("tomorrow", 86_400),
        ("yesterday", -86_400),
        ("+1h", 3_600),
        ("-1d", -86_400),
        ("+1h30m", 5_400),
        ("-2 weeks", -1_209_600),
        ("+3650d", 315_360_000),
    ] {
        let before = now().checked_add_signed(offset).unwrap();
        let after = |found| now().checked_add_signed(offset).unwrap() >= found;
        let found = iat(text);
        assert!(before <= found && after(found), "{text}: {found}");
    }
    assert_eq!(iat("1767225600"), 1_767_225_600);
    assert_eq!(iat("2026-01-01T00:00:00Z"), 1_767_225_600);
    assert_eq!(iat("2026-01-01T02:00:00+02:00"), 1_767_225_600);
    let before = now() - 86_400;
    let joined = claim(&dir, "iat", &["--iat=-1d", "--exp", "+1h"]).as_u64().unwrap();
    assert!((before..=now() - 86_400).contains(&joined));
}

#[test]
fn fractions_of_seconds_stay_numbers() {
    let dir = Dir::with_keys("EdDSA");
    assert_eq!(dir.encoded(&["--nbf", "1767225600.25"]), r#"{"nbf":1767225600.25}"#);
}

#[test]
fn times_that_mean_nothing_or_two_things_are_refused_in_one_line() {
    let dir = Dir::with_keys("EdDSA");
    for (time, words) in [
        ("soon", "not a time"),
        ("", "not a time"),
        ("1h", "from now on is +"),
        ("+60", "needs a unit"),
        ("-5", "needs a unit"),
        ("2026-01-01", "a date alone is no time"),
        ("2026-01-01T00:00:00", "Z at its end"),
        ("1767225600000", "not in milliseconds"),
        ("+9000y", "beyond"),
        ("+99999y", "not a span"),
        ("1e9", "not a time"),
        ("so\u{1b}[31mon\n", "not a time"),
    ] {
        for flag in ["--exp", "--nbf", "--iat"] {
            let message = dir.fails(2, &["encode", "-k", "private_key.pem", flag, time]);
            assert!(message.starts_with(&format!("{flag} \"")), "{message}");
            assert!(message.contains(words), "{time}: {message}");
        }
    }
}

#[test]
fn claims_are_json_if_they_can_be_and_strings_if_not() {
    let dir = Dir::with_keys("EdDSA");
    for (value, expected) in [
        ("5", "5"),
        ("true", "true"),
        ("null", "null"),
        (r#""5""#, r#""5""#),
        ("[1, {\"b\": 2}]", r#"[1,{"b":2}]"#),
        ("hello world", r#""hello world""#),
        ("", r#""""#),
        ("007", r#""007""#),
        ("a=b", r#""a=b""#),
        ("{\"open\":", r#""{\"open\":""#),
        ("-", r#""-""#),
    ] {
        let claim = format!("c={value}");
        assert_eq!(dir.encoded(&["--claim", &claim]), format!("{{\"c\":{expected}}}"));
    }
}

#[test]
fn numbers_and_order_are_kept_exactly_as_written() {
    let dir = Dir::with_keys("EdDSA");
    let claims = r#"{"z":1.0,"a":1e2,"big":123456789012345678901234567890,"n":{"b":-0,"a":0.10}}"#;
    let given = ["--claims", claims, "--claim", "y=1.50", "--claim", "b=100000000000000000000"];
    let expected = claims.replace("}}", r#"},"y":1.50,"b":100000000000000000000}"#);
    assert_eq!(dir.encoded(&given), expected);
}

#[test]
fn claims_come_from_a_file_or_standard_input_too() {
    let dir = Dir::with_keys("EdDSA");
    dir.write("claims.json", "{\n  \"sub\": \"alice\"\n}\n");
    assert_eq!(dir.encoded(&["--claims", "@claims.json"]), r#"{"sub":"alice"}"#);
    let args = ["encode", "-k", "private_key.pem", "--claims", "@-", "--iat", "1"];
    let token = dir.otools_with_input(&args, r#"{"sub":"bob"}"#).ok();
    assert_eq!(dir.claims(&token), "{\"sub\":\"bob\",\"iat\":1}\n");
}

#[test]
fn claims_that_are_no_object_are_refused() {
    let dir = Dir::with_keys("EdDSA");
    dir.write("list.json", "[1]");
    for claims in ["", "[1]", "5", "{", "{'a':1}", "{\"a\":1,\"a\":2}", "{\"a\":01}"] {
        let message = dir.fails(2, &["encode", "-k", "private_key.pem", "--claims", claims]);
        assert!(message.starts_with("--claims: "), "{message}");
    }
    let args = ["encode", "-k", "private_key.pem", "--claims"];
    let message = dir.fails(1, &[&args[..], &["@list.json"]].concat());
    assert_eq!(message, "list.json: not a JSON object");
    dir.fails(1, &[&args[..], &["@missing.json"]].concat());
    let message = dir.fails(1, &[&args[..], &["@/dev/zero"]].concat());
    assert!(message.contains("larger than"), "{message}");
}

#[test]
fn a_claim_without_a_name_is_refused() {
    let dir = Dir::with_keys("EdDSA");
    for claim in ["", "name", "=value"] {
        let message = dir.fails(2, &["encode", "-k", "private_key.pem", "--claim", claim]);
        assert_eq!(message, format!("--claim \"{claim}\": not NAME=VALUE"));
    }
}

#[test]
fn a_claim_given_twice_is_refused() {
    let dir = Dir::with_keys("EdDSA");
    for (name, args) in [
        ("a", &["--claim", "a=1", "--claim", "a=1"][..]),
        ("a", &["--claims", r#"{"a":1}"#, "--claim", "a=1"]),
        ("a", &["--claims", r#"{"\u0061":1}"#, "--claim", "a=1"]),
        ("exp", &["--exp", "+1h", "--claim", "exp=1"]),
        ("iat", &["--iat", "now", "--claim", "iat=1"]),
        ("host", &["-h", "example.com", "--claims", r#"{"host":"example.com"}"#]),
        ("message", &["-m", "x", "--claim", "message=y"]),
    ] {
        let message = dir.fails(2, &[&["encode", "-k", "private_key.pem"], args].concat());
        assert_eq!(message, format!("the claim \"{name}\" is given twice"));
    }
    let nested = ["encode", "-k", "private_key.pem", "--claim", r#"a={"b":1,"b":2}"#];
    assert_eq!(dir.fails(2, &nested), "--claim a: an object names a member twice");
}

#[test]
fn registered_claims_of_the_wrong_type_are_refused() {
    let dir = Dir::with_keys("EdDSA");
    for (claim, name) in [
        ("exp=tomorrow", "exp"),
        ("exp=\"1767225600\"", "exp"),
        ("exp=1e999", "exp"),
        ("nbf=null", "nbf"),
        ("iat=true", "iat"),
        ("iss=5", "iss"),
        ("sub={}", "sub"),
        ("jti=7", "jti"),
        ("aud=5", "aud"),
        ("aud=[\"a\",5]", "aud"),
        ("host=5", "host"),
        ("Host=[]", "Host"),
        ("host=[\"a.example\",5]", "host"),
    ] {
        let message = dir.fails(2, &["encode", "-k", "private_key.pem", "--claim", claim]);
        assert!(message.starts_with(&format!("the claim \"{name}\" is not ")), "{message}");
    }
    for claim in ["exp=4102444800.5", "aud=a", "aud=[\"a\",\"b\"]", "aud=[]", "jti=\"7\""] {
        dir.token(&["--claim", claim]);
    }
}

#[test]
fn claims_nested_deeper_than_a_verifier_reads_are_refused() {
    let dir = Dir::with_keys("EdDSA");
    let deep = |depth| format!("d={}{}", "[".repeat(depth), "]".repeat(depth));
    dir.token(&["--claim", &deep(31)]);
    for depth in [32, 33, 1_000] {
        let message = dir.fails(2, &["encode", "-k", "private_key.pem", "--claim", &deep(depth)]);
        assert!(message.contains("nested too deeply"), "{message}");
    }
}

#[test]
fn a_host_that_no_request_could_name_is_refused() {
    let dir = Dir::with_keys("EdDSA");
    for host in ["", "https://example.com", "example.com/", "a b", "user@example.com", ":80", "."] {
        let message = dir.fails(2, &["encode", "-k", "private_key.pem", "-h", host]);
        assert!(message.starts_with("the claim \"host\" is not a host's name"), "{message}");
    }
    for host in
        ["example.com", "EXAMPLE.com:8089", "[::1]:80", "localhost", "xn--bcher-kva.example"]
    {
        let expected = json!({ "host": host }).to_string();
        assert_eq!(dir.encoded(&["-h", host]), expected);
        assert_eq!(dir.encoded(&["--host", host]), expected);
    }
}

#[test]
fn text_may_begin_with_a_hyphen_and_hold_anything() {
    let dir = Dir::with_keys("EdDSA");
    for message in ["-1", "--exp", "-", "é 漢字 😀", "\"\\\n\t\u{1b}", ""] {
        let claims: Value = serde_json::from_str(&dir.encoded(&["-m", message])).unwrap();
        assert_eq!(claims, json!({ "message": message }));
    }
}

#[test]
fn the_algorithm_is_the_one_that_fits_the_key() {
    for (alg, default) in [
        ("RS256", "RS256"),
        ("PS256", "RS256"),
        ("ES256", "ES256"),
        ("ES384", "ES384"),
        ("ES512", "ES512"),
        ("EdDSA", "EdDSA"),
        ("Ed25519", "EdDSA"),
        ("Ed448", "EdDSA"),
    ] {
        let dir = Dir::with_keys(alg);
        assert_eq!(header(&dir.token(&[])), json!({ "alg": default, "typ": "JWT" }), "{alg}");
        assert_eq!(header(&dir.token(&["--alg", alg]))["alg"], alg);
    }
    let dir = Dir::new();
    dir.write("secret.jwk", secret(64));
    fs::set_permissions(dir.path("secret.jwk"), fs::Permissions::from_mode(0o600)).unwrap();
    let token = |args: &[&str]| dir.ok(&[&["encode", "-k", "secret.jwk"], args].concat());
    assert_eq!(header(&token(&[]))["alg"], "HS256");
    assert_eq!(header(&token(&["--alg", "HS512"]))["alg"], "HS512");
}

#[test]
fn an_algorithm_that_does_not_fit_the_key_is_refused() {
    let dir = Dir::with_keys("ES256");
    dir.write("secret.jwk", secret(32));
    for (key, alg) in [
        ("private_key.pem", "RS256"),
        ("private_key.pem", "ES384"),
        ("private_key.pem", "HS256"),
        ("secret.jwk", "HS512"),
        ("secret.jwk", "EdDSA"),
    ] {
        let answer =
            dir.shell(&format!("chmod 600 {key}; exec \"$0\" encode -k {key} --alg {alg}"));
        assert_eq!(answer.fails(1), format!("{key}: the key cannot sign with {alg}"));
    }
    let answer = dir.otools(&["encode", "-k", "private_key.pem", "--alg", "none"]);
    assert_eq!(answer.status, Some(2), "{answer:?}");
}

#[test]
fn the_alg_and_kid_of_a_jwk_are_kept() {
    let dir = Dir::new();
    let mut jwk: Value = serde_json::from_str(&secret(64)).unwrap();
    jwk["alg"] = json!("HS384");
    jwk["kid"] = json!("my key");
    dir.write("secret.jwk", jwk.to_string());
    let encode = |args: &str| {
        dir.shell(&format!("chmod 600 secret.jwk; exec \"$0\" encode -k secret.jwk {args}"))
    };
    let expected = json!({ "alg": "HS384", "typ": "JWT", "kid": "my key" });
    assert_eq!(header(&encode("").ok()), expected);
    assert_eq!(header(&encode("--kid other").ok())["kid"], "other");
    let message = encode("--alg HS256").fails(1);
    assert_eq!(message, "secret.jwk: the key is for HS384, not for HS256");
}

#[test]
fn kid_is_set_if_it_is_given() {
    let dir = Dir::with_keys("EdDSA");
    assert_eq!(header(&dir.token(&["--kid", "a \"b\""]))["kid"], "a \"b\"");
    assert_eq!(header(&dir.token(&[])).get("kid"), None);
}

#[test]
fn the_token_goes_to_a_file_that_only_its_owner_may_read() {
    let dir = Dir::with_keys("EdDSA");
    dir.write("token.txt", "the last one");
    fs::set_permissions(dir.path("token.txt"), fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(dir.token(&["-m", "x", "-o", "token.txt"]), "");
    assert_eq!(dir.mode("token.txt"), 0o600);
    let token = dir.read("token.txt");
    assert!(token.ends_with('\n') && token.lines().count() == 1, "{token}");
    dir.claims(&token);
    assert_eq!(dir.names(), ["private_key.pem", "public_key.pem", "token.txt"]);
}

#[test]
fn the_token_never_overwrites_a_private_key() {
    let dir = Dir::with_keys("EdDSA");
    let args = ["encode", "-k", "private_key.pem", "-o", "private_key.pem"];
    let message = dir.fails(1, &args);
    assert_eq!(message, "private_key.pem: holds a private key, which is not overwritten");
}

#[test]
fn a_full_disk_keeps_the_last_token() {
    let dir = Dir::with_keys("EdDSA");
    dir.write("token.txt", "the last one");
    let line = "trap '' XFSZ; ulimit -f 0; exec \"$0\" encode -k private_key.pem -o token.txt";
    assert_eq!(dir.shell(line).fails(1), "token.txt: File too large");
    assert_eq!(dir.read("token.txt"), "the last one");
    let args = ["encode", "-k", "private_key.pem", "-o", "/dev/full"];
    assert_eq!(dir.fails(1, &args), "/dev/full: No space left on device");
    assert_eq!(dir.names(), ["private_key.pem", "public_key.pem", "token.txt"]);
}

#[test]
fn the_key_comes_from_standard_input_too() {
    let dir = Dir::with_keys("EdDSA");
    let token = dir.otools_with_input(&["encode", "-k", "-"], dir.read("private_key.pem")).ok();
    dir.claims(&token);
    let message = dir.fails(2, &["encode", "-k", "-", "--claims", "@-"]);
    assert_eq!(message, "-k and --claims both are standard input");
}

#[test]
fn a_key_that_cannot_sign_is_refused_by_name() {
    let dir = Dir::with_keys("ES256");
    dir.write("set.jwks", format!("{{\"keys\":[{}]}}", secret(32)));
    dir.write("short.jwk", secret(31));
    dir.write("text", "hello");
    for (key, words) in [
        ("public_key.pem", "not a private key"),
        ("set.jwks", "a JWK Set, where one key is needed"),
        ("short.jwk", "secret of 31 bytes"),
        ("text", "not a private key in PEM, nor a JWK"),
        ("missing.pem", "No such file or directory"),
    ] {
        let message = dir.fails(1, &["encode", "-k", key]);
        assert!(message.starts_with(&format!("{key}: ")) && message.contains(words), "{message}");
    }
    let answer = dir.otools(&["encode"]);
    assert_eq!(answer.status, Some(2), "{answer:?}");
}

#[test]
fn a_key_that_everyone_may_read_earns_a_warning() {
    let dir = Dir::with_keys("EdDSA");
    let answer = dir.shell("chmod 644 private_key.pem; exec \"$0\" encode -k private_key.pem");
    assert_eq!(answer.status, Some(0));
    let warning = "otools: warning: private_key.pem: is open to every user of this machine; \
                   chmod 600 closes it\n";
    assert_eq!(answer.stderr, warning);
    dir.claims(&answer.stdout);
}

#[test]
fn a_token_larger_than_verifiers_take_earns_a_warning() {
    let dir = Dir::with_keys("EdDSA");
    let answer = dir.otools(&["encode", "-k", "private_key.pem", "-m", &"x".repeat(16_384)]);
    assert_eq!(answer.status, Some(0));
    assert!(answer.stderr.starts_with("otools: warning: a token of "), "{answer:?}");
    assert_eq!(answer.stderr.lines().count(), 1);
}
