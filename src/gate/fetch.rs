//! Fetches the keys that a gate lacks, before the gate is asked.

use std::rc::Rc;

use ojwt_core::verify::{Lack, Refusal};

use crate::fence::request::Request;
use crate::gate::definition::Gate;
use crate::gate::judge::{find, is_for_want_of_keys, memory, places_of, verify};
use crate::gate::outcome::{Remembered, Visit};
use crate::keys::fetched::{Progress, Target};
use crate::keys::places::Gathered;

/// Whether a gate can judge a request now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// Keys are being fetched: the handler must leave the phase, and nginx calls it again later.
    Waiting,
}

/// Fetches the keys that gates need to judge this request, unless the present keys suffice. All
/// missing keys are fetched at the same time, and the request is woken for each that arrives.
pub(crate) fn prepare<'g>(
    visit: &Visit<'_>,
    gates: impl IntoIterator<Item = &'g Rc<Gate>>,
) -> Readiness {
    let request = visit.request;
    let fetches = |gate: &&Rc<Gate>| !gate.keys.requests.is_empty();
    let mut gates = gates.into_iter().filter(fetches).peekable();
    // A request that is part of a fetch starts no fetch itself: that would recurse without end.
    if gates.peek().is_none() || request.is_part_of_fetch() {
        return Readiness::Ready;
    }
    let Ok(remembered) = visit.remember() else { return Readiness::Ready };
    let in_flight = remembered.in_flight();
    if in_flight.is_watched.take() {
        request.main().stop_watching_client();
    }
    in_flight.flights.stop_waiting(request);
    // `count` visits every gate, so that each starts its fetches even if another gate already
    // waits.
    let waiting = gates.filter(|gate| fetch_for(request, remembered, gate) == Readiness::Waiting);
    if waiting.count() == 0 {
        return Readiness::Ready;
    }
    if request.is_main() {
        in_flight.is_watched.set(true);
        request.watch_client();
    }
    Readiness::Waiting
}

/// Fetches keys that may make the token of a request valid at a gate, if the present keys do not.
/// Missing keys are fetched; if no keys are missing, but the token names none of the kept keys, the
/// kept keys are fetched again.
///
/// An error here is dropped: it occurs again, and is reported, when the outcome is asked for.
fn fetch_for(request: Request<'_>, remembered: &Remembered, gate: &Rc<Gate>) -> Readiness {
    let Ok(Some((_, token))) = find(request, gate) else { return Readiness::Ready };
    if request.redact_log().is_none() {
        return Readiness::Ready;
    }
    let Ok(places) = places_of(request, remembered, gate, &token) else { return Readiness::Ready };
    let (flights, cache) = (&remembered.in_flight().flights, gate.keys.cache);
    let gathered = Gathered::gather(request, &gate.keys, &gate.stores, (&places, flights));
    let (fetched, store) = (&gathered.pending, &gate.stores.requests);
    let waiting = if fetched.is_empty() {
        let may_ask = || places.targets().any(|target| store.may_ask_again(flights, target, cache));
        let lacks_key = match gate.verifier.lack(memory(gate), &token, &gathered.keys) {
            Lack::Nothing => false,
            Lack::Key => true,
            // If a key without a `kid` verifies the token, no other key is needed.
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
