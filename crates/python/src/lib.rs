//! `ox_jwt._core`: the verification core, as Python calls it. What users see is in `python/ox_jwt`.

mod decode;
mod encode;
mod error;
mod key;
mod likeness;
mod transport;
mod value;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::decode::{check, decode, decode_unverified_header};
    #[pymodule_export]
    use super::encode::{make_keys, sign};
    #[pymodule_export]
    use super::key::{JwkSet, no_secret};
    #[pymodule_export]
    use super::transport::{argument, bare, bearer, cookie};
}
