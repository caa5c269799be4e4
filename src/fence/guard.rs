//! No panic crosses into nginx: each entry point runs inside [`guard`], and fails closed.

use core::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

use super::log::{self, Level};

thread_local! {
    /// Where the last panic began. A panic's message is not kept: it might quote a request.
    static ORIGIN: Cell<Option<String>> = const { Cell::new(None) };
}

/// Runs an entry point. A panic is logged at `alert`, and `on_panic` is then the result.
pub(crate) fn guard<T>(on_panic: T, entry: impl FnOnce() -> T) -> T {
    // What a panic may leave half-done belongs to the current request or configuration, which
    // is refused; so nothing observes a broken invariant.
    panic::catch_unwind(AssertUnwindSafe(entry)).unwrap_or_else(|payload| {
        // Dropping the payload runs code of the module that panicked, which could panic again;
        // dropping a text cannot.
        let kept = payload.downcast::<String>().map(drop);
        let kept = kept.or_else(|payload| payload.downcast::<&'static str>().map(drop));
        core::mem::forget(kept);
        let message = match ORIGIN.take() {
            Some(origin) => format!("ojwt: internal error at {origin}"),
            None => "ojwt: internal error".to_owned(),
        };
        log::cycle(Level::Alert, &message);
        on_panic
    })
}

/// Keeps Rust's runtime from writing panic messages to standard error.
pub(crate) fn silence_panics() {
    panic::set_hook(Box::new(|info| {
        ORIGIN.set(info.location().map(ToString::to_string));
    }));
}
