//! That a key made a token, and what it claims then.

pub mod header_table;
pub mod host;
pub mod unverified;

pub mod jwe;

pub mod jws;

pub mod claims;
