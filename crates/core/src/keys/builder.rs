//! Reads key files, in any of the formats.

use core::fmt;

use crate::jose::alg::Alg;
use crate::keys::decrypter::KeyDecrypter;
use crate::keys::error::{KeyError, MAX_KEY_FILE_SIZE};
use crate::keys::jwk::{self, Jwk};
use crate::keys::material::{Material, SignatureVerifier};
use crate::keys::set::KeySet;
use crate::keys::{der, keyval, pem, spki};
use crate::text::json::Json;
use crate::text::outline;

/// How many warnings of one file are kept; one more warning gives the number of the others.
pub const MAX_WARNINGS: usize = 16;

/// The byte order mark of UTF-8, which some editors write (RFC 8259 section 8.1 lets a parser
/// ignore it).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The format of a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyFormat {
    /// A JWK Set (RFC 7517 section 5), or a single JWK.
    Jwks,
    /// Public keys and certificates in PEM.
    Pem,
    /// A JSON object of keys in PEM and shared secrets by `kid`: see [`keyval`].
    Keyval,
}

/// Collects the keys of one or more files.
#[derive(Debug, Default)]
pub struct KeySetBuilder {
    keys: KeySet,
    warnings: Vec<KeyWarning>,
}

impl KeySetBuilder {
    /// A builder without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds every usable key of a file, or no key at all where the file is refused.
    ///
    /// A key that is broken, weak or of an unknown kind is skipped with a [`KeyWarning`] (RFC 7517
    /// section 5), so that the other keys of the file stay usable.
    ///
    /// Where no format is given, it is guessed. JSON that is neither a JWK Set nor a JWK is taken
    /// as [`KeyFormat::Keyval`], but its shared secrets are refused: otherwise the texts of any
    /// JSON, such as an error message of a server, would be secrets that everyone knows. A file
    /// that is neither JSON nor PEM may be a single key in DER.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] where the file is broken as a whole, or where none of its keys is usable.
    pub fn add(&mut self, file: &[u8], format: Option<KeyFormat>) -> Result<(), KeyError> {
        if file.len() > MAX_KEY_FILE_SIZE {
            return Err(KeyError::FileTooLarge);
        }
        let file = without_byte_order_mark(file);
        let read = read(file, format);
        let mut found = read.map_err(|error| what_else(file).map_or(error, KeyError::NotKeys))?;
        if found.usable.is_empty() {
            return Err(found.into_error());
        }
        self.insert(core::mem::take(&mut found.usable));
        self.warnings.extend(found.into_warnings());
        Ok(())
    }

    /// Adds a key for every algorithm whose signatures the key can verify.
    ///
    /// # Errors
    ///
    /// The errors of [`Material::algs`] and [`Material::verifier`].
    pub fn add_key(&mut self, material: &Material, kid: Option<&str>) -> Result<(), KeyError> {
        self.insert(verifiers(material, kid, None)?);
        Ok(())
    }

    /// The warnings since the last call; a second call returns none of these again.
    pub fn take_warnings(&mut self) -> Vec<KeyWarning> {
        core::mem::take(&mut self.warnings)
    }

    /// The set of keys, and the remaining warnings.
    pub fn build(self) -> (KeySet, Vec<KeyWarning>) {
        (self.keys, self.warnings)
    }

    fn insert(&mut self, keys: Vec<Usable>) {
        for Usable { kid, key } in keys {
            match key {
                Key::Verifier(algs, key) => self.keys.add_verifier(algs, kid.as_deref(), key),
                Key::Decrypter(key) => {
                    self.keys.add_decrypter(kid.as_deref(), key);
                }
            }
        }
    }
}

/// The file without the byte order mark that it may begin with.
pub fn without_byte_order_mark(file: &[u8]) -> &[u8] {
    file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file)
}

