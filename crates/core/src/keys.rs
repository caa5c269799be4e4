//! The keys of a gate: read once, parsed once, found by `kid` and `alg`.

use core::fmt;
use core::hash::Hash;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::alg::Alg;
use crate::decrypter::KeyDecrypter;
use crate::denial::{Defect, Denial};
use crate::enc::KeyAlg;
use crate::json::Json;
use crate::jwk::{self, Jwk};
use crate::keyval;
use crate::material::{MAX_RSA_BITS, MIN_RSA_BITS, Material, SignatureVerifier};
use crate::pem;

/// How many keys are tried for one token: what a token without `kid` can cost.
pub const MAX_CANDIDATES: usize = 16;

/// The largest key file, in bytes: tens of thousands of keys.
pub const MAX_KEY_FILE_SIZE: usize = 16 * 1024 * 1024;

/// How many characters of a `kid` are shown where it is named as broken.
const MAX_SHOWN_KID: usize = 64;

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

/// Keys that are ready to verify and to decrypt.
#[derive(Debug, Default)]
pub struct KeySet {
    verifiers: Ring<Alg, SignatureVerifier>,
    decrypters: Ring<KeyAlg, KeyDecrypter>,
}

impl KeySet {
    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.verifiers.keys.is_empty() && self.decrypters.keys.is_empty()
    }

    /// The names of the keys, in no order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        let kids = self.verifiers.kids.union(&self.decrypters.kids);
        kids.map(String::as_str)
    }

    /// Whether a key of it verifies signatures of an algorithm.
    pub fn verifies(&self, alg: Alg) -> bool {
        self.verifiers.by_alg.contains_key(&alg)
    }

    /// Whether it decrypts what anyone can encrypt who has a public key.
    pub fn decrypts_with_a_key_pair(&self) -> bool {
        let algs = [KeyAlg::RsaOaep, KeyAlg::RsaOaep256, KeyAlg::RsaOaep384, KeyAlg::RsaOaep512];
        algs.iter().any(|alg| self.decrypters.by_alg.contains_key(alg))
    }
}

/// Keys of one purpose, each for one algorithm.
#[derive(Debug)]
struct Ring<A, K> {
    keys: Vec<K>,
    by_alg: HashMap<A, Index>,
    kids: HashSet<String>,
    has_unnamed: bool,
}

/// The keys that fit one algorithm, as indices.
#[derive(Debug, Default)]
struct Index {
    all: Vec<usize>,
    unnamed: Vec<usize>,
    by_kid: HashMap<String, Vec<usize>>,
}

impl<A, K> Default for Ring<A, K> {
    fn default() -> Self {
        let (keys, by_alg, kids) = Default::default();
        Self { keys, by_alg, kids, has_unnamed: false }
    }
}

impl<A: Eq + Hash, K> Ring<A, K> {
    /// The keys for `alg`: those named `kid`, or those without a name.
    fn of(&self, alg: &A, wanted: Wanted<'_>) -> impl Iterator<Item = &K> + use<'_, A, K> {
        let index = self.by_alg.get(alg);
        let chosen = match wanted {
            Wanted::Any => index.map(|index| &index.all),
            Wanted::Named(kid) => index.and_then(|index| index.by_kid.get(kid)),
            Wanted::Unnamed => index.map(|index| &index.unnamed),
        };
        chosen.into_iter().flatten().filter_map(|position| self.keys.get(*position))
    }

    fn insert(&mut self, alg: A, kid: Option<&str>, key: K) {
        let position = self.keys.len();
        self.keys.push(key);
        let index = self.by_alg.entry(alg).or_default();
        index.all.push(position);
        if let Some(kid) = kid {
            index.by_kid.entry(kid.to_owned()).or_default().push(position);
            self.kids.insert(kid.to_owned());
        } else {
            index.unnamed.push(position);
            self.has_unnamed = true;
        }
    }
}

/// Which keys a token may mean.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Any,
    Named(&'a str),
    Unnamed,
}

/// The keys of these sets that may have made a signature of `alg`, at most [`MAX_CANDIDATES`]: those
/// named `kid`; where none is so named, those without a name; for a token without `kid`, any.
///
/// # Errors
///
/// [`Denial::UnknownKey`] where no key could be meant by `kid`, [`Denial::AlgorithmNotAllowed`]
/// where those that are do not fit `alg`.
pub fn candidates<'k>(
    sets: &'k [Arc<KeySet>],
    alg: Alg,
    kid: Option<&'k str>,
) -> Result<impl Iterator<Item = &'k SignatureVerifier>, Denial> {
    choose(sets, |set| &set.verifiers, alg, kid)
}

