//! The configuration: what directives set, how levels inherit, and what is odd in it.

pub(crate) mod directives;

pub(crate) mod advice;

pub(crate) mod location;
