//! Has the keys fetched that a gate lacks, before it is asked.

use std::rc::Rc;

use ojwt_core::verify::{Lack, Refusal};

use crate::fence::request::Request;
use crate::gate::definition::Gate;
use crate::gate::judge::{find, is_for_want_of_keys, memory, places_of, verify};
use crate::gate::outcome::{Remembered, Visit};
use crate::keys::fetched::{Progress, Target};
use crate::keys::places::Gathered;

/// Whether the outcome at a gate can be found out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// Keys are being fetched: the phase is to be left, and nginx comes back to it.
    Waiting,
}

/// Fetches the keys that gates need to judge this request, unless the present ones do: all that are
/// missing at a time, and for each that comes the request runs on.
pub(crate) fn prepare<'g>(
    visit: &Visit<'_>,
    gates: impl IntoIterator<Item = &'g Rc<Gate>>,
) -> Readiness {
    let request = visit.request;
    let fetches = |gate: &&Rc<Gate>| !gate.keys.requests.is_empty();
    let mut gates = gates.into_iter().filter(fetches).peekable();
    // What is fetched with is not fetched for: it would not end.
    if gates.peek().is_none() || request.is_part_of_fetch() {
        return Readiness::Ready;
    }
    let Ok(remembered) = visit.remember() else { return Readiness::Ready };
    let in_flight = remembered.in_flight();
    if in_flight.is_watched.take() {
        request.main().stop_watching_client();
    }
    in_flight.flights.stop_waiting(request);
    // None is spared its fetches by another that waits.
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

/// Fetches the keys that may make the token of a request good at a gate, if the present ones do
/// not: what is missing; else, where the token means none of them, what is kept.
///
/// What fails here fails again when the outcome is asked for, and is told then.
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
