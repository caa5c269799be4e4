//! A verifier that is slow and plain, and shares no code with ojwt: signatures by `jsonwebtoken`,
//! JSON by `serde_json`, the rest written again from the RFCs and from docs/.

use std::collections::HashSet;
use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why the reference does not accept.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// Neither should ojwt.
    Bad,
    /// It cannot tell: ojwt reads numbers as text, which `serde_json` cannot where they overflow a
    /// double.
    Unknown,
}

use Refused::{Bad, Unknown};

// Base64url

/// Decodes base64url without padding, in its one canonical spelling.
pub fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bits, mut width, mut bytes) = (0u32, 0, Vec::new());
    for character in text {
        let six = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        width += 6;
        if width >= 8 {
            width -= 8;
            bytes.push((bits >> width) as u8);
            bits &= (1 << width) - 1;
        }
    }
    (width < 6 && bits == 0).then_some(bytes)
}

// JSON

/// Parses JSON that names no member twice and nests no deeper than 32.
pub fn json(bytes: &[u8]) -> Result<Value, Refused> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let refused = |error: serde_json::Error| {
        if error.to_string().contains("number out of range") { Unknown } else { Bad }
    };
    let value = Strict(32).deserialize(&mut parser).map_err(refused)?;
    parser.end().map_err(refused)?;
    Ok(value)
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, Refused> {
    match json(bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(Bad),
    }
}

/// How deep arrays and objects may still nest.
#[derive(Clone, Copy)]
struct Strict(usize);

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let (mut object, mut seen) = (Map::new(), HashSet::new());
        while let Some(name) = members.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom("a member twice"));
            }
            let value = members.next_value_seed(inner)?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

// Tokens

/// The header of a signed token: `alg` and `kid`.
pub fn header(bytes: &[u8]) -> Result<(String, Option<String>), Refused> {
    let header = object(bytes)?;
    let text =
        |name: &str| header.get(name).map(|value| value.as_str().map(String::from).ok_or(Bad));
    let is_plain = !header.contains_key("crit")
        && header.get("b64").is_none_or(|value| *value == Value::Bool(true));
    if !is_plain {
        return Err(Bad);
    }
    text("typ").transpose()?;
    text("cty").transpose()?;
    Ok((text("alg").ok_or(Bad)??, text("kid").transpose()?))
}

/// When and for whom a token is judged.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    pub now: i64,
    pub leeway: u64,
    pub host: Option<&'a [u8]>,
}

/// Judges what a token claims.
pub fn claims(payload: &[u8], at: At<'_>) -> Result<Map<String, Value>, Refused> {
    let claims = object(payload)?;
    let demand = |holds: bool| if holds { Ok(()) } else { Err(Bad) };
    for name in ["iss", "sub", "jti"] {
        demand(claims.get(name).is_none_or(Value::is_string))?;
    }
    demand(claims.get("aud").is_none_or(|aud| match aud {
        Value::Array(values) => values.iter().all(Value::is_string),
        value => value.is_string(),
    }))?;
    for name in ["exp", "nbf", "iat"] {
        demand(claims.get(name).is_none_or(Value::is_number))?;
    }
    let date = |name: &str| claims.get(name).and_then(Value::as_f64);
    let (now, leeway) = (at.now as f64, at.leeway as f64);
    demand(date("exp").is_none_or(|exp| now < exp + leeway))?;
    demand(date("nbf").is_none_or(|nbf| now + leeway >= nbf))?;
    if let Some(requested) = at.host {
        for name in ["host", "Host"] {
            demand(claims.get(name).is_none_or(|claim| names(claim, requested)))?;
        }
    }
    Ok(claims)
}

/// Whether a claim, a string or an array of strings, names the host.
fn names(claim: &Value, requested: &[u8]) -> bool {
    let same = |claimed: &str| {
        let (claimed, requested) = (host(claimed.as_bytes()), host(requested));
        // What still has a port or a final period is no host.
        !claimed.is_empty() && host(&claimed) == claimed && claimed == requested
    };
    match claim {
        Value::String(claimed) => same(claimed),
        Value::Array(all) if all.iter().all(Value::is_string) => {
            all.iter().filter_map(Value::as_str).any(same)
        }
        _ => false,
    }
}

/// A host in small letters, without its port and without its final period.
fn host(text: &[u8]) -> Vec<u8> {
    let mut host = text.to_ascii_lowercase();
    let mut end = host.len();
    while end > 0 && host[end - 1].is_ascii_digit() {
        end -= 1;
    }
    if end > 0 && host[end - 1] == b':' {
        let before = &host[..end - 1];
        if before.last() == Some(&b']') || !before.contains(&b':') {
            host.truncate(end - 1);
        }
    }
    if host.last() == Some(&b'.') {
        host.pop();
    }
    host
}

/// Whether `jsonwebtoken` takes the signature of a token by this JWK; `None` where it has not the
/// algorithm.
pub fn is_signed(alg: &str, input: &[u8], signature: &str, jwk: &Value) -> Option<bool> {
    // Another name of what it has (RFC 9864).
    let algorithm: Algorithm = if alg == "Ed25519" { "EdDSA" } else { alg }.parse().ok()?;
    let member = |name: &str| jwk[name].as_str().unwrap_or_default();
    let (kty, crv) = (member("kty"), member("crv"));
    if crv == "Ed448" {
        return None;
    }
    let key = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 if kty == "oct" => {
            DecodingKey::from_secret(&base64url(member("k").as_bytes())?)
        }
        Algorithm::ES256 if crv == "P-256" => {
            DecodingKey::from_ec_components(member("x"), member("y")).ok()?
        }
        Algorithm::ES384 if crv == "P-384" => {
            DecodingKey::from_ec_components(member("x"), member("y")).ok()?
        }
        Algorithm::EdDSA if crv == "Ed25519" => {
            DecodingKey::from_ed_components(member("x")).ok()?
        }
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512
            if kty == "RSA" =>
        {
            DecodingKey::from_rsa_components(member("n"), member("e")).ok()?
        }
        _ => return Some(false),
    };
    Some(jsonwebtoken::crypto::verify(signature, input, &key, algorithm).unwrap_or(false))
}
