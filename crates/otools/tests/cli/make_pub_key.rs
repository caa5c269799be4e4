//! `otools make_pub_key`.

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::{Dir, PRIVATE_KEY_ALGS, secret};

#[test]
fn extracts_what_openssl_extracts_from_the_key_of_every_algorithm() {
    for alg in PRIVATE_KEY_ALGS {
        let dir = Dir::with_keys(alg);
        let theirs = dir.openssl(&["pkey", "-in", "private_key.pem", "-pubout"]);
        assert_eq!(dir.read("public_key.pem"), theirs, "{alg}");
    }
}

#[test]
fn reads_private_keys_in_every_form_that_openssl_writes() {
    let dir = Dir::new();
    dir.openssl(&["genrsa", "-traditional", "-out", "pkcs1.pem", "2048"]);
    dir.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-out", "sec1.pem"]);
    dir.openssl(&["genpkey", "-algorithm", "ed25519", "-out", "ed25519.pem"]);
    assert!(dir.read("pkcs1.pem").starts_with("-----BEGIN RSA PRIVATE KEY"));
    assert!(dir.read("sec1.pem").starts_with("-----BEGIN EC PARAMETERS"));
    for file in ["pkcs1.pem", "sec1.pem", "ed25519.pem"] {
        let ours = dir.ok(&["make_pub_key", "-i", file, "-o", "-"]);
        assert_eq!(ours, dir.openssl(&["pkey", "-in", file, "-pubout"]), "{file}");
    }
}

#[test]
fn reads_public_keys_certificates_and_jwks() {
    let dir = Dir::with_keys("ES256");
    let subject = ["-subj", "/CN=issuer", "-key", "private_key.pem", "-out", "cert.pem"];
    dir.openssl(&[&["req", "-x509", "-new"], &subject[..]].concat());
    let set = dir.ok(&["jwks", "public_key.pem"]);
    let json: serde_json::Value = serde_json::from_str(&set).unwrap();
    dir.write("set.json", &set);
    dir.write("jwk.json", json["keys"][0].to_string());
    let expected = dir.read("public_key.pem");
    for file in ["public_key.pem", "cert.pem", "set.json", "jwk.json"] {
        assert_eq!(dir.ok(&["make_pub_key", "-i", file, "-o", "-"]), expected, "{file}");
    }
    let both = dir.read("private_key.pem") + &dir.read("cert.pem");
    dir.write("both.pem", both);
    assert_eq!(dir.ok(&["make_pub_key", "-i", "both.pem", "-o", "-"]), expected);
}

#[test]
fn dashes_are_standard_input_and_output() {
    let dir = Dir::with_keys("EdDSA");
    let args = ["make_pub_key", "-i", "-", "-o", "-"];
    let pem = dir.otools_with_input(&args, dir.read("private_key.pem")).ok();
    assert_eq!(pem, dir.read("public_key.pem"));
}

#[test]
fn everyone_may_read_the_public_key_as_far_as_the_umask_lets() {
    let dir = Dir::with_keys("EdDSA");
    dir.shell("umask 022; exec \"$0\" make_pub_key").ok();
    assert_eq!(dir.mode("public_key.pem"), 0o644);
    dir.shell("umask 077; exec \"$0\" make_pub_key").ok();
    assert_eq!(dir.mode("public_key.pem"), 0o600);
}

#[test]
fn replaces_a_public_key() {
    let dir = Dir::with_keys("EdDSA");
    dir.ok(&["make_priv_key", "--alg", "ES256", "--force"]);
    dir.ok(&["make_pub_key"]);
    let theirs = dir.openssl(&["pkey", "-in", "private_key.pem", "-pubout"]);
    assert_eq!(dir.read("public_key.pem"), theirs);
    assert_eq!(dir.names(), ["private_key.pem", "public_key.pem"]);
}

#[test]
fn never_overwrites_its_input() {
    let dir = Dir::with_keys("EdDSA");
    symlink("public_key.pem", dir.path("link.pem")).unwrap();
    fs::hard_link(dir.path("public_key.pem"), dir.path("hard.pem")).unwrap();
    let before = dir.read("public_key.pem");
    for output in ["public_key.pem", "./public_key.pem", "link.pem", "hard.pem"] {
        let message = dir.fails(1, &["make_pub_key", "-i", "public_key.pem", "-o", output]);
        assert_eq!(message, format!("{output}: is the input, which is not overwritten"));
    }
    assert_eq!(dir.read("public_key.pem"), before);
}

