//! Key files, in every format that has one.

use std::path::Path;

use ojwt_core::json::Json;
use ojwt_core::jwk::{self, Jwk};
use ojwt_core::keys::{KeyError, MAX_KEY_FILE_SIZE};
use ojwt_core::material::Material;
use ojwt_core::sign::{SigningKey, public_pem};
use ojwt_core::{KeyFormat, KeySet, KeySetBuilder, pem};

use crate::error::{Error, warn_of};
use crate::files;

/// The key to sign with.
pub(crate) fn signing_key(file: &Path) -> Result<SigningKey, Error> {
    let contents = read(file)?;
    if Json::parse_object(&contents).is_ok_and(|json| json.member("keys").is_some()) {
        return Err(Error::of(file, "a JWK Set, where one key is needed"));
    }
    let key = SigningKey::read(&contents).map_err(|error| Error::of(file, error))?;
    if files::is_open_to_all(file) {
        warn_of(file, "is open to every user of this machine; chmod 600 closes it");
    }
    Ok(key)
}

/// The keys to verify with.
pub(crate) fn verification_keys(file: &Path, format: Option<KeyFormat>) -> Result<KeySet, Error> {
    let of_file = |error| Error::of(file, error);
    let mut contents = read(file)?;
    if format.is_none() && is_private_pem(&contents) {
        let public = SigningKey::read(&contents).and_then(|key| key.material()).map_err(of_file)?;
        contents = public_pem(&public).unwrap_or_default().into_bytes();
    }
    let mut builder = KeySetBuilder::new();
    let added = builder.add(&contents, format);
    for warning in builder.take_warnings() {
        warn_of(file, warning);
    }
    added.map_err(of_file)?;
    Ok(builder.build().0)
}

/// The public keys of a file, in its order; those of private keys, too.
pub(crate) fn public_keys(file: &Path) -> Result<Vec<Jwk>, Error> {
    let contents = read(file)?;
    let keys = if contents.trim_ascii_start().first() == Some(&b'{') {
        public_jwks(file, &contents)
    } else if is_private_pem(&contents) {
        SigningKey::read(&contents).and_then(|key| key.material()).map(|key| vec![key.into()])
    } else {
        pem::parse(&contents).map(|keys| keys.into_iter().map(Jwk::from).collect())
    };
    let keys = keys.map_err(|error| Error::of(file, error))?;
    if keys.is_empty() {
        return Err(Error::of(file, KeyError::NoKey));
    }
    for key in &keys {
        if matches!(key.material, Material::Secret(_)) {
            return Err(Error::of(file, "a shared secret, which has no public part"));
        }
        // A point that is not on its curve is no key, though it can be written as one.
        let usable = key.material.algs().and_then(|algs| {
            algs.first().map_or(Err(KeyError::NoKey), |alg| key.material.verifier(*alg))
        });
        usable.map_err(|error| Error::of(file, error))?;
    }
    Ok(keys)
}

fn public_jwks(file: &Path, contents: &[u8]) -> Result<Vec<Jwk>, KeyError> {
    let json = Json::parse_object(contents).map_err(KeyError::Json)?;
    let Some(set) = json.member("keys") else {
        return Ok(vec![for_signatures(jwk::parse(json.root())?)?]);
    };
    let mut keys = Vec::new();
    for (index, value) in set.as_array().ok_or(KeyError::Member("keys"))?.enumerate() {
        match jwk::parse(value).and_then(for_signatures) {
            Ok(key) => keys.push(key),
            // RFC 7517 section 5: a set may hold keys of kinds that are not understood.
            Err(KeyError::Unusable(why)) => {
                warn_of(file, format_args!("key {index}: skipped: {why}"));
            }
            Err(error) => return Err(error.in_key(index)),
        }
    }
    Ok(keys)
}

fn for_signatures(key: Jwk) -> Result<Jwk, KeyError> {
    if key.verifies {
        Ok(key)
    } else {
        Err(KeyError::Unusable("for decryption, not for signatures"))
    }
}

fn is_private_pem(contents: &[u8]) -> bool {
    contents.trim_ascii_start().first() != Some(&b'{') && files::holds_private_pem(contents)
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    let contents = files::read(file, MAX_KEY_FILE_SIZE)?;
    if contents.len() > MAX_KEY_FILE_SIZE {
        return Err(Error::of(file, KeyError::FileTooLarge));
    }
    Ok(contents)
}
