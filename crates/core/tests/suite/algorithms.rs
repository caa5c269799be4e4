//! Each algorithm with its own key, with every other key, and with signatures of a wrong shape.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaKeyPair,
};
use ojwt_core::issue::sign::SigningKey;
use ojwt_core::{Alg, Denial};
use serde_json::json;

use crate::common::{
    Kind, PAYLOAD, bare_jwk, base64, data, judge, jwks, key, key_set, parts, refusal, token, unhex,
    verifier, verifier_for, verifier_of_all_kinds, with, with_signature,
};

#[test]
fn every_algorithm_verifies_what_its_key_signed() {
    for alg in Alg::ALL {
        let claims = judge(&verifier_for(alg), token(alg)).unwrap();
        assert_eq!(claims.as_json().as_bytes(), PAYLOAD, "{alg}");
        judge(&verifier_of_all_kinds(), token(alg)).unwrap();
    }
}

#[test]
fn every_algorithm_verifies_with_a_public_key_in_pem() {
    for alg in Alg::ALL.into_iter().filter(|alg| Kind::of(*alg) != Kind::Secret) {
        let pem = ojwt_core::issue::sign::public_pem(&Kind::of(alg).material()).unwrap();
        judge(&verifier(key_set(pem)), token(alg)).unwrap();
    }
}

#[test]
fn rejects_another_key_of_the_same_kind() {
    for alg in Alg::ALL {
        let stranger = match Kind::of(alg) {
            Kind::Rsa => SigningKey::read(&data("attacker_rsa.pem")).unwrap(),
            _ => SigningKey::generate(alg, None).unwrap(),
        };
        let forged = stranger.sign(alg, None, PAYLOAD).unwrap();
        assert_eq!(refusal(&verifier_for(alg), forged), Denial::SignatureMismatch, "{alg}");
    }
}

#[test]
fn rejects_every_algorithm_that_does_not_fit_the_kind_of_the_key() {
    for alg in Alg::ALL {
        for other in Alg::ALL.into_iter().filter(|other| Kind::of(*other) != Kind::of(alg)) {
            let denial = refusal(&verifier_for(other), token(alg));
            // The older name fits keys of both curves.
            let expected = match (alg, other) {
                (Alg::EdDSA, Alg::Ed448) => Denial::SignatureMismatch,
                _ => Denial::AlgorithmNotAllowed,
            };
            assert_eq!(denial, expected, "{alg} with a key for {other}");
        }
    }
}

/// RFC 7517 section 4.4.
#[test]
fn rejects_every_algorithm_but_the_one_that_the_jwk_names() {
    for named in Alg::ALL {
        let verifier = verifier(jwks(&[with(bare_jwk(named), &json!({"alg": named.name()}))]));
        for alg in Alg::ALL {
            // Ed25519 and EdDSA name one algorithm of such a key: see below.
            if alg == named || Kind::of(alg) == Kind::Ed25519 && Kind::of(named) == Kind::Ed25519 {
                judge(&verifier, token(alg)).unwrap();
            } else if (alg, named) == (Alg::EdDSA, Alg::Ed448) {
                assert_eq!(refusal(&verifier, token(alg)), Denial::SignatureMismatch);
            } else {
                let denial = refusal(&verifier, token(alg));
                assert_eq!(denial, Denial::AlgorithmNotAllowed, "{alg} with a key for {named}");
            }
        }
    }
}

#[test]
fn a_bare_key_verifies_every_algorithm_of_its_kind() {
    for alg in Alg::ALL {
        for other in Alg::ALL.into_iter().filter(|other| Kind::of(*other) == Kind::of(alg)) {
            judge(&verifier_for(alg), token(other)).unwrap();
        }
    }
}

#[test]
fn rejects_every_algorithm_that_the_policy_does_not_list() {
    for listed in Alg::ALL {
        let mut verifier = verifier_of_all_kinds();
        verifier.policy.algorithms = Some(vec![listed]);
        for alg in Alg::ALL {
            if listed.covers(alg) {
                judge(&verifier, token(alg)).unwrap();
            } else {
                assert_eq!(refusal(&verifier, token(alg)), Denial::AlgorithmNotAllowed);
            }
        }
        verifier.policy.algorithms = Some(Vec::new());
        assert_eq!(refusal(&verifier, token(listed)), Denial::AlgorithmNotAllowed);
    }
}

