//! The keys of a gate: read once, parsed once, found by `kid` and `alg`.
//!
//! A file uses only those that stand above it here.

pub mod error;

mod curve;
pub(crate) mod der;

mod published;

pub mod material;

pub mod spki;

pub mod pem;

pub(crate) mod content;

pub mod decrypter;

pub mod jwk;

pub mod keyval;

mod set;

mod builder;

pub use builder::{KeyFormat, KeySetBuilder, KeyWarning, MAX_WARNINGS, without_byte_order_mark};
pub use curve::Curve;
pub use error::{KeyError, MAX_KEY_FILE_SIZE};
pub use set::{KeySet, MAX_CANDIDATES, candidates, decrypters};
pub(crate) use set::{are_stand_ins, has_more_candidates};
