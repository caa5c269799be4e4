//! Keys by subrequest: one fetch for all who want its answer, which is parsed once for each body,
//! and kept for as long as `auth_jwt_key_cache` says.
//!
//! A fetch belongs to none of those who want it: it goes on when they leave. What is kept belongs
//! to the worker. An answer is for one URI of one server and one host: a subrequest brings nothing
//! else that the client sent.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use lru::LruCache;
use ojwt_core::crypto::digest::Digest;
use ojwt_core::denial::Denial;
use ojwt_core::keys::{KeyFormat, KeySet, KeySetBuilder};

use crate::fence::log::{self, Level};
use crate::fence::request::Request;
use crate::fence::subrequest::{Capture, CaptureError, Fetch, MAX_TIME, SubrequestError};
use crate::fence::wake::Waker;
use crate::fence::{self, printable};
use crate::keys::files::is_empty_set;
use crate::keys::sources::Locator;

/// The largest answer, in bytes: some hundreds of keys.
pub(crate) const MAX_ANSWER_SIZE: usize = 1024 * 1024;

/// How many answers, failures and parsed bodies a worker keeps, of each.
const MAX_KEPT: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// How many fetches a client's request may begin. What others began it may wait for besides.
const MAX_FETCHES: usize = 32;

/// Of how many of a worker's connections one may be a fetch that anybody can make up, for a host
/// that no server has the name of, or a URI that the request chooses; it has another one to its
/// upstream.
const CONNECTIONS_PER_FETCH: usize = 16;

/// How many of these there may be in any case.
const MIN_FETCHES: usize = 4;

/// Of how many of a worker's connections one may wait for room for such a fetch.
const CONNECTIONS_PER_WAITING: usize = 4;

/// The last good keys are used for at most this many times `auth_jwt_key_cache` after that.
const STALE_FACTOR: u64 = 10;

/// And never longer than this, in seconds.
const MAX_STALE: u64 = 3600;

/// For how long the last good keys are used while others are being fetched, in milliseconds:
/// whoever could make a fetch take long would else have keys used that were withdrawn.
const STALE_WHILE_FETCHING: u64 = 5_000;

/// How long after a failure there is no other try, where answers are kept, in milliseconds.
const RETRY: u64 = 5_000;

/// The same where nothing is kept yet, so that everything is refused until then.
const RETRY_WITHOUT_KEYS: u64 = 1_000;

/// How long after a target was fetched again for a token that none of its keys is meant by, no other
/// such token has it fetched again, in milliseconds.
const ASK_AGAIN: u64 = 10_000;

/// The statuses that say that there is nothing, or nothing of such a name or length (RFC 9110 sections
/// 15.5.1, 15.5.5, 15.5.11, 15.5.15 and 15.5.21).
const NOT_THERE: [u16; 5] = [400, 404, 410, 414, 422];

/// The key requests of a worker.
pub(crate) struct KeyRequests {
    /// Answers by which a token was verified.
    proven: RefCell<LruCache<Target, Answer>>,
    /// Others. Whoever makes up hosts or URIs fills these alone.
    unproven: RefCell<LruCache<Target, Answer>>,
    /// When a fetch failed last, by [`fence::uptime`].
    failures: RefCell<LruCache<Target, u64>>,
    /// When a target was last fetched again for an unknown key, by [`fence::uptime`].
    asked_again: RefCell<LruCache<Target, u64>>,
    parsed: RefCell<ParsedBodies>,
    under_way: RefCell<HashMap<Target, Weak<Flight>>>,
    /// What waits for fewer fetches to be under way.
    waiting_for_room: RefCell<Vec<Weak<Waker>>>,
    /// The names that the configuration has for each server.
    hosts: RefCell<HashMap<usize, HashSet<Vec<u8>>>>,
}

/// The keys of bodies that were read before.
type ParsedBodies = LruCache<(Digest, Option<KeyFormat>), Arc<KeySet>>;

