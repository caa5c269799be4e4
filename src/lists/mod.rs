//! What is revoked.

pub(crate) mod files;