fn read(file: &[u8], format: Option<KeyFormat>) -> Result<Found, KeyError> {
    let json = || Json::parse_object(file).map_err(KeyError::Json);
    match format {
        Some(KeyFormat::Jwks) => read_jwks(file, json()),
        Some(KeyFormat::Keyval) => Ok(read_keyval(&json()?, Secrets::Taken)),
        Some(KeyFormat::Pem) => read_pem(file),
        None if file.trim_ascii_start().first() == Some(&b'{') => match json() {
            Ok(json) if json.member("keys").or(json.member("kty")).is_none() => {
                Ok(read_keyval(&json, Secrets::Refused))
            }
            json => read_jwks(file, json),
        },
        None if der::is_der(file) => {
            let usable = verifiers(&spki::from_der(file)?, None, None)?;
            Ok(Found { usable, ..Found::default() })
        }
        None if pem::is_pem(file) => read_pem(file),
        None => Err(KeyError::NotKeys("neither JSON, nor PEM, nor DER")),
    }
}

/// What a file that could not be read evidently is; `None` where that is not evident.
fn what_else(file: &[u8]) -> Option<&'static str> {
    match file.trim_ascii_start().first() {
        None => Some("there is nothing in it"),
        Some(b'<') => Some("it looks like HTML"),
        Some(_) => None,
    }
}

/// Reads a JWK Set or a JWK from its JSON.
fn read_jwks(file: &[u8], json: Result<Json, KeyError>) -> Result<Found, KeyError> {
    let mut found = Found::default();
    let json = match json {
        Ok(json) => json,
        // The JSON is broken: if only single keys are, each key is parsed on its own.
        Err(error) => {
            for (index, key) in outline::keys(file).ok_or(error)?.into_iter().enumerate() {
                let jwk = Json::parse(key).map_err(KeyError::Json);
                found.add(index, jwk.and_then(|json| jwk::parse(json.root())));
            }
            return Ok(found);
        }
    };
    let Some(keys) = json.member("keys") else {
        found.add_jwk(0, jwk::parse(json.root())?)?;
        return Ok(found);
    };
    for (index, value) in keys.as_array().ok_or(KeyError::Member("keys"))?.enumerate() {
        found.add(index, jwk::parse(value));
    }
    Ok(found)
}

fn read_pem(file: &[u8]) -> Result<Found, KeyError> {
    let mut found = Found::default();
    for (index, key) in pem::read(file)?.into_iter().enumerate() {
        match key.and_then(|key| verifiers(&key, None, None)) {
            Ok(keys) => found.usable.extend(keys),
            Err(error) => found.skip(error.in_key(index)),
        }
    }
    if found.usable.is_empty() && found.skipped.is_empty() {
        return Err(KeyError::NotKeys("no PEM in it"));
    }
    Ok(found)
}

/// Whether a file may hold shared secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Taken,
    Refused,
}

fn read_keyval(json: &Json, secrets: Secrets) -> Found {
    let mut found = Found::default();
    for (kid, key) in keyval::parse(json) {
        let keys = key.and_then(|material| {
            if secrets == Secrets::Refused && matches!(material, Material::Secret(_)) {
                return Err(KeyError::GuessedSecret);
            }
            verifiers(&material, Some(&kid), None)
        });
        match keys {
            Ok(keys) => found.usable.extend(keys),
            Err(error) => found.skip(error.in_key_named(&kid)),
        }
    }
    found
}

/// The contents of a key file.
#[derive(Default)]
struct Found {
    usable: Vec<Usable>,
    /// The first keys that cannot be used, each with the reason.
    skipped: Vec<KeyError>,
    /// How many more keys cannot be used.
    more: usize,
    /// Warnings about keys that are used.
    noticed: Vec<Warning>,
}

impl Found {
    /// Adds a key of a JWK Set, or the reason why the key cannot be used.
    fn add(&mut self, index: usize, jwk: Result<Jwk, KeyError>) {
        if let Err(error) = jwk.and_then(|jwk| self.add_jwk(index, jwk)) {
            self.skip(error.in_key(index));
        }
    }

