//! What a token says before it is verified: for the choice of keys, and for nothing else.

use crate::denial::{Defect, Denial};
use crate::text::base64url;
use crate::text::json::Json;

/// The header and the claims of a token, decoded but not verified.
#[derive(Debug)]
pub struct Unverified {
    header: Json,
    claims: Option<Json>,
}

impl Unverified {
    /// Reads a compact JWS, or the header of a compact JWE, of at most `max_size` bytes.
    ///
    /// # Errors
    ///
    /// [`Denial::TooLarge`], [`Denial::Malformed`]: such a token would not be accepted either.
    pub fn read(token: &[u8], max_size: usize) -> Result<Self, Denial> {
        if token.len() > max_size {
            return Err(Denial::TooLarge);
        }
        let parts: Vec<&[u8]> = token.splitn(6, |byte| *byte == b'.').collect();
        let object = |part: &[u8]| -> Result<Json, Denial> {
            let text = base64url::decode(part).ok_or(Defect::Base64)?;
            Ok(Json::parse_object(text)?)
        };
        match *parts.as_slice() {
            [header, claims, _] => {
                Ok(Self { header: object(header)?, claims: Some(object(claims)?) })
            }
            [header, _, _, _, _] => Ok(Self { header: object(header)?, claims: None }),
            _ => Err(Defect::Parts.into()),
        }
    }

    /// The JOSE header.
    pub fn header(&self) -> &Json {
        &self.header
    }

    /// The claims, where they are not encrypted.
    pub fn claims(&self) -> Option<&Json> {
        self.claims.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_header_and_claims_of_a_jws_and_the_header_of_a_jwe() {
        // {"a":1} and {"b":2}
        let jws = Unverified::read(b"eyJhIjoxfQ.eyJiIjoyfQ.AA", 100).unwrap();
        assert_eq!(jws.header().text(), r#"{"a":1}"#);
        assert_eq!(jws.claims().unwrap().text(), r#"{"b":2}"#);
        let jwe = Unverified::read(b"eyJhIjoxfQ.AA.AA.AA.AA", 100).unwrap();
        assert_eq!((jwe.header().text(), jwe.claims()), (r#"{"a":1}"#, None));
    }

    #[test]
    fn rejects_what_would_be_rejected_later() {
        for token in [
            "",
            "a",
            "eyJhIjoxfQ.eyJiIjoyfQ",
            "eyJhIjoxfQ.AA.AA",
            "AA.eyJhIjoxfQ.AA",
            "e.e.e.e.e.e",
        ] {
            assert!(matches!(Unverified::read(token.as_bytes(), 100), Err(Denial::Malformed(_))));
        }
        assert_eq!(Unverified::read(&[b'.'; 101], 100).unwrap_err(), Denial::TooLarge);
    }
}