/// What an answer is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    server: usize,
    host: Vec<u8>,
    uri: Vec<u8>,
    format: Option<KeyFormat>,
    /// Whether the token itself has a say in the URI.
    is_chosen: bool,
    /// Whether the configuration says all of it.
    is_fixed: bool,
}

/// Keys that were fetched.
#[derive(Clone)]
struct Answer {
    keys: Arc<KeySet>,
    /// When, by the time of day.
    fetched: i64,
    /// When, by [`fence::uptime`].
    fetched_at: u64,
}

/// A fetch.
pub(crate) struct Flight {
    target: Target,
    store: Rc<KeyRequests>,
    capture: Capture,
    /// When, by [`fence::uptime`].
    began: u64,
    end: OnceCell<End>,
    waiters: RefCell<Vec<Weak<Waker>>>,
}

/// How a fetch ended.
enum End {
    /// With these keys.
    Arrived(Arc<KeySet>),
    /// Without keys.
    Failed,
}

/// What a client's request has to do with fetches.
#[derive(Default)]
pub(crate) struct Flights {
    /// How many it began.
    begun: Cell<usize>,
    /// Those that it waits or waited for.
    parts: RefCell<Vec<Part>>,
    /// What of it waits for room for a fetch.
    waiting_for_room: RefCell<Vec<(usize, Rc<Waker>)>>,
    /// The kept keys that it uses: they stay the same for as long as it lives.
    used: RefCell<Vec<Used>>,
}

/// Kept keys in use.
struct Used {
    target: Target,
    /// For how long they might be kept where they were taken, in seconds: nothing for a gate that wants
    /// newer ones.
    cache: u64,
    keys: Arc<KeySet>,
}

/// The part of a client's request in a fetch.
struct Part {
    flight: Rc<Flight>,
    /// What waits for it: the request itself or subrequests, each with what wakes it.
    waiting: RefCell<Vec<(usize, Rc<Waker>)>>,
}

/// How far the keys are that a request needs.
pub(crate) enum Progress {
    /// They are at hand.
    Ready(Arc<KeySet>),
    /// They are being fetched.
    Waiting,
    /// They are to be fetched.
    Missing,
}

