//! What a gate makes of a request: found out when it is first asked, remembered until the
//! client's request ends.
//!
//! A request may meet several gates on its way through rewrites, internal redirects and
//! subrequests; each judges a token once. The outcome belongs to the request that the client made, so
//! that a subrequest neither loses the token nor brings another one. Where arguments or a variable may
//! hold another token by now, that one is judged. What a gate compares with variables is compared
//! whenever it is asked and these changed: they may say something else where a redirect leads.

use core::cell::{Cell, OnceCell, RefCell};
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use ojwt_core::denial::Denial;
use ojwt_core::keys::KeySet;
use ojwt_core::policy::Circumstances;
use ojwt_core::policy::requirement::{OperandDefect, Unmet};
use ojwt_core::token::claims::Claims;
use ojwt_core::token::host;
use ojwt_core::token::unverified::Unverified;
use ojwt_core::verify::{Lack, Memory, Refusal};

use crate::fence;
use crate::fence::complex::ComplexValue;
use crate::fence::log::Level;
use crate::fence::request::{Request, Rewriting};
use crate::gate::source::Source;
use crate::gate::definition::{Gate, VariableRequirement};
use crate::keys::places::{Gathered, Places, Said};
use crate::keys::request::{Flights, Progress, Target};
use crate::lists::files::CurrentLists;

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
    first: OnceCell<Entry>,
    /// Why a request with a valid token was refused all the same.
    overruled: Cell<Option<Denial>>,
    /// How often gates were asked.
    asked: Cell<u32>,
    /// The status that rewrite directives were told.
    told: Cell<Option<(Rewriting, &'static str)>>,
    /// What it takes to ask a gate that variables or fetched keys have a say in.
    course: OnceCell<Box<Course>>,
}

/// The course of asking gates that are not plain.
#[derive(Default)]
struct Course {
    /// The fetches of keys that the request has a part in.
    flights: Flights,
    /// Whether nginx was asked to notice if the client goes away.
    is_watched: Cell<bool>,
    /// The token that keys are being chosen for: until they are, nobody has checked it.
    choosing: RefCell<Option<Rc<Unverified>>>,
    /// What it has to do with the value that is being evaluated.
    said: Cell<Said>,
    /// The gates that are being asked, the one that was asked last at the end.
    asked: RefCell<Vec<Asked>>,
    /// Whether one of them was asked again meanwhile.
    is_circular: Cell<bool>,
}

/// A gate that is being asked.
struct Asked {
    gate: Rc<Gate>,
    /// Which of the entries it compares with variables, if it has got as far.
    compared: Option<usize>,
}

struct Entry {
    gate: Rc<Gate>,
    /// What was judged.
    token: Judged,
    /// The arguments in which that token was looked for last.
    arguments: Cell<Arguments>,
    /// Where its keys were, if they are not always in the same place.
    places: Option<Box<Places>>,
    outcome: Outcome,
    /// Why a good token was refused when the gate was last asked.
    refusal: Cell<Option<Denial>>,
    /// What the token was compared with last, a variable for each requirement that got its turn.
    compared: OnceCell<Box<RefCell<Vec<Compared>>>>,
    /// When the gate was last asked about it, by [`Remembered::asked`].
    asked: Cell<u32>,
    next: OnceCell<Box<Entry>>,
}

/// The token that an outcome is of.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// There was none.
    None,
    /// The one in a field of the client's header. Of several places the first counts, so that there is
    /// one such token at most for a gate.
    Lasting,
    /// This one, from where another may come to be.
    Changing(Vec<u8>),
}

impl Judged {
    fn of(found: Option<(&Source, &[u8])>) -> Self {
        match found {
            None => Self::None,
            Some((source, _)) if source.is_lasting() => Self::Lasting,
            Some((_, token)) => Self::Changing(token.to_vec()),
        }
    }

    fn is_of(&self, found: Option<(&Source, &[u8])>) -> bool {
        match (self, found) {
            (Self::None, None) => true,
            (Self::Lasting, Some((source, _))) => source.is_lasting(),
            (Self::Changing(own), Some((source, token))) => !source.is_lasting() && own == token,
            (Self::None, Some(_)) | (Self::Lasting | Self::Changing(_), None) => false,
        }
    }
}

/// Where the arguments of a request are. nginx never writes to them where they stand, and frees none
/// before the request ends: those that a rewrite or a redirect brings stand elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Arguments {
    start: usize,
    length: usize,
}

