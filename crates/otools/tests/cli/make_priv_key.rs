//! `otools make_priv_key`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Stdio;

use crate::harness::{Dir, OTOOLS, PRIVATE_KEY_ALGS};

#[test]
fn makes_an_rsa_key_in_private_key_pem_if_nothing_else_is_asked() {
    let dir = Dir::new();
    assert_eq!(dir.ok(&["make_priv_key"]), "");
    assert_eq!(dir.names(), ["private_key.pem"]);
    assert!(dir.read("private_key.pem").starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let text = dir.openssl(&["pkey", "-in", "private_key.pem", "-noout", "-text"]);
    assert!(text.contains("Private-Key: (2048 bit"), "{text}");
}

#[test]
fn openssl_accepts_the_key_of_every_algorithm() {
    for (alg, kind) in [
        ("RS256", "Private-Key: (2048 bit"),
        ("PS256", "Private-Key: (2048 bit"),
        ("ES256", "NIST CURVE: P-256"),
        ("ES384", "NIST CURVE: P-384"),
        ("ES512", "NIST CURVE: P-521"),
        ("EdDSA", "ED25519 Private-Key"),
        ("Ed25519", "ED25519 Private-Key"),
        ("Ed448", "ED448 Private-Key"),
    ] {
        let dir = Dir::new();
        dir.ok(&["make_priv_key", "--alg", alg, "-o", "k.pem"]);
        dir.openssl(&["pkey", "-in", "k.pem", "-check", "-noout"]);
        let text = dir.openssl(&["pkey", "-in", "k.pem", "-noout", "-text"]);
        assert!(text.contains(kind), "{alg}: {text}");
    }
}

#[test]
fn makes_rsa_keys_of_the_length_that_is_asked() {
    let dir = Dir::new();
    dir.ok(&["make_priv_key", "--bits", "3072"]);
    let text = dir.openssl(&["pkey", "-in", "private_key.pem", "-noout", "-text", "-check"]);
    assert!(text.contains("(3072 bit"), "{text}");
}

#[test]
fn refuses_lengths_that_no_key_has() {
    let dir = Dir::new();
    for args in
        [&["--bits", "1024"][..], &["--bits", "2049"], &["--alg", "ES256", "--bits", "2048"]]
    {
        let message = dir.fails(2, &[&["make_priv_key"], args].concat());
        assert!(message.starts_with("--bits: no key of "), "{message}");
    }
    assert_eq!(dir.names(), [""; 0]);
}

#[test]
fn refuses_algorithms_that_have_no_key_pair() {
    let dir = Dir::new();
    for alg in ["HS256", "none", "RSA", ""] {
        let answer = dir.otools(&["make_priv_key", "--alg", alg]);
        assert_eq!(answer.status, Some(2), "{answer:?}");
    }
    assert_eq!(dir.names(), [""; 0]);
}

#[test]
fn takes_algorithms_in_either_case() {
    Dir::new().ok(&["make_priv_key", "--alg", "eddsa"]);
}

#[test]
fn only_its_owner_may_read_the_key_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let dir = Dir::new();
        dir.shell(&format!("umask {umask}; exec \"$0\" make_priv_key --alg EdDSA")).ok();
        assert_eq!(dir.mode("private_key.pem"), 0o600);
    }
}

#[test]
fn never_replaces_a_file_unless_forced() {
    let dir = Dir::new();
    dir.write("private_key.pem", "precious");
    let message = dir.fails(1, &["make_priv_key"]);
    assert_eq!(message, "./private_key.pem: exists already; --force replaces it");
    assert_eq!(dir.read("private_key.pem"), "precious");
    assert_eq!(dir.names(), ["private_key.pem"]);
}

