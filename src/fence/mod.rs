//! The fence: every touch of nginx's memory, behind small typed wrappers.
//!
//! Outside this folder and [`crate::module`] there is no `unsafe`. The wrappers lend what nginx
//! owns for as long as nginx guarantees it to live, and say which guarantee that is.

pub(crate) mod complex;
pub(crate) mod conf;
mod detached;
pub(crate) mod guard;
mod layout;
pub(crate) mod log;
pub(crate) mod request;
pub(crate) mod subrequest;
pub(crate) mod variable;
pub(crate) mod wake;
pub(crate) mod worker;

use core::slice;

use ngx::ffi::{
    NGX_AGAIN, NGX_DECLINED, NGX_DONE, NGX_ERROR, ngx_cached_time, ngx_current_msec, ngx_cycle,
    ngx_http_time, ngx_int_t, ngx_str_t,
};

/// What functions return that nginx calls, or that it offers.
pub(crate) const OK: ngx_int_t = 0;
pub(crate) const ERROR: ngx_int_t = NGX_ERROR as ngx_int_t;
pub(crate) const AGAIN: ngx_int_t = NGX_AGAIN as ngx_int_t;
pub(crate) const DECLINED: ngx_int_t = NGX_DECLINED as ngx_int_t;
pub(crate) const DONE: ngx_int_t = NGX_DONE as ngx_int_t;
pub(crate) const INTERNAL_SERVER_ERROR: ngx_int_t = 500;

/// The time as nginx knows it, in seconds since the epoch; updated once per event loop.
pub(crate) fn now() -> i64 {
    // SAFETY: nginx points `ngx_cached_time` at a static slot before it reads any configuration,
    // and only ever moves it to another one; a worker's event loop is its only writer.
    unsafe { (*ngx_cached_time).sec }
}

/// The milliseconds of a clock that nobody sets, by which nginx's timers go: for how long ago something
/// was, whatever becomes of the time meanwhile.
pub(crate) fn uptime() -> u64 {
    // SAFETY: a number, whose one writer is the event loop of this process.
    unsafe { ngx_current_msec as u64 }
}

/// How many connections this worker may have, those to upstreams included.
pub(crate) fn connections() -> usize {
    // SAFETY: nginx points `ngx_cycle` at the configuration that the worker runs, before it does.
    unsafe { (*ngx_cycle).connection_n }
}

/// The bytes of an nginx string. An empty one may point anywhere.
///
/// # Safety
///
/// What `string` points to must live, unchanged, for `'a`.
unsafe fn bytes<'a>(string: ngx_str_t) -> &'a [u8] {
    if string.len == 0 || string.data.is_null() {
        return &[];
    }
    // SAFETY: an nginx string that is not empty points to `len` initialised bytes; the caller
    // answers for their life.
    unsafe { slice::from_raw_parts(string.data, string.len) }
}

/// Borrows bytes as an nginx string, for functions that only read it.
fn string(bytes: &[u8]) -> ngx_str_t {
    ngx_str_t { len: bytes.len(), data: bytes.as_ptr().cast_mut() }
}

/// Renders bytes of unknown origin for a message: printable ASCII as it is, the rest escaped.
pub(crate) fn printable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// The last second of the year 9999, the last that a date of HTTP can tell.
const LAST_DATE: i64 = 253_402_300_799;

/// A date of HTTP (RFC 9110 section 5.6.7), such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(seconds: i64) -> String {
    let mut buffer = [0u8; 64];
    // SAFETY: nginx writes 29 bytes for a year of four digits, which the clamp makes it.
    let length = unsafe {
        let start = buffer.as_mut_ptr();
        ngx_http_time(start, seconds.clamp(0, LAST_DATE)).offset_from(start)
    };
    let written = usize::try_from(length).ok().and_then(|length| buffer.get(..length));
    String::from_utf8_lossy(written.unwrap_or_default()).into_owned()
}
