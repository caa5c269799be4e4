//! Public keys that verify often: a gate uses the same few keys for weeks. Once a key has verified
//! enough signatures, a table of its multiples is precomputed. With the table, verification takes
//! half the time or less.

use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::OnceLock;

use aws_lc_rs::signature::ParsedPublicKey;

use crate::crypto::ed25519;
use crate::crypto::p256;

/// How many signatures a key verifies without a precomputed table: over so many, a table would save
/// as much time as computing the table takes.
const FREQUENT: u32 = 100;

/// The memory for the precomputed tables of one process, in bytes, not counting the tables of base
/// points: 16 MiB. Once this memory is used up, further keys verify without a table.
static ROOM: Room = Room::new(16 * 1024 * 1024);

/// A public key, which AWS-LC verifies with until the key is used often.
pub(crate) struct FrequentKey {
    parsed: ParsedPublicKey,
    curve: Curve,
    encoded: Vec<u8>,
    /// How many good signatures were verified without a table. Bad signatures do not count:
    /// otherwise a forger could have tables computed for keys that nobody uses.
    verified: AtomicU32,
    /// Unset while there is no table yet; `None` where there will never be one.
    multiples: OnceLock<Option<Multiples>>,
}

/// The curves for which a table can be precomputed.
#[derive(Clone, Copy, Debug)]
enum Curve {
    Ed25519,
    P256,
}

impl FrequentKey {
    /// An Ed25519 key: parsed, and as it was encoded.
    pub(crate) fn ed25519(parsed: ParsedPublicKey, encoded: &[u8]) -> Self {
        Self::new(Curve::Ed25519, parsed, encoded)
    }

    /// A key for ECDSA on P-256 with SHA-256: parsed, and as an uncompressed point.
    pub(crate) fn p256(parsed: ParsedPublicKey, point: &[u8]) -> Self {
        Self::new(Curve::P256, parsed, point)
    }

    fn new(curve: Curve, parsed: ParsedPublicKey, encoded: &[u8]) -> Self {
        Self {
            parsed,
            curve,
            encoded: encoded.into(),
            verified: AtomicU32::new(0),
            multiples: OnceLock::new(),
        }
    }

    /// The key as AWS-LC parsed it.
    pub(crate) fn parsed(&self) -> &ParsedPublicKey {
        &self.parsed
    }

    /// Whether this key made `signature` over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        if let Some(Some(multiples)) = self.multiples.get() {
            return multiples.verify(message, signature);
        }
        let is_good = self.parsed.verify_sig(message, signature).is_ok();
        if is_good && self.verified.fetch_add(1, Ordering::Relaxed) == FREQUENT {
            // The table is computed before the lock is taken: no thread waits meanwhile, and no
            // forked process waits for ever.
            self.multiples.set(Multiples::new(self.curve, &self.encoded)).ok();
        }
        is_good
    }
}

impl fmt::Debug for FrequentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.curve.fmt(f)
    }
}

/// A key with its precomputed table.
struct Multiples {
    key: Key,
    _share: Share,
}

enum Key {
    Ed25519(ed25519::PublicKey),
    P256(p256::PublicKey),
}

impl Multiples {
    /// `None` where too little memory is left, or where only AWS-LC accepts the encoding of the
    /// key.
    fn new(curve: Curve, encoded: &[u8]) -> Option<Self> {
        let share = ROOM.take(match curve {
            Curve::Ed25519 => ed25519::PublicKey::SIZE,
            Curve::P256 => p256::PublicKey::SIZE,
        })?;
        let key = match curve {
            Curve::Ed25519 => Key::Ed25519(ed25519::PublicKey::new(encoded)?),
            Curve::P256 => Key::P256(p256::PublicKey::new(encoded)?),
        };
        Some(Self { key, _share: share })
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Key::Ed25519(key) => key.verifies(message, signature),
            Key::P256(key) => key.verifies(message, signature),
        }
    }
}

/// A number of bytes, of which shares are taken.
struct Room(AtomicUsize);

impl Room {
    const fn new(size: usize) -> Self {
        Self(AtomicUsize::new(size))
    }

    fn take(&'static self, size: usize) -> Option<Share> {
        let without = |free: usize| free.checked_sub(size);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, without).ok()?;
        Some(Share { of: self, size })
    }
}

/// A share of a room's bytes, given back when it is dropped.
struct Share {
    of: &'static Room,
    size: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.0.fetch_add(self.size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _,
    };

    use super::*;

    const MESSAGE: &[u8] = b"header.payload";

    fn ed25519() -> (FrequentKey, Vec<u8>) {
        let pair = Ed25519KeyPair::generate().unwrap();
        let public = pair.public_key().as_ref();
        let key = FrequentKey::ed25519(ParsedPublicKey::new(&ED25519, public).unwrap(), public);
        (key, pair.sign(MESSAGE).as_ref().to_vec())
    }

    fn p256() -> (FrequentKey, Vec<u8>) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public = pair.public_key().as_ref();
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).unwrap();
        let signature = pair.sign(&SystemRandom::new(), MESSAGE).unwrap();
        (FrequentKey::p256(parsed, public), signature.as_ref().to_vec())
    }

    #[test]
    fn a_key_has_multiples_once_it_is_used_often_and_decides_the_same() {
        for (key, signature) in [ed25519(), p256()] {
            let forged = p256().1;
            for used in 0..2 * FREQUENT {
                assert_eq!(key.multiples.get().is_some(), used > FREQUENT, "{key:?} {used}");
                assert!(key.verifies(MESSAGE, &signature), "{key:?} {used}");
                assert!(!key.verifies(MESSAGE, &forged), "{key:?} {used}");
                assert!(!key.verifies(b"header.other", &signature), "{key:?} {used}");
            }
            assert!(matches!(key.multiples.get(), Some(Some(_))), "{key:?}");
        }
    }

    #[test]
    fn forged_signatures_make_no_key_frequent() {
        for (key, signature) in [ed25519(), p256()] {
            for _ in 0..3 * FREQUENT {
                assert!(!key.verifies(b"header.other", &signature));
            }
            assert!(key.multiples.get().is_none(), "{key:?}");
        }
    }

    #[test]
    fn shares_of_the_room_are_bounded_and_given_back() {
        static TEN: Room = Room::new(10);
        let first = TEN.take(6).unwrap();
        assert!(TEN.take(5).is_none());
        let second = TEN.take(4).unwrap();
        assert!(TEN.take(1).is_none());
        drop(first);
        assert!(TEN.take(7).is_none());
        drop((TEN.take(6).unwrap(), second));
        assert!(TEN.take(10).is_some());
    }

    #[test]
    fn without_room_a_key_verifies_as_before() {
        let (key, signature) = ed25519();
        key.multiples.set(None).ok();
        for _ in 0..2 * FREQUENT {
            assert!(key.verifies(MESSAGE, &signature));
            assert!(!key.verifies(b"header.other", &signature));
        }
    }
}