/// RFC 9864 section 2.2: `Ed25519` and `Ed448` say what `EdDSA` leaves to the key.
#[test]
fn edwards_curves_go_by_their_own_names_and_by_their_older_one() {
    for (kind, name, other) in
        [(Kind::Ed25519, Alg::Ed25519, Alg::Ed448), (Kind::Ed448, Alg::Ed448, Alg::Ed25519)]
    {
        let signed = |alg: Alg| kind.key().sign(alg, Some("k"), PAYLOAD).unwrap();
        kind.key().sign(other, None, PAYLOAD).unwrap_err();
        // A key is for its curve, whichever name its `alg` has.
        for alg in [None, Some(name), Some(Alg::EdDSA)] {
            let jwk = ojwt_core::issue::sign::to_jwk(&kind.material(), Some("k"), alg);
            let mut verifier = verifier(jwks(&[jwk]));
            for token in [signed(name), signed(Alg::EdDSA)] {
                let claims = judge(&verifier, &token).unwrap();
                assert!([Some(name), Some(Alg::EdDSA)].contains(&claims.alg()));
            }
            // A list is of names; that of both curves means both.
            for (list, takes_name, takes_older) in [
                (Alg::EdDSA, true, true),
                (name, true, false),
                (other, false, false),
                (Alg::ES256, false, false),
            ] {
                verifier.policy.algorithms = Some(vec![list]);
                assert_eq!(judge(&verifier, signed(name)).is_ok(), takes_name, "{list}");
                assert_eq!(judge(&verifier, signed(Alg::EdDSA)).is_ok(), takes_older, "{list}");
            }
        }
        let jwk = ojwt_core::issue::sign::to_jwk(&kind.material(), None, Some(other)).to_string();
        let refused = ojwt_core::KeySetBuilder::new().add(jwk.as_bytes(), None).unwrap_err();
        let expected = format!("\"alg\" is {other}, which does not fit the key");
        assert_eq!(refused.to_string(), expected);
        let made = SigningKey::generate(name, None).unwrap();
        let set = ojwt_core::issue::sign::to_jwk(&made.material().unwrap(), None, None);
        let token = made.sign(name, None, PAYLOAD).unwrap();
        judge(&verifier(jwks(&[set])), token).unwrap();
    }
}

#[test]
fn rejects_a_signature_of_one_algorithm_presented_as_another_of_the_same_key() {
    // The signature is good, the header says so, the key fits both, but the two disagree.
    for kind in [Kind::Rsa, Kind::Secret] {
        let verifier = verifier_of_all_kinds();
        let of_kind = || Alg::ALL.into_iter().filter(move |alg| Kind::of(*alg) == kind);
        for (signed, claimed) in of_kind().flat_map(|a| of_kind().map(move |b| (a, b))) {
            let header = json!({"alg": claimed.name()}).to_string();
            let token = kind.key().sign_with_header(signed, header.as_bytes(), PAYLOAD).unwrap();
            if signed == claimed {
                judge(&verifier, token).unwrap();
            } else {
                assert_eq!(refusal(&verifier, token), Denial::SignatureMismatch, "{signed}");
            }
        }
    }
}

type Change = fn(Vec<u8>) -> Vec<u8>;

#[test]
fn rejects_a_signature_of_any_wrong_length() {
    for alg in Alg::ALL {
        let verifier = verifier_for(alg);
        let good = token(alg);
        let changes: [Change; 9] = [
            |s| s[1..].to_vec(),
            |s| s[..s.len() - 1].to_vec(),
            |s| s[..s.len() / 2].to_vec(),
            |s| [&[0], &s[..]].concat(),
            |s| [&s[..], &[0]].concat(),
            |s| [&s[..], &s[..]].concat(),
            |_| vec![0],
            |s| vec![0; s.len()],
            |s| vec![0xff; s.len()],
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let denial = refusal(&verifier, with_signature(&good, change));
            assert_eq!(denial, Denial::SignatureMismatch, "{alg}, change {index}");
        }
    }
}

// HMAC

