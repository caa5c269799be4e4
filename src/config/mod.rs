//! The configuration: what directives set, how levels inherit, and what is odd in it.

pub(crate) mod directives;

pub(crate) mod advice;

pub(crate) mod names;

pub(crate) mod location;

pub(crate) mod main_conf;

pub(crate) mod settings;
