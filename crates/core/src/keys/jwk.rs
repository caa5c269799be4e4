//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2) that verify or decrypt.
//!
//! A member that is `null` counts as absent. Where no other members give the public key, the first
//! certificate of `x5c` gives it; where other members give the key, the certificate must have the
//! same key. Nothing else of the certificate counts, and `x5u` is never looked at.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PrivateDecryptingKey, PublicKeyComponents};

use crate::crypto::ed448::POINT_LEN;
use crate::jose::alg::Alg;
use crate::jose::enc::{Enc, KeyAlg};
use crate::keys::curve::Curve;
use crate::keys::decrypter::KeyDecrypter;
use crate::keys::error::KeyError;
use crate::keys::material::Material;
use crate::keys::spki;
use crate::text::base64url;
use crate::text::json::{Object, Value};

/// A key of a JWK, with what restricts its use.
#[derive(Debug)]
pub struct Jwk {
    /// The key itself; the public half of a key pair.
    pub material: Material,
    /// `kid` (section 4.5).
    pub kid: Option<String>,
    /// `alg`, where it names a signature algorithm (section 4.4).
    pub alg: Option<Alg>,
    /// Whether the key is for verifying signatures (sections 4.2 to 4.4).
    pub verifies: bool,
    /// The key, parsed for each algorithm that it decrypts; empty where the key is not for
    /// decryption.
    pub decrypters: Vec<KeyDecrypter>,
    /// Whether the JWK holds the private half of a key pair, which verification does not need.
    pub has_private_part: bool,
    /// Whether the JWK has a certificate that cannot be read, so that its key cannot be compared.
    pub has_unreadable_certificate: bool,
}

/// A key without information about its use.
impl From<Material> for Jwk {
    fn from(material: Material) -> Self {
        let decrypters = Vec::new();
        Self {
            kid: None,
            alg: match &material {
                Material::RsaPss { alg, .. } => *alg,
                _ => None,
            },
            verifies: true,
            decrypters,
            has_private_part: false,
            has_unreadable_certificate: false,
            material,
        }
    }
}

/// Reads one JWK.
///
/// # Errors
///
/// [`KeyError::Unusable`] for a key that RFC 7517 section 5 says to ignore: a key of an unknown
/// kind, or a key that is neither for verifying signatures nor for decryption (`use`, `key_ops`,
/// `alg`). Any other error means that the key is broken.
pub fn parse(value: Value<'_>) -> Result<Jwk, KeyError> {
    let jwk = value.as_object().ok_or(KeyError::Member("the JWK"))?;
    let kty = text(jwk, "kty")?.ok_or(KeyError::Member("kty"))?;
    let purpose = Purpose::of(jwk)?;
    // A key that others encrypt with is of no use here, and is not looked at any further.
    let may_decrypt = kty == "oct" || kty == "RSA" && member(jwk, "d").is_some();
    if !purpose.verifies && !may_decrypt {
        return Err(DECRYPTS_NOTHING);
    }
    let certificate = certificate(jwk);
    let has_unreadable_certificate = matches!(certificate, Some(Err(_)));
    let material = match &*kty {
        "RSA" | "EC" | "OKP" => public_key(jwk, &kty, certificate)?,
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
        has_private_part: !matches!(material, Material::Secret(_)) && member(jwk, "d").is_some(),
        has_unreadable_certificate,
        material,
        kid: text(jwk, "kid")?,
        alg: purpose.alg,
        verifies: purpose.verifies,
        decrypters,
    })
}

const DECRYPTS_NOTHING: KeyError =
    KeyError::Unusable("for encryption, but not a key that decrypts here");

/// What a key is for: verifying signatures, decryption or both.
struct Purpose {
    verifies: bool,
    decrypts: bool,
    /// The one signature algorithm that the key is for, if `alg` names one.
    alg: Option<Alg>,
    /// The one encryption algorithm that the key is for, if `alg` names one; for `dir`, it may be
    /// the algorithm of the content.
    encryption: Option<&'static str>,
}