impl KeyRequests {
    /// None yet.
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            proven: RefCell::new(LruCache::new(MAX_KEPT)),
            unproven: RefCell::new(LruCache::new(MAX_KEPT)),
            failures: RefCell::new(LruCache::new(MAX_KEPT)),
            asked_again: RefCell::new(LruCache::new(MAX_KEPT)),
            parsed: RefCell::new(LruCache::new(MAX_KEPT)),
            under_way: RefCell::default(),
            waiting_for_room: RefCell::default(),
            hosts: RefCell::default(),
        })
    }

    /// Tells the names of servers, each with what tells the server.
    pub(crate) fn know_hosts(&self, names: Vec<(usize, Vec<u8>)>) {
        let mut hosts = self.hosts.borrow_mut();
        for (server, name) in names {
            hosts.entry(server).or_default().insert(name);
        }
    }

    /// The keys for this request, as far as they are at hand; `cache` is how long they may be kept.
    ///
    /// # Errors
    ///
    /// [`Denial::KeyUnavailable`] where they cannot be had.
    pub(crate) fn find(
        &self,
        flights: &Flights,
        target: &Target,
        cache: u64,
    ) -> Result<Progress, Denial> {
        if let Some(keys) = flights.used(target, cache) {
            return Ok(Progress::Ready(keys));
        }
        let has_failed = match flights.find(target).as_ref().map(|flight| flight.end.get()) {
            Some(None) => return Ok(Progress::Waiting),
            Some(Some(End::Arrived(keys))) => return Ok(Progress::Ready(Arc::clone(keys))),
            Some(Some(End::Failed)) => true,
            None => false,
        };
        match self.kept(target, cache, has_failed)? {
            Some(keys) => {
                let used = Used { target: target.clone(), cache, keys: Arc::clone(&keys) };
                flights.used.borrow_mut().push(used);
                Ok(Progress::Ready(keys))
            }
            None if has_failed => Err(Denial::KeyUnavailable),
            None => Ok(Progress::Missing),
        }
    }

    /// The same, but fetches what is missing: then the request is to wait, and to ask again when it
    /// runs on. It may wait for several targets at a time, and runs on for each.
    ///
    /// # Errors
    ///
    /// Those of [`KeyRequests::find`].
    pub(crate) fn fetch(
        self: &Rc<Self>,
        request: Request<'_>,
        flights: &Flights,
        target: &Target,
        cache: u64,
    ) -> Result<Progress, Denial> {
        match self.find(flights, target, cache)? {
            Progress::Ready(keys) => Ok(Progress::Ready(keys)),
            Progress::Waiting => {
                flights.wait(request, target);
                Ok(Progress::Waiting)
            }
            Progress::Missing => self.begin(request, flights, target, cache),
        }
    }

    /// Whether it is not too soon for [`KeyRequests::ask_again`].
    pub(crate) fn may_ask_again(&self, flights: &Flights, target: &Target, cache: u64) -> bool {
        // What this request has fetched is as new as can be.
        if cache == 0 || flights.find(target).is_some() {
            return false;
        }
        let uptime = fence::uptime();
        let is_within = |time: Option<&u64>, limit| {
            time.is_some_and(|time| uptime.saturating_sub(*time) < limit)
        };
        self.under_way.borrow().contains_key(target)
            || !is_within(self.failures.borrow().peek(target), RETRY)
                && !is_within(self.asked_again.borrow_mut().get(target), ASK_AGAIN)
    }

    /// Fetches a target again of whose kept keys none is meant by a token, if that is not too soon;
    /// whether the request is to wait for it.
    ///
    /// The kept keys stay, and serve others: they are lost to no answer but one that is well-formed.
    pub(crate) fn ask_again(
        self: &Rc<Self>,
        request: Request<'_>,
        flights: &Flights,
        target: &Target,
        cache: u64,
    ) -> bool {
        if !self.may_ask_again(flights, target, cache) {
            return false;
        }
        if !self.under_way.borrow().contains_key(target) {
            self.asked_again.borrow_mut().put(target.clone(), fence::uptime());
        }
        flights.used.borrow_mut().retain(|used| used.target != *target);
        matches!(self.begin(request, flights, target, cache), Ok(Progress::Waiting))
    }

    /// Has the request wait for a fetch of the target, which it begins unless one is under way.
    fn begin(
        self: &Rc<Self>,
        request: Request<'_>,
        flights: &Flights,
        target: &Target,
        cache: u64,
    ) -> Result<Progress, Denial> {
        let under_way = self.under_way.borrow().get(target).and_then(Weak::upgrade);
        if let Some(flight) = under_way {
            flights.join(flight);
        } else if !self.has_room(target) {
            self.wait_for_room(request, flights)?;
            return Ok(Progress::Waiting);
        } else if let Err(why) = self.start(request, flights, target) {
            request.log(Level::Error, &why);
            let keys = self.kept(target, cache, true)?.ok_or(Denial::KeyUnavailable)?;
            let used = Used { target: target.clone(), cache, keys: Arc::clone(&keys) };
            flights.used.borrow_mut().push(used);
            return Ok(Progress::Ready(keys));
        }
        flights.wait(request, target);
        Ok(Progress::Waiting)
    }

    /// Starts a fetch, in which the request has a part from then on; else says why not.
    fn start(
        self: &Rc<Self>,
        request: Request<'_>,
        flights: &Flights,
        target: &Target,
    ) -> Result<(), String> {
        if flights.begun.get() >= MAX_FETCHES {
            return Err("key unavailable: too many key requests for one request".to_owned());
        }
        let flight = Rc::new(Flight {
            target: target.clone(),
            store: Rc::clone(self),
            capture: Capture::new(MAX_ANSWER_SIZE),
            began: fence::uptime(),
            end: OnceCell::new(),
            waiters: RefCell::default(),
        });
        self.under_way.borrow_mut().insert(target.clone(), Rc::downgrade(&flight));
        flights.begun.set(flights.begun.get() + 1);
        let started = request.start(&target.uri, &target.host, Rc::clone(&flight) as _);
        started.map_err(|error| {
            flight.fail();
            let why = match error {
                SubrequestError::UnsafeUri => "the URI is unsafe",
                SubrequestError::Failed => "no subrequest could be made",
            };
            format!("{flight}: {why}")
        })?;
        flights.join(flight);
        Ok(())
    }

    /// Whether another fetch may be under way. For what the configuration names, or verified tokens
    /// were good for, there is always room: whoever makes up hosts takes it from no one else.
    fn has_room(&self, target: &Target) -> bool {
        if self.is_foreseen(target) || self.proven.borrow().contains(target) {
            return true;
        }
        let under_way = self.under_way.borrow();
        let made_up = under_way.keys().filter(|target| !self.is_foreseen(target)).count();
        made_up < (fence::connections() / CONNECTIONS_PER_FETCH).max(MIN_FETCHES)
    }

    /// Has the request woken when a fetch has ended, to see whether there is room then.
    fn wait_for_room(&self, request: Request<'_>, flights: &Flights) -> Result<(), Denial> {
        let mut waiting = self.waiting_for_room.borrow_mut();
        waiting.retain(|waiter| waiter.strong_count() > 0);
        if waiting.len() >= fence::connections() / CONNECTIONS_PER_WAITING {
            request.log(Level::Error, "key unavailable: too many key requests under way");
            return Err(Denial::KeyUnavailable);
        }
        let waker = Rc::new(Waker::new(request));
        waiting.push(Rc::downgrade(&waker));
        flights.waiting_for_room.borrow_mut().push((request.id(), waker));
        Ok(())
    }

    /// Notes that a token was verified by the keys for this target.
    pub(crate) fn prove(&self, target: &Target) {
        if let Some(answer) = self.unproven.borrow_mut().pop(target) {
            let mut proven = self.proven.borrow_mut();
            if proven.len() >= MAX_KEPT.get()
                && let Some(victim) = self.least_missed(&proven)
            {
                proven.pop(&victim);
            }
            proven.put(target.clone(), answer);
        }
    }

    /// Which answer is to make room for another: of those that anybody can make up, as far as there
    /// are any, and of the keys that most of these have, the one that was not used for longest. One
    /// good token may be good for any number of made-up hosts, all with the same keys; they
    /// displace each other.
    fn least_missed(&self, proven: &LruCache<Target, Answer>) -> Option<Target> {
        let oldest_first = || proven.iter().rev();
        let made_up = || oldest_first().filter(|(target, _)| !self.is_foreseen(target));
        let mut counts = HashMap::new();
        for (_, answer) in made_up() {
            *counts.entry(Arc::as_ptr(&answer.keys)).or_insert(0_usize) += 1;
        }
        let most = counts.values().max().copied();
        let mut of_most =
            made_up().filter(|(_, answer)| counts.get(&Arc::as_ptr(&answer.keys)).copied() == most);
        let victim = of_most.next().or_else(|| oldest_first().next());
        victim.map(|(target, _)| target.clone())
    }

    /// Whether the configuration itself names both the host and the URI, so that nobody can make up
    /// more of the kind.
    fn is_foreseen(&self, target: &Target) -> bool {
        let is_named = || {
            let hosts = self.hosts.borrow();
            hosts.get(&target.server).is_some_and(|names| names.contains(&target.host))
        };
        target.is_fixed && (target.host.is_empty() || is_named())
    }

    /// Keys that were fetched before: fresh ones, or the last good ones where fetching them again
    /// failed just now or began just now.
    fn kept(
        &self,
        target: &Target,
        cache: u64,
        has_failed: bool,
    ) -> Result<Option<Arc<KeySet>>, Denial> {
        if cache == 0 {
            return Ok(None);
        }
        let uptime = fence::uptime();
        let proven = self.proven.borrow_mut().get(target).cloned();
        let answer = proven.or_else(|| self.unproven.borrow_mut().get(target).cloned());
        // A clock that is set, or that went on while the machine slept, makes no key fresh; but that alone
        // is no reason to refuse what the last good keys would let in.
        let is_fresh = |answer: &Answer| {
            let seconds = fence::now().saturating_sub(answer.fetched);
            let by_day = u64::try_from(seconds).is_ok_and(|seconds| seconds < cache);
            by_day && answer.age(uptime) < cache.saturating_mul(1000)
        };
        if let Some(answer) = answer.as_ref().filter(|answer| is_fresh(answer)) {
            return Ok(Some(Arc::clone(&answer.keys)));
        }
        let serves_for = cache.saturating_add(cache.saturating_mul(STALE_FACTOR).min(MAX_STALE));
        let last_good =
            answer.filter(|answer| answer.age(uptime) < serves_for.saturating_mul(1000));
        let retry = if last_good.is_some() { RETRY } else { RETRY_WITHOUT_KEYS };
        let failed = self.failures.borrow_mut().get(target).copied();
        let has_failed =
            has_failed || failed.is_some_and(|failed| uptime.saturating_sub(failed) < retry);
        let under_way = self.under_way.borrow().get(target).and_then(Weak::upgrade);
        let is_being_fetched = under_way
            .is_some_and(|flight| uptime.saturating_sub(flight.began) < STALE_WHILE_FETCHING);
        match last_good {
            Some(Answer { keys, .. }) if has_failed || is_being_fetched => Ok(Some(keys)),
            None if has_failed => Err(Denial::KeyUnavailable),
            _ => Ok(None),
        }
    }

    fn keep(&self, target: &Target, keys: &Arc<KeySet>) {
        let (fetched, fetched_at) = (fence::now(), fence::uptime());
        let answer = Answer { keys: Arc::clone(keys), fetched, fetched_at };
        self.failures.borrow_mut().pop(target);
        let mut proven = self.proven.borrow_mut();
        if let Some(kept) = proven.get_mut(target) {
            *kept = answer;
        } else {
            self.unproven.borrow_mut().put(target.clone(), answer);
        }
    }

    /// Parses an answer, or finds it again.
    fn read(
        &self,
        body: &[u8],
        flight: &Flight,
        request: Request<'_>,
    ) -> Result<Arc<KeySet>, String> {
        let format = flight.target.format;
        let digest = Digest::of(body);
        if let Some(keys) = self.parsed.borrow_mut().get(&(digest, format)) {
            return Ok(Arc::clone(keys));
        }
        let mut builder = KeySetBuilder::new();
        match builder.add(body, format) {
            Err(_) if is_empty_set(body, format) => {}
            added => added.map_err(|error| error.to_string())?,
        }
        let (keys, warnings) = builder.build();
        for warning in warnings {
            request.log(Level::Warn, &format!("{flight}: {warning}"));
        }
        let keys = Arc::new(keys);
        self.parsed.borrow_mut().put((digest, format), Arc::clone(&keys));
        Ok(keys)
    }
}

