//! Public keys in PEM (RFC 7468): `SubjectPublicKeyInfo`, PKCS#1 and X.509 certificates.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
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

/// What stands in texts that hold public keys, white space aside: PEM (that of SSH has four hyphens), JWK
/// (as JSON, as Python shows it, as JSON within JSON), and keys as SSH writes them (RFC 4253 section 6.6).
const PUBLIC_MARKS: [&[u8]; 10] = [
    b"----BEGIN",
    b"-----END",
    b"\"kty\"",
    b"'kty'",
    b"\"kty\\\"",
    b"AAAAB3NzaC1",
    b"AAAAC3NzaC1",
    b"AAAAE2VjZHNhLXNoYTIt",
    b"AAAAGnNrLXNzaC1",
    b"AAAAInNrLWVjZHNhLXNoYTIt",
];

/// How many times over what everyone can read may be encoded to be known still.
const MAX_ENCODINGS: usize = 3;

/// Reads base64 of either alphabet, once it is written in the ordinary one without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Whether `bytes` are a public key or a certificate, of whatever kind, in PEM, in DER, as a JWK, as a
/// point, or as SSH writes it, and perhaps in base64 or hexadecimal digits: what everyone can read.
pub(crate) fn is_public(bytes: &[u8]) -> bool {
    is_public_encoded(bytes, MAX_ENCODINGS)
}

fn is_public_encoded(bytes: &[u8], encodings: usize) -> bool {
    if is_ssh(bytes) || is_der(bytes) || is_point(bytes) {
        return true;
    }
    // Without white space, byte order marks, and the zeros of UTF-16.
    let text: Vec<u8> = bytes.iter().copied().filter(u8::is_ascii_graphic).collect();
    let has = |mark: &&[u8]| text.windows(mark.len()).any(|bytes| bytes == *mark);
    if PUBLIC_MARKS.iter().any(has) {
        return true;
    }
    let Some(encodings) = encodings.checked_sub(1) else { return false };
    [from_hex(&text), from_base64(&text)]
        .into_iter()
        .flatten()
        .any(|bytes| is_public_encoded(&bytes, encodings))
}

/// What these digits stand for.
fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

/// What this is the base64 of, in either alphabet, with padding or without, and perhaps in quotes.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.iter().filter(|byte| !matches!(byte, b'=' | b'"' | b'\''));
    let text = text.map(|byte| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => *byte,
    });
    LENIENT.decode(text.collect::<Vec<u8>>()).ok()
}

/// Whether it is a point on a curve, uncompressed. No random secret is.
fn is_point(bytes: &[u8]) -> bool {
    let is_on = |curve: Curve| {
        let has_length = bytes.len() == 1 + 2 * curve.coordinate_len();
        let point = || Material::Ec { curve, point: bytes.to_vec() }.verifier(curve.alg()).is_ok();
        has_length && bytes.first() == Some(&0x04) && point()
    };
    Curve::ALL.into_iter().any(is_on)
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
