//! Where the keys of a gate come from.

pub(crate) mod places;

pub(crate) mod stores;

pub(crate) mod fetched;

pub(crate) mod files;

pub(crate) mod sources;
