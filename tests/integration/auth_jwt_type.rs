//! `auth_jwt_type`: tokens that are signed, encrypted, or signed and then encrypted.

use ojwt_core::issue::encrypt::encrypt;
use ojwt_core::keys::material::Material;
use ojwt_core::text::base64url;
use ojwt_core::{Alg, Enc, KeyAlg};
use serde_json::{Value, json};

use crate::harness::{
    FORGER, HOST, ISSUER, Nginx, data, encrypted, jwks_with_secret, now, refuses_lines, token,
};

fn gate(lines: &str) -> Nginx {
    Nginx::builder()
        .file("keys.jwks", jwks_with_secret(&ISSUER))
        .file("html/page.html", "content")
        .http("auth_jwt_key_file keys.jwks;")
        .server(&format!(
            "{lines}
             location / {{
                 auth_jwt realm; add_header X-Payload $jwt_payload; add_header X-Sub $jwt_claim_sub;
                 add_header X-Alg $jwt_header_alg; try_files /page.html =404;
             }}
             location /oracle {{ return 200 $decoded_ojwt; }}"
        ))
        .start()
}

#[test]
fn encrypted_tokens_are_decrypted_and_judged_like_others() {
    let nginx = gate("auth_jwt_type encrypted;");
    let response = nginx.get_as("/", &encrypted(r#"{"sub": "me"}"#, None));
    assert_eq!((response.status, response.body.as_str()), (200, "content"));
    assert_eq!(response.header("X-Payload"), Some(r#"{"sub":"me"}"#));
    assert_eq!(response.header("X-Sub"), Some("me"));
    assert_eq!(response.header("X-Alg"), Some("A256KW"));
    let verdict =
        |claims: Value| nginx.get_as("/oracle", &encrypted(&claims.to_string(), None)).body;
    assert_eq!(verdict(json!({"host": HOST})), r#"{"host":"example.com"}"#);
    assert_eq!(verdict(json!({"host": "other"})), "failed: wrong host");
    assert_eq!(verdict(json!({"exp": now() - 1})), "failed: token expired");
    assert_eq!(verdict(json!({"nbf": now() + 60})), "failed: token not yet valid");
    assert_eq!(verdict(json!({"sub": 1})), "failed: claim rejected");
    assert_eq!(verdict(json!([])), "failed: malformed token");
}

#[test]
fn nested_tokens_need_a_good_signature_inside() {
    let nginx = gate("auth_jwt_type nested;");
    let inner = token(json!({"sub": "me"}));
    let response = nginx.get_as("/", &encrypted(&inner, Some("JWT")));
    assert_eq!((response.status, response.header("X-Sub")), (200, Some("me")));
    assert_eq!(response.header("X-Payload"), Some(inner.as_str()));
    assert_eq!(response.header("X-Alg"), Some("RS256"));
    for (jwt, verdict) in [
        (encrypted(&crate::harness::signed_by(&FORGER, &json!({})), None), "signature mismatch"),
        (encrypted(&token(json!({"exp": 1})), None), "token expired"),
        (encrypted("{}", None), "malformed token"),
        (encrypted(&encrypted(&inner, None), None), "malformed token"),
        (encrypted("eyJhbGciOiJub25lIn0.e30.", None), "unsupported algorithm"),
    ] {
        assert_eq!(nginx.get_as("/oracle", &jwt).body, format!("failed: {verdict}"));
        assert_eq!(nginx.get_as("/", &jwt).status, 401);
    }
}

#[test]
fn token_of_another_type_is_malformed() {
    let (signed, encrypted_claims) = (token(json!({})), encrypted("{}", None));
    let nested = encrypted(&signed, Some("JWT"));
    for (lines, good, bad) in [
        ("", &signed, [&encrypted_claims, &nested]),
        ("auth_jwt_type signed;", &signed, [&encrypted_claims, &nested]),
        ("auth_jwt_type encrypted;", &encrypted_claims, [&signed, &nested]),
        ("auth_jwt_type nested;", &nested, [&signed, &encrypted_claims]),
    ] {
        let nginx = gate(lines);
        assert_eq!(nginx.get_as("/", good).status, 200, "{lines}: {}", nginx.error_log());
        for jwt in bad {
            assert_eq!(nginx.get_as("/oracle", jwt).body, "failed: malformed token", "{lines}");
            assert_eq!(nginx.get_as("/", jwt).status, 401, "{lines}");
        }
    }
}

#[test]
fn every_failure_to_decrypt_looks_the_same() {
    let nginx = gate("auth_jwt_type encrypted;");
    let good = encrypted(r#"{"sub":"me"}"#, None);
    let parts: Vec<&str> = good.split('.').collect();
    let mut answers = Vec::new();
    for index in 1..5 {
        let mut bytes = base64url::decode(parts[index].as_bytes()).unwrap();
        bytes[0] ^= 1;
        let mut changed: Vec<String> = parts.iter().map(ToString::to_string).collect();
        changed[index] = base64url::encode(&bytes);
        answers.push(nginx.get_as("/oracle", &changed.join(".")));
        changed[index] = base64url::encode(&bytes[..bytes.len() - 1]);
        answers.push(nginx.get_as("/oracle", &changed.join(".")));
    }
    let other = Material::Secret([8; 32].to_vec());
    let foreign =
        encrypt(b"{}", &other, KeyAlg::A256Kw, Enc::A128CbcHs256, Some("e"), None).unwrap();
    answers.push(nginx.get_as("/oracle", &foreign));
    for answer in answers {
        assert_eq!((answer.status, answer.body.as_str()), (200, "failed: decryption failed"));
    }
    assert_eq!(nginx.count_in_log("ojwt: decryption failed, client"), 9);
}

#[test]
fn algorithms_and_compression_that_are_not_offered_are_refused() {
    let nginx = gate("auth_jwt_type encrypted;");
    let good = encrypted("{}", None);
    let (_, rest) = good.split_once('.').unwrap();
    for (header, verdict) in [
        (json!({"alg": "RSA1_5", "enc": "A128GCM"}), "unsupported algorithm"),
        (json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM"}), "unsupported algorithm"),
        (json!({"alg": "ECDH-ES", "enc": "A128GCM"}), "unsupported algorithm"),
        (json!({"alg": "A256KW", "enc": "A256CTR"}), "unsupported algorithm"),
        (json!({"alg": "A128KW", "enc": "A128GCM"}), "algorithm not allowed"),
        (
            json!({"alg": "A256KW", "enc": "A128CBC-HS256", "zip": "DEF"}),
            "unsupported critical header",
        ),
        (json!({"alg": "A256KW", "enc": "A128CBC-HS256", "kid": "x"}), "unknown key"),
    ] {
        let jwt = format!("{}.{rest}", base64url::encode(header.to_string().as_bytes()));
        let body = nginx.get_as("/oracle", &jwt).body;
        assert_eq!(body, format!("failed: {verdict}"), "{header}");
    }
}

#[test]
fn private_rsa_key_of_a_jwk_decrypts_with_a_warning() {
    let private = json!({"keys": [
        serde_json::from_slice::<Value>(
            &std::fs::read(data("rsa.private.jwk")).unwrap()
        ).unwrap()
    ]});
    let nginx = Nginx::builder()
        .file("keys.jwks", private.to_string())
        .http("auth_jwt_key_file keys.jwks; auth_jwt_type encrypted;")
        .server("location / { return 200 $decoded_ojwt; }")
        .start();
    assert_eq!(nginx.file("stderr.log").matches("anyone who has its public key").count(), 1);
    let jwk = &private["keys"][0];
    let number = |name: &str| base64url::decode(jwk[name].as_str().unwrap().as_bytes()).unwrap();
    let public = Material::Rsa { n: number("n"), e: number("e") };
    for alg in [KeyAlg::RsaOaep, KeyAlg::RsaOaep256, KeyAlg::RsaOaep384, KeyAlg::RsaOaep512] {
        let jwt = encrypt(b"{}", &public, alg, Enc::A256Gcm, None, None).unwrap();
        assert_eq!(nginx.get_as("/", &jwt).body, "{}", "{alg}");
    }
    let signed = ISSUER.sign(Alg::RS256, None, b"{}").unwrap();
    assert_eq!(nginx.get_as("/", &signed).body, "failed: malformed token");
}

#[test]
fn type_is_inherited_and_replaced() {
    let nginx = Nginx::builder()
        .file("keys.jwks", jwks_with_secret(&ISSUER))
        .file("html/page.html", "content")
        .http("auth_jwt_key_file keys.jwks; auth_jwt_type encrypted;")
        .server(
            "auth_jwt realm;
             location /inherits { try_files /page.html =404; }
             location /replaces { auth_jwt_type signed; try_files /page.html =404; }
             location /limit {
                 limit_except GET { auth_jwt_type signed; } try_files /page.html =404;
             }",
        )
        .start();
    let (signed, encrypted) = (token(json!({})), encrypted("{}", None));
    for (path, with_signed, with_encrypted) in
        [("/inherits", 401, 200), ("/replaces", 200, 401), ("/limit", 401, 200)]
    {
        assert_eq!(nginx.get_as(path, &signed).status, with_signed, "{path}");
        assert_eq!(nginx.get_as(path, &encrypted).status, with_encrypted, "{path}");
    }
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_lines(&[
        ("auth_jwt_type;", "invalid number of arguments in \"auth_jwt_type\""),
        ("auth_jwt_type jwe;", "invalid value \"jwe\" in \"auth_jwt_type\""),
        ("auth_jwt_type signed; auth_jwt_type signed;", "\"auth_jwt_type\" directive is duplicate"),
        ("location / { if ($arg_a) { auth_jwt_type signed; } }", "directive is not allowed here"),
    ]);
}
