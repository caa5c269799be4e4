//! What nginx's phases, filters and variables do for a request.

pub(crate) mod access;

pub(crate) mod variables;

pub(crate) mod respond;
