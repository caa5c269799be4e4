//! The access phase: `auth_jwt` lets a request pass or refuses it.

use ojwt_core::denial::Denial;

use crate::conf::{Auth, LocationConf, Requirement, WwwAuthenticate};
use crate::context::{Outcome, outcome, overrule};
use crate::fence::log::Level;
use crate::fence::request::Request;
use crate::respond;

/// What the access phase makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// This module has nothing to say.
    Declined,
    /// Let pass.
    Pass,
    /// Refused with this status.
    Refuse(u16),
}

/// Decides. For a refusal the response is prepared, but for its status.
pub(crate) fn decide(request: Request<'_>, conf: &LocationConf) -> Decision {
    let Some((auth, gate)) = conf.auth() else { return Decision::Declined };
    let denial = match outcome(request, gate) {
        Ok(Outcome { verdict: Ok(_), .. }) => return require(request, conf, auth),
        Ok(Outcome { verdict: Err(denial), .. }) => *denial,
        Err(denial) => denial,
    };
    match denial {
        // A fault of ours, which no other token would mend.
        Denial::NoKey | Denial::KeyUnavailable | Denial::InternalError => Decision::Refuse(500),
        Denial::NoToken
        | Denial::Malformed(_)
        | Denial::TooLarge
        | Denial::UnsupportedAlgorithm
        | Denial::AlgorithmNotAllowed
        | Denial::UnsupportedCriticalHeader
        | Denial::UnknownKey
        | Denial::SignatureMismatch
        | Denial::Expired
        | Denial::NotYetValid
        | Denial::WrongHost
        | Denial::ClaimRejected
        | Denial::Revoked
        | Denial::DecryptionFailed => refuse(request, conf, auth, denial, 401),
    }
}

/// What `auth_jwt_require` asks besides a valid token.
fn require(request: Request<'_>, conf: &LocationConf, auth: &Auth) -> Decision {
    for Requirement { values, status } in conf.requirements.iter().flatten() {
        for value in values {
            match request.evaluate(*value) {
                None => return Decision::Refuse(500),
                Some(b"" | b"0") => {
                    let denial = Denial::ClaimRejected;
                    request.log(Level::Info, "claim rejected: a requirement is not met");
                    overrule(request, denial);
                    return refuse(request, conf, auth, denial, *status);
                }
                Some(_) => {}
            }
        }
    }
    Decision::Pass
}

fn refuse(
    request: Request<'_>,
    conf: &LocationConf,
    auth: &Auth,
    denial: Denial,
    status: u16,
) -> Decision {
    let prepared = match conf.www_authenticate {
        _ if status != 401 => Some(()),
        Some(WwwAuthenticate::Off) => Some(()),
        Some(WwwAuthenticate::Custom(value)) => respond::custom_challenge(request, value),
        Some(WwwAuthenticate::Bearer) | None => respond::challenge(request, auth, denial),
    };
    match prepared {
        Some(()) => Decision::Refuse(status),
        None => Decision::Refuse(500),
    }
}
