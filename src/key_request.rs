//! Keys by subrequest: one fetch for all who want its answer, which is parsed once for each body,
//! and kept for as long as `auth_jwt_key_cache` says.
//!
//! What is kept belongs to the worker. An answer is for one URI of one server and one host: a
//! subrequest brings nothing else that the client chose.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use lru::LruCache;
use ojwt_core::denial::Denial;
use ojwt_core::digest::Digest;
use ojwt_core::keys::{KeyFormat, KeySet, KeySetBuilder};

use crate::fence::log::Level;
use crate::fence::request::Request;
use crate::fence::subrequest::{Capture, CaptureError, SubrequestError};
use crate::fence::wake::Waker;
use crate::fence::{self, printable};
use crate::keys::Locator;

/// The largest answer, in bytes: some hundreds of keys.
pub(crate) const MAX_ANSWER_SIZE: usize = 1024 * 1024;

/// How many answers a worker keeps, and how many parsed bodies.
const MAX_ANSWERS: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// The last good keys are used for at most this many times `auth_jwt_key_cache` after that.
const STALE_FACTOR: u64 = 10;

/// And never longer than this, in seconds.
const MAX_STALE: u64 = 3600;

/// How long after a failure the last good keys are used without another try, in seconds.
const RETRY: i64 = 5;

/// The key requests of a worker.
pub(crate) struct KeyRequests {
    answers: RefCell<LruCache<Target, Answer>>,
    parsed: RefCell<ParsedBodies>,
    under_way: RefCell<HashMap<Target, Weak<Flight>>>,
}

/// The keys of bodies that were read before.
type ParsedBodies = LruCache<(Digest, Option<KeyFormat>), Arc<KeySet>>;

/// What an answer is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Target {
    server: usize,
    host: Vec<u8>,
    uri: Vec<u8>,
    format: Option<KeyFormat>,
}

/// Keys that were fetched.
struct Answer {
    keys: Arc<KeySet>,
    fetched: i64,
    /// When a later fetch failed.
    failed: Option<i64>,
}

/// A fetch.
pub(crate) struct Flight {
    target: Target,
    store: Rc<KeyRequests>,
    capture: Capture,
    end: OnceCell<End>,
    waiters: RefCell<Vec<Weak<Waker>>>,
}

/// How a fetch ended.
enum End {
    /// With these keys.
    Arrived(Arc<KeySet>),
    /// Without keys.
    Failed,
    /// The request that made it went away.
    Abandoned,
}

/// What a client's request has to do with fetches.
#[derive(Default)]
pub(crate) struct Flights(RefCell<Vec<Part>>);

/// The part of a request in a fetch.
enum Part {
    /// It makes it.
    Own(Own),
    /// It waits for another request that does, or has waited.
    Joined { flight: Rc<Flight>, waker: RefCell<Option<Rc<Waker>>> },
}

