//! A gate, and what it makes of a request.

pub(crate) mod fetch;

pub(crate) mod judge;

pub(crate) mod outcome;

mod definition;

pub(crate) mod token_source;

pub(crate) use definition::{Cache, Gate, VariableRequirement, new_cache};
