//! The JOSE header of a JWS (RFC 7515 section 4) and of a JWE (RFC 7516 section 4), parsed
//! strictly.
//!
//! `jku`, `jwk`, `x5u` and `x5c` are never looked at: a token does not bring its own key. `epk` and
//! `p2c` are not looked at either: they belong to algorithms that are not implemented.

use std::borrow::Cow;
use std::sync::Arc;

use crate::denial::{Defect, Denial};
use crate::jose::alg::Alg;
use crate::jose::enc::{Enc, KeyAlg};
use crate::text::base64url;
use crate::text::json::{Json, Value};

/// The header of a signed token, which is not authentic until the signature is checked.
#[derive(Clone, Debug)]
pub struct Header {
    alg: Alg,
    parameters: Arc<Parameters>,
}

impl Header {
    /// Decodes and parses the header segment of a JWS.
    ///
    /// # Errors
    ///
    /// [`Denial::Malformed`] where the segment is not strict base64url; the errors of
    /// [`Header::parse`].
    pub fn decode(segment: &[u8]) -> Result<Self, Denial> {
        Self::parse(base64url::decode(segment).ok_or(Defect::Base64)?)
    }

    /// Parses the decoded header segment of a JWS.
    ///
    /// # Errors
    ///
    /// - [`Denial::Malformed`]: not a JSON object, a member twice (section 4), `alg` missing
    ///   (section 4.1.1), `alg`, `kid`, `typ` or `cty` not a string;
    /// - [`Denial::UnsupportedAlgorithm`]: `alg` is `none` or unknown;
    /// - [`Denial::UnsupportedCriticalHeader`]: `crit` is present, since no extension is understood
    ///   (section 4.1.11), or `b64` is other than `true` (RFC 7797 section 6).
    pub fn parse<'a>(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, Denial> {
        let json = Json::parse_object(bytes)?;
        if json.member("b64").is_some_and(|b64| b64.as_bool() != Some(true)) {
            return Err(Denial::UnsupportedCriticalHeader);
        }
        let (parameters, name) = Parameters::read(json)?;
        let alg = Alg::from_name(&name).ok_or(Denial::UnsupportedAlgorithm)?;
        Ok(Self { alg, parameters: Arc::new(parameters) })
    }

    /// `alg`: the algorithm that the token names for its signature.
    pub fn alg(&self) -> Alg {
        self.alg
    }

    /// `kid`: a hint which key made the signature; it is compared, never opened or fetched.
    pub fn kid(&self) -> Option<&str> {
        self.parameters.kid()
    }

    /// The whole header.
    pub fn json(&self) -> &Json {
        self.parameters.json()
    }

    pub(crate) fn into_parameters(self) -> Arc<Parameters> {
        self.parameters
    }
}

/// The header of an encrypted token, which is authentic once the content is decrypted, since both
/// are authenticated together.
#[derive(Clone, Debug)]
pub struct JweHeader {
    alg: KeyAlg,
    enc: Enc,
    wrapping: Option<Wrapping>,
    parameters: Parameters,
}

/// `iv` and `tag` of a content encryption key that is wrapped with AES GCM (RFC 7518 section
/// 4.7.1).
#[derive(Clone, Debug)]
pub(crate) struct Wrapping {
    pub(crate) iv: Vec<u8>,
    pub(crate) tag: Vec<u8>,
}

impl JweHeader {
    /// Parses the decoded header segment of a JWE.
    ///
    /// # Errors
    ///
    /// - [`Denial::Malformed`]: as for [`Header::parse`]; `enc` missing or not a string (RFC 7516
    ///   section 4.1.2); `iv` or `tag` missing where `alg` needs them, or not base64url;
    /// - [`Denial::UnsupportedAlgorithm`]: `alg` or `enc` is unknown;
    /// - [`Denial::UnsupportedCriticalHeader`]: `crit` is present, or `zip`: compression reveals
    ///   the content through its length, and decompression has no limit (RFC 8725 section 3.6).
    pub fn parse(bytes: &[u8]) -> Result<Self, Denial> {
        let json = Json::parse_object(bytes)?;
        if json.member("zip").is_some() {
            return Err(Denial::UnsupportedCriticalHeader);
        }
        let (parameters, name) = Parameters::read(json)?;
        let json = parameters.json();
        let enc = json.member("enc").and_then(Value::as_str).ok_or(Defect::Enc)?;
        let enc = Enc::from_name(&enc).ok_or(Denial::UnsupportedAlgorithm)?;
        let alg = KeyAlg::from_name(&name, enc).ok_or(Denial::UnsupportedAlgorithm)?;
        let bytes = |name| {
            let text = json.member(name).and_then(Value::as_str);
            text.and_then(|text| base64url::decode(text.as_bytes())).ok_or(Defect::KeyParameter)
        };
        let wrapping = alg
            .has_parameters()
            .then(|| Ok::<_, Defect>(Wrapping { iv: bytes("iv")?, tag: bytes("tag")? }))
            .transpose()?;
        Ok(Self { alg, enc, wrapping, parameters })
    }

    /// `alg`: the way that the token names for obtaining the content encryption key.
    pub fn alg(&self) -> KeyAlg {
        self.alg
    }

    /// `enc`: the way that the token names for encrypting the content.
    pub fn enc(&self) -> Enc {
        self.enc
    }

