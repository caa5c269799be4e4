//! Tokens that were verified before, so that their signatures are not checked again.
//!
//! An entry says that keys made a signature, and what the token says, but holds no verdict. A
//! cached token is judged by the current policy, so times, hosts, requirements and revocations
//! count on every request. A token is found only with the very keys that verified it, so a rotated
//! key takes effect at once.

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

/// How many bytes of a token are hashed: the last ones, which belong to the signature or the tag,
/// and so are as good as random. A look-up compares the whole token. A client that can make tokens
/// with the same end, such as the holder of a public key for RSA-OAEP, makes its own look-ups
/// longer.
const HASHED: usize = 32;

/// What an entry takes besides the token and the claims, in bytes: the entry itself, the place of
/// the entry in the table, and the headers of its allocations.
const OVERHEAD: usize = 320;

/// The expected size of an entry, in bytes; it determines the layout of the table.
const TYPICAL_ENTRY: usize = 1536;

/// Verified tokens, limited in bytes. In a flood of new tokens, these displace each other rather
/// than the tokens that are used again.
pub struct TokenCache(Cache<Key, Arc<Claims>, Weight>);

/// A token, and the keys that verified it.
struct Key {
    token: Box<[u8]>,
    token_type: TokenType,
    /// Weak, so that keys without other users are dropped; until the entry is gone, no other keys
    /// can have their addresses.
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

    /// The claims of a token, where it is cached as verified by these keys.
    #[inline]
    pub fn find(
        &self,
        token: &[u8],
        token_type: TokenType,
        keys: &[Arc<KeySet>],
    ) -> Option<&Arc<Claims>> {
        self.0.get(&Wanted { token, token_type, keys })
    }

    /// Caches the claims of a token that these keys verified. A token that is too large for the
    /// cache is not kept.
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

    /// How many tokens are cached.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no token is cached.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes that the entries take.
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
