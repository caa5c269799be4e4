//! Fetched values that a worker keeps: fresh for as long as the configuration says, stale for a
//! bounded time where the source fails, with a back-off between attempts.
//!
//! Proven values displace only proven values, and unproven values only unproven ones: a client that
//! can make up keys fills the space of unproven values alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;

use crate::fence;

/// How many proven values, unproven values, failures and early fetches are kept, of each kind, and
/// how many parsed bodies.
pub(crate) const MAX_KEPT: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// After its lifetime, a stale value is used for at most this many times the lifetime.
const STALE_FACTOR: u64 = 10;

/// The longest time for which a stale value is used, in seconds, whatever its lifetime is.
const MAX_STALE: u64 = 3600;

/// For how long a stale value is used while another one is being fetched, in milliseconds. Without
/// this limit, a client that could slow down a fetch could prolong the use of withdrawn keys.
const STALE_WHILE_FETCHING: u64 = 5_000;

/// The back-off after a failure where a value is kept, in milliseconds.
const RETRY: u64 = 5_000;

/// The back-off after a failure where no value is kept, so that everything is refused meanwhile, in
/// milliseconds.
const RETRY_WITHOUT_VALUE: u64 = 1_000;

/// The time between two early fetches of a key, in milliseconds.
const REFETCH: u64 = 10_000;

/// The fetched values that a worker keeps, by key.
pub(crate) struct Kept<K: Hash + Eq, V> {
    /// Values that proved good.
    proven: RefCell<LruCache<K, Answer<V>>>,
    /// Values that have not proved good yet.
    unproven: RefCell<LruCache<K, Answer<V>>>,
    /// When a fetch failed last, by [`fence::uptime`].
    failures: RefCell<LruCache<K, u64>>,
    /// When a kept value was last fetched early, before it was stale, by [`fence::uptime`].
    refetched: RefCell<LruCache<K, u64>>,
}

/// A value that was fetched.
struct Answer<V> {
    value: Arc<V>,
    /// When the value was fetched, by the time of day.
    fetched: i64,
    /// When the value was fetched, by the monotonic clock of [`fence::uptime`].
    fetched_at: u64,
}

/// What is known of the fetch of a value right now.
#[derive(Clone, Copy, Default)]
pub(crate) struct FetchState {
    /// Whether the fetch that the request waited for failed.
    pub(crate) has_failed: bool,
    /// When the fetch that is in flight began, by [`fence::uptime`].
    pub(crate) began: Option<u64>,
}

/// The source of a value failed, and there is no kept value that may stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable;

impl<K: Hash + Eq + Clone, V> Kept<K, V> {
    /// No values yet.
    pub(crate) fn new() -> Self {
        Self {
            proven: RefCell::new(LruCache::new(MAX_KEPT)),
            unproven: RefCell::new(LruCache::new(MAX_KEPT)),
            failures: RefCell::new(LruCache::new(MAX_KEPT)),
            refetched: RefCell::new(LruCache::new(MAX_KEPT)),
        }
    }

    /// The kept value: a fresh one, not older than `lifetime` seconds, or the last one where
    /// fetching it again failed just now or began just now. `None` where it is to be fetched.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where the fetch that the request waited for failed, or the last one failed
    /// too recently for another attempt.
    pub(crate) fn find(
        &self,
        key: &K,
        lifetime: u64,
        fetch: FetchState,
    ) -> Result<Option<Arc<V>>, Unavailable> {
        if lifetime == 0 {
            return Ok(None);
        }
        let uptime = fence::uptime();
        let proven = self.proven.borrow_mut().get(key).cloned();
        let answer = proven.or_else(|| self.unproven.borrow_mut().get(key).cloned());
        if let Some(answer) = answer.as_ref().filter(|answer| answer.is_fresh(lifetime, uptime)) {
            return Ok(Some(Arc::clone(&answer.value)));
        }
        let serves_for =
            lifetime.saturating_add(lifetime.saturating_mul(STALE_FACTOR).min(MAX_STALE));
        let stale = answer.filter(|answer| answer.age(uptime) < serves_for.saturating_mul(1000));
        let back_off = if stale.is_some() { RETRY } else { RETRY_WITHOUT_VALUE };
        let has_failed = fetch.has_failed || is_within(&self.failures, key, uptime, back_off);
        let is_being_fetched =
            fetch.began.is_some_and(|began| uptime.saturating_sub(began) < STALE_WHILE_FETCHING);
        match stale {
            Some(Answer { value, .. }) if has_failed || is_being_fetched => Ok(Some(value)),
            None if has_failed => Err(Unavailable),
            _ => Ok(None),
        }
    }

