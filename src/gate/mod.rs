//! A gate, and what it makes of a request.

pub(crate) mod judge;

pub(crate) mod source;
