//! The outcomes of gates for a client's request, remembered until the request ends.
//!
//! The outcome belongs to the request that the client made, so that a subrequest neither loses the
//! token nor brings another one.

use core::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use ojwt_core::Denial;
use ojwt_core::policy::requirement::Unmet;
use ojwt_core::token::claims::Claims;
use ojwt_core::token::unverified::Unverified;

use crate::fence::request::{Request, Rewriting};
use crate::gate::definition::Gate;
use crate::gate::token_source::Source;
use crate::keys::fetched::Flights;
use crate::keys::places::{Places, Said};

/// The outcome of a gate for a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Result<Arc<Claims>, Denial>,
    /// The token, where it came in the URL and is valid: the response may set it as a cookie.
    pub(crate) token_from_url: Option<Vec<u8>>,
}

/// The outcomes for a client's request, in the order in which they were found out.
///
/// A linked list whose elements are never moved or removed, so that variables may point into it.
#[derive(Default)]
pub(crate) struct Remembered {
    pub(super) first: OnceCell<Entry>,
    /// Why a request with a valid token was refused all the same.
    pub(super) overruled: Cell<Option<Denial>>,
    /// How often gates were asked.
    pub(super) asked: Cell<u32>,
    /// The status that was shown to the rewrite directives in their latest run, and which run that
    /// was.
    pub(super) told: Cell<Option<(Rewriting, &'static str)>>,
    /// The state for gates that depend on variables or on fetched keys.
    pub(super) in_flight: OnceCell<Box<InFlight>>,
}

/// The state while gates that are not plain are being asked.
#[derive(Default)]
pub(super) struct InFlight {
    /// The fetches of keys that the request takes part in.
    pub(super) flights: Flights,
    /// Whether nginx was asked to detect that the client goes away.
    pub(super) is_watched: Cell<bool>,
    /// The token for which keys are being chosen; nothing has verified it yet.
    pub(super) choosing: RefCell<Option<Rc<Unverified>>>,
    /// How the value that is being evaluated depends on the token in `choosing`.
    pub(super) said: Cell<Said>,
    /// The gates that are being asked; the last element is the gate that was asked last.
    pub(super) asked: RefCell<Vec<Asked>>,
    /// Whether a gate was asked again while it was already being asked.
    pub(super) is_circular: Cell<bool>,
}

/// A gate that is being asked.
pub(super) struct Asked {
    pub(super) gate: Rc<Gate>,
    /// The index of the entry that the gate is comparing with variables, once it does.
    pub(super) compared: Option<usize>,
}

pub(super) struct Entry {
    pub(super) gate: Rc<Gate>,
    /// The token that was judged.
    pub(super) token: Judged,
    /// The arguments in which the token was last looked for.
    pub(super) arguments: Cell<Arguments>,
    /// Where the token's keys were, if the gate's keys are not fixed.
    pub(super) places: Option<Box<Places>>,
    pub(super) outcome: Outcome,
    /// Why a good token was refused when the gate was last asked.
    pub(super) refusal: Cell<Option<Denial>>,
    /// The latest comparison of the token for each requirement that was checked.
    pub(super) compared: OnceCell<Box<RefCell<Vec<Compared>>>>,
    /// When the gate was last asked about this token, as counted by [`Remembered::asked`].
    pub(super) asked: Cell<u32>,
    pub(super) next: OnceCell<Box<Entry>>,
}

/// The token that an outcome is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// There was no token.
    None,
    /// The token in a field of the client's header. The first source that holds a token counts, so
    /// that a gate has at most one such token.
    Lasting,
    /// This token, from a source whose content may change.
    Changing(Vec<u8>),
}

impl Judged {
    pub(super) fn of(found: Option<(&Source, &[u8])>) -> Self {
        match found {
            None => Self::None,
            Some((source, _)) if source.is_lasting() => Self::Lasting,
            Some((_, token)) => Self::Changing(token.to_vec()),
        }
    }

    pub(super) fn is_of(&self, found: Option<(&Source, &[u8])>) -> bool {
        match (self, found) {
            (Self::None, None) => true,
            (Self::Lasting, Some((source, _))) => source.is_lasting(),
            (Self::Changing(own), Some((source, token))) => !source.is_lasting() && own == token,
            (Self::None, Some(_)) | (Self::Lasting | Self::Changing(_), None) => false,
        }
    }
}

