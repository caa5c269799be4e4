//! Public keys in PEM (RFC 7468) and DER: `SubjectPublicKeyInfo`, PKCS#1 and X.509 certificates.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;
use x509_cert::Certificate;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{self, Decode as _, Encode as _, Reader as _, TagMode, TagNumber};
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::crypto::ed448::POINT_LEN;
use crate::jose::alg::Alg;
use crate::keys::KeyError;
use crate::keys::material::{Curve, Material};

const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const MGF1: &str = "1.2.840.113549.1.1.8";
const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const ED25519: &str = "1.3.101.112";
const ED448: &str = "1.3.101.113";

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

/// The longest label of a block that is read.
const MAX_LABEL: usize = 64;

/// What OpenSSL writes before a key of a curve: the curve once more.
const EC_PARAMETERS: &[u8] = b"EC PARAMETERS";

/// RFC 7468 section 3 has padding; who leaves it out says the same.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads every key of a PEM file, in order. Text between the blocks is ignored, as RFC 7468
/// section 5.2 allows.
///
/// # Errors
///
/// The [`KeyError`] of the first block that is no public key, with its index.
pub fn parse(text: &[u8]) -> Result<Vec<Material>, KeyError> {
    let keys = read(text)?.into_iter().enumerate();
    keys.map(|(index, key)| key.map_err(|error| error.in_key(index))).collect()
}

/// Reads a PEM file in the same way, but gives of each block what became of it.
///
/// # Errors
///
/// [`KeyError::Encoding`] where the boundaries of blocks do not belong together: a key would be missing.
pub fn read(text: &[u8]) -> Result<Vec<Result<Material, KeyError>>, KeyError> {
    let mut blocks = blocks(text)?;
    if blocks.iter().any(|block| block.label != EC_PARAMETERS) {
        blocks.retain(|block| block.label != EC_PARAMETERS);
    }
    Ok(blocks.iter().map(Block::key).collect())
}

/// Whether `bytes` hold a block of PEM.
pub fn is_pem(bytes: &[u8]) -> bool {
    memmem::find(bytes, BEGIN).is_some()
}

/// What stands between two boundaries.
struct Block<'a> {
    label: &'a [u8],
    body: &'a [u8],
}

/// The blocks of a text. One that lost its first or last line is an error, not text between others.
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

/// What stands before and after the first occurrence.
fn split<'a>(text: &'a [u8], what: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (before, after) = text.split_at_checked(memmem::find(text, what)?)?;
    Some((before, after.get(what.len()..)?))
}

/// The label that a boundary begins with, and what follows the boundary.
fn label(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (label, after) = split(text, b"-----")?;
    let is_label =
        label.len() <= MAX_LABEL && label.iter().all(|byte| (b' '..=b'~').contains(byte));
    is_label.then_some((label, after))
}

impl Block<'_> {
    fn key(&self) -> Result<Material, KeyError> {
        match self.label {
            b"PUBLIC KEY" => from_spki_der(&self.contents()?),
            b"RSA PUBLIC KEY" => {
                let der = self.contents()?;
                // Some tools write a SubjectPublicKeyInfo under this label.
                Material::rsa_from_der(&der).or_else(|error| from_spki_der(&der).map_err(|_| error))
            }
            b"CERTIFICATE" => from_certificate_der(&self.contents()?),
            label if label.ends_with(b"PRIVATE KEY") => Err(KeyError::PrivateKey),
            _ => Err(KeyError::PemLabel),
        }
    }

    /// The block in DER. White space may stand wherever it likes (RFC 7468 section 3, "laxtextualmsg").
    fn contents(&self) -> Result<Vec<u8>, KeyError> {
        let text: Vec<u8> =
            self.body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        BASE64.decode(text).map_err(|_| KeyError::Encoding("PEM"))
    }
}

/// Reads the key of a certificate. Nothing else of it counts: the operator trusts the key, neither
/// its issuer nor its dates.
pub(crate) fn from_certificate_der(der: &[u8]) -> Result<Material, KeyError> {
    let encoding = |_| KeyError::Encoding("an X.509 certificate");
    let certificate = Certificate::from_der(der).map_err(encoding)?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    from_spki_der(&key.to_der().map_err(encoding)?)
}

/// What a DER sequence holds that begins as those of keys and certificates do, with another or with an
/// integer, and fills `bytes`.
fn sequence(bytes: &[u8]) -> Option<&[u8]> {
    let (length, content) = match bytes {
        [0x30, length @ ..=0x7f, content @ ..] | [0x30, 0x81, length, content @ ..] => {
            (usize::from(*length), content)
        }
        [0x30, 0x82, high, low, content @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), content)
        }
        _ => return None,
    };
    (content.len() == length && matches!(content, [0x30 | 0x02, ..])).then_some(content)
}

/// Whether it is a DER sequence like those of keys and certificates. A random secret of 32 bytes is,
/// once in eight millions; a text is none, though its first letters may say its length.
pub(crate) fn is_der(bytes: &[u8]) -> bool {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    sequence(bytes).is_some() && !bytes.iter().all(is_text)
}

/// Whether it is an `RSAPublicKey` (PKCS#1), to judge by how it begins.
pub(crate) fn is_pkcs1(der: &[u8]) -> bool {
    sequence(der).is_some_and(|content| content.starts_with(&[0x02]))
}

