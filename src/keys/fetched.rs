//! Keys by subrequest: a single flight for all requests that want the same answer, whose keys are
//! kept for as long as `auth_jwt_key_cache` says. Each different body is parsed once.
//!
//! Each worker keeps its own keys. An answer is for one URI of one server and one host: a
//! subrequest brings nothing else that the client sent.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use lru::LruCache;
use ojwt_core::crypto::digest::Digest;
use ojwt_core::denial::Denial;
use ojwt_core::keys::{KeyFormat, KeySet, KeySetBuilder};

use crate::fence::log::{self, Level};
use crate::fence::request::Request;
use crate::fence::subrequest::{Capture, CaptureError, Fetch, MAX_TIME, SubrequestError};
use crate::fence::{self, printable};
use crate::keys::files::is_empty_set;
use crate::keys::sources::Locator;
use crate::net::flight::{self, End, UnderWay};
use crate::net::kept::{FetchState, Kept, MAX_KEPT, Unavailable};

/// The largest answer, in bytes: some hundreds of keys.
pub(crate) const MAX_ANSWER_SIZE: usize = 1024 * 1024;

/// One made-up fetch may be in flight per this many of a worker's connections. A fetch is made-up
/// if it is for a host that no server has as its name, or for a URI that the request chooses: any
/// client can cause it. Each fetch uses another connection to its upstream.
const CONNECTIONS_PER_FETCH: usize = 16;

/// How many made-up fetches may be in flight in any case, however few connections there are.
const MIN_FETCHES: usize = 4;

/// One request may wait for room for a made-up fetch per this many of a worker's connections.
const CONNECTIONS_PER_WAITING: usize = 4;

/// The statuses that mean that there is no such resource, or that no resource has such a name or a
/// name of such a length (RFC 9110 sections 15.5.1, 15.5.5, 15.5.11, 15.5.15 and 15.5.21).
const NOT_THERE: [u16; 5] = [400, 404, 410, 414, 422];

/// The key requests of a worker.
pub(crate) struct KeyRequests {
    kept: Kept<Target, KeySet>,
    under_way: UnderWay<Target, KeySet>,
    parsed: RefCell<ParsedBodies>,
    /// The names of each server in the configuration.
    hosts: RefCell<HashMap<usize, HashSet<Vec<u8>>>>,
}

/// The part that a client's request has in fetches of keys.
pub(crate) type Flights = flight::Flights<Target, KeySet>;

/// The parsed keys of earlier answers, by the digest of the body and the format.
type ParsedBodies = LruCache<(Digest, Option<KeyFormat>), Arc<KeySet>>;

/// What identifies an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    server: usize,
    host: Vec<u8>,
    uri: Vec<u8>,
    format: Option<KeyFormat>,
    /// Whether the URI depends on the token.
    is_chosen: bool,
    /// Whether the configuration gives the whole URI, without variables.
    is_fixed: bool,
}

/// The fetch of a target's keys.
struct KeyFetch {
    flight: Rc<flight::Flight<Target, KeySet>>,
    store: Rc<KeyRequests>,
    capture: Capture,
}

/// The state of the keys that a request needs.
pub(crate) enum Progress {
    /// The keys are present.
    Ready(Arc<KeySet>),
    /// The keys are being fetched.
    Waiting,
    /// The keys are yet to be fetched.
    Missing,
}

