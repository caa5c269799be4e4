//! The signature check: the only place that can make a [`Verified`] token.

use crate::compact::Jws;
use crate::denial::Denial;
use crate::header::Header;
use crate::keys::KeySet;

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

    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// Checks that a key of `keys` that fits the header's `alg` and `kid` made the signature.
///
/// # Errors
///
/// [`Denial::NoKey`], [`Denial::UnknownKey`] and [`Denial::AlgorithmNotAllowed`] where no key is
/// tried; [`Denial::SignatureMismatch`] where none of those tried made it.
pub fn verify(jws: Jws<'_>, header: Header, keys: &KeySet) -> Result<Verified, Denial> {
    let candidates = keys.candidates(header.alg(), header.kid())?;
    for key in candidates {
        if key.verifies(jws.signing_input, &jws.signature) {
            return Ok(Verified { header, payload: jws.payload });
        }
    }
    Err(Denial::SignatureMismatch)
}
