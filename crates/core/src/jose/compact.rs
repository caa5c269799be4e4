//! The compact serializations, with periods between the parts: a JWS has three parts (RFC 7515
//! section 7.1), a JWE has five (RFC 7516 section 7.1).

use crate::denial::{Defect, Denial};
use crate::text::base64url;

/// The expected type of tokens; a token of another type is [`Denial::Malformed`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenType {
    /// A compact JWS.
    #[default]
    Signed,
    /// A compact JWE whose content is the claims.
    ///
    /// There is no signature, so [`Policy::algorithms`](crate::Policy::algorithms) does not apply.
    /// With RSA-OAEP, anyone who has the public key can make such a token: where that key is in
    /// fact public, only [`TokenType::Nested`] tells who made the claims.
    Encrypted,
    /// A compact JWE whose content is a compact JWS (RFC 7519 section 5.2), which is verified like
    /// any other JWS; no other nesting is accepted.
    Nested,
}

/// A compact JWS, split and decoded, but not verified.
#[derive(Debug)]
pub struct Jws<'a> {
    /// The input of the signature: the first two parts as they stand, and the period between them.
    pub(crate) signing_input: &'a [u8],
    /// The JOSE header as it stands, not yet decoded.
    pub(crate) header: &'a [u8],
    /// The payload, which must not be used before the signature is checked: see
    /// [`crate::token::jws`].
    pub(crate) payload: Vec<u8>,
    /// The signature, or the tag of an HMAC.
    pub(crate) signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Splits a token of at most `max_size` bytes.
    ///
    /// # Errors
    ///
    /// [`Denial::TooLarge`]; [`Denial::Malformed`] where there are not exactly three parts, or
    /// where the second or third part is not strict base64url.
    pub fn split(token: &'a [u8], max_size: usize) -> Result<Self, Denial> {
        if token.len() > max_size {
            return Err(Denial::TooLarge);
        }
        let [header, payload, signature] = match parts(token) {
            Some(([header, payload, signature, _, _], 3)) => [header, payload, signature],
            Some((_, 5)) => return Err(Defect::Encrypted.into()),
            _ => return Err(Defect::Parts.into()),
        };
        let signed = header.len() + 1 + payload.len();
        let decode = |part| base64url::decode(part).ok_or(Defect::Base64);
        Ok(Self {
            signing_input: token.get(..signed).ok_or(Defect::Parts)?,
            header,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }
}

/// A compact JWE, split and decoded, but not decrypted.
#[derive(Debug)]
pub struct Jwe<'a> {
    /// The header segment as it stands, which is authenticated with the content (RFC 7516 section
    /// 5.1, step 14).
    pub(crate) aad: &'a [u8],
    /// The JOSE header's JSON, not yet parsed.
    pub(crate) header: Vec<u8>,
    /// The encrypted content encryption key; empty where a shared secret is itself that key.
    pub(crate) encrypted_key: Vec<u8>,
    /// The initialization vector of the content.
    pub(crate) iv: Vec<u8>,
    /// The content, encrypted.
    pub(crate) ciphertext: Vec<u8>,
    /// The authentication tag of the content and of `aad`.
    pub(crate) tag: Vec<u8>,
}

impl<'a> Jwe<'a> {
    /// Splits a token of at most `max_size` bytes.
    ///
    /// # Errors
    ///
    /// [`Denial::TooLarge`]; [`Denial::Malformed`] where there are not exactly five parts, or where
    /// a part is not strict base64url.
    pub fn split(token: &'a [u8], max_size: usize) -> Result<Self, Denial> {
        if token.len() > max_size {
            return Err(Denial::TooLarge);
        }
        let [header, key, iv, ciphertext, tag] = match parts(token) {
            Some((parts, 5)) => parts,
            Some((_, 3)) => return Err(Defect::Signed.into()),
            _ => return Err(Defect::EncryptedParts.into()),
        };
        let decode = |part| base64url::decode(part).ok_or(Defect::Base64);
        Ok(Self {
            aad: header,
            header: decode(header)?,
            encrypted_key: decode(key)?,
            iv: decode(iv)?,
            ciphertext: decode(ciphertext)?,
            tag: decode(tag)?,
        })
    }
}

