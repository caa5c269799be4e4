//! nginx's strings, and bytes made printable.

use core::slice;

use ngx::ffi::ngx_str_t;

/// The bytes of an nginx string. An empty one may point anywhere.
///
/// # Safety
///
/// What `string` points to must live, unchanged, for `'a`.
pub(super) unsafe fn bytes<'a>(string: ngx_str_t) -> &'a [u8] {
    if string.len == 0 || string.data.is_null() {
        return &[];
    }
    // SAFETY: an nginx string that is not empty points to `len` initialised bytes; the caller
    // guarantees how long they live.
    unsafe { slice::from_raw_parts(string.data, string.len) }
}

/// Borrows bytes as an nginx string, for functions that only read it.
pub(super) fn string(bytes: &[u8]) -> ngx_str_t {
    ngx_str_t { len: bytes.len(), data: bytes.as_ptr().cast_mut() }
}

/// Renders bytes of unknown origin for a message: printable ASCII as it is, the rest escaped.
pub(crate) fn printable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
