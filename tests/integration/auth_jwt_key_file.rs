//! `auth_jwt_key_file`: the keys of a gate.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use ojwt_core::Alg;
use ojwt_core::issue::sign::to_jwk;
use serde_json::json;

use crate::harness::{
    FORGER, ISSUER, Nginx, data, jwks, key, public_pem, refuses_lines, refuses_parameters,
    signed_by, token,
};

const ORACLE: &str = "location / { return 200 $decoded_ojwt; }";

fn oracle(file: &str, contents: impl Into<Vec<u8>>) -> Nginx {
    Nginx::builder()
        .file(file, contents)
        .http(&format!("auth_jwt_key_file {file};"))
        .server(ORACLE)
        .start()
}

fn verdict(nginx: &Nginx, jwt: &str) -> String {
    nginx.get(&format!("/?jwt={jwt}")).body
}

#[test]
fn takes_public_keys_in_pem() {
    let both = public_pem(&FORGER) + &public_pem(&ISSUER);
    let nginx = oracle("both.pem", both);
    assert_eq!(verdict(&nginx, &token(json!({}))), "{}");
    assert_eq!(verdict(&nginx, &signed_by(&FORGER, &json!({}))), "{}");
}

#[test]
fn takes_pkcs1_public_keys_as_openssl_writes_them() {
    let output = Command::new("openssl")
        .args(["rsa", "-RSAPublicKey_out", "-in"])
        .arg(data("rsa.pem"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("-----BEGIN RSA PUBLIC KEY-----"));
    assert_eq!(verdict(&oracle("key.pem", text), &token(json!({}))), "{}");
}

#[test]
fn takes_x509_certificates() {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-new", "-subj", "/CN=issuer", "-key"])
        .arg(data("rsa.pem"))
        .output()
        .unwrap();
    assert_eq!(verdict(&oracle("cert.pem", output.stdout), &token(json!({}))), "{}");
}

#[test]
fn takes_jwk_sets_and_finds_keys_by_kid() {
    let jwks = json!({"keys": [
        to_jwk(&FORGER.material().unwrap(), Some("old"), None),
        to_jwk(&ISSUER.material().unwrap(), Some("new"), Some(Alg::RS256)),
        to_jwk(&key("ec_prime256v1.pem").material().unwrap(), Some("ec"), None),
    ]});
    let nginx = oracle("keys.jwks", jwks.to_string());
    let signed = |kid, alg| ISSUER.sign(alg, kid, b"{}").unwrap();
    assert_eq!(verdict(&nginx, &signed(Some("new"), Alg::RS256)), "{}");
    assert_eq!(verdict(&nginx, &signed(None, Alg::RS256)), "{}");
    assert_eq!(verdict(&nginx, &signed(Some("old"), Alg::RS256)), "failed: signature mismatch");
    assert_eq!(verdict(&nginx, &signed(Some("ec"), Alg::RS256)), "failed: algorithm not allowed");
    assert_eq!(verdict(&nginx, &signed(Some("new"), Alg::RS512)), "failed: algorithm not allowed");
    assert_eq!(verdict(&nginx, &signed(Some("none"), Alg::RS256)), "failed: unknown key");
}

#[test]
fn takes_shared_secrets_from_jwk_sets() {
    let secret =
        json!({"kty": "oct", "k": ojwt_core::text::base64url::encode(&[7; 32]), "kid": "s"});
    let nginx = oracle("keys.jwks", json!({"keys": [secret]}).to_string());
    let hmac = ojwt_core::issue::sign::SigningKey::read(secret.to_string().as_bytes()).unwrap();
    assert_eq!(verdict(&nginx, &hmac.sign(Alg::HS256, Some("s"), b"{}").unwrap()), "{}");
    let longer = hmac.sign(Alg::HS512, Some("s"), b"{}").unwrap();
    assert_eq!(verdict(&nginx, &longer), "failed: algorithm not allowed");
}

#[test]
fn takes_keys_by_name_from_a_json_object() {
    let keys = json!({ "public": public_pem(&ISSUER), "secret": "s".repeat(32) });
    let nginx = Nginx::builder()
        .file("keys.json", keys.to_string())
        .http("auth_jwt_key_file keys.json keyval;")
        .server(ORACLE)
        .start();
    let jwk =
        json!({"kty": "oct", "k": ojwt_core::text::base64url::encode("s".repeat(32).as_bytes())});
    let hmac = ojwt_core::issue::sign::SigningKey::read(jwk.to_string().as_bytes()).unwrap();
    let signed = |kid| ISSUER.sign(Alg::RS256, Some(kid), b"{}").unwrap();
    assert_eq!(verdict(&nginx, &signed("public")), "{}");
    assert_eq!(verdict(&nginx, &signed("secret")), "failed: algorithm not allowed");
    assert_eq!(verdict(&nginx, &signed("other")), "failed: unknown key");
    assert_eq!(verdict(&nginx, &hmac.sign(Alg::HS256, Some("secret"), b"{}").unwrap()), "{}");
}

#[test]
fn files_of_a_level_add_up_and_those_of_an_inner_level_replace_them() {
    let nginx = Nginx::builder()
        .file("other.pem", public_pem(&FORGER))
        .file("ec.pem", public_pem(&key("ec_prime256v1.pem")))
        .http("auth_jwt_key_file issuer.pem; auth_jwt_key_file ec.pem;")
        .server(
            "location /both { return 200 $decoded_ojwt; }
             location /other { auth_jwt_key_file other.pem; return 200 $decoded_ojwt; }",
        )
        .start();
    let rsa = token(json!({}));
    let elliptic = key("ec_prime256v1.pem").sign(Alg::ES256, None, b"{}").unwrap();
    let other = signed_by(&FORGER, &json!({}));
    for (path, jwt, expected) in [
        ("/both", &rsa, "{}"),
        ("/both", &elliptic, "{}"),
        ("/both", &other, "failed: signature mismatch"),
        ("/other", &rsa, "failed: signature mismatch"),
        ("/other", &elliptic, "failed: algorithm not allowed"),
        ("/other", &other, "{}"),
    ] {
        assert_eq!(nginx.get(&format!("{path}?jwt={jwt}")).body, expected, "{path}");
    }
}

#[test]
fn path_is_relative_to_the_configuration_file() {
    let nginx = Nginx::builder()
        .file("conf.d/keys/a.pem", public_pem(&ISSUER))
        .http("auth_jwt_key_file conf.d/keys/a.pem;")
        .server(ORACLE)
        .start();
    assert_eq!(verdict(&nginx, &token(json!({}))), "{}");
}

#[test]
fn key_of_an_unknown_kind_in_a_jwk_set_is_skipped_with_a_warning() {
    // Some issuers publish what others encrypt to.
    let mut with_use_enc = to_jwk(&FORGER.material().unwrap(), None, None);
    with_use_enc["use"] = json!("enc");
    with_use_enc["alg"] = json!("RSA-OAEP");
    let jwks = json!({"keys": [
        {"kty": "AKP", "pub": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": "RSA", "use": "tls"},
        with_use_enc,
        to_jwk(&ISSUER.material().unwrap(), None, None),
    ]});
    let text = Nginx::builder()
        .file("keys.jwks", jwks.to_string())
        .http("auth_jwt_key_file keys.jwks;")
        .accepted();
    for message in [
        "[warn]",
        "key file \"keys.jwks\": key 0: skipped: unknown \"kty\" in nginx.conf:",
        "key 1: skipped: unknown \"crv\"",
        "key 2: skipped: \"use\" is neither \"sig\" nor \"enc\"",
        "key 3: skipped: for encryption, but not a key that decrypts here",
    ] {
        assert!(text.contains(message), "{text}");
    }
}

#[test]
fn broken_files_are_refused_with_file_key_index_and_reason() {
    let rsa = to_jwk(&ISSUER.material().unwrap(), None, None);
    let mut broken = rsa.clone();
    broken["n"] = json!("not base64url!");
    let short = json!({"kty": "oct", "k": ojwt_core::text::base64url::encode(b"short")});
    for (contents, message) in [
        (String::new(), "no usable key"),
        ("garbage".to_owned(), "no usable key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned(), "key 0: not"),
        (std::fs::read_to_string(data("rsa.pem")).unwrap(), "key 0: a private key"),
        (public_pem(&ISSUER) + "-----BEGIN PUBLIC KEY-----\nMIIB", "not PEM"),
        ("<!DOCTYPE html>\n<title>Sign in</title>".to_owned(), "no usable key: it looks like HTML"),
        ("{}".to_owned(), "no usable key"),
        ("{\"keys\":[]}".to_owned(), "no usable key"),
        ("{\"keys\":[],\"keys\":[]}".to_owned(), "an object names a member twice"),
        ("{\"keys\":[".to_owned(), "not JSON"),
        (
            json!({"keys": [broken, short]}).to_string(),
            "no usable key: key 0: \"n\" is missing or broken; key 1: secret of 5 bytes",
        ),
        (broken.to_string(), "\"n\" is missing or broken"),
    ] {
        let text = Nginx::builder()
            .file("keys", contents.as_str())
            .http("\nauth_jwt_key_file keys;")
            .refused();
        assert!(text.contains("[emerg]") && text.contains("key file \"keys\": "), "{text}");
        assert!(text.contains(message), "{message}: {text}");
        assert!(text.contains("in nginx.conf:11"), "{text}");
    }
}

/// RFC 7517 section 5.
#[test]
fn one_odd_key_beside_a_good_one_serves_with_a_warning_that_names_it() {
    let good = to_jwk(&ISSUER.material().unwrap(), Some("good"), None);
    let odd = |more: serde_json::Value| {
        let mut jwk = good.clone();
        for (name, value) in more.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    };
    let short = json!({"kty": "oct", "k": ojwt_core::text::base64url::encode(b"short")});
    let small = Command::new("openssl").args(["genrsa", "1024"]).output().unwrap().stdout;
    let small = openssl_pubout(&small);
    let set = |odd: serde_json::Value| json!({"keys": [odd, good]}).to_string();
    let keyval = |odd: &str| json!({"odd": odd, "good": public_pem(&ISSUER)}).to_string();
    let cases = [
        ("set", "", set(odd(json!({"n": "not base64url!"}))), "key 0: skipped: \"n\" is missing"),
        ("short", "", set(short), "key 0: skipped: secret of 5 bytes"),
        ("alg", "", set(odd(json!({"alg": "ES256"}))), "key 0: skipped: \"alg\" is ES256"),
        ("kid", "", set(odd(json!({"kid": 1}))), "key 0: skipped: \"kid\" is missing or broken"),
        ("null", "", set(json!(null)), "key 0: skipped: \"the JWK\" is missing or broken"),
        (
            "x5c",
            "",
            set(odd(json!({"x5c": ["AAAA"], "kid": "odd"}))),
            "key 0: \"x5c\" cannot be read, and is not compared with the key",
        ),
        ("pem", "", small.clone() + &public_pem(&ISSUER), "key 0: skipped: RSA key of 1024 bits"),
        (
            "private",
            "",
            std::fs::read_to_string(data("rsa.pem")).unwrap() + &public_pem(&ISSUER),
            "key 0: skipped: a private key",
        ),
        ("keyval", "", keyval(&small), "key \"odd\": skipped: RSA key of 1024 bits"),
        ("weak", "keyval", keyval("secret"), "key \"odd\": skipped: secret of 6 bytes"),
        (
            "path",
            "keyval",
            keyval("/etc/nginx/keys/public_key_of_the_issuer.pem"),
            "key \"odd\": skipped: no shared secret: it looks like the path of a file",
        ),
        (
            "url",
            "keyval",
            keyval("https://login.example.com/.well-known/jwks.json"),
            "key \"odd\": skipped: no shared secret: it looks like a URL",
        ),
    ];
    let (mut builder, mut server) = (Nginx::builder(), Vec::new());
    for (name, format, contents, _) in &cases {
        builder = builder.file(&format!("keys.{name}"), contents.as_str());
        server.push(format!(
            "location = /{name} {{ auth_jwt_key_file keys.{name} {format}; return 200 $decoded_ojwt; }}"
        ));
    }
    let builder = builder.server(&server.concat());
    let nginx = builder.start();
    let jwt = ISSUER.sign(Alg::RS256, Some("good"), b"{}").unwrap();
    let log = nginx.error_log();
    for (name, _, _, warning) in &cases {
        assert_eq!(nginx.get(&format!("/{name}?jwt={jwt}")).body, "{}", "{name}");
        let line = log.lines().find(|line| line.contains(&format!("keys.{name}\": {warning}")));
        let line = line.unwrap_or_else(|| panic!("{name}: {log}"));
        assert!(line.contains("[warn]") && line.contains("nginx.conf:"), "{line}");
    }
    // A secret that everyone can read signs nothing.
    let url = b"https://login.example.com/.well-known/jwks.json";
    let jwk = json!({"kty": "oct", "k": ojwt_core::text::base64url::encode(b"0123456789abcdef0123456789abcdef")});
    let hmac = ojwt_core::issue::sign::SigningKey::read(jwk.to_string().as_bytes()).unwrap();
    assert!(ojwt_core::issue::sign::SigningKey::from_secret(url.to_vec()).is_err());
    let forged = hmac.sign(Alg::HS256, Some("odd"), b"{}").unwrap();
    assert_eq!(nginx.get(&format!("/url?jwt={forged}")).body, "failed: unknown key");
    assert!(!log.contains("well-known"), "{log}");
}

#[test]
fn thousands_of_broken_keys_do_not_flood_the_log() {
    let mut keys = vec![json!({"kty": "RSA"}); 3000];
    keys.push(to_jwk(&ISSUER.material().unwrap(), None, None));
    let nginx = oracle("keys.jwks", json!({ "keys": keys }).to_string());
    assert_eq!(verdict(&nginx, &token(json!({}))), "{}");
    assert_eq!(nginx.count_in_log(": skipped: "), 16);
    assert_eq!(nginx.count_in_log("keys.jwks\": 2984 more warnings"), 1);
}

fn openssl(words: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    output.stdout
}

/// As OpenSSL and issuers write them.
#[test]
fn takes_keys_in_every_form_that_issuers_write() {
    let (rsa, ec) = (data("rsa.pem"), data("ec_prime256v1.pem"));
    let (rsa, ec) = (rsa.to_str().unwrap(), ec.to_str().unwrap());
    let certificate = ["req", "-x509", "-new", "-subj", "/CN=issuer", "-key", rsa];
    let certificate = openssl(&[&certificate[..], &["-outform", "DER"]].concat());
    let parameters = String::from_utf8(openssl(&["ecparam", "-name", "prime256v1"])).unwrap();
    assert!(parameters.starts_with("-----BEGIN EC PARAMETERS-----"));
    let x5c = ojwt_core::text::base64url::encode(&certificate).replace('-', "+").replace('_', "/");
    let x5c = format!("{x5c}{}", "=".repeat((4 - x5c.len() % 4) % 4));
    let forms = [
        ("spki", "RSA", openssl(&["pkey", "-pubout", "-outform", "DER", "-in", rsa])),
        ("pkcs1", "RSA", openssl(&["rsa", "-RSAPublicKey_out", "-outform", "DER", "-in", rsa])),
        ("x509", "RSA", certificate),
        ("x5c", "RSA", json!({"kty": "RSA", "x5c": [x5c], "n": null}).to_string().into()),
        ("mark", "RSA", format!("\u{feff}{}", public_pem(&ISSUER)).into()),
        ("curve", "EC", openssl(&["pkey", "-pubout", "-outform", "DER", "-in", ec])),
        ("named", "EC", (parameters + &public_pem(&key("ec_prime256v1.pem"))).into()),
    ];
    let (mut builder, mut server) = (Nginx::builder(), Vec::new());
    for (name, _, contents) in &forms {
        builder = builder.file(name, contents.as_slice());
        server.push(format!(
            "location = /{name} {{ auth_jwt_key_file {name}; return 200 $decoded_ojwt; }}"
        ));
    }
    let nginx = builder.server(&server.concat()).start();
    for (name, kty, _) in forms {
        let (signer, alg) = match kty {
            "RSA" => (&*ISSUER, Alg::RS256),
            _ => (&key("ec_prime256v1.pem"), Alg::ES256),
        };
        let jwt = signer.sign(alg, None, b"{}").unwrap();
        assert_eq!(nginx.get(&format!("/{name}?jwt={jwt}")).body, "{}", "{name}");
    }
}

/// RFC 4055 section 1.2.
#[test]
fn key_for_rsa_pss_verifies_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let any = ["genpkey", "-algorithm", "RSA-PSS", "-out"];
    openssl(&[&any[..], &[&path("any")]].concat());
    let options = [
        "-pkeyopt",
        "rsa_pss_keygen_md:sha384",
        "-pkeyopt",
        "rsa_pss_keygen_mgf1_md:sha384",
        "-pkeyopt",
        "rsa_pss_keygen_saltlen:48",
    ];
    openssl(&[&any[..], &[&path("sha384")], &options[..]].concat());
    let (mut builder, mut server) = (Nginx::builder(), Vec::new());
    for name in ["any", "sha384"] {
        builder = builder.file(name, openssl(&["pkey", "-pubout", "-in", &path(name)]));
        server.push(format!(
            "location = /{name} {{ auth_jwt_key_file {name}; return 200 $decoded_ojwt; }}"
        ));
    }
    let nginx = builder.server(&server.concat()).start();
    for (name, alg, expected) in [
        ("any", "PS256", "{}"),
        ("any", "PS512", "{}"),
        ("any", "RS256", "failed: algorithm not allowed"),
        ("sha384", "PS384", "{}"),
        ("sha384", "PS256", "failed: algorithm not allowed"),
        ("sha384", "RS384", "failed: algorithm not allowed"),
    ] {
        let encode = |text: &[u8]| ojwt_core::text::base64url::encode(text);
        let header = json!({ "alg": alg }).to_string();
        let input = format!("{}.{}", encode(header.as_bytes()), encode(b"{}"));
        std::fs::write(path("input"), &input).unwrap();
        let digest = format!("-sha{}", &alg[2..]);
        let signature = openssl(&[
            "dgst",
            if name == "any" { &digest } else { "-sha384" },
            "-sign",
            &path(name),
            "-sigopt",
            "rsa_padding_mode:pss",
            "-sigopt",
            "rsa_pss_saltlen:digest",
            &path("input"),
        ]);
        let jwt = format!("{input}.{}", encode(&signature));
        assert_eq!(nginx.get(&format!("/{name}?jwt={jwt}")).body, expected, "{name} {alg}");
    }
}

#[test]
fn files_that_cannot_be_read_are_refused_without_waiting() {
    let fifo = tempfile::tempdir().unwrap();
    let fifo = fifo.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    refuses_parameters(
        "auth_jwt_key_file",
        &[
            ("missing.pem", "No such file or directory"),
            ("html", "not a regular file"),
            (fifo.to_str().unwrap(), "not a regular file"),
            ("/dev/zero", "not a regular file"),
        ],
    );
}

#[test]
fn format_may_be_given_and_must_then_fit() {
    let jwks = jwks(&[&ISSUER]);
    for (words, is_accepted) in [
        ("issuer.pem pem", true),
        ("keys.jwks jwks", true),
        ("issuer.pem jwks", false),
        ("keys.jwks pem", false),
        ("issuer.pem der", false),
        ("keys.json", true),
        ("keys.json keyval", true),
        ("keys.json jwks", false),
        ("secret.json", false),
        ("secret.json keyval", true),
    ] {
        let builder = Nginx::builder()
            .file("keys.jwks", jwks.as_str())
            .file("keys.json", json!({ "a": public_pem(&ISSUER) }).to_string())
            .file("secret.json", json!({ "a": "s".repeat(32) }).to_string())
            .http(&format!("auth_jwt_key_file {words};"));
        if is_accepted {
            builder.accepted();
        } else {
            assert!(builder.refused().contains("[emerg]"), "{words}");
        }
    }
}

#[test]
fn symbolic_links_are_followed() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("link.pem");
    symlink(data("embedded_public_key.pem"), &link).unwrap();
    let nginx = Nginx::builder()
        .http(&format!("auth_jwt_key_file {};", link.display()))
        .server(ORACLE)
        .start();
    assert_eq!(verdict(&nginx, &token(json!({}))), "{}");
}

#[test]
fn is_allowed_where_the_paid_module_allows_it() {
    Nginx::builder()
        .http("auth_jwt_key_file issuer.pem;")
        .server(
            "auth_jwt_key_file issuer.pem;
             location / { auth_jwt_key_file issuer.pem; limit_except GET { auth_jwt_key_file issuer.pem; } }",
        )
        .accepted();
    refuses_lines(&[(
        "location / { if ($arg_a) { auth_jwt_key_file issuer.pem; } }",
        "\"auth_jwt_key_file\" directive is not allowed here",
    )]);
}

fn openssl_pubout(private: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, private).unwrap();
    let output =
        Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A gate whose key file the request names.
fn named(lines: &str) -> Nginx {
    Nginx::builder()
        .file("keys/a.pem", public_pem(&ISSUER))
        .file("keys/b.pem", public_pem(&FORGER))
        .file("secret/a.pem", public_pem(&ISSUER))
        .file("html/page.html", "content")
        .http(
            "map $jwt_claim_tenant $tenant { default none; ~(?<name>.+) $name; }
             log_format tenant '$status [$tenant]'; access_log access.log tenant;",
        )
        .server(lines)
        .start()
}

const BY_ARGUMENT: &str = "location / {
    auth_jwt realm; auth_jwt_key_file keys/$arg_file; try_files /page.html =404;
}";