/// The keys of these sets that may decrypt a token of `alg`, chosen in the same way among the keys
/// that decrypt.
///
/// # Errors
///
/// Those of [`candidates`].
pub fn decrypters<'k>(
    sets: &'k [Arc<KeySet>],
    alg: KeyAlg,
    kid: Option<&'k str>,
) -> Result<impl Iterator<Item = &'k KeyDecrypter>, Denial> {
    choose(sets, |set| &set.decrypters, alg, kid)
}

fn choose<'k, A: Eq + Hash + 'k, K: 'k>(
    sets: &'k [Arc<KeySet>],
    ring: fn(&KeySet) -> &Ring<A, K>,
    alg: A,
    kid: Option<&'k str>,
) -> Result<impl Iterator<Item = &'k K>, Denial> {
    let mut rings = sets.iter().map(move |set| ring(set));
    let wanted = match kid {
        None => Wanted::Any,
        Some(kid) if rings.clone().any(|ring| ring.kids.contains(kid)) => Wanted::Named(kid),
        Some(_) if rings.any(|ring| ring.has_unnamed) => Wanted::Unnamed,
        Some(_) => return Err(Denial::UnknownKey),
    };
    let rings = sets.iter().map(move |set| ring(set));
    let mut chosen =
        rings.flat_map(move |ring| ring.of(&alg, wanted)).take(MAX_CANDIDATES).peekable();
    if chosen.peek().is_some() { Ok(chosen) } else { Err(Denial::AlgorithmNotAllowed) }
}

/// Gathers the keys of one file or several.
#[derive(Debug, Default)]
pub struct KeySetBuilder {
    keys: KeySet,
    warnings: Vec<KeyWarning>,
    skips_broken_keys: bool,
}

impl KeySetBuilder {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds every usable key of a file, or none at all where it fails.
    ///
    /// The format is guessed where none is given: JSON that is neither a JWK Set nor a JWK is
    /// [`KeyFormat::Keyval`], in which a shared secret is taken where the format is given alone. Else
    /// any JSON of texts (what a server says of an error) would be secrets that everyone knows.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] where the file is broken, a key of it is, or none of its keys is usable. A
    /// key of an unknown kind in a JWK Set is no error but a [`KeyWarning`].
    pub fn add(&mut self, file: &[u8], format: Option<KeyFormat>) -> Result<(), KeyError> {
        if file.len() > MAX_KEY_FILE_SIZE {
            return Err(KeyError::FileTooLarge);
        }
        let json = || Json::parse_object(file).map_err(KeyError::Json);
        let usable = match format {
            Some(KeyFormat::Jwks) => self.read_jwks(&json()?)?,
            Some(KeyFormat::Keyval) => read_keyval(&json()?, Secrets::Taken)?,
            None if file.trim_ascii_start().first() == Some(&b'{') => {
                let json = json()?;
                if json.member("keys").or(json.member("kty")).is_some() {
                    self.read_jwks(&json)?
                } else {
                    read_keyval(&json, Secrets::Refused)?
                }
            }
            Some(KeyFormat::Pem) | None => read_pem(file)?,
        };
        if usable.is_empty() {
            return Err(KeyError::NoKey);
        }
        self.insert(usable);
        Ok(())
    }

    /// Adds a key for each algorithm that it can verify.
    ///
    /// # Errors
    ///
    /// Those of [`Material::algs`] and [`Material::verifier`].
    pub fn add_key(&mut self, material: &Material, kid: Option<&str>) -> Result<(), KeyError> {
        self.insert(verifiers(material, kid, None)?);
        Ok(())
    }

    /// Has a broken key of a JWK Set skipped, as RFC 7517 section 5 asks, with a [`KeyWarning`]: for
    /// sets that others maintain. Without it, such a set is refused.
    #[must_use]
    pub fn skipping_broken_keys(self) -> Self {
        Self { skips_broken_keys: true, ..self }
    }

