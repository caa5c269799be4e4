//! Recognizes keys and certificates in DER; reads and writes the parameters of RSASSA-PSS keys.

use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{self, Decode as _, Encode as _, Reader as _, TagMode, TagNumber};
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::jose::alg::Alg;
use crate::keys::error::KeyError;

const MGF1: &str = "1.2.840.113549.1.1.8";
pub(super) const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";

/// The contents of a DER sequence that fills `bytes` and begins as keys and certificates do, with
/// another sequence or with an integer.
pub(super) fn sequence(bytes: &[u8]) -> Option<&[u8]> {
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

/// Whether `bytes` are a DER sequence like those of keys and certificates. One in eight million
/// random secrets of 32 bytes is; a text never is, even where its first letters could be a tag and
/// a length.
pub(crate) fn is_der(bytes: &[u8]) -> bool {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    sequence(bytes).is_some() && !bytes.iter().all(is_text)
}

/// Whether `der` is an `RSAPublicKey` (PKCS#1), judging by how it begins.
pub(crate) fn is_pkcs1(der: &[u8]) -> bool {
    sequence(der).is_some_and(|content| content.starts_with(&[0x02]))
}

/// The one algorithm that `RSASSA-PSS-params` allow for a key (RFC 4055 section 3.1): RFC 7518
/// section 3.5 requires MGF1 with the same hash, and a salt as long as the output of that hash.
pub(super) fn pss_alg(parameters: AnyRef<'_>) -> Result<Alg, KeyError> {
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
    // The defaults of fields that are left out are SHA-1, MGF1 with SHA-1, 20 and 1. The length of
    // the salt is the minimum that is allowed.
    let fits = mask == hash && salt.unwrap_or(20) <= length && trailer.unwrap_or(1) == 1;
    if fits { Ok(alg) } else { Err(unusable) }
}

/// The `RSASSA-PSS-params` of a key for `alg`, in the form that [`pss_alg`] reads.
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

/// The `SubjectPublicKeyInfo` of an RSA key, changed into one for RSASSA-PSS.
pub(super) fn to_pss_spki(rsa: &[u8], alg: Option<Alg>) -> Option<Vec<u8>> {
    let spki = SubjectPublicKeyInfoRef::from_der(rsa).ok()?;
    let parameters = alg.map(|alg| pss_parameters(alg).unwrap_or_default());
    let parameters = parameters.as_deref().map(AnyRef::from_der).transpose().ok()?;
    let algorithm = AlgorithmIdentifierRef { oid: RSASSA_PSS.parse().ok()?, parameters };
    SubjectPublicKeyInfoRef { algorithm, ..spki }.to_der().ok()
}
