//! Strict verification of JSON Web Tokens: the part of ojwt that knows no nginx.
//!
//! A token goes through a straight pipeline, [`Verifier::verify`], whose result is [`Claims`] or a
//! [`Denial`]:
//!
//! [`jose::compact`] splits the token, [`jose::header`] reads the header, [`keys`] names the keys
//! that may have signed the token, [`token::jws`] checks that one of these keys did,
//! [`token::claims`] reads the claims, and [`policy`] decides whether the claims are good here and
//! now: by time and host, by each [`policy::revocation`] list, and by each [`policy::requirement`]
//! on the value at the end of a [`text::path`]. [`token::jwe`] decrypts a token that is encrypted.
//!
//! Time, host, keys and limits are arguments: the crate does no I/O, reads no clock and keeps no
//! state between calls, except for the [`verify::Memory`] that the caller passes and the
//! precomputed tables of keys that are used often. Nothing in a token is believed before its
//! signature is checked. The key decides the algorithm; the token's header can only agree.
//!
//! A room uses only the rooms that stand below it in this list; a test checks that.
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
