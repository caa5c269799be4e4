//! Public keys and certificates in PEM (RFC 7468).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;

use crate::keys::error::KeyError;
use crate::keys::material::Material;
use crate::keys::spki;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

/// The longest label of a block that is accepted.
const MAX_LABEL: usize = 64;

/// The label of the block that OpenSSL writes before a key on a curve, to name the curve again.
const EC_PARAMETERS: &[u8] = b"EC PARAMETERS";

/// RFC 7468 section 3 has padding; base64 without padding is accepted, too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads every key of a PEM file, in order. Text between the blocks is ignored, as RFC 7468
/// section 5.2 allows.
///
/// # Errors
///
/// The [`KeyError`] of the first block that is not a public key, with the index of the block.
pub fn parse(text: &[u8]) -> Result<Vec<Material>, KeyError> {
    let keys = read(text)?.into_iter().enumerate();
    keys.map(|(index, key)| key.map_err(|error| error.in_key(index))).collect()
}

/// Reads every block of a PEM file, in order: each gives its key, or the reason why it has none.
///
/// # Errors
///
/// [`KeyError::Encoding`] where the boundaries of blocks do not match: otherwise a key could be
/// missed.
pub fn read(text: &[u8]) -> Result<Vec<Result<Material, KeyError>>, KeyError> {
    let mut blocks = blocks(text)?;
    if blocks.iter().any(|block| block.label != EC_PARAMETERS) {
        blocks.retain(|block| block.label != EC_PARAMETERS);
    }
    Ok(blocks.iter().map(Block::key).collect())
}

/// Whether `bytes` contain the beginning of a PEM block.
pub fn is_pem(bytes: &[u8]) -> bool {
    memmem::find(bytes, BEGIN).is_some()
}

/// The text between two boundaries, and the label of both.
struct Block<'a> {
    label: &'a [u8],
    body: &'a [u8],
}

/// The blocks of a text. A block without its first or last line is an error, not text between
/// blocks.
fn blocks(text: &[u8]) -> Result<Vec<Block<'_>>, KeyError> {
    const BROKEN: KeyError = KeyError::Encoding("PEM");
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((before, begun)) = split(rest, BEGIN) {
        let (label, begun) = label(begun).ok_or(BROKEN)?;
        let (body, ended) = split(begun, END).ok_or(BROKEN)?;
        let (end, after) = self::label(ended).ok_or(BROKEN)?;
        if label != end || is_pem(body) || memmem::find(before, END).is_some() {
            return Err(BROKEN);
        }
        blocks.push(Block { label, body });
        rest = after;
    }
    if memmem::find(rest, END).is_some() { Err(BROKEN) } else { Ok(blocks) }
}

/// The parts of `text` before and after the first occurrence of `what`.
fn split<'a>(text: &'a [u8], what: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (before, after) = text.split_at_checked(memmem::find(text, what)?)?;
    Some((before, after.get(what.len()..)?))
}

/// The label at the start of `text`, and the rest after the boundary that ends the label.
fn label(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (label, after) = split(text, b"-----")?;
    let is_label =
        label.len() <= MAX_LABEL && label.iter().all(|byte| (b' '..=b'~').contains(byte));
    is_label.then_some((label, after))
}

impl Block<'_> {
    fn key(&self) -> Result<Material, KeyError> {
        match self.label {
            b"PUBLIC KEY" => spki::from_spki_der(&self.contents()?),
            b"RSA PUBLIC KEY" => {
                let der = self.contents()?;
                // Some tools write a SubjectPublicKeyInfo under this label.
                Material::rsa_from_der(&der)
                    .or_else(|error| spki::from_spki_der(&der).map_err(|_| error))
            }
            b"CERTIFICATE" => spki::from_certificate_der(&self.contents()?),
            label if label.ends_with(b"PRIVATE KEY") => Err(KeyError::PrivateKey),
            _ => Err(KeyError::PemLabel),
        }
    }

    /// The contents of the block, in DER. White space may be anywhere (RFC 7468 section 3,
    /// "laxtextualmsg").
    fn contents(&self) -> Result<Vec<u8>, KeyError> {
        let text: Vec<u8> =
            self.body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        BASE64.decode(text).map_err(|_| KeyError::Encoding("PEM"))
    }
}
