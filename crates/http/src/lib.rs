//! What ojwt asks of HTTP: how a request carries a token.
//!
//! Pure functions over the bytes of a request, without I/O.
#![forbid(unsafe_code)]

mod lookalike;
mod percent;
pub mod transport;