    /// `kid`: a hint which key decrypts the token; it is compared, never opened or fetched.
    pub fn kid(&self) -> Option<&str> {
        self.parameters.kid()
    }

    pub(crate) fn wrapping(&self) -> Option<&Wrapping> {
        self.wrapping.as_ref()
    }

    pub(crate) fn into_parameters(self) -> Parameters {
        self.parameters
    }
}

/// The header parameters that signed and encrypted tokens have in common.
#[derive(Clone, Debug)]
pub struct Parameters {
    kid: Option<String>,
    json: Json,
}

impl Parameters {
    /// Checks the parameters that both kinds of token have; also returns the name in `alg`.
    fn read(json: Json) -> Result<(Self, String), Denial> {
        if json.member("crit").is_some() {
            return Err(Denial::UnsupportedCriticalHeader);
        }
        let alg = json.member("alg").and_then(Value::as_str).ok_or(Defect::Alg)?.into_owned();
        for parameter in ["kid", "typ", "cty"] {
            if json.member(parameter).is_some_and(|value| value.as_str().is_none()) {
                return Err(Defect::HeaderType.into());
            }
        }
        let kid = json.member("kid").and_then(Value::as_str).map(Cow::into_owned);
        Ok((Self { kid, json }, alg))
    }

    /// `kid`: the name of the key.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The whole header.
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// The bytes that the parameters take in total.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.kid.as_ref().map_or(0, String::capacity) + self.json.heap_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> Denial {
        Header::parse(json.as_bytes()).unwrap_err()
    }

    #[test]
    fn reads_alg_and_kid() {
        let header = Header::parse(br#"{"typ":"JWT","alg":"ES256","kid":"a\u002fb"}"#).unwrap();
        assert_eq!((header.alg(), header.kid()), (Alg::ES256, Some("a/b")));
    }

    #[test]
    fn rejects_a_first_part_that_is_not_strict_base64url() {
        let segment = base64url::encode(br#"{"alg":"ES256"}"#);
        assert_eq!(Header::decode(segment.as_bytes()).unwrap().alg(), Alg::ES256);
        for segment in [format!("{segment}="), format!(" {segment}"), "YR".into(), "Y".into()] {
            let denial = Header::decode(segment.as_bytes()).unwrap_err();
            assert_eq!(denial, Denial::Malformed(Defect::Base64), "{segment}");
        }
    }

    #[test]
    fn rejects_alg_none_in_any_spelling() {
        for alg in ["none", "None", "NONE", "nOnE", "", "HS256 ", "hs256", "A128KW"] {
            assert_eq!(refusal(&format!(r#"{{"alg":"{alg}"}}"#)), Denial::UnsupportedAlgorithm);
        }
    }

    #[test]
    fn rejects_a_header_without_alg_or_with_one_that_is_no_string() {
        for json in [
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":["RS256"]}"#,
            r#"{"alg":256}"#,
            r#"{"Alg":"RS256"}"#,
        ] {
            assert_eq!(refusal(json), Denial::Malformed(Defect::Alg), "{json}");
        }
    }

    #[test]
    fn rejects_crit_whether_unknown_known_empty_or_ill_typed() {
        for crit in [r#"["exp"]"#, r#"["b64"]"#, r#"["x"]"#, "[]", "null", r#""exp""#, "{}"] {
            let json = format!(r#"{{"alg":"RS256","b64":true,"crit":{crit}}}"#);
            assert_eq!(refusal(&json), Denial::UnsupportedCriticalHeader, "{crit}");
        }
    }

    #[test]
    fn rejects_an_unencoded_payload_even_without_crit() {
        for b64 in ["false", "null", "0", "\"true\""] {
            let json = format!(r#"{{"alg":"RS256","b64":{b64}}}"#);
            assert_eq!(refusal(&json), Denial::UnsupportedCriticalHeader, "{b64}");
        }
        assert!(Header::parse(br#"{"alg":"RS256","b64":true}"#).is_ok());
    }

    #[test]
    fn rejects_duplicate_header_members() {
        for json in [
            r#"{"alg":"none","alg":"RS256"}"#,
            r#"{"alg":"RS256","alg":"RS256"}"#,
            r#"{"alg":"RS256","\u0061lg":"none"}"#,
            r#"{"alg":"RS256","jwk":{"kty":"RSA","kty":"oct"}}"#,
        ] {
            assert_eq!(refusal(json), Denial::Malformed(Defect::DuplicateMember), "{json}");
        }
    }

    #[test]
    fn rejects_what_is_not_an_object_in_utf8() {
        assert_eq!(refusal("[]"), Denial::Malformed(Defect::NotAnObject));
        assert_eq!(refusal("\"RS256\""), Denial::Malformed(Defect::NotAnObject));
        assert_eq!(refusal(""), Denial::Malformed(Defect::Json));
        let latin1 = Header::parse(b"{\"alg\":\"RS256\",\"kid\":\"\xe9\"}").unwrap_err();
        assert_eq!(latin1, Denial::Malformed(Defect::Json));
    }

    #[test]
    fn rejects_kid_typ_or_cty_that_is_no_string() {
        for parameter in ["kid", "typ", "cty"] {
            for value in ["1", "null", "[]", "{}", "true"] {
                let json = format!(r#"{{"alg":"RS256","{parameter}":{value}}}"#);
                assert_eq!(refusal(&json), Denial::Malformed(Defect::HeaderType), "{json}");
            }
        }
    }
}