impl Arguments {
    fn of(request: Request<'_>) -> Self {
        let arguments = request.main().args();
        Self { start: arguments.as_ptr().addr(), length: arguments.len() }
    }
}

/// A comparison with what a variable held.
struct Compared {
    value: Box<[u8]>,
    result: Result<(), Unmet>,
}

/// The outcome at a gate.
///
/// # Errors
///
/// [`Denial::InternalError`] where there is no memory to remember it in, or where the gate is being
/// asked already, so that it would never answer; [`Denial::KeyUnavailable`] where keys that are to be
/// fetched were not (see [`prepare`]); [`Denial::ClaimRejected`] where a requirement with variables
/// is not met.
pub(crate) fn outcome<'r>(request: Request<'r>, gate: &Rc<Gate>) -> Result<&'r Outcome, Denial> {
    let remembered = remember(request)?;
    if gate.is_plain
        && let Some(entry) = remembered.latest_at(gate)
        && (!gate.reads_arguments || entry.arguments.get() == Arguments::of(request))
    {
        remembered.ask(entry);
        return Ok(&entry.outcome);
    }
    // What keys are chosen by cannot depend on what the token is found to be by those keys.
    if remembered.is_choosing() {
        return Err(Denial::InternalError);
    }
    request.redact_log().ok_or(Denial::InternalError)?;
    // A plain gate asks no variable, which might ask it.
    let _asking = (!gate.is_plain).then(|| Asking::begin(remembered.course(), gate)).transpose()?;
    let (found, refused) = match find(request, gate) {
        Ok(found) => (found, None),
        Err(denial) => (None, Some(denial)),
    };
    let places = match &found {
        Some((_, token)) if !gate.keys.are_fixed() => {
            remembered.places(request, gate, token).map(|places| Some(Box::new(places)))
        }
        _ => Ok(None),
    };
    let (places, fault) = match places {
        Ok(places) => (places, refused),
        Err(denial) => (None, Some(denial)),
    };
    let token = found.as_ref().map(|(source, token)| (*source, &**token));
    // A verdict on a token that was there before is none on a request that holds several now.
    let is_of_this = |entry: &&Entry| {
        refused.is_none_or(|denial| entry.outcome.verdict.as_ref().err() == Some(&denial))
    };
    let known = remembered.entry_at(gate, places.as_deref(), token).filter(is_of_this);
    let entry = if let Some(entry) = known {
        entry
    } else {
        let token = Judged::of(token);
        let outcome = judge(request, remembered, gate, found, places.as_deref(), fault)?;
        remembered.push(Entry::new(gate, token, places, outcome))
    };
    entry.arguments.set(Arguments::of(request));
    let compared = compare(request, remembered, entry);
    remembered.ask(entry);
    compared.map(|()| &entry.outcome)
}

/// The claims of the token that a gate is comparing right now: variables may refer to them.
pub(crate) fn shown(request: Request<'_>) -> Option<&Claims> {
    let remembered = remembered(request)?;
    let compared = remembered.course.get()?.asked.borrow().last()?.compared?;
    remembered.entries().nth(compared)?.outcome.verdict.as_deref().ok()
}

/// Whether the outcome at a gate can be found out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// Keys are being fetched: the phase is to be left, and nginx comes back to it.
    Waiting,
}

/// Fetches the keys that gates need to judge this request, unless those at hand do: all that are
/// missing at a time, and for each that comes the request runs on.
pub(crate) fn prepare<'g>(
    request: Request<'_>,
    gates: impl IntoIterator<Item = &'g Rc<Gate>>,
) -> Readiness {
    let fetches = |gate: &&Rc<Gate>| !gate.keys.requests.is_empty();
    let mut gates = gates.into_iter().filter(fetches).peekable();
    // What is fetched with is not fetched for: it would not end.
    if gates.peek().is_none() || is_part_of_fetch(request) {
        return Readiness::Ready;
    }
    let Ok(remembered) = remember(request) else { return Readiness::Ready };
    let course = remembered.course();
    if course.is_watched.take() {
        request.main().stop_watching_client();
    }
    course.flights.stop_waiting(request);
    // None is spared its fetches by another that waits.
    let waiting = gates.filter(|gate| prefetch(request, remembered, gate) == Readiness::Waiting);
    if waiting.count() == 0 {
        return Readiness::Ready;
    }
    if request.is_main() {
        course.is_watched.set(true);
        request.watch_client();
    }
    Readiness::Waiting
}

