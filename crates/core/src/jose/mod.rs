//! What a token says of itself, believed in nothing yet (RFC 7515, RFC 7516, RFC 7518).

pub mod compact;
pub mod header;

pub mod alg;
pub mod enc;
