//! Keys as a JSON object that maps each `kid` to a key: a public key or a certificate in PEM, or
//! otherwise the characters of a shared secret for HMAC.
//!
//! An error message of a server in JSON has the same form, so a text that is evidently no secret is
//! refused.

use crate::keys::error::KeyError;
use crate::keys::material::Material;
use crate::keys::pem;
use crate::text::json::{Json, Object, Value};

/// Reads every key, with its name. [`Json`] refuses an object that has a name twice.
///
/// In an object that looks like an error message, no text is taken for a secret. In an object with
/// a value that is no key, no text of several words is taken for a secret.
pub fn parse(json: &Json) -> Vec<(String, Result<Material, KeyError>)> {
    let members = || json.root().as_object().into_iter().flat_map(Object::members);
    let mut keys: Vec<_> =
        members().map(|(kid, value)| (kid.into_owned(), material(value))).collect();
    let is_error = members().any(|(name, value)| is_of_an_error(&name, value));
    if is_error || keys.iter().any(|(_, key)| key.is_err()) {
        for (_, key) in &mut keys {
            if matches!(key, Ok(Material::Secret(secret)) if is_error || has_words(secret)) {
                *key = Err(KeyError::NotSecret("what a server says of an error"));
            }
        }
    }
    keys
}

/// Names of members of error messages, in lower case (RFC 6749 section 5.2, RFC 9457 section 3.1,
/// and names that frameworks use).
const NAMES_IN_ERRORS: [&str; 12] = [
    "code",
    "detail",
    "details",
    "error",
    "error_description",
    "errors",
    "exception",
    "message",
    "path",
    "status",
    "timestamp",
    "title",
];

/// Whether error messages have a member like this one, and maps of keys do not.
fn is_of_an_error(name: &str, value: Value<'_>) -> bool {
    let is_key = value.is_string() || value.text() == "null";
    !is_key || NAMES_IN_ERRORS.contains(&name.to_ascii_lowercase().as_str())
}

fn material(value: Value<'_>) -> Result<Material, KeyError> {
    let text = value.as_str().ok_or(KeyError::Encoding("a string"))?;
    if pem::is_pem(text.as_bytes()) {
        let mut keys = pem::parse(text.as_bytes())?.into_iter();
        return match (keys.next(), keys.next()) {
            (Some(key), None) => Ok(key),
            _ => Err(KeyError::Encoding("a single key")),
        };
    }
    let secret = Material::secret(text.into_owned().into_bytes())?;
    secret.algs()?;
    Ok(secret)
}

fn has_words(text: &[u8]) -> bool {
    text.trim_ascii().contains(&b' ')
}
