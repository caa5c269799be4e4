//! Keys as Python has them: PEM, DER, JWK, JWKS, or the bytes of a secret. Each is parsed once.

use std::sync::{Arc, LazyLock};

use ojwt_core::json::Json;
use ojwt_core::keys::{KeyError, KeyWarning};
use ojwt_core::material::Material;
use ojwt_core::sign::SigningKey;
use ojwt_core::{KeyFormat, KeySet, KeySetBuilder, pem};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use quick_cache::sync::Cache;

use crate::error::invalid_key;

/// How many keys of each kind are kept parsed: those of a program, which are few.
const KEPT: usize = 64;

static PUBLIC: LazyLock<Cache<Vec<u8>, Arc<KeySet>>> = LazyLock::new(|| Cache::new(KEPT));
static PRIVATE: LazyLock<Cache<Vec<u8>, Arc<SigningKey>>> = LazyLock::new(|| Cache::new(KEPT));

/// A JWK Set (RFC 7517 section 5), parsed: keys that verify tokens, chosen by `kid` and `alg`.
///
/// Keys of a set that are broken or of an unknown kind are skipped, and `warnings` says so.
#[pyclass(frozen, module = "ox_jwt")]
pub(crate) struct JwkSet {
    keys: Arc<KeySet>,
    warnings: Vec<KeyWarning>,
}

#[pymethods]
impl JwkSet {
    /// Reads a set, or a single JWK, from JSON or from what `json.loads` makes of it.
    #[new]
    fn new(source: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = source.py();
        let mut builder = KeySetBuilder::new();
        let added = builder.add(&bytes(source, "a JWK Set")?, Some(KeyFormat::Jwks));
        added.map_err(|error| invalid_key(py, error.to_string()))?;
        let (keys, warnings) = builder.build();
        Ok(Self { keys: Arc::new(keys), warnings })
    }

    /// The names of its keys, sorted.
    #[getter]
    fn kids(&self) -> Vec<&str> {
        let mut kids: Vec<_> = self.keys.kids().collect();
        kids.sort_unstable();
        kids
    }

    /// What was noticed while the set was read.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.warnings.iter().map(ToString::to_string).collect()
    }

    fn __repr__(&self) -> String {
        format!("JwkSet({:?})", self.kids())
    }
}

/// The keys that verify a token.
pub(crate) fn verifying(key: &Bound<'_, PyAny>) -> PyResult<Arc<KeySet>> {
    if let Ok(set) = key.cast::<JwkSet>() {
        return Ok(Arc::clone(&set.get().keys));
    }
    kept(&PUBLIC, key, read_verifying)
}

/// The key that signs a token.
pub(crate) fn signing(key: &Bound<'_, PyAny>) -> PyResult<Arc<SigningKey>> {
    kept(&PRIVATE, key, read_signing)
}

fn kept<K>(
    cache: &Cache<Vec<u8>, Arc<K>>,
    key: &Bound<'_, PyAny>,
    read: fn(&[u8]) -> Result<K, KeyError>,
) -> PyResult<Arc<K>> {
    let lookup = |bytes: &[u8]| {
        if let Some(known) = cache.get(bytes) {
            return Ok(known);
        }
        let parsed = read(bytes).map(Arc::new);
        let parsed = parsed.map_err(|error| invalid_key(key.py(), error.to_string()))?;
        cache.insert(bytes.to_vec(), Arc::clone(&parsed));
        Ok(parsed)
    };
    match key.cast::<PyBytes>() {
        Ok(key) => lookup(key.as_bytes()),
        Err(_) => lookup(&bytes(key, "a key")?),
    }
}

fn read_verifying(bytes: &[u8]) -> Result<KeySet, KeyError> {
    let mut builder = KeySetBuilder::new();
    if pem::is_pem(bytes) {
        builder.add(bytes, Some(KeyFormat::Pem))?;
    } else if is_json(bytes) {
        builder.add(bytes, Some(KeyFormat::Jwks))?;
    } else if let Ok(material) = pem::from_der(bytes) {
        builder.add_key(&material, None)?;
    } else if SigningKey::from_der(bytes).is_ok() {
        return Err(KeyError::PrivateKey);
    } else {
        builder.add_key(&Material::secret(bytes.to_vec())?, None)?;
    }
    Ok(builder.build().0)
}

fn read_signing(bytes: &[u8]) -> Result<SigningKey, KeyError> {
    if pem::is_pem(bytes) || is_json(bytes) {
        return SigningKey::read(bytes);
    }
    SigningKey::from_der(bytes).or_else(|_| SigningKey::from_secret(bytes.to_vec()))
}

/// Whether it is JSON, or a JWK that is broken, rather than a secret: what a server publishes, or says of
/// an error, everyone knows.
fn is_json(bytes: &[u8]) -> bool {
    let is_named = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
        && (Json::parse(bytes).is_ok() || is_named(b"\"kty\"") || is_named(b"\"keys\""))
}

/// The bytes of a `str`, `bytes` or, as JSON, a `dict`.
fn bytes(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<u8>> {
    if let Ok(text) = value.cast::<PyString>() {
        // What Python says of lone surrogates holds the text.
        let text = text.to_cow();
        let text = text.map_err(|_| invalid_key(value.py(), format!("{what} is not Unicode")))?;
        return Ok(text.as_bytes().to_vec());
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        let py = value.py();
        let json = py.import("json")?.call_method1("dumps", (dict,));
        let is_key = dict.contains("kty")? || dict.contains("keys")?;
        return match json {
            Ok(json) if is_key => Ok(json.cast::<PyString>()?.to_cow()?.as_bytes().to_vec()),
            _ => Err(invalid_key(py, format!("{what} is a dict, but no JWK"))),
        };
    }
    let name = value.get_type().name()?;
    Err(PyTypeError::new_err(format!("{what} is str, bytes or dict, not {name}")))
}
