//! Tokens that others read, and others' tokens: `PyJWT` is the second opinion.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::harness::{Dir, answer, secret};

/// Every algorithm, and how its key is made.
const ALGS: [(&str, Key); 14] = [
    ("HS256", Key::Secret),
    ("HS384", Key::Secret),
    ("HS512", Key::Secret),
    ("RS256", Key::Made("RS256")),
    ("RS384", Key::Made("RS256")),
    ("RS512", Key::Made("RS256")),
    ("PS256", Key::Made("PS256")),
    ("PS384", Key::Made("PS256")),
    ("PS512", Key::Made("PS256")),
    ("ES256", Key::Made("ES256")),
    ("ES384", Key::Made("ES384")),
    ("ES512", Key::Made("ES512")),
    ("ES256K", Key::OpenSsl("secp256k1")),
    ("EdDSA", Key::Made("EdDSA")),
];

enum Key {
    /// A shared secret of 64 bytes.
    Secret,
    /// One that `otools` makes.
    Made(&'static str),
    /// One of a curve that `otools` makes no keys for.
    OpenSsl(&'static str),
}

/// A directory with the keys for an algorithm, and how they are called: private, then public.
fn keys(key: &Key) -> (Dir, &'static str, &'static str) {
    let dir = Dir::new();
    match key {
        Key::Secret => {
            dir.write("secret.jwk", secret(64));
            dir.shell("chmod 600 secret.jwk").ok();
            return (dir, "secret.jwk", "secret.jwk");
        }
        Key::Made(alg) => dir.ok(&["make_priv_key", "--alg", alg]),
        Key::OpenSsl(curve) => {
            let curve = format!("ec_paramgen_curve:{curve}");
            let out = ["-out", "private_key.pem"];
            dir.openssl(&[&["genpkey", "-algorithm", "EC", "-pkeyopt", &curve], &out[..]].concat())
        }
    };
    dir.ok(&["make_pub_key"]);
    (dir, "private_key.pem", "public_key.pem")
}

/// The Python that has `PyJWT`.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let python = std::env::var_os("OJWT_PYTHON").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin/python"),
        PathBuf::from,
    );
    let imports = Command::new(&python).args(["-c", "import jwt, cryptography"]).output();
    assert!(
        imports.is_ok_and(|output| output.status.success()),
        "{} cannot import PyJWT: run scripts/setup test, or set OJWT_PYTHON",
        python.display()
    );
    python
});

/// Runs a Python program that has `jwt`, and `key` to read a key file with.
fn python(dir: &Dir, program: &str, args: &[&str]) -> String {
    let prelude = "import json, sys, jwt\n\
                   def key(file):\n\
                   \x20   text = open(file).read()\n\
                   \x20   return b'S' * 64 if text.startswith('{') else text\n";
    let answer =
        answer(dir.command(&*PYTHON).arg("-c").arg(format!("{prelude}{program}")).args(args), b"");
    assert_eq!(answer.status, Some(0), "{answer:?}");
    answer.stdout
}

#[test]
fn pyjwt_accepts_the_tokens_of_every_algorithm() {
    for (alg, key) in &ALGS {
        let (dir, private, public) = keys(key);
        let claims = r#"{"sub":"é 😀","n":1.50,"list":[1,null,true]}"#;
        let times = ["--exp", "+1h", "--nbf", "-1h", "--iat", "1767225600"];
        let encode = ["encode", "-k", private, "--alg", alg, "-m", "hi", "-h", "example.com"];
        let token = dir.ok(&[&encode[..], &times, &["--kid", "k1", "--claims", claims]].concat());
        let program = "token, file, alg = sys.argv[1:]\n\
                       claims = jwt.decode(token, key(file), algorithms=[alg])\n\
                       print(json.dumps([jwt.get_unverified_header(token), claims]))";
        let answer = python(&dir, program, &[token.trim_end(), public, alg]);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer[0], json!({ "alg": alg, "typ": "JWT", "kid": "k1" }), "{alg}");
        let claims = &answer[1];
        assert_eq!(claims["sub"], "é 😀");
        assert_eq!(claims["list"], json!([1, null, true]));
        assert_eq!(claims["message"], "hi");
        assert_eq!(claims["host"], "example.com");
        assert_eq!(claims["iat"], 1_767_225_600);
    }
}