const BY_ARGUMENT_CACHED: &str = "location / {
    auth_jwt realm; auth_jwt_key_cache 1m; auth_jwt_key_file keys/$arg_file; try_files /page.html =404;
}";

#[test]
fn path_may_hold_variables() {
    let nginx = named(BY_ARGUMENT);
    let (a, b) = (token(json!({})), signed_by(&FORGER, &json!({})));
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 200);
    assert_eq!(nginx.get_as("/?file=b.pem", &b).status, 200);
    assert_eq!(nginx.get_as("/?file=b.pem", &a).status, 401);
    assert_eq!(nginx.get_as("/?file=a.pem", &b).status, 401);
}

#[test]
fn file_that_a_request_names_is_read_anew_when_it_changed() {
    let nginx = named(BY_ARGUMENT);
    let (a, b) = (token(json!({})), signed_by(&FORGER, &json!({})));
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 200);
    nginx.write("keys/a.pem", public_pem(&FORGER));
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 401);
    assert_eq!(nginx.get_as("/?file=a.pem", &b).status, 200);
    std::fs::rename(nginx.path("secret/a.pem"), nginx.path("keys/a.pem")).unwrap();
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 200);
    nginx.write("keys/a.pem", "half a k");
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 500);
    nginx.write("keys/a.pem", public_pem(&ISSUER));
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 200);
}