impl Answer {
    /// How long ago it came, in milliseconds.
    fn age(&self, uptime: u64) -> u64 {
        uptime.saturating_sub(self.fetched_at)
    }
}

impl Target {
    /// What a locator, of which the value is `uri`, leads to for this request; `is_chosen` where the
    /// token itself has a say in it.
    pub(crate) fn of(request: Request<'_>, uri: &[u8], locator: &Locator, is_chosen: bool) -> Self {
        Self {
            server: request.server(),
            host: request.host().to_vec(),
            uri: uri.to_vec(),
            format: locator.format,
            is_chosen,
            is_fixed: !locator.has_variables,
        }
    }
}

/// As the log names it.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "key request \"{}\"", printable(&self.uri))
    }
}

impl Fetch for Flight {
    fn capture(&self) -> &Capture {
        &self.capture
    }

    fn ended(&self, subrequest: Request<'_>) {
        // Whatever happens here, nobody waits for longer.
        let _ended = Ended(self);
        let keys = match self.capture.body() {
            Ok(body) => self.store.read(&body, self, subrequest),
            // Who asks for what is not there has no key, which is no fault of ours.
            Err(CaptureError::Status(status))
                if self.target.is_chosen && NOT_THERE.contains(&status) =>
            {
                subrequest.log(Level::Info, &format!("{self}: the status is {status}"));
                Ok(Arc::default())
            }
            Err(error) => Err(describe(error)),
        };
        match keys {
            Ok(keys) => {
                self.store.keep(&self.target, &keys);
                self.end(End::Arrived(keys));
            }
            Err(why) => {
                subrequest.log(Level::Error, &format!("{self}: {why}"));
                self.fail();
            }
        }
    }

