//! Values with variables in them.

use core::mem::MaybeUninit;
use core::ptr;

use ngx::ffi::{
    ngx_http_compile_complex_value, ngx_http_compile_complex_value_t, ngx_http_complex_value,
    ngx_http_complex_value_t, ngx_str_t,
};

use super::conf::Conf;
use super::request::{Request, is_computed};
use super::status::OK;
use super::string::{bytes, string};

/// A value that nginx compiled from text and variables; it lives as long as the configuration.
///
/// Two values are equal if they are the same object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ComplexValue(ptr::NonNull<ngx_http_complex_value_t>);

impl ComplexValue {
    /// The text that the value was compiled from.
    pub(crate) fn source<'c>(self) -> &'c [u8] {
        // SAFETY: the value and its text live as long as the configuration that serves the request.
        unsafe { bytes((*self.0.as_ptr()).value) }
    }

    /// The indices of the value's variables among those that the configuration refers to.
    pub(super) fn variables(self) -> impl Iterator<Item = usize> {
        // SAFETY: nginx notes every variable of a compiled value in `flushes`, which is null where
        // there is none, and ends with -1; it lives as long as the value.
        let mut next = unsafe { (*self.0.as_ptr()).flushes };
        core::iter::from_fn(move || {
            // SAFETY: the value's `flushes` end with -1, and nothing behind the end is looked at.
            unsafe {
                let index = next.as_ref().copied().filter(|index| *index != usize::MAX)?;
                next = next.add(1);
                Some(index)
            }
        })
    }
}

impl Conf<'_> {
    /// Compiles a word of the current directive; `None` if nginx refuses the word, and logs why.
    pub(crate) fn compile(self, word: &[u8]) -> Option<ComplexValue> {
        let value = ComplexValue(self.allocate::<ngx_http_complex_value_t>()?);
        // SAFETY: the words of a directive live as long as the configuration.
        unsafe { self.compile_into(value, word) }.then_some(value)
    }

    /// Compiles another text into a value; `None` if nginx refuses the text, and logs why.
    ///
    /// # Safety
    ///
    /// The value must be of the configuration that is being read: no request has seen it yet.
    pub(crate) unsafe fn compile_anew(self, value: ComplexValue, text: &[u8]) -> Option<()> {
        let text = self.copy(text)?;
        // SAFETY: the copy lives as long as the configuration; the rest is the caller's promise.
        unsafe { self.compile_into(value, text) }.then_some(())
    }

    /// # Safety
    ///
    /// The text must live as long as the configuration, and nothing may evaluate the value
    /// meanwhile.
    unsafe fn compile_into(self, value: ComplexValue, text: &[u8]) -> bool {
        let mut text = string(text);
        let mut request = ngx_http_compile_complex_value_t {
            cf: self.as_raw(),
            value: &raw mut text,
            complex_value: value.0.as_ptr(),
            // SAFETY: the rest are flags, for which zero means no.
            ..unsafe { MaybeUninit::zeroed().assume_init() }
        };
        // SAFETY: the configuration is being read; nginx sets every field of the value.
        unsafe { ngx_http_compile_complex_value(&raw mut request) == OK }
    }
}

impl ComplexValue {
    /// The text as it stands in the configuration, with its variables unevaluated.
    pub(crate) fn text(&self) -> &[u8] {
        // SAFETY: nginx keeps the text that it compiled, in the pool of the configuration, which
        // the value does not outlive.
        unsafe { bytes(self.0.as_ref().value) }
    }
}

impl<'r> Request<'r> {
    /// Whether a value has a variable that nginx computes once and caches, such as a map.
    pub(crate) fn is_remembered(self, value: ComplexValue) -> bool {
        let variables = self.variables();
        value.variables().any(|index| {
            // A variable that is not found is treated as a map.
            variables.get(index).is_none_or(|variable| is_computed(index, variable))
        })
    }

    /// The value for this request; `None` if it cannot be evaluated.
    ///
    /// Variables that nginx evaluates on each use have their old values afterwards: nginx may be
    /// about to copy one whose length it has already computed (see [`Request::keeping`]).
    pub(crate) fn evaluate(self, value: ComplexValue) -> Option<&'r [u8]> {
        let has_variables = value.variables().next().is_some();
        let _keeping = has_variables.then(|| self.keeping(value.variables()));
        let mut text = ngx_str_t { len: 0, data: ptr::null_mut() };
        // SAFETY: the value lives as long as the configuration that serves the request; what it
        // evaluates to lies in the request's pool, or in that of the configuration.
        unsafe {
            let status = ngx_http_complex_value(self.as_raw(), value.0.as_ptr(), &raw mut text);
            (status == OK).then(|| bytes(text))
        }
    }
}