#[test]
fn rejects_a_truncated_hmac() {
    // RFC 7518 section 3.2 knows no truncated tags, RFC 2104 does.
    for alg in [Alg::HS256, Alg::HS384, Alg::HS512] {
        for length in [0, 1, 4, 10, 16, 20, 31] {
            let token = with_signature(&token(alg), |tag| tag[..length].to_vec());
            assert_eq!(refusal(&verifier_for(alg), token), Denial::SignatureMismatch);
        }
    }
}

#[test]
fn a_secret_is_used_whole() {
    let jwk = |secret: &[u8]| json!({"kty": "oct", "k": base64(secret)}).to_string();
    let signer = SigningKey::read(jwk(&[1; 65]).as_bytes()).unwrap();
    let token = signer.sign(Alg::HS256, None, PAYLOAD).unwrap();
    judge(&verifier(key_set(jwk(&[1; 65]))), &token).unwrap();
    for other in [&[1; 64][..], &[1; 66]] {
        assert_eq!(refusal(&verifier(key_set(jwk(other))), &token), Denial::SignatureMismatch);
    }
}

// ECDSA

/// The order of each curve's group (SEC 2 sections 2.4 to 2.6), and the numbers that a signature is
/// made of.
fn order(alg: Alg) -> Vec<u8> {
    let hex = match alg {
        Alg::ES256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        Alg::ES384 => concat!(
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf",
            "581a0db248b0a77aecec196accc52973"
        ),
        Alg::ES512 => concat!(
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa",
            "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
        ),
        Alg::ES256K => "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        _ => unreachable!(),
    };
    unhex(hex)
}

const ECDSA: [Alg; 4] = [Alg::ES256, Alg::ES384, Alg::ES512, Alg::ES256K];

/// `a - b` of big-endian numbers of one length.
fn minus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = false;
    let mut difference: Vec<u8> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(a, b)| {
            let (once, under) = a.overflowing_sub(*b);
            let (twice, under_again) = once.overflowing_sub(u8::from(borrow));
            borrow = under || under_again;
            twice
        })
        .collect();
    difference.reverse();
    difference
}

/// `a + b` of big-endian numbers of one length, and whether it overflowed.
fn plus(a: &[u8], b: &[u8]) -> (Vec<u8>, bool) {
    let mut carry = 0;
    let mut sum: Vec<u8> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(a, b)| {
            let sum = u16::from(*a) + u16::from(*b) + carry;
            carry = sum >> 8;
            u8::try_from(sum & 0xff).unwrap()
        })
        .collect();
    sum.reverse();
    (sum, carry > 0)
}

/// CVE-2022-21449 ("psychic signatures"): r and s must be from 1 to n - 1.
#[test]
fn rejects_ecdsa_signatures_whose_r_or_s_is_zero_or_not_below_the_order() {
    for alg in ECDSA {
        let verifier = verifier_for(alg);
        let good = token(alg);
        let n = order(alg);
        let len = n.len();
        let zero = vec![0; len];
        let one = [&zero[1..], &[1]].concat();
        let bad_numbers = [zero.clone(), n.clone(), plus(&n, &one).0, vec![0xff; len]];
        for bad in bad_numbers {
            for change in [0, 1, 2] {
                let token = with_signature(&good, |signature| match change {
                    0 => [&bad, &signature[len..]].concat(),
                    1 => [&signature[..len], &bad[..]].concat(),
                    _ => [&bad[..], &bad[..]].concat(),
                });
                assert_eq!(refusal(&verifier, token), Denial::SignatureMismatch, "{alg}");
            }
        }
        for (r, s) in [(&zero, &one), (&one, &zero), (&one, &one), (&n, &one), (&one, &n)] {
            let token = with_signature(&good, |_| [&r[..], s].concat());
            assert_eq!(refusal(&verifier, token), Denial::SignatureMismatch, "{alg}");
        }
    }
}

/// s + n fits the width for P-521 always, for the others if s is small: it must not be reduced.
#[test]
fn rejects_ecdsa_signatures_with_the_order_added() {
    for alg in ECDSA {
        let n = order(alg);
        let len = n.len();
        let good = token(alg);
        for half in [0, 1] {
            let token = with_signature(&good, |signature| {
                let (r, s) = signature.split_at(len);
                let (r, s) = (r.to_vec(), s.to_vec());
                let (r, s) = if half == 0 { (plus(&r, &n).0, s) } else { (r, plus(&s, &n).0) };
                [r, s].concat()
            });
            assert_eq!(refusal(&verifier_for(alg), token), Denial::SignatureMismatch, "{alg}");
        }
    }
}

