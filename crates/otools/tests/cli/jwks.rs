//! `otools jwks`.

use serde_json::{Value, json};

use crate::harness::{Dir, PRIVATE_KEY_ALGS, secret};

fn keys(set: &str) -> Vec<Value> {
    let set: Value = serde_json::from_str(set).unwrap();
    assert_eq!(set.as_object().unwrap().len(), 1);
    set["keys"].as_array().unwrap().clone()
}

#[test]
fn gathers_public_keys_of_every_kind_and_no_private_part() {
    let dir = Dir::new();
    let mut files = Vec::new();
    for alg in PRIVATE_KEY_ALGS {
        dir.ok(&["make_priv_key", "--alg", alg, "-o", alg]);
        files.push(alg);
    }
    let set = dir.ok(&[&["jwks"], &files[..]].concat());
    let keys = keys(&set);
    assert_eq!(keys.len(), files.len());
    for key in &keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert_eq!(key.get(private), None);
        }
        assert_eq!(key["use"], "sig");
    }
    let kinds: Vec<_> = keys.iter().map(|key| (&key["kty"], key.get("crv"))).collect();
    assert_eq!(kinds[2], (&json!("EC"), Some(&json!("P-256"))));
    assert_eq!(kinds[5], (&json!("OKP"), Some(&json!("Ed25519"))));
}