/// Says so if the request ends before the fetch.
struct Own(Rc<Flight>);

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
            answers: RefCell::new(LruCache::new(MAX_ANSWERS)),
            parsed: RefCell::new(LruCache::new(MAX_ANSWERS)),
            under_way: RefCell::default(),
        })
    }

    /// The keys for this request, as far as they are at hand; `cache` is how long they may be kept.
    ///
    /// # Errors
    ///
    /// [`Denial::KeyUnavailable`] where they cannot be had.
    pub(crate) fn find(
        &self,
        request: Request<'_>,
        flights: &Flights,
        locator: Locator,
        cache: u64,
    ) -> Result<Progress, Denial> {
        self.progress(&Target::of(request, locator)?, flights, cache)
    }

    /// The same, but fetches what is missing: then the request is to wait, and to ask again when it
    /// runs on.
    ///
    /// # Errors
    ///
    /// Those of [`KeyRequests::find`].
    pub(crate) fn fetch(
        self: &Rc<Self>,
        request: Request<'_>,
        flights: &Flights,
        locator: Locator,
        cache: u64,
    ) -> Result<Progress, Denial> {
        let target = Target::of(request, locator)?;
        match self.progress(&target, flights, cache)? {
            Progress::Missing => {}
            progress => return Ok(progress),
        }
        let under_way = self.under_way.borrow().get(&target).and_then(Weak::upgrade);
        if let Some(flight) = under_way {
            let waker = Rc::new(Waker::new(request));
            flight.waiters.borrow_mut().push(Rc::downgrade(&waker));
            let waker = RefCell::new(Some(waker));
            flights.0.borrow_mut().push(Part::Joined { flight, waker });
            return Ok(Progress::Waiting);
        }
        let flight = Flight::new(target, Rc::clone(self));
        flights.0.borrow_mut().push(Part::Own(Own(Rc::clone(&flight))));
        self.under_way.borrow_mut().insert(flight.target.clone(), Rc::downgrade(&flight));
        // SAFETY: the flight is on the heap, and the client's request owns it from here on.
        if let Err(error) = unsafe { request.start(&flight.target.uri, &flight.capture) } {
            let why = match error {
                SubrequestError::UnsafeUri => "the URI is unsafe",
                SubrequestError::Failed => "no subrequest could be made",
            };
            flight.fail(request, why);
            return self.progress(&flight.target, flights, cache);
        }
        Ok(Progress::Waiting)
    }

    fn progress(&self, target: &Target, flights: &Flights, cache: u64) -> Result<Progress, Denial> {
        let has_failed = match flights.find(target).as_ref().map(|flight| flight.end.get()) {
            Some(None) => return Ok(Progress::Waiting),
            Some(Some(End::Arrived(keys))) => return Ok(Progress::Ready(Arc::clone(keys))),
            Some(Some(End::Failed)) => true,
            Some(Some(End::Abandoned)) | None => false,
        };
        match self.kept(target, cache, has_failed) {
            Some(keys) => Ok(Progress::Ready(keys)),
            None if has_failed => Err(Denial::KeyUnavailable),
            None => Ok(Progress::Missing),
        }
    }

    /// Keys that were fetched before: fresh ones, or the last good ones where fetching them again
    /// failed just now or is under way.
    fn kept(&self, target: &Target, cache: u64, has_failed: bool) -> Option<Arc<KeySet>> {
        if cache == 0 {
            return None;
        }
        let mut answers = self.answers.borrow_mut();
        let Answer { keys, fetched, failed } = answers.get(target)?;
        let now = fence::now();
        let age = u64::try_from(now.checked_sub(*fetched)?).ok()?;
        let stale = cache.saturating_mul(STALE_FACTOR).min(MAX_STALE);
        let spares = || {
            let has_failed =
                has_failed || failed.is_some_and(|failed| (0..RETRY).contains(&(now - failed)));
            has_failed || self.under_way.borrow().contains_key(target)
        };
        let serves = age < cache || (age < cache.saturating_add(stale) && spares());
        serves.then(|| Arc::clone(keys))
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
        let mut builder = KeySetBuilder::new().skipping_broken_keys();
        builder.add(body, format).map_err(|error| error.to_string())?;
        let (keys, warnings) = builder.build();
        for warning in warnings {
            request.log(Level::Warn, &format!("{flight}: {warning}"));
        }
        let keys = Arc::new(keys);
        self.parsed.borrow_mut().put((digest, format), Arc::clone(&keys));
        Ok(keys)
    }
}

impl Target {
    fn of(request: Request<'_>, locator: Locator) -> Result<Self, Denial> {
        let uri = request.evaluate(locator.value).ok_or(Denial::InternalError)?;
        Ok(Self {
            server: request.server(),
            host: request.host().to_vec(),
            uri: uri.to_vec(),
            format: locator.format,
        })
    }
}

impl Flight {
    /// The response of the subrequest.
    pub(crate) fn capture(&self) -> &Capture {
        &self.capture
    }

