//! Numbers compared by value, whatever their size and spelling (RFC 8259 section 6).
//!
//! As doubles, 9007199254740993 and 9007199254740992 would be equal. A comparison takes time in the
//! length of the written numbers, whatever the exponents.

use core::cmp::Ordering;
use std::borrow::Cow;

/// The most digits of an exponent, without leading zeros: the sum of two such numbers fits in 64
/// bits.
const MAX_EXPONENT_DIGITS: usize = 18;

/// A number: a sign, and 0.DIGITS times a power of ten. Zero has no digits.
#[derive(Clone, Debug)]
pub(crate) struct Number<'a> {
    is_negative: bool,
    exponent: i64,
    /// The digits, in two pieces; neither the first nor the last digit is a zero.
    digits: (Cow<'a, str>, Cow<'a, str>),
}

impl<'a> Number<'a> {
    /// Reads a number in JSON's grammar that takes the whole of `text`.
    ///
    /// `None` for any other text, and where the exponent has more than [`MAX_EXPONENT_DIGITS`]
    /// digits.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (is_negative, text) = without_prefix(text, '-');
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
        if has_leading_zero || !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let exponent = Exponent::parse(exponent)?;
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let (first, second, point) = match (whole, fraction) {
            ("", "") => return Some(Self::zero()),
            ("", fraction) => {
                let digits = fraction.trim_start_matches('0');
                ("", digits, -length(fraction.len() - digits.len()))
            }
            (whole, "") => (whole.trim_end_matches('0'), "", length(whole.len())),
            (whole, fraction) => (whole, fraction, length(whole.len())),
        };
        let exponent = exponent.value()?.checked_add(point)?;
        let digits = (Cow::Borrowed(first), Cow::Borrowed(second));
        Some(Self { is_negative, exponent, digits })
    }

    /// The same number, without borrowed data.
    pub(crate) fn into_owned(self) -> Number<'static> {
        let (first, second) = self.digits;
        let digits = (Cow::Owned(first.into_owned()), Cow::Owned(second.into_owned()));
        Number { is_negative: self.is_negative, exponent: self.exponent, digits }
    }

    fn zero() -> Self {
        Self { is_negative: false, exponent: 0, digits: (Cow::Borrowed(""), Cow::Borrowed("")) }
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        let (first, second) = &self.digits;
        first.bytes().chain(second.bytes())
    }

    /// The sign of the number: -1, 0 or 1.
    fn sign(&self) -> i8 {
        let (first, second) = &self.digits;
        match (first.is_empty() && second.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // No digits end in a zero: where one number's digits begin with all of the other's, the
        // longer are larger.
        let magnitude =
            || self.exponent.cmp(&other.exponent).then_with(|| self.digits().cmp(other.digits()));
        self.sign()
            .cmp(&other.sign())
            .then_with(|| if self.is_negative { magnitude().reverse() } else { magnitude() })
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number<'_> {}

/// The part after `e`: an optional sign, and digits.
struct Exponent<'a> {
    is_negative: bool,
    digits: &'a str,
}

impl<'a> Exponent<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (is_negative, digits) = without_prefix(text, '-');
        let digits = if is_negative { digits } else { without_prefix(text, '+').1 };
        are_digits(digits).then_some(Self { is_negative, digits })
    }

    /// The value of the exponent; `None` where it has too many digits.
    fn value(&self) -> Option<i64> {
        let digits = self.digits.trim_start_matches('0');
        let magnitude: i64 = match digits.len() {
            0 => 0,
            1..=MAX_EXPONENT_DIGITS => digits.parse().ok()?,
            _ => return None,
        };
        Some(if self.is_negative { -magnitude } else { magnitude })
    }
}

fn without_prefix(text: &str, prefix: char) -> (bool, &str) {
    text.strip_prefix(prefix).map_or((false, text), |rest| (true, rest))
}