    /// Adds a JWK for every use that it is usable for.
    fn add_jwk(&mut self, index: usize, jwk: Jwk) -> Result<(), KeyError> {
        if jwk.verifies {
            self.usable.extend(verifiers(&jwk.material, jwk.kid.as_deref(), jwk.alg)?);
        }
        if jwk.has_private_part && jwk.decrypters.is_empty() {
            self.noticed.push(Warning::PrivatePart { index });
        }
        if jwk.has_unreadable_certificate {
            self.noticed.push(Warning::Certificate { index });
        }
        for key in jwk.decrypters {
            self.usable.push(Usable { kid: jwk.kid.clone(), key: Key::Decrypter(key) });
        }
        Ok(())
    }

    /// Records a key that cannot be used. The number of recorded keys is limited, so that no file
    /// can flood a log.
    fn skip(&mut self, error: KeyError) {
        if self.skipped.len() < MAX_WARNINGS {
            self.skipped.push(error);
        } else {
            self.more += 1;
        }
    }

    /// The reason why no key is usable.
    fn into_error(self) -> KeyError {
        match KeyError::of_all(self.skipped) {
            KeyError::NoUsableKey { reasons, more } => {
                KeyError::NoUsableKey { reasons, more: more + self.more }
            }
            error => error,
        }
    }

    fn into_warnings(self) -> Vec<KeyWarning> {
        let skipped = self.skipped.into_iter().map(Warning::Skipped);
        let mut warnings: Vec<Warning> = skipped.chain(self.noticed).collect();
        let more = self.more + warnings.len().saturating_sub(MAX_WARNINGS);
        warnings.truncate(MAX_WARNINGS);
        warnings.extend((more > 0).then_some(Warning::More { count: more }));
        warnings.into_iter().map(KeyWarning).collect()
    }
}

/// A key, parsed for its algorithms.
struct Usable {
    kid: Option<String>,
    key: Key,
}

enum Key {
    Verifier(&'static [Alg], SignatureVerifier),
    Decrypter(KeyDecrypter),
}

/// One verifier for each algorithm whose signatures a key can verify, or for `only` alone where it
/// is given.
fn verifiers(
    material: &Material,
    kid: Option<&str>,
    only: Option<Alg>,
) -> Result<Vec<Usable>, KeyError> {
    let algs = material.algs()?;
    let names = match material {
        // An algorithm with two names (RFC 9864 section 2.2) fits by either name.
        Material::Ed25519(_) | Material::Ed448(_) => algs.chunks(algs.len().max(1)),
        _ => algs.chunks(1),
    };
    names
        .filter(|names| only.is_none_or(|only| names.contains(&only)))
        .filter_map(|names| Some((names, *names.first()?)))
        .map(|(names, alg)| {
            let key = Key::Verifier(names, material.verifier(alg)?);
            Ok(Usable { kid: kid.map(Into::into), key })
        })
        .collect()
}

/// What an operator should know about a key file that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyWarning(Warning);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Warning {
    /// A key that cannot be used.
    Skipped(KeyError),
    PrivatePart {
        index: usize,
    },
    Certificate {
        index: usize,
    },
    /// This many warnings are not given one by one.
    More {
        count: usize,
    },
}

impl fmt::Display for KeyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Warning::Skipped(KeyError::InKey { index, error }) => {
                write!(f, "key {index}: skipped: {error}")
            }
            Warning::Skipped(KeyError::InKeyNamed { kid, error }) => {
                write!(f, "key \"{kid}\": skipped: {error}")
            }
            Warning::Skipped(error) => write!(f, "skipped: {error}"),
            Warning::PrivatePart { index } => {
                write!(f, "key {index}: holds a private key, of which only the public part is used")
            }
            Warning::Certificate { index } => {
                write!(f, "key {index}: \"x5c\" cannot be read, and is not compared with the key")
            }
            Warning::More { count } => write!(f, "{count} more warnings"),
        }
    }
}