    /// Keeps a value that was just fetched.
    pub(crate) fn keep(&self, key: &K, value: &Arc<V>) {
        let (fetched, fetched_at) = (fence::now(), fence::uptime());
        let answer = Answer { value: Arc::clone(value), fetched, fetched_at };
        self.failures.borrow_mut().pop(key);
        let mut proven = self.proven.borrow_mut();
        if let Some(kept) = proven.get_mut(key) {
            *kept = answer;
        } else {
            self.unproven.borrow_mut().put(key.clone(), answer);
        }
    }

    /// Notes that a fetch just failed.
    pub(crate) fn fail(&self, key: &K) {
        self.failures.borrow_mut().put(key.clone(), fence::uptime());
    }

    /// Whether a value proved good.
    pub(crate) fn is_proven(&self, key: &K) -> bool {
        self.proven.borrow().contains(key)
    }

    /// Records that a value proved good. `is_foreseen` says of a key that no client can make up
    /// more such keys.
    pub(crate) fn prove(&self, key: &K, is_foreseen: impl Fn(&K) -> bool) {
        if let Some(answer) = self.unproven.borrow_mut().pop(key) {
            let mut proven = self.proven.borrow_mut();
            if proven.len() >= MAX_KEPT.get()
                && let Some(victim) = least_missed(&proven, is_foreseen)
            {
                proven.pop(&victim);
            }
            proven.put(key.clone(), answer);
        }
    }

    /// Whether a kept value may be fetched early, before it is stale: not within ten seconds of the
    /// last early fetch, nor within five seconds of a failure.
    pub(crate) fn may_refetch(&self, key: &K) -> bool {
        let uptime = fence::uptime();
        let failed = self.failures.borrow().peek(key).copied();
        failed.is_none_or(|failed| uptime.saturating_sub(failed) >= RETRY)
            && !is_within(&self.refetched, key, uptime, REFETCH)
    }

    /// Records that a kept value is fetched early, before it is stale.
    pub(crate) fn refetch(&self, key: &K) {
        self.refetched.borrow_mut().put(key.clone(), fence::uptime());
    }
}

/// Whether the time that is recorded for a key is less than `limit` milliseconds ago.
fn is_within<K: Hash + Eq>(
    times: &RefCell<LruCache<K, u64>>,
    key: &K,
    uptime: u64,
    limit: u64,
) -> bool {
    times.borrow_mut().get(key).is_some_and(|time| uptime.saturating_sub(*time) < limit)
}

/// Which value makes room for another. Values whose keys any client can make up go first, if there
/// are any; among these, the value that most of their keys share; among its keys, the one that was
/// unused for longest. One valid token may prove any number of made-up hosts, all with the same
/// keys; these hosts displace each other.
fn least_missed<K: Hash + Eq + Clone, V>(
    proven: &LruCache<K, Answer<V>>,
    is_foreseen: impl Fn(&K) -> bool,
) -> Option<K> {
    let oldest_first = || proven.iter().rev();
    let made_up = || oldest_first().filter(|(key, _)| !is_foreseen(key));
    let mut counts = HashMap::new();
    for (_, answer) in made_up() {
        *counts.entry(Arc::as_ptr(&answer.value)).or_insert(0_usize) += 1;
    }
    let most = counts.values().max().copied();
    let mut of_most =
        made_up().filter(|(_, answer)| counts.get(&Arc::as_ptr(&answer.value)).copied() == most);
    let victim = of_most.next().or_else(|| oldest_first().next());
    victim.map(|(key, _)| key.clone())
}

impl<V> Answer<V> {
    /// How long ago the value was fetched, in milliseconds.
    fn age(&self, uptime: u64) -> u64 {
        uptime.saturating_sub(self.fetched_at)
    }

    /// Whether the value was fetched less than `lifetime` seconds ago by both clocks.
    ///
    /// A clock that is set, or that went on while the machine slept, cannot make a value fresh. If
    /// such a clock makes a value stale, the value may still be used as a stale one.
    fn is_fresh(&self, lifetime: u64, uptime: u64) -> bool {
        let seconds = fence::now().saturating_sub(self.fetched);
        let by_day = u64::try_from(seconds).is_ok_and(|seconds| seconds < lifetime);
        by_day && self.age(uptime) < lifetime.saturating_mul(1000)
    }
}

impl<V> Clone for Answer<V> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), ..*self }
    }
}
