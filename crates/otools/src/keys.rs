//! Reads key files in every supported format.

use std::path::Path;

use ojwt_core::issue::sign::{SigningKey, public_pem};
use ojwt_core::keys::jwk::{self, Jwk};
use ojwt_core::keys::material::Material;
use ojwt_core::keys::{KeyError, MAX_KEY_FILE_SIZE, without_byte_order_mark};
use ojwt_core::keys::{pem, spki};
use ojwt_core::text::json::Json;
use ojwt_core::{KeyFormat, KeySet, KeySetBuilder};

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

/// The public keys of a file, in the order of the file, including the public halves of private
/// keys. A key that cannot be used is skipped with a warning where there are others.
pub(crate) fn public_keys(file: &Path) -> Result<Vec<Jwk>, Error> {
    let of_file = |error| Error::of(file, error);
    let contents = read(file)?;
    let contents = without_byte_order_mark(&contents);
    let mut keys = Vec::new();
    let mut skipped = Vec::new();
    for (index, key) in read_public(contents).map_err(of_file)?.into_iter().enumerate() {
        match key.and_then(for_signatures) {
            Ok(key) if matches!(key.material, Material::Secret(_)) => {
                return Err(Error::of(file, "a shared secret, which has no public part"));
            }
            Ok(key) => keys.push(key),
            Err(error) => skipped.push((index, error)),
        }
    }
    if keys.is_empty() {
        let reasons = skipped.into_iter().map(|(index, error)| error.in_key(index));
        return Err(of_file(KeyError::of_all(reasons.collect())));
    }
    for (index, why) in skipped {
        warn_of(file, format_args!("key {index}: skipped: {why}"));
    }
    Ok(keys)
}

/// Every key of a file, or the reason why the key cannot be used. A file with a single key that
/// cannot be used fails as a whole.
fn read_public(contents: &[u8]) -> Result<Vec<Result<Jwk, KeyError>>, KeyError> {
    if contents.trim_ascii_start().first() == Some(&b'{') {
        let json = Json::parse_object(contents).map_err(KeyError::Json)?;
        return match json.member("keys") {
            None => Ok(vec![Ok(for_signatures(jwk::parse(json.root())?)?)]),
            Some(set) => {
                Ok(set.as_array().ok_or(KeyError::Member("keys"))?.map(jwk::parse).collect())
            }
        };
    }
    if is_private_pem(contents) {
        let key = SigningKey::read(contents).and_then(|key| key.material())?;
        return Ok(vec![Ok(key.into())]);
    }
    if let Ok(key) = spki::from_der(contents) {
        return Ok(vec![Ok(key.into())]);
    }
    if let Ok(key) = SigningKey::from_der(contents) {
        return Ok(vec![Ok(key.material()?.into())]);
    }
    Ok(pem::read(contents)?.into_iter().map(|key| key.map(Jwk::from)).collect())
}

/// The key, where it verifies signatures. A point that is not on its curve is not a key, although
/// it can be written as one.
fn for_signatures(key: Jwk) -> Result<Jwk, KeyError> {
    if !key.verifies {
        return Err(KeyError::Unusable("for decryption, not for signatures"));
    }
    if !matches!(key.material, Material::Secret(_)) {
        let alg = *key.material.algs()?.first().ok_or(KeyError::NoKey)?;
        key.material.verifier(alg)?;
    }
    Ok(key)
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
