//! Keys by subrequest: one fetch for all who want its answer, which is parsed once for each body,
//! and kept for as long as `auth_jwt_key_cache` says.
//!
//! What is kept belongs to the worker. An answer is for one URI of one server and one host: a
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

/// Of how many of a worker's connections one may be a fetch that anybody can make up, for a host
/// that no server has the name of, or a URI that the request chooses; it has another one to its
/// upstream.
const CONNECTIONS_PER_FETCH: usize = 16;

/// How many of these there may be in any case.
const MIN_FETCHES: usize = 4;

/// Of how many of a worker's connections one may wait for room for such a fetch.
const CONNECTIONS_PER_WAITING: usize = 4;

/// The statuses that say that there is nothing, or nothing of such a name or length (RFC 9110
/// sections 15.5.1, 15.5.5, 15.5.11, 15.5.15 and 15.5.21).
const NOT_THERE: [u16; 5] = [400, 404, 410, 414, 422];

/// The key requests of a worker.
pub(crate) struct KeyRequests {
    kept: Kept<Target, KeySet>,
    under_way: UnderWay<Target, KeySet>,
    parsed: RefCell<ParsedBodies>,
    /// The names that the configuration has for each server.
    hosts: RefCell<HashMap<usize, HashSet<Vec<u8>>>>,
}

/// What a client's request has to do with fetches of keys.
pub(crate) type Flights = flight::Flights<Target, KeySet>;

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

/// The fetch of a target's keys.
struct KeyFetch {
    flight: Rc<flight::Flight<Target, KeySet>>,
    store: Rc<KeyRequests>,
    capture: Capture,
}

/// How far the keys are that a request needs.
pub(crate) enum Progress {
    /// They are present.
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
            kept: Kept::new(),
            under_way: UnderWay::new(),
            parsed: RefCell::new(LruCache::new(MAX_KEPT)),
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

    /// The keys for this request, as far as they are present; `cache` is how long they may be kept.
    ///
    /// # Errors
    ///
    /// [`Denial::KeyUnavailable`] where they cannot be obtained.
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

    /// The keys for this request; where they are missing they are fetched, and the request is to
    /// wait and to ask again when it runs on. It may wait for several targets at a time, and runs
    /// on for each.
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
        self.under_way.has(target) || self.kept.may_refetch(target)
    }

    /// Fetches a target again of whose kept keys none is meant by a token, if that is not too soon;
    /// whether the request is to wait for it.
    ///
    /// The kept keys stay, and serve others: they are lost to no answer but one that is
    /// well-formed.
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

    /// Has the request wait for a fetch of the target, which it begins unless one is under way.
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

    /// Starts a fetch, in which the request has a part from then on; else says why not.
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

    /// Whether another fetch may be under way. For what the configuration names, or verified tokens
    /// were good for, there is always room: made-up hosts take it from none of these.
    fn has_room(&self, target: &Target) -> bool {
        if self.is_foreseen(target) || self.kept.is_proven(target) {
            return true;
        }
        let made_up = self.under_way.count(|target| !self.is_foreseen(target));
        made_up < (fence::connections() / CONNECTIONS_PER_FETCH).max(MIN_FETCHES)
    }

    /// Has the request woken when a fetch has ended, to see whether there is room then.
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
        let began = self.under_way.find(target).map(|flight| flight.began());
        let kept = self.kept.find(target, cache, FetchState { has_failed, began });
        kept.map_err(|Unavailable| Denial::KeyUnavailable)
    }

    /// Parses an answer, or finds it again.
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
    /// What a locator, of which the value is `uri`, leads to for this request; `is_chosen` where
    /// the token itself has a say in it.
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

impl Fetch for KeyFetch {
    fn capture(&self) -> &Capture {
        &self.capture
    }

    fn ended(&self, subrequest: Request<'_>) {
        // Whatever happens here, nobody waits for longer.
        let _ended = Ended(self);
        let target = self.flight.key();
        let keys = match self.capture.body() {
            Ok(body) => self.store.read(&body, target, subrequest),
            // Who asks for what is not there has no key, which is no fault of ours.
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

/// Ends a fetch when it is dropped, unless it has ended by then.
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
