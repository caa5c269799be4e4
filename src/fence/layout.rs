//! Proof that the bindings agree with nginx's headers.
//!
//! `build.rs` lets libclang evaluate the offset of each field that the fence reads; a field that
//! the bindings place elsewhere, say behind a bit-field that they misjudge, fails the build.

#![allow(clippy::all, clippy::pedantic, missing_docs, nonstandard_style, unused, unreachable_pub)]

include!(concat!(env!("OUT_DIR"), "/layout.rs"));
