//! nginx's logs.

use core::ffi::c_char;

use ngx::ffi::{
    NGX_LOG_ALERT, NGX_LOG_EMERG, NGX_LOG_ERR, NGX_LOG_INFO, NGX_LOG_NOTICE, NGX_LOG_WARN,
    ngx_cycle, ngx_log_error_core, ngx_log_t, ngx_uint_t,
};

/// The levels in use (nginx.org, `error_log`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// A configuration that cannot be served.
    Emerg,
    /// A fault of ours.
    Alert,
    /// A request that could not be served because of a fault of ours.
    Error,
    /// Something to correct, in a configuration that is served.
    Warn,
    /// A change that is intended.
    Notice,
    /// Why a request was refused.
    Info,
}

impl Level {
    pub(super) fn number(self) -> ngx_uint_t {
        let number = match self {
            Self::Emerg => NGX_LOG_EMERG,
            Self::Alert => NGX_LOG_ALERT,
            Self::Error => NGX_LOG_ERR,
            Self::Warn => NGX_LOG_WARN,
            Self::Notice => NGX_LOG_NOTICE,
            Self::Info => NGX_LOG_INFO,
        };
        number as ngx_uint_t
    }
}

/// Prints a length and a pointer, so that no byte of a message is taken for a format.
pub(super) const BYTES: *const c_char = c"%*s".as_ptr();

/// Logs to the current cycle's `error_log`.
pub(crate) fn cycle(level: Level, message: &str) {
    // SAFETY: nginx sets `ngx_cycle` and its log before it loads a module, and keeps both valid.
    unsafe {
        if let Some(cycle) = ngx_cycle.as_ref() {
            write(level, cycle.log, message);
        }
    }
}

/// Logs to `log` without its handler, which would add the request line and any token in it.
///
/// # Safety
///
/// `log` must be null or a log that nginx keeps valid during the call.
pub(super) unsafe fn without_request(level: Level, log: *const ngx_log_t, message: &str) {
    // SAFETY: the caller's promise; a copy of the settings shares the file and the list of further
    // logs, which are nginx's and stay valid.
    unsafe {
        if let Some(log) = log.as_ref() {
            let mut bare = ngx_log_t { handler: None, ..*log };
            write(level, &raw mut bare, message);
        }
    }
}

/// # Safety
///
/// `log` must be null or valid for writing: nginx notes in it when the disk was full.
unsafe fn write(level: Level, log: *mut ngx_log_t, message: &str) {
    // SAFETY: the caller's promise; the format takes a length and as many bytes.
    unsafe {
        if log.is_null() || (*log).log_level < level.number() {
            return;
        }
        ngx_log_error_core(level.number(), log, 0, BYTES, message.len(), message.as_ptr());
    }
}
