//! Keys as a JSON object that maps each `kid` to a key: a public key or a certificate in PEM, or else
//! the characters of a shared secret for HMAC.

use crate::json::{Json, Object, Value};
use crate::keys::KeyError;
use crate::material::Material;
use crate::pem;

/// Reads every key, with its name. That no name occurs twice is what [`Json`] sees to.
///
/// # Errors
///
/// The [`KeyError`] of the first key that is broken, with its name.
pub fn parse(json: &Json) -> Result<Vec<(String, Material)>, KeyError> {
    let members = json.root().as_object().into_iter().flat_map(Object::members);
    members
        .map(|(kid, value)| match material(value) {
            Ok(material) => Ok((kid.into_owned(), material)),
            Err(error) => Err(error.in_key_named(&kid)),
        })
        .collect()
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
    Material::secret(text.into_owned().into_bytes())
}