/// JWS does not ask for the smaller of the two values of s that every signature has, and many
/// issuers do not choose it. So a second token with the same claims can be derived from a token,
/// by whoever has that one: tokens are no identifiers, `jti` is one.
#[test]
fn accepts_the_mirrored_s_of_ecdsa() {
    for alg in ECDSA {
        let mirrored = with_signature(&token(alg), |signature| {
            let n = order(alg);
            let (r, s) = signature.split_at(n.len());
            [r, &minus(&n, s)].concat()
        });
        judge(&verifier_for(alg), mirrored).unwrap();
    }
}

/// RFC 7518 section 3.4: "not … a DER-encoded ASN.1 structure".
#[test]
fn rejects_ecdsa_signatures_in_der() {
    let der = pem::parse(data("ec_prime256v1.pem")).unwrap().into_contents();
    let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).unwrap();
    let good = token(Alg::ES256);
    let [header, payload, _] = parts(&good);
    let input = format!("{header}.{payload}");
    let mut lengths = Vec::new();
    for _ in 0..32 {
        let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        lengths.push(signature.as_ref().len());
        let token = format!("{input}.{}", base64(signature));
        assert_eq!(refusal(&verifier_for(Alg::ES256), token), Denial::SignatureMismatch);
    }
    assert!(lengths.iter().any(|length| *length > 64));
}

#[test]
fn rejects_ecdsa_with_r_and_s_in_another_order_or_width() {
    for alg in ECDSA {
        let len = order(alg).len();
        let verifier = verifier_for(alg);
        let good = token(alg);
        let swapped = with_signature(&good, |s| [&s[len..], &s[..len]].concat());
        assert_eq!(refusal(&verifier, swapped), Denial::SignatureMismatch, "{alg}");
        let widened = with_signature(&good, |s| [&[0], &s[..len], &[0], &s[len..]].concat());
        assert_eq!(refusal(&verifier, widened), Denial::SignatureMismatch, "{alg}");
        let negated = with_signature(&good, |s| s.into_iter().map(|byte| !byte).collect());
        assert_eq!(refusal(&verifier, negated), Denial::SignatureMismatch, "{alg}");
    }
    // The leading zeros of P-521 may not be dropped.
    let stripped = with_signature(&token(Alg::ES512), |s| [&s[1..66], &s[67..]].concat());
    assert_eq!(refusal(&verifier_for(Alg::ES512), stripped), Denial::SignatureMismatch);
}

#[test]
fn rejects_an_ecdsa_signature_of_one_curve_with_the_key_of_another() {
    for signed in ECDSA {
        for claimed in ECDSA.into_iter().filter(|alg| *alg != signed) {
            let header = json!({"alg": claimed.name()}).to_string();
            let token = key(signed).sign_with_header(signed, header.as_bytes(), PAYLOAD).unwrap();
            assert_eq!(refusal(&verifier_for(claimed), &token), Denial::SignatureMismatch);
            assert_eq!(refusal(&verifier_for(signed), &token), Denial::AlgorithmNotAllowed);
        }
    }
}

/// RFC 7518 section 3.4 ties each curve to one hash.
#[test]
fn rejects_a_p256_signature_over_another_hash() {
    use aws_lc_rs::signature::ECDSA_P384_SHA3_384_FIXED_SIGNING;
    let der = pem::parse(data("ec_secp384r1.pem")).unwrap().into_contents();
    let signing = &ECDSA_P384_SHA3_384_FIXED_SIGNING;
    let pair = EcdsaKeyPair::from_private_key_der(signing, &der).unwrap();
    let good = token(Alg::ES384);
    let [header, payload, _] = parts(&good);
    let input = format!("{header}.{payload}");
    let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    let token = format!("{input}.{}", base64(signature));
    assert_eq!(refusal(&verifier_for(Alg::ES384), token), Denial::SignatureMismatch);
}

// RSA

fn rsa_pair() -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(&pem::parse(data("rsa.pem")).unwrap().into_contents()).unwrap()
}

