//! Strict verification of JSON Web Tokens: the part of ojwt that knows no nginx.
//!
//! A token goes through a straight pipeline, [`Verifier::verify`], and comes out as [`Claims`] or
//! as a [`Denial`]:
//!
//! [`compact`] splits it, [`header`] reads what it says of itself, [`keys`] names the keys that may
//! have signed it, [`signature`] checks that one did, [`claims`] reads what it claims, and
//! [`policy`] decides whether that is good here and now: by time and host, by each [`revocation`] list,
//! and by each [`requirement`] that is made of a value at the end of a [`path`]. [`jwe`] decrypts a
//! token that is encrypted.
//!
//! Time, host, keys and limits are arguments: the crate does no I/O, reads no clock and keeps no
//! Time, host, keys and limits are arguments: the crate does no I/O, reads no clock and keeps no
//! state between calls, but for the [`verify::Memory`] that the caller hands it and multiples of keys
//! that are used often. Nothing of a token is believed before its signature is checked, and the key
//! decides the algorithm; the token's header may only agree.
#![forbid(unsafe_code)]

pub mod alg;
pub mod base64url;
pub mod cache;
mod canonical;
pub mod claims;
mod comb;
pub mod compact;
mod content;
pub mod decrypter;
pub mod denial;
pub mod digest;
mod ed25519;
mod ed448;
pub mod enc;
#[cfg(feature = "sign")]
pub mod encrypt;
mod frequent;
pub mod header;
pub mod header_table;
pub mod host;
pub mod json;
pub mod jwe;
pub mod jwk;
mod key_wrap;
pub mod keys;
pub mod keyval;
mod lookalike;
pub mod material;
mod number;
mod outline;
mod p256;
pub mod path;
pub mod pem;
mod percent;
pub mod policy;
mod published;
pub mod requirement;
pub mod revocation;
#[cfg(feature = "sign")]
pub mod sign;
pub mod signature;
pub mod transport;
pub mod unverified;
pub mod verify;

pub use alg::Alg;
pub use claims::Claims;
pub use denial::Denial;
pub use enc::{Enc, KeyAlg};
pub use keys::{KeyFormat, KeySet, KeySetBuilder};
pub use policy::{Circumstances, Policy};
pub use verify::{TokenType, Verifier};