    fn abandoned(&self) {
        if self.end.get().is_none() {
            log::cycle(
                Level::Error,
                &format!("ojwt: {self}: it was ended before there was a response"),
            );
            self.fail();
        }
    }
}

impl Flight {
    fn fail(&self) {
        self.end(End::Failed);
        self.store.failures.borrow_mut().put(self.target.clone(), fence::uptime());
    }

    /// Notes the end, if it is the first, and lets those who wait look for themselves.
    fn end(&self, end: End) {
        if self.end.set(end).is_ok() {
            self.store.under_way.borrow_mut().remove(&self.target);
            let waiting = [self.waiters.take(), self.store.waiting_for_room.take()];
            waiting.iter().flatten().filter_map(Weak::upgrade).for_each(|waker| waker.wake());
        }
    }
}

/// Ends a flight when it is dropped, unless it has ended by then.
struct Ended<'a>(&'a Flight);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.end(End::Failed);
    }
}

impl std::fmt::Display for Flight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.target.fmt(f)
    }
}

fn describe(error: CaptureError) -> String {
    match error {
        CaptureError::Status(0) => "no response".to_owned(),
        CaptureError::Status(status) => format!("the status is {status}, not 200"),
        CaptureError::Compressed => {
            "the response is compressed (\"gunzip on\" inflates what is by gzip)".to_owned()
        }
        CaptureError::Incomplete => "the response is incomplete".to_owned(),
        CaptureError::TooLarge => format!("the response exceeds {MAX_ANSWER_SIZE} bytes"),
        CaptureError::TooSlow => {
            format!("the response takes more than {} seconds", MAX_TIME / 1000)
        }
    }
}

