//! Denials as the exceptions of `ox_jwt.exceptions`, which are named as PyJWT names them.

use ojwt_core::denial::Denial;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// An exception of `ox_jwt.exceptions`, with its message and the core's reason.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) class: &'static str,
    pub(crate) message: String,
    pub(crate) reason: &'static str,
}

impl Failure {
    /// The exception for a denial without further information.
    pub(crate) fn of(denial: Denial) -> Self {
        let class = match denial {
            Denial::Malformed(_) | Denial::TooLarge | Denial::NoToken => "DecodeError",
            Denial::SeveralTokens => "SeveralTokensError",
            Denial::UnsupportedAlgorithm | Denial::AlgorithmNotAllowed => "InvalidAlgorithmError",
            Denial::SignatureMismatch | Denial::KeysUntried => "InvalidSignatureError",
            Denial::UnknownKey => "UnknownKeyError",
            Denial::Expired => "ExpiredSignatureError",
            Denial::NotYetValid => "ImmatureSignatureError",
            Denial::WrongHost => "InvalidHostError",
            Denial::NoKey => "InvalidKeyError",
            Denial::UnsupportedCriticalHeader
            | Denial::ClaimRejected
            | Denial::Revoked
            | Denial::DecryptionFailed
            | Denial::KeyUnavailable
            | Denial::InternalError => "InvalidTokenError",
        };
        let message = match denial {
            Denial::Malformed(defect) => format!("{}: {defect}", denial.reason()),
            _ => denial.reason().into(),
        };
        Self { class, message, reason: denial.reason() }
    }

    /// The exception for a claim that is not as required.
    pub(crate) fn claim(class: &'static str, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), reason: Denial::ClaimRejected.reason() }
    }

    /// The exception, to be raised.
    pub(crate) fn into_error(self, py: Python<'_>) -> PyErr {
        let raised = || {
            let exception = class(py, self.class)?.call1((self.message,))?;
            exception.setattr("reason", self.reason)?;
            Ok(PyErr::from_value(exception))
        };
        raised().unwrap_or_else(|error| error)
    }
}

/// A class of `ox_jwt.exceptions`.
fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || {
        py.import("ox_jwt.exceptions").map(|module| module.into_any().unbind())
    })?;
    module.bind(py).getattr(name)
}

/// `InvalidKeyError`: the given key cannot be used.
pub(crate) fn invalid_key(py: Python<'_>, message: impl Into<String>) -> PyErr {
    Failure { class: "InvalidKeyError", message: message.into(), reason: Denial::NoKey.reason() }
        .into_error(py)
}
