//! nginx's clocks, and its limit of connections.

use ngx::ffi::{ngx_cached_time, ngx_current_msec, ngx_cycle, ngx_http_time};

/// The time of day that nginx has cached, in seconds since the epoch; updated once per iteration of
/// the event loop.
pub(crate) fn now() -> i64 {
    // SAFETY: nginx points `ngx_cached_time` at a static slot before it reads any configuration,
    // and only ever moves it to another one; a worker's event loop is its only writer.
    unsafe { (*ngx_cached_time).sec }
}

/// The monotonic clock of nginx's timers, in milliseconds: tells how long ago something was, even
/// if the time of day is set meanwhile.
pub(crate) fn uptime() -> u64 {
    // SAFETY: it is a number, whose only writer is the event loop of this process.
    unsafe { ngx_current_msec as u64 }
}

/// How many connections this worker may have, those to upstreams included.
pub(crate) fn connections() -> usize {
    // SAFETY: nginx points `ngx_cycle` at the configuration that the worker runs, before the worker
    // runs.
    unsafe { (*ngx_cycle).connection_n }
}

/// The last second of the year 9999, the last that an HTTP date can express.
const LAST_DATE: i64 = 253_402_300_799;

/// An HTTP date (RFC 9110 section 5.6.7), such as `Sun, 06 Nov 1994 08:49:37 GMT`.
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