#[test]
fn keys_of_a_file_that_was_taken_away_do_not_serve_for_a_broken_one() {
    let nginx = named(BY_ARGUMENT_CACHED);
    let a = token(json!({}));
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 200);
    std::fs::remove_file(nginx.path("keys/a.pem")).unwrap();
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 500);
    nginx.write("keys/a.pem", "half a k");
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 500);
    nginx.write("keys/a.pem", public_pem(&ISSUER));
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 200);
}

#[test]
fn keys_of_a_file_that_is_being_written_serve_for_a_moment_where_they_may_be_cached() {
    let nginx = named(BY_ARGUMENT_CACHED);
    let (a, b) = (token(json!({})), signed_by(&FORGER, &json!({})));
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 200);
    let start = Instant::now();
    let mut refused_at = None;
    for number in 0.. {
        // Neither the same breakage nor another one prolongs it.
        nginx.write("keys/a.pem", ["", "half a k", "{\"keys\":["][number % 3]);
        match nginx.get_as("/?file=a.pem", &a).status {
            200 => assert_eq!(nginx.get_as("/?file=a.pem", &b).status, 401),
            _ => refused_at = Some(start.elapsed()),
        }
        if refused_at.is_some() || start.elapsed() > Duration::from_secs(15) {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    let refused_at = refused_at.expect("keys that are gone are not for ever");
    assert!(refused_at > Duration::from_secs(3) && refused_at < Duration::from_secs(8));
    assert!(nginx.error_log().contains("; the keys that it had serve for a moment"));
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 500);
    nginx.write("keys/a.pem", public_pem(&FORGER));
    assert_eq!(nginx.get_as("/?file=a.pem", &b).status, 200);
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 401);
}

