//! The whole pipeline on one screen: bytes in, claims or a denial out.

use std::sync::Arc;

use crate::claims::Claims;
use crate::compact::Jws;
use crate::denial::Denial;
use crate::keys::KeySet;
use crate::policy::{Circumstances, Policy};
use crate::signature;

/// The default for [`Verifier::max_token_size`], in bytes: twice what nginx takes in one header
/// line by default.
pub const DEFAULT_MAX_TOKEN_SIZE: usize = 16 * 1024;

/// What is asked of tokens, ready to judge them.
#[derive(Clone, Debug, PartialEq)]
pub struct Verifier {
    /// What is asked of their claims.
    pub policy: Policy,
    /// The longest token that is looked at, in bytes.
    pub max_token_size: usize,
}

impl Verifier {
    /// Judges a compact JWS by keys that come from one source or several.
    ///
    /// # Errors
    ///
    /// The [`Denial`] of the first step that fails, in the order in which they stand here.
    pub fn verify(
        &self,
        token: &[u8],
        keys: &[Arc<KeySet>],
        at: &Circumstances<'_>,
    ) -> Result<Claims, Denial> {
        let claims = self.authenticate(token, keys)?;
        self.policy.check(&claims, at)?;
        Ok(claims)
    }

    /// All of [`Verifier::verify`] but the last step, [`Policy::check`]: for a caller that takes it
    /// himself, to say more of what fails in it.
    ///
    /// # Errors
    ///
    /// As for [`Verifier::verify`].
    pub fn authenticate(&self, token: &[u8], keys: &[Arc<KeySet>]) -> Result<Claims, Denial> {
        if keys.iter().all(|keys| keys.is_empty()) {
            return Err(Denial::NoKey);
        }
        let jws = Jws::split(token, self.max_token_size)?;
        let verified = signature::verify(jws, keys, &self.policy)?;
        Claims::of(verified)
    }
}
