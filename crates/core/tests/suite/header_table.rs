//! Headers of verified tokens, remembered: a known header is read faster, and nothing else.

use std::cell::RefCell;
use std::sync::Arc;

use ojwt_core::denial::Defect;
use ojwt_core::issue::encrypt::encrypt;
use ojwt_core::issue::sign::SigningKey;
use ojwt_core::keys::material::Material;
use ojwt_core::text::base64url;
use ojwt_core::token::header_table::{HeaderTable, MAX_HEADERS, MAX_SEGMENT_SIZE};
use ojwt_core::verify::Memory;
use ojwt_core::{Alg, Claims, Denial, Enc, KeyAlg, KeySet, Policy, TokenType, Verifier};
use serde_json::{Value, json};

use crate::common::{assemble, bare_jwk, here_and_now, jwks, key, parts, with};

/// A verifier of some keys, and a table.
struct Gate {
    verifier: Verifier,
    keys: Vec<Arc<KeySet>>,
    headers: RefCell<HeaderTable>,
}

impl Gate {
    fn of(keys: &[Value]) -> Self {
        let max_token_size = ojwt_core::verify::DEFAULT_MAX_TOKEN_SIZE;
        let (policy, token_type) = (Policy::default(), TokenType::Signed);
        Self {
            verifier: Verifier { policy, token_type, max_token_size },
            keys: vec![jwks(keys).into()],
            headers: RefCell::default(),
        }
    }

    fn judge(&self, token: &str) -> Result<Arc<Claims>, Denial> {
        let memory = Memory { tokens: None, headers: Some(&self.headers) };
        let verdict =
            self.verifier.verify_with(memory, token.as_bytes(), &self.keys, &here_and_now());
        verdict.map_err(|refusal| refusal.denial)
    }

    /// The verdict of a gate that remembers nothing.
    fn judge_anew(&self, token: &str) -> Result<Claims, Denial> {
        self.verifier.verify(token.as_bytes(), &self.keys, &here_and_now())
    }

    fn refusal(&self, token: &str) -> Denial {
        self.judge(token).unwrap_err()
    }

    /// Whether the header of the token would be found.
    fn knows(&self, token: &str) -> bool {
        self.headers.borrow().find(parts(token)[0].as_bytes()).is_some()
    }
}