/// The parts of a token, and how many there are; `None` where there are more than five.
fn parts(token: &[u8]) -> Option<([&[u8]; 5], usize)> {
    let mut parts = [&[][..]; 5];
    let mut rest = token;
    for (index, part) in parts.iter_mut().enumerate() {
        let period = memchr::memchr(b'.', rest);
        let Some((before, after)) = period.and_then(|period| rest.split_at_checked(period)) else {
            *part = rest;
            return Some((parts, index + 1));
        };
        *part = before;
        rest = after.get(1..)?;
    }
    None
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
            (jws.header, &jws.payload[..], &jws.signature[..]),
            (&b"YQ"[..], &b"bb"[..], &b"ccc"[..])
        );
    }

    #[test]
    fn rejects_any_other_number_of_parts() {
        for token in ["", "YQ", "YQ.YQ", "YQ.YQ.YQ.", ".YQ.YQ.YQ", "YQ.YQ.YQ.YQ", "....."] {
            assert_eq!(refusal(token), Denial::Malformed(Defect::Parts), "{token}");
        }
        for token in ["YQ.YQ.YQ.YQ.YQ", "...."] {
            assert_eq!(refusal(token), Denial::Malformed(Defect::Encrypted), "{token}");
        }
    }

    #[test]
    fn rejects_a_payload_or_signature_that_is_not_strict_base64url() {
        for token in ["YQ.YQ==.YQ", "YQ.YR.YQ", "YQ.YQ.Y", "YQ. YQ.YQ", "YQ.YQ.YQ\n", "YQ.+/.YQ"] {
            assert_eq!(refusal(token), Denial::Malformed(Defect::Base64), "{token}");
        }
    }

    #[test]
    fn rejects_a_token_over_the_limit_before_reading_it() {
        assert_eq!(refusal(&"!".repeat(101)), Denial::TooLarge);
    }

    #[test]
    fn splits_the_five_parts_of_an_encrypted_token() {
        let jwe = Jwe::split(b"YQ.YmI.Y2Nj.ZGRkZA.ZWVlZWU", 100).unwrap();
        assert_eq!(jwe.aad, b"YQ");
        let parts = [jwe.header, jwe.encrypted_key, jwe.iv, jwe.ciphertext, jwe.tag];
        assert_eq!(parts, [&b"a"[..], b"bb", b"ccc", b"dddd", b"eeeee"].map(<[u8]>::to_vec));
        Jwe::split(b"YQ..YQ.YQ.YQ", 100).unwrap();
    }

    #[test]
    fn rejects_any_other_number_of_parts_of_an_encrypted_token() {
        let refusal = |token: &str| Jwe::split(token.as_bytes(), 100).unwrap_err();
        for token in ["", "YQ", "YQ.YQ", "YQ.YQ.YQ.YQ", "YQ.YQ.YQ.YQ.YQ.", ".YQ.YQ.YQ.YQ.YQ"] {
            assert_eq!(refusal(token), Denial::Malformed(Defect::EncryptedParts), "{token}");
        }
        for token in ["YQ.YQ.YQ", ".."] {
            assert_eq!(refusal(token), Denial::Malformed(Defect::Signed), "{token}");
        }
    }

    #[test]
    fn rejects_a_part_of_an_encrypted_token_that_is_not_strict_base64url() {
        for index in 0..5 {
            for part in ["YQ==", "YR", "Y", " YQ", "+/"] {
                let mut parts = ["YQ"; 5];
                parts[index] = part;
                let denial = Jwe::split(parts.join(".").as_bytes(), 100).unwrap_err();
                assert_eq!(denial, Denial::Malformed(Defect::Base64), "{parts:?}");
            }
        }
    }

    #[test]
    fn rejects_an_encrypted_token_over_the_limit_before_reading_it() {
        let denial = Jwe::split("!".repeat(101).as_bytes(), 100).unwrap_err();
        assert_eq!(denial, Denial::TooLarge);
    }
}
