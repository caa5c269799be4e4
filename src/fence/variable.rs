//! The values of variables.

use core::ptr;

use ngx::ffi::{
    NGX_HTTP_VAR_NOCACHEABLE, NGX_HTTP_VAR_PREFIX, ngx_conf_t, ngx_http_add_variable,
    ngx_http_get_variable_pt, ngx_http_variable_value_t, ngx_str_t, ngx_uint_t,
};

use super::string::{bytes, string};

/// The longest value, in bytes: nginx keeps the length in 28 bits.
const MAX_LENGTH: usize = (1 << 28) - 1;

/// What a variable evaluates to.
#[derive(Clone, Copy)]
pub(crate) enum Value<'r> {
    /// These bytes, which live as long as the request.
    Text(&'r [u8]),
    /// No value: `-` in a log, empty elsewhere.
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

/// How a variable's name is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// The whole name; the handler gets the number that the name was registered with.
    Whole(usize),
    /// The prefix of many names; the handler gets the address of the name asked for.
    Prefix,
}

/// The name that the handler of a [`Name::Prefix`] was called with.
///
/// # Safety
///
/// `data` must be what nginx handed to the handler of a [`Name::Prefix`], which is running.
pub(crate) unsafe fn asked_name<'r>(data: usize) -> &'r [u8] {
    let name = core::ptr::with_exposed_provenance::<ngx_str_t>(data);
    // SAFETY: nginx hands the address of the variable's name, which lives with the configuration
    // or, for a name that a request made up, with the request.
    unsafe { name.as_ref().map_or(&[], |name| bytes(*name)) }
}

/// Registers a variable that is evaluated on each use; `None` if nginx refuses, and logs why.
///
/// # Safety
///
/// `cf` must be the configuration that nginx is reading, inside `http`.
pub(crate) unsafe fn register(
    cf: *mut ngx_conf_t,
    name: &[u8],
    handler: ngx_http_get_variable_pt,
    kind: Name,
) -> Option<()> {
    let mut name = string(name);
    let (flags, data) = match kind {
        Name::Whole(data) => (NGX_HTTP_VAR_NOCACHEABLE, data),
        Name::Prefix => (NGX_HTTP_VAR_NOCACHEABLE | NGX_HTTP_VAR_PREFIX, 0),
    };
    let flags = flags as ngx_uint_t;
    // SAFETY: the caller's promise; nginx copies the name.
    let variable = unsafe { ngx_http_add_variable(cf, &raw mut name, flags).as_mut()? };
    variable.get_handler = handler;
    variable.data = data;
    Some(())
}
