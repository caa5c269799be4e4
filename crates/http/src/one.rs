//! Pairs of names and values, of which there is to be one.

use ojwt_core::denial::Denial;

/// The one value, where all values are equal; `None` where there is no value.
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where the values differ.
pub fn one<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, Denial> {
    let Some(first) = values.next() else { return Ok(None) };
    if values.all(|value| value == first) { Ok(Some(first)) } else { Err(Denial::SeveralTokens) }
}

/// Splits a pair into its name and its value; `None` where there is no `=`.
pub(crate) fn split_at_equals(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, rest) = pair.split_at_checked(pair.iter().position(|byte| *byte == b'=')?)?;
    Some((name, rest.strip_prefix(b"=")?))
}
