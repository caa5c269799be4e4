//! Digests, signatures and key wrapping: arithmetic that knows no JOSE.

pub(crate) mod frequent;

mod ed25519;
mod p256;

mod comb;
pub mod digest;
pub(crate) mod ed448;
pub(crate) mod key_wrap;
