//! What gates made of a client's request, remembered until it ends.
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

/// What a gate made of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Result<Arc<Claims>, Denial>,
    /// The token, where it came in the URL and is valid: the response may set it as a cookie.
    pub(crate) token_from_url: Option<Vec<u8>>,
}

/// The outcomes of a client's request, in the order in which they were found out.
///
/// A list of which no part ever moves or goes, so that variables may point into it.
#[derive(Default)]
pub(crate) struct Remembered {
    pub(super) first: OnceCell<Entry>,
    /// Why a request with a valid token was refused all the same.
    pub(super) overruled: Cell<Option<Denial>>,
    /// How often gates were asked.
    pub(super) asked: Cell<u32>,
    /// The status that rewrite directives were told.
    pub(super) told: Cell<Option<(Rewriting, &'static str)>>,
    /// What it takes to ask a gate that variables or fetched keys have a say in.
    pub(super) in_flight: OnceCell<Box<InFlight>>,
}

/// What is under way while gates are asked that are not plain.
#[derive(Default)]
pub(super) struct InFlight {
    /// The fetches of keys that the request has a part in.
    pub(super) flights: Flights,
    /// Whether nginx was asked to notice if the client goes away.
    pub(super) is_watched: Cell<bool>,
    /// The token that keys are being chosen for: until they are, nobody has checked it.
    pub(super) choosing: RefCell<Option<Rc<Unverified>>>,
    /// What it has to do with the value that is being evaluated.
    pub(super) said: Cell<Said>,
    /// The gates that are being asked, the one that was asked last at the end.
    pub(super) asked: RefCell<Vec<Asked>>,
    /// Whether one of them was asked again meanwhile.
    pub(super) is_circular: Cell<bool>,
}

/// A gate that is being asked.
pub(super) struct Asked {
    pub(super) gate: Rc<Gate>,
    /// Which of the entries it compares with variables, if it has got as far.
    pub(super) compared: Option<usize>,
}

pub(super) struct Entry {
    pub(super) gate: Rc<Gate>,
    /// What was judged.
    pub(super) token: Judged,
    /// The arguments in which that token was looked for last.
    pub(super) arguments: Cell<Arguments>,
    /// Where its keys were, if they are not always in the same place.
    pub(super) places: Option<Box<Places>>,
    pub(super) outcome: Outcome,
    /// Why a good token was refused when the gate was last asked.
    pub(super) refusal: Cell<Option<Denial>>,
    /// What the token was compared with last, a variable for each requirement that got its turn.
    pub(super) compared: OnceCell<Box<RefCell<Vec<Compared>>>>,
    /// When the gate was last asked about it, by [`Remembered::asked`].
    pub(super) asked: Cell<u32>,
    pub(super) next: OnceCell<Box<Entry>>,
}

/// The token that an outcome is of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// There was none.
    None,
    /// The one in a field of the client's header. Of several places the first counts, so that there
    /// is one such token at most for a gate.
    Lasting,
    /// This one, from where another may come to be.
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

/// Where the arguments of a request are. nginx never writes to them where they stand, and frees
/// none before the request ends: those that a rewrite or a redirect brings stand elsewhere.
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

/// A comparison with what a variable held.
pub(super) struct Compared {
    pub(super) value: Box<[u8]>,
    pub(super) result: Result<(), Unmet>,
}

/// A request at an entry point of the module, with what is remembered of the client's request.
///
/// It is made once for each call of nginx's.
pub(crate) struct Visit<'r> {
    pub(crate) request: Request<'r>,
    remembered: OnceCell<&'r Remembered>,
}

impl<'r> Visit<'r> {
    /// The visit of a request that nginx is handling.
    pub(crate) fn new(request: Request<'r>) -> Self {
        Self { request, remembered: OnceCell::new() }
    }

    /// What is remembered of the client's request, if anything yet.
    fn remembered(&self) -> Option<&'r Remembered> {
        if let Some(remembered) = self.remembered.get() {
            return Some(remembered);
        }
        let remembered = self.request.remembered()?;
        Some(self.remembered.get_or_init(|| remembered))
    }

    /// What is remembered of the client's request, from now on.
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

    /// The token that keys are being chosen for right now, if they are; a variable that asks has a
    /// say in them.
    pub(crate) fn choosing(&self) -> Option<Rc<Unverified>> {
        let in_flight = self.remembered()?.in_flight.get()?;
        let token = in_flight.choosing.borrow().clone()?;
        if in_flight.said.get() == Said::Nothing {
            in_flight.said.set(Said::Indirectly);
        }
        Some(token)
    }

    /// Notes that a part of the token that keys are being chosen for goes directly into what leads
    /// to them.
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

    /// The status to tell, which is `now`: one turn of the rewrite directives is told the same all
    /// the time. They ask twice, for the length of a text and to make it, and what else is in it
    /// may ask a gate.
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

    /// For each gate that was asked what it made of the token that it was last asked about; finds
    /// nothing out.
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

    /// What the gate that was asked last made of the request; finds nothing out.
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

    /// Appends; to judge may have meant to ask other gates, so that the end is looked for now.
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

/// A token that keys are chosen for, until this is dropped.
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

/// A gate being asked, until this is dropped.
pub(super) struct Asking<'r>(&'r InFlight);

impl<'r> Asking<'r> {
    /// Begins to ask a gate that is not being asked.
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
