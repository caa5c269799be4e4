//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2), as far as they verify.
//!
//! `x5u`, `x5c` and their kin are never looked at.

use crate::alg::Alg;
use crate::base64url;
use crate::json::{Object, Value};
use crate::keys::KeyError;
use crate::material::{Curve, Material};
use crate::pem;

/// A key of a JWK, with what restricts its use.
#[derive(Debug)]
pub struct Jwk {
    /// The key itself.
    pub material: Material,
    /// `kid` (section 4.5).
    pub kid: Option<String>,
    /// `alg`, where it names a signature algorithm (section 4.4).
    pub alg: Option<Alg>,
    /// Whether it holds the private half of a key pair, which a verifier has no use for.
    pub has_private_part: bool,
}

/// Reads one JWK.
///
/// # Errors
///
/// [`KeyError::Unusable`] for a key that RFC 7517 section 5 wants ignored: of an unknown kind, or
/// not for verifying signatures (`use`, `key_ops`, `alg`). Any other error is a broken key.
pub fn parse(value: Value<'_>) -> Result<Jwk, KeyError> {
    let jwk = value.as_object().ok_or(KeyError::Member("the JWK"))?;
    let kty = text(jwk, "kty")?.ok_or(KeyError::Member("kty"))?;
    let alg = usable_alg(jwk)?;
    let material = match &*kty {
        "RSA" => Material::Rsa { n: number(jwk, "n")?, e: number(jwk, "e")? },
        "EC" => elliptic(jwk)?,
        "OKP" => octet_key_pair(jwk)?,
        "oct" => secret(jwk)?,
        _ => return Err(KeyError::Unusable("unknown \"kty\"")),
    };
    if let Some(alg) = alg
        && !material.algs()?.contains(&alg)
    {
        return Err(KeyError::NotForAlgorithm { alg });
    }
    let has_private_part = !matches!(material, Material::Secret(_)) && jwk.member("d").is_some();
    Ok(Jwk { material, kid: text(jwk, "kid")?, alg, has_private_part })
}

/// Refuses a key that is not meant for verifying (sections 4.2 to 4.4).
fn usable_alg(jwk: Object<'_>) -> Result<Option<Alg>, KeyError> {
    if text(jwk, "use")?.is_some_and(|usage| usage != "sig") {
        return Err(KeyError::Unusable("\"use\" is not \"sig\""));
    }
    if let Some(operations) = jwk.member("key_ops") {
        let mut operations: Vec<_> = operations
            .as_array()
            .and_then(|elements| elements.map(Value::as_str).collect::<Option<Vec<_>>>())
            .ok_or(KeyError::Member("key_ops"))?;
        if !operations.iter().any(|operation| operation == "verify") {
            return Err(KeyError::Unusable("\"key_ops\" does not hold \"verify\""));
        }
        // Section 4.3: "Duplicate key operation values MUST NOT be present in the array."
        operations.sort_unstable();
        if !operations.is_sorted_by(|a, b| a < b) {
            return Err(KeyError::Member("key_ops"));
        }
    }
    match text(jwk, "alg")? {
        None => Ok(None),
        Some(name) => match Alg::from_name(&name) {
            Some(alg) => Ok(Some(alg)),
            None => Err(KeyError::Unusable("\"alg\" is no signature algorithm that is supported")),
        },
    }
}

fn elliptic(jwk: Object<'_>) -> Result<Material, KeyError> {
    let name = text(jwk, "crv")?.ok_or(KeyError::Member("crv"))?;
    let curve = Curve::ALL
        .into_iter()
        .find(|curve| curve.name() == name)
        .ok_or(KeyError::Unusable("unknown \"crv\""))?;
    let mut point = vec![0x04];
    for member in ["x", "y"] {
        let coordinate = bytes(jwk, member)?;
        // RFC 7518 section 6.2.1.2: "the full size of a coordinate".
        if coordinate.len() != curve.coordinate_len() {
            return Err(KeyError::Member(member));
        }
        point.extend(coordinate);
    }
    Ok(Material::Ec { curve, point })
}

fn octet_key_pair(jwk: Object<'_>) -> Result<Material, KeyError> {
    match text(jwk, "crv")?.as_deref() {
        Some("Ed25519") => {
            let x = bytes(jwk, "x")?;
            if x.len() == 32 { Ok(Material::Ed25519(x)) } else { Err(KeyError::Member("x")) }
        }
        Some(_) => Err(KeyError::Unusable("unknown \"crv\"")),
        None => Err(KeyError::Member("crv")),
    }
}

fn secret(jwk: Object<'_>) -> Result<Material, KeyError> {
    let secret = bytes(jwk, "k")?;
    // What everyone can read is no secret.
    if pem::is_public(&secret) {
        return Err(KeyError::PublicKeyAsSecret);
    }
    Ok(Material::Secret(secret))
}

/// A `Base64urlUInt` (RFC 7518 section 2), without the leading zeros that some issuers add.
fn number(jwk: Object<'_>, member: &'static str) -> Result<Vec<u8>, KeyError> {
    let bytes = bytes(jwk, member)?;
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    if significant.is_empty() { Err(KeyError::Member(member)) } else { Ok(significant) }
}

fn bytes(jwk: Object<'_>, member: &'static str) -> Result<Vec<u8>, KeyError> {
    text(jwk, member)?
        .and_then(|text| base64url::decode(text.as_bytes()))
        .ok_or(KeyError::Member(member))
}

/// A string member; one of another type is broken.
fn text(jwk: Object<'_>, member: &'static str) -> Result<Option<String>, KeyError> {
    match jwk.member(member) {
        None => Ok(None),
        Some(value) => match value.as_str() {
            Some(text) => Ok(Some(text.into_owned())),
            None => Err(KeyError::Member(member)),
        },
    }
}
