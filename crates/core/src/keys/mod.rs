//! The keys of a gate: read once, parsed once, found by `kid` and `alg`.

pub(crate) mod content;

pub mod decrypter;
pub mod jwk;
pub mod keyval;
pub mod material;
pub mod pem;
mod published;

use core::fmt;
use core::hash::Hash;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::denial::{Defect, Denial};
use crate::jose::alg::Alg;
use crate::jose::enc::KeyAlg;
use crate::keys::decrypter::KeyDecrypter;
use crate::keys::jwk::Jwk;
use crate::keys::material::{MAX_RSA_BITS, MIN_RSA_BITS, Material, SignatureVerifier};
use crate::text::json::Json;
use crate::text::outline;

/// How many keys are tried for one token: what a token without `kid` can cost.
pub const MAX_CANDIDATES: usize = 16;

/// The largest key file, in bytes: tens of thousands of keys.
pub const MAX_KEY_FILE_SIZE: usize = 16 * 1024 * 1024;

/// How many characters of a `kid` are shown where it is named as broken.
const MAX_SHOWN_KID: usize = 64;

/// How many warnings of one file are kept; a last one counts the others.
pub const MAX_WARNINGS: usize = 16;

/// How many reasons an error gives where no key of a file is usable.
const MAX_REASONS: usize = 8;

/// The byte order mark of UTF-8, which some editors write (RFC 8259 section 8.1 lets a parser ignore it).
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

impl<A: Copy + Eq + Hash, K> Ring<A, K> {
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

    /// Adds a key that is for each of these algorithms.
    fn insert(&mut self, algs: &[A], kid: Option<&str>, key: K) {
        let position = self.keys.len();
        self.keys.push(key);
        for alg in algs {
            let index = self.by_alg.entry(*alg).or_default();
            index.all.push(position);
            match kid {
                Some(kid) => index.by_kid.entry(kid.to_owned()).or_default().push(position),
                None => index.unnamed.push(position),
            }
        }
        match kid {
            Some(kid) => {
                self.kids.insert(kid.to_owned());
            }
            None => self.has_unnamed = true,
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
    Ok(choose(sets, |set| &set.verifiers, alg, kid)?.take(MAX_CANDIDATES))
}

/// Whether there are more keys that may have made a signature of `alg` than [`candidates`] gives.
pub(crate) fn has_more_candidates(sets: &[Arc<KeySet>], alg: Alg, kid: Option<&str>) -> bool {
    let all = choose(sets, |set| &set.verifiers, alg, kid);
    all.is_ok_and(|mut all| all.nth(MAX_CANDIDATES).is_some())
}

/// Whether the keys for a token of this name are those without one, since none is so named.
pub(crate) fn are_stand_ins(sets: &[Arc<KeySet>], kid: &str) -> bool {
    sets.iter().any(|set| set.verifiers.has_unnamed)
        && !sets.iter().any(|set| set.verifiers.kids.contains(kid))
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
    Ok(choose(sets, |set| &set.decrypters, alg, kid)?.take(MAX_CANDIDATES))
}

fn choose<'k, A: Copy + Eq + Hash + 'k, K: 'k>(
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
    let mut chosen = rings.flat_map(move |ring| ring.of(&alg, wanted)).peekable();
    if chosen.peek().is_some() { Ok(chosen) } else { Err(Denial::AlgorithmNotAllowed) }
}

/// Gathers the keys of one file or several.
#[derive(Debug, Default)]
pub struct KeySetBuilder {
    keys: KeySet,
    warnings: Vec<KeyWarning>,
}

impl KeySetBuilder {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds every usable key of a file, or none at all where it fails.
    ///
    /// A key that is broken, weak or of an unknown kind is skipped with a [`KeyWarning`] (RFC 7517
    /// section 5), so that it does not take the others down.
    ///
    /// The format is guessed where none is given: JSON that is neither a JWK Set nor a JWK is
    /// [`KeyFormat::Keyval`], in which a shared secret is taken where the format is given alone. Else
    /// any JSON of texts (what a server says of an error) would be secrets that everyone knows. What is
    /// neither JSON nor PEM may be a single key in DER.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] where the file is broken as a whole, or none of its keys is usable.
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

