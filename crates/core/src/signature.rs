//! The signature check: the only place that can make a [`Verified`] token.

use std::sync::Arc;

use crate::compact::Jws;
use crate::denial::Denial;
use crate::header::Header;
use crate::keys::{self, KeySet};
use crate::policy::Policy;

/// A token that one of the gate's keys signed. Its claims may be read; they are not yet judged.
#[derive(Debug)]
pub struct Verified {
    header: Header,
    payload: Vec<u8>,
}

impl Verified {
    /// The header, now believed.
    pub fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn into_parts(self) -> (Header, Vec<u8>) {
        (self.header, self.payload)
    }
}

/// Checks that the header is one that the policy admits, and that a key of `keys` that fits its
/// `alg` and `kid` made the signature.
///
/// # Errors
///
/// Those of [`Header::parse`]; [`Denial::AlgorithmNotAllowed`], [`Denial::UnknownKey`] where no key
/// is tried; [`Denial::SignatureMismatch`] where none of those tried made it.
pub fn verify(jws: Jws<'_>, keys: &[Arc<KeySet>], policy: &Policy) -> Result<Verified, Denial> {
    let header = Header::parse(&jws.header)?;
    if !policy.admits(header.alg()) {
        return Err(Denial::AlgorithmNotAllowed);
    }
    let is_signed = keys::candidates(keys, header.alg(), header.kid())?
        .any(|key| key.verifies(jws.signing_input, &jws.signature));
    if is_signed {
        Ok(Verified { header, payload: jws.payload })
    } else {
        Err(Denial::SignatureMismatch)
    }
}
