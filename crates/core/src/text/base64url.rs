//! Base64url exactly as JOSE specifies it: no padding, no white space, no stray bits (RFC 7515
//! section 2).
//!
//! With a lenient decoder, the same token could be written in many ways. This would defeat
//! revocation lists, caches and logs that compare tokens.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const STRICT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// Decodes `text`; `None` where `text` is not the canonical encoding of any bytes.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    // With a larger capacity than needed, the decoder does not request zeroed memory, which takes
    // the allocator longer.
    let mut bytes = Vec::with_capacity(base64::decoded_len_estimate(text.len()));
    STRICT.decode_vec(text, &mut bytes).ok()?;
    Some(bytes)
}

/// Encodes bytes, without padding.
pub fn encode(bytes: &[u8]) -> String {
    STRICT.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_it_encodes() {
        for length in 0..64u8 {
            let bytes: Vec<u8> = (0..length).map(|i| i.wrapping_mul(251)).collect();
            assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }
    }

    #[test]
    fn rejects_padding() {
        assert_eq!(decode(b"YQ=="), None);
        assert_eq!(decode(b"YWI="), None);
    }

    #[test]
    fn rejects_white_space() {
        for text in [&b"YW Jj"[..], b" YWJj", b"YWJj\n", b"YW\tJj", b"YW\r\nJj"] {
            assert_eq!(decode(text), None);
        }
    }

    #[test]
    fn rejects_the_plus_and_slash_of_ordinary_base64() {
        assert!(decode(b"-_-_").is_some());
        assert_eq!(decode(b"+_+_"), None);
        assert_eq!(decode(b"-/-/"), None);
    }

    #[test]
    fn rejects_trailing_bits_that_are_not_zero() {
        assert_eq!(decode(b"YQ"), Some(b"a".to_vec()));
        for text in [b"YR", b"YS", b"Yf"] {
            assert_eq!(decode(text), None);
        }
        assert_eq!(decode(b"YWJ"), None);
    }

    #[test]
    fn rejects_a_length_that_no_bytes_have() {
        assert_eq!(decode(b"Y"), None);
        assert_eq!(decode(b"YWJjZ"), None);
    }

    #[test]
    fn rejects_bytes_outside_ascii() {
        assert_eq!(decode("YWé".as_bytes()), None);
        assert_eq!(decode(b"YW\0\0"), None);
    }
}
