//! The access phase: `auth_jwt` lets a request pass or refuses it.

use ojwt_core::denial::Denial;

use crate::conf::LocationConf;
use crate::context::{Outcome, outcome};
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
        Ok(Outcome { verdict: Ok(_), .. }) => return Decision::Pass,
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
        | Denial::DecryptionFailed => match respond::challenge(request, auth, denial) {
            Some(()) => Decision::Refuse(401),
            None => Decision::Refuse(500),
        },
    }
}
