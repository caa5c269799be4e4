//! Public keys in DER: `SubjectPublicKeyInfo`, PKCS#1 and X.509 certificates.

use x509_cert::Certificate;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::crypto::ed448::POINT_LEN;
use crate::keys::curve::Curve;
use crate::keys::der::{RSASSA_PSS, is_pkcs1, pss_alg, sequence};
use crate::keys::error::KeyError;
use crate::keys::material::Material;

const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const ED25519: &str = "1.3.101.112";
const ED448: &str = "1.3.101.113";

/// Reads a public key in DER: a `SubjectPublicKeyInfo`, a certificate, or an `RSAPublicKey`
/// (PKCS#1).
///
/// # Errors
///
/// The errors of [`from_spki_der`], and [`KeyError::PrivateKey`] for a private key.
pub fn from_der(der: &[u8]) -> Result<Material, KeyError> {
    // PKCS#8, PKCS#1 (0) and SEC 1 (1) begin with a version, which is shorter than any modulus.
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
/// [`KeyError::Encoding`] for broken DER; [`KeyError::Unusable`] for a kind of key that is not
/// supported, or for a key with another purpose.
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

/// Reads the key of a certificate. Nothing else of the certificate counts: the operator trusts the
/// key itself, not the issuer or the dates.
pub(crate) fn from_certificate_der(der: &[u8]) -> Result<Material, KeyError> {
    let encoding = |_| KeyError::Encoding("an X.509 certificate");
    let certificate = Certificate::from_der(der).map_err(encoding)?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    from_spki_der(&key.to_der().map_err(encoding)?)
}