impl KeyRequests {
    /// No key requests yet.
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            kept: Kept::new(),
            under_way: UnderWay::new(),
            parsed: RefCell::new(LruCache::new(MAX_KEPT)),
            hosts: RefCell::default(),
        })
    }

    /// Adds the names of servers, each with the identifier that [`Request::server`] gives for it.
    pub(crate) fn know_hosts(&self, names: Vec<(usize, Vec<u8>)>) {
        let mut hosts = self.hosts.borrow_mut();
        for (server, name) in names {
            hosts.entry(server).or_default().insert(name);
        }
    }

    /// The keys for this request, if they are present; `cache` is how long they may be kept, in
    /// seconds.
    ///
    /// # Errors
    ///
    /// [`Denial::KeyUnavailable`] where the keys cannot be obtained.
    pub(crate) fn find(
        &self,
        flights: &Flights,
        target: &Target,
        cache: u64,
    ) -> Result<Progress, Denial> {
        if let Some(keys) = flights.used(target, cache) {
            return Ok(Progress::Ready(keys));
        }
        let has_failed = match flights.find(target).as_ref().map(|flight| flight.end()) {
            Some(None) => return Ok(Progress::Waiting),
            Some(Some(End::Arrived(keys))) => return Ok(Progress::Ready(Arc::clone(keys))),
            Some(Some(End::Failed)) => true,
            None => false,
        };
        match self.kept(target, cache, has_failed)? {
            Some(keys) => {
                flights.take(target, cache, &keys);
                Ok(Progress::Ready(keys))
            }
            None if has_failed => Err(Denial::KeyUnavailable),
            None => Ok(Progress::Missing),
        }
    }

    /// The keys for this request. Missing keys are fetched: the request must then wait, and ask
    /// again when it is woken. A request may wait for several targets at a time, and is woken for
    /// each.
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

    /// Whether [`KeyRequests::ask_again`] may fetch the target now, or would do so too soon.
    pub(crate) fn may_ask_again(&self, flights: &Flights, target: &Target, cache: u64) -> bool {
        // Keys that this request itself fetched are as new as can be.
        if cache == 0 || flights.find(target).is_some() {
            return false;
        }
        self.under_way.has(target) || self.kept.may_refetch(target)
    }

    /// Fetches a target again because a token names none of its kept keys, unless it is too soon
    /// for that; returns whether the request must wait for the fetch.
    ///
    /// Meanwhile, the kept keys serve other requests: only a well-formed answer replaces them.
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
        if !self.under_way.has(target) {
            self.kept.refetch(target);
        }
        flights.give_back(target);
        matches!(self.begin(request, flights, target, cache), Ok(Progress::Waiting))
    }

    /// Makes the request wait for a fetch of the target, and begins one unless one is in flight.
    fn begin(
        self: &Rc<Self>,
        request: Request<'_>,
        flights: &Flights,
        target: &Target,
        cache: u64,
    ) -> Result<Progress, Denial> {
        if let Some(flight) = self.under_way.find(target) {
            flights.join(flight);
        } else if !self.has_room(target) {
            self.wait_for_room(request, flights)?;
            return Ok(Progress::Waiting);
        } else if let Err(why) = self.start(request, flights, target) {
            request.log(Level::Error, &why);
            let keys = self.kept(target, cache, true)?.ok_or(Denial::KeyUnavailable)?;
            flights.take(target, cache, &keys);
            return Ok(Progress::Ready(keys));
        }
        flights.wait(request, target);
        Ok(Progress::Waiting)
    }

    /// Starts a fetch that the request takes part in from then on; the error says why it cannot
    /// start.
    fn start(
        self: &Rc<Self>,
        request: Request<'_>,
        flights: &Flights,
        target: &Target,
    ) -> Result<(), String> {
        if !flights.may_begin() {
            return Err("key unavailable: too many key requests for one request".to_owned());
        }
        let fetch = Rc::new(KeyFetch {
            flight: self.under_way.begin(target),
            store: Rc::clone(self),
            capture: Capture::new(MAX_ANSWER_SIZE),
        });
        flights.count();
        let started = request.start(&target.uri, &target.host, Rc::clone(&fetch) as _);
        started.map_err(|error| {
            fetch.fail();
            let why = match error {
                SubrequestError::UnsafeUri => "the URI is unsafe",
                SubrequestError::Failed => "no subrequest could be made",
            };
            format!("{target}: {why}")
        })?;
        flights.join(Rc::clone(&fetch.flight));
        Ok(())
    }

    /// Whether another fetch may be in flight. There is always room for targets that the
    /// configuration names, and for those whose keys verified a token: fetches for made-up hosts
    /// never take that room.
    fn has_room(&self, target: &Target) -> bool {
        if self.is_foreseen(target) || self.kept.is_proven(target) {
            return true;
        }
        let made_up = self.under_way.count(|target| !self.is_foreseen(target));
        made_up < (fence::connections() / CONNECTIONS_PER_FETCH).max(MIN_FETCHES)
    }

    /// Makes the request wait until a fetch ends, to see then whether there is room.
    fn wait_for_room(&self, request: Request<'_>, flights: &Flights) -> Result<(), Denial> {
        let limit = fence::connections() / CONNECTIONS_PER_WAITING;
        if self.under_way.wait_for_room(request, flights, limit) {
            return Ok(());
        }
        request.log(Level::Error, "key unavailable: too many key requests under way");
        Err(Denial::KeyUnavailable)
    }

    /// Notes that a token was verified by the keys for this target.
    pub(crate) fn prove(&self, target: &Target) {
        self.kept.prove(target, |target| self.is_foreseen(target));
    }

    /// Whether the configuration itself names both the host and the URI, so that no client can make
    /// up further targets of this kind.
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
        let began = self.under_way.find(target).map(|flight| flight.began());
        let kept = self.kept.find(target, cache, FetchState { has_failed, began });
        kept.map_err(|Unavailable| Denial::KeyUnavailable)
    }

    /// Parses an answer, or returns the cached keys of the same body.
    fn read(
        &self,
        body: &[u8],
        target: &Target,
        request: Request<'_>,
    ) -> Result<Arc<KeySet>, String> {
        let format = target.format;
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
            request.log(Level::Warn, &format!("{target}: {warning}"));
        }
        let keys = Arc::new(keys);
        self.parsed.borrow_mut().put((digest, format), Arc::clone(&keys));
        Ok(keys)
    }
}

