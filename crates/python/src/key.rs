//! Keys as Python programs pass them: PEM, DER, JWK, JWKS, or the bytes of a shared secret. Each
//! key is parsed once.

use core::fmt;
use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use ojwt_core::issue::sign::SigningKey;
use ojwt_core::keys::material::Material;
use ojwt_core::keys::{KeyError, KeyWarning};
use ojwt_core::keys::{pem, spki};
use ojwt_core::text::json::Json;
use ojwt_core::{KeyFormat, KeySet, KeySetBuilder};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use quick_cache::sync::Cache;

use crate::error::invalid_key;
use crate::likeness::{self, Likeness};

/// How many parsed keys of each kind are cached: a program uses few.
const KEPT: usize = 64;

static PUBLIC: LazyLock<Cache<Vec<u8>, Arc<KeySet>>> = LazyLock::new(|| Cache::new(KEPT));
static PRIVATE: LazyLock<Cache<Vec<u8>, Arc<SigningKey>>> = LazyLock::new(|| Cache::new(KEPT));

/// A JWK Set (RFC 7517 section 5), parsed: keys that verify tokens, chosen by `kid` and `alg`.
///
/// Keys of the set that are broken or of an unknown kind are skipped, and listed in `warnings`.
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
        let source = bytes(source, "a JWK Set")?;
        let added = builder.add(&source, Some(KeyFormat::Jwks));
        added.map_err(|error| {
            // For JSON, the parser already says what is wrong.
            let likeness = if is_json(&source) { None } else { likeness(&source) };
            let error = likeness.map_or_else(|| NoKey::Error(error), NoKey::Likeness);
            invalid_key(py, error.to_string())
        })?;
        let (keys, warnings) = builder.build();
        Ok(Self { keys: Arc::new(keys), warnings })
    }

    /// The names of the keys, sorted.
    #[getter]
    fn kids(&self) -> Vec<&str> {
        let mut kids: Vec<_> = self.keys.kids().collect();
        kids.sort_unstable();
        kids
    }

    /// The warnings from reading the set.
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
    read: fn(&[u8]) -> Result<K, NoKey>,
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

/// Why a given value cannot be used as a key.
enum NoKey {
    /// The key is broken, or cannot be used.
    Error(KeyError),
    /// The value would be a shared secret, but is evidently something else.
    Likeness(Likeness),
}

impl From<KeyError> for NoKey {
    fn from(error: KeyError) -> Self {
        Self::Error(error)
    }
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Likeness(likeness) => write!(f, "the key {likeness}"),
        }
    }
}

fn read_verifying(bytes: &[u8]) -> Result<KeySet, NoKey> {
    if let Some(keys) = read_public(bytes)? {
        return Ok(keys);
    }
    let decoded = likeness::from_base64(bytes);
    if let Some(keys) = decoded.map_or(Ok(None), |bytes| read_public(&bytes))? {
        return Ok(keys);
    }
    let mut builder = KeySetBuilder::new();
    builder.add_key(&Material::secret(secret(bytes)?)?, None)?;
    Ok(builder.build().0)
}

/// The keys in PEM, as JWK or in DER; `None` for bytes in none of these formats.
fn read_public(bytes: &[u8]) -> Result<Option<KeySet>, KeyError> {
    let mut builder = KeySetBuilder::new();
    if pem::is_pem(bytes) {
        builder.add(&with_line_breaks(bytes), Some(KeyFormat::Pem))?;
    } else if is_json(bytes) {
        builder.add(bytes, Some(KeyFormat::Jwks))?;
    } else if let Ok(material) = spki::from_der(bytes) {
        builder.add_key(&material, None)?;
    } else if SigningKey::from_der(bytes).is_ok() {
        return Err(KeyError::PrivateKey);
    } else {
        return Ok(None);
    }
    Ok(Some(builder.build().0))
}

fn read_signing(bytes: &[u8]) -> Result<SigningKey, NoKey> {
    if pem::is_pem(bytes) || is_json(bytes) {
        return Ok(SigningKey::read(&with_line_breaks(bytes))?);
    }
    match SigningKey::from_der(bytes) {
        Ok(key) => Ok(key),
        Err(_) => Ok(SigningKey::from_secret(secret(bytes)?)?),
    }
}

/// The bytes of a shared secret; an error where the bytes are evidently something else.
fn secret(bytes: &[u8]) -> Result<Vec<u8>, NoKey> {
    likeness(bytes).map_or(Ok(bytes.to_vec()), |likeness| Err(NoKey::Likeness(likeness)))
}

/// What the bytes evidently are instead of a shared secret; `None` where they may be one.
fn likeness(bytes: &[u8]) -> Option<Likeness> {
    Likeness::of(bytes).or_else(|| names_a_file(bytes).then_some(Likeness::Path))
}

fn names_a_file(bytes: &[u8]) -> bool {
    let name = likeness::text(bytes).filter(|text| !text.is_empty() && !text.contains('\n'));
    name.is_some_and(|name| Path::new(name).exists())
}

/// What a text looks like that is evidently not a shared secret, in the words of error messages.
#[pyfunction]
pub(crate) fn no_secret(secret: &[u8]) -> Option<String> {
    likeness(secret).map(|likeness| likeness.to_string())
}

/// PEM with restored line breaks, where these were written as `\n`, as in environment variables.
fn with_line_breaks(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !pem::is_pem(bytes) || !bytes.contains(&b'\\') {
        return Cow::Borrowed(bytes);
    }
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        let (byte, after) = escaped_line_break(rest).unwrap_or((*byte, after));
        text.push(byte);
        rest = after;
    }
    Cow::Owned(text)
}

/// A `\n` or `\r`, and the text after it; in a text that was quoted twice, there are more
/// backslashes before the letter.
fn escaped_line_break(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let at = bytes.iter().position(|byte| *byte != b'\\').filter(|at| *at > 0)?;
    match bytes.get(at..)? {
        [b'n', after @ ..] => Some((b'\n', after)),
        [b'r', after @ ..] => Some((b'\r', after)),
        _ => None,
    }
}

/// Whether the bytes are JSON or a broken JWK rather than a shared secret: everyone knows what a
/// server publishes, or says in an error message.
fn is_json(bytes: &[u8]) -> bool {
    let is_named = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
        && (Json::parse(bytes).is_ok() || is_named(b"\"kty\"") || is_named(b"\"keys\""))
}

/// The bytes of a `str`, `bytes` or, as JSON, a `dict`.
fn bytes(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<u8>> {
    if let Ok(text) = value.cast::<PyString>() {
        // Python's error for lone surrogates contains the text.
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
