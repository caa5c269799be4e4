//! The keys of a gate: read once, parsed once, found by `kid` and `alg`.
//!
//! Each file uses only the files that stand below it in this list.

mod builder;

mod set;

pub mod keyval;

pub mod jwk;

pub mod decrypter;

pub(crate) mod content_encryption;

pub mod pem;

pub mod spki;

pub mod material;

mod published;

mod curve;
pub(crate) mod der;

pub mod error;

pub use builder::{KeyFormat, KeySetBuilder, KeyWarning, MAX_WARNINGS, without_byte_order_mark};
pub use curve::Curve;
pub use error::{KeyError, MAX_KEY_FILE_SIZE};
pub use set::{KeySet, MAX_CANDIDATES, candidates, decrypters};
pub(crate) use set::{are_stand_ins, has_more_candidates};
