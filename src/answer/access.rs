//! The access phases: `auth_jwt` lets a request pass or refuses it.

use ojwt_core::denial::Denial;

use crate::answer::respond;
use crate::config::location::LocationConf;
use crate::config::main_conf::UsedVariables;
use crate::config::settings::{Auth, Phase, Requirement, WwwAuthenticate};
use crate::fence::complex::ComplexValue;
use crate::fence::log::Level;
use crate::fence::printable;
use crate::gate::fetch::{Readiness, prepare};
use crate::gate::judge::{evaluate_now, outcome};
use crate::gate::outcome::{Outcome, Visit};

/// The decision of a phase about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// This module does not decide.
    Declined,
    /// The request passes this phase.
    Pass,
    /// The request is refused with this status.
    Refuse(u16),
    /// Not decided yet: keys are being fetched.
    Wait,
}

/// Decides in a phase. For a refusal, prepares the response except for its status.
///
/// nginx runs the preaccess phase also for subrequests, and the access phase for none. A subrequest
/// is judged by the token of the client's request.
pub(crate) fn decide(visit: &Visit<'_>, conf: &LocationConf, phase: Phase) -> Decision {
    // Limits are meant for the requests of clients. A fetch that a limit delays would not be woken,
    // and the result of a limit for the fetch would count for the client's request.
    if phase == Phase::Preaccess && visit.request.is_part_of_fetch() {
        return Decision::Pass;
    }
    if conf.phase.unwrap_or_default() != phase {
        return Decision::Declined;
    }
    let Some((auth, gate)) = conf.auth() else {
        // Where `auth_jwt` is off, variables still show the claims, and cannot wait for keys. By
        // this phase, other directives have put the token into its variable.
        return match prepare(visit, conf.auth_gate()) {
            Readiness::Waiting => Decision::Wait,
            Readiness::Ready => Decision::Declined,
        };
    };
    if prepare(visit, [gate]) == Readiness::Waiting {
        return Decision::Wait;
    }
    let denial = match outcome(visit, gate) {
        Ok(Outcome { verdict: Ok(_), .. }) => return require(visit, conf, auth, phase),
        Ok(Outcome { verdict: Err(denial), .. }) => *denial,
        Err(denial) => denial,
    };
    if denial.is_our_fault() {
        return Decision::Refuse(500);
    }
    // RFC 6750 section 3.1.
    let status = if denial == Denial::SeveralTokens { 400 } else { 401 };
    refuse(visit, conf, auth, (denial, status))
}

/// Fetches, before the rewrite module runs, the keys that variables will need: variables cannot
/// wait.
pub(crate) fn prefetch(visit: &Visit<'_>, conf: &LocationConf, used: UsedVariables) -> Readiness {
    let decoded = conf.gate().filter(|_| used.decoded);
    let claims = conf.claims_gate().filter(|_| used.claims);
    let gates = || decoded.into_iter().chain(claims);
    if gates().all(|gate| gate.keys.requests.is_empty()) || visit.request.is_part_of_fetch() {
        return Readiness::Ready;
    }
    prepare(visit, gates())
}

/// Decides by what `auth_jwt_require` asks besides a valid token.
fn require(visit: &Visit<'_>, conf: &LocationConf, auth: &Auth, phase: Phase) -> Decision {
    let requirements = || conf.requirements.iter().flatten();
    let values = requirements().flat_map(|requirement| requirement.values.iter().copied());
    let unmet = evaluate_now(visit.request, values, || {
        requirements().find_map(|Requirement { values, status }| {
            values.iter().find_map(|value| match visit.request.evaluate(*value) {
                None => Some(Unmet::Unknown),
                Some(b"" | b"0") => Some(Unmet::Value(*value, *status)),
                Some(_) => None,
            })
        })
    });
    match unmet {
        Some(Unmet::Unknown) => Decision::Refuse(500),
        Some(Unmet::Value(value, status)) => {
            let denial = Denial::ClaimRejected;
            let value = printable(value.source());
            visit.request.log(Level::Info, &format!("{denial}: a requirement is not met: {value}"));
            visit.overrule(denial);
            refuse(visit, conf, auth, (denial, status))
        }
        // A request that passes in the preaccess phase must still meet the limits of that phase.
        None if phase == Phase::Preaccess => Decision::Declined,
        None => Decision::Pass,
    }
}

/// Why `auth_jwt_require` is not met.
enum Unmet {
    /// A value cannot be evaluated.
    Unknown,
    /// This value is empty or 0, for which the request is refused with this status.
    Value(ComplexValue, u16),
}

fn refuse(
    visit: &Visit<'_>,
    conf: &LocationConf,
    auth: &Auth,
    (denial, status): (Denial, u16),
) -> Decision {
    let status = if visit.request.is_main() { status } else { status_of_subrequest(status) };
    let prepared = match conf.www_authenticate {
        _ if status != 401 && denial != Denial::SeveralTokens => Some(()),
        Some(WwwAuthenticate::Off) => Some(()),
        Some(WwwAuthenticate::Custom(value)) => respond::custom_challenge(visit.request, value),
        Some(WwwAuthenticate::Bearer) | None => respond::challenge(visit.request, auth, denial),
    };
    match prepared {
        Some(()) => Decision::Refuse(status),
        None => Decision::Refuse(500),
    }
}

/// The status of a refused subrequest: `auth_request` takes only 401 and 403 for a refusal, and any
/// other status that is no success for a fault of the server.
fn status_of_subrequest(status: u16) -> u16 {
    match status {
        400 => 401,
        402..=499 => 403,
        _ => status,
    }
}
