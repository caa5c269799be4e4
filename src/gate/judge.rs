//! The outcome of a gate for a request: found out when the gate is first asked, and remembered
//! until the client's request ends.
//!
//! A request may meet several gates on its way through rewrites, internal redirects and
//! subrequests; each gate judges a token once. The outcome belongs to the request that the client
//! made, so that a subrequest neither loses the token nor brings another one. Where arguments or a
//! variable hold another token by now, the gate judges that token. A comparison with a variable is
//! repeated whenever the gate is asked and the variable's value has changed: after a redirect, a
//! variable may have another value.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use ojwt_core::denial::Denial;
use ojwt_core::keys::KeySet;
use ojwt_core::policy::Circumstances;
use ojwt_core::policy::requirement::{OperandDefect, Unmet};
use ojwt_core::token::claims::Claims;
use ojwt_core::token::host;
use ojwt_core::token::unverified::Unverified;
use ojwt_core::verify::{Memory, Refusal};

use crate::fence;
use crate::fence::complex::ComplexValue;
use crate::fence::log::Level;
use crate::fence::request::Request;
use crate::gate::definition::{Gate, VariableRequirement};
use crate::gate::outcome::{
    Arguments, Asking, Choosing, Compared, Entry, InFlight, Judged, Outcome, Remembered, Visit,
};
use crate::gate::token_source::Source;
use crate::keys::places::{Gathered, Places, Said};
use crate::lists::revocation::CurrentLists;

/// The outcome at a gate.
///
/// # Errors
///
/// [`Denial::InternalError`] where memory is short, or where the gate is already being asked, which
/// would recurse without end; [`Denial::KeyUnavailable`] where keys that had to be fetched were not
/// fetched (see `prepare` in `fetch`); [`Denial::ClaimRejected`] where a requirement with variables
/// is not met.
pub(crate) fn outcome<'r>(visit: &Visit<'r>, gate: &Rc<Gate>) -> Result<&'r Outcome, Denial> {
    let (request, remembered) = (visit.request, visit.remember()?);
    if gate.is_plain
        && let Some(entry) = remembered.latest_at(gate)
        && (!gate.reads_arguments || entry.arguments.get() == Arguments::of(request))
    {
        remembered.ask(entry);
        return Ok(&entry.outcome);
    }
    // The choice of keys cannot depend on a verdict that depends on these keys.
    if remembered.is_choosing() {
        return Err(Denial::InternalError);
    }
    request.redact_log().ok_or(Denial::InternalError)?;
    // A plain gate evaluates no variable, so that it cannot be asked recursively.
    let _asking =
        (!gate.is_plain).then(|| Asking::begin(remembered.in_flight(), gate)).transpose()?;
    let sought = seek(request, remembered, gate);
    let token = sought.token.as_ref().map(|(source, token)| (*source, &**token));
    // If the search for a token now fails, a remembered verdict counts only if it is the same
    // fault: by now, the request may hold several tokens.
    let is_of_this = |entry: &&Entry| {
        let same = |denial| entry.outcome.verdict.as_ref().err() == Some(&denial);
        token.is_some() || sought.fault.is_none_or(same)
    };
    let known = remembered.entry_at(gate, sought.places.as_deref(), token).filter(is_of_this);
    let entry = if let Some(entry) = known {
        entry
    } else {
        let token = Judged::of(token);
        let (outcome, places) = judge(request, remembered, gate, sought)?;
        remembered.push(Entry::new(gate, token, places, outcome))
    };
    entry.arguments.set(Arguments::of(request));
    let compared = compare(request, remembered, entry);
    remembered.ask(entry);
    compared.map(|()| &entry.outcome)
}

/// What a gate has to judge.
struct Sought<'r, 'g> {
    token: Option<Found<'r, 'g>>,
    /// Where the token's keys are, if the gate's keys are not fixed.
    places: Option<Box<Places>>,
    /// Why the token cannot be judged, if it cannot.
    fault: Option<Denial>,
}

/// Looks for the token of a request, and for where its keys are.
fn seek<'r, 'g>(request: Request<'r>, remembered: &Remembered, gate: &'g Gate) -> Sought<'r, 'g> {
    let mut sought = Sought { token: None, places: None, fault: None };
    match find(request, gate) {
        Ok(token) => sought.token = token,
        Err(denial) => sought.fault = Some(denial),
    }
    if let Some((_, token)) = &sought.token
        && !gate.keys.are_fixed()
    {
        match places_of(request, remembered, gate, token) {
            Ok(places) => sought.places = Some(Box::new(places)),
            Err(denial) => sought.fault = Some(denial),
        }
    }
    sought
}