/// Fetches the keys that may make the token of a request good at a gate, if those at hand do not: what
/// is missing; else, where the token means none of them, what is kept.
///
/// What fails here fails again when the outcome is asked for, and is told then.
fn prefetch(request: Request<'_>, remembered: &Remembered, gate: &Rc<Gate>) -> Readiness {
    let Ok(Some((_, token))) = find(request, gate) else { return Readiness::Ready };
    if request.redact_log().is_none() {
        return Readiness::Ready;
    }
    let Ok(places) = remembered.places(request, gate, &token) else { return Readiness::Ready };
    let (flights, cache) = (&remembered.course().flights, gate.keys.cache);
    let gathered = Gathered::gather(request, &gate.keys, &gate.stores, (&places, flights));
    let (fetched, store) = (&gathered.pending, &gate.stores.requests);
    let waiting = if fetched.is_empty() {
        let may_ask = || places.targets().any(|target| store.may_ask_again(flights, target, cache));
        let lacks_key = match gate.verifier.lack(memory(gate), &token, &gathered.keys) {
            Lack::Nothing => false,
            Lack::Key => true,
            // What keys without a name verify needs no other.
            Lack::Name => may_ask() && verify(request, gate, &token, &gathered.keys).is_err(),
        };
        if !lacks_key {
            return Readiness::Ready;
        }
        places.targets().filter(|target| store.ask_again(request, flights, target, cache)).count()
    } else {
        match verify(request, gate, &token, &gathered.keys) {
            Err(Refusal { denial, .. }) if is_for_want_of_keys(gate, &token, denial) => {}
            Ok(_) | Err(_) => return Readiness::Ready,
        }
        let is_waiting = |target: &&&Target| {
            matches!(store.fetch(request, flights, target, cache), Ok(Progress::Waiting))
        };
        fetched.iter().filter(is_waiting).count()
    };
    if waiting == 0 { Readiness::Ready } else { Readiness::Waiting }
}

/// Whether the request is part of a fetch of keys.
pub(crate) fn is_part_of_fetch(request: Request<'_>) -> bool {
    request.is_part_of_fetch()
}

/// The token that keys are being chosen for right now, if they are; whoever asks has a say in them.
pub(crate) fn choosing(request: Request<'_>) -> Option<Rc<Unverified>> {
    let course = remembered(request)?.course.get()?;
    let token = course.choosing.borrow().clone()?;
    if course.said.get() == Said::Nothing {
        course.said.set(Said::Indirectly);
    }
    Some(token)
}

/// Notes that a part of the token that keys are being chosen for goes directly into what leads to them.
pub(crate) fn gives_directly(request: Request<'_>) {
    if let Some(course) = remembered(request).and_then(|remembered| remembered.course.get()) {
        course.said.set(Said::Directly);
    }
}

/// Evaluates what is asked of a token that a gate found good, by maps of that token.
///
/// What nginx remembers of a map may be of another token, or of none: of a time before the gate was
/// asked, or while it refused. So nothing remembered counts, if there is any.
pub(crate) fn evaluate_now<T>(
    request: Request<'_>,
    mut values: impl Iterator<Item = ComplexValue>,
    evaluate: impl FnOnce() -> T,
) -> T {
    if values.any(|value| request.is_remembered(value)) && request.remembers_any() {
        request.without_trace(evaluate)
    } else {
        evaluate()
    }
}

/// Has what nginx logs of this request redacted from now on, if that may show an argument.
///
/// # Errors
///
/// [`Denial::InternalError`] where memory is short.
pub(crate) fn redact_log(request: Request<'_>) -> Result<(), Denial> {
    let shows_arguments =
        || !request.args().is_empty() || request.referrer().is_some_and(|url| url.contains(&b'?'));
    if request.is_main() && shows_arguments() {
        request.redact_log().ok_or(Denial::InternalError)?;
    }
    Ok(())
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

/// The status to tell, which is `now`: one turn of the rewrite directives is told the same all the time.
/// They ask twice, for the length of a text and to make it, and what else is in it may ask a gate.
pub(crate) fn steady(request: Request<'_>, now: &'static str) -> &'static str {
    let Some(rewriting) = request.rewriting() else { return now };
    let Ok(remembered) = remember(request) else { return now };
    match remembered.told.get() {
        Some((told, status)) if told == rewriting => status,
        _ => {
            remembered.told.set(Some((rewriting, now)));
            now
        }
    }
}

