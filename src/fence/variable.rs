//! The values of variables.

use core::ffi::CStr;
use core::ptr;

use ngx::ffi::{
    NGX_HTTP_VAR_NOCACHEABLE, ngx_conf_t, ngx_http_add_variable, ngx_http_get_variable_pt,
    ngx_http_variable_value_t, ngx_uint_t,
};

use super::string;

/// The longest value, in bytes: nginx keeps the length in 28 bits.
const MAX_LENGTH: usize = (1 << 28) - 1;

/// What a variable evaluates to.
#[derive(Clone, Copy)]
pub(crate) enum Value<'r> {
    /// These bytes, which live as long as the request.
    Text(&'r [u8]),
    /// Nothing: `-` in a log, empty elsewhere.
    Missing,
}

impl Value<'_> {
    /// Stores the value where nginx asked for it.
    ///
    /// # Safety
    ///
    /// `slot` must be null or valid for writing, and the value live as long as its reader: until
    /// the end of the request for which nginx asks.
    pub(crate) unsafe fn store(self, slot: *mut ngx_http_variable_value_t) {
        // SAFETY: the caller's promise; setting every bit-field needs no earlier value.
        let Some(slot) = (unsafe { slot.as_mut() }) else { return };
        let text = match self {
            Self::Text(text) if text.len() <= MAX_LENGTH => Some(text),
            Self::Text(_) | Self::Missing => None,
        };
        // The length was bounded above.
        slot.set_len(text.map_or(0, |text| u32::try_from(text.len()).unwrap_or(0)));
        slot.set_valid(u32::from(text.is_some()));
        slot.set_not_found(u32::from(text.is_none()));
        slot.set_no_cacheable(0);
        slot.set_escape(0);
        slot.data = text.map_or(ptr::null_mut(), |text| text.as_ptr().cast_mut());
    }
}

/// Registers a variable that is evaluated anew whenever it is used; `None` if memory is short.
///
/// # Safety
///
/// `cf` must be the configuration that nginx is reading, in the preconfiguration of a module.
pub(crate) unsafe fn register(
    cf: *mut ngx_conf_t,
    name: &'static CStr,
    handler: ngx_http_get_variable_pt,
    data: usize,
) -> Option<()> {
    let mut name = string(name.to_bytes());
    let flags = NGX_HTTP_VAR_NOCACHEABLE as ngx_uint_t;
    // SAFETY: the caller's promise; nginx copies the name.
    let variable = unsafe { ngx_http_add_variable(cf, &raw mut name, flags).as_mut()? };
    variable.get_handler = handler;
    variable.data = data;
    Some(())
}
