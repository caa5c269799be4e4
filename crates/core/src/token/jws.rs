//! The signature check. It and decryption are all that can make a [`Verified`] token.

use std::cell::RefCell;
use std::sync::Arc;

use crate::denial::Denial;
use crate::jose::alg::Alg;
use crate::jose::compact::Jws;
use crate::jose::header::{Header, Parameters};
use crate::keys::{self, KeySet};
use crate::token::header_table::HeaderTable;
use crate::token::jwe::Decrypted;

/// A token that one of the gate's keys signed or decrypted. Its claims may be read; they are not
/// yet judged.
#[derive(Debug)]
pub struct Verified {
    header: Arc<Parameters>,
    payload: Vec<u8>,
    alg: Option<Alg>,
}

impl Verified {
    /// The header, now believed.
    pub fn header(&self) -> &Parameters {
        &self.header
    }

    pub(crate) fn into_parts(self) -> (Arc<Parameters>, Vec<u8>, Option<Alg>) {
        (self.header, self.payload, self.alg)
    }
}

/// What was decrypted was authenticated with it.
impl From<Decrypted> for Verified {
    fn from(token: Decrypted) -> Self {
        let (header, payload) = token.into_parts();
        Self { header: header.into(), payload, alg: None }
    }
}

/// Checks that the header is one whose algorithm is admitted, and that a key of `keys` that fits
/// its `alg` and `kid` made the signature. A header that is in `headers`, where there is such a
/// table, is not parsed again, and that of a token with a good signature is kept there.
///
/// # Errors
///
/// Those of [`Header::decode`], whether the header is known or not;
/// [`Denial::AlgorithmNotAllowed`], [`Denial::UnknownKey`] where no key is tried;
/// [`Denial::SignatureMismatch`] where none of those tried made it, [`Denial::KeysUntried`] where
/// there are others.
pub fn verify(
    jws: Jws<'_>,
    headers: Option<&RefCell<HeaderTable>>,
    keys: &[Arc<KeySet>],
    admits: impl Fn(Alg) -> bool,
) -> Result<Verified, Denial> {
    let (header, is_known) = read_header(jws.header, headers, admits)?;
    let is_signed = keys::candidates(keys, header.alg(), header.kid())?
        .any(|key| key.verifies(jws.signing_input, &jws.signature));
    if !is_signed {
        let has_more = keys::has_more_candidates(keys, header.alg(), header.kid());
        return Err(if has_more { Denial::KeysUntried } else { Denial::SignatureMismatch });
    }
    if let Some(headers) = headers.filter(|_| !is_known) {
        headers.borrow_mut().keep(jws.header, header.clone());
    }
    let alg = Some(header.alg());
    Ok(Verified { header: header.into_parameters(), payload: jws.payload, alg })
}

/// The header whose first part, as it stands in a token, is `segment`, if its `alg` is admitted;
/// and whether it is in `headers`.
///
/// # Errors
///
/// Those of [`Header::decode`], and [`Denial::AlgorithmNotAllowed`].
pub(crate) fn read_header(
    segment: &[u8],
    headers: Option<&RefCell<HeaderTable>>,
    admits: impl Fn(Alg) -> bool,
) -> Result<(Header, bool), Denial> {
    let known = headers.and_then(|headers| headers.borrow().find(segment).cloned());
    let is_known = known.is_some();
    let header = match known {
        Some(header) => header,
        None => Header::decode(segment)?,
    };
    if admits(header.alg()) { Ok((header, is_known)) } else { Err(Denial::AlgorithmNotAllowed) }
}