#[test]
fn pyjwt_refuses_a_token_that_has_expired() {
    let dir = Dir::with_keys("ES256");
    let token = dir.token(&["--exp", "-1h"]);
    let program = "try:\n\
                   \x20   jwt.decode(sys.argv[1], key('public_key.pem'), algorithms=['ES256'])\n\
                   except jwt.ExpiredSignatureError:\n\
                   \x20   print('expired')";
    assert_eq!(python(&dir, program, &[token.trim_end()]), "expired\n");
}

#[test]
fn pyjwts_tokens_of_every_algorithm_are_accepted() {
    for (alg, key) in &ALGS {
        let (dir, private, public) = keys(key);
        let program = "file, alg = sys.argv[1:]\n\
                       claims = {'sub': 'alice', 'exp': 4102444800, 'n': 1.5}\n\
                       print(jwt.encode(claims, key(file), algorithm=alg))";
        let token = python(&dir, program, &[private, alg]);
        let claims = dir.otools_with_input(&["decode", "-k", public, "--json"], &token).ok();
        assert_eq!(claims, "{\"sub\":\"alice\",\"exp\":4102444800,\"n\":1.5}\n", "{alg}");
    }
}

#[test]
fn pyjwt_finds_the_key_in_the_set() {
    for alg in ["RS256", "ES256", "ES384", "ES512", "EdDSA"] {
        let dir = Dir::with_keys(alg);
        let set = dir.ok(&["jwks", "private_key.pem"]);
        dir.write("set.json", &set);
        let json: Value = serde_json::from_str(&set).unwrap();
        let kid = json["keys"][0]["kid"].as_str().unwrap();
        let token = dir.token(&["--kid", kid, "--iat", "5"]);
        let program = "token, alg = sys.argv[1:]\n\
                       keys = jwt.PyJWKSet.from_json(open('set.json').read())\n\
                       key = keys[jwt.get_unverified_header(token)['kid']]\n\
                       print(jwt.decode(token, key.key, algorithms=[alg])['iat'])";
        assert_eq!(python(&dir, program, &[token.trim_end(), alg]), "5\n", "{alg}");
    }
}

#[test]
fn pyjwts_private_jwks_sign_and_verify() {
    let dir = Dir::new();
    for (alg, name) in [
        ("RS256", "RSAAlgorithm"),
        ("ES256", "ECAlgorithm"),
        ("ES384", "ECAlgorithm"),
        ("ES512", "ECAlgorithm"),
        ("EdDSA", "OKPAlgorithm"),
    ] {
        dir.ok(&["make_priv_key", "--alg", alg, "-o", "k.pem", "--force"]);
        let program = "from jwt import algorithms\n\
                       from cryptography.hazmat.primitives.serialization import load_pem_private_key\n\
                       pem = load_pem_private_key(open('k.pem', 'rb').read(), None)\n\
                       jwk = getattr(algorithms, sys.argv[1]).to_jwk(pem, as_dict=True)\n\
                       jwk.pop('key_ops', None)\n\
                       print(json.dumps({**jwk, 'kid': 'k1'}))";
        dir.write("k.jwk", python(&dir, program, &[name]));
        dir.shell("chmod 600 k.jwk").ok();
        let token = dir.ok(&["encode", "-k", "k.jwk", "--iat", "5"]);
        assert_eq!(crate::harness::header(&token)["kid"], "k1", "{alg}");
        let claims = dir.otools_with_input(&["decode", "-k", "k.pem", "--json"], &token).ok();
        assert_eq!(claims, "{\"iat\":5}\n", "{alg}");
        let public = dir.ok(&["make_pub_key", "-i", "k.jwk", "-o", "-"]);
        assert_eq!(public, dir.openssl(&["pkey", "-in", "k.pem", "-pubout"]), "{alg}");
    }
}