#[test]
fn force_replaces_the_file_and_narrows_its_mode() {
    let dir = Dir::new();
    dir.write("private_key.pem", "precious");
    fs::set_permissions(dir.path("private_key.pem"), fs::Permissions::from_mode(0o666)).unwrap();
    dir.ok(&["make_priv_key", "--alg", "ES256", "--force"]);
    assert_eq!(dir.mode("private_key.pem"), 0o600);
    assert!(dir.read("private_key.pem").starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(dir.names(), ["private_key.pem"]);
}

#[test]
fn never_follows_a_symbolic_link() {
    let dir = Dir::new();
    dir.write("target", "precious");
    symlink("target", dir.path("private_key.pem")).unwrap();
    symlink("nowhere", dir.path("dangling.pem")).unwrap();
    dir.fails(1, &["make_priv_key"]);
    dir.fails(1, &["make_priv_key", "-o", "dangling.pem"]);
    dir.ok(&["make_priv_key", "--alg", "EdDSA", "--force"]);
    dir.ok(&["make_priv_key", "--alg", "EdDSA", "--force", "-o", "dangling.pem"]);
    assert_eq!(dir.read("target"), "precious");
    assert_eq!(dir.mode("private_key.pem"), 0o600);
    assert_eq!(dir.names(), ["dangling.pem", "private_key.pem", "target"]);
}

#[test]
fn of_many_at_once_exactly_one_makes_the_key() {
    let dir = Dir::new();
    let args = ["make_priv_key", "--alg", "EdDSA"];
    let children: Vec<_> = (0..16)
        .map(|_| dir.command(OTOOLS).args(args).stderr(Stdio::null()).spawn().unwrap())
        .collect();
    let made =
        children.into_iter().filter_map(|mut child| child.wait().unwrap().success().then_some(()));
    assert_eq!(made.count(), 1);
    assert_eq!(dir.names(), ["private_key.pem"]);
    dir.openssl(&["pkey", "-in", "private_key.pem", "-noout"]);
}

#[test]
fn dash_is_standard_output() {
    let dir = Dir::new();
    for output in ["-", "/dev/stdout"] {
        let pem = dir.ok(&["make_priv_key", "--alg", "ES256", "-o", output]);
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{pem}");
        assert!(pem.ends_with("-----END PRIVATE KEY-----\n"), "{pem}");
    }
    assert_eq!(dir.names(), [""; 0]);
}

#[test]
fn standard_output_that_is_a_file_is_written_to_as_it_is() {
    let dir = Dir::new();
    dir.shell("\"$0\" make_priv_key --alg ES256 -o /dev/stdout > k.pem").ok();
    dir.openssl(&["pkey", "-in", "k.pem", "-noout"]);
}

#[test]
fn a_full_disk_leaves_nothing_and_harms_nothing() {
    let dir = Dir::new();
    let message = dir.fails(1, &["make_priv_key", "--alg", "ES256", "-o", "/dev/full"]);
    assert_eq!(message, "/dev/full: No space left on device");
    // No file may have any byte.
    let full = "trap '' XFSZ; ulimit -f 0; exec \"$0\" make_priv_key --alg ES256";
    assert_eq!(dir.shell(full).fails(1), "./private_key.pem: File too large");
    assert_eq!(dir.names(), [""; 0]);
    dir.write("private_key.pem", "precious");
    dir.shell(&format!("{full} --force")).fails(1);
    assert_eq!(dir.read("private_key.pem"), "precious");
    assert_eq!(dir.names(), ["private_key.pem"]);
}

#[test]
fn a_device_stays_a_device() {
    let dir = Dir::new();
    dir.ok(&["make_priv_key", "--alg", "ES256", "-o", "/dev/null", "--force"]);
    let metadata = fs::metadata("/dev/null").unwrap();
    assert!(!metadata.is_file());
}

#[test]
fn names_the_directory_that_it_cannot_write_to() {
    let dir = Dir::new();
    let message = dir.fails(1, &["make_priv_key", "--alg", "ES256", "-o", "no/such/key.pem"]);
    assert_eq!(message, "no/such/key.pem: No such file or directory");
    fs::create_dir(dir.path("folder")).unwrap();
    for output in ["folder", "folder/", ".", ".."] {
        let message = dir.fails(1, &["make_priv_key", "--alg", "ES256", "--force", "-o", output]);
        assert!(message.contains("directory"), "{message}");
    }
}

#[test]
fn every_algorithm_of_the_contract_is_offered() {
    let help = Dir::new().ok(&["make_priv_key", "--help"]);
    for alg in PRIVATE_KEY_ALGS {
        assert!(help.contains(alg), "{help}");
    }
}
