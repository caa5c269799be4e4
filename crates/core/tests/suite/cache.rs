//! Verified tokens, remembered: what a hit may skip, and what it must not.

use std::cell::RefCell;
use std::sync::Arc;

use ojwt_core::cache::TokenCache;
use ojwt_core::issue::encrypt::encrypt;
use ojwt_core::keys::material::Material;
use ojwt_core::text::base64url;
use ojwt_core::verify::Memory;
use ojwt_core::{
    Alg, Circumstances, Claims, Denial, Enc, KeyAlg, KeySet, Policy, TokenType, Verifier,
};
use serde_json::json;

use crate::common::{NOW, bare_jwk, here_and_now, jwks, key};

/// A verifier of a key, and a cache.
struct Gate {
    verifier: Verifier,
    keys: Vec<Arc<KeySet>>,
    cache: RefCell<TokenCache>,
}

impl Gate {
    fn of(alg: Alg) -> Self {
        let max_token_size = ojwt_core::verify::DEFAULT_MAX_TOKEN_SIZE;
        let (policy, token_type) = (Policy::default(), TokenType::Signed);
        Self {
            verifier: Verifier { policy, token_type, max_token_size },
            keys: vec![jwks(&[bare_jwk(alg)]).into()],
            cache: TokenCache::new(1 << 20).into(),
        }
    }

    fn judge(&self, token: &str) -> Result<Arc<Claims>, Denial> {
        self.judge_at(token, &here_and_now())
    }

    fn judge_at(&self, token: &str, at: &Circumstances<'_>) -> Result<Arc<Claims>, Denial> {
        let memory = Memory { tokens: Some(&self.cache), headers: None };
        let verdict = self.verifier.verify_with(memory, token.as_bytes(), &self.keys, at);
        verdict.map_err(|refusal| refusal.denial)
    }

    /// Whether the token would be found.
    fn knows(&self, token: &str) -> bool {
        let cache = self.cache.borrow();
        cache.find(token.as_bytes(), self.verifier.token_type, &self.keys).is_some()
    }
}

fn signed(alg: Alg, claims: &str) -> String {
    key(alg).sign(alg, None, claims.as_bytes()).unwrap()
}