#[test]
fn never_overwrites_a_private_key_of_any_kind() {
    let dir = Dir::with_keys("ES256");
    dir.ok(&["make_priv_key", "-o", "other.pem"]);
    dir.openssl(&["genrsa", "-traditional", "-out", "pkcs1.pem", "2048"]);
    dir.openssl(&["pkey", "-in", "other.pem", "-outform", "DER", "-out", "other.der"]);
    let encrypt = ["-aes256", "-passout", "pass:x", "-out", "encrypted.pem"];
    dir.openssl(&[&["pkey", "-in", "other.pem"], &encrypt[..]].concat());
    dir.write("secret.jwk", secret(32));
    dir.write("set.jwks", format!("{{\"keys\":[{}]}}", secret(32)));
    symlink("other.pem", dir.path("link.pem")).unwrap();
    let files = [
        "other.pem",
        "pkcs1.pem",
        "other.der",
        "encrypted.pem",
        "secret.jwk",
        "set.jwks",
        "link.pem",
    ];
    for output in files {
        let before = fs::read(dir.path(output)).unwrap();
        let message = dir.fails(1, &["make_pub_key", "-o", output]);
        assert_eq!(message, format!("{output}: holds a private key, which is not overwritten"));
        assert_eq!(fs::read(dir.path(output)).unwrap(), before);
    }
}

#[test]
fn refuses_shared_secrets() {
    let dir = Dir::new();
    dir.write("secret.jwk", secret(32));
    let message = dir.fails(1, &["make_pub_key", "-i", "secret.jwk"]);
    assert_eq!(message, "secret.jwk: a shared secret, which has no public part");
    assert_eq!(dir.names(), ["secret.jwk"]);
}

#[test]
fn refuses_files_that_hold_no_key_or_several() {
    let dir = Dir::with_keys("ES256");
    dir.write("two.pem", dir.read("public_key.pem").repeat(2));
    let encrypt = ["-aes256", "-passout", "pass:x", "-out", "encrypted.pem"];
    dir.openssl(&[&["pkey", "-in", "private_key.pem"], &encrypt[..]].concat());
    dir.openssl(&["genrsa", "-out", "small.pem", "1024"]);
    for (file, contents) in [
        ("empty", ""),
        ("text", "hello\n"),
        ("broken.json", "{\"kty\":"),
        ("unknown.json", "{\"kty\":\"AKP\"}"),
        ("none.json", "{\"keys\":[]}"),
        ("broken.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    ] {
        dir.write(file, contents);
    }
    for (file, words) in [
        ("two.pem", "holds 2 keys, not one"),
        ("encrypted.pem", "an encrypted private key; decrypt it first"),
        ("small.pem", ""),
        ("empty", "no usable key"),
        ("text", ""),
        ("broken.json", "not JSON"),
        ("unknown.json", "unknown \"kty\""),
        ("none.json", "no usable key"),
        ("broken.pem", "not a public key"),
        ("missing.pem", "No such file or directory"),
        (".", "Is a directory"),
    ] {
        let message = dir.fails(1, &["make_pub_key", "-i", file, "-o", "out.pem"]);
        assert!(message.starts_with(&format!("{file}: ")), "{message}");
        assert!(message.contains(words), "{message}");
    }
    assert!(!dir.names().contains(&"out.pem".to_owned()));
}

#[test]
fn refuses_a_point_that_is_not_on_its_curve() {
    let dir = Dir::new();
    let x = ojwt_core::text::base64url::encode(&[1; 32]);
    let jwk = serde_json::json!({ "kty": "EC", "crv": "P-256", "x": x, "y": x });
    dir.write("off.jwk", jwk.to_string());
    let message = dir.fails(1, &["make_pub_key", "-i", "off.jwk"]);
    assert_eq!(message, "off.jwk: not a point on its curve");
}

#[test]
fn refuses_a_file_that_never_ends() {
    let message = Dir::new().fails(1, &["make_pub_key", "-i", "/dev/zero"]);
    assert!(message.starts_with("/dev/zero: larger than"), "{message}");
}

#[test]
fn a_full_disk_keeps_the_old_key() {
    let dir = Dir::with_keys("ES256");
    let before = dir.read("public_key.pem");
    dir.shell("trap '' XFSZ; ulimit -f 0; exec \"$0\" make_pub_key").fails(1);
    dir.fails(1, &["make_pub_key", "-o", "/dev/full"]);
    assert_eq!(dir.read("public_key.pem"), before);
    assert_eq!(dir.names(), ["private_key.pem", "public_key.pem"]);
}
