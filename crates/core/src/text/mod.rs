//! Texts that are read strictly, and know of no token.

pub mod base64url;
pub mod json;
pub(crate) mod number;

pub(crate) mod canonical;
pub(crate) mod outline;
pub mod path;
