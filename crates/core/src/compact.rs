//! The compact serialization of a JWS: three parts, two periods (RFC 7515 section 7.1).

use crate::base64url;
use crate::denial::{Defect, Denial};

/// A compact JWS, split and decoded but believed in nothing.
#[derive(Debug)]
pub struct Jws<'a> {
    /// What the signature is made over: the first two parts as they stand, and the period between.
    pub(crate) signing_input: &'a [u8],
    /// The JOSE header's JSON, not yet parsed.
    pub(crate) header: Vec<u8>,
    /// The payload. It says nothing until the signature is checked: see [`crate::signature`].
    pub(crate) payload: Vec<u8>,
    /// The signature, or the tag of an HMAC.
    pub(crate) signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Splits a token of at most `max_size` bytes.
    ///
    /// # Errors
    ///
    /// [`Denial::TooLarge`]; [`Denial::Malformed`] where there are not exactly three parts, or one
    /// is not strict base64url.
    pub fn split(token: &'a [u8], max_size: usize) -> Result<Self, Denial> {
        if token.len() > max_size {
            return Err(Denial::TooLarge);
        }
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Defect::Parts.into());
        };
        let signed = header.len() + 1 + payload.len();
        let decode = |part| base64url::decode(part).ok_or(Defect::Base64);
        Ok(Self {
            signing_input: token.get(..signed).ok_or(Defect::Parts)?,
            header: decode(header)?,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(token: &str) -> Denial {
        Jws::split(token.as_bytes(), 100).unwrap_err()
    }

    #[test]
    fn splits_three_parts() {
        let jws = Jws::split(b"YQ.YmI.Y2Nj", 100).unwrap();
        assert_eq!(jws.signing_input, b"YQ.YmI");
        assert_eq!(
            (&jws.header[..], &jws.payload[..], &jws.signature[..]),
            (&b"a"[..], &b"bb"[..], &b"ccc"[..])
        );
    }

    #[test]
    fn rejects_any_other_number_of_parts() {
        for token in
            ["", "YQ", "YQ.YQ", "YQ.YQ.YQ.", ".YQ.YQ.YQ", "YQ.YQ.YQ.YQ", "YQ.YQ.YQ.YQ.YQ", "...."]
        {
            assert_eq!(refusal(token), Denial::Malformed(Defect::Parts), "{token}");
        }
    }

    #[test]
    fn rejects_a_part_that_is_not_strict_base64url() {
        for token in ["YQ==.YQ.YQ", "YQ.YR.YQ", "YQ.YQ.Y", " YQ.YQ.YQ", "YQ.YQ.YQ\n", "YQ.+/.YQ"] {
            assert_eq!(refusal(token), Denial::Malformed(Defect::Base64), "{token}");
        }
    }

    #[test]
    fn rejects_a_token_over_the_limit_before_reading_it() {
        assert_eq!(refusal(&"!".repeat(101)), Denial::TooLarge);
    }
}
