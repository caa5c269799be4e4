//! Tokens that were verified before, so that their signatures are not checked again.
//!
//! What is remembered is that keys made a signature, and what the token says: never a verdict. A
//! token that is found is judged by the current policy, so that times, hosts, requirements and
//! revocations count on every request; and it is found for the very keys that it was verified by
//! alone, so that a rotated key takes effect at once.

use core::fmt;
use core::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use quick_cache::unsync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::jose::compact::TokenType;
use crate::keys::KeySet;
use crate::token::claims::Claims;

/// The default size of a cache, in bytes.
pub const DEFAULT_SIZE: usize = 8 * 1024 * 1024;

/// How many bytes of a token are hashed: its last ones, which are the signature or the tag, and so
/// as good as random. All of a token is compared; a client that can make tokens with the same end,
/// as the holder of a public key can for RSA-OAEP, makes its own look-ups longer.
const HASHED: usize = 32;

/// What an entry takes besides the token and its claims, in bytes: the entry, its place in the
/// table, and the heads of its allocations.
const OVERHEAD: usize = 320;

/// The expected size of an entry, in bytes: by it the table is laid out.
const TYPICAL_ENTRY: usize = 1536;

/// Verified tokens, bounded in bytes. The tokens of a flood displace each other rather than those
/// that come again.
pub struct TokenCache(Cache<Key, Arc<Claims>, Weight>);

/// A token, and what it was verified by.
struct Key {
    token: Box<[u8]>,
    token_type: TokenType,
    /// Weak, so that keys that nobody uses any more go; their addresses stay taken meanwhile.
    keys: Box<[Weak<KeySet>]>,
}

/// A token that is looked for.
struct Wanted<'a> {
    token: &'a [u8],
    token_type: TokenType,
    keys: &'a [Arc<KeySet>],
}

impl TokenCache {
    /// An empty cache of at most `size` bytes.
    pub fn new(size: usize) -> Self {
        let entries = (size / TYPICAL_ENTRY).max(1);
        Self(Cache::with_weighter(entries, size as u64, Weight))
    }

    /// What a token says that was verified by these keys.
    #[inline]
    pub fn find(
        &self,
        token: &[u8],
        token_type: TokenType,
        keys: &[Arc<KeySet>],
    ) -> Option<&Arc<Claims>> {
        self.0.get(&Wanted { token, token_type, keys })
    }

    /// Keeps what a token says that these keys verified; one that is too large for the cache is not
    /// kept.
    pub fn keep(
        &mut self,
        token: &[u8],
        token_type: TokenType,
        keys: &[Arc<KeySet>],
        claims: Arc<Claims>,
    ) {
        let keys = keys.iter().map(Arc::downgrade).collect();
        self.0.insert(Key { token: token.into(), token_type, keys }, claims);
    }

    /// How many tokens are kept.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes that they take.
    pub fn size(&self) -> u64 {
        self.0.weight()
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenCache of {} tokens in {} bytes", self.len(), self.size())
    }
}

/// Weighs entries in bytes.
#[derive(Clone)]
struct Weight;

impl Weighter<Key, Arc<Claims>> for Weight {
    fn weight(&self, key: &Key, claims: &Arc<Claims>) -> u64 {
        let keys = size_of_val(&*key.keys);
        (OVERHEAD + key.token.len() + keys + claims.size()) as u64
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(&self.token, self.keys.first().map(Weak::as_ptr), state);
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.token, self.keys.first().map(Arc::as_ptr), state);
    }
}

fn hash<H: Hasher>(token: &[u8], keys: Option<*const KeySet>, state: &mut H) {
    let tail = token.len().saturating_sub(HASHED);
    state.write(token.get(tail..).unwrap_or_default());
    state.write_usize(keys.map_or(0, <*const KeySet>::addr));
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.token == other.token
            && self.token_type == other.token_type
            && self.keys.len() == other.keys.len()
            && self.keys.iter().zip(&other.keys).all(|(ours, theirs)| Weak::ptr_eq(ours, theirs))
    }
}

impl Eq for Key {}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.token == *key.token
            && self.token_type == key.token_type
            && self.keys.len() == key.keys.len()
            && self
                .keys
                .iter()
                .zip(&key.keys)
                .all(|(wanted, kept)| core::ptr::eq(Arc::as_ptr(wanted), kept.as_ptr()))
    }
}
