//! `EdDSA` with Ed448 (RFC 8032 section 5.2, RFC 8037): the key decides which of the two curves it
//! is.

use ojwt_core::issue::sign::{self, SigningKey};
use ojwt_core::keys::KeyError;
use ojwt_core::keys::material::Material;
use ojwt_core::{Alg, Denial};
use serde_json::{Value, json};

use crate::common::{
    Kind, PAYLOAD, Verifier, base64, data, judge, jwks, key_set, refusal, unhex, verifier, with,
    with_signature,
};

fn token() -> String {
    Kind::Ed448.key().sign(Alg::EdDSA, None, PAYLOAD).unwrap()
}

fn jwk() -> Value {
    sign::to_jwk(&Kind::Ed448.material(), None, None)
}

fn gate() -> Verifier {
    verifier(jwks(&[jwk()]))
}

/// "1 octet (with context)": JOSE has no contexts.
#[test]
fn rejects_a_signature_with_a_context() {
    let signature = concat!(
        "d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842",
        "d607217fce6e042f6815ea000c85741de5c8da1144a6a1aba7f96de42505d7a7298524fda538fccbbb754f578c",
        "1cad10d54d0d5428407e85dcbc98a49155c13764e66c3c00",
    );
    let public = concat!(
        "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb",
        "82169c235160627b4c3a9480",
    );
    let key = Material::Ed448(unhex(public)).verifier(Alg::EdDSA).unwrap();
    assert!(!key.verifies(&[3], &unhex(signature)));
}

#[test]
fn reads_keys_as_jwk_and_in_pem() {
    judge(&gate(), token()).unwrap();
    let pem = String::from_utf8(data("ed448.pub.pem")).unwrap();
    // OpenSSL's spelling of another key, and ours of the issuer's.
    assert_eq!(ojwt_core::keys::pem::parse(pem.as_bytes()).unwrap().len(), 1);
    let own = sign::public_pem(&Kind::Ed448.material()).unwrap();
    judge(&verifier(key_set(&own)), token()).unwrap();
    assert_eq!(refusal(&verifier(key_set(&pem)), token()), Denial::SignatureMismatch);
    let material = ojwt_core::keys::pem::parse(pem.as_bytes()).unwrap().remove(0);
    assert_eq!(sign::public_pem(&material).unwrap(), pem);
}

#[test]
fn the_key_decides_the_curve_of_eddsa() {
    let ed25519 = sign::to_jwk(&Kind::Ed25519.material(), None, None);
    let other = Kind::Ed25519.key().sign(Alg::EdDSA, None, PAYLOAD).unwrap();
    assert_eq!(refusal(&gate(), &other), Denial::SignatureMismatch);
    assert_eq!(
        refusal(&verifier(jwks(std::slice::from_ref(&ed25519))), token()),
        Denial::SignatureMismatch
    );
    let both = verifier(jwks(&[ed25519, jwk()]));
    judge(&both, &other).unwrap();
    judge(&both, token()).unwrap();
    let named = verifier(jwks(&[with(jwk(), &json!({"alg": "EdDSA"}))]));
    judge(&named, token()).unwrap();
}

#[test]
fn rejects_an_ed448_key_of_another_length() {
    for length in [0, 1, 32, 56, 58, 114] {
        let jwk = json!({"kty": "OKP", "crv": "Ed448", "x": base64(vec![9; length])});
        assert_eq!(load_error(&jwk), KeyError::Member("x"), "{length}");
    }
    let of_ed25519 = with(jwk(), &json!({"crv": "Ed25519"}));
    assert_eq!(load_error(&of_ed25519), KeyError::Member("x"));
    // The same in DER.
    let spki = Kind::Ed448.material().to_spki_der().unwrap();
    for (place, octet) in [(1, 0x42), (10, 0x39), (1, 0x44)] {
        let mut der = spki.clone();
        der[place] = octet;
        assert!(ojwt_core::keys::spki::from_spki_der(&der).is_err());
    }
}

fn load_error(jwk: &Value) -> KeyError {
    let mut builder = ojwt_core::KeySetBuilder::new();
    builder.add(jwk.to_string().as_bytes(), None).unwrap_err()
}

/// p - 1, p, p + 1 and their like: p is 2^448 - 2^224 - 1.
fn near_p(lowest: u8, borrow: bool) -> [u8; 57] {
    let mut y = [0xff; 57];
    (y[0], y[28], y[56]) = (lowest, 0xfe, 0);
    if !borrow {
        y[1..28].fill(0);
        y[28] = 0xff;
    }
    y
}