#[test]
fn keys_that_were_not_seen_of_late_do_not_serve_for_a_broken_file() {
    let nginx = named(BY_ARGUMENT_CACHED);
    let a = token(json!({}));
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 200);
    // By now others may have been in the file, and withdrawn.
    thread::sleep(Duration::from_millis(5500));
    nginx.write("keys/a.pem", "half a k");
    assert_eq!(nginx.get_as("/?file=a.pem", &a).status, 500);
}

#[test]
fn file_that_has_not_changed_serves_where_no_more_files_may_be_opened() {
    let nginx = Nginx::builder()
        .own_user()
        .file("keys/a.pem", public_pem(&ISSUER))
        .file("keys/b.pem", public_pem(&ISSUER))
        .server("auth_jwt_key_file keys/$arg_file; return 200 $decoded_ojwt;")
        .start();
    let target = |file: &str| format!("/?file={file}&jwt={}", token(json!({})));
    assert_eq!(nginx.get(&target("a.pem")).body, "{}");
    nginx.forbid_more_files();
    assert_eq!(nginx.get(&target("a.pem")).body, "{}");
    assert_eq!(nginx.get(&target("b.pem")).body, "failed: key unavailable");
    assert!(nginx.error_log().contains("os error 24"));
}

#[test]
fn file_that_cannot_be_loaded_at_request_time_denies_with_500_and_a_log_line() {
    let nginx = named(BY_ARGUMENT);
    nginx.write("keys/garbage", "garbage");
    std::fs::create_dir(nginx.path("keys/folder")).unwrap();
    let fifo = nginx.path("keys/fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (file, message) in [
        ("missing", "cannot be read: No such file or directory"),
        ("garbage", "no usable key"),
        ("folder", "cannot be read: not a regular file"),
        ("fifo", "cannot be read: not a regular file"),
        ("", "cannot be read: not a regular file"),
    ] {
        assert_eq!(
            nginx.get_as(&format!("/?file={file}"), &token(json!({}))).status,
            500,
            "{file}"
        );
        let line = format!("keys/{file}\": {message}");
        assert!(nginx.error_log().contains(&line), "{line}: {}", nginx.error_log());
    }
    // Without a token no file is opened.
    assert_eq!(nginx.get("/?file=missing").status, 401);
}

