//! Sets of parsed keys, found by `kid` and `alg`.

use core::hash::Hash;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::denial::Denial;
use crate::jose::alg::Alg;
use crate::jose::enc::KeyAlg;
use crate::keys::decrypter::KeyDecrypter;
use crate::keys::material::SignatureVerifier;

/// How many keys are tried for one token: this limits the cost of a token without `kid`.
pub const MAX_CANDIDATES: usize = 16;

/// Parsed keys that verify and decrypt.
#[derive(Debug, Default)]
pub struct KeySet {
    verifiers: Ring<Alg, SignatureVerifier>,
    decrypters: Ring<KeyAlg, KeyDecrypter>,
}

impl KeySet {
    /// Whether the set has no key at all.
    pub fn is_empty(&self) -> bool {
        self.verifiers.keys.is_empty() && self.decrypters.keys.is_empty()
    }

    /// The names of the keys, in no particular order.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        let kids = self.verifiers.kids.union(&self.decrypters.kids);
        kids.map(String::as_str)
    }

    /// Whether a key of the set verifies signatures of an algorithm.
    pub fn verifies(&self, alg: Alg) -> bool {
        self.verifiers.by_alg.contains_key(&alg)
    }

    /// Adds a key that verifies signatures of each of these algorithms.
    pub(super) fn add_verifier(&mut self, algs: &[Alg], kid: Option<&str>, key: SignatureVerifier) {
        self.verifiers.insert(algs, kid, key);
    }

    /// Adds a key that decrypts.
    pub(super) fn add_decrypter(&mut self, kid: Option<&str>, key: KeyDecrypter) {
        self.decrypters.insert(&[key.alg()], kid, key);
    }

    /// Whether the set decrypts tokens that anyone who has a public key can encrypt.
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
        Self { keys: Vec::new(), by_alg: HashMap::new(), kids: HashSet::new(), has_unnamed: false }
    }
}

impl<A: Copy + Eq + Hash, K> Ring<A, K> {
    /// The keys for `alg` that a token may mean: all of them, those named `kid`, or those without a
    /// name.
    fn of(&self, alg: &A, wanted: Wanted<'_>) -> impl Iterator<Item = &K> + use<'_, A, K> {
        let index = self.by_alg.get(alg);
        let chosen = match wanted {
            Wanted::Any => index.map(|index| &index.all),
            Wanted::Named(kid) => index.and_then(|index| index.by_kid.get(kid)),
            Wanted::Unnamed => index.map(|index| &index.unnamed),
        };
        chosen.into_iter().flatten().filter_map(|position| self.keys.get(*position))
    }

    /// Adds one key, which is for each of these algorithms.
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

/// The keys of these sets that may have made a signature of `alg`, at most [`MAX_CANDIDATES`]: the
/// keys named `kid`; where no key has that name, the keys without a name; for a token without
/// `kid`, all keys.
///
/// # Errors
///
/// [`Denial::UnknownKey`] where no key is named `kid` and every key has a name,
/// [`Denial::AlgorithmNotAllowed`] where none of the chosen keys fits `alg`.
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

/// Whether a token with this `kid` is verified with the keys without a name, since no key has that
/// name.
pub(crate) fn are_stand_ins(sets: &[Arc<KeySet>], kid: &str) -> bool {
    sets.iter().any(|set| set.verifiers.has_unnamed)
        && !sets.iter().any(|set| set.verifiers.kids.contains(kid))
}

/// The keys of these sets that may decrypt a token of `alg`, at most [`MAX_CANDIDATES`]: the keys
/// named `kid`; where no key that decrypts has that name, the keys without a name; for a token
/// without `kid`, all keys that decrypt.
///
/// # Errors
///
/// The errors of [`candidates`].
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
