//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2), as far as they verify or
//! decrypt.
//!
//! `x5u`, `x5c` and their kin are never looked at.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PrivateDecryptingKey, PublicKeyComponents};

use crate::alg::Alg;
use crate::base64url;
use crate::decrypter::KeyDecrypter;
use crate::ed448::POINT_LEN;
use crate::enc::{Enc, KeyAlg};
use crate::json::{Object, Value};
use crate::keys::KeyError;
use crate::material::{Curve, Material};

/// A key of a JWK, with what restricts its use.
#[derive(Debug)]
pub struct Jwk {
    /// The key itself; of a pair its public half.
    pub material: Material,
    /// `kid` (section 4.5).
    pub kid: Option<String>,
    /// `alg`, where it names a signature algorithm (section 4.4).
    pub alg: Option<Alg>,
    /// Whether it is for verifying signatures (sections 4.2 to 4.4).
    pub verifies: bool,
    /// The key parsed for each algorithm that it decrypts; none where it is not for that.
    pub decrypters: Vec<KeyDecrypter>,
    /// Whether it holds the private half of a key pair, which verifying has no use for.
    pub has_private_part: bool,
}

/// A key that comes without a word about its use.
impl From<Material> for Jwk {
    fn from(material: Material) -> Self {
        let decrypters = Vec::new();
        Self { material, kid: None, alg: None, verifies: true, decrypters, has_private_part: false }
    }
}

/// Reads one JWK.
///
/// # Errors
///
/// [`KeyError::Unusable`] for a key that RFC 7517 section 5 wants ignored: of an unknown kind, or
/// neither for verifying signatures nor for decryption (`use`, `key_ops`, `alg`). Any other error
/// is a broken key.
pub fn parse(value: Value<'_>) -> Result<Jwk, KeyError> {
    let jwk = value.as_object().ok_or(KeyError::Member("the JWK"))?;
    let kty = text(jwk, "kty")?.ok_or(KeyError::Member("kty"))?;
    let purpose = Purpose::of(jwk)?;
    // What is for others to encrypt with is not looked at any further.
    let may_decrypt = kty == "oct" || kty == "RSA" && jwk.member("d").is_some();
    if !purpose.verifies && !may_decrypt {
        return Err(DECRYPTS_NOTHING);
    }
    let material = match &*kty {
        "RSA" => Material::Rsa { n: number(jwk, "n")?, e: number(jwk, "e")? },
        "EC" => elliptic(jwk)?,
        "OKP" => octet_key_pair(jwk)?,
        "oct" => Material::secret(bytes(jwk, "k")?)?,
        _ => return Err(KeyError::Unusable("unknown \"kty\"")),
    };
    if let Some(alg) = purpose.alg
        && !material.algs()?.contains(&alg)
    {
        return Err(KeyError::NotForAlgorithm { alg: alg.name() });
    }
    let decrypters = if purpose.decrypts { decrypters(jwk, &material, &purpose)? } else { vec![] };
    if !purpose.verifies && decrypters.is_empty() {
        return Err(DECRYPTS_NOTHING);
    }
    Ok(Jwk {
        has_private_part: !matches!(material, Material::Secret(_)) && jwk.member("d").is_some(),
        material,
        kid: text(jwk, "kid")?,
        alg: purpose.alg,
        verifies: purpose.verifies,
        decrypters,
    })
}

const DECRYPTS_NOTHING: KeyError =
    KeyError::Unusable("for encryption, but not a key that decrypts here");

/// What a key is meant for; at least one of the two.
struct Purpose {
    verifies: bool,
    decrypts: bool,
    /// The one signature algorithm that it is for.
    alg: Option<Alg>,
    /// The one algorithm of encryption that it is for, or for `dir` that of the content.
    encryption: Option<&'static str>,
}

impl Purpose {
    /// Reads `use`, `key_ops` and `alg` (sections 4.2 to 4.4), of which each may narrow the others.
    fn of(jwk: Object<'_>) -> Result<Self, KeyError> {
        let (mut verifies, mut decrypts) = (true, true);
        match text(jwk, "use")?.as_deref() {
            None => {}
            Some("sig") => decrypts = false,
            Some("enc") => verifies = false,
            Some(_) => return Err(KeyError::Unusable("\"use\" is neither \"sig\" nor \"enc\"")),
        }
        if let Some(operations) = jwk.member("key_ops") {
            let mut operations: Vec<_> = operations
                .as_array()
                .and_then(|elements| elements.map(Value::as_str).collect::<Option<Vec<_>>>())
                .ok_or(KeyError::Member("key_ops"))?;
            verifies &= operations.iter().any(|operation| operation == "verify");
            decrypts &= operations.iter().any(|name| name == "decrypt" || name == "unwrapKey");
            // Section 4.3: "Duplicate key operation values MUST NOT be present in the array."
            operations.sort_unstable();
            if !operations.is_sorted_by(|a, b| a < b) {
                return Err(KeyError::Member("key_ops"));
            }
        }
        let name = text(jwk, "alg")?;
        let alg = name.as_deref().and_then(Alg::from_name);
        let encryption = name.as_deref().and_then(encryption_name);
        if name.is_some() {
            if alg.is_none() && encryption.is_none() {
                return Err(KeyError::Unusable("\"alg\" is no algorithm that is supported"));
            }
            verifies &= alg.is_some();
            decrypts &= encryption.is_some();
        }
        if !verifies && !decrypts {
            let why = "\"use\", \"key_ops\" and \"alg\" leave neither \"verify\" nor \"decrypt\"";
            return Err(KeyError::Unusable(why));
        }
        Ok(Self { verifies, decrypts, alg, encryption })
    }

