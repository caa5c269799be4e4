//! JSON as Python objects: what `json.loads` makes of the same text.

use ojwt_core::denial::Defect;
use ojwt_core::text::json::{Json, Object, Value};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyString};

use crate::error::Failure;

/// The outermost value, which is an object.
pub(crate) fn to_dict<'py>(py: Python<'py>, json: &Json) -> PyResult<Bound<'py, PyDict>> {
    match json.root().as_object() {
        Some(object) => dict(py, object),
        None => Ok(PyDict::new(py)),
    }
}

fn dict<'py>(py: Python<'py>, object: Object<'_>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, value) in object.members() {
        dict.set_item(PyString::new(py, &name), to_object(py, value)?)?;
    }
    Ok(dict)
}

// Values nest no deeper than `ojwt_core::text::json::MAX_DEPTH`.
fn to_object<'py>(py: Python<'py>, value: Value<'_>) -> PyResult<Bound<'py, PyAny>> {
    if let Some(text) = value.as_str() {
        return Ok(PyString::new(py, &text).into_any());
    }
    if let Some(number) = value.as_number() {
        return to_number(py, number);
    }
    if let Some(object) = value.as_object() {
        return Ok(dict(py, object)?.into_any());
    }
    if let Some(elements) = value.as_array() {
        let elements = elements.map(|element| to_object(py, element));
        return Ok(PyList::new(py, elements.collect::<PyResult<Vec<_>>>()?)?.into_any());
    }
    match value.as_bool() {
        Some(is_true) => Ok(is_true.into_pyobject(py)?.to_owned().into_any()),
        None => Ok(py.None().into_bound(py)),
    }
}

fn to_number<'py>(py: Python<'py>, number: &str) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(whole) = number.parse::<i64>() {
        return Ok(whole.into_pyobject(py)?.into_any());
    }
    if number.contains(['.', 'e', 'E']) {
        let value: f64 = number.parse()?;
        return Ok(PyFloat::new(py, value).into_any());
    }
    // Python accepts no more than `sys.get_int_max_str_digits()` digits.
    let whole = py.get_type::<PyInt>().call1((number,));
    whole.map_err(|_| Failure::of(Defect::Json.into()).into_error(py))
}