/// Evaluates requirements on a token that a gate accepted, with maps evaluated for that token.
///
/// nginx caches the value of a map. A cached value may stem from another token, from a time before
/// the gate was asked, or from a time while the gate refused. So if any of `values` may be cached,
/// and nginx has cached any value, no cached value is used.
pub(crate) fn evaluate_now<T>(
    request: Request<'_>,
    mut values: impl Iterator<Item = ComplexValue>,
    evaluate: impl FnOnce() -> T,
) -> T {
    if values.any(|value| request.is_remembered(value)) && request.remembers_any() {
        request.without_trace(evaluate)
    } else {
        evaluate()
    }
}

/// Redacts what nginx logs of this request from now on, if that may show an argument.
///
/// # Errors
///
/// [`Denial::InternalError`] where memory is short.
pub(crate) fn redact_log(request: Request<'_>) -> Result<(), Denial> {
    let shows_arguments =
        || !request.args().is_empty() || request.referrer().is_some_and(|url| url.contains(&b'?'));
    if request.is_main() && shows_arguments() {
        request.redact_log().ok_or(Denial::InternalError)?;
    }
    Ok(())
}

/// A token, and the source that it was found in.
type Found<'r, 'g> = (&'g Source, Cow<'r, [u8]>);

/// The token of a request.
///
/// # Errors
///
/// [`Denial::WrongHost`] where the request names two hosts, [`Denial::SeveralTokens`] where the
/// first source that holds a token also holds another one.
pub(super) fn find<'r, 'g>(
    request: Request<'r>,
    gate: &'g Gate,
) -> Result<Option<Found<'r, 'g>>, Denial> {
    if names_two_hosts(request) {
        return Err(Denial::WrongHost);
    }
    for source in &gate.sources {
        if let Some(token) = source.find(request)? {
            return Ok(Some((source, token)));
        }
    }
    Ok(None)
}

/// Whether the request is for another host than its `Host` field says (RFC 9112 section 3.2.2): an
/// application may rely on that field.
fn names_two_hosts(request: Request<'_>) -> bool {
    let request = request.main();
    request.host_field().is_some_and(|field| !host::agrees(field, request.host()))
}

/// Judges what was found, and returns where the token's keys are.
///
/// # Errors
///
/// Those of [`judge_token`].
fn judge(
    request: Request<'_>,
    remembered: &Remembered,
    gate: &Rc<Gate>,
    sought: Sought<'_, '_>,
) -> Result<(Outcome, Option<Box<Places>>), Denial> {
    let Sought { token, places, fault } = sought;
    let (verdict, detail) = match (&token, fault) {
        (_, Some(fault)) => (Err(fault), None),
        (None, None) => (Err(Denial::NoToken), None),
        (Some((_, token)), None) => {
            #[cfg(feature = "inject-panic")]
            assert!(**token != *b"panic", "as the test wants it: {token:?}");
            judge_token(request, remembered, (gate, places.as_deref()), token)?
        }
    };
    if let Err(denial) = &verdict {
        log(request, *denial, detail.as_deref().or_else(|| detail_of(request, *denial)));
    }
    let token_from_url = match token {
        Some((Source::Argument(_), token)) if verdict.is_ok() => Some(token.into_owned()),
        _ => None,
    };
    Ok((Outcome { verdict, token_from_url }, places))
}

/// Where the keys of a gate are for this token. During the evaluation, variables show the token;
/// the values that nginx caches meanwhile are dropped afterwards.
pub(super) fn places_of(
    request: Request<'_>,
    remembered: &Remembered,
    gate: &Gate,
    token: &[u8],
) -> Result<Places, Denial> {
    let evaluate = |value| request.evaluate(value).ok_or(Denial::InternalError);
    if !gate.keys.are_chosen() {
        let evaluate = |value| Ok((evaluate(value)?, Said::Nothing));
        return Places::find(request, &gate.keys, &gate.stores, evaluate);
    }
    let token = Unverified::read(token, gate.verifier.max_token_size)?;
    let in_flight = remembered.in_flight();
    let _choosing = Choosing::begin(in_flight, token);
    // Each value is evaluated without cached ones: a map that an earlier evaluation cached would
    // not show that its value depends on the token.
    Places::find(request, &gate.keys, &gate.stores, |value| {
        in_flight.said.set(Said::Nothing);
        let value = request.without_trace(|| evaluate(value))?;
        Ok((value, in_flight.said.get()))
    })
}

/// A detail of a refusal that the operator may want to know.
fn detail_of(request: Request<'_>, denial: Denial) -> Option<&'static str> {
    if denial == Denial::WrongHost && names_two_hosts(request) {
        return Some("the Host field is not that of the request's host");
    }
    denial.detail()
}

/// A verdict, and what the log says of it besides the reason.
type Explained = (Result<Arc<Claims>, Denial>, Option<String>);

/// The verdict of the present keys on a token, and what the log says of it besides the reason.
///
/// # Errors
///
/// [`Denial::KeyUnavailable`] where the verdict is still open: keys that are yet to be fetched may
/// make the token valid.
fn judge_token(
    request: Request<'_>,
    remembered: &Remembered,
    (gate, places): (&Rc<Gate>, Option<&Places>),
    token: &[u8],
) -> Result<Explained, Denial> {
    let Some(places) = places else {
        return Ok(explained(verify(request, gate, token, &gate.keys.fixed)));
    };
    let flights = &remembered.in_flight().flights;
    let gathered = Gathered::gather(request, &gate.keys, &gate.stores, (places, flights));
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
        places.targets().for_each(|target| gate.stores.requests.prove(target));
    }
    Ok(explained(verdict))
}

