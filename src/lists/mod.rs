//! What is revoked.

pub(crate) mod revocation;
