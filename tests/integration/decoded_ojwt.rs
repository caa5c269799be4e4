//! `$decoded_ojwt`: what it says of a token, wherever a token may be.

use ojwt_core::Alg;
use serde_json::json;

use crate::harness::{FORGER, ISSUER, Nginx, key, now, public_pem, signed_by, token};

/// Answers with the verdict.
fn oracle() -> Nginx {
    Nginx::with_location("/", "return 200 $decoded_ojwt;")
}

#[test]
fn shows_the_claims_of_a_valid_token_as_compact_json_as_the_issuer_wrote_them() {
    let nginx = oracle();
    let payload =
        b"{ \"z\" : 1.50,\n\"a\":[1, 1e3 , 123456789012345678901234567890], \"n\":{\"b\":null} }";
    let jwt = ISSUER.sign(Alg::RS256, None, payload).unwrap();
    let response = nginx.get(&format!("/?jwt={jwt}"));
    assert_eq!(response.status, 200);
    assert_eq!(
        response.body,
        r#"{"z":1.50,"a":[1,1e3,123456789012345678901234567890],"n":{"b":null}}"#
    );
}

#[test]
fn says_why_a_token_fails() {
    let nginx = oracle();
    let valid = token(json!({"sub": "me"}));
    let header = |json: &str| {
        ISSUER.sign_with_header(Alg::RS256, json.as_bytes(), br#"{"sub":"me"}"#).unwrap()
    };
    for (jwt, verdict) in [
        (String::new(), "failed: no token"),
        ("x.y".to_owned(), "failed: malformed token"),
        (format!("{valid}="), "failed: malformed token"),
        (format!("{valid}.x"), "failed: malformed token"),
        (header(r#"{"alg":"none"}"#), "failed: unsupported algorithm"),
        (header(r#"{"alg":"PS256","typ":"JWT"}"#), "failed: signature mismatch"),
        (header(r#"{"alg":"ES256"}"#), "failed: algorithm not allowed"),
        (header(r#"{"alg":"HS256"}"#), "failed: algorithm not allowed"),
        (header(r#"{"alg":"RS256","crit":["exp"]}"#), "failed: unsupported critical header"),
        (header(r#"{"alg":"RS256","alg":"RS256"}"#), "failed: malformed token"),
        (signed_by(&FORGER, &json!({})), "failed: signature mismatch"),
        (token(json!({"exp": now() - 1})), "failed: token expired"),
        (token(json!({"nbf": now() + 60})), "failed: token not yet valid"),
        (token(json!({"host": "other.example"})), "failed: wrong host"),
        (token(json!({"exp": "tomorrow"})), "failed: claim rejected"),
        (token(json!(["sub", "me"])), "failed: malformed token"),
    ] {
        assert_eq!(nginx.get(&format!("/?jwt={jwt}")).body, verdict, "{jwt}");
    }
}

#[test]
fn says_that_there_is_no_key_where_there_is_none() {
    let nginx = Nginx::builder().server("location / { return 200 $decoded_ojwt; }").start();
    assert_eq!(nginx.get(&format!("/?jwt={}", token(json!({})))).body, "failed: no key");
    assert_eq!(nginx.get("/").body, "failed: no token");
}

#[test]
fn says_unknown_key_for_a_kid_that_no_key_has() {
    let jwk = ojwt_core::issue::sign::to_jwk(&ISSUER.material().unwrap(), Some("a"), None);
    let nginx = Nginx::builder()
        .file("keys.jwks", json!({"keys": [jwk]}).to_string())
        .server("auth_jwt_key_file keys.jwks; location / { return 200 $decoded_ojwt; }")
        .start();
    let with_kid = |kid| ISSUER.sign(Alg::RS256, Some(kid), b"{}").unwrap();
    assert_eq!(nginx.get(&format!("/?jwt={}", with_kid("a"))).body, "{}");
    assert_eq!(nginx.get(&format!("/?jwt={}", with_kid("b"))).body, "failed: unknown key");
    assert_eq!(
        nginx.get(&format!("/?jwt={}", with_kid("../../etc/passwd"))).body,
        "failed: unknown key"
    );
}

#[test]
fn host_claim_binds_a_token_to_the_requested_host() {
    let nginx = oracle();
    let verdict = |claims: serde_json::Value, host: &str| {
        let target = format!("/?jwt={}", token(claims));
        nginx.get_with(&target, &[&format!("Host: {host}")]).body
    };
    for host in ["example.com", "EXAMPLE.com", "example.com:8089", "example.com."] {
        for name in ["host", "Host"] {
            assert!(verdict(json!({name: "Example.com"}), host).starts_with('{'), "{host}");
        }
    }
    assert!(verdict(json!({"host": ["a.example", "b.example"]}), "b.example").starts_with('{'));
    assert!(verdict(json!({}), "anything.example").starts_with('{'));
    for claims in [
        json!({"host": "example.com"}),
        json!({"host": "other.example", "Host": "example.org"}),
        json!({"host": []}),
        json!({"host": null}),
        json!({"host": ""}),
    ] {
        assert_eq!(verdict(claims, "other.example"), "failed: wrong host");
    }
}

#[test]
fn host_bound_token_is_refused_where_the_request_names_no_host() {
    let nginx = oracle();
    let jwt = token(json!({"host": "example.com"}));
    let response = nginx.send(format!("GET /?jwt={jwt} HTTP/1.0\r\n\r\n").as_bytes());
    assert_eq!(response.body, "failed: wrong host");
}

#[test]
fn accepts_every_kind_of_key_at_once_and_each_only_with_its_algorithm() {
    let nginx = Nginx::builder()
        .file("ec.pem", public_pem(&key("ec_prime256v1.pem")))
        .file("ed.pem", public_pem(&key("ed25519.pem")))
        .http("auth_jwt_key_file issuer.pem; auth_jwt_key_file ec.pem; auth_jwt_key_file ed.pem;")
        .server("location / { return 200 $decoded_ojwt; }")
        .start();
    for (file, alg) in [
        ("rsa.pem", Alg::RS256),
        ("rsa.pem", Alg::RS384),
        ("rsa.pem", Alg::RS512),
        ("rsa.pem", Alg::PS256),
        ("rsa.pem", Alg::PS384),
        ("rsa.pem", Alg::PS512),
        ("ec_prime256v1.pem", Alg::ES256),
        ("ed25519.pem", Alg::EdDSA),
    ] {
        let jwt = key(file).sign(alg, None, br#"{"by":"us"}"#).unwrap();
        assert_eq!(nginx.get(&format!("/?jwt={jwt}")).body, r#"{"by":"us"}"#, "{alg}");
        let tampered = jwt.replacen(".eyJieSI6InVzIn0.", ".eyJieSI6Im1lIn0.", 1);
        assert_ne!(tampered, jwt);
        let body = nginx.get(&format!("/?jwt={tampered}")).body;
        assert_eq!(body, "failed: signature mismatch", "{alg}");
    }
}

#[test]
fn public_key_never_serves_as_hmac_secret() {
    let nginx = oracle();
    let pem = public_pem(&ISSUER);
    let secret = json!({"kty": "oct", "k": ojwt_core::text::base64url::encode(&[7; 64])});
    let hmac = ojwt_core::issue::sign::SigningKey::read(secret.to_string().as_bytes()).unwrap();
    let jwt = hmac.sign(Alg::HS256, None, b"{}").unwrap();
    assert_eq!(nginx.get(&format!("/?jwt={jwt}")).body, "failed: algorithm not allowed");
    // The classic: the text of the public key as the secret, as openssl makes the tag.
    let (input, _) = jwt.rsplit_once('.').unwrap();
    nginx.write("input", input);
    let hex: String = pem.bytes().map(|byte| format!("{byte:02x}")).collect();
    let output = std::process::Command::new("openssl")
        .args(["dgst", "-sha256", "-mac", "HMAC", "-macopt", &format!("hexkey:{hex}"), "-binary"])
        .arg(nginx.path("input"))
        .output()
        .unwrap();
    assert_eq!(output.stdout.len(), 32);
    let forged = format!("{input}.{}", ojwt_core::text::base64url::encode(&output.stdout));
    assert_eq!(nginx.get(&format!("/?jwt={forged}")).body, "failed: algorithm not allowed");
}

#[test]
fn holds_no_control_character_whatever_the_claims_hold() {
    let nginx = Nginx::with_location("/", "add_header X-Claims $decoded_ojwt; return 204;");
    let jwt = token(json!({"a": "x\r\nSet-Cookie: y=1\u{0}\u{7f}\u{85}\u{9b}"}));
    let response = nginx.get(&format!("/?jwt={jwt}"));
    let claims = response.header("X-Claims").unwrap();
    assert_eq!(claims, r#"{"a":"x\r\nSet-Cookie: y=1\u0000\u007f\u0085\u009b"}"#);
    assert!(response.headers("Set-Cookie").iter().all(|cookie| cookie.starts_with("jwtcookie=")));
}
