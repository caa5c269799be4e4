//! The content of a JWE: decryption with authentication (RFC 7518 section 5).

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

use crate::compact::Jwe;
use crate::enc::Enc;

/// The octets of a tag of AES GCM (RFC 7518 sections 4.7 and 5.3).
pub(crate) const GCM_TAG_LEN: usize = 16;

/// The content of a token, if `cek` is the key that it was encrypted with and nothing of the token
/// was changed since.
pub(crate) fn open(enc: Enc, cek: &[u8], jwe: &Jwe<'_>) -> Option<Vec<u8>> {
    let algorithms = match enc {
        Enc::A128Gcm => return open_gcm(&aead::AES_128_GCM, cek, jwe),
        Enc::A192Gcm => return open_gcm(&aead::AES_192_GCM, cek, jwe),
        Enc::A256Gcm => return open_gcm(&aead::AES_256_GCM, cek, jwe),
        Enc::A128CbcHs256 => CbcHmac::A128_HS256,
        Enc::A192CbcHs384 => CbcHmac::A192_HS384,
        Enc::A256CbcHs512 => CbcHmac::A256_HS512,
    };
    algorithms.open(cek, jwe)
}

fn open_gcm(algorithm: &'static aead::Algorithm, cek: &[u8], jwe: &Jwe<'_>) -> Option<Vec<u8>> {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, cek).ok()?);
    open_sealed(&key, &jwe.iv, jwe.aad, &jwe.ciphertext, &jwe.tag)
}

/// AES GCM with an IV of 96 bits and a tag of 128: "the use of" no other is allowed (sections 4.7
/// and 5.3), and a short tag would be quickly guessed.
pub(crate) fn open_sealed(
    key: &LessSafeKey,
    iv: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
    tag: &[u8],
) -> Option<Vec<u8>> {
    let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
    if tag.len() != GCM_TAG_LEN {
        return None;
    }
    let mut content = vec![0; ciphertext.len()];
    key.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, &mut content).ok()?;
    Some(content)
}

/// `AES_CBC_HMAC_SHA2` (section 5.2): a key for the tag and one for the content, of one length.
#[derive(Clone, Copy)]
pub(crate) struct CbcHmac {
    pub(crate) cipher: &'static cipher::Algorithm,
    hmac: &'static hmac::Algorithm,
    /// The octets of either key, and of the tag (sections 5.2.3 to 5.2.5).
    half: usize,
}

impl CbcHmac {
    pub(crate) const A128_HS256: Self =
        Self { cipher: &cipher::AES_128, hmac: &hmac::HMAC_SHA256, half: 16 };
    pub(crate) const A192_HS384: Self =
        Self { cipher: &cipher::AES_192, hmac: &hmac::HMAC_SHA384, half: 24 };
    pub(crate) const A256_HS512: Self =
        Self { cipher: &cipher::AES_256, hmac: &hmac::HMAC_SHA512, half: 32 };

    /// Section 5.2.2.2: the tag is checked first; of what it does not cover nothing is decrypted, so
    /// that nothing can be learnt from the padding.
    fn open(self, cek: &[u8], jwe: &Jwe<'_>) -> Option<Vec<u8>> {
        let (mac_key, enc_key) = cek.split_at_checked(self.half)?;
        let tag = self.tag(mac_key, jwe.aad, &jwe.iv, &jwe.ciphertext);
        verify_slices_are_equal(tag.as_ref().get(..self.half)?, &jwe.tag).ok()?;
        let key = UnboundCipherKey::new(self.cipher, enc_key).ok()?;
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
        let iv = FixedLength::try_from(&jwe.iv[..]).ok()?;
        let mut content = jwe.ciphertext.clone();
        let length = key.decrypt(&mut content, DecryptionContext::Iv128(iv)).ok()?.len();
        content.truncate(length);
        Some(content)
    }

    /// The HMAC of which the tag is the first half (section 5.2.2.1, steps 4 and 5).
    pub(crate) fn tag(self, key: &[u8], aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&hmac::Key::new(*self.hmac, key));
        context.update(aad);
        context.update(iv);
        context.update(ciphertext);
        // AL: "the number of bits in the AAD expressed as a 64-bit unsigned big-endian integer".
        context.update(&(aad.len() as u64 * 8).to_be_bytes());
        context.sign()
    }
}
