//! The real `otools`, run as a user runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod decode;
mod encode;
mod harness;
mod jwks;
mod make_priv_key;
mod make_pub_key;
mod manners;
mod peers;