/// Whoever knows a point whose order divides 4 can sign anything for it.
#[test]
fn rejects_an_ed448_key_of_small_order_or_not_on_the_curve_or_not_canonical() {
    let small = |lowest: u8| {
        let mut y = [0; 57];
        y[0] = lowest;
        y
    };
    for y in [
        // Of order 4, 1 and 2; then the same with p added.
        small(0),
        small(1),
        near_p(0xfe, true),
        near_p(0xff, true),
        near_p(0, false),
        // On no curve, or outside the group of prime order.
        small(2),
        small(3),
        small(5),
        // p + 19, where 19 would do.
        near_p(18, false),
    ] {
        for sign in [0, 0x80] {
            let mut x = y;
            x[56] = sign;
            let jwk = json!({"kty": "OKP", "crv": "Ed448", "x": base64(x)});
            assert_eq!(load_error(&jwk), KeyError::Encoding("an Ed448 public key"), "{x:?}");
        }
    }
    let Material::Ed448(good) = Kind::Ed448.material() else { panic!() };
    for bit in 0..7 {
        let mut x = good.clone();
        x[56] ^= 1 << bit;
        let error = load_error(&with(jwk(), &json!({"x": base64(x)})));
        assert_eq!(error, KeyError::Encoding("an Ed448 public key"));
    }
}

/// RFC 8032 section 5.2.7: S must be below the group's order, else signatures are malleable.
#[test]
fn rejects_an_ed448_signature_with_the_order_added_to_s() {
    let order = unhex(concat!(
        "f34458ab92c27823558fc58d72c26c219036d6ae49db4ec4e923ca7cffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffff3f00",
    ));
    for times in 1..=3 {
        let token = with_signature(&token(), |mut signature| {
            for _ in 0..times {
                let mut carry = 0;
                for (octet, added) in signature[57..].iter_mut().zip(&order) {
                    carry += u16::from(*octet) + u16::from(*added);
                    *octet = carry.to_le_bytes()[0];
                    carry >>= 8;
                }
            }
            signature
        });
        assert_eq!(refusal(&gate(), token), Denial::SignatureMismatch, "{times}");
    }
    // The order itself, and nothing at all.
    for s in [order, vec![0; 57]] {
        let token = with_signature(&token(), |signature| [&signature[..57], &s].concat());
        assert_eq!(refusal(&gate(), token), Denial::SignatureMismatch);
    }
}

#[test]
fn rejects_an_ed448_signature_of_another_length_or_with_any_bit_changed() {
    let good = token();
    let gate = gate();
    judge(&gate, &good).unwrap();
    for length in [0, 1, 57, 64, 113] {
        let token = with_signature(&good, |signature| signature[..length].to_vec());
        assert_eq!(refusal(&gate, token), Denial::SignatureMismatch, "{length}");
    }
    let token = with_signature(&good, |signature| [&signature[..], &[0]].concat());
    assert_eq!(refusal(&gate, token), Denial::SignatureMismatch);
    for bit in 0..114 * 8 {
        let token = with_signature(&good, |mut signature| {
            signature[bit / 8] ^= 1 << (bit % 8);
            signature
        });
        assert_eq!(refusal(&gate, token), Denial::SignatureMismatch, "{bit}");
    }
}

/// The neutral element and the other points of small order, with S = 0.
#[test]
fn the_neutral_signature_of_ed448_is_good_for_no_honest_key() {
    for lowest in [0, 1] {
        let mut neutral = vec![0; 114];
        neutral[0] = lowest;
        let token = with_signature(&token(), |_| neutral);
        assert_eq!(refusal(&gate(), token), Denial::SignatureMismatch);
    }
}

#[test]
fn rejects_a_private_ed448_key_that_is_not_of_its_public_one() {
    let private = json!({"d": base64([7; 57])});
    let error = SigningKey::read(with(jwk(), &private).to_string().as_bytes()).unwrap_err();
    assert_eq!(error, KeyError::Encoding("an Ed448 private key"));
    for length in [0, 32, 56, 58] {
        let private = json!({"d": base64(vec![7; length])});
        assert!(SigningKey::read(with(jwk(), &private).to_string().as_bytes()).is_err());
    }
}
