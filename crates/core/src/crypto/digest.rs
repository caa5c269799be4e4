//! SHA-256 digests, by which equal contents are recognized.

use aws_lc_rs::digest::{SHA256, digest};

/// The SHA-256 digest of some bytes (FIPS 180-4). The hash is collision-resistant: equal digests
/// mean equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut value = [0; 32];
        value.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(value)
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
