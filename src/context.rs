//! What a gate makes of a request: found out when it is first asked, remembered until the
//! client's request ends.
//!
//! A request may meet several gates on its way through rewrites, internal redirects and
//! subrequests; each judges it once. The outcome belongs to the request that the client made, so
//! that a subrequest neither loses the token nor brings another one.

use core::cell::{Cell, OnceCell};
use std::borrow::Cow;
use std::rc::Rc;

use ojwt_core::claims::Claims;
use ojwt_core::denial::Denial;
use ojwt_core::policy::Circumstances;
use ojwt_core::transport;

use crate::conf::Gate;
use crate::fence;
use crate::fence::log::Level;
use crate::fence::request::{LogHandler, Redact, Request};
use crate::source::Source;

/// What a gate made of a request.
pub(crate) struct Outcome {
    pub(crate) verdict: Result<Claims, Denial>,
    /// The token, where it came in the URL and is valid: the response may set it as a cookie.
    pub(crate) token_from_url: Option<Vec<u8>>,
}

/// The outcomes of a client's request, in the order in which they were found out.
///
/// A list of which no part ever moves or goes, so that variables may point into it.
#[derive(Default)]
struct Remembered {
    first: OnceCell<Box<Entry>>,
    log_handler: OnceCell<LogHandler>,
    /// Why a request with a valid token was refused all the same.
    overruled: Cell<Option<Denial>>,
}

struct Entry {
    gate: Rc<Gate>,
    outcome: Outcome,
    next: OnceCell<Box<Entry>>,
}

/// The outcome at a gate.
///
/// # Errors
///
/// [`Denial::InternalError`] where there is no memory to remember it in.
pub(crate) fn outcome<'r>(request: Request<'r>, gate: &Rc<Gate>) -> Result<&'r Outcome, Denial> {
    let remembered = remembered(request)
        .or_else(|| {
            // SAFETY: nothing is remembered yet, and `Remembered` is the module's one type.
            unsafe { request.remember(Remembered::default()) }
        })
        .ok_or(Denial::InternalError)?;
    if let Some(outcome) = remembered.outcome_at(gate) {
        return Ok(outcome);
    }
    // SAFETY: `Remembered` is the one type that this module has nginx remember.
    unsafe { request.redact_log(remembered) };
    let outcome = judge(request, gate);
    Ok(remembered.push(Entry { gate: Rc::clone(gate), outcome, next: OnceCell::new() }))
}

/// Notes that the request is refused although its token is valid.
pub(crate) fn overrule(request: Request<'_>, denial: Denial) {
    if let Some(remembered) = remembered(request) {
        remembered.overruled.set(Some(denial));
    }
}

/// Why the request was refused although its token is valid, if it was.
pub(crate) fn overruled(request: Request<'_>) -> Option<Denial> {
    remembered(request)?.overruled.get()
}

/// The outcomes so far, the latest last; finds nothing out.
pub(crate) fn outcomes(request: Request<'_>) -> impl Iterator<Item = (&Rc<Gate>, &Outcome)> {
    remembered(request).into_iter().flat_map(Remembered::entries)
}

impl Remembered {
    fn outcome_at(&self, gate: &Rc<Gate>) -> Option<&Outcome> {
        self.entries().find_map(|(asked, outcome)| Rc::ptr_eq(asked, gate).then_some(outcome))
    }

    /// Appends; to judge may have meant to ask other gates, so that the end is looked for now.
    fn push(&self, entry: Entry) -> &Outcome {
        let mut slot = &self.first;
        while let Some(entry) = slot.get() {
            slot = &entry.next;
        }
        &slot.get_or_init(|| Box::new(entry)).outcome
    }

    fn entries(&self) -> impl Iterator<Item = (&Rc<Gate>, &Outcome)> + Clone {
        let first = self.first.get();
        core::iter::successors(first, |entry| entry.next.get())
            .map(|entry| (&entry.gate, &entry.outcome))
    }
}

/// nginx adds the request line and the referrer to what it logs as an error; a token in an
/// argument is not for the log.
impl Redact for Remembered {
    fn original(&self) -> &OnceCell<LogHandler> {
        &self.log_handler
    }

    fn redact(&self, line: &[u8]) -> Vec<u8> {
        let sources = self.entries().flat_map(|(gate, _)| &gate.sources);
        transport::redacted(line, &sources.filter_map(Source::argument))
    }
}

fn remembered(request: Request<'_>) -> Option<&Remembered> {
    // SAFETY: `Remembered` is the one type that this module has nginx remember.
    unsafe { request.remembered() }
}

fn judge(request: Request<'_>, gate: &Gate) -> Outcome {
    let found = gate.sources.iter().find_map(|source| Some((source, source.find(request)?)));
    let verdict = match &found {
        None => Err(Denial::NoToken),
        Some((_, token)) => {
            #[cfg(feature = "inject-panic")]
            assert!(**token != *b"panic", "as the test wants it: {token:?}");
            let at = Circumstances { now: fence::now(), host: Some(request.host()) };
            gate.verifier.verify(token, &gate.keys, &at)
        }
    };
    if let Err(denial) = &verdict {
        let message = match denial.detail() {
            Some(detail) => Cow::Owned(format!("{denial}: {detail}")),
            None => Cow::Borrowed(denial.reason()),
        };
        let level = if denial.is_our_fault() { Level::Error } else { Level::Info };
        request.log(level, &message);
    }
    let token_from_url = match found {
        Some((Source::Argument(_), token)) if verdict.is_ok() => Some(token.into_owned()),
        _ => None,
    };
    Outcome { verdict, token_from_url }
}