impl Purpose {
    /// Reads `use`, `key_ops` and `alg` (sections 4.2 to 4.4); each of them can only narrow the
    /// purpose.
    fn of(jwk: Object<'_>) -> Result<Self, KeyError> {
        let (mut verifies, mut decrypts) = (true, true);
        match text(jwk, "use")?.as_deref() {
            None => {}
            // SPIFFE names the kind of document that the key signs ("JWT-SVID", section 4).
            Some("sig" | "jwt-svid") => decrypts = false,
            Some("enc") => verifies = false,
            Some(_) => return Err(KeyError::Unusable("\"use\" is neither \"sig\" nor \"enc\"")),
        }
        if let Some(operations) = member(jwk, "key_ops") {
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

/// The name of an encryption algorithm; `None` where the algorithm is not supported.
fn encryption_name(name: &str) -> Option<&'static str> {
    let alg = KeyAlg::ALL.into_iter().find(|alg| alg.is_named(name))?;
    if alg.name() == name { Some(alg.name()) } else { Some(Enc::from_name(name)?.name()) }
}

/// The key, parsed for each algorithm that it decrypts. A secret fits the algorithms that require a
/// secret of its length; among RSA keys, only private keys decrypt.
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
        Material::Rsa { n, e } if member(jwk, "d").is_some() => {
            material.algs()?;
            // RFC 7518 section 6.3.2 allows to leave the primes out, or to have more than two. The
            // public half of such a key verifies nevertheless.
            let has_two_primes = member(jwk, "p").is_some() && member(jwk, "oth").is_none();
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
        Material::Rsa { .. }
        | Material::RsaPss { .. }
        | Material::Ec { .. }
        | Material::Ed25519(_)
        | Material::Ed448(_) => Ok(Vec::new()),
    }
}

/// The private key (RFC 7518 section 6.3.2), after a check that its numbers belong together.
fn rsa_private(jwk: Object<'_>, n: &[u8], e: &[u8]) -> Result<PrivateDecryptingKey, KeyError> {
    if member(jwk, "oth").is_some() {
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

/// The public key: from the members of the JWK or, where these are absent, from the certificate.
/// Where both give the same key, the certificate's is taken, since it may restrict the use of the
/// key.
fn public_key(
    jwk: Object<'_>,
    kty: &str,
    certificate: Option<Result<Material, KeyError>>,
) -> Result<Material, KeyError> {
    let own = || match kty {
        "RSA" => Ok(Material::Rsa { n: number(jwk, "n")?, e: number(jwk, "e")? }),
        "EC" => elliptic(jwk),
        _ => octet_key_pair(jwk),
    };
    let has_own = member(jwk, if kty == "RSA" { "n" } else { "x" }).is_some();
    let agreed = match (certificate, has_own) {
        (None, _) | (Some(Err(_)), true) => return own(),
        (Some(certified), false) => {
            let certified = certified?;
            let names = |name, own: Option<&str>| {
                let mut members = certified.jwk_members().into_iter();
                own.is_none_or(|own| members.any(|(other, value)| other == name && value == own))
            };
            let is_of_kind = names("kty", Some(kty)) && names("crv", text(jwk, "crv")?.as_deref());
            is_of_kind.then_some(certified)
        }
        (Some(Ok(certified)), true) => {
            (certified.jwk_members() == own()?.jwk_members()).then_some(certified)
        }
    };
    // RFC 7517 section 4.7: "The key in the first certificate MUST match the public key represented
    // by other members of the JWK."
    agreed.ok_or(KeyError::Unusable("the certificate in \"x5c\" is of another key"))
}

/// The key of the first certificate; `None` where there is no `x5c` (RFC 7517 section 4.7).
fn certificate(jwk: Object<'_>) -> Option<Result<Material, KeyError>> {
    let chain = member(jwk, "x5c")?;
    let first = chain.as_array().and_then(|mut chain| chain.next()).and_then(Value::as_str);
    let text = first.map(|text| text.replace(|char: char| char.is_ascii_whitespace(), ""));
    let der = text.and_then(|text| decode(&text)).ok_or(KeyError::Member("x5c"));
    Some(der.and_then(|der| spki::from_certificate_der(&der)))
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
        let length = curve.coordinate_len();
        // RFC 7518 section 6.2.1.2 requires "the full size of a coordinate"; some issuers leave out
        // leading zeros, or write the sign octet of DER. The number is the same.
        let number = coordinate.iter().position(|byte| *byte != 0).unwrap_or(coordinate.len());
        let number = coordinate.get(number..).unwrap_or_default();
        if coordinate.is_empty() || coordinate.len() > length + 1 || number.len() > length {
            return Err(KeyError::Member(member));
        }
        point.resize(point.len() + length - number.len(), 0);
        point.extend(number);
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

/// The bytes of a member in base64.
pub(crate) fn bytes(jwk: Object<'_>, member: &'static str) -> Result<Vec<u8>, KeyError> {
    text(jwk, member)?.and_then(|text| decode(&text)).ok_or(KeyError::Member(member))
}

/// Decodes base64url or, as some issuers write it, base64 (RFC 4648 sections 4 and 5), either with
/// all the padding or with none. Tokens are decoded strictly; for a key, a second spelling does no
/// harm.
fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let is_padded_well = padding == 0 || padding <= 2 && text.len().is_multiple_of(4);
    // A mixture of both alphabets is refused: its meaning is unknown.
    if !is_padded_well || digits.contains(['+', '/']) && digits.contains(['-', '_']) {
        return None;
    }
    base64url::decode(digits.replace('+', "-").replace('/', "_").as_bytes())
}

/// A member of a JWK; `None` where it is absent or `null`.
fn member<'a>(jwk: Object<'a>, name: &str) -> Option<Value<'a>> {
    jwk.member(name).filter(|value| value.text() != "null")
}

/// A member that must be a string; another type is an error.
fn text(jwk: Object<'_>, name: &'static str) -> Result<Option<String>, KeyError> {
    match member(jwk, name) {
        None => Ok(None),
        Some(value) => match value.as_str() {
            Some(text) => Ok(Some(text.into_owned())),
            None => Err(KeyError::Member(name)),
        },
    }
}