#[test]
fn token_that_comes_again_gives_the_very_claims_of_the_first_time() {
    for alg in Alg::ALL {
        let gate = Gate::of(alg);
        let token = signed(alg, r#"{"sub":"me"}"#);
        assert!(!gate.knows(&token));
        let first = gate.judge(&token).unwrap();
        assert!(gate.knows(&token));
        assert!(Arc::ptr_eq(&first, &gate.judge(&token).unwrap()), "{alg}");
    }
}

#[test]
fn signature_of_a_known_token_under_other_claims_is_not_believed() {
    let gate = Gate::of(Alg::RS256);
    let token = signed(Alg::RS256, r#"{"sub":"me"}"#);
    gate.judge(&token).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let forged = base64url::encode(br#"{"sub":"is"}"#);
    let forged = format!("{}.{forged}.{}", parts[0], parts[2]);
    assert_eq!(forged.len(), token.len());
    assert_eq!(gate.judge(&forged).unwrap_err(), Denial::SignatureMismatch);
    // Each byte counts.
    for index in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        assert!(!gate.knows(core::str::from_utf8(&bytes).unwrap()), "{index}");
    }
    assert!(!gate.knows(&token[1..]) && !gate.knows(&format!("A{token}")));
}

#[test]
fn what_is_refused_is_not_kept() {
    let gate = Gate::of(Alg::ES256);
    let stranger = ojwt_core::issue::sign::SigningKey::generate(Alg::ES256, None).unwrap();
    for token in [
        stranger.sign(Alg::ES256, None, b"{}").unwrap(),
        signed(Alg::ES256, &format!(r#"{{"exp":{NOW}}}"#)),
        signed(Alg::ES256, &format!(r#"{{"nbf":{}}}"#, NOW + 1)),
        signed(Alg::ES256, r#"{"host":"other.example"}"#),
        signed(Alg::ES256, r#"{"sub":1}"#),
        signed(Alg::ES256, "[]"),
        "a.b.c".to_owned(),
        String::new(),
    ] {
        assert!(gate.judge(&token).is_err());
        assert!(!gate.knows(&token));
    }
    assert!(gate.cache.borrow().is_empty());
}

#[test]
fn times_and_hosts_are_judged_on_every_hit() {
    let gate = Gate::of(Alg::ES256);
    let token =
        signed(Alg::ES256, &format!(r#"{{"nbf":{NOW},"exp":{},"host":"example.com"}}"#, NOW + 10));
    let at = |now, host| Circumstances { now, host: Some(host), ..here_and_now() };
    let judge = |now, host: &'static [u8]| gate.judge_at(&token, &at(now, host)).map(|_| ());
    assert_eq!(judge(NOW, b"example.com"), Ok(()));
    assert!(gate.knows(&token));
    assert_eq!(judge(NOW + 9, b"example.com"), Ok(()));
    assert_eq!(judge(NOW + 10, b"example.com"), Err(Denial::Expired));
    assert_eq!(judge(NOW - 1, b"example.com"), Err(Denial::NotYetValid));
    assert_eq!(judge(NOW, b"other.example"), Err(Denial::WrongHost));
}

#[test]
fn stricter_gate_is_as_strict_to_a_known_token() {
    let mut gate = Gate::of(Alg::RS256);
    let token = signed(Alg::RS256, r#"{"sub":"me"}"#);
    gate.judge(&token).unwrap();
    gate.verifier.policy.algorithms = Some(vec![Alg::PS256]);
    assert_eq!(gate.judge(&token).unwrap_err(), Denial::AlgorithmNotAllowed);
    gate.verifier.policy.algorithms = Some(vec![Alg::RS256]);
    gate.judge(&token).unwrap();
    gate.verifier.max_token_size = token.len() - 1;
    assert_eq!(gate.judge(&token).unwrap_err(), Denial::TooLarge);
}

#[test]
fn token_is_known_for_the_keys_that_verified_it_alone() {
    let mut gate = Gate::of(Alg::ES256);
    let token = signed(Alg::ES256, "{}");
    gate.judge(&token).unwrap();
    let old = core::mem::take(&mut gate.keys);
    assert_eq!(gate.judge(&token).unwrap_err(), Denial::NoKey);
    // Rotated away: the same file with another key.
    let stranger = ojwt_core::issue::sign::SigningKey::generate(Alg::ES256, None).unwrap();
    let other = ojwt_core::issue::sign::to_jwk(&stranger.material().unwrap(), None, None);
    gate.keys = vec![jwks(std::slice::from_ref(&other)).into()];
    assert_eq!(gate.judge(&token).unwrap_err(), Denial::SignatureMismatch);
    // One source more is another set of keys, too.
    gate.keys = vec![Arc::clone(&old[0]), jwks(&[other]).into()];
    assert!(!gate.knows(&token));
    gate.judge(&token).unwrap();
    gate.keys = old;
    assert!(gate.knows(&token));
}

#[test]
fn keys_that_nobody_uses_are_freed_and_their_address_means_nothing() {
    let mut gate = Gate::of(Alg::ES256);
    let token = signed(Alg::ES256, "{}");
    gate.judge(&token).unwrap();
    let weak = Arc::downgrade(&gate.keys[0]);
    gate.keys.clear();
    assert!(weak.upgrade().is_none());
    for _ in 0..1000 {
        let stranger: Arc<KeySet> = jwks(&[bare_jwk(Alg::EdDSA)]).into();
        assert!(!core::ptr::eq(Arc::as_ptr(&stranger), weak.as_ptr()));
        gate.keys = vec![stranger];
        assert!(!gate.knows(&token));
    }
}

#[test]
fn token_of_one_type_is_not_known_as_another() {
    let secret = [7; 32];
    let key = Material::Secret(secret.to_vec());
    let jwk = json!({"kty": "oct", "k": base64url::encode(&secret), "alg": "A256KW"});
    let mut gate = Gate::of(Alg::ES256);
    gate.keys = vec![jwks(&[jwk]).into()];
    gate.verifier.token_type = TokenType::Encrypted;
    let token = encrypt(b"{}", &key, KeyAlg::A256Kw, Enc::A256Gcm, None, None).unwrap();
    gate.judge(&token).unwrap();
    assert!(gate.knows(&token));
    gate.verifier.token_type = TokenType::Nested;
    assert!(!gate.knows(&token));
    assert!(matches!(gate.judge(&token).unwrap_err(), Denial::Malformed(_)));
}

#[test]
fn flood_stays_within_bounds_and_displaces_no_token_that_comes_again() {
    let gate = Gate::of(Alg::HS256);
    let regular: Vec<String> =
        (0..50).map(|index| signed(Alg::HS256, &format!(r#"{{"user":{index}}}"#))).collect();
    for _ in 0..3 {
        for token in &regular {
            gate.judge(token).unwrap();
        }
    }
    for index in 0..20_000 {
        gate.judge(&signed(Alg::HS256, &format!(r#"{{"flood":{index}}}"#))).unwrap();
        if index % 100 == 0 {
            assert!(gate.cache.borrow().size() <= 1 << 20);
            for token in &regular {
                gate.judge(token).unwrap();
            }
        }
    }
    let kept = regular.iter().filter(|token| gate.knows(token)).count();
    assert_eq!(kept, regular.len());
    assert!(gate.cache.borrow().len() > 500);
}

#[test]
fn token_larger_than_the_cache_is_judged_and_not_kept() {
    let mut gate = Gate::of(Alg::HS256);
    gate.cache = TokenCache::new(4096).into();
    let token = signed(Alg::HS256, &format!(r#"{{"a":"{}"}}"#, "x".repeat(5000)));
    gate.judge(&token).unwrap();
    assert!(!gate.knows(&token));
    assert!(gate.cache.borrow().size() <= 4096);
}
