//! Keys in whichever file format, public or private.

use std::path::Path;

use ojwt_core::Alg;
use ojwt_core::json::Json;
use ojwt_core::jwk;
use ojwt_core::keys::KeyError;
use ojwt_core::material::Material;
use ojwt_core::pem;
use ojwt_core::sign::SigningKey;

use crate::Failure;
use crate::files::{failed, read};

/// A key that can verify, with what its file says of it.
pub(crate) struct PublicKey {
    pub(crate) material: Material,
    pub(crate) kid: Option<String>,
    pub(crate) alg: Option<Alg>,
}

/// Reads a private key or a shared secret.
pub(crate) fn private(path: &Path) -> Result<SigningKey, Failure> {
    SigningKey::read(&read(path)?).map_err(|error| failed(path, &error.to_string()))
}

/// Reads the public keys of a file; of a private key, its public half.
pub(crate) fn public(path: &Path) -> Result<Vec<PublicKey>, Failure> {
    let file = read(path)?;
    let keys = if file.trim_ascii_start().first() == Some(&b'{') {
        from_json(&file)
    } else {
        from_pem(&file)
    };
    match keys {
        Ok(keys) if keys.is_empty() => Err(failed(path, &KeyError::NoKey.to_string())),
        Ok(keys) => Ok(keys),
        Err(error) => Err(failed(path, &error.to_string())),
    }
}

fn from_pem(file: &[u8]) -> Result<Vec<PublicKey>, KeyError> {
    let materials = match SigningKey::read(file) {
        Ok(key) => vec![key.material()?],
        Err(_) => pem::parse(file)?,
    };
    let unnamed = |material| PublicKey { material, kid: None, alg: None };
    Ok(materials.into_iter().map(unnamed).collect())
}

fn from_json(file: &[u8]) -> Result<Vec<PublicKey>, KeyError> {
    let json = Json::parse_object(file).map_err(KeyError::Json)?;
    let read = |value| {
        let jwk = jwk::parse(value)?;
        Ok(PublicKey { material: jwk.material, kid: jwk.kid, alg: jwk.alg })
    };
    match json.member("keys") {
        None => Ok(vec![read(json.root())?]),
        Some(keys) => keys
            .as_array()
            .ok_or(KeyError::Member("keys"))?
            .enumerate()
            .map(|(index, value)| read(value).map_err(|error: KeyError| error.in_key(index)))
            .collect(),
    }
}
