//! Single flight: one fetch for all requests that want the same result.
//!
//! No request owns a flight: it goes on when the requests that wait for it end.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use crate::fence;
use crate::fence::request::Request;
use crate::fence::wake::Waker;

/// How many flights a client's request may begin. Flights of other requests, which it may join, do
/// not count.
const MAX_BEGUN: usize = 32;

/// A fetch of the value of a key.
pub(crate) struct Flight<K, V> {
    key: K,
    /// When the flight began, by [`fence::uptime`].
    began: u64,
    end: OnceCell<End<V>>,
    waiters: RefCell<Vec<Weak<Waker>>>,
}

/// How a flight ended.
pub(crate) enum End<V> {
    /// The fetch brought this value.
    Arrived(Arc<V>),
    /// The fetch brought no value.
    Failed,
}

impl<K, V> Flight<K, V> {
    /// The key of the value that the flight fetches.
    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    /// When the flight began, by [`fence::uptime`].
    pub(crate) fn began(&self) -> u64 {
        self.began
    }

    /// How the flight ended, if it has ended.
    pub(crate) fn end(&self) -> Option<&End<V>> {
        self.end.get()
    }
}

/// The flights of a worker.
pub(crate) struct UnderWay<K, V> {
    flights: RefCell<HashMap<K, Weak<Flight<K, V>>>>,
    /// The wakers of requests that wait for room for another flight.
    waiting_for_room: RefCell<Vec<Weak<Waker>>>,
}

impl<K: Hash + Eq + Clone, V> UnderWay<K, V> {
    /// No flights yet.
    pub(crate) fn new() -> Self {
        Self { flights: RefCell::default(), waiting_for_room: RefCell::default() }
    }

    /// The flight of a key, if one is under way.
    pub(crate) fn find(&self, key: &K) -> Option<Rc<Flight<K, V>>> {
        self.flights.borrow().get(key).and_then(Weak::upgrade)
    }

    /// Whether a flight of a key is under way.
    pub(crate) fn has(&self, key: &K) -> bool {
        self.flights.borrow().contains_key(key)
    }

    /// How many flights are under way whose key satisfies `is_such`.
    pub(crate) fn count(&self, is_such: impl Fn(&K) -> bool) -> usize {
        self.flights.borrow().keys().filter(|key| is_such(key)).count()
    }

    /// Begins the flight of a key.
    pub(crate) fn begin(&self, key: &K) -> Rc<Flight<K, V>> {
        let flight = Rc::new(Flight {
            key: key.clone(),
            began: fence::uptime(),
            end: OnceCell::new(),
            waiters: RefCell::default(),
        });
        self.flights.borrow_mut().insert(key.clone(), Rc::downgrade(&flight));
        flight
    }

    /// Records the end of a flight, unless the flight has already ended, and wakes the requests
    /// that wait.
    pub(crate) fn end(&self, flight: &Flight<K, V>, end: End<V>) {
        if flight.end.set(end).is_ok() {
            self.flights.borrow_mut().remove(&flight.key);
            let waiting = [flight.waiters.take(), self.waiting_for_room.take()];
            waiting.iter().flatten().filter_map(Weak::upgrade).for_each(|waker| waker.wake());
        }
    }

    /// Makes the request wait until a flight ends, to see then whether there is room; false,
    /// without waiting, if `limit` requests wait already.
    pub(crate) fn wait_for_room(
        &self,
        request: Request<'_>,
        flights: &Flights<K, V>,
        limit: usize,
    ) -> bool {
        let mut waiting = self.waiting_for_room.borrow_mut();
        waiting.retain(|waiter| waiter.strong_count() > 0);
        if waiting.len() >= limit {
            return false;
        }
        let waker = Rc::new(Waker::new(request));
        waiting.push(Rc::downgrade(&waker));
        flights.waiting_for_room.borrow_mut().push((request.id(), waker));
        true
    }
}

