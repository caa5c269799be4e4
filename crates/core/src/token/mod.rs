//! That a key made a token, and what it claims then.

pub mod claims;

pub mod jws;

pub mod jwe;

pub mod header_table;
pub mod host;
pub mod unverified;
