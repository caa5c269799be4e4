//! Whether a token is valid at a time (RFC 7519 sections 4.1.4 and 4.1.5).

use crate::denial::Denial;
use crate::token::claims::{Claims, NumericDate};

/// Checks `exp` and `nbf` at `now`, in seconds since the epoch; clocks may differ by `leeway`
/// seconds.
///
/// # Errors
///
/// [`Denial::Expired`], [`Denial::NotYetValid`].
pub(super) fn check(claims: &Claims, now: i64, leeway: u64) -> Result<(), Denial> {
    let now = NumericDate::from_seconds(now);
    // RFC 7519 section 4.1.4: "on or after which the JWT MUST NOT be accepted".
    if claims.expires().is_some_and(|exp| now >= exp.plus(leeway)) {
        return Err(Denial::Expired);
    }
    // RFC 7519 section 4.1.5: "before which the JWT MUST NOT be accepted".
    if claims.not_before().is_some_and(|nbf| now.plus(leeway) < nbf) {
        return Err(Denial::NotYetValid);
    }
    Ok(())
}
