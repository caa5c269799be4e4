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
use crate::key_request::{Flights, Progress, Target};
use crate::keys::{KeySources, Locator};
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

/// Fetches the keys that a gate needs to judge this request, unless they are at hand.
pub(crate) fn prepare(request: Request<'_>, gate: &Rc<Gate>) -> Readiness {
    // What is fetched with is not fetched for: it would not end.
    if gate.keys.requests.is_empty() || is_part_of_fetch(request) {
        return Readiness::Ready;
    }
    let Ok(remembered) = remember(request) else { return Readiness::Ready };
    let course = remembered.course();
    if course.is_watched.take() {
        request.main().stop_watching_client();
    }
    course.flights.stop_waiting(request);
    let Some((_, token)) = find(request, gate) else { return Readiness::Ready };
    remembered.note(request, gate);
    // What fails here fails again when the outcome is asked for, and is told then.
    let (Ok(places), Some(main)) = (remembered.places(request, gate, &token), main_conf(request))
    else {
        return Readiness::Ready;
    };
    let (flights, cache) = (&course.flights, gate.keys.cache);
    for target in &places.targets {
        match main.key_requests.find(flights, target, cache) {
            Ok(Progress::Ready(_)) => continue,
            // No key is fetched for what none could verify.
            Ok(Progress::Missing) if gate.verifier.precheck(&token).is_err() => {
                return Readiness::Ready;
            }
            _ => {}
        }
        match main.key_requests.fetch(request, flights, target, cache) {
            Ok(Progress::Waiting) => {
                if request.is_main() {
                    course.is_watched.set(true);
                    request.watch_client();
                }
                return Readiness::Waiting;
            }
            Ok(Progress::Ready(_) | Progress::Missing) => {}
            Err(_) => return Readiness::Ready,
        }
    }
    Readiness::Ready
}

/// Whether the request is part of a fetch of keys.
pub(crate) fn is_part_of_fetch(request: Request<'_>) -> bool {
    request.is_part_of_fetch()
}

/// The token that keys are being chosen for right now, if they are.
pub(crate) fn choosing(request: Request<'_>) -> Option<Rc<Unverified>> {
    remembered(request)?.course.get()?.choosing.borrow().clone()
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
        let evaluate = || {
            let path = |file: &Locator| {
                let path = request.evaluate(file.value).ok_or(Denial::InternalError)?;
                Ok(path.to_vec())
            };
            let paths = gate.keys.files.iter().map(path).collect::<Result<_, Denial>>()?;
            let targets = gate.keys.requests.iter().map(|locator| Target::of(request, *locator));
            Ok(Places { paths, targets: targets.collect::<Result<_, Denial>>()? })
        };
        if !gate.keys.are_chosen() {
            return evaluate();
        }
        let token = Unverified::read(token, gate.verifier.max_token_size)?;
        let _choosing = Choosing::begin(self.course(), token);
        request.without_trace(evaluate)
    }

    /// The keys of a gate, which are in these places.
    fn keys<'g>(
        &self,
        request: Request<'_>,
        gate: &'g Gate,
        places: Option<&Places>,
    ) -> Result<Keys<'g>, Denial> {
        let KeySources { fixed, files, cache, .. } = &gate.keys;
        if gate.keys.are_fixed() {
            return Ok(Keys::AtHand(Cow::Borrowed(fixed)));
        }
        let (Some(main), Some(places)) = (main_conf(request), places) else {
            return Err(Denial::InternalError);
        };
        let flights = &self.course().flights;
        let mut keys = fixed.clone();
        for (file, path) in files.iter().zip(&places.paths) {
            keys.push(main.key_files.find(request, *file, path, *cache)?);
        }
        for target in &places.targets {
            match main.key_requests.find(flights, target, *cache)? {
                Progress::Ready(fetched) => keys.push(fetched),
                Progress::Waiting | Progress::Missing => return Ok(Keys::Pending),
            }
        }
        Ok(Keys::AtHand(keys.into()))
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

/// Where the keys of a gate are: as many places as it has locators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Places {
    /// `auth_jwt_key_file` with variables.
    paths: Vec<Vec<u8>>,
    /// `auth_jwt_key_request`.
    targets: Vec<Target>,
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
    found: Option<(&Source, Cow<'_, [u8]>)>,
    places: Option<&Places>,
    fault: Option<Denial>,
) -> Result<Outcome, Denial> {
    let policy = &gate.verifier.policy;
    let mut unmet = None;
    let verdict = match &found {
        None => Err(Denial::NoToken),
        Some((_, token)) => {
            #[cfg(feature = "inject-panic")]
            assert!(**token != *b"panic", "as the test wants it: {token:?}");
            let lists = gate.revocations.lists();
            let at = Circumstances {
                revocations: lists.as_revocations(),
                ..Circumstances::new(fence::now(), Some(request.host()))
            };
            let memory = Memory { tokens: gate.cache.as_deref(), headers: Some(&gate.headers) };
            let mut judge = |keys: &[Arc<KeySet>]| {
                let verdict = gate.verifier.verify_with(memory, token, keys, &at);
                verdict.map_err(|Refusal { denial, claims }| {
                    let requirement = claims.as_deref().and_then(|claims| policy.unmet(claims));
                    if denial == Denial::ClaimRejected {
                        unmet = requirement.map(|unmet| unmet.comparison.to_string());
                    }
                    denial
                })
            };
            match fault.map_or_else(|| remembered.keys(request, gate, places), Err) {
                Ok(Keys::AtHand(keys)) => judge(&keys),
                // It was not fetched for if there is something wrong with the token itself.
                Ok(Keys::Pending) => match gate.verifier.precheck(token) {
                    Ok(()) => return Err(Denial::KeyUnavailable),
                    Err(denial) => Err(denial),
                },
                Err(denial) => Err(denial),
            }
        }
    };
    if verdict.is_ok()
        && let (Some(main), Some(places)) = (main_conf(request), places)
    {
        places.targets.iter().for_each(|target| main.key_requests.prove(target));
    }
    if let Err(denial) = &verdict {
        log(request, *denial, unmet.as_deref().or(denial.detail()));
    }
    let token_from_url = match found {
        Some((Source::Argument(_), token)) if verdict.is_ok() => Some(token.into_owned()),
        _ => None,
    };
    Ok(Outcome { verdict, token_from_url })
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
