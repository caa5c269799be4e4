//! `auth_jwt_algorithms`: which of the algorithms that the keys permit are accepted.

use ojwt_core::Alg;

use crate::harness::{ISSUER, Nginx, key, public_pem, refuses_parameters};

#[test]
fn narrows_what_the_keys_permit_and_is_inherited() {
    let nginx = Nginx::with_server(
        "auth_jwt_algorithms RS256 PS512 ES256;
         location / { return 200 $decoded_ojwt; }
         location /other { auth_jwt_algorithms RS384; return 200 $decoded_ojwt; }",
    );
    let verdict = |path: &str, alg| {
        let jwt = ISSUER.sign(alg, None, b"{}").unwrap();
        nginx.get(&format!("{path}?jwt={jwt}")).body
    };
    for (path, alg, expected) in [
        ("/", Alg::RS256, "{}"),
        ("/", Alg::PS512, "{}"),
        ("/", Alg::RS384, "failed: algorithm not allowed"),
        ("/other", Alg::RS384, "{}"),
        ("/other", Alg::RS256, "failed: algorithm not allowed"),
    ] {
        assert_eq!(verdict(path, alg), expected, "{path} {alg}");
    }
}

/// RFC 9864.
#[test]
fn edwards_curves_may_be_listed_by_their_own_names() {
    let nginx = Nginx::builder()
        .file("ed.pem", public_pem(&key("ed25519.pem")))
        .http("auth_jwt_key_file ed.pem;")
        .server(
            "location /any { return 200 $decoded_ojwt; }
             location /new { auth_jwt_algorithms Ed25519; return 200 $decoded_ojwt; }
             location /old { auth_jwt_algorithms RS256 EdDSA; return 200 $decoded_ojwt; }
             location /other { auth_jwt_algorithms Ed448; return 200 $decoded_ojwt; }",
        )
        .start();
    for (path, old, new) in [
        ("/any", "{}", "{}"),
        ("/new", "failed: algorithm not allowed", "{}"),
        ("/old", "{}", "{}"),
        ("/other", "failed: algorithm not allowed", "failed: algorithm not allowed"),
    ] {
        for (alg, expected) in [(Alg::EdDSA, old), (Alg::Ed25519, new)] {
            let jwt = key("ed25519.pem").sign(alg, None, b"{}").unwrap();
            assert_eq!(nginx.get(&format!("{path}?jwt={jwt}")).body, expected, "{path} {alg}");
        }
    }
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refuses_parameters(
        "auth_jwt_algorithms",
        &[
            ("", "invalid number of arguments in \"auth_jwt_algorithms\" directive"),
            ("none", "unknown or unsafe algorithm \"none\""),
            ("RS256 rs384", "unknown or unsafe algorithm \"rs384\""),
            ("RS256; auth_jwt_algorithms RS384", "\"auth_jwt_algorithms\" directive is duplicate"),
        ],
    );
}
