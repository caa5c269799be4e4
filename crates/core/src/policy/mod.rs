//! Whether verified claims are good enough here and now.

pub mod requirement;
pub mod revocation;
mod times;

use crate::denial::Denial;
use crate::jose::alg::Alg;
use crate::policy::requirement::Requirement;
use crate::policy::revocation::Revocations;
use crate::token::claims::Claims;

/// What a gate requires of a token besides its signature. No field switches a check off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// Seconds by which clocks may differ, for `exp` and `nbf` (RFC 7519 sections 4.1.4 and 4.1.5).
    pub leeway: u64,
    /// The algorithms that are accepted; `None` accepts every algorithm that the keys permit.
    pub algorithms: Option<Vec<Alg>>,
    /// What claims and header parameters must be; a token must meet every requirement.
    pub requirements: Vec<Requirement>,
}

/// When and for which host a token is presented, and what is revoked.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The time, in seconds since the epoch.
    pub now: i64,
    /// The host that the request is for; empty where the request names no host; `None` where there
    /// is no request, so that a `host` claim is compared with nothing.
    pub host: Option<&'a [u8]>,
    /// What is revoked at that time.
    pub revocations: Revocations<'a>,
}

impl<'a> Circumstances<'a> {
    /// The circumstances of a gate without revocation lists.
    pub fn new(now: i64, host: Option<&'a [u8]>) -> Self {
        Self { now, host, revocations: Revocations::default() }
    }
}

impl Policy {
    /// Whether the policy admits signatures of `alg`. `EdDSA` in the list of the policy also covers
    /// the newer names.
    pub fn admits(&self, alg: Alg) -> bool {
        self.algorithms.as_ref().is_none_or(|list| list.iter().any(|listed| listed.covers(alg)))
    }

    /// Checks times, host, revocations and requirements.
    ///
    /// # Errors
    ///
    /// [`Denial::Expired`], [`Denial::NotYetValid`], [`Denial::WrongHost`], [`Denial::Revoked`],
    /// [`Denial::ClaimRejected`].
    pub fn check(&self, claims: &Claims, at: &Circumstances<'_>) -> Result<(), Denial> {
        times::check(claims, at.now, self.leeway)?;
        if let Some(requested) = at.host
            && !claims.hosts().all(|hosts| hosts.name(requested))
        {
            return Err(Denial::WrongHost);
        }
        // A token that expires together with its entry in a list is still accepted during the
        // leeway, so the entry must count for that much longer.
        at.revocations.check(claims, at.now.saturating_sub_unsigned(self.leeway))?;
        if self.requirements.iter().all(|requirement| requirement.is_met(claims)) {
            Ok(())
        } else {
            Err(Denial::ClaimRejected)
        }
    }

    /// What exactly is wrong with claims that were denied, for the operator's log: the name of a
    /// claim, never its value.
    pub(crate) fn detail(
        &self,
        denial: Denial,
        claims: &Claims,
        at: &Circumstances<'_>,
    ) -> Option<String> {
        if denial != Denial::ClaimRejected {
            return None;
        }
        let missing = at.revocations.missing(claims).map(|name| format!("{name} is missing"));
        missing.or_else(|| self.requirements.iter().find_map(|unmet| unmet.unmet(claims)))
    }
}