    /// What was noticed since this was last asked.
    pub fn take_warnings(&mut self) -> Vec<KeyWarning> {
        core::mem::take(&mut self.warnings)
    }

    /// The set, and what was noticed while it was gathered.
    pub fn build(self) -> (KeySet, Vec<KeyWarning>) {
        (self.keys, self.warnings)
    }

    fn insert(&mut self, keys: Vec<Usable>) {
        for Usable { kid, key } in keys {
            match key {
                Key::Verifier(alg, key) => self.keys.verifiers.insert(alg, kid.as_deref(), key),
                Key::Decrypter(key) => {
                    self.keys.decrypters.insert(key.alg(), kid.as_deref(), key);
                }
            }
        }
    }

    fn read_jwks(&mut self, json: &Json) -> Result<Vec<Usable>, KeyError> {
        let Some(keys) = json.member("keys") else {
            return self.read_jwk(0, jwk::parse(json.root())?);
        };
        let mut usable = Vec::new();
        for (index, value) in keys.as_array().ok_or(KeyError::Member("keys"))?.enumerate() {
            match jwk::parse(value).and_then(|jwk| self.read_jwk(index, jwk)) {
                Ok(keys) => usable.extend(keys),
                Err(error @ KeyError::Unusable(_)) => self.skip(index, error),
                Err(error) if self.skips_broken_keys => self.skip(index, error),
                Err(error) => return Err(error.in_key(index)),
            }
        }
        Ok(usable)
    }

    fn skip(&mut self, index: usize, error: KeyError) {
        self.warnings.push(KeyWarning { index, what: Warning::Skipped(error) });
    }

    fn read_jwk(&mut self, index: usize, jwk: Jwk) -> Result<Vec<Usable>, KeyError> {
        if jwk.has_private_part && jwk.decrypters.is_empty() {
            self.warnings.push(KeyWarning { index, what: Warning::PrivatePart });
        }
        let mut usable = if jwk.verifies {
            verifiers(&jwk.material, jwk.kid.as_deref(), jwk.alg)?
        } else {
            Vec::new()
        };
        for key in jwk.decrypters {
            usable.push(Usable { kid: jwk.kid.clone(), key: Key::Decrypter(key) });
        }
        Ok(usable)
    }
}

/// A key that is ready for one algorithm.
struct Usable {
    kid: Option<String>,
    key: Key,
}

enum Key {
    Verifier(Alg, SignatureVerifier),
    Decrypter(KeyDecrypter),
}

fn read_pem(file: &[u8]) -> Result<Vec<Usable>, KeyError> {
    let mut keys = Vec::new();
    for (index, material) in pem::parse(file)?.iter().enumerate() {
        keys.extend(verifiers(material, None, None).map_err(|error| error.in_key(index))?);
    }
    Ok(keys)
}

/// Whether a file may hold shared secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Taken,
    Refused,
}

fn read_keyval(json: &Json, secrets: Secrets) -> Result<Vec<Usable>, KeyError> {
    let mut keys = Vec::new();
    for (kid, material) in keyval::parse(json)? {
        if secrets == Secrets::Refused && matches!(material, Material::Secret(_)) {
            return Err(KeyError::GuessedSecret.in_key_named(&kid));
        }
        let usable = verifiers(&material, Some(&kid), None);
        keys.extend(usable.map_err(|error| error.in_key_named(&kid))?);
    }
    Ok(keys)
}

/// What a key can verify, `only` where that is given.
fn verifiers(
    material: &Material,
    kid: Option<&str>,
    only: Option<Alg>,
) -> Result<Vec<Usable>, KeyError> {
    let algs = material.algs()?.iter().copied();
    algs.filter(|alg| only.is_none_or(|only| only == *alg))
        .map(|alg| {
            let key = Key::Verifier(alg, material.verifier(alg)?);
            Ok(Usable { kid: kid.map(Into::into), key })
        })
        .collect()
}

/// Something that an operator should know of a key file that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyWarning {
    index: usize,
    what: Warning,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Warning {
    Skipped(KeyError),
    PrivatePart,
}

