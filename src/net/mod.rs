//! What is fetched over the network: once for all who want it, and kept for a bounded time.

pub(crate) mod flight;

pub(crate) mod kept;