/// The part that a client's request has in flights.
pub(crate) struct Flights<K, V> {
    /// How many flights the request began.
    begun: Cell<usize>,
    /// The flights that the request waits for or waited for.
    parts: RefCell<Vec<Part<K, V>>>,
    /// The request and its subrequests that wait for room for a flight, each with its waker.
    waiting_for_room: RefCell<Vec<(usize, Rc<Waker>)>>,
    /// The kept values that the request uses: they stay the same for as long as the request lives.
    used: RefCell<Vec<Used<K, V>>>,
}

/// A kept value in use.
struct Used<K, V> {
    key: K,
    /// The lifetime with which the value was taken, in seconds. A request with a shorter lifetime
    /// needs a newer value.
    lifetime: u64,
    value: Arc<V>,
}

/// The part of a client's request in a flight.
struct Part<K, V> {
    flight: Rc<Flight<K, V>>,
    /// What waits for the flight: the request itself or its subrequests, each with its waker.
    waiting: RefCell<Vec<(usize, Rc<Waker>)>>,
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self {
            begun: Cell::new(0),
            parts: RefCell::default(),
            waiting_for_room: RefCell::default(),
            used: RefCell::default(),
        }
    }
}

impl<K: Eq + Clone, V> Flights<K, V> {
    /// Whether the request may begin another flight.
    pub(crate) fn may_begin(&self) -> bool {
        self.begun.get() < MAX_BEGUN
    }

    /// Notes that the request begins a flight.
    pub(crate) fn count(&self) {
        self.begun.set(self.begun.get() + 1);
    }

    /// The kept value in use, if it was taken with a lifetime of at most `lifetime` seconds.
    pub(crate) fn used(&self, key: &K, lifetime: u64) -> Option<Arc<V>> {
        let used = self.used.borrow();
        let found = used.iter().find(|used| used.key == *key && used.lifetime <= lifetime);
        found.map(|used| Arc::clone(&used.value))
    }

    /// Notes that a kept value is in use.
    pub(crate) fn take(&self, key: &K, lifetime: u64, value: &Arc<V>) {
        let used = Used { key: key.clone(), lifetime, value: Arc::clone(value) };
        self.used.borrow_mut().push(used);
    }

    /// Has the request look the value of a key up again.
    pub(crate) fn give_back(&self, key: &K) {
        self.used.borrow_mut().retain(|used| used.key != *key);
    }

    /// The latest flight of a key that this request has a part in.
    pub(crate) fn find(&self, key: &K) -> Option<Rc<Flight<K, V>>> {
        let parts = self.parts.borrow();
        let part = parts.iter().rev().find(|part| part.flight.key == *key)?;
        Some(Rc::clone(&part.flight))
    }

    /// Has the request take part in a flight.
    pub(crate) fn join(&self, flight: Rc<Flight<K, V>>) {
        self.parts.borrow_mut().push(Part { flight, waiting: RefCell::default() });
    }

    /// Has the request woken when the latest flight of a key ends.
    pub(crate) fn wait(&self, request: Request<'_>, key: &K) {
        let parts = self.parts.borrow();
        if let Some(part) = parts.iter().rev().find(|part| part.flight.key == *key) {
            let waker = Rc::new(Waker::new(request));
            let mut waiters = part.flight.waiters.borrow_mut();
            waiters.retain(|waiter| waiter.strong_count() > 0);
            waiters.push(Rc::downgrade(&waker));
            part.waiting.borrow_mut().push((request.id(), waker));
        }
    }

    /// Ends the waiting of a request that runs again: a wake-up now would disturb what the request
    /// does next.
    pub(crate) fn stop_waiting(&self, request: Request<'_>) {
        let is_of_another = |(id, _): &(usize, Rc<Waker>)| *id != request.id();
        self.waiting_for_room.borrow_mut().retain(is_of_another);
        for part in self.parts.borrow().iter() {
            part.waiting.borrow_mut().retain(is_of_another);
        }
    }
}
