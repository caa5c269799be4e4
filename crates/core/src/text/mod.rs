//! Texts that are read strictly, and know of no token.

pub mod path;

pub(crate) mod canonical;
pub(crate) mod outline;

pub mod json;

pub mod base64url;
pub(crate) mod number;
