//! What a gate makes of a request: found out when it is first asked, remembered until the
//! client's request ends.
//!
//! A request may meet several gates on its way through rewrites, internal redirects and
//! subrequests; each judges it once. The outcome belongs to the request that the client made, so
//! that a subrequest neither loses the token nor brings another one. What a gate compares with
//! variables is compared whenever it is asked: these may say something else where a redirect leads.

use core::cell::{Cell, OnceCell, RefCell};
use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use ojwt_core::claims::Claims;
use ojwt_core::denial::Denial;
use ojwt_core::keys::KeySet;
use ojwt_core::policy::Circumstances;
use ojwt_core::requirement::Operand;
use ojwt_core::transport;
use ojwt_core::unverified::Unverified;
use ojwt_core::verify::{Memory, Refusal};

use crate::conf::{Gate, MainConf, VariableRequirement};
use crate::fence;
use crate::fence::complex::ComplexValue;
use crate::fence::log::Level;
use crate::fence::request::{LogHandler, Redact, Request};
use crate::key_request::{Flight, Flights, Progress, Target};
use crate::places::{Gathered, Places, Said};
use crate::source::Source;

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
struct Remembered {
    first: OnceCell<Entry>,
    log_handler: OnceCell<LogHandler>,
    /// Why a request with a valid token was refused all the same.
    overruled: Cell<Option<Denial>>,
    /// What it takes to ask a gate that variables or fetched keys have a say in.
    course: OnceCell<Box<Course>>,
}

