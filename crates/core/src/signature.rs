//! The signature check. It and decryption are all that can make a [`Verified`] token.

use std::sync::Arc;

use crate::alg::Alg;
use crate::compact::Jws;
use crate::denial::Denial;
use crate::header::{Header, Parameters};
use crate::jwe::Decrypted;
use crate::keys::{self, KeySet};
use crate::policy::Policy;

/// A token that one of the gate's keys signed or decrypted. Its claims may be read; they are not yet
/// judged.
#[derive(Debug)]
pub struct Verified {
    header: Parameters,
    payload: Vec<u8>,
    alg: Option<Alg>,
}

impl Verified {
    /// The header, now believed.
    pub fn header(&self) -> &Parameters {
        &self.header
    }

    pub(crate) fn into_parts(self) -> (Parameters, Vec<u8>, Option<Alg>) {
        (self.header, self.payload, self.alg)
    }
}

/// What was decrypted was authenticated with it.
impl From<Decrypted> for Verified {
    fn from(token: Decrypted) -> Self {
        let (header, payload) = token.into_parts();
        Self { header, payload, alg: None }
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
    if !is_signed {
        return Err(Denial::SignatureMismatch);
    }
    let alg = Some(header.alg());
    Ok(Verified { header: header.into_parameters(), payload: jws.payload, alg })
}