/// For each gate that was asked what it made of the token that it was last asked about; finds nothing
/// out.
pub(crate) fn outcomes(
    request: Request<'_>,
) -> impl Iterator<Item = (&Rc<Gate>, Result<&Outcome, Denial>)> {
    let entries = remembered(request).into_iter().flat_map(Remembered::entries);
    let is_latest = move |entry: &&Entry| {
        let others = remembered(request).into_iter().flat_map(Remembered::entries);
        let mut others = others.filter(|other| Rc::ptr_eq(&other.gate, &entry.gate));
        others.all(|other| other.asked.get() <= entry.asked.get())
    };
    entries.filter(is_latest).map(|entry| (&entry.gate, entry.result()))
}

/// What the gate that was asked last made of the request; finds nothing out.
pub(crate) fn latest(request: Request<'_>) -> Option<Result<&Outcome, Denial>> {
    let entries = remembered(request)?.entries();
    entries.max_by_key(|entry| entry.asked.get()).map(Entry::result)
}

impl Entry {
    fn new(gate: &Rc<Gate>, token: Judged, places: Option<Box<Places>>, outcome: Outcome) -> Self {
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

    fn result(&self) -> Result<&Outcome, Denial> {
        self.refusal.get().map_or(Ok(&self.outcome), Err)
    }
}

impl Remembered {
    fn course(&self) -> &Course {
        self.course.get_or_init(Box::default)
    }

    fn is_choosing(&self) -> bool {
        self.course.get().is_some_and(|course| course.choosing.borrow().is_some())
    }

    fn entry_at(
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
    fn ask(&self, entry: &Entry) {
        let asked = self.asked.get().saturating_add(1);
        self.asked.set(asked);
        entry.asked.set(asked);
    }

    fn latest_at(&self, gate: &Rc<Gate>) -> Option<&Entry> {
        self.entries().filter(|entry| Rc::ptr_eq(&entry.gate, gate)).last()
    }

    /// Appends; to judge may have meant to ask other gates, so that the end is looked for now.
    fn push(&self, entry: Entry) -> &Entry {
        let Some(mut last) = self.first.get() else { return self.first.get_or_init(|| entry) };
        while let Some(next) = last.next.get() {
            last = next;
        }
        last.next.get_or_init(|| Box::new(entry))
    }

    /// Where the keys of a gate are for this token. While that is evaluated variables show the token,
    /// and what nginx remembers of them is forgotten afterwards.
    fn places(&self, request: Request<'_>, gate: &Gate, token: &[u8]) -> Result<Places, Denial> {
        let evaluate = |value| request.evaluate(value).ok_or(Denial::InternalError);
        if !gate.keys.are_chosen() {
            let evaluate = |value| Ok((evaluate(value)?, Said::Nothing));
            return Places::find(request, &gate.keys, &gate.stores, evaluate);
        }
        let token = Unverified::read(token, gate.verifier.max_token_size)?;
        let course = self.course();
        let _choosing = Choosing::begin(course, token);
        // Each for itself: what one remembers of a map would hide from the next that it asked the token.
        Places::find(request, &gate.keys, &gate.stores, |value| {
            course.said.set(Said::Nothing);
            let value = request.without_trace(|| evaluate(value))?;
            Ok((value, course.said.get()))
        })
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> + Clone {
        core::iter::successors(self.first.get(), |entry| entry.next.get().map(AsRef::as_ref))
    }
}

/// A token that keys are chosen for, until this is dropped.
struct Choosing<'r> {
    course: &'r Course,
    outer: Option<Rc<Unverified>>,
}

impl<'r> Choosing<'r> {
    fn begin(course: &'r Course, token: Unverified) -> Self {
        let outer = course.choosing.replace(Some(Rc::new(token)));
        Self { course, outer }
    }
}

impl Drop for Choosing<'_> {
    fn drop(&mut self) {
        self.course.choosing.replace(self.outer.take());
    }
}

/// A gate being asked, until this is dropped.
struct Asking<'r>(&'r Course);

impl<'r> Asking<'r> {
    /// Begins to ask a gate that is not being asked.
    fn begin(course: &'r Course, gate: &Rc<Gate>) -> Result<Self, Denial> {
        let mut asked = course.asked.borrow_mut();
        if asked.iter().any(|asked| Rc::ptr_eq(&asked.gate, gate)) {
            course.is_circular.set(true);
            return Err(Denial::InternalError);
        }
        if asked.is_empty() {
            course.is_circular.set(false);
        }
        asked.push(Asked { gate: Rc::clone(gate), compared: None });
        Ok(Self(course))
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asked.borrow_mut().pop();
    }
}

