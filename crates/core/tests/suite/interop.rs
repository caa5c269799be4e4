//! Agreement with the `jsonwebtoken` crate, in both directions.

use jsonwebtoken as theirs;
use ojwt_core::issue::sign;
use ojwt_core::{Alg, Denial};
use serde_json::{Value, json};

use crate::common::{
    Kind, PAYLOAD, SECRET, data, judge, key, key_set, parts, refusal, verifier, verifier_for,
    with_signature,
};

/// What both know: jsonwebtoken has neither P-521 nor secp256k1.
const SHARED: [(Alg, theirs::Algorithm); 12] = [
    (Alg::HS256, theirs::Algorithm::HS256),
    (Alg::HS384, theirs::Algorithm::HS384),
    (Alg::HS512, theirs::Algorithm::HS512),
    (Alg::RS256, theirs::Algorithm::RS256),
    (Alg::RS384, theirs::Algorithm::RS384),
    (Alg::RS512, theirs::Algorithm::RS512),
    (Alg::PS256, theirs::Algorithm::PS256),
    (Alg::PS384, theirs::Algorithm::PS384),
    (Alg::PS512, theirs::Algorithm::PS512),
    (Alg::ES256, theirs::Algorithm::ES256),
    (Alg::ES384, theirs::Algorithm::ES384),
    (Alg::EdDSA, theirs::Algorithm::EdDSA),
];

fn signing_key(alg: Alg) -> theirs::EncodingKey {
    match Kind::of(alg) {
        Kind::Secret => theirs::EncodingKey::from_secret(&SECRET),
        Kind::Rsa => theirs::EncodingKey::from_rsa_pem(&data("rsa.pem")).unwrap(),
        Kind::P256 => theirs::EncodingKey::from_ec_pem(&data("ec_prime256v1.pem")).unwrap(),
        Kind::P384 => theirs::EncodingKey::from_ec_pem(&data("ec_secp384r1.pem")).unwrap(),
        Kind::Ed25519 => theirs::EncodingKey::from_ed_pem(&data("ed25519.pem")).unwrap(),
        Kind::P521 | Kind::Secp256k1 | Kind::Ed448 => unreachable!(),
    }
}

fn verifying_key(alg: Alg) -> theirs::DecodingKey {
    let pem = || sign::public_pem(&Kind::of(alg).material()).unwrap().into_bytes();
    match Kind::of(alg) {
        Kind::Secret => theirs::DecodingKey::from_secret(&SECRET),
        Kind::Rsa => theirs::DecodingKey::from_rsa_pem(&pem()).unwrap(),
        Kind::P256 | Kind::P384 => theirs::DecodingKey::from_ec_pem(&pem()).unwrap(),
        Kind::Ed25519 => theirs::DecodingKey::from_ed_pem(&pem()).unwrap(),
        Kind::P521 | Kind::Secp256k1 | Kind::Ed448 => unreachable!(),
    }
}

fn their_claims(token: &str, alg: Alg, key: &theirs::DecodingKey) -> Option<Value> {
    let algorithm = SHARED.iter().find(|(ours, _)| *ours == alg).unwrap().1;
    let validation = theirs::Validation::new(algorithm);
    theirs::decode::<Value>(token, key, &validation).ok().map(|data| data.claims)
}

#[test]
fn accepts_tokens_that_jsonwebtoken_made_and_refuses_their_tampered_twins() {
    let claims = json!({"sub": "alice", "exp": 4_102_444_800u64, "host": "example.com"});
    for (alg, theirs) in SHARED {
        let mut header = theirs::Header::new(theirs);
        header.kid = Some("k".into());
        let token = theirs::encode(&header, &claims, &signing_key(alg)).unwrap();
        let accepted = judge(&verifier_for(alg), &token).unwrap();
        let read: Value = serde_json::from_str(accepted.as_json()).unwrap();
        assert_eq!(read, claims, "{alg}");
        let tampered = with_signature(&token, |mut signature| {
            signature[10] ^= 1;
            signature
        });
        assert_eq!(refusal(&verifier_for(alg), tampered), Denial::SignatureMismatch, "{alg}");
        let [header, _, signature] = parts(&token);
        let root = format!("{header}.{}.{signature}", crate::common::base64(PAYLOAD));
        assert_eq!(refusal(&verifier_for(alg), root), Denial::SignatureMismatch, "{alg}");
    }
}

#[test]
fn jsonwebtoken_accepts_tokens_of_ours_and_refuses_their_tampered_twins() {
    for (alg, _) in SHARED {
        let token = key(alg).sign(alg, Some("k"), PAYLOAD).unwrap();
        let claims = their_claims(&token, alg, &verifying_key(alg)).unwrap();
        assert_eq!(claims, serde_json::from_slice::<Value>(PAYLOAD).unwrap(), "{alg}");
        let tampered = with_signature(&token, |mut signature| {
            signature[10] ^= 1;
            signature
        });
        assert_eq!(their_claims(&tampered, alg, &verifying_key(alg)), None, "{alg}");
    }
}

#[test]
fn jsonwebtoken_reads_our_jwks() {
    for (alg, _) in SHARED {
        let jwk = sign::to_jwk(&Kind::of(alg).material(), Some("k"), Some(alg));
        let jwk: theirs::jwk::Jwk = serde_json::from_value(jwk).unwrap();
        let key = theirs::DecodingKey::from_jwk(&jwk).unwrap();
        let token = crate::common::token(alg);
        assert!(their_claims(&token, alg, &key).is_some(), "{alg}");
    }
}

#[test]
fn we_read_the_jwks_of_jsonwebtoken() {
    for (alg, theirs) in SHARED {
        let jwk = theirs::jwk::Jwk::from_encoding_key(&signing_key(alg), theirs).unwrap();
        let keys = key_set(serde_json::to_string(&jwk).unwrap());
        judge(&verifier(keys), crate::common::token(alg)).unwrap();
    }
}

#[test]
fn thumbprints_agree_with_those_of_jsonwebtoken() {
    for (alg, _) in SHARED {
        let material = Kind::of(alg).material();
        let jwk = sign::to_jwk(&material, None, None);
        let jwk: theirs::jwk::Jwk = serde_json::from_value(jwk).unwrap();
        let thumbprint = jwk.thumbprint(theirs::jwk::ThumbprintHash::SHA256).unwrap();
        assert_eq!(thumbprint, material.thumbprint(), "{alg}");
    }
}