#[test]
fn variable_cannot_climb_out_of_the_folder() {
    let nginx = named(
        "location / {
             auth_jwt realm; auth_jwt_key_file keys/../keys/$tenant.pem; try_files /page.html =404;
         }",
    );
    let of = |tenant: &str| token(json!({"tenant": tenant}));
    assert_eq!(nginx.get_as("/", &of("a")).status, 200);
    for tenant in ["../secret/a", "x/../../secret/a", "..", "../keys/a", "a/..", "./../secret/a"] {
        assert_eq!(nginx.get_as("/", &of(tenant)).status, 401, "{tenant}");
        assert!(nginx.error_log().contains("a variable may not climb"), "{tenant}");
    }
    assert_eq!(nginx.get_as("/", &of("a.pem\0")).status, 401);
    assert!(!nginx.error_log().contains('\0'));
}

#[test]
fn claims_that_choose_a_key_are_seen_by_nothing_else_before_they_are_verified() {
    let nginx = named(
        "location / {
             auth_jwt realm; auth_jwt_key_file keys/$tenant.pem; try_files /page.html =404;
         }
         location /oracle {
             auth_jwt_key_file keys/$tenant.pem;
             add_header X-Tenant $tenant; add_header X-Verdict $decoded_ojwt;
             try_files /page.html =404;
         }",
    );
    let (good, forged) = (token(json!({"tenant": "a"})), token(json!({"tenant": "b"})));
    assert_eq!(nginx.get_as("/", &good).status, 200);
    assert_eq!(nginx.get_as("/", &forged).status, 401);
    let shown = |jwt: &str| {
        let response = nginx.get_as("/oracle", jwt);
        let header = |name| response.header(name).map(ToOwned::to_owned);
        (header("X-Tenant"), header("X-Verdict"))
    };
    assert_eq!(shown(&good), (Some("a".into()), Some(r#"{"tenant":"a"}"#.into())));
    assert_eq!(shown(&forged), (Some("none".into()), Some("failed: signature mismatch".into())));
    nginx.wait("four lines", || nginx.file("access.log").lines().count() == 4);
    assert_eq!(nginx.file("access.log"), "200 [a]\n401 [none]\n200 [a]\n200 [none]\n");
}

/// By then multiples of the key were made, with which it is verified in another way.
#[test]
fn key_that_is_used_often_decides_as_it_did() {
    for (file, alg) in [("ec_prime256v1.pem", Alg::ES256), ("ed25519.pem", Alg::EdDSA)] {
        let issuer = key(file);
        let nginx = Nginx::builder()
            .file("often.pem", public_pem(&issuer))
            .server("auth_jwt_cache off; auth_jwt_key_file often.pem; return 200 $decoded_ojwt;")
            .start();
        for number in 0..250 {
            let claims = format!(r#"{{"number":{number}}}"#);
            let jwt = issuer.sign(alg, None, claims.as_bytes()).unwrap();
            assert_eq!(nginx.get(&format!("/?jwt={jwt}")).body, claims, "{alg}");
            let other = issuer.sign(alg, None, br#"{"number":-1}"#).unwrap();
            let (signed, signature) =
                (jwt.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
            let forged = nginx.get(&format!("/?jwt={signed}.{signature}"));
            assert_eq!(forged.body, "failed: signature mismatch", "{alg} {number}");
        }
    }
}
