//! What a gate makes of a request: found out when it is first asked, remembered until the
//! client's request ends.
//!
//! A request may meet several gates on its way through rewrites, internal redirects and
//! subrequests; each judges it once. The outcome belongs to the request that the client made, so
//! that a subrequest neither loses the token nor brings another one.

use core::cell::{Cell, OnceCell, RefCell};
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use ojwt_core::claims::Claims;
use ojwt_core::denial::Denial;
use ojwt_core::keys::KeySet;
use ojwt_core::policy::Circumstances;
use ojwt_core::transport;
use ojwt_core::unverified::Unverified;

use crate::conf::{Gate, MainConf};
use crate::fence;
use crate::fence::log::Level;
use crate::fence::request::{LogHandler, Redact, Request};
use crate::key_request::{Flight, Flights, Progress};
use crate::keys::KeySources;
use crate::source::Source;

/// What a gate made of a request.
#[derive(Debug)]
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
    /// The fetches of keys that it has a part in.
    flights: Flights,
    /// The token that keys are being chosen for: until they are, nobody has checked it.
    choosing: RefCell<Option<Rc<Unverified>>>,
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
/// [`Denial::InternalError`] where there is no memory to remember it in; [`Denial::KeyUnavailable`]
/// where keys that are to be fetched were not: see [`prepare`]. Neither is remembered.
pub(crate) fn outcome<'r>(request: Request<'r>, gate: &Rc<Gate>) -> Result<&'r Outcome, Denial> {
    let remembered = remember(request)?;
    if let Some(outcome) = remembered.outcome_at(gate) {
        return Ok(outcome);
    }
    // What keys are chosen by cannot depend on what the token is found to be by those keys.
    if remembered.choosing.borrow().is_some() {
        return Err(Denial::InternalError);
    }
    // SAFETY: `Remembered` is the one type that this module has nginx remember.
    unsafe { request.redact_log(remembered) };
    let outcome = judge(request, remembered, gate)?;
    Ok(remembered.push(Entry { gate: Rc::clone(gate), outcome, next: OnceCell::new() }))
}

/// Whether the outcome at a gate can be found out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// Keys are being fetched: the phase is to be left, and nginx comes back to it.
    Waiting,
}

/// Fetches the keys that a gate needs to judge this request, unless they are at hand.
pub(crate) fn prepare(request: Request<'_>, gate: &Rc<Gate>) -> Readiness {
    if gate.keys.requests.is_empty() {
        return Readiness::Ready;
    }
    let Ok(remembered) = remember(request) else { return Readiness::Ready };
    if remembered.outcome_at(gate).is_some() {
        return Readiness::Ready;
    }
    // SAFETY: `Remembered` is the one type that this module has nginx remember.
    unsafe { request.redact_log(remembered) };
    let Some((_, token)) = find(request, gate) else { return Readiness::Ready };
    // What fails here fails again when the outcome is asked for, and is told then.
    let waits = remembered.choose(request, gate, &token, || {
        let Some(main) = main_conf(request) else { return false };
        gate.keys.requests.iter().any(|locator| {
            let flights = &remembered.flights;
            let progress = main.key_requests.fetch(request, flights, *locator, gate.keys.cache);
            matches!(progress, Ok(Progress::Waiting))
        })
    });
    if waits == Ok(true) { Readiness::Waiting } else { Readiness::Ready }
}

/// The fetch of keys that this subrequest is, if it is one.
pub(crate) fn fetch_of(request: Request<'_>) -> Option<Rc<Flight>> {
    remembered(request)?.flights.of(request)
}

/// Whether the request is part of a fetch of keys.
pub(crate) fn is_part_of_fetch(request: Request<'_>) -> bool {
    remembered(request).is_some_and(|remembered| remembered.flights.cover(request))
}

/// The token that keys are being chosen for right now, if they are.
pub(crate) fn choosing(request: Request<'_>) -> Option<Rc<Unverified>> {
    remembered(request)?.choosing.borrow().clone()
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

    /// Evaluates what keys are chosen by: meanwhile variables show the token, and what nginx
    /// remembers of them is forgotten afterwards.
    fn choose<T>(
        &self,
        request: Request<'_>,
        gate: &Gate,
        token: &[u8],
        evaluate: impl FnOnce() -> T,
    ) -> Result<T, Denial> {
        if !gate.keys.are_chosen() {
            return Ok(evaluate());
        }
        let token = Unverified::read(token, gate.verifier.max_token_size)?;
        let outer = self.choosing.replace(Some(Rc::new(token)));
        let value = request.without_trace(evaluate);
        self.choosing.replace(outer);
        Ok(value)
    }

    /// The keys of a gate for this token.
    fn keys<'g>(
        &self,
        request: Request<'_>,
        gate: &'g Gate,
        token: &[u8],
    ) -> Result<Keys<'g>, Denial> {
        let KeySources { fixed, files, requests, cache } = &gate.keys;
        if gate.keys.are_fixed() {
            return Ok(Keys::AtHand(Cow::Borrowed(fixed)));
        }
        let main = main_conf(request).ok_or(Denial::InternalError)?;
        self.choose(request, gate, token, || {
            let mut keys = fixed.clone();
            for file in files {
                keys.push(main.key_files.find(request, *file)?);
            }
            for locator in requests {
                match main.key_requests.find(request, &self.flights, *locator, *cache)? {
                    Progress::Ready(fetched) => keys.push(fetched),
                    Progress::Waiting | Progress::Missing => return Ok(Keys::Pending),
                }
            }
            Ok(Keys::AtHand(keys.into()))
        })?
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

/// The keys of a gate.
enum Keys<'g> {
    AtHand(Cow<'g, [Arc<KeySet>]>),
    /// Some are yet to be fetched.
    Pending,
}

fn remember(request: Request<'_>) -> Result<&Remembered, Denial> {
    remembered(request)
        .or_else(|| {
            // SAFETY: nothing is remembered yet, and `Remembered` is the module's one type.
            unsafe { request.remember(Remembered::default()) }
        })
        .ok_or(Denial::InternalError)
}

fn main_conf(request: Request<'_>) -> Option<&MainConf> {
    // SAFETY: `MainConf` is what the module makes for the `http` block.
    unsafe { request.main_conf() }
}

/// The token, and where it is.
fn find<'r, 'g>(request: Request<'r>, gate: &'g Gate) -> Option<(&'g Source, Cow<'r, [u8]>)> {
    gate.sources.iter().find_map(|source| Some((source, source.find(request)?)))
}

fn judge(
    request: Request<'_>,
    remembered: &Remembered,
    gate: &Rc<Gate>,
) -> Result<Outcome, Denial> {
    let found = find(request, gate);
    let verdict = match &found {
        None => Err(Denial::NoToken),
        Some((_, token)) => {
            #[cfg(feature = "inject-panic")]
            assert!(**token != *b"panic", "as the test wants it: {token:?}");
            let at = Circumstances { now: fence::now(), host: Some(request.host()) };
            match remembered.keys(request, gate, token) {
                Ok(Keys::AtHand(keys)) => gate.verifier.verify(token, &keys, &at),
                Ok(Keys::Pending) => return Err(Denial::KeyUnavailable),
                Err(denial) => Err(denial),
            }
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
    Ok(Outcome { verdict, token_from_url })
}
