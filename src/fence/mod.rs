//! The fence: every touch of nginx's memory, behind small typed wrappers.
//!
//! Outside this folder and [`crate::module`] the compiler denies `unsafe`. The wrappers lend what
//! nginx owns for as long as nginx guarantees it to live, and say which guarantee that is.

pub(crate) mod subrequest;

mod detached;

pub(crate) mod complex;

pub(crate) mod conf;
pub(crate) mod wake;
pub(crate) mod worker;

pub(crate) mod request;
pub(crate) mod variable;

pub(crate) mod guard;

pub(crate) mod log;

mod clock;
mod layout;
pub(crate) mod status;
mod string;

pub(crate) use clock::{connections, http_date, now, uptime};
pub(crate) use string::printable;
