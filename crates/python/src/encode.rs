//! Signing tokens and making keys.

use ojwt_core::Alg;
use ojwt_core::issue::sign::{SignError, SigningKey, public_pem};
use ojwt_core::keys::material::Material;
use pyo3::exceptions::{PyNotImplementedError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::error::invalid_key;
use crate::key;

/// Signs `payload` under `header`, both JSON: a compact JWS.
#[pyfunction]
pub(crate) fn sign(
    py: Python<'_>,
    header: &str,
    payload: &str,
    key: &Bound<'_, PyAny>,
    algorithm: &str,
) -> PyResult<String> {
    let alg = alg(algorithm)?;
    let key = key::signing(key)?;
    let is_other = key.alg().is_some_and(|only| only != alg);
    // RFC 7518 section 3.2: "A key of the same size as the hash output or larger MUST be used".
    let is_short = || is_quick(alg) && !is_fit(&key, alg);
    if is_other || is_short() {
        return Err(invalid_key(py, SignError::NotForAlgorithm { alg }.to_string()));
    }
    let sign = || key.sign_with_header(alg, header.as_bytes(), payload.as_bytes());
    let token = if is_quick(alg) { sign() } else { py.detach(sign) };
    token.map_err(|error| invalid_key(py, error.to_string()))
}

fn is_fit(key: &SigningKey, alg: Alg) -> bool {
    key.material().is_ok_and(|material| material.algs().is_ok_and(|algs| algs.contains(&alg)))
}

/// Makes a key pair, both halves in PEM, or a shared secret for HMAC, which is returned as both.
#[pyfunction]
#[pyo3(signature = (algorithm, rsa_bits=None))]
pub(crate) fn make_keys<'py>(
    py: Python<'py>,
    algorithm: &str,
    rsa_bits: Option<usize>,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let alg = alg(algorithm)?;
    let key = py.detach(|| SigningKey::generate(alg, rsa_bits)).map_err(|error| match error {
        SignError::RsaBits { .. } => PyValueError::new_err(error.to_string()),
        _ => PyRuntimeError::new_err(error.to_string()),
    })?;
    let failed = |error: &dyn ToString| PyRuntimeError::new_err(error.to_string());
    let material = key.material().map_err(|error| failed(&error))?;
    if let Material::Secret(secret) = &material {
        let secret = PyBytes::new(py, secret).into_any();
        return Ok((secret.clone(), secret));
    }
    let private = key.to_pkcs8_pem().map_err(|error| failed(&error))?;
    let public = public_pem(&material).ok_or_else(|| failed(&SignError::NoPem))?;
    let text = |pem: &str| PyString::new(py, pem).into_any();
    Ok((text(&private), text(&public)))
}

/// The algorithm with this name.
pub(crate) fn alg(name: &str) -> PyResult<Alg> {
    let unknown = || PyNotImplementedError::new_err(format!("algorithm not supported: {name:?}"));
    Alg::from_name(name).ok_or_else(unknown)
}

/// Whether an operation takes less time than the switch that lets other threads run meanwhile.
pub(crate) fn is_quick(alg: Alg) -> bool {
    matches!(alg, Alg::HS256 | Alg::HS384 | Alg::HS512)
}
