//! The signature check. Only this check and decryption can make a [`Verified`] token.

use std::cell::RefCell;
use std::sync::Arc;

use crate::denial::Denial;
use crate::jose::alg::Alg;
use crate::jose::compact::Jws;
use crate::jose::header::{Header, Parameters};
use crate::keys::{self, KeySet};
use crate::token::header_table::HeaderTable;
use crate::token::jwe::Decrypted;

/// A token that one of the gate's keys signed or decrypted. Its claims may be read, but the policy
/// has not been checked yet.
#[derive(Debug)]
pub struct Verified {
    header: Arc<Parameters>,
    payload: Vec<u8>,
    alg: Option<Alg>,
}

impl Verified {
    /// The header, which is authenticated.
    pub fn header(&self) -> &Parameters {
        &self.header
    }

    pub(crate) fn into_parts(self) -> (Arc<Parameters>, Vec<u8>, Option<Alg>) {
        (self.header, self.payload, self.alg)
    }
}

/// A decrypted token is verified, since decryption authenticates its content and header.
impl From<Decrypted> for Verified {
    fn from(token: Decrypted) -> Self {
        let (header, payload) = token.into_parts();
        Self { header: header.into(), payload, alg: None }
    }
}

/// Checks that the algorithm of the header is admitted, and that a key of `keys` that fits `alg`
/// and `kid` made the signature. A header that is cached in `headers` is not parsed again; the
/// header of a token with a good signature is added to this cache.
///
/// # Errors
///
/// The errors of [`Header::decode`], whether or not the header is cached;
/// [`Denial::AlgorithmNotAllowed`] and [`Denial::UnknownKey`] where no key is tried;
/// [`Denial::SignatureMismatch`] where none of the keys made the signature; [`Denial::KeysUntried`]
/// where none of the tried keys made it, and other keys were not tried.
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

/// The parsed header for `segment`, the header segment as it stands in a token, and whether it was
/// cached in `headers`.
///
/// # Errors
///
/// The errors of [`Header::decode`], and [`Denial::AlgorithmNotAllowed`] where `alg` is not
/// admitted.
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
