//! Public keys in PEM (RFC 7468): `SubjectPublicKeyInfo`, PKCS#1 and X.509 certificates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::ed448::POINT_LEN;
use crate::keys::KeyError;
use crate::material::{Curve, Material};

const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const ED25519: &str = "1.3.101.112";
const ED448: &str = "1.3.101.113";

/// Reads every key of a PEM file, in order. Text between the blocks is ignored, as RFC 7468
/// section 5.2 allows.
///
/// # Errors
///
/// The [`KeyError`] of the first block that is no public key, with its index.
pub fn parse(text: &[u8]) -> Result<Vec<Material>, KeyError> {
    let blocks = pem::parse_many(text).map_err(|_| KeyError::Encoding("PEM"))?;
    // A block that lost its first or last line would be taken for text: a key would be missing.
    for boundary in [&b"-----BEGIN "[..], b"-----END "] {
        let boundaries = text.windows(boundary.len()).filter(|bytes| *bytes == boundary).count();
        if boundaries != blocks.len() {
            return Err(KeyError::Encoding("PEM"));
        }
    }
    blocks
        .iter()
        .enumerate()
        .map(|(index, block)| material(block).map_err(|error| error.in_key(index)))
        .collect()
}

fn material(block: &pem::Pem) -> Result<Material, KeyError> {
    match block.tag() {
        "PUBLIC KEY" => from_spki_der(block.contents()),
        "RSA PUBLIC KEY" => Material::rsa_from_der(block.contents()),
        "CERTIFICATE" => from_certificate_der(block.contents()),
        tag if tag.ends_with("PRIVATE KEY") => Err(KeyError::PrivateKey),
        _ => Err(KeyError::PemLabel),
    }
}

/// Reads the key of a certificate. Nothing else of it counts: the operator trusts the key, neither
/// its issuer nor its dates.
fn from_certificate_der(der: &[u8]) -> Result<Material, KeyError> {
    let encoding = |_| KeyError::Encoding("an X.509 certificate");
    let certificate = Certificate::from_der(der).map_err(encoding)?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    from_spki_der(&key.to_der().map_err(encoding)?)
}

/// Whether `bytes` hold a block of PEM.
pub fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(b"-----BEGIN ".len()).any(|bytes| bytes == b"-----BEGIN ")
}

/// Whether `bytes` are a public key or a certificate, of whatever kind, in PEM, in DER, in what stands
/// between the lines of PEM, or as SSH writes it: what everyone can read.
pub(crate) fn is_public(bytes: &[u8]) -> bool {
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    is_pem(bytes)
        || is_ssh(bytes)
        || is_der(bytes)
        || STANDARD.decode(text).is_ok_and(|bytes| is_der(&bytes))
}

/// Whether it is a DER sequence that begins as those of keys and certificates do, with another or with an
/// integer. A random secret of 32 bytes is, once in eight millions.
fn is_der(bytes: &[u8]) -> bool {
    let (length, content) = match bytes {
        [0x30, length @ ..=0x7f, content @ ..] | [0x30, 0x81, length, content @ ..] => {
            (usize::from(*length), content)
        }
        [0x30, 0x82, high, low, content @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), content)
        }
        _ => return false,
    };
    content.len() == length && matches!(content, [0x30 | 0x02, ..])
}

/// Whether it is a public key as SSH writes it (RFC 4253 section 6.6), which is not read.
fn is_ssh(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    text.starts_with(b"ssh-") || text.starts_with(b"ecdsa-sha2-")
}

/// Reads a public key in DER: a `SubjectPublicKeyInfo`, a certificate, or RSA's own form (PKCS#1).
///
/// # Errors
///
/// Those of [`from_spki_der`] where it is none of them.
pub fn from_der(der: &[u8]) -> Result<Material, KeyError> {
    from_certificate_der(der)
        .or_else(|_| Material::rsa_from_der(der))
        .or_else(|_| from_spki_der(der))
}

/// Reads a `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1.2.7).
///
/// # Errors
///
/// [`KeyError::Encoding`], or [`KeyError::Unusable`] for a kind of key that is not supported.
pub fn from_spki_der(der: &[u8]) -> Result<Material, KeyError> {
    let encoding = || KeyError::Encoding("a public key in DER");
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| encoding())?;
    let key = spki.subject_public_key.as_bytes().ok_or_else(encoding)?;
    match spki.algorithm.oid.to_string().as_str() {
        RSA_ENCRYPTION => Material::rsa_from_der(key),
        EC_PUBLIC_KEY => {
            let oid = spki.algorithm.parameters_oid().map_err(|_| encoding())?.to_string();
            let curve = Curve::ALL
                .into_iter()
                .find(|curve| curve.oid() == oid)
                .ok_or(KeyError::Unusable("unknown curve"))?;
            if key.len() != 1 + 2 * curve.coordinate_len() || key.first() != Some(&0x04) {
                return Err(KeyError::Encoding("an uncompressed point"));
            }
            Ok(Material::Ec { curve, point: key.to_vec() })
        }
        ED25519 if key.len() == 32 => Ok(Material::Ed25519(key.to_vec())),
        ED448 if key.len() == POINT_LEN => Ok(Material::Ed448(key.to_vec())),
        _ => Err(KeyError::Unusable("unknown kind of public key")),
    }
}
