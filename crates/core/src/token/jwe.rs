//! Decryption of a JWE (RFC 7516 section 5.2): the only place that can make a [`Decrypted`] token.

use std::sync::Arc;

use aws_lc_rs::rand;

use crate::denial::{Defect, Denial};
use crate::jose::compact::Jwe;
use crate::jose::header::{JweHeader, Parameters};
use crate::keys::content_encryption;
use crate::keys::decrypter::KeyDecrypter;
use crate::keys::{self, KeySet};
use crate::text::json::Value;

/// A token that one of the gate's keys decrypted, and that was not changed since its encryption.
///
/// This does not tell who encrypted the token. With a shared secret it was someone who has the
/// secret; with RSA-OAEP it may have been anyone who has the public key.
#[derive(Debug)]
pub struct Decrypted {
    parameters: Parameters,
    content: Vec<u8>,
}

impl Decrypted {
    /// The header, which is authenticated.
    pub fn header(&self) -> &Parameters {
        &self.parameters
    }

    /// The signed token that this token encloses, not yet verified.
    ///
    /// # Errors
    ///
    /// [`Denial::Malformed`] where `cty` names another type: "the value of this Header Parameter
    /// MUST be "JWT"", compared without regard to case (RFC 7519 section 5.2).
    pub fn into_enclosed(self) -> Result<Vec<u8>, Denial> {
        let content_type = self.parameters.json().member("cty").and_then(Value::as_str);
        if content_type.is_some_and(|cty| !cty.eq_ignore_ascii_case("JWT")) {
            return Err(Defect::ContentType.into());
        }
        Ok(self.content)
    }

    pub(crate) fn into_parts(self) -> (Parameters, Vec<u8>) {
        (self.parameters, self.content)
    }
}

/// Decrypts a token with a key of `keys` that fits `alg` and `kid` of the header.
///
/// # Errors
///
/// The errors of [`JweHeader::parse`]; [`Denial::AlgorithmNotAllowed`] and [`Denial::UnknownKey`]
/// where no key is tried; [`Denial::DecryptionFailed`] for any later failure, so that nothing can
/// be learnt from the answer (RFC 7516 section 11.5).
pub fn decrypt(jwe: &Jwe<'_>, keys: &[Arc<KeySet>]) -> Result<Decrypted, Denial> {
    let header = JweHeader::parse(&jwe.header)?;
    let content = keys::decrypters(keys, header.alg(), header.kid())?
        .find_map(|key| open(jwe, &header, key))
        .ok_or(Denial::DecryptionFailed)?;
    Ok(Decrypted { parameters: header.into_parameters(), content })
}

/// Decrypts the content with one key. RFC 7516 section 11.5: "in the event of receiving an
/// improperly formatted key", "substitute a randomly generated CEK and proceed to the next step".
/// The failure of that step then looks like any other failure.
fn open(jwe: &Jwe<'_>, header: &JweHeader, key: &KeyDecrypter) -> Option<Vec<u8>> {
    let mut random = vec![0; header.enc().cek_len()];
    // The random CEK is generated in either case, so that both cases take the same time.
    rand::fill(&mut random).ok()?;
    let cek = key.cek(jwe, header).unwrap_or(random);
    content_encryption::open(header.enc(), &cek, jwe)
}