/// RFC 8017 section 8.2.2, step 1: a signature is as long as the modulus.
#[test]
fn rejects_an_rsa_signature_whose_leading_zero_was_dropped() {
    let header = base64(br#"{"alg":"RS256"}"#);
    let pair = rsa_pair();
    let (input, signature) = (0..u32::MAX)
        .map(|i| {
            let payload = base64(format!(r#"{{"i":{i}}}"#));
            let input = format!("{header}.{payload}");
            let mut signature = vec![0; pair.public_modulus_len()];
            let random = SystemRandom::new();
            pair.sign(&RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature).unwrap();
            (input, signature)
        })
        .find(|(_, signature)| signature[0] == 0)
        .unwrap();
    let verifier = verifier_for(Alg::RS256);
    let token = |signature: &[u8]| format!("{input}.{}", base64(signature));
    judge(&verifier, token(&signature)).unwrap();
    assert_eq!(refusal(&verifier, token(&signature[1..])), Denial::SignatureMismatch);
    let longer = [&[0], &signature[..]].concat();
    assert_eq!(refusal(&verifier, token(&longer)), Denial::SignatureMismatch);
}

/// RFC 8017 section 5.2.2, step 1: the representative is below the modulus.
#[test]
fn rejects_an_rsa_signature_with_the_modulus_added() {
    let ojwt_core::keys::material::Material::Rsa { n, .. } = Kind::Rsa.material() else { panic!() };
    for alg in [Alg::RS256, Alg::PS256] {
        // s + n fits the width for some signatures only; sign until one does.
        let token = (0..1000)
            .find_map(|i| {
                let payload = format!(r#"{{"i":{i}}}"#);
                let good = key(alg).sign(alg, None, payload.as_bytes()).unwrap();
                let mut overflowed = true;
                let changed = with_signature(&good, |signature| {
                    let (sum, carry) = plus(&signature, &n);
                    overflowed = carry;
                    sum
                });
                (!overflowed).then_some(changed)
            })
            .unwrap();
        assert_eq!(refusal(&verifier_for(alg), token), Denial::SignatureMismatch);
    }
}

#[test]
fn rejects_a_pkcs1_signature_that_names_another_hash_than_alg_does() {
    let pair = rsa_pair();
    for (alg, hash) in [(Alg::RS256, &RSA_PKCS1_SHA512), (Alg::RS512, &RSA_PKCS1_SHA256)] {
        let good = token(alg);
        let [header, payload, _] = parts(&good);
        let input = format!("{header}.{payload}");
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(hash, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
        let token = format!("{input}.{}", base64(&signature));
        assert_eq!(refusal(&verifier_for(alg), token), Denial::SignatureMismatch);
    }
}

#[test]
fn rejects_rsa_signatures_that_are_small_numbers() {
    // With e = 3 a cube root forges sloppily checked padding (CVE-2006-4339); 0 and 1 are their own
    // powers under any exponent.
    for alg in [Alg::RS256, Alg::PS256] {
        for last in [0, 1, 2, 8] {
            let token = with_signature(&token(alg), |signature| {
                [&vec![0; signature.len() - 1][..], &[last]].concat()
            });
            assert_eq!(refusal(&verifier_for(alg), token), Denial::SignatureMismatch);
        }
    }
}

// Ed25519

/// RFC 8032 section 5.1.7: S must be below the group's order, else signatures are malleable.
#[test]
fn rejects_an_ed25519_signature_with_the_order_added_to_s() {
    let order = unhex("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed");
    let token = with_signature(&token(Alg::EdDSA), |signature| {
        let (r, s) = signature.split_at(32);
        let big_endian: Vec<u8> = s.iter().rev().copied().collect();
        let (sum, _) = plus(&big_endian, &order);
        [r, &sum.into_iter().rev().collect::<Vec<_>>()].concat()
    });
    assert_eq!(refusal(&verifier_for(Alg::EdDSA), token), Denial::SignatureMismatch);
}

/// A public key of small order has signatures that fit any message.
#[test]
fn the_neutral_signature_of_ed25519_is_good_for_no_honest_key() {
    let neutral = [&[1][..], &[0; 63]].concat();
    let token = with_signature(&token(Alg::EdDSA), |_| neutral);
    assert_eq!(refusal(&verifier_for(Alg::EdDSA), token), Denial::SignatureMismatch);
}