    fn new(target: Target, store: Rc<KeyRequests>) -> Rc<Self> {
        Rc::new_cyclic(|flight: &Weak<Self>| {
            let flight = Weak::clone(flight);
            Self {
                target,
                store,
                capture: Capture::new(MAX_ANSWER_SIZE, move |capture, request| {
                    if let Some(flight) = flight.upgrade() {
                        flight.arrive(capture, request);
                    }
                }),
                end: OnceCell::new(),
                waiters: RefCell::default(),
            }
        })
    }

    fn arrive(&self, capture: &Capture, request: Request<'_>) {
        // Whatever happens here, nobody waits for longer.
        let _ended = Ended(self);
        let keys = match capture.body() {
            Ok(body) => self.store.read(&body, self, request),
            Err(error) => Err(describe(error)),
        };
        match keys {
            Ok(keys) => {
                let answer =
                    Answer { keys: Arc::clone(&keys), fetched: fence::now(), failed: None };
                self.store.answers.borrow_mut().put(self.target.clone(), answer);
                self.end(End::Arrived(keys));
            }
            Err(why) => self.fail(request, &why),
        }
    }

    fn fail(&self, request: Request<'_>, why: &str) {
        self.end(End::Failed);
        if let Some(answer) = self.store.answers.borrow_mut().get_mut(&self.target) {
            answer.failed = Some(fence::now());
        }
        request.log(Level::Error, &format!("{self}: {why}"));
    }

    /// Notes the end, if it is the first, and lets those who wait look for themselves.
    fn end(&self, end: End) {
        if self.end.set(end).is_ok() {
            self.store.under_way.borrow_mut().remove(&self.target);
            for waiter in self.waiters.take() {
                if let Some(waker) = waiter.upgrade() {
                    waker.wake();
                }
            }
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
        write!(f, "key request \"{}\"", printable(&self.target.uri))
    }
}

fn describe(error: CaptureError) -> String {
    match error {
        CaptureError::Status(0) => "no response".to_owned(),
        CaptureError::Status(status) => format!("the status is {status}, not 200"),
        CaptureError::Compressed => {
            "the response is compressed (set Accept-Encoding to \"\")".to_owned()
        }
        CaptureError::Incomplete => "the response is incomplete".to_owned(),
        CaptureError::TooLarge => format!("the response exceeds {MAX_ANSWER_SIZE} bytes"),
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.0.end(End::Abandoned);
    }
}

impl Flights {
    /// The fetch that this subrequest is.
    pub(crate) fn of(&self, request: Request<'_>) -> Option<Rc<Flight>> {
        self.own(|capture| capture.is_of(request))
    }

    /// Whether the request is part of a fetch.
    pub(crate) fn cover(&self, request: Request<'_>) -> bool {
        self.own(|capture| capture.covers(request)).is_some()
    }

    fn own(&self, is_it: impl Fn(&Capture) -> bool) -> Option<Rc<Flight>> {
        self.0.borrow().iter().find_map(|part| match part {
            Part::Own(Own(flight)) if is_it(&flight.capture) => Some(Rc::clone(flight)),
            Part::Own(_) | Part::Joined { .. } => None,
        })
    }

    /// The latest fetch of a target that this request has a part in.
    fn find(&self, target: &Target) -> Option<Rc<Flight>> {
        let parts = self.0.borrow();
        let part = parts.iter().rev().find(|part| part.flight().target == *target)?;
        if let Part::Joined { flight, waker } = part
            && flight.end.get().is_some()
        {
            // It runs on by itself: to wake it now would disturb whatever comes next.
            waker.take();
        }
        Some(Rc::clone(part.flight()))
    }
}

impl Part {
    fn flight(&self) -> &Rc<Flight> {
        match self {
            Self::Own(Own(flight)) | Self::Joined { flight, .. } => flight,
        }
    }
}
