//! Making encrypted tokens, for tests.
//!
//! Nothing here is part of the nginx module.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    EncryptingKey, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};
use serde_json::{Map, Value as JsonValue};

use crate::crypto::key_wrap;
use crate::issue::sign::SignError;
use crate::jose::enc::{Enc, KeyAlg};
use crate::keys::content_encryption::CbcHmac;
use crate::keys::decrypter::{aes, aes_gcm, rsa_oaep};
use crate::keys::material::Material;
use crate::text::base64url;

/// Encrypts `plaintext` to the holder of `key`, a shared secret or an RSA key (the public half is
/// enough). The result is a compact JWE whose header holds `alg`, `enc` and, if given, `kid` and
/// `cty`.
///
/// # Errors
///
/// [`SignError::NotForEncryption`] where the key does not fit `alg`, or where `alg` is `dir` for
/// another `enc`.
pub fn encrypt(
    plaintext: &[u8],
    key: &Material,
    alg: KeyAlg,
    enc: Enc,
    kid: Option<&str>,
    cty: Option<&str>,
) -> Result<String, SignError> {
    let mut header = Map::new();
    header.insert("alg".into(), alg.name().into());
    header.insert("enc".into(), enc.name().into());
    for (name, value) in [("kid", kid), ("cty", cty)] {
        if let Some(value) = value {
            header.insert(name.into(), value.into());
        }
    }
    encrypt_with_header(plaintext, key, alg, enc, header)
}

/// Encrypts with a header that is used as it is, so that tests can make any header; only `iv` and
/// `tag` of a key that is wrapped with AES GCM are added.
///
/// # Errors
///
/// The errors of [`encrypt`].
pub fn encrypt_with_header(
    plaintext: &[u8],
    key: &Material,
    alg: KeyAlg,
    enc: Enc,
    mut header: Map<String, JsonValue>,
) -> Result<String, SignError> {
    let wrong = SignError::NotForEncryption { alg };
    let mut cek = random(enc.cek_len())?;
    let encrypted_key = match key {
        Material::Secret(secret) if alg.secret_len() == Some(secret.len()) => {
            if let Some(algorithm) = aes(alg) {
                let kek = UnboundCipherKey::new(algorithm, secret).and_then(EncryptingKey::ecb);
                let kek = kek.map_err(crypto)?;
                key_wrap::wrap(&kek, &cek).ok_or(SignError::Crypto)?
            } else if let Some(algorithm) = aes_gcm(alg) {
                let sealed = Sealed::gcm(algorithm, secret, b"", &cek)?;
                header.insert("iv".into(), base64url::encode(&sealed.iv).into());
                header.insert("tag".into(), base64url::encode(&sealed.tag).into());
                sealed.ciphertext
            } else if alg == KeyAlg::Dir(enc) {
                cek.clone_from(secret);
                Vec::new()
            } else {
                return Err(wrong);
            }
        }
        Material::Rsa { .. } => {
            let algorithm = rsa_oaep(alg).ok_or(wrong)?;
            let key = key.to_spki_der().ok_or(SignError::Crypto)?;
            let key = PublicEncryptingKey::from_der(&key).map_err(|_| SignError::Crypto)?;
            let key = OaepPublicEncryptingKey::new(key).map_err(crypto)?;
            let mut output = vec![0; key.ciphertext_size()];
            key.encrypt(algorithm, &cek, &mut output, None).map_err(crypto)?.to_vec()
        }
        Material::Secret(_)
        | Material::RsaPss { .. }
        | Material::Ec { .. }
        | Material::Ed25519(_)
        | Material::Ed448(_) => return Err(wrong),
    };
    let header = base64url::encode(JsonValue::Object(header).to_string().as_bytes());
    let sealed = Sealed::content(enc, &cek, header.as_bytes(), plaintext)?;
    let parts = [encrypted_key, sealed.iv, sealed.ciphertext, sealed.tag];
    let [key, iv, ciphertext, tag] = parts.map(|part| base64url::encode(&part));
    Ok(format!("{header}.{key}.{iv}.{ciphertext}.{tag}"))
}

struct Sealed {
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl Sealed {
    fn content(enc: Enc, cek: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Self, SignError> {
        match enc {
            Enc::A128Gcm => Self::gcm(&aead::AES_128_GCM, cek, aad, plaintext),
            Enc::A192Gcm => Self::gcm(&aead::AES_192_GCM, cek, aad, plaintext),
            Enc::A256Gcm => Self::gcm(&aead::AES_256_GCM, cek, aad, plaintext),
            Enc::A128CbcHs256 => Self::cbc_hmac(CbcHmac::A128_HS256, cek, aad, plaintext),
            Enc::A192CbcHs384 => Self::cbc_hmac(CbcHmac::A192_HS384, cek, aad, plaintext),
            Enc::A256CbcHs512 => Self::cbc_hmac(CbcHmac::A256_HS512, cek, aad, plaintext),
        }
    }

    fn gcm(
        algorithm: &'static aead::Algorithm,
        key: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Self, SignError> {
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).map_err(crypto)?);
        let iv = random(algorithm.nonce_len())?;
        let nonce = Nonce::try_assume_unique_for_key(&iv).map_err(crypto)?;
        let mut ciphertext = plaintext.to_vec();
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut ciphertext);
        Ok(Self { iv, ciphertext, tag: tag.map_err(crypto)?.as_ref().to_vec() })
    }

    fn cbc_hmac(
        algorithms: CbcHmac,
        cek: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Self, SignError> {
        let half = cek.len() / 2;
        let (mac_key, enc_key) = cek.split_at_checked(half).ok_or(SignError::Crypto)?;
        let iv = random(16)?;
        let key = UnboundCipherKey::new(algorithms.cipher, enc_key).map_err(crypto)?;
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(crypto)?;
        let mut ciphertext = plaintext.to_vec();
        let context = EncryptionContext::Iv128(FixedLength::try_from(&iv[..]).map_err(crypto)?);
        key.less_safe_encrypt(&mut ciphertext, context).map_err(crypto)?;
        let tag = algorithms.tag(mac_key, aad, &iv, &ciphertext);
        let tag = tag.as_ref().get(..half).ok_or(SignError::Crypto)?.to_vec();
        Ok(Self { iv, ciphertext, tag })
    }
}

fn random(length: usize) -> Result<Vec<u8>, SignError> {
    let mut bytes = vec![0; length];
    rand::fill(&mut bytes).map_err(crypto)?;
    Ok(bytes)
}

fn crypto(_: aws_lc_rs::error::Unspecified) -> SignError {
    SignError::Crypto
}
