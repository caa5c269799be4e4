//! Verifying tokens.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use ojwt_core::denial::{Defect, Denial};
use ojwt_core::keys::candidates;
use ojwt_core::token::claims::strings;
use ojwt_core::token::header_table::HeaderTable;
use ojwt_core::token::unverified::Unverified;
use ojwt_core::verify::{DEFAULT_MAX_TOKEN_SIZE, Memory};
use ojwt_core::{Alg, Circumstances, Claims, Policy, TokenType, Verifier};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyByteArray, PyBytes, PyDelta, PyDict, PyString};

use crate::encode::{alg, is_quick};
use crate::error::{Failure, invalid_key};
use crate::{key, value};

thread_local! {
    /// Caches the headers of tokens that this thread verified: issuers use few different headers.
    static HEADERS: RefCell<HeaderTable> = RefCell::default();
}

/// Requirements on the claims beyond those that the core checks.
struct Wanted {
    audience: Option<Vec<PyBackedStr>>,
    issuer: Option<Vec<PyBackedStr>>,
    required: Vec<PyBackedStr>,
}

/// Verifies a token and gives its claims.
///
/// `key` is a public key or a certificate in PEM or DER, a JWK or a JWK Set, or the bytes of a
/// shared secret for HMAC; a key that is given repeatedly is parsed once. `algorithms` are the
/// accepted algorithms, as far as the key permits them.
///
/// `exp`, `nbf` and the types of the registered claims are always checked. `audience` and `issuer`
/// are each a string or a list of strings, one of which `aud` or `iss` must name; a token with
/// `aud` is refused where no audience is given. `host` is the host of the request, which the claim
/// `host`, if there is one, must name. `leeway` is the difference that clocks may have, in seconds
/// or as a timedelta. `require` lists claims that must be present and not null.
///
/// Raises a subclass of `InvalidTokenError`, with the reason in `reason`; `InvalidKeyError` where
/// the key cannot be used.
#[pyfunction]
#[pyo3(signature = (token, key, algorithms, *, audience=None, issuer=None, host=None, leeway=None, require=None))]
#[allow(clippy::too_many_arguments)] // They are keywords.
pub(crate) fn decode<'py>(
    token: &Bound<'py, PyAny>,
    key: &Bound<'py, PyAny>,
    algorithms: &Bound<'py, PyAny>,
    audience: Option<&Bound<'py, PyAny>>,
    issuer: Option<&Bound<'py, PyAny>>,
    host: Option<&str>,
    leeway: Option<&Bound<'py, PyAny>>,
    require: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let py = token.py();
    let algorithms = list_of_algorithms(algorithms)?;
    let is_quick = algorithms.iter().all(|alg| is_quick(*alg));
    let verifier = Verifier {
        policy: Policy {
            leeway: leeway.map_or(Ok(0), seconds)?,
            algorithms: Some(algorithms),
            requirements: Vec::new(),
        },
        token_type: TokenType::Signed,
        max_token_size: DEFAULT_MAX_TOKEN_SIZE,
    };
    let wanted = Wanted {
        audience: audience.map(|value| names(value, "audience")).transpose()?,
        issuer: issuer.map(|value| names(value, "issuer")).transpose()?,
        required: require.map_or(Ok(Vec::new()), |value| names(value, "require"))?,
    };
    let keys = [key::verifying(key)?];
    let token = Token::of(token)?;
    let token = token.as_bytes();
    let at = Circumstances::new(now(), host.map(str::as_bytes));
    let verify = || {
        HEADERS.with(|headers| {
            let memory = Memory { tokens: None, headers: Some(headers) };
            verifier.verify_with(memory, token, &keys, &at)
        })
    };
    let claims = if is_quick { verify() } else { py.detach(verify) };
    let claims = claims.map_err(|refusal| explain(refusal.denial, token).into_error(py))?;
    wanted.check(&claims).map_err(|failure| failure.into_error(py))?;
    value::to_dict(py, claims.json())
}

/// Raises what `decode` would raise for these arguments with any token, and `InvalidKeyError` where
/// the key is for none of the algorithms.
#[pyfunction]
#[pyo3(signature = (key, algorithms, leeway=None))]
pub(crate) fn check(
    key: &Bound<'_, PyAny>,
    algorithms: &Bound<'_, PyAny>,
    leeway: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let algorithms = list_of_algorithms(algorithms)?;
    leeway.map(seconds).transpose()?;
    let keys = [key::verifying(key)?];
    if algorithms.iter().any(|alg| candidates(&keys, *alg, None).is_ok()) {
        return Ok(());
    }
    Err(invalid_key(key.py(), "the key is for none of the algorithms"))
}

/// The header of a token that is not verified: the header may say anything.
#[pyfunction]
pub(crate) fn decode_unverified_header<'py>(
    token: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyDict>> {
    let py = token.py();
    let token = Token::of(token)?;
    let unverified = Unverified::read(token.as_bytes(), DEFAULT_MAX_TOKEN_SIZE);
    let unverified = unverified.map_err(|denial| Failure::of(denial).into_error(py))?;
    value::to_dict(py, unverified.header())
}