/// Whether a text is one digit or more, and nothing else.
fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Converts a length; no text in memory is too long for this.
fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compare(a: &str, b: &str) -> Ordering {
        Number::parse(a).unwrap().cmp(&Number::parse(b).unwrap())
    }

    #[test]
    fn spellings_of_a_number_are_the_same_number() {
        for same in [
            &["0", "-0", "0.0", "-0.000", "0e5", "-0E-999999999999999999999999"][..],
            &["1", "1.0", "1e0", "10e-1", "0.1e1", "1000E-3", "0.001e+3", "1e-0", "1e00"],
            &["12.5", "1.25e1", "125e-1", "0.0125e3", "12.50"],
            &["-100", "-1e2", "-1.00E+2", "-100.0"],
            &["1e999999999999999999", "10e999999999999999998", "0.1e1000000000000000000"][..2],
        ] {
            for (a, b) in same.iter().flat_map(|a| same.iter().map(move |b| (a, b))) {
                assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
            }
        }
    }

    #[test]
    fn order_is_exact_whatever_the_size() {
        let ascending = [
            "-1e999999999999999999",
            "-1e401",
            "-1e400",
            "-9007199254740993",
            "-9007199254740992.5",
            "-1",
            "-1e-400",
            "-1e-401",
            "0",
            "1e-999999999999999999",
            "1e-401",
            "1e-400",
            "0.1",
            "0.10000000000000000000000001",
            "1",
            "9",
            "10",
            "9007199254740992",
            "9007199254740992.00000000000000000001",
            "9007199254740993",
            "123456789012345678901234567890",
            "123456789012345678901234567891",
            "1e400",
            "1.1e400",
            "1e401",
            "1e999999999999999999",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }

    #[test]
    fn what_is_not_in_the_grammar_of_json_is_no_number() {
        for text in [
            "",
            "-",
            "+1",
            "01",
            "-01",
            "00",
            "1.",
            ".5",
            "-.5",
            "1e",
            "1e+",
            "1e-",
            "1.e1",
            "--1",
            "1e1.0",
            "1e+-1",
            "0x1",
            "1_0",
            "inf",
            "-inf",
            "Infinity",
            "NaN",
            " 1",
            "1 ",
            "1,0",
            "\u{661}",
            "1e\u{661}",
        ] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn exponent_beyond_the_bound_is_not_compared_and_costs_nothing() {
        assert!(Number::parse("1e1000000000000000000").is_none());
        assert!(Number::parse("1e-1000000000000000000").is_none());
        assert!(Number::parse(&format!("1e{}", "9".repeat(1_000_000))).is_none());
        let padded = format!("1e{}5", "0".repeat(1_000));
        assert_eq!(compare(&padded, "100000"), Ordering::Equal);
    }

    /// The digits of a number multiplied by a power of ten that makes it a whole number, written
    /// out.
    fn slow(text: &str, scale: i64) -> (bool, String) {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i64 = exponent.parse().unwrap();
        let digits = mantissa.trim_start_matches('-').replace('.', "");
        let decimals = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let zeros = scale + exponent - i64::try_from(decimals).unwrap();
        let digits = digits + &"0".repeat(usize::try_from(zeros).unwrap());
        let digits = digits.trim_start_matches('0').to_owned();
        (mantissa.starts_with('-') && !digits.is_empty(), digits)
    }

    /// More than the exponents and decimals in the tests can add up to: 99 and 9.
    const SCALE: i64 = 110;

    /// Compares two numbers by writing both out as whole numbers.
    fn compare_slowly(a: &str, b: &str) -> Ordering {
        let ((a_negative, a), (b_negative, b)) = (slow(a, SCALE), slow(b, SCALE));
        let magnitude = a.len().cmp(&b.len()).then_with(|| a.cmp(&b));
        match (a_negative, b_negative) {
            (false, false) => magnitude,
            (true, true) => magnitude.reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    proptest! {
        #[test]
        fn compares_as_one_does_who_writes_all_digits_out(
            a in "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2}|[eE]0[0-9])?",
            b in "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2}|[eE]0[0-9])?",
            zeros in 0_usize..4,
        ) {
            prop_assert_eq!(compare(&a, &b), compare_slowly(&a, &b));
            // Two numbers that are as close as possible.
            let (mantissa, exponent) = a.split_at(a.find(['e', 'E']).unwrap_or(a.len()));
            let point = if mantissa.contains('.') { "" } else { "." };
            for (end, is_equal) in [("0", true), ("1", false)] {
                let near = format!("{mantissa}{point}{}{end}{exponent}", "0".repeat(zeros));
                prop_assert_eq!(compare(&a, &near), compare_slowly(&a, &near));
                prop_assert_eq!(compare(&a, &near).is_eq(), is_equal);
            }
        }

        #[test]
        fn reads_exactly_what_the_parser_of_json_reads(text in "[-+.eE0-9]{0,8}") {
            let json = crate::text::json::Json::parse(text.as_bytes());
            prop_assert_eq!(Number::parse(&text).is_some(), json.is_ok(), "{}", text);
        }
    }
}
