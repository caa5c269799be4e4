//! Where HTTP carries a token, read as nginx reads it.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::error::Failure;

/// The value of a query argument, percent-decoded; `SeveralTokensError` if it has different ones.
#[pyfunction]
pub(crate) fn argument(py: Python<'_>, query: &[u8], name: &str) -> PyResult<Option<Vec<u8>>> {
    let value = ojwt_http::argument(query, name.as_bytes());
    Ok(value.map_err(|denial| Failure::of(denial).into_error(py))?.map(Into::into))
}

/// The value of a cookie in these `Cookie` headers; `SeveralTokensError` if it has different ones.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // As PyO3 hands a list over.
pub(crate) fn cookie(
    py: Python<'_>,
    headers: Vec<PyBackedBytes>,
    name: &str,
) -> PyResult<Option<Vec<u8>>> {
    let value = ojwt_http::cookie(headers.iter().map(AsRef::as_ref), name.as_bytes());
    Ok(value.map_err(|denial| Failure::of(denial).into_error(py))?.map(Into::into))
}

/// The credentials of an `Authorization` header of the scheme `Bearer`.
#[pyfunction]
pub(crate) fn bearer(header: &[u8]) -> Option<&[u8]> {
    ojwt_http::bearer(header)
}

/// A token in a header of its own; the scheme `Bearer` may stand before the token.
#[pyfunction]
pub(crate) fn bare(header: &[u8]) -> Option<&[u8]> {
    ojwt_http::bare(header)
}