/// Reads a public key in DER: a `SubjectPublicKeyInfo`, a certificate, or RSA's own form (PKCS#1).
///
/// # Errors
///
/// Those of [`from_spki_der`], and [`KeyError::PrivateKey`].
pub fn from_der(der: &[u8]) -> Result<Material, KeyError> {
    // A version comes first in PKCS#8, PKCS#1 (0) and SEC 1 (1): no modulus is so short.
    if let Some([0x02, 0x01, ..]) = sequence(der) {
        return Err(KeyError::PrivateKey);
    }
    if is_pkcs1(der) {
        return Material::rsa_from_der(der);
    }
    if Certificate::from_der(der).is_ok() { from_certificate_der(der) } else { from_spki_der(der) }
}

/// Reads a `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1.2.7).
///
/// # Errors
///
/// [`KeyError::Encoding`], or [`KeyError::Unusable`] for a kind of key that is not supported, or for
/// another purpose.
pub fn from_spki_der(der: &[u8]) -> Result<Material, KeyError> {
    let encoding = || KeyError::Encoding("a public key in DER");
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| encoding())?;
    let key = spki.subject_public_key.as_bytes().ok_or_else(encoding)?;
    let parameters = spki.algorithm.parameters;
    match spki.algorithm.oid.to_string().as_str() {
        // RFC 3279 section 2.3.1: "The parameters field MUST have ASN.1 type NULL".
        RSA_ENCRYPTION if parameters.is_none_or(AnyRef::is_null) => Material::rsa_from_der(key),
        RSASSA_PSS => {
            let alg = parameters.map(pss_alg).transpose()?;
            match Material::rsa_from_der(key)? {
                Material::Rsa { n, e } => Ok(Material::RsaPss { n, e, alg }),
                _ => Err(encoding()),
            }
        }
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
        // RFC 8410 section 3: "the parameters MUST be absent".
        ED25519 if parameters.is_none() && key.len() == 32 => Ok(Material::Ed25519(key.to_vec())),
        ED448 if parameters.is_none() && key.len() == POINT_LEN => {
            Ok(Material::Ed448(key.to_vec()))
        }
        _ => Err(KeyError::Unusable("unknown kind of public key")),
    }
}

/// The one algorithm that `RSASSA-PSS-params` leave to a key (RFC 4055 section 3.1): RFC 7518 section
/// 3.5 wants MGF1 with the same hash, and a salt as long as its output.
fn pss_alg(parameters: AnyRef<'_>) -> Result<Alg, KeyError> {
    let fields = parameters.sequence(|reader| -> der::Result<_> {
        let mode = TagMode::Explicit;
        Ok((
            reader.context_specific::<AlgorithmIdentifierRef<'_>>(TagNumber(0), mode)?,
            reader.context_specific::<AlgorithmIdentifierRef<'_>>(TagNumber(1), mode)?,
            reader.context_specific::<u32>(TagNumber(2), mode)?,
            reader.context_specific::<u32>(TagNumber(3), mode)?,
        ))
    });
    let (hash, mask, salt, trailer) =
        fields.map_err(|_| KeyError::Encoding("parameters of RSASSA-PSS"))?;
    let unusable = KeyError::Unusable("RSASSA-PSS, but not as PS256, PS384 or PS512 have it");
    let oid = |algorithm: AlgorithmIdentifierRef<'_>| algorithm.oid.to_string();
    let hash = hash.map(oid);
    let mask = mask.filter(|mask| oid(*mask) == MGF1).and_then(|mask| mask.parameters);
    let mask = mask.and_then(|hash| hash.decode_as::<AlgorithmIdentifierRef<'_>>().ok()).map(oid);
    let (alg, length) = match hash.as_deref() {
        Some("2.16.840.1.101.3.4.2.1") => (Alg::PS256, 32),
        Some("2.16.840.1.101.3.4.2.2") => (Alg::PS384, 48),
        Some("2.16.840.1.101.3.4.2.3") => (Alg::PS512, 64),
        _ => return Err(unusable),
    };
    // Those that are left out are SHA-1 with MGF1, 20 and 1. The salt is the shortest that is allowed.
    let fits = mask == hash && salt.unwrap_or(20) <= length && trailer.unwrap_or(1) == 1;
    if fits { Ok(alg) } else { Err(unusable) }
}

/// The `RSASSA-PSS-params` of a key for `alg`, as [`pss_alg`] reads them.
fn pss_parameters(alg: Alg) -> Option<Vec<u8>> {
    let (hash, length) = match alg {
        Alg::PS256 => (1, 32),
        Alg::PS384 => (2, 48),
        Alg::PS512 => (3, 64),
        _ => return None,
    };
    let hash = [0x30, 0x0d, 0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, hash, 0x05, 0x00];
    let mgf1 = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
    let salt = [0xa2, 3, 0x02, 1, length];
    let hash_field = [&[0xa0, 15][..], &hash].concat();
    let mask_field = [&[0xa1, 28, 0x30, 26][..], &mgf1, &hash].concat();
    Some([&[0x30, 52][..], &hash_field, &mask_field, &salt].concat())
}

/// The `SubjectPublicKeyInfo` of RSA, marked as one for RSASSA-PSS.
pub(crate) fn to_pss_spki_der(rsa: &[u8], alg: Option<Alg>) -> Option<Vec<u8>> {
    let spki = SubjectPublicKeyInfoRef::from_der(rsa).ok()?;
    let parameters = alg.map(|alg| pss_parameters(alg).unwrap_or_default());
    let parameters = parameters.as_deref().map(AnyRef::from_der).transpose().ok()?;
    let algorithm = AlgorithmIdentifierRef { oid: RSASSA_PSS.parse().ok()?, parameters };
    SubjectPublicKeyInfoRef { algorithm, ..spki }.to_der().ok()
}
