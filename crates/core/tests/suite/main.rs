//! What a hostile client, a careless operator and an honest issuer can do to the crate, through its
//! public interface alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod algorithms;
mod attacks;
mod cache;
mod claims;
mod common;
mod ed448;
mod header_table;
mod interop;
mod jwe;
mod keys;
mod properties;
mod revocation;
mod rfc;
mod rooms;
mod same_json;
mod vectors;
mod wycheproof;
mod wycheproof_jose;