fn remembered(request: Request<'_>) -> Option<&Remembered> {
    request.remembered()
}

fn remember(request: Request<'_>) -> Result<&Remembered, Denial> {
    request.remember().ok_or(Denial::InternalError)
}

/// A token, and where it is.
type Found<'r, 'g> = (&'g Source, Cow<'r, [u8]>);

/// The token of a request.
///
/// # Errors
///
/// [`Denial::WrongHost`] where the request names two hosts, [`Denial::SeveralTokens`] where the first
/// place that holds a token holds another one, too.
fn find<'r, 'g>(request: Request<'r>, gate: &'g Gate) -> Result<Option<Found<'r, 'g>>, Denial> {
    if names_two_hosts(request) {
        return Err(Denial::WrongHost);
    }
    for source in &gate.sources {
        if let Some(token) = source.find(request)? {
            return Ok(Some((source, token)));
        }
    }
    Ok(None)
}

/// Whether the request is for another host than its `Host` field says (RFC 9112 section 3.2.2), by which
/// an application may go.
fn names_two_hosts(request: Request<'_>) -> bool {
    let request = request.main();
    request.host_field().is_some_and(|field| !host::agrees(field, request.host()))
}

fn judge(
    request: Request<'_>,
    remembered: &Remembered,
    gate: &Rc<Gate>,
    found: Option<(&Source, Cow<'_, [u8]>)>,
    places: Option<&Places>,
    fault: Option<Denial>,
) -> Result<Outcome, Denial> {
    let (verdict, detail) = match (&found, fault) {
        (None, fault) => (Err(fault.unwrap_or(Denial::NoToken)), None),
        (Some(_), Some(fault)) => (Err(fault), None),
        (Some((_, token)), None) => {
            #[cfg(feature = "inject-panic")]
            assert!(**token != *b"panic", "as the test wants it: {token:?}");
            judge_token(request, remembered, (gate, places), token)?
        }
    };
    if let Err(denial) = &verdict {
        log(request, *denial, detail.as_deref().or_else(|| detail_of(request, *denial)));
    }
    let token_from_url = match found {
        Some((Source::Argument(_), token)) if verdict.is_ok() => Some(token.into_owned()),
        _ => None,
    };
    Ok(Outcome { verdict, token_from_url })
}

/// What else the operator may want to know of a refusal.
fn detail_of(request: Request<'_>, denial: Denial) -> Option<&'static str> {
    if denial == Denial::WrongHost && names_two_hosts(request) {
        return Some("the Host field is not that of the request's host");
    }
    denial.detail()
}

/// A verdict, and what the log says of it besides the reason.
type Explained = (Result<Arc<Claims>, Denial>, Option<String>);

/// What the keys at hand make of a token, and what the log says of it besides the reason.
///
/// # Errors
///
/// [`Denial::KeyUnavailable`] where that is open: keys that are yet to be fetched may make it good.
fn judge_token(
    request: Request<'_>,
    remembered: &Remembered,
    (gate, places): (&Rc<Gate>, Option<&Places>),
    token: &[u8],
) -> Result<Explained, Denial> {
    let Some(places) = places else {
        return Ok(explained(verify(request, gate, token, &gate.keys.fixed)));
    };
    let flights = &remembered.course().flights;
    let gathered = Gathered::gather(request, &gate.keys, &gate.stores, (places, flights));
    let verdict = verify(request, gate, token, &gathered.keys);
    if let Err(Refusal { denial, .. }) = verdict
        && is_for_want_of_keys(gate, token, denial)
    {
        if !gathered.pending.is_empty() {
            return Err(Denial::KeyUnavailable);
        }
        let (denial, detail) = gathered.without_hope(denial);
        return Ok((Err(denial), detail));
    }
    if verdict.is_ok() {
        places.targets().for_each(|target| gate.stores.requests.prove(target));
    }
    Ok(explained(verdict))
}

/// Judges a token by these keys.
fn verify(
    request: Request<'_>,
    gate: &Gate,
    token: &[u8],
    keys: &[Arc<KeySet>],
) -> Result<Arc<Claims>, Refusal> {
    // Where keys come and go none at all are no fault: they are not those that the token means.
    if keys.is_empty() && !gate.keys.are_fixed() {
        gate.verifier.read(token)?;
        return Err(Denial::UnknownKey.into());
    }
    let lists = gate.revocations.lists();
    let at = Circumstances {
        revocations: lists.as_ref().map(CurrentLists::as_revocations).unwrap_or_default(),
        ..Circumstances::new(fence::now(), Some(request.host()))
    };
    gate.verifier.verify_with(memory(gate), token, keys, &at)
}

/// What a worker remembers of tokens that a gate verified.
fn memory(gate: &Gate) -> Memory<'_> {
    Memory { tokens: gate.cache.as_deref(), headers: Some(&gate.headers) }
}

/// A verdict, and what the log says of a refusal besides the reason.
fn explained(verdict: Result<Arc<Claims>, Refusal>) -> Explained {
    match verdict {
        Ok(claims) => (Ok(claims), None),
        Err(Refusal { denial, detail }) => (Err(denial), detail),
    }
}

/// Whether other keys might spare a token this denial: an algorithm may be one that no key is for, or
/// one that the policy forbids whatever the keys are.
fn is_for_want_of_keys(gate: &Gate, token: &[u8], denial: Denial) -> bool {
    match denial {
        Denial::AlgorithmNotAllowed => gate.verifier.read(token).is_ok(),
        denial => matches!(
            denial,
            Denial::UnknownKey
                | Denial::SignatureMismatch
                | Denial::KeysUntried
                | Denial::DecryptionFailed
                | Denial::NoKey
        ),
    }
}

/// Whether a good token meets the requirements with variables now.
fn compare(request: Request<'_>, remembered: &Remembered, entry: &Entry) -> Result<(), Denial> {
    let Ok(claims) = &entry.outcome.verdict else { return Ok(()) };
    let requirements = &entry.gate.requirements;
    if requirements.is_empty() {
        return Ok(());
    }
    let course = remembered.course();
    let index = remembered.entries().position(|other| core::ptr::eq(other, entry));
    if let Some(asked) = course.asked.borrow_mut().last_mut() {
        asked.compared = index;
    }
    let find_refusal = || {
        requirements.iter().enumerate().find_map(|(index, requirement)| {
            let meets = entry.meets(request, course, claims, (index, requirement));
            Some((meets.err()?, &requirement.comparison))
        })
    };
    // A map that shows the token must not be remembered: it may be about to be refused.
    let refused = if requirements.iter().any(|asked| request.is_remembered(asked.operand)) {
        request.without_trace(find_refusal)
    } else {
        find_refusal()
    };
    let refusal = refused.map(|((denial, _), _)| denial);
    let told = entry.refusal.replace(refusal);
    match refused {
        Some(((denial, unmet), comparison)) => {
            if told != refusal {
                log(request, denial, Some(&comparison.explain(&unmet)));
            }
            Err(denial)
        }
        None => Ok(()),
    }
}

impl Entry {
    /// Whether a good token meets a requirement, and if not, why.
    fn meets(
        &self,
        request: Request<'_>,
        course: &Course,
        claims: &Claims,
        (index, requirement): (usize, &VariableRequirement),
    ) -> Result<(), (Denial, Unmet)> {
        let fault = (Denial::InternalError, Unmet::Operand(OperandDefect::Unknown));
        let value = request.evaluate(requirement.operand).ok_or(fault)?;
        if course.is_circular.get() {
            return Err(fault);
        }
        let mut compared = self.compared.get_or_init(Box::default).borrow_mut();
        let result = match compared.get(index) {
            Some(last) if *last.value == *value => last.result,
            last => {
                let result = requirement.comparison.check_variable(claims, value);
                let now = Compared { value: value.into(), result };
                // Requirements get their turns in order.
                match last.is_some().then(|| compared.get_mut(index)).flatten() {
                    Some(last) => *last = now,
                    None => compared.push(now),
                }
                result
            }
        };
        result.map_err(|unmet| (Denial::ClaimRejected, unmet))
    }
}

fn log(request: Request<'_>, denial: Denial, detail: Option<&str>) {
    let level = if denial.is_our_fault() { Level::Error } else { Level::Info };
    if !request.logs(level) {
        return;
    }
    match detail {
        Some(detail) => request.log(level, &format!("{denial}: {detail}")),
        None => request.log(level, denial.reason()),
    }
}