/// The address and the length of a request's arguments. nginx never changes arguments in place, and
/// frees none before the request ends: a rewrite or a redirect puts new ones at another address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    start: usize,
    length: usize,
}

impl Arguments {
    pub(super) fn of(request: Request<'_>) -> Self {
        let arguments = request.main().args();
        Self { start: arguments.as_ptr().addr(), length: arguments.len() }
    }
}

/// A comparison with a value that a variable had.
pub(super) struct Compared {
    pub(super) value: Box<[u8]>,
    pub(super) result: Result<(), Unmet>,
}

/// A request at an entry point of the module, with what is remembered of the client's request.
///
/// Each call from nginx makes one visit.
pub(crate) struct Visit<'r> {
    pub(crate) request: Request<'r>,
    remembered: OnceCell<&'r Remembered>,
}

impl<'r> Visit<'r> {
    /// The visit of a request that nginx is handling.
    pub(crate) fn new(request: Request<'r>) -> Self {
        Self { request, remembered: OnceCell::new() }
    }

    /// What is remembered of the client's request, if there is anything yet.
    fn remembered(&self) -> Option<&'r Remembered> {
        if let Some(remembered) = self.remembered.get() {
            return Some(remembered);
        }
        let remembered = self.request.remembered()?;
        Some(self.remembered.get_or_init(|| remembered))
    }

    /// What is remembered of the client's request, created if there is nothing yet.
    ///
    /// # Errors
    ///
    /// [`Denial::InternalError`] where memory is short.
    pub(super) fn remember(&self) -> Result<&'r Remembered, Denial> {
        if let Some(remembered) = self.remembered.get() {
            return Ok(remembered);
        }
        let remembered = self.request.remember().ok_or(Denial::InternalError)?;
        Ok(self.remembered.get_or_init(|| remembered))
    }

    /// The claims of the token that a gate is comparing right now: variables may refer to them.
    pub(crate) fn claims_under_comparison(&self) -> Option<&'r Claims> {
        let remembered = self.remembered()?;
        let compared = remembered.in_flight.get()?.asked.borrow().last()?.compared?;
        remembered.entries().nth(compared)?.outcome.verdict.as_deref().ok()
    }

    /// The token for which keys are being chosen right now, if any. The call is recorded: the value
    /// that is being evaluated then depends on the token.
    pub(crate) fn choosing(&self) -> Option<Rc<Unverified>> {
        let in_flight = self.remembered()?.in_flight.get()?;
        let token = in_flight.choosing.borrow().clone()?;
        if in_flight.said.get() == Said::Nothing {
            in_flight.said.set(Said::Indirectly);
        }
        Some(token)
    }

    /// Records that the path or URI of the keys directly contains a part of the token for which the
    /// keys are being chosen.
    pub(crate) fn gives_directly(&self) {
        if let Some(in_flight) = self.remembered().and_then(|remembered| remembered.in_flight.get())
        {
            in_flight.said.set(Said::Directly);
        }
    }

    /// Notes that the request is refused although its token is valid.
    pub(crate) fn overrule(&self, denial: Denial) {
        if let Some(remembered) = self.remembered() {
            remembered.overruled.set(Some(denial));
        }
    }

    /// Why the request was refused although its token is valid, if it was.
    pub(crate) fn overruled(&self) -> Option<Denial> {
        self.remembered()?.overruled.get()
    }

    /// The status to show: `now`, except that one run of the rewrite directives is always shown the
    /// same status. These directives evaluate a text twice, to compute its length and then to copy
    /// it; another variable in the text may ask a gate in between.
    pub(crate) fn steady(&self, now: &'static str) -> &'static str {
        let Some(rewriting) = self.request.rewriting() else { return now };
        let Ok(remembered) = self.remember() else { return now };
        match remembered.told.get() {
            Some((told, status)) if told == rewriting => status,
            _ => {
                remembered.told.set(Some((rewriting, now)));
                now
            }
        }
    }

    /// For each gate that was asked, the outcome for the token that it was last asked about. Asks
    /// no gate.
    pub(crate) fn outcomes(
        &self,
    ) -> impl Iterator<Item = (&'r Rc<Gate>, Result<&'r Outcome, Denial>)> + use<'r> {
        let remembered = self.remembered();
        let entries = move || remembered.into_iter().flat_map(Remembered::entries);
        let is_latest = move |entry: &&Entry| {
            let mut others = entries().filter(|other| Rc::ptr_eq(&other.gate, &entry.gate));
            others.all(|other| other.asked.get() <= entry.asked.get())
        };
        entries().filter(is_latest).map(|entry| (&entry.gate, entry.result()))
    }

    /// The outcome of the gate that was asked last. Asks no gate.
    pub(crate) fn latest(&self) -> Option<Result<&'r Outcome, Denial>> {
        let entries = self.remembered()?.entries();
        entries.max_by_key(|entry| entry.asked.get()).map(Entry::result)
    }
}

