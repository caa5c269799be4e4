//! A precomputed table of multiples of a point, for a key that is used often: with the table, a
//! scalar multiplication takes 32 additions and no doubling (Hankerson, Menezes and Vanstone,
//! *Guide to Elliptic Curve Cryptography*, section 3.3.2, with signed digits).
//!
//! Not constant-time: the time of a lookup can reveal which multiples are used. The multiples
//! depend on the key, the signature and the message, which are all public, so a table is for
//! verification only.

use std::sync::OnceLock;

/// The bytes of a scalar; each byte becomes one digit.
pub(crate) const DIGITS: usize = 32;

/// How many multiples the table holds for each digit; no digit is further than this above or below
/// zero.
pub(crate) const MULTIPLES: usize = 128;

/// For each digit of a scalar, the multiples of the point times 256 to the power of the digit's
/// index.
pub(crate) struct Comb<P>(Vec<P>);

/// The precomputed table of a base point, computed when it is first needed.
///
/// Threads that need the table at the same time may each compute one. No thread waits for another:
/// in a process that is forked meanwhile, the other thread does not exist, and the wait would never
/// end.
pub(crate) struct BaseComb<P> {
    made: OnceLock<Comb<P>>,
    make: fn() -> Option<Comb<P>>,
}

impl<P> BaseComb<P> {
    pub(crate) const fn new(make: fn() -> Option<Comb<P>>) -> Self {
        Self { made: OnceLock::new(), make }
    }

    pub(crate) fn get(&self) -> Option<&Comb<P>> {
        if self.made.get().is_none() {
            // Another thread may have been first: its table is the same.
            self.made.set((self.make)()?).ok();
        }
        self.made.get()
    }
}

impl<P> Comb<P> {
    /// The memory that the table takes, in bytes.
    pub(crate) const SIZE: usize = DIGITS * MULTIPLES * size_of::<P>();

    /// Takes the multiples from 1 to [`MULTIPLES`] for the lowest digit, then for the next digit,
    /// and so on; `None` where there are not exactly [`DIGITS`] times [`MULTIPLES`] of them.
    pub(crate) fn new(multiples: Vec<P>) -> Option<Self> {
        (multiples.len() == DIGITS * MULTIPLES).then_some(Self(multiples))
    }

    /// The terms whose sum is the point times a little-endian scalar: each is a multiple and
    /// whether to subtract it. `None` for a scalar that is not below 2^255.
    pub(crate) fn terms<'c>(
        &'c self,
        scalar: &'c [u8; DIGITS],
    ) -> Option<impl Iterator<Item = (&'c P, bool)>> {
        if scalar.last()? >> 7 != 0 {
            return None;
        }
        let rows = self.0.chunks_exact(MULTIPLES);
        Some(rows.zip(digits(scalar)).filter_map(|(row, digit)| {
            // The table holds no multiple for zero.
            let multiple = usize::from(digit.unsigned_abs()).checked_sub(1)?;
            Some((row.get(multiple)?, digit < 0))
        }))
    }
}

/// The digits in base 256 of a scalar below 2^255, each from -127 to 128.
fn digits(scalar: &[u8; DIGITS]) -> impl Iterator<Item = i16> {
    let mut carry = 0;
    scalar.iter().map(move |byte| {
        let digit = i16::from(*byte) + carry;
        carry = i16::from(digit > 128);
        digit - 256 * carry
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number that has these digits, as little-endian bytes.
    fn number(digits: impl Iterator<Item = i16>) -> Vec<u8> {
        let mut carry = 0_i16;
        let bytes = digits.map(|digit| {
            carry += digit;
            let byte = carry.rem_euclid(256);
            carry = carry.div_euclid(256);
            u8::try_from(byte).unwrap()
        });
        let bytes = bytes.collect();
        assert_eq!(carry, 0);
        bytes
    }

    #[test]
    fn digits_are_small_and_make_the_scalar() {
        for byte in 0..=u8::MAX {
            for (lowest, highest) in [(0, 0), (0xff, 0x7f), (1, 0x40), (0x80, 0x10), (0x81, 0x7f)] {
                let mut scalar = [byte; DIGITS];
                (scalar[0], scalar[DIGITS - 1]) = (lowest, highest);
                assert!(digits(&scalar).all(|digit| (-127..=128).contains(&digit)));
                assert_eq!(number(digits(&scalar)), scalar);
            }
        }
    }

    #[test]
    fn the_multiples_of_a_scalar_add_up_to_it() {
        // The multiples of 1, where the group is the integers modulo a prime.
        const PRIME: i64 = 1_000_003;
        let mut multiples = Vec::new();
        let mut base = 1;
        for _ in 0..DIGITS {
            multiples.extend((1..=128).map(|multiple| multiple * base % PRIME));
            base = base * 256 % PRIME;
        }
        let comb = Comb::new(multiples).unwrap();
        for byte in 0..=u8::MAX {
            let mut scalar = [byte; DIGITS];
            scalar.iter_mut().zip(0..).for_each(|(digit, more)| *digit ^= more);
            scalar[DIGITS - 1] &= 0x7f;
            let sum = comb.terms(&scalar).unwrap().fold(0, |sum, (multiple, is_subtracted)| {
                if is_subtracted { sum - multiple } else { sum + multiple }
            });
            let wanted =
                scalar.iter().rev().fold(0, |n, byte| (n * 256 + i64::from(*byte)) % PRIME);
            assert_eq!(sum.rem_euclid(PRIME), wanted);
            scalar[DIGITS - 1] |= 0x80;
            assert!(comb.terms(&scalar).is_none());
        }
    }
}
