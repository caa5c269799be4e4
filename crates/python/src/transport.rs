//! Where HTTP carries a token, read as nginx reads it.

use ojwt_core::transport;
use pyo3::prelude::*;

/// The first value of a query argument that is not empty, percent-decoded.
#[pyfunction]
pub(crate) fn argument(query: &[u8], name: &str) -> Option<Vec<u8>> {
    transport::argument(query, name.as_bytes()).map(std::borrow::Cow::into_owned)
}

/// The first value of a cookie that is not empty in one `Cookie` header.
#[pyfunction]
pub(crate) fn cookie<'a>(header: &'a [u8], name: &str) -> Option<&'a [u8]> {
    transport::cookie(header, name.as_bytes())
}

/// The credentials of an `Authorization` header of the scheme `Bearer`.
#[pyfunction]
pub(crate) fn bearer(header: &[u8]) -> Option<&[u8]> {
    transport::bearer(header)
}