/// A token as the caller passed it.
enum Token<'py> {
    Text(PyBackedStr),
    Bytes(&'py [u8]),
}

impl<'py> Token<'py> {
    fn of(token: &'py Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = token.cast::<PyString>() {
            // Python's error for lone surrogates contains the token.
            let text = text.clone().try_into();
            let malformed = |_: PyErr| Failure::of(Defect::Base64.into()).into_error(token.py());
            return text.map(Self::Text).map_err(malformed);
        }
        if let Ok(bytes) = token.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.as_bytes()));
        }
        let message = "a token is str or bytes".into();
        Err(Failure { message, ..Failure::of(Denial::NoToken) }.into_error(token.py()))
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}

fn list_of_algorithms(algorithms: &Bound<'_, PyAny>) -> PyResult<Vec<Alg>> {
    if algorithms.is_instance_of::<PyString>() || algorithms.is_none() {
        return Err(PyTypeError::new_err("algorithms is a list of names, such as [\"RS256\"]"));
    }
    let mut list = Vec::new();
    for name in algorithms.try_iter()? {
        list.push(alg(name?.cast::<PyString>()?.to_cow()?.as_ref())?);
    }
    if list.is_empty() {
        return Err(PyValueError::new_err("algorithms names none"));
    }
    Ok(list)
}

/// A single string, or several strings.
fn names(value: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<PyBackedStr>> {
    if let Ok(one) = value.extract() {
        return Ok(vec![one]);
    }
    // Empty bytes would count as an empty list.
    let is_bytes = value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>();
    let names = value.try_iter().and_then(|names| names.map(|name| name?.extract()).collect());
    let names = names.ok().filter(|_| !is_bytes);
    names.ok_or_else(|| PyTypeError::new_err(format!("{what} is a string or a list of them")))
}

/// Whole seconds of a number or a `timedelta`, rounded down.
fn seconds(leeway: &Bound<'_, PyAny>) -> PyResult<u64> {
    let seconds: f64 = match leeway.cast::<PyDelta>() {
        Ok(delta) => delta.call_method0("total_seconds")?.extract()?,
        Err(_) => leeway.extract()?,
    };
    if !(0.0..=1e15).contains(&seconds) {
        return Err(PyValueError::new_err("leeway is not negative"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Checked above.
    Ok(seconds as u64)
}

/// The exception for a denial; where PyJWT has a more specific exception, that one.
fn explain(denial: Denial, token: &[u8]) -> Failure {
    if denial != Denial::ClaimRejected {
        return Failure::of(denial);
    }
    // The signature is good, but a registered claim has the wrong type.
    let unverified = Unverified::read(token, DEFAULT_MAX_TOKEN_SIZE).ok();
    let claim = |name: &str| unverified.as_ref()?.claims()?.member(name);
    let is_finite = |number: &str| number.parse().is_ok_and(f64::is_finite);
    let is_number = |name: &str| claim(name).is_none_or(|v| v.as_number().is_some_and(is_finite));
    let is_string = |name: &str| claim(name).is_none_or(|value| value.as_str().is_some());
    for (name, class) in
        [("exp", "DecodeError"), ("nbf", "DecodeError"), ("iat", "InvalidIssuedAtError")]
    {
        if !is_number(name) {
            return Failure::claim(class, format!("{name} is not a number"));
        }
    }
    for (name, class) in
        [("iss", "InvalidIssuerError"), ("sub", "InvalidSubjectError"), ("jti", "InvalidJTIError")]
    {
        if !is_string(name) {
            return Failure::claim(class, format!("{name} is not a string"));
        }
    }
    if claim("aud").is_some_and(|value| strings(value).is_none()) {
        return Failure::claim("InvalidAudienceError", "aud is not a string or a list of them");
    }
    Failure::of(denial)
}

impl Wanted {
    /// Checks what PyJWT checks: the required claims, the issuer and the audience.
    fn check(&self, claims: &Claims) -> Result<(), Failure> {
        let missing = |name: &str| Failure::claim("MissingRequiredClaimError", name);
        for name in &self.required {
            if claims.claim(name).is_none_or(|value| value.text() == "null") {
                return Err(missing(name));
            }
        }
        if let Some(wanted) = &self.issuer {
            let issuer = claims.claim("iss").ok_or_else(|| missing("iss"))?;
            let is_it = |issuer: &str| wanted.iter().any(|wanted| *issuer == **wanted);
            if !issuer.as_str().is_some_and(|issuer| is_it(&issuer)) {
                return Err(Failure::claim("InvalidIssuerError", "Invalid issuer"));
            }
        }
        match (&self.audience, claims.claim("aud")) {
            (None, None) => Ok(()),
            (Some(_), None) => Err(missing("aud")),
            (wanted, Some(audience)) => {
                let audience = strings(audience).unwrap_or_default();
                let wanted = wanted.as_deref().unwrap_or_default();
                let is_for = |one: &str| audience.iter().any(|audience| *audience == *one);
                if wanted.iter().any(|one| is_for(one)) {
                    return Ok(());
                }
                Err(Failure::claim("InvalidAudienceError", "Audience doesn't match"))
            }
        }
    }
}