impl Flights {
    fn used(&self, target: &Target, cache: u64) -> Option<Arc<KeySet>> {
        let used = self.used.borrow();
        let found = used.iter().find(|used| used.target == *target && used.cache <= cache);
        found.map(|used| Arc::clone(&used.keys))
    }

    /// The latest fetch of a target that this request has a part in.
    fn find(&self, target: &Target) -> Option<Rc<Flight>> {
        let parts = self.parts.borrow();
        let part = parts.iter().rev().find(|part| part.flight.target == *target)?;
        Some(Rc::clone(&part.flight))
    }

    fn join(&self, flight: Rc<Flight>) {
        self.parts.borrow_mut().push(Part { flight, waiting: RefCell::default() });
    }

    /// Has the request woken when the latest fetch of the target ends.
    fn wait(&self, request: Request<'_>, target: &Target) {
        let parts = self.parts.borrow();
        if let Some(part) = parts.iter().rev().find(|part| part.flight.target == *target) {
            let waker = Rc::new(Waker::new(request));
            let mut waiters = part.flight.waiters.borrow_mut();
            waiters.retain(|waiter| waiter.strong_count() > 0);
            waiters.push(Rc::downgrade(&waker));
            part.waiting.borrow_mut().push((request.id(), waker));
        }
    }

    /// The request runs by itself: to wake it now would disturb whatever it does next.
    pub(crate) fn stop_waiting(&self, request: Request<'_>) {
        let is_of_another = |(id, _): &(usize, Rc<Waker>)| *id != request.id();
        self.waiting_for_room.borrow_mut().retain(is_of_another);
        for part in self.parts.borrow().iter() {
            part.waiting.borrow_mut().retain(is_of_another);
        }
    }
}