impl Entry {
    pub(super) fn new(
        gate: &Rc<Gate>,
        token: Judged,
        places: Option<Box<Places>>,
        outcome: Outcome,
    ) -> Self {
        Self {
            gate: Rc::clone(gate),
            token,
            arguments: Cell::default(),
            places,
            outcome,
            refusal: Cell::new(None),
            compared: OnceCell::new(),
            asked: Cell::new(0),
            next: OnceCell::new(),
        }
    }

    pub(super) fn result(&self) -> Result<&Outcome, Denial> {
        self.refusal.get().map_or(Ok(&self.outcome), Err)
    }
}

impl Remembered {
    pub(super) fn in_flight(&self) -> &InFlight {
        self.in_flight.get_or_init(Box::default)
    }

    pub(super) fn is_choosing(&self) -> bool {
        self.in_flight.get().is_some_and(|in_flight| in_flight.choosing.borrow().is_some())
    }

    pub(super) fn entry_at(
        &self,
        gate: &Rc<Gate>,
        places: Option<&Places>,
        found: Option<(&Source, &[u8])>,
    ) -> Option<&Entry> {
        let is_it = |entry: &&Entry| {
            Rc::ptr_eq(&entry.gate, gate)
                && entry.places.as_deref() == places
                && entry.token.is_of(found)
        };
        self.entries().find(is_it)
    }

    /// Notes that a gate is asked about a token.
    pub(super) fn ask(&self, entry: &Entry) {
        let asked = self.asked.get().saturating_add(1);
        self.asked.set(asked);
        entry.asked.set(asked);
    }

    pub(super) fn latest_at(&self, gate: &Rc<Gate>) -> Option<&Entry> {
        self.entries().filter(|entry| Rc::ptr_eq(&entry.gate, gate)).last()
    }

    /// Appends an entry. The end of the list is looked for only now, since judging may have asked
    /// other gates, which appended entries as well.
    pub(super) fn push(&self, entry: Entry) -> &Entry {
        let Some(mut last) = self.first.get() else { return self.first.get_or_init(|| entry) };
        while let Some(next) = last.next.get() {
            last = next;
        }
        last.next.get_or_init(|| Box::new(entry))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> + Clone {
        core::iter::successors(self.first.get(), |entry| entry.next.get().map(AsRef::as_ref))
    }
}

/// Marks a token as the one for which keys are being chosen, until this is dropped.
pub(super) struct Choosing<'r> {
    in_flight: &'r InFlight,
    outer: Option<Rc<Unverified>>,
}

impl<'r> Choosing<'r> {
    pub(super) fn begin(in_flight: &'r InFlight, token: Unverified) -> Self {
        let outer = in_flight.choosing.replace(Some(Rc::new(token)));
        Self { in_flight, outer }
    }
}

impl Drop for Choosing<'_> {
    fn drop(&mut self) {
        self.in_flight.choosing.replace(self.outer.take());
    }
}

/// Marks a gate as being asked, until this is dropped.
pub(super) struct Asking<'r>(&'r InFlight);

impl<'r> Asking<'r> {
    /// Begins to ask a gate; an error if that gate is already being asked.
    pub(super) fn begin(in_flight: &'r InFlight, gate: &Rc<Gate>) -> Result<Self, Denial> {
        let mut asked = in_flight.asked.borrow_mut();
        if asked.iter().any(|asked| Rc::ptr_eq(&asked.gate, gate)) {
            in_flight.is_circular.set(true);
            return Err(Denial::InternalError);
        }
        if asked.is_empty() {
            in_flight.is_circular.set(false);
        }
        asked.push(Asked { gate: Rc::clone(gate), compared: None });
        Ok(Self(in_flight))
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asked.borrow_mut().pop();
    }
}
