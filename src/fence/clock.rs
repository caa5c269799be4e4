//! What nginx knows of the time, and of its connections.

use ngx::ffi::{ngx_cached_time, ngx_current_msec, ngx_cycle, ngx_http_time};

/// The time as nginx knows it, in seconds since the epoch; updated once per event loop.
pub(crate) fn now() -> i64 {
    // SAFETY: nginx points `ngx_cached_time` at a static slot before it reads any configuration,
    // and only ever moves it to another one; a worker's event loop is its only writer.
    unsafe { (*ngx_cached_time).sec }
}

/// The milliseconds of a clock that nobody sets, by which nginx's timers go: for how long ago
/// something was, whatever becomes of the time meanwhile.
pub(crate) fn uptime() -> u64 {
    // SAFETY: a number, whose one writer is the event loop of this process.
    unsafe { ngx_current_msec as u64 }
}

/// How many connections this worker may have, those to upstreams included.
pub(crate) fn connections() -> usize {
    // SAFETY: nginx points `ngx_cycle` at the configuration that the worker runs, before it does.
    unsafe { (*ngx_cycle).connection_n }
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