    /// Adds a key for each algorithm that it can verify.
    ///
    /// # Errors
    ///
    /// Those of [`Material::algs`] and [`Material::verifier`].
    pub fn add_key(&mut self, material: &Material, kid: Option<&str>) -> Result<(), KeyError> {
        self.insert(verifiers(material, kid, None)?);
        Ok(())
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
                Key::Verifier(algs, key) => self.keys.verifiers.insert(algs, kid.as_deref(), key),
                Key::Decrypter(key) => {
                    self.keys.decrypters.insert(&[key.alg()], kid.as_deref(), key);
                }
            }
        }
    }
}

/// The file without the mark that it may begin with.
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
        None if pem::is_der(file) => {
            let usable = verifiers(&pem::from_der(file)?, None, None)?;
            Ok(Found { usable, ..Found::default() })
        }
        None if pem::is_pem(file) => read_pem(file),
        None => Err(KeyError::NotKeys("neither JSON, nor PEM, nor DER")),
    }
}

/// What a file that could not be read is instead, where that is evident.
fn what_else(file: &[u8]) -> Option<&'static str> {
    match file.trim_ascii_start().first() {
        None => Some("there is nothing in it"),
        Some(b'<') => Some("it looks like HTML"),
        Some(_) => None,
    }
}

/// Reads a set, or a key, of which this is the JSON.
fn read_jwks(file: &[u8], json: Result<Json, KeyError>) -> Result<Found, KeyError> {
    let mut found = Found::default();
    let json = match json {
        Ok(json) => json,
        // Each key for itself, if that is where it is broken.
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

/// What a file holds.
#[derive(Default)]
struct Found {
    usable: Vec<Usable>,
    /// The first keys that cannot be used, and why.
    skipped: Vec<KeyError>,
    /// How many more cannot be.
    more: usize,
    /// What else was noticed.
    noticed: Vec<Warning>,
}

impl Found {
    /// Adds a key of a set, or why it cannot be used.
    fn add(&mut self, index: usize, jwk: Result<Jwk, KeyError>) {
        if let Err(error) = jwk.and_then(|jwk| self.add_jwk(index, jwk)) {
            self.skip(error.in_key(index));
        }
    }

    /// Adds all that a JWK is good for.
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

    /// Notes a key that cannot be used; only so many that no file can flood a log.
    fn skip(&mut self, error: KeyError) {
        if self.skipped.len() < MAX_WARNINGS {
            self.skipped.push(error);
        } else {
            self.more += 1;
        }
    }

    /// Why nothing is usable.
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

/// A key that is ready for its algorithms.
struct Usable {
    kid: Option<String>,
    key: Key,
}

enum Key {
    Verifier(&'static [Alg], SignatureVerifier),
    Decrypter(KeyDecrypter),
}

/// What a key can verify, `only` where that is given.
fn verifiers(
    material: &Material,
    kid: Option<&str>,
    only: Option<Alg>,
) -> Result<Vec<Usable>, KeyError> {
    let algs = material.algs()?;
    let names = match material {
        // Two names of one algorithm (RFC 9864 section 2.2), whichever of them the key has.
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

/// Something that an operator should know of a key file that was accepted.
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
    /// So many warnings that are not given one by one.
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

/// Why keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Larger than [`MAX_KEY_FILE_SIZE`].
    FileTooLarge,
    /// No key in the file, which is whole.
    NoKey,
    /// No key that can be used in the file.
    NoUsableKey {
        /// Why the first of them cannot be.
        reasons: Vec<KeyError>,
        /// How many more cannot be.
        more: usize,
    },
    /// Nothing that holds keys; the text says what it is.
    NotKeys(&'static str),
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
    /// A shared secret is evidently something else; the text says what it looks like.
    NotSecret(&'static str),
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
    /// That no key of a file is usable, for these reasons.
    #[must_use]
    pub fn of_all(mut reasons: Vec<Self>) -> Self {
        if reasons.is_empty() {
            return Self::NoKey;
        }
        let more = reasons.len().saturating_sub(MAX_REASONS);
        reasons.truncate(MAX_REASONS);
        Self::NoUsableKey { reasons, more }
    }

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
            Self::NoUsableKey { reasons, more } => {
                for (index, reason) in reasons.iter().enumerate() {
                    write!(f, "{}{reason}", if index == 0 { "no usable key: " } else { "; " })?;
                }
                if *more > 0 { write!(f, "; and {more} more") } else { Ok(()) }
            }
            Self::NotKeys(what) => write!(f, "no usable key: {what}"),
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
            Self::NotSecret(what) => write!(f, "no shared secret: it looks like {what}"),
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