    fn admits(&self, alg: KeyAlg) -> bool {
        self.encryption.is_none_or(|name| alg.is_named(name))
    }
}

/// The name of an algorithm of encryption, as far as it is supported.
fn encryption_name(name: &str) -> Option<&'static str> {
    let alg = KeyAlg::ALL.into_iter().find(|alg| alg.is_named(name))?;
    if alg.name() == name { Some(alg.name()) } else { Some(Enc::from_name(name)?.name()) }
}

/// The key, parsed for each algorithm that it decrypts. A secret serves those that want one of its
/// length; of RSA keys only private ones decrypt.
fn decrypters(
    jwk: Object<'_>,
    material: &Material,
    purpose: &Purpose,
) -> Result<Vec<KeyDecrypter>, KeyError> {
    let admitted = KeyAlg::ALL.into_iter().filter(|alg| purpose.admits(*alg));
    match material {
        Material::Secret(secret) => {
            let fitting: Vec<KeyAlg> =
                admitted.filter(|alg| alg.secret_len() == Some(secret.len())).collect();
            match purpose.encryption {
                Some(alg) if fitting.is_empty() => Err(KeyError::NotForAlgorithm { alg }),
                _ => fitting.into_iter().map(|alg| KeyDecrypter::of_secret(alg, secret)).collect(),
            }
        }
        Material::Rsa { n, e } if jwk.member("d").is_some() => {
            material.algs()?;
            // RFC 7518 section 6.3.2 allows to leave the primes out, or to have more than two. The
            // public half serves all the same.
            let has_two_primes = jwk.member("p").is_some() && jwk.member("oth").is_none();
            if purpose.verifies && !has_two_primes {
                return Ok(Vec::new());
            }
            let key = rsa_private(jwk, n, e)?;
            let fitting: Vec<KeyAlg> = admitted.filter(|alg| alg.secret_len().is_none()).collect();
            match purpose.encryption {
                Some(alg) if fitting.is_empty() => Err(KeyError::NotForAlgorithm { alg }),
                _ => fitting.into_iter().map(|alg| KeyDecrypter::of_rsa(alg, &key)).collect(),
            }
        }
        Material::Rsa { .. } | Material::Ec { .. } | Material::Ed25519(_) | Material::Ed448(_) => {
            Ok(Vec::new())
        }
    }
}

/// The private key (RFC 7518 section 6.3.2), once its numbers are known to belong together.
fn rsa_private(jwk: Object<'_>, n: &[u8], e: &[u8]) -> Result<PrivateDecryptingKey, KeyError> {
    if jwk.member("oth").is_some() {
        return Err(KeyError::Unusable("an RSA key of more than two primes"));
    }
    let (n, e) = (n.to_vec(), e.to_vec());
    let pair = KeyPair::from_components(&KeyPairComponents {
        public_key: PublicKeyComponents { n, e },
        d: number(jwk, "d")?,
        p: number(jwk, "p")?,
        q: number(jwk, "q")?,
        dP: number(jwk, "dp")?,
        dQ: number(jwk, "dq")?,
        qInv: number(jwk, "qi")?,
    });
    let broken = || KeyError::Encoding("an RSA private key");
    let der: Pkcs8V1Der<'_> = pair.map_err(|_| broken())?.as_der().map_err(|_| broken())?;
    PrivateDecryptingKey::from_pkcs8(der.as_ref()).map_err(|_| broken())
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
    let x = |length| match bytes(jwk, "x") {
        Ok(x) if x.len() != length => Err(KeyError::Member("x")),
        other => other,
    };
    match text(jwk, "crv")?.as_deref() {
        Some("Ed25519") => Ok(Material::Ed25519(x(32)?)),
        Some("Ed448") => Ok(Material::Ed448(x(POINT_LEN)?)),
        Some(_) => Err(KeyError::Unusable("unknown \"crv\"")),
        None => Err(KeyError::Member("crv")),
    }
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