#[test]
fn names_keys_by_the_thumbprint_of_rfc_7638() {
    let dir = Dir::new();
    // RFC 7638 section 3.1.
    let n = concat!(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7",
        "aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXA",
        "rwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7",
        "d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lF",
        "d2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    );
    dir.write("jwk.json", json!({ "kty": "RSA", "n": n, "e": "AQAB" }).to_string());
    let named = keys(&dir.ok(&["jwks", "jwk.json"]));
    assert_eq!(named[0]["kid"], "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn keeps_the_kid_and_alg_of_a_jwk() {
    let dir = Dir::with_keys("RS256");
    let mut jwk = keys(&dir.ok(&["jwks", "public_key.pem"])).remove(0);
    jwk["kid"] = json!("2026-01");
    jwk["alg"] = json!("PS256");
    dir.write("jwk.json", jwk.to_string());
    assert_eq!(keys(&dir.ok(&["jwks", "jwk.json"]))[0], jwk);
}

#[test]
fn reads_certificates_sets_and_standard_input() {
    let dir = Dir::with_keys("ES256");
    let subject = ["-subj", "/CN=issuer", "-key", "private_key.pem", "-out", "cert.pem"];
    dir.openssl(&[&["req", "-x509", "-new"], &subject[..]].concat());
    let set = dir.ok(&["jwks", "public_key.pem"]);
    dir.write("set.json", &set);
    for file in ["private_key.pem", "cert.pem", "set.json"] {
        assert_eq!(dir.ok(&["jwks", file]), set, "{file}");
    }
    assert_eq!(dir.otools_with_input(&["jwks", "-"], dir.read("public_key.pem")).ok(), set);
    dir.fails(2, &["jwks", "-", "-"]);
}

#[test]
fn a_key_given_twice_is_there_once() {
    let dir = Dir::with_keys("ES256");
    let twice = dir.ok(&["jwks", "public_key.pem", "private_key.pem", "public_key.pem"]);
    assert_eq!(twice, dir.ok(&["jwks", "public_key.pem"]));
}

#[test]
fn a_key_given_with_and_without_an_algorithm_is_there_without() {
    let dir = Dir::with_keys("RS256");
    let jwk = keys(&dir.ok(&["jwks", "public_key.pem"])).remove(0);
    for alg in ["RS256", "PS256"] {
        let mut restricted = jwk.clone();
        restricted["alg"] = json!(alg);
        dir.write(alg, restricted.to_string());
    }
    for files in [["RS256", "public_key.pem"], ["public_key.pem", "RS256"]] {
        assert_eq!(keys(&dir.ok(&[&["jwks"], &files[..]].concat())), std::slice::from_ref(&jwk));
    }
    let both = keys(&dir.ok(&["jwks", "RS256", "PS256", "RS256"]));
    assert_eq!(both.iter().map(|key| &key["alg"]).collect::<Vec<_>>(), ["RS256", "PS256"]);
}

#[test]
fn two_keys_of_one_name_are_refused() {
    let dir = Dir::new();
    for file in ["a", "b"] {
        dir.ok(&["make_priv_key", "--alg", "EdDSA", "-o", "k.pem", "--force"]);
        let mut jwk = keys(&dir.ok(&["jwks", "k.pem"])).remove(0);
        jwk["kid"] = json!("same\u{1b}");
        dir.write(file, jwk.to_string());
    }
    let message = dir.fails(1, &["jwks", "a", "b"]);
    assert_eq!(message, "b: another key has the \"kid\" \"same\\u001b\", too");
}

#[test]
fn shared_secrets_are_refused_wherever_they_are() {
    let dir = Dir::with_keys("EdDSA");
    dir.write("secret.jwk", secret(32));
    dir.write("set.jwks", format!("{{\"keys\":[{}]}}", secret(32)));
    for file in ["secret.jwk", "set.jwks"] {
        let message = dir.fails(1, &["jwks", "public_key.pem", file, "-o", "out.json"]);
        assert_eq!(message, format!("{file}: a shared secret, which has no public part"));
    }
    assert!(!dir.names().contains(&"out.json".to_owned()));
}

#[test]
fn writes_a_file_but_never_over_a_private_key() {
    let dir = Dir::with_keys("EdDSA");
    dir.shell("umask 022; exec \"$0\" jwks public_key.pem -o set.json").ok();
    assert_eq!(dir.read("set.json"), dir.ok(&["jwks", "public_key.pem"]));
    assert_eq!(dir.mode("set.json"), 0o644);
    dir.fails(1, &["jwks", "public_key.pem", "-o", "private_key.pem"]);
    dir.fails(1, &["jwks", "public_key.pem", "-o", "/dev/full"]);
}

#[test]
fn keys_of_unknown_kinds_in_a_set_are_skipped_with_a_warning() {
    let dir = Dir::with_keys("EdDSA");
    let mut set: Value = serde_json::from_str(&dir.ok(&["jwks", "public_key.pem"])).unwrap();
    set["keys"].as_array_mut().unwrap().insert(0, json!({ "kty": "AKP" }));
    dir.write("set.json", set.to_string());
    let answer = dir.otools(&["jwks", "set.json"]);
    assert_eq!(answer.status, Some(0));
    assert_eq!(answer.stderr, "otools: warning: set.json: key 0: skipped: unknown \"kty\"\n");
    assert_eq!(keys(&answer.stdout).len(), 1);
    dir.write("broken.json", r#"{"keys":[{"kty":"EC","crv":"P-256"}]}"#);
    assert_eq!(
        dir.fails(1, &["jwks", "broken.json"]),
        "broken.json: no usable key: key 0: \"x\" is missing or broken"
    );
}

#[test]
fn odd_keys_beside_good_ones_are_skipped_with_a_warning() {
    let dir = Dir::with_keys("EdDSA");
    let mut set: Value = serde_json::from_str(&dir.ok(&["jwks", "public_key.pem"])).unwrap();
    let odd = json!({ "kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ" });
    set["keys"].as_array_mut().unwrap().insert(0, odd);
    dir.write("set.json", format!("\u{feff}{set}"));
    let answer = dir.otools(&["jwks", "set.json"]);
    assert_eq!(answer.status, Some(0));
    assert_eq!(
        answer.stderr,
        "otools: warning: set.json: key 0: skipped: not a point on its curve\n"
    );
    assert_eq!(keys(&answer.stdout).len(), 1);
    dir.openssl(&["genrsa", "-out", "small.key", "1024"]);
    let small = dir.openssl(&["pkey", "-in", "small.key", "-pubout"]);
    dir.write("both.pem", format!("{small}{}", dir.read("public_key.pem")));
    let answer = dir.otools(&["jwks", "both.pem"]);
    let warning = "otools: warning: both.pem: key 0: skipped: RSA key of 1024 bits";
    assert!(answer.stderr.starts_with(warning), "{}", answer.stderr);
    assert_eq!(keys(&answer.stdout).len(), 1);
}

#[test]
fn keys_in_der_and_for_rsa_pss_are_taken_with_what_they_are_for() {
    let dir = Dir::with_keys("EdDSA");
    dir.openssl(&["pkey", "-in", "private_key.pem", "-pubout", "-outform", "DER", "-out", "k.der"]);
    assert_eq!(dir.ok(&["jwks", "k.der"]), dir.ok(&["jwks", "public_key.pem"]));
    let make = ["genpkey", "-algorithm", "RSA-PSS", "-out", "pss.key"];
    let hash =
        ["-pkeyopt", "rsa_pss_keygen_md:sha512", "-pkeyopt", "rsa_pss_keygen_mgf1_md:sha512"];
    for (options, alg, warning) in [
        (&hash[..], "PS512", ""),
        (
            &[],
            "PS256",
            "otools: warning: pss.pem: a key for PS256, PS384 and PS512, which is given as one for PS256\n",
        ),
    ] {
        dir.openssl(&[&make[..], options].concat());
        dir.openssl(&["pkey", "-in", "pss.key", "-pubout", "-out", "pss.pem"]);
        let answer = dir.otools(&["jwks", "pss.pem"]);
        assert_eq!((answer.status, answer.stderr.as_str()), (Some(0), warning));
        assert_eq!(keys(&answer.stdout)[0]["alg"], alg);
        // What it is for stays with it.
        dir.ok(&["make_pub_key", "-i", "pss.pem", "-o", "again.pem"]);
        let text = dir.openssl(&["pkey", "-pubin", "-in", "again.pem", "-noout", "-text"]);
        assert!(text.contains("PSS"), "{text}");
    }
}
