//! Strict verification of JSON Web Tokens: the part of ojwt that knows no nginx.
//!
//! A token goes through a straight pipeline, [`Verifier::verify`], and comes out as [`Claims`] or
//! as a [`Denial`]:
//!
//! [`jose::compact`] splits it, [`jose::header`] reads what it says of itself, [`keys`] names the
//! keys that may have signed it, [`token::jws`] checks that one did, [`token::claims`] reads what
//! it claims, and [`policy`] decides whether that is good here and now: by time and host, by each
//! [`policy::revocation`] list, and by each [`policy::requirement`] that is made of a value at the
//! end of a [`text::path`]. [`token::jwe`] decrypts a token that is encrypted.
//!
//! Time, host, keys and limits are arguments: the crate does no I/O, reads no clock and keeps no
//! state between calls, but for the [`verify::Memory`] that the caller hands it and multiples of
//! keys that are used often. Nothing of a token is believed before its signature is checked, and
//! the key decides the algorithm; the token's header may only agree.
//!
//! A room uses only those that stand below it here; a test holds that.
#![forbid(unsafe_code)]

pub mod verify;

pub mod cache;

#[cfg(feature = "sign")]
pub mod issue;

pub mod policy;

pub mod token;

pub mod keys;

pub mod jose;

pub mod text;

pub mod crypto;

pub mod denial;

pub use denial::Denial;
pub use jose::alg::Alg;
pub use jose::compact::TokenType;
pub use jose::enc::{Enc, KeyAlg};
pub use keys::{KeyFormat, KeySet, KeySetBuilder};
pub use policy::{Circumstances, Policy};
pub use token::claims::Claims;
pub use verify::Verifier;
