//! The claims of a token that was verified (RFC 7519 section 4).

use std::borrow::Cow;
use std::sync::Arc;

use crate::denial::Refusal;
use crate::jose::alg::Alg;
use crate::jose::header::Parameters;
use crate::text::json::{Json, Object, Value};
use crate::token::host::Hosts;
use crate::token::jws::Verified;

/// The claims of a verified token; only a [`Verified`] token gives claims.
#[derive(Clone, Debug)]
pub struct Claims {
    header: Arc<Parameters>,
    alg: Option<Alg>,
    json: Json,
    /// The compact JWS that the claims came in, where the JWS was the content of an encrypted
    /// token.
    enclosed: Option<String>,
    expires: Option<NumericDate>,
    not_before: Option<NumericDate>,
    /// The hosts of the claim `host`, and those of the claim `Host`.
    hosts: [Option<Hosts>; 2],
}

impl Claims {
    /// Reads the claims and checks the types of the registered claims.
    ///
    /// # Errors
    ///
    /// [`Denial::Malformed`](crate::Denial::Malformed) where the payload is not a JSON object that
    /// names each member once; [`Denial::ClaimRejected`](crate::Denial::ClaimRejected), with the
    /// name of the claim, where `exp`, `nbf` or `iat` is not a number (RFC 7519 section 2,
    /// `NumericDate`), `iss`, `sub` or `jti` is not a string (sections 4.1.1, 4.1.2 and 4.1.7), or
    /// `aud` is neither a string nor an array of strings (section 4.1.3).
    pub fn of(token: Verified) -> Result<Self, Refusal> {
        let (header, payload, alg) = token.into_parts();
        let json = Json::parse_object(payload)?;
        let (mut expires, mut not_before) = (None, None);
        let (mut host, mut capital_host) = (None, None);
        for (name, value) in json.root().as_object().into_iter().flat_map(Object::members) {
            match &*name {
                "iss" | "sub" | "jti" if !value.is_string() => {
                    return Err(misfit(&name, value, "a string"));
                }
                "aud" if !are_strings(value) => {
                    return Err(misfit(&name, value, "a string or an array of strings"));
                }
                "exp" => expires = Some(date(&name, value)?),
                "nbf" => not_before = Some(date(&name, value)?),
                "iat" => {
                    date(&name, value)?;
                }
                "host" => host = Some(hosts_in(value)),
                "Host" => capital_host = Some(hosts_in(value)),
                _ => {}
            }
        }
        let hosts = [host, capital_host];
        Ok(Self { header, alg, json, enclosed: None, expires, not_before, hosts })
    }

    /// Records that the claims came in this signed token, which was the content of an encrypted
    /// one.
    #[must_use]
    pub(crate) fn enclosed_in(self, jws: String) -> Self {
        Self { enclosed: Some(jws), ..self }
    }

    /// The header of the token, verified like the claims. Where a signed token was the content of
    /// an encrypted one, this is the header of the signed token.
    pub fn header(&self) -> &Parameters {
        &self.header
    }

    /// The algorithm of the signature; `None` where the token was encrypted but not signed.
    pub fn alg(&self) -> Option<Alg> {
        self.alg
    }

    /// All claims.
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// All claims as compact JSON, in the issuer's order, numbers as written.
    pub fn as_json(&self) -> &str {
        self.json.text()
    }

    /// The content of the token: the signed token where the token enclosed one, otherwise the
    /// claims as compact JSON.
    pub fn payload(&self) -> &str {
        self.enclosed.as_deref().unwrap_or(self.as_json())
    }

    /// The claim with this name.
    pub fn claim(&self, name: &str) -> Option<Value<'_>> {
        self.json.member(name)
    }

    /// Every claim, in the issuer's order.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'_, str>, Value<'_>)> {
        self.json.root().as_object().into_iter().flat_map(Object::members)
    }

    /// The hosts that the claims `host` and `Host` bind the token to, one item for each claim that
    /// is present. Each item must name the requested host.
    pub fn hosts(&self) -> impl Iterator<Item = &Hosts> {
        self.hosts.iter().flatten()
    }

    /// The bytes that the claims take in total. The header counts in full, since these claims may
    /// be its last user.
    pub(crate) fn size(&self) -> usize {
        let enclosed = self.enclosed.as_ref().map_or(0, String::capacity);
        let hosts: usize = self.hosts().map(Hosts::heap_size).sum();
        size_of::<Self>() + self.header.size() + self.json.heap_size() + enclosed + hosts
    }

    /// `exp`: from this date on, the token is not accepted.
    pub fn expires(&self) -> Option<NumericDate> {
        self.expires
    }

    /// `nbf`: before this date, the token is not accepted.
    pub fn not_before(&self) -> Option<NumericDate> {
        self.not_before
    }
}

/// The elements of a claim that is a string or an array of strings; `None` for any other type.
pub fn strings(value: Value<'_>) -> Option<Vec<Cow<'_, str>>> {
    match value.as_array() {
        Some(elements) => elements.map(Value::as_str).collect(),
        None => value.as_str().map(|one| vec![one]),
    }
}

/// Whether a claim is a string or an array of strings.
fn are_strings(value: Value<'_>) -> bool {
    match value.as_array() {
        Some(mut elements) => elements.all(Value::is_string),
        None => value.is_string(),
    }
}

/// The refusal of a claim whose type is not allowed.
#[cold]
fn misfit(name: &str, value: Value<'_>, wanted: &str) -> Refusal {
    let stranger = value.as_array().and_then(|mut elements| elements.find(|e| !e.is_string()));
    Refusal::claim(match stranger {
        Some(stranger) if name == "aud" => {
            format!("claim {name} is an array with {}, not {wanted}", stranger.kind().name())
        }
        _ => format!("claim {name} is {}, not {wanted}", value.kind().name()),
    })
}

fn date(name: &str, value: Value<'_>) -> Result<NumericDate, Refusal> {
    let Some(number) = value.as_number() else { return Err(misfit(name, value, "a number")) };
    NumericDate::parse(number)
        .ok_or_else(|| Refusal::claim(format!("claim {name} is a number beyond all times")))
}

/// The hosts that a claim names; none where the claim is neither a string nor an array of strings.
fn hosts_in(value: Value<'_>) -> Hosts {
    match value.as_str() {
        Some(host) => Hosts::new(&[host]),
        None => Hosts::new(&strings(value).unwrap_or_default()),
    }
}

/// Seconds since 1970-01-01T00:00:00Z, fractions allowed (RFC 7519 section 2).
///
/// Stored as a double: exact to the second for the next 285 million years, and no sum overflows.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct NumericDate(f64);

impl NumericDate {
    /// A whole second.
    #[allow(clippy::cast_precision_loss)] // Exact below 2^53 seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds as f64)
    }

    /// The seconds from `now` until this date, rounded down; zero where the date has passed.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates.
    pub fn seconds_after(self, now: Self) -> u64 {
        (self.0 - now.0).max(0.0) as u64
    }

    /// This date plus `seconds`.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // Exact below 2^53 seconds.
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0 + seconds as f64)
    }

    /// Reads a number in JSON's grammar, which is a part of the grammar that Rust reads.
    pub(crate) fn parse(number: &str) -> Option<Self> {
        // A number that is too large for a double becomes infinite.
        number.parse().ok().filter(|seconds: &f64| seconds.is_finite()).map(Self)
    }
}
