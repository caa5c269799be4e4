//! What ojwt asks of HTTP: how a request carries a token.
//!
//! Pure functions over the bytes of a request, without I/O. A file uses only the files that stand
//! below it.
#![forbid(unsafe_code)]

mod redact;

mod cookie;

mod argument;
mod bearer;

mod lookalike;

mod one;
mod percent;

pub use argument::{agrees_behind, argument, argument_in_any_case, without_arguments};
pub use bearer::{bare, bearer};
pub use cookie::{cookie, cookie_in_any_case, without_cookies};
pub use one::one;
pub use redact::redacted;
