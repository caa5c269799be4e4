//! Digests, signatures and key wrapping: arithmetic that knows no JOSE.

mod comb;
pub mod digest;
mod ed25519;
pub(crate) mod ed448;
pub(crate) mod frequent;
pub(crate) mod key_wrap;
mod p256;
