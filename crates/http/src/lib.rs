//! What ojwt asks of HTTP: how a request carries a token.
//!
//! Pure functions over the bytes of a request, without I/O. A file uses only those that stand below
//! it.
#![forbid(unsafe_code)]

pub mod transport;

mod lookalike;

mod percent;