/// Judges a token by these keys.
pub(super) fn verify(
    request: Request<'_>,
    gate: &Gate,
    token: &[u8],
    keys: &[Arc<KeySet>],
) -> Result<Arc<Claims>, Refusal> {
    // Where the keys are not fixed, it is no fault to have none: the token names a key that is
    // unknown.
    if keys.is_empty() && !gate.keys.are_fixed() {
        gate.verifier.read(token)?;
        return Err(Denial::UnknownKey.into());
    }
    let lists = gate.revocations.lists();
    let at = Circumstances {
        revocations: lists.as_ref().map(CurrentLists::as_revocations).unwrap_or_default(),
        ..Circumstances::new(fence::now(), Some(request.host()))
    };
    gate.verifier.verify_with(memory(gate), token, keys, &at)
}

/// What a worker remembers of tokens that a gate verified.
pub(super) fn memory(gate: &Gate) -> Memory<'_> {
    Memory { tokens: gate.cache.as_deref(), headers: Some(&gate.headers) }
}

/// A verdict, and what the log says of a refusal besides the reason.
fn explained(verdict: Result<Arc<Claims>, Refusal>) -> Explained {
    match verdict {
        Ok(claims) => (Ok(claims), None),
        Err(Refusal { denial, detail }) => (Err(denial), detail),
    }
}

/// Whether a token might be accepted with other keys. An algorithm that is not allowed is either
/// one for which there is no key, or one that the policy forbids whatever the keys are.
pub(super) fn is_for_want_of_keys(gate: &Gate, token: &[u8], denial: Denial) -> bool {
    match denial {
        Denial::AlgorithmNotAllowed => gate.verifier.read(token).is_ok(),
        denial => matches!(
            denial,
            Denial::UnknownKey
                | Denial::SignatureMismatch
                | Denial::KeysUntried
                | Denial::DecryptionFailed
                | Denial::NoKey
        ),
    }
}

/// Whether a good token meets the requirements with variables now.
fn compare(request: Request<'_>, remembered: &Remembered, entry: &Entry) -> Result<(), Denial> {
    let Ok(claims) = &entry.outcome.verdict else { return Ok(()) };
    let requirements = &entry.gate.requirements;
    if requirements.is_empty() {
        return Ok(());
    }
    let in_flight = remembered.in_flight();
    let index = remembered.entries().position(|other| core::ptr::eq(other, entry));
    if let Some(asked) = in_flight.asked.borrow_mut().last_mut() {
        asked.compared = index;
    }
    let find_refusal = || {
        requirements.iter().enumerate().find_map(|(index, requirement)| {
            let meets = entry.meets(request, in_flight, claims, (index, requirement));
            Some((meets.err()?, &requirement.comparison))
        })
    };
    // nginx must not cache a map that shows the token: the token may be about to be refused.
    let refused = if requirements.iter().any(|asked| request.is_remembered(asked.operand)) {
        request.without_trace(find_refusal)
    } else {
        find_refusal()
    };
    let refusal = refused.map(|((denial, _), _)| denial);
    let told = entry.refusal.replace(refusal);
    match refused {
        Some(((denial, unmet), comparison)) => {
            if told != refusal {
                log(request, denial, Some(&comparison.explain(&unmet)));
            }
            Err(denial)
        }
        None => Ok(()),
    }
}

impl Entry {
    /// Whether a good token meets a requirement, and if not, why.
    fn meets(
        &self,
        request: Request<'_>,
        in_flight: &InFlight,
        claims: &Claims,
        (index, requirement): (usize, &VariableRequirement),
    ) -> Result<(), (Denial, Unmet)> {
        let fault = (Denial::InternalError, Unmet::Operand(OperandDefect::Unknown));
        let value = request.evaluate(requirement.operand).ok_or(fault)?;
        if in_flight.is_circular.get() {
            return Err(fault);
        }
        let mut compared = self.compared.get_or_init(Box::default).borrow_mut();
        let result = match compared.get(index) {
            Some(last) if *last.value == *value => last.result,
            last => {
                let result = requirement.comparison.check_variable(claims, value);
                let now = Compared { value: value.into(), result };
                // Requirements are checked in order, so that `compared` grows by one element at a
                // time.
                match last.is_some().then(|| compared.get_mut(index)).flatten() {
                    Some(last) => *last = now,
                    None => compared.push(now),
                }
                result
            }
        };
        result.map_err(|unmet| (Denial::ClaimRejected, unmet))
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