fn signed(alg: Alg, kid: Option<&str>) -> String {
    key(alg).sign(alg, kid, br#"{"sub":"me"}"#).unwrap()
}

#[test]
fn token_of_a_known_header_gives_what_it_gives_without_the_table() {
    for alg in Alg::ALL {
        let gate = Gate::of(&[bare_jwk(alg)]);
        for claims in [r#"{"sub":"me"}"#, r#"{"sub":"you"}"#] {
            let token = key(alg).sign(alg, Some("a\u{7f}"), claims.as_bytes()).unwrap();
            let (known, anew) = (gate.judge(&token).unwrap(), gate.judge_anew(&token).unwrap());
            assert!(gate.knows(&token), "{alg}");
            assert_eq!((known.as_json(), known.alg()), (claims, Some(alg)));
            assert_eq!(known.header().json(), anew.header().json());
            assert_eq!(known.header().kid(), Some("a\u{7f}"));
        }
        assert_eq!(gate.headers.borrow().len(), 1);
    }
}

#[test]
fn header_of_a_token_that_is_not_authentic_is_not_kept() {
    let mut gate = Gate::of(&[with(bare_jwk(Alg::ES256), &json!({"kid": "known"}))]);
    let token = signed(Alg::ES256, Some("known"));
    let [header, payload, signature] = parts(&token);
    let stranger = SigningKey::generate(Alg::ES256, None).unwrap();
    for (forged, denial) in [
        (stranger.sign(Alg::ES256, None, b"{}").unwrap(), Denial::SignatureMismatch),
        (format!("{header}.e30.{signature}"), Denial::SignatureMismatch),
        (format!("{header}.{payload}."), Denial::SignatureMismatch),
        (format!("{header}.{payload}.{}", "A".repeat(2000)), Denial::SignatureMismatch),
        (signed(Alg::ES256, Some("unknown")), Denial::UnknownKey),
        (assemble(br#"{"alg":"HS256"}"#, b"{}", &[0; 32]), Denial::AlgorithmNotAllowed),
        (assemble(br#"{"alg":"none"}"#, b"{}", b""), Denial::UnsupportedAlgorithm),
        (assemble(br#"{"alg":"ES256","crit":[]}"#, b"{}", b""), Denial::UnsupportedCriticalHeader),
    ] {
        assert_eq!(gate.refusal(&forged), denial);
    }
    gate.verifier.policy.algorithms = Some(vec![Alg::ES384]);
    assert_eq!(gate.refusal(&token), Denial::AlgorithmNotAllowed);
    assert!(gate.headers.borrow().is_empty());
}

#[test]
fn forged_tokens_displace_no_header() {
    let gate = Gate::of(&[bare_jwk(Alg::ES256)]);
    let token = signed(Alg::ES256, None);
    gate.judge(&token).unwrap();
    let stranger = SigningKey::generate(Alg::ES256, None).unwrap();
    for index in 0..3 * MAX_HEADERS {
        let forged = stranger.sign(Alg::ES256, Some(&index.to_string()), b"{}").unwrap();
        assert_eq!(gate.refusal(&forged), Denial::SignatureMismatch);
        assert!(gate.knows(&token) && !gate.knows(&forged));
    }
}

#[test]
fn signature_is_checked_whether_the_header_is_known_or_not() {
    for alg in [Alg::HS256, Alg::ES256, Alg::EdDSA] {
        let gate = Gate::of(&[bare_jwk(alg)]);
        let token = signed(alg, None);
        gate.judge(&token).unwrap();
        let [header, payload, signature] = parts(&token);
        for forged in [
            format!("{header}.e30.{signature}"),
            format!("{header}.{payload}."),
            format!("{header}.{payload}.AAAA"),
        ] {
            assert_eq!(gate.refusal(&forged), Denial::SignatureMismatch, "{alg}");
        }
    }
}

#[test]
fn known_header_lets_no_algorithm_through_that_policy_or_keys_do_not_permit() {
    let mut gate = Gate::of(&[bare_jwk(Alg::HS256)]);
    let token = signed(Alg::HS256, None);
    gate.judge(&token).unwrap();
    gate.verifier.policy.algorithms = Some(vec![Alg::HS512, Alg::RS256]);
    assert_eq!(gate.refusal(&token), Denial::AlgorithmNotAllowed);
    gate.verifier.policy.algorithms = None;
    gate.keys = vec![jwks(&[bare_jwk(Alg::RS256)]).into()];
    assert_eq!(gate.refusal(&token), Denial::AlgorithmNotAllowed);
    gate.keys = vec![jwks(&[bare_jwk(Alg::HS256), bare_jwk(Alg::RS256)]).into()];
    let [header, payload, _] = parts(&signed(Alg::RS256, None)).map(str::to_owned);
    let [hs256, _, _] = parts(&token);
    let [_, _, signature] = parts(&token);
    // Either header over the other's signature.
    for forged in [format!("{header}.{payload}.{signature}"), format!("{hs256}.e30.{signature}")] {
        assert_eq!(gate.refusal(&forged), Denial::SignatureMismatch);
    }
    gate.keys = Vec::new();
    assert_eq!(gate.refusal(&token), Denial::NoKey);
}

#[test]
fn kid_of_a_known_header_chooses_among_the_keys_of_now() {
    let named = |kid| with(bare_jwk(Alg::ES256), &json!({ "kid": kid }));
    let mut gate = Gate::of(&[named("old")]);
    let token = signed(Alg::ES256, Some("old"));
    gate.judge(&token).unwrap();
    gate.keys = vec![jwks(&[named("new")]).into()];
    assert_eq!(gate.refusal(&token), Denial::UnknownKey);
}

#[test]
fn every_change_of_a_token_has_the_same_verdict_with_the_table_as_without() {
    let gate = Gate::of(&[bare_jwk(Alg::ES256), bare_jwk(Alg::HS256)]);
    for token in [signed(Alg::ES256, Some("a")), signed(Alg::HS256, None)] {
        gate.judge(&token).unwrap();
        for index in 0..token.len() {
            for byte in ['A', '.', '=', '!', 'é'] {
                let changed = format!("{}{byte}{}", &token[..index], &token[index + 1..]);
                let verdict = |claims: &Claims| claims.as_json().to_owned();
                let known = gate.judge(&changed).map(|claims| verdict(&claims));
                let anew = gate.judge_anew(&changed).map(|claims| verdict(&claims));
                assert_eq!(known, anew, "{changed}");
            }
        }
    }
    assert_eq!(gate.headers.borrow().len(), 2);
}

#[test]
fn payload_is_decoded_before_the_header_is_read_whether_it_is_known_or_not() {
    let gate = Gate::of(&[bare_jwk(Alg::ES256)]);
    let token = signed(Alg::ES256, None);
    let [header, _, signature] = parts(&token);
    let refused = base64url::encode(br#"{"alg":"none"}"#);
    for _ in 0..2 {
        for header in [header, &refused] {
            for forged in [format!("{header}.!.{signature}"), format!("{header}.e30.!")] {
                assert_eq!(gate.refusal(&forged), Denial::Malformed(Defect::Base64));
            }
        }
        gate.judge(&token).unwrap();
    }
}

#[test]
fn long_header_is_verified_and_not_kept() {
    let gate = Gate::of(&[bare_jwk(Alg::ES256)]);
    let token = signed(Alg::ES256, Some(&"k".repeat(MAX_SEGMENT_SIZE)));
    gate.judge(&token).unwrap();
    assert!(gate.headers.borrow().is_empty());
}

#[test]
fn of_encrypted_tokens_only_the_headers_of_signed_ones_within_are_kept() {
    let secret = [7; 32];
    let outer = Material::Secret(secret.to_vec());
    let jwk = json!({"kty": "oct", "k": base64url::encode(&secret), "alg": "A256KW"});
    let mut gate = Gate::of(&[jwk, bare_jwk(Alg::ES256)]);
    let seal = |content: &str, cty| {
        encrypt(content.as_bytes(), &outer, KeyAlg::A256Kw, Enc::A256Gcm, None, cty).unwrap()
    };
    gate.verifier.token_type = TokenType::Encrypted;
    gate.judge(&seal("{}", None)).unwrap();
    assert!(gate.headers.borrow().is_empty());
    gate.verifier.token_type = TokenType::Nested;
    let inner = signed(Alg::ES256, None);
    for _ in 0..2 {
        gate.judge(&seal(&inner, Some("JWT"))).unwrap();
        assert_eq!((gate.headers.borrow().len(), gate.knows(&inner)), (1, true));
    }
    // Before a JWS, the header of a JWE is still none.
    let jwe = seal(&inner, Some("JWT"));
    let (header, _) = jwe.split_once('.').unwrap();
    gate.verifier.token_type = TokenType::Signed;
    assert_eq!(gate.refusal(&format!("{header}.e30.AA")), Denial::UnsupportedAlgorithm);
}