/// The course of asking gates that are not plain.
#[derive(Default)]
struct Course {
    /// The fetches of keys that the request has a part in.
    flights: Flights,
    /// Gates that will be asked, perhaps.
    noted: RefCell<Vec<Rc<Gate>>>,
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
    /// Where its keys were, if they are not always in the same place.
    places: Option<Box<Places>>,
    outcome: Outcome,
    /// Why a good token was refused when the gate was last asked.
    refusal: Cell<Option<Denial>>,
    next: OnceCell<Box<Entry>>,
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
        && let Some(Entry { outcome, .. }) = remembered.latest_at(gate)
    {
        return Ok(outcome);
    }
    // What keys are chosen by cannot depend on what the token is found to be by those keys.
    if remembered.is_choosing() {
        return Err(Denial::InternalError);
    }
    // SAFETY: `Remembered` is the one type that this module has nginx remember.
    unsafe { request.redact_log(remembered) };
    // A plain gate asks no variable, which might ask it.
    let _asking = (!gate.is_plain).then(|| Asking::begin(remembered.course(), gate)).transpose()?;
    let found = find(request, gate);
    let places = match &found {
        Some((_, token)) if !gate.keys.are_fixed() => {
            remembered.places(request, gate, token).map(|places| Some(Box::new(places)))
        }
        _ => Ok(None),
    };
    let (places, fault) = match places {
        Ok(places) => (places, None),
        Err(denial) => (None, Some(denial)),
    };
    let entry = if let Some(entry) = remembered.entry_at(gate, places.as_deref()) {
        entry
    } else {
        let outcome = judge(request, remembered, gate, found, places.as_deref(), fault)?;
        let (gate, refusal, next) = (Rc::clone(gate), Cell::new(None), OnceCell::new());
        remembered.push(Entry { gate, places, outcome, refusal, next })
    };
    compare(request, remembered, entry)?;
    Ok(&entry.outcome)
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
    if gates.peek().is_none() {
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
    let Some((_, token)) = find(request, gate) else { return Readiness::Ready };
    remembered.note(request, gate);
    let (Ok(places), Some(main)) = (remembered.places(request, gate, &token), main_conf(request))
    else {
        return Readiness::Ready;
    };
    let (flights, cache) = (&remembered.course().flights, gate.keys.cache);
    let gathered = Gathered::gather(request, gate, main, (&places, flights));
    let (fetched, store) = (&gathered.pending, &main.key_requests);
    let waiting = if fetched.is_empty() {
        if cache == 0 || !gate.verifier.lacks_key(memory(gate), &token, &gathered.keys) {
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

/// The fetch of keys that this subrequest is, if it is one.
pub(crate) fn fetch_of(request: Request<'_>) -> Option<Rc<Flight>> {
    remembered(request)?.course.get()?.flights.of(request)
}

/// Whether the request is part of a fetch of keys.
pub(crate) fn is_part_of_fetch(request: Request<'_>) -> bool {
    let course = remembered(request).and_then(|remembered| remembered.course.get());
    course.is_some_and(|course| course.flights.cover(request))
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

/// The value of what a gate asks of a token. Where other gates were asked, what nginx remembers of maps
/// may be of their tokens, and does not count.
pub(crate) fn evaluate<'r>(
    request: Request<'r>,
    gate: &Rc<Gate>,
    value: ComplexValue,
) -> Option<&'r [u8]> {
    let mut asked = outcomes(request).map(|(asked, _)| asked);
    if asked.all(|asked| Rc::ptr_eq(asked, gate)) {
        request.evaluate(value)
    } else {
        request.without_trace(|| request.evaluate(value))
    }
}

/// Notes which arguments of this request may hold a token, before anything that logs it refuses it.
pub(crate) fn shield(request: Request<'_>, gates: [Option<&Rc<Gate>>; 2]) {
    let main = request.main();
    if main.args().is_empty() && main.client_args().is_empty() {
        return;
    }
    for gate in gates.into_iter().flatten() {
        let holds = |source: &Source| source.argument().is_some() && source.find(request).is_some();
        if gate.sources.iter().any(holds)
            && let Ok(remembered) = remember(request)
        {
            remembered.note(request, gate);
        }
    }
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
pub(crate) fn outcomes(
    request: Request<'_>,
) -> impl Iterator<Item = (&Rc<Gate>, Result<&Outcome, Denial>)> {
    let entries = remembered(request).into_iter().flat_map(Remembered::entries);
    entries.map(|entry| (&entry.gate, entry.refusal.get().map_or(Ok(&entry.outcome), Err)))
}

impl Remembered {
    fn course(&self) -> &Course {
        self.course.get_or_init(Box::default)
    }

    /// Has the arguments of a gate redacted from now on.
    fn note(&self, request: Request<'_>, gate: &Rc<Gate>) {
        let mut noted = self.course().noted.borrow_mut();
        if !noted.iter().any(|noted| Rc::ptr_eq(noted, gate)) {
            noted.push(Rc::clone(gate));
        }
        // SAFETY: `Remembered` is the one type that this module has nginx remember.
        unsafe { request.redact_log(self) };
    }

    fn is_choosing(&self) -> bool {
        self.course.get().is_some_and(|course| course.choosing.borrow().is_some())
    }

    fn entry_at(&self, gate: &Rc<Gate>, places: Option<&Places>) -> Option<&Entry> {
        let is_it =
            |entry: &&Entry| Rc::ptr_eq(&entry.gate, gate) && entry.places.as_deref() == places;
        self.entries().find(is_it)
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
        let main = main_conf(request).ok_or(Denial::InternalError)?;
        let evaluate = |value| request.evaluate(value).ok_or(Denial::InternalError);
        if !gate.keys.are_chosen() {
            let evaluate = |value| Ok((evaluate(value)?, Said::Nothing));
            return Places::find(request, gate, main, evaluate);
        }
        let token = Unverified::read(token, gate.verifier.max_token_size)?;
        let course = self.course();
        let _choosing = Choosing::begin(course, token);
        // Each for itself: what one remembers of a map would hide from the next that it asked the token.
        Places::find(request, gate, main, |value| {
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

/// nginx adds the request line and the referrer to what it logs as an error; a token in an
/// argument is not for the log.
impl Redact for Remembered {
    fn original(&self) -> &OnceCell<LogHandler> {
        &self.log_handler
    }

    fn redact(&self, line: &[u8]) -> Vec<u8> {
        let course = self.course.get();
        let asked = course.map(|course| (course.asked.borrow(), course.noted.borrow()));
        let asked = asked
            .iter()
            .flat_map(|(asked, noted)| asked.iter().map(|asked| &asked.gate).chain(noted.iter()));
        let gates = self.entries().map(|entry| &entry.gate).chain(asked);
        let sources = gates.flat_map(|gate| &gate.sources);
        transport::redacted(line, &sources.filter_map(Source::argument))
    }
}

fn remembered(request: Request<'_>) -> Option<&Remembered> {
    // SAFETY: `Remembered` is the one type that this module has nginx remember.
    unsafe { request.remembered() }
}

fn remember(request: Request<'_>) -> Result<&Remembered, Denial> {
    remembered(request)
        .or_else(|| {
            // SAFETY: nothing is remembered yet, and `Remembered` is the module's one type.
            unsafe { request.remember(Remembered::default()) }
        })
        .ok_or(Denial::InternalError)
}

/// What the whole `http` block shares.
pub(crate) fn main_conf(request: Request<'_>) -> Option<&MainConf> {
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
    found: Option<(&Source, Cow<'_, [u8]>)>,
    places: Option<&Places>,
    fault: Option<Denial>,
) -> Result<Outcome, Denial> {
    let (verdict, detail) = match (&found, fault) {
        (None, _) => (Err(Denial::NoToken), None),
        (Some(_), Some(fault)) => (Err(fault), None),
        (Some((_, token)), None) => {
            #[cfg(feature = "inject-panic")]
            assert!(**token != *b"panic", "as the test wants it: {token:?}");
            judge_token(request, remembered, (gate, places), token)?
        }
    };
    if let Err(denial) = &verdict {
        log(request, *denial, detail.as_deref().or(denial.detail()));
    }
    let token_from_url = match found {
        Some((Source::Argument(_), token)) if verdict.is_ok() => Some(token.into_owned()),
        _ => None,
    };
    Ok(Outcome { verdict, token_from_url })
}

/// A verdict, and what the log says of it besides the reason.
type Judged = (Result<Arc<Claims>, Denial>, Option<String>);

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
) -> Result<Judged, Denial> {
    let Some(places) = places else {
        return Ok(explained(gate, verify(request, gate, token, &gate.keys.fixed)));
    };
    let main = main_conf(request).ok_or(Denial::InternalError)?;
    let flights = &remembered.course().flights;
    let gathered = Gathered::gather(request, gate, main, (places, flights));
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
        places.targets().for_each(|target| main.key_requests.prove(target));
    }
    Ok(explained(gate, verdict))
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
        revocations: lists.as_revocations(),
        ..Circumstances::new(fence::now(), Some(request.host()))
    };
    gate.verifier.verify_with(memory(gate), token, keys, &at)
}

/// What a worker remembers of tokens that a gate verified.
fn memory(gate: &Gate) -> Memory<'_> {
    Memory { tokens: gate.cache.as_deref(), headers: Some(&gate.headers) }
}

/// A verdict with the requirement that is not met, if that is it.
fn explained(gate: &Gate, verdict: Result<Arc<Claims>, Refusal>) -> Judged {
    match verdict {
        Ok(claims) => (Ok(claims), None),
        Err(Refusal { denial, claims }) => {
            let claims = claims.as_deref().filter(|_| denial == Denial::ClaimRejected);
            let unmet = claims.and_then(|claims| gate.verifier.policy.unmet(claims));
            (Err(denial), unmet.map(|unmet| unmet.comparison.to_string()))
        }
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
                | Denial::DecryptionFailed
                | Denial::NoKey
        ),
    }
}

/// Whether a good token meets the requirements with variables now.
fn compare(request: Request<'_>, remembered: &Remembered, entry: &Entry) -> Result<(), Denial> {
    let Ok(claims) = &entry.outcome.verdict else { return Ok(()) };
    if entry.gate.requirements.is_empty() {
        return Ok(());
    }
    let course = remembered.course();
    let index = remembered.entries().position(|other| core::ptr::eq(other, entry));
    if let Some(asked) = course.asked.borrow_mut().last_mut() {
        asked.compared = index;
    }
    let meets = |VariableRequirement { comparison, operand }: &VariableRequirement| {
        let value = evaluate(request, &entry.gate, *operand).ok_or(Denial::InternalError)?;
        if course.is_circular.get() {
            return Err(Denial::InternalError);
        }
        let operand = Operand::of_variable(value).ok_or(Denial::ClaimRejected)?;
        if comparison.is_met(claims, &operand) { Ok(()) } else { Err(Denial::ClaimRejected) }
    };
    let refused = entry.gate.requirements.iter().find_map(|requirement| {
        let denial = meets(requirement).err()?;
        Some((denial, &requirement.comparison))
    });
    let refusal = refused.map(|(denial, _)| denial);
    let told = entry.refusal.replace(refusal);
    match refused {
        Some((denial, comparison)) => {
            if told != refusal {
                log(request, denial, Some(&comparison.to_string()));
            }
            Err(denial)
        }
        None => Ok(()),
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