impl Target {
    /// The target for this request of a locator whose value is `uri`; `is_chosen` says whether the
    /// URI depends on the token.
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

/// Names the target as it appears in the log.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "key request \"{}\"", printable(&self.uri))
    }
}

impl Fetch for KeyFetch {
    fn capture(&self) -> &Capture {
        &self.capture
    }

    fn ended(&self, subrequest: Request<'_>) {
        // However this function ends, no request waits any longer.
        let _ended = Ended(self);
        let target = self.flight.key();
        let keys = match self.capture.body() {
            Ok(body) => self.store.read(&body, target, subrequest),
            // A token that names a resource that does not exist has no key; that is no fault of
            // ours.
            Err(CaptureError::Status(status))
                if target.is_chosen && NOT_THERE.contains(&status) =>
            {
                subrequest.log(Level::Info, &format!("{target}: the status is {status}"));
                Ok(Arc::default())
            }
            Err(error) => Err(describe(error)),
        };
        match keys {
            Ok(keys) => {
                self.store.kept.keep(target, &keys);
                self.end(End::Arrived(keys));
            }
            Err(why) => {
                subrequest.log(Level::Error, &format!("{target}: {why}"));
                self.fail();
            }
        }
    }

    fn abandoned(&self) {
        if self.flight.end().is_none() {
            let target = self.flight.key();
            log::cycle(
                Level::Error,
                &format!("ojwt: {target}: it was ended before there was a response"),
            );
            self.fail();
        }
    }
}

impl KeyFetch {
    fn fail(&self) {
        self.end(End::Failed);
        self.store.kept.fail(self.flight.key());
    }

    fn end(&self, end: End<KeySet>) {
        self.store.under_way.end(&self.flight, end);
    }
}

/// Ends a fetch as failed when this is dropped, unless the fetch has ended by then.
struct Ended<'a>(&'a KeyFetch);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.end(End::Failed);
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