impl fmt::Display for KeyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}: ", self.index)?;
        match &self.what {
            Warning::Skipped(why) => write!(f, "skipped: {why}"),
            Warning::PrivatePart => {
                f.write_str("holds a private key, of which only the public part is used")
            }
        }
    }
}

/// Why keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Larger than [`MAX_KEY_FILE_SIZE`].
    FileTooLarge,
    /// No usable key in the file.
    NoKey,
    /// Not what it should be; the text says what that is.
    Encoding(&'static str),
    /// Not JSON as this project reads it.
    Json(Defect),
    /// A member of a JWK is missing or broken.
    Member(&'static str),
    /// A key of a kind or for a purpose that is not ours; the text says why.
    Unusable(&'static str),
    /// `alg` of a JWK does not fit its key.
    NotForAlgorithm {
        /// The name of that algorithm.
        alg: &'static str,
    },
    /// An RSA modulus below [`MIN_RSA_BITS`] or above [`MAX_RSA_BITS`].
    RsaSize {
        /// Its length.
        bits: usize,
    },
    /// A secret shorter than the output of any hash (RFC 7518 section 3.2).
    SecretTooShort {
        /// Its length.
        bytes: usize,
    },
    /// A shared secret is a public key or a certificate, in one of its spellings.
    PublicKeyAsSecret,
    /// A text that would be a shared secret, in a file whose format is guessed.
    GuessedSecret,
    /// A private key in PEM, where a public one is wanted.
    PrivateKey,
    /// A PEM block of another label.
    PemLabel,
    /// One of several keys that have names.
    InKeyNamed {
        /// Its name in the file, made printable.
        kid: String,
        /// What is wrong with it.
        error: Box<KeyError>,
    },
    /// One of several keys.
    InKey {
        /// Its place in the file, from 0.
        index: usize,
        /// What is wrong with it.
        error: Box<KeyError>,
    },
}

impl KeyError {
    /// Names the key of the file that has the error.
    #[must_use]
    pub fn in_key(self, index: usize) -> Self {
        match self {
            Self::InKey { .. } => self,
            error => Self::InKey { index, error: Box::new(error) },
        }
    }

    /// Names the key of the file that has the error by its `kid`.
    #[must_use]
    pub fn in_key_named(self, kid: &str) -> Self {
        let kid = kid.chars().take(MAX_SHOWN_KID).collect::<String>().escape_debug().to_string();
        match self {
            Self::InKey { error, .. } => Self::InKeyNamed { kid, error },
            error => Self::InKeyNamed { kid, error: Box::new(error) },
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileTooLarge => write!(f, "larger than {MAX_KEY_FILE_SIZE} bytes"),
            Self::NoKey => f.write_str("no usable key"),
            Self::Encoding(what) => write!(f, "not {what}"),
            Self::Json(defect) => match defect {
                Defect::NotAnObject => f.write_str("not a JSON object"),
                Defect::Json => f.write_str("not JSON in UTF-8"),
                other => write!(f, "{other}"),
            },
            Self::Member(name) => write!(f, "\"{name}\" is missing or broken"),
            Self::Unusable(why) => f.write_str(why),
            Self::NotForAlgorithm { alg } => {
                write!(f, "\"alg\" is {alg}, which does not fit the key")
            }
            Self::RsaSize { bits } => {
                write!(f, "RSA key of {bits} bits, not {MIN_RSA_BITS} to {MAX_RSA_BITS}")
            }
            Self::SecretTooShort { bytes } => {
                write!(f, "secret of {bytes} bytes, at least 32 are needed for HS256")
            }
            Self::PublicKeyAsSecret => {
                f.write_str("the secret is a public key, which everyone knows")
            }
            Self::GuessedSecret => {
                f.write_str("a shared secret: for such a file the format \"keyval\" must be given")
            }
            Self::PrivateKey => f.write_str(
                "a private key: only its public key belongs here (otools make_pub_key extracts it)",
            ),
            Self::PemLabel => {
                f.write_str("not a PEM block of PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE")
            }
            Self::InKeyNamed { kid, error } => write!(f, "key \"{kid}\": {error}"),
            Self::InKey { index, error } => write!(f, "key {index}: {error}"),
        }
    }
}

impl core::error::Error for KeyError {}
