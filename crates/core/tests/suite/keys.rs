//! Key files: which keys are taken, which are refused, and what the operator is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ojwt_core::denial::Defect;
use ojwt_core::issue::sign::{self, SigningKey};
use ojwt_core::keys::material::Material;
use ojwt_core::keys::{KeyError, MAX_CANDIDATES, MAX_KEY_FILE_SIZE, MAX_WARNINGS};
use ojwt_core::text::base64url;
use ojwt_core::{Alg, Denial, KeyAlg, KeyFormat, KeySet, KeySetBuilder};
use serde_json::{Value, json};

use crate::common::{
    Kind, PAYLOAD, bare_jwk, base64, data, judge, jwks, key, key_set, refusal, token, verifier,
    with,
};

fn load(file: impl AsRef<[u8]>, format: Option<KeyFormat>) -> Result<(KeySet, String), KeyError> {
    let mut builder = KeySetBuilder::new();
    builder.add(file.as_ref(), format)?;
    let (keys, warnings) = builder.build();
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    Ok((keys, warnings.join("\n")))
}

fn load_error(file: impl AsRef<[u8]>) -> KeyError {
    load(file, None).expect_err("the file was accepted")
}

fn jwks_text(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// Why none of the keys of a file is usable, by their places.
fn none_usable<const N: usize>(reasons: [(usize, KeyError); N]) -> KeyError {
    KeyError::of_all(reasons.into_iter().map(|(index, error)| error.in_key(index)).collect())
}

/// What the operator reads about a key that is skipped, which stands second in its set.
fn warning_in_set(jwk: &Value) -> String {
    let (keys, warnings) =
        load(jwks_text(&[bare_jwk(Alg::ES384), jwk.clone()]), None).expect("the set was refused");
    judge(&verifier(keys), token(Alg::ES384)).unwrap();
    warnings
}

fn pem_of(alg: Alg) -> String {
    sign::public_pem(&Kind::of(alg).material()).unwrap()
}

fn oct(secret: &[u8]) -> Value {
    json!({"kty": "oct", "k": base64(secret)})
}

// RSA

/// A JWK with an odd modulus of so many bits: nobody has its private key.
fn rsa_of_bits(bits: usize) -> Value {
    let mut n = vec![0; bits.div_ceil(8)];
    n[0] = 1 << ((bits - 1) % 8);
    *n.last_mut().unwrap() |= 1;
    json!({"kty": "RSA", "n": base64(&n), "e": "AQAB"})
}

/// RFC 7518 sections 3.3 and 3.5: "A key of size 2048 bits or larger MUST be used".
#[test]
fn rejects_an_rsa_key_below_2048_bits_when_it_is_loaded() {
    for bits in [512, 1024, 1536, 2040, 2047] {
        let error = load_error(rsa_of_bits(bits).to_string());
        assert_eq!(error, KeyError::RsaSize { bits });
        assert_eq!(error.to_string(), format!("RSA key of {bits} bits, not 2048 to 8192"));
    }
    let pem = load_error(data("rsa1024.pub.pem"));
    let expected = "no usable key: key 0: RSA key of 1024 bits, not 2048 to 8192";
    assert_eq!(pem.to_string(), expected);
    for bits in [2048, 2049, 3072, 4096, 8192] {
        load(rsa_of_bits(bits).to_string(), None).unwrap();
    }
}

#[test]
fn rejects_an_rsa_key_so_large_that_verifying_is_a_burden() {
    for bits in [8193, 16384, 100_000] {
        assert_eq!(load_error(rsa_of_bits(bits).to_string()), KeyError::RsaSize { bits });
    }
}

#[test]
fn leading_zeros_do_not_lengthen_an_rsa_modulus() {
    let short = rsa_of_bits(1024);
    let n = base64url::decode(short["n"].as_str().unwrap().as_bytes()).unwrap();
    let padded = [&[0; 128][..], &n].concat();
    let jwk = with(short, &json!({"n": base64(&padded)}));
    assert_eq!(load_error(jwk.to_string()), KeyError::RsaSize { bits: 1024 });
}

/// Some issuers write the sign octet of DER into `n`; the number is the same.
#[test]
fn accepts_an_rsa_modulus_with_a_leading_zero() {
    let Material::Rsa { n, .. } = Kind::Rsa.material() else { panic!() };
    let padded = base64([&[0], &n[..]].concat());
    let keys = key_set(with(bare_jwk(Alg::RS256), &json!({"n": padded})).to_string());
    judge(&verifier(keys), token(Alg::RS256)).unwrap();
}

/// With e = 1 every signature is its own message.
#[test]
fn rejects_an_rsa_exponent_that_is_zero_one_even_or_huge() {
    let good = bare_jwk(Alg::RS256);
    let exponents: [&[u8]; 9] = [
        &[],
        &[0],
        &[0, 0, 0],
        &[1],
        &[0, 0, 1],
        &[2],
        &[4],
        &[1, 0, 0],
        &[0x01, 0, 0, 0, 0, 0, 0, 0, 1],
    ];
    for exponent in exponents {
        let jwk = with(good.clone(), &json!({"e": base64(exponent)}));
        let error = load_error(jwk.to_string());
        let expected = [KeyError::Member("e"), KeyError::Encoding("an RSA public key")];
        assert!(expected.contains(&error), "{exponent:?}: {error}");
    }
    let Material::Rsa { n, .. } = Kind::Rsa.material() else { panic!() };
    let huge = with(good, &json!({"e": base64(&n)}));
    assert_eq!(load_error(huge.to_string()), KeyError::Encoding("an RSA public key"));
}

#[test]
fn rejects_an_even_rsa_modulus() {
    let mut jwk = rsa_of_bits(2048);
    let mut n = base64url::decode(jwk["n"].as_str().unwrap().as_bytes()).unwrap();
    n[255] = 0;
    jwk["n"] = base64(&n).into();
    assert_eq!(load_error(jwk.to_string()), KeyError::Encoding("an RSA public key"));
}

// Elliptic curves

/// An invalid-curve key would let its maker forge more than one signature.
#[test]
fn rejects_a_point_that_is_not_on_its_curve() {
    for alg in [Alg::ES256, Alg::ES384, Alg::ES512, Alg::ES256K] {
        let good = bare_jwk(alg);
        let bytes =
            |member: &str| base64url::decode(good[member].as_str().unwrap().as_bytes()).unwrap();
        let (x, y) = (bytes("x"), bytes("y"));
        let flipped = |number: &[u8]| {
            let mut number = number.to_vec();
            *number.last_mut().unwrap() ^= 1;
            number
        };
        for (x, y) in [
            (flipped(&x), y.clone()),
            (x.clone(), flipped(&y)),
            (y.clone(), x.clone()),
            (vec![0; x.len()], vec![0; y.len()]),
            (vec![0xff; x.len()], vec![0xff; y.len()]),
        ] {
            let point = json!({"x": base64(&x), "y": base64(&y)});
            let error = load_error(with(good.clone(), &point).to_string());
            assert_eq!(error, KeyError::Encoding("a point on its curve"), "{alg}");
        }
    }
}

/// RFC 7518 section 6.2.1.2: "The length of this octet string MUST be the full size of a
/// coordinate". A number that lost bytes which are not zero is another.
#[test]
fn rejects_a_coordinate_that_lost_bytes_or_has_more_than_zeros_before_it() {
    for alg in [Alg::ES256, Alg::ES384, Alg::ES512, Alg::ES256K] {
        let good = bare_jwk(alg);
        for member in ["x", "y"] {
            let full = base64url::decode(good[member].as_str().unwrap().as_bytes()).unwrap();
            for (bytes, error) in [
                (&full[2..], KeyError::Encoding("a point on its curve")),
                (&full[..full.len() - 1], KeyError::Encoding("a point on its curve")),
                (&[&[1], &full[..]].concat()[..], KeyError::Member(member)),
                (&[&[0, 0], &full[..]].concat()[..], KeyError::Member(member)),
                (&[], KeyError::Member(member)),
            ] {
                let jwk = with(good.clone(), &json!({member: base64(bytes)}));
                assert_eq!(load_error(jwk.to_string()), error, "{alg}");
            }
        }
    }
}

/// Java's `BigInteger` writes numbers so: without zeros, or with that of a sign.
#[test]
fn accepts_a_coordinate_that_lacks_zeros_or_has_one_too_many() {
    for alg in [Alg::ES256, Alg::ES384, Alg::ES512, Alg::ES256K] {
        let (signer, jwk) = (0..)
            .map(|_| SigningKey::generate(alg, None).unwrap())
            .map(|signer| (sign::to_jwk(&signer.material().unwrap(), None, None), signer))
            .find_map(|(jwk, signer)| {
                let x = base64url::decode(jwk["x"].as_str()?.as_bytes())?;
                let is_short = x[0] == 0 || alg == Alg::ES512 && x[1] == 0;
                is_short.then_some((signer, jwk))
            })
            .unwrap();
        let token = signer.sign(alg, None, PAYLOAD).unwrap();
        let bytes =
            |member: &str| base64url::decode(jwk[member].as_str().unwrap().as_bytes()).unwrap();
        let without_zeros = |bytes: &[u8]| {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            base64(&bytes[zeros..])
        };
        let with_zero = |bytes: &[u8]| base64([&[0], bytes].concat());
        let (x, y) = (bytes("x"), bytes("y"));
        for point in [
            json!({"x": without_zeros(&x)}),
            json!({"x": without_zeros(&x), "y": with_zero(&y)}),
            json!({"x": with_zero(&x), "y": with_zero(&y)}),
        ] {
            let keys = key_set(with(jwk.clone(), &point).to_string());
            judge(&verifier(keys), &token).unwrap();
        }
    }
}

#[test]
fn rejects_the_point_of_one_curve_under_the_name_of_another() {
    // secp256k1 and P-256 have coordinates of one length.
    for (alg, crv) in [(Alg::ES256, "secp256k1"), (Alg::ES256K, "P-256")] {
        let jwk = with(bare_jwk(alg), &json!({"crv": crv}));
        let error = load_error(jwk.to_string());
        assert_eq!(error, KeyError::Encoding("a point on its curve"));
    }
    let jwk = with(bare_jwk(Alg::ES384), &json!({"crv": "P-256"}));
    assert_eq!(load_error(jwk.to_string()), KeyError::Member("x"));
    let jwk = with(bare_jwk(Alg::ES256), &json!({"crv": "P-384"}));
    assert_eq!(load_error(jwk.to_string()), KeyError::Encoding("a point on its curve"));
}

#[test]
fn rejects_the_point_at_infinity_in_pem() {
    // SubjectPublicKeyInfo of P-256 whose BIT STRING holds the single octet 00.
    let der = [
        0x30, 0x19, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x02, 0x00, 0x00,
    ];
    let error = load_error(pem::encode(&pem::Pem::new("PUBLIC KEY", der)));
    assert_eq!(error.to_string(), "no usable key: key 0: not an uncompressed point");
}

#[test]
fn rejects_a_compressed_point_in_pem() {
    let error = load_error(data("ec_compressed.pub.pem"));
    assert_eq!(error.to_string(), "no usable key: key 0: not an uncompressed point");
}

/// CVE-2020-0601: a curve that is spelled out may have another base point.
#[test]
fn rejects_a_curve_that_is_spelled_out() {
    let error = load_error(data("ec_explicit.pub.pem"));
    assert_eq!(error.to_string(), "no usable key: key 0: not a public key in DER");
}

#[test]
fn rejects_public_keys_of_kinds_that_are_not_supported() {
    for (file, message) in [
        ("ec_p224.pub.pem", "no usable key: key 0: unknown curve"),
        ("x25519.pub.pem", "no usable key: key 0: unknown kind of public key"),
    ] {
        assert_eq!(load_error(data(file)).to_string(), message);
    }
}

// Ed25519

#[test]
fn rejects_an_ed25519_key_of_another_length() {
    for length in [0, 1, 31, 33, 57, 64] {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64(vec![9; length])});
        assert_eq!(load_error(jwk.to_string()), KeyError::Member("x"), "{length}");
    }
}

/// Whoever knows the eight points of small order can sign anything for them.
#[test]
fn rejects_an_ed25519_key_of_small_order() {
    for hex in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ] {
        let x: Vec<u8> =
            (0..64).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64(&x)});
        let error = load_error(jwk.to_string());
        assert_eq!(error, KeyError::Encoding("an Ed25519 public key"), "{hex}");
    }
}

// Secrets

/// RFC 7518 section 3.2: "A key of the same size as the hash output … or larger MUST be used".
#[test]
fn a_secret_serves_only_hashes_that_are_no_longer_than_it() {
    for (length, algs) in [
        (32, &[Alg::HS256][..]),
        (47, &[Alg::HS256]),
        (48, &[Alg::HS256, Alg::HS384]),
        (63, &[Alg::HS256, Alg::HS384]),
        (64, &[Alg::HS256, Alg::HS384, Alg::HS512]),
        (1000, &[Alg::HS256, Alg::HS384, Alg::HS512]),
    ] {
        let jwk = oct(&vec![7; length]);
        let signer = SigningKey::read(jwk.to_string().as_bytes()).unwrap();
        let verifier = verifier(key_set(jwk.to_string()));
        for alg in [Alg::HS256, Alg::HS384, Alg::HS512] {
            let token = signer.sign(alg, None, PAYLOAD).unwrap();
            if algs.contains(&alg) {
                judge(&verifier, token).unwrap();
            } else {
                let denial = refusal(&verifier, token);
                assert_eq!(denial, Denial::AlgorithmNotAllowed, "{length}");
            }
        }
    }
}

#[test]
fn rejects_a_secret_shorter_than_any_hash_when_it_is_loaded() {
    for bytes in [0, 1, 16, 31] {
        let error = load_error(oct(&vec![7; bytes]).to_string());
        assert_eq!(error, KeyError::SecretTooShort { bytes });
    }
    let warning = warning_in_set(&oct(b"secret"));
    assert_eq!(warning, "key 1: skipped: secret of 6 bytes, at least 32 are needed for HS256");
}

#[test]
fn rejects_a_secret_shorter_than_the_hash_that_its_jwk_names() {
    for (length, alg) in [(32, Alg::HS384), (47, Alg::HS384), (63, Alg::HS512)] {
        let jwk = with(oct(&vec![7; length]), &json!({"alg": alg.name()}));
        assert_eq!(load_error(jwk.to_string()), KeyError::NotForAlgorithm { alg: alg.name() });
    }
}

#[test]
fn rejects_a_public_key_in_pem_as_the_secret_of_a_jwk() {
    let certificate = String::from_utf8(data("chain.crt")).unwrap();
    let pkcs1 = String::from_utf8(data("rsa_pkcs1.pub.pem")).unwrap();
    for pem in [pem_of(Alg::RS256), pem_of(Alg::ES256), certificate, pkcs1] {
        for spelling in [pem.clone(), format!("\n  {pem}"), pem.replace('\n', "\r\n")] {
            assert_eq!(
                load_error(oct(spelling.as_bytes()).to_string()),
                KeyError::PublicKeyAsSecret
            );
        }
    }
}

#[test]
fn rejects_a_public_key_in_der_as_the_secret_of_a_jwk() {
    for alg in [Alg::RS256, Alg::ES256, Alg::ES512] {
        let der = Kind::of(alg).material().to_spki_der().unwrap();
        assert_eq!(load_error(oct(&der).to_string()), KeyError::PublicKeyAsSecret, "{alg}");
    }
    let pkcs1 = pem::parse(data("rsa_pkcs1.pub.pem")).unwrap();
    assert_eq!(load_error(oct(pkcs1.contents()).to_string()), KeyError::PublicKeyAsSecret);
    for block in pem::parse_many(data("chain.crt")).unwrap() {
        assert_eq!(load_error(oct(block.contents()).to_string()), KeyError::PublicKeyAsSecret);
    }
}

#[test]
fn rejects_a_public_key_of_a_kind_that_is_not_read_as_the_secret_of_a_jwk() {
    for file in
        ["x25519.pub.pem", "ec_p224.pub.pem", "ec_compressed.pub.pem", "ec_explicit.pub.pem"]
    {
        let block = pem::parse(data(file)).unwrap();
        assert_eq!(
            load_error(oct(block.contents()).to_string()),
            KeyError::PublicKeyAsSecret,
            "{file}"
        );
    }
    for ssh in
        ["ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7", "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTI"]
    {
        assert_eq!(
            load_error(oct(ssh.as_bytes()).to_string()),
            KeyError::PublicKeyAsSecret,
            "{ssh}"
        );
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// RFC 8725 section 2.1: whoever knows what is published would sign with HS256.
#[test]
fn rejects_what_is_published_as_a_secret_however_it_is_encoded() {
    let pem = pem_of(Alg::ES256);
    let der = Kind::of(Alg::ES256).material().to_spki_der().unwrap();
    let jwk = bare_jwk(Alg::ES256).to_string();
    let set = jwks_text(&[bare_jwk(Alg::RS256)]);
    let Material::Ec { point, .. } = Kind::of(Alg::ES256).material() else { unreachable!() };
    let ordinary = |bytes: &[u8]| STANDARD.encode(bytes);
    let utf16 = |text: &str| -> Vec<u8> {
        core::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let ssh = "AAAAC3NzaC1lZDI1NTE5AAAAIFx3hyyIzU1Gr5qfXbsEbJ4eBkU3gVc0lWuS9hMbMKHO";
    let compressed = [&[2 + point[64] % 2], &point[1..33]].concat();
    let first_line = |der: &[u8]| STANDARD.encode(der)[..64].into();
    let rsa_der = Kind::Rsa.material().to_spki_der().unwrap();
    let ed25519_der = Kind::of(Alg::EdDSA).material().to_spki_der().unwrap();
    let pkcs1 = pem::parse(data("rsa_pkcs1.pub.pem")).unwrap();
    let colons = |bytes: &[u8]| {
        let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.join(":\n").into()
    };
    let body = pem.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let escaped = der.iter().fold(String::new(), |text, byte| text + &format!("\\x{byte:02x}"));
    let listed: Vec<_> = rsa_der.iter().map(|byte| format!("0x{byte:02X}")).collect();
    let Material::Rsa { n, .. } = Kind::Rsa.material() else { unreachable!() };
    let spellings: [(&str, Vec<u8>); 48] = [
        ("point without its first octet", point[1..].into()),
        ("base64 of a point without its first octet", base64(&point[1..]).into()),
        ("PEM without hyphens", format!("BEGIN PUBLIC KEY {body} END PUBLIC KEY").into()),
        ("base64 of RSA behind a name", format!("v=DKIM1; p={}", ordinary(&rsa_der)).into()),
        ("base64 of a point behind a name", format!("base64:{}", ordinary(&der)).into()),
        ("base64 of DER before something", format!("{} ,", ordinary(&rsa_der)).into()),
        ("hexadecimal digits of RSA behind a name", format!("hex:{}", hex(&rsa_der)).into()),
        ("hexadecimal digits of a list", listed.join(", ").into()),
        ("hexadecimal digits of an escaped text", escaped.into()),
        ("JWK without its kind", json!({"n": base64(&n), "e": "AQAB"}).to_string().into()),
        ("JWK in YAML", format!("kty: RSA\ne: AQAB\nn: {}", base64(&n)).into()),
        ("XML", format!("key: <Modulus>{}</Modulus>", base64(&n)).into()),
        ("modulus as OpenSSL prints it", format!("Modulus={}", hex(&n)).into()),
        ("key as OpenSSL prints it", format!("Public-Key: (2048 bit)\n{}", hex(&n)).into()),
        ("DKIM of Ed25519", format!("p={}", ordinary(&ed25519_der)).into()),
        ("base64 of a point", ordinary(&point).into()),
        ("base64url of a point", base64(&point).into()),
        ("hexadecimal digits of a point", hex(&point).into()),
        ("hexadecimal digits of a point, as OpenSSL prints it", colons(&point)),
        ("compressed point", compressed.clone()),
        ("base64 of a compressed point", ordinary(&compressed).into()),
        ("base64url of a compressed point", base64(&compressed).into()),
        ("hexadecimal digits of a compressed point", format!("0x{}", hex(&compressed)).into()),
        ("first line of base64", first_line(&rsa_der)),
        ("first line of base64 of PKCS#1", first_line(pkcs1.contents())),
        ("first line of base64 of a curve", first_line(&der)),
        ("base64 of DER, cut", ordinary(&rsa_der)[..201].into()),
        ("DER, cut", rsa_der[..200].into()),
        ("base64 of PEM", ordinary(pem.as_bytes()).into()),
        ("base64url of PEM", base64(pem.as_bytes()).into()),
        ("base64 of base64 of PEM", ordinary(ordinary(pem.as_bytes()).as_bytes()).into()),
        ("base64url of DER, without padding", base64(&der).into()),
        ("base64 of DER, without padding", ordinary(&der).trim_end_matches('=').into()),
        ("base64 of DER, in quotes", format!("\"{}\"", ordinary(&der)).into()),
        ("hexadecimal digits of DER", hex(&der).to_uppercase().into()),
        ("PEM without its first line", pem.lines().skip(1).collect::<String>().into()),
        ("PEM in UTF-16", utf16(&pem)),
        ("JWK", jwk.clone().into()),
        ("JWK after a byte order mark", format!("\u{feff}{jwk}").into()),
        ("JWK in UTF-16", utf16(&jwk)),
        ("JWK Set after a comment", format!("// keys\n{set}").into()),
        ("JWK as Python shows it", jwk.replace('"', "'").into()),
        ("JWK within JSON", json!(jwk).to_string().into()),
        ("base64 of a JWK Set", ordinary(set.as_bytes()).into()),
        ("point", point.clone()),
        ("SSH, without its kind", ssh.into()),
        ("SSH, with options", format!("no-pty ssh-ed25519 {ssh} ada").into()),
        ("SSH, between lines", format!("---- BEGIN SSH2 PUBLIC KEY ----\n{ssh}").into()),
    ];
    for (spelling, known) in spellings {
        assert_eq!(load_error(oct(&known).to_string()), KeyError::PublicKeyAsSecret, "{spelling}");
    }
}

#[test]
fn takes_random_secrets_in_any_encoding() {
    for byte in 0..=255u8 {
        let mut secret: Vec<u8> = (0..64).map(|i: u8| i.wrapping_mul(37) ^ byte).collect();
        secret[0] = byte;
        for secret in [secret.clone(), STANDARD.encode(&secret).into(), base64(&secret).into()] {
            load(oct(&secret).to_string(), None).unwrap();
        }
        load(oct(hex(&secret).as_bytes()).to_string(), None).unwrap();
        // As long as a point, and not on the curve.
        load(oct(&[&[0x04], &secret[..]].concat()).to_string(), None).unwrap();
    }
}

/// `0` begins a sequence in DER, `T` and `V` say how long the rest of the base64 of 64 bytes is,
/// and `0` begins another sequence.
#[test]
fn takes_a_secret_in_base64_that_begins_as_der_does() {
    for (start, length) in [("0T0", 86), ("0V0", 88), ("0*0", 44), ("0T0", 85)] {
        let secret = format!("{start}{}", "kY3f".repeat(22));
        let secret =
            if length == 85 { format!("{}\n", &secret[..85]) } else { secret[..length].into() };
        load(oct(secret.as_bytes()).to_string(), None).unwrap();
        load(json!({"a": secret}).to_string(), Some(KeyFormat::Keyval)).unwrap();
    }
}

/// RFC 7518 section 2 wants base64url without padding. Issuers that write base64 mean the same
/// number.
#[test]
fn reads_members_in_either_alphabet_with_all_padding_or_none() {
    // Long enough to have both characters in which the alphabets differ, and every padding.
    for length in [64, 65, 66] {
        let secret: Vec<u8> = (0..length).map(|i: u8| i.wrapping_mul(0x5b) | 0x80 ^ i).collect();
        let signer = SigningKey::from_secret(secret.clone()).unwrap();
        let token = signer.sign(Alg::HS512, None, PAYLOAD).unwrap();
        let (plain, ordinary) = (base64(&secret), STANDARD.encode(&secret));
        assert!(plain.contains('-') && plain.contains('_') && ordinary.contains(['+', '/']));
        let url_padded = ordinary.replace('+', "-").replace('/', "_");
        for k in [&plain, &ordinary, &url_padded, ordinary.trim_end_matches('=')] {
            let keys = key_set(json!({"kty": "oct", "k": k}).to_string());
            judge(&verifier(keys), &token).unwrap();
        }
        let mixed = [plain.replacen('-', "+", 1), ordinary.replacen('/', "_", 1)];
        let padded_badly = ["=", "==", "==="].map(|padding| format!("{plain}{padding}"));
        let padded_badly = padded_badly.into_iter().filter(|k| *k != url_padded);
        let spaced = [format!(" {plain}"), format!("{plain}\n"), format!("={plain}")];
        for k in mixed.into_iter().chain(padded_badly).chain(spaced) {
            let jwk = json!({"kty": "oct", "k": k});
            assert_eq!(load_error(jwk.to_string()), KeyError::Member("k"), "{k}");
        }
    }
    let Material::Rsa { n, e } = Kind::Rsa.material() else { panic!() };
    let jwk = json!({"kty": "RSA", "n": STANDARD.encode(n), "e": STANDARD.encode(e)});
    judge(&verifier(key_set(jwk.to_string())), token(Alg::RS256)).unwrap();
    for k in ["not base64", "A", "YR", "YR=="] {
        let jwk = json!({"kty": "oct", "k": k});
        assert_eq!(load_error(jwk.to_string()), KeyError::Member("k"), "{k}");
    }
}

#[test]
fn never_prints_a_secret() {
    let (keys, warnings) =
        load(oct(b"hunter2hunter2hunter2hunter2hunt").to_string(), None).unwrap();
    let shown =
        format!("{keys:?} {warnings} {:?}", verifier(key_set(oct(&[b'%'; 64]).to_string())));
    assert!(!shown.contains("hunter2") && !shown.contains("%%"), "{shown}");
    assert!(!shown.contains("104, 117, 110") && !shown.contains("68756e74"), "{shown}");
    let error = load_error(oct(b"hunter2").to_string());
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

// PEM

#[test]
fn reads_every_block_of_a_pem_file_and_ignores_the_text_between() {
    let file = format!(
        "# the old key\n{}\nsubject=CN = x\n\n{}\r\n# and the new one{}trailing text\n",
        pem_of(Alg::RS256),
        pem_of(Alg::ES256),
        format!("\n{}", pem_of(Alg::EdDSA)).replace('\n', "\r\n"),
    );
    let verifier = verifier(key_set(file));
    for alg in [Alg::RS256, Alg::ES256, Alg::EdDSA] {
        judge(&verifier, token(alg)).unwrap();
    }
    assert_eq!(refusal(&verifier, token(Alg::ES384)), Denial::AlgorithmNotAllowed);
}

#[test]
fn reads_pkcs1_and_certificates() {
    for (file, alg) in [
        ("rsa_pkcs1.pub.pem", Alg::RS256),
        ("leaf_with_text.crt", Alg::RS256),
        ("ed25519.crt", Alg::EdDSA),
    ] {
        judge(&verifier(key_set(data(file))), token(alg)).unwrap();
        let crlf = String::from_utf8(data(file)).unwrap().replace('\n', "\r\n");
        judge(&verifier(key_set(crlf)), token(alg)).unwrap();
    }
}

/// A file names the keys that are trusted; that one certificate signed another does not matter.
#[test]
fn every_certificate_of_a_chain_is_a_key_of_its_own() {
    let verifier = verifier(key_set(data("chain.crt")));
    judge(&verifier, token(Alg::RS256)).unwrap();
    judge(&verifier, token(Alg::ES256)).unwrap();
}

#[test]
fn rejects_a_private_key_where_a_public_one_is_wanted() {
    for file in ["rsa.pem", "ec_prime256v1.pem", "ed25519.pem"] {
        let error = load_error(data(file)).to_string();
        let expected = "no usable key: key 0: a private key: only its public key belongs";
        assert!(error.starts_with(expected), "{error}");
    }
    for label in ["RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PRIVATE KEY"] {
        let pem = pem::encode(&pem::Pem::new(label, [0; 8]));
        let after_a_good_one = format!("{}{pem}", pem_of(Alg::RS256));
        let (_, warnings) = load(after_a_good_one, None).unwrap();
        assert!(warnings.starts_with("key 1: skipped: a private key: only"), "{warnings}");
    }
}

#[test]
fn rejects_pem_blocks_of_other_labels() {
    for label in [
        "CERTIFICATE REQUEST",
        "X509 CRL",
        "TRUSTED CERTIFICATE",
        "EC PARAMETERS",
        "DSA PUBLIC KEY",
        "public key",
        "PUBLIC  KEY",
    ] {
        let pem = pem::encode(&pem::Pem::new(label, Kind::Rsa.material().to_spki_der().unwrap()));
        assert_eq!(load_error(pem), none_usable([(0, KeyError::PemLabel)]), "{label}");
    }
}

#[test]
fn rejects_a_pem_block_that_is_truncated_or_damaged() {
    let good = pem_of(Alg::RS256);
    let lines: Vec<&str> = good.lines().collect();
    let without = |index: usize| {
        let kept = lines.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, line)| *line);
        kept.collect::<Vec<_>>().join("\n")
    };
    let damaged = [
        without(0),
        without(1),
        without(lines.len() - 1),
        good.replacen("MII", "MI!", 1),
        good.replacen("MII", "MIJ", 1),
        good.replace("END PUBLIC KEY", "END RSA PUBLIC KEY"),
        good.replace("-----BEGIN", "----BEGIN"),
        good[..good.len() / 2].to_owned(),
    ];
    for (index, pem) in damaged.into_iter().enumerate() {
        load(&pem, None).expect_err(&format!("accepted damage {index}"));
        // A good key before or after it does not hide that the file is cut. What is wrong within a
        // block is wrong with its key alone.
        let is_whole = [1, 3, 4].contains(&index);
        let before = format!("{}\n{pem}", pem_of(Alg::ES256));
        let after = format!("{pem}\n{}", pem_of(Alg::ES256));
        for (file, place) in [(before, 1), (after, 0)] {
            match load(&file, None) {
                Ok((keys, warnings)) => {
                    assert!(is_whole, "accepted damage {index} beside a good key");
                    assert!(warnings.starts_with(&format!("key {place}: skipped: not ")));
                    judge(&verifier(keys), token(Alg::ES256)).unwrap();
                }
                Err(error) => assert!(!is_whole, "damage {index}: {error}"),
            }
        }
    }
}

#[test]
fn rejects_der_with_something_after_it() {
    for (label, der) in [
        ("PUBLIC KEY", Kind::Rsa.material().to_spki_der().unwrap()),
        ("PUBLIC KEY", Kind::P256.material().to_spki_der().unwrap()),
        ("PUBLIC KEY", Kind::Ed25519.material().to_spki_der().unwrap()),
        ("RSA PUBLIC KEY", pem::parse(data("rsa_pkcs1.pub.pem")).unwrap().into_contents()),
        ("CERTIFICATE", pem::parse(data("ed25519.crt")).unwrap().into_contents()),
    ] {
        load(pem::encode(&pem::Pem::new(label, &der[..])), None).unwrap();
        let longer = [&der[..], &[0]].concat();
        let error = load(pem::encode(&pem::Pem::new(label, longer)), None).unwrap_err();
        assert!(error.to_string().starts_with("no usable key: key 0: not a"), "{error}");
        for length in [0, 1, 2, der.len() / 2, der.len() - 1] {
            let shorter = pem::encode(&pem::Pem::new(label, &der[..length]));
            assert!(load(shorter, None).is_err(), "{label} {length}");
        }
    }
}

#[test]
fn rejects_a_file_without_any_key() {
    for file in ["garbage", "\0\0\0", "[]", "null", "\"-----BEGIN\""] {
        let error = KeyError::NotKeys("neither JSON, nor PEM, nor DER");
        assert_eq!(load_error(file), error, "{file:?}");
    }
    for file in ["", " \n", "\u{feff}", "\u{feff}\r\n"] {
        assert_eq!(load_error(file), KeyError::NotKeys("there is nothing in it"), "{file:?}");
    }
    for file in [r#"{"keys":[]}"#, "{}"] {
        assert_eq!(load_error(file), KeyError::NoKey, "{file}");
    }
    assert_eq!(KeyError::NoKey.to_string(), "no usable key");
}

/// RFC 7517 section 5. Whoever has many broken keys must not fill a log with them.
#[test]
fn no_usable_key_says_why_for_each_but_no_more_than_a_line() {
    let short = |index: usize| with(oct(b"short"), &json!({"kid": index.to_string()}));
    let set = |count: usize| jwks_text(&(0..count).map(short).collect::<Vec<_>>());
    let reason =
        |index: usize| format!("key {index}: secret of 5 bytes, at least 32 are needed for HS256");
    let reasons = |count| (0..count).map(reason).collect::<Vec<_>>().join("; ");
    assert_eq!(load_error(set(1)).to_string(), format!("no usable key: {}", reasons(1)));
    assert_eq!(load_error(set(8)).to_string(), format!("no usable key: {}", reasons(8)));
    let many = load_error(set(1000)).to_string();
    assert_eq!(many, format!("no usable key: {}; and 992 more", reasons(8)));
    let names: Vec<_> = (0..1000).map(|i| (format!("{i}{}", "k".repeat(500)), json!(""))).collect();
    let keyval = json!(serde_json::Map::from_iter(names)).to_string();
    let error = load(keyval, Some(KeyFormat::Keyval)).unwrap_err().to_string();
    assert!(error.ends_with("; and 992 more") && error.len() < 1500, "{error}");
    // A good key among them, and the warnings are as few.
    let keys: Vec<_> =
        (0..1000).map(short).chain([bare_jwk(Alg::ES256)]).chain((0..99).map(short)).collect();
    let (keys, warnings) = load(jwks_text(&keys), None).unwrap();
    judge(&verifier(keys), token(Alg::ES256)).unwrap();
    let lines: Vec<_> = warnings.lines().collect();
    assert_eq!(lines.len(), MAX_WARNINGS + 1);
    assert_eq!(lines[1], reason(1).replace("1: ", "1: skipped: "));
    assert_eq!(lines[MAX_WARNINGS], "1083 more warnings");
}

#[test]
fn one_odd_key_never_takes_the_others_down() {
    let rsa = bare_jwk(Alg::RS256);
    let odd = [
        json!(null),
        json!("key"),
        json!({}),
        json!({"kty": null}),
        json!({"kty": "RSA", "e": "AQAB"}),
        json!({"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": base64([0; 32])}),
        json!({"kty": "RSA", "x5c": []}),
        json!({"kty": "RSA", "x5c": ["AAAA"]}),
        oct(b"secret"),
        oct(pem_of(Alg::RS256).as_bytes()),
        rsa_of_bits(1024),
        rsa_of_bits(9000),
        with(rsa.clone(), &json!({"alg": "ES256"})),
        with(rsa.clone(), &json!({"kid": 5})),
        with(rsa.clone(), &json!({"use": "x509-svid"})),
        with(rsa, &json!({"key_ops": ["verify", "verify"]})),
    ];
    for jwk in &odd {
        let warning = warning_in_set(jwk);
        assert!(warning.starts_with("key 1: skipped: "), "{jwk}: {warning}");
    }
    // All at once, and before the good one.
    let set: Vec<Value> = odd.iter().cloned().chain([bare_jwk(Alg::ES256)]).collect();
    let (keys, _) = load(jwks_text(&set), None).unwrap();
    judge(&verifier(keys), token(Alg::ES256)).unwrap();
    // In PEM and in keyval, too.
    let weak = String::from_utf8(data("rsa1024.pub.pem")).unwrap();
    let unknown = String::from_utf8(data("x25519.pub.pem")).unwrap();
    let file = format!("{weak}{}{unknown}", pem_of(Alg::ES256));
    let (keys, warnings) = load(file, None).unwrap();
    judge(&verifier(keys), token(Alg::ES256)).unwrap();
    assert_eq!(
        warnings,
        "key 0: skipped: RSA key of 1024 bits, not 2048 to 8192\n\
         key 2: skipped: unknown kind of public key"
    );
    let file = json!({"weak": "secret", "good": pem_of(Alg::ES256), "odd": unknown, "none": null});
    let (keys, warnings) = load(file.to_string(), Some(KeyFormat::Keyval)).unwrap();
    let named = key(Alg::ES256).sign(Alg::ES256, Some("good"), PAYLOAD).unwrap();
    judge(&verifier(keys), named).unwrap();
    assert_eq!(
        warnings,
        "key \"weak\": skipped: secret of 6 bytes, at least 32 are needed for HS256\n\
         key \"odd\": skipped: unknown kind of public key\n\
         key \"none\": skipped: not a string"
    );
}

/// RFC 7517 section 4 has the JWK rejected that names a member twice, which is not the set.
#[test]
fn key_of_a_set_that_is_no_json_takes_no_other_down() {
    let deep = format!("{{\"kty\":\"RSA\",\"x\":{}{}}}", "[".repeat(40), "]".repeat(40));
    for (odd, why) in [
        (r#"{"kty":"RSA","kid":"a","kid":"b"}"#, "an object names a member twice"),
        (r#"{"kty":"RSA","more":{"a":1,"a":2}}"#, "an object names a member twice"),
        (&deep, "nested too deeply"),
        (r#"{"kty":"RSA","kid":"\ud800"}"#, "not JSON in UTF-8"),
        (r#"{"kty":"RSA",}"#, "not JSON in UTF-8"),
        ("NaN", "not JSON in UTF-8"),
    ] {
        let good = bare_jwk(Alg::ES256).to_string();
        for (index, set) in [(1, format!("{good},{odd}")), (0, format!("{odd} ,\n{good}"))] {
            for format in [None, Some(KeyFormat::Jwks)] {
                let set = format!("{{\"keys\": [ {set} ]}}");
                let (keys, warnings) = load(&set, format).unwrap();
                judge(&verifier(keys), token(Alg::ES256)).unwrap();
                assert_eq!(warnings, format!("key {index}: skipped: {why}"), "{odd}");
            }
        }
        // A set that is cut off has lost a key.
        let cut = format!("{{\"keys\":[{good},{odd}");
        assert!(matches!(load_error(cut), KeyError::Json(_)), "{odd}");
    }
}

#[test]
fn page_of_html_instead_of_keys_is_told_as_such() {
    let page = "<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>\n";
    let formats = [KeyFormat::Jwks, KeyFormat::Pem, KeyFormat::Keyval].map(Some);
    for format in formats.into_iter().chain([None]) {
        for page in [page.to_owned(), format!("\r\n{page}"), format!("\u{feff}{page}")] {
            let error = load(page, format).unwrap_err().to_string();
            assert_eq!(error, "no usable key: it looks like HTML", "{format:?}");
        }
    }
}

#[test]
fn byte_order_mark_before_json_or_pem_is_skipped() {
    let keyval = json!({ "a": pem_of(Alg::ES256) }).to_string();
    for (file, format) in [
        (jwks_text(&[bare_jwk(Alg::ES256)]), KeyFormat::Jwks),
        (bare_jwk(Alg::ES256).to_string(), KeyFormat::Jwks),
        (pem_of(Alg::ES256), KeyFormat::Pem),
        (keyval, KeyFormat::Keyval),
    ] {
        for format in [None, Some(format)] {
            for file in [format!("\u{feff}{file}"), format!("\u{feff} \r\n{file}")] {
                let (keys, _) = load(file, format).unwrap();
                judge(&verifier(keys), token(Alg::ES256)).unwrap();
            }
        }
    }
    // One, and at the beginning.
    let twice = format!("\u{feff}\u{feff}{}", bare_jwk(Alg::ES256));
    load(&twice, None).unwrap_err();
}

// DER

#[test]
fn reads_a_key_or_a_certificate_in_der() {
    for alg in [Alg::RS256, Alg::ES256, Alg::ES512, Alg::ES256K, Alg::Ed25519, Alg::Ed448] {
        let der = Kind::of(alg).material().to_spki_der().unwrap();
        judge(&verifier(key_set(&der)), token(alg)).unwrap();
        // Where something else is said, it must be that.
        for format in [KeyFormat::Jwks, KeyFormat::Pem, KeyFormat::Keyval] {
            load(&der, Some(format)).unwrap_err();
        }
        load([&der[..], b"\n"].concat(), None).unwrap_err();
        load(&der[..der.len() - 1], None).unwrap_err();
    }
    let pkcs1 = pem::parse(data("rsa_pkcs1.pub.pem")).unwrap();
    judge(&verifier(key_set(pkcs1.contents())), token(Alg::RS256)).unwrap();
    let certificate = pem::parse(data("ed25519.crt")).unwrap();
    judge(&verifier(key_set(certificate.contents())), token(Alg::EdDSA)).unwrap();
    for file in ["rsa.pem", "ec_prime256v1.pem", "ed25519.pem"] {
        let private = pem::parse(data(file)).unwrap();
        assert_eq!(load_error(private.contents()), KeyError::PrivateKey, "{file}");
    }
}

/// `SubjectPublicKeyInfo` of the RSA key with another algorithm.
fn rsa_marked_as(algorithm: &[u8]) -> Vec<u8> {
    let spki = Kind::Rsa.material().to_spki_der().unwrap();
    // Two lengths of two octets, and the algorithm between them.
    let key = &spki[4 + 15..];
    let length = u16::try_from(algorithm.len() + key.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82], &length[..], algorithm, key].concat()
}

/// Where a file may have a key in DER or, with labels that fit it or not, in PEM.
fn files_of(spki: &[u8]) -> Vec<Vec<u8>> {
    let pem = |label: &str| pem::encode(&pem::Pem::new(label, spki)).into_bytes();
    vec![spki.to_vec(), pem("PUBLIC KEY"), pem("RSA PUBLIC KEY")]
}

/// RFC 4055 section 4.1: such a key "MUST NOT be used" for anything but RSAES-OAEP.
#[test]
fn rsa_key_that_is_marked_for_encryption_verifies_nothing() {
    let marked = |last: u8, parameters: &[u8]| {
        let oid = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last];
        let length = u8::try_from(oid.len() + parameters.len()).unwrap();
        rsa_marked_as(&[&[0x30, length], &oid[..], parameters].concat())
    };
    for file in files_of(&marked(1, &[5, 0])).into_iter().chain(files_of(&marked(1, &[]))) {
        judge(&verifier(key_set(file)), token(Alg::RS256)).unwrap();
    }
    // RSAES-OAEP, with what parameters ever; another algorithm of signatures; another parameter
    // than NULL.
    for spki in [
        marked(7, &[]),
        marked(7, &[5, 0]),
        marked(7, &[0x30, 0]),
        marked(11, &[5, 0]),
        marked(1, &[0x30, 0]),
        marked(1, &[2, 1, 0]),
    ] {
        for file in files_of(&spki) {
            let error = load_error(&file).to_string();
            let is_named = error.ends_with("unknown kind of public key");
            assert!(is_named || error.ends_with("not an RSA public key"), "{error}");
        }
    }
}

/// RFC 4055 section 1.2: "the RSA key pair MUST only be used for RSASSA-PSS" signatures.
#[test]
fn rsa_pss_key_verifies_ps_alone_and_with_parameters_their_hash_alone() {
    let all = [Alg::PS256, Alg::PS384, Alg::PS512];
    let oid = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
    let sha = |last: u8, null: bool| {
        let parameters: &[u8] = if null { &[5, 0] } else { &[] };
        let oid = [0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last];
        [&[0x30, 11 + u8::try_from(parameters.len()).unwrap()], &oid[..], parameters].concat()
    };
    let field =
        |tag: u8, value: &[u8]| [&[0xa0 | tag, u8::try_from(value.len()).unwrap()], value].concat();
    let mgf = |last: u8, hash: &[u8]| {
        let oid = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last];
        [&[0x30, 11 + u8::try_from(hash.len()).unwrap()], &oid[..], hash].concat()
    };
    let marked = |fields: Option<Vec<Vec<u8>>>| {
        let parameters = fields.map(|fields| {
            let fields = fields.concat();
            [&[0x30, u8::try_from(fields.len()).unwrap()], &fields[..]].concat()
        });
        let content = [&oid[..], &parameters.unwrap_or_default()].concat();
        rsa_marked_as(&[&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat())
    };
    let salt = |length: u8| field(2, &[2, 1, length]);
    let mut cases = vec![(marked(None), &all[..])];
    for (index, length) in [(1, 32), (2, 48), (3, 64)] {
        for null in [true, false] {
            let (hash, mask) = (sha(index, null), mgf(8, &sha(index, null)));
            let fields = |salt| vec![field(0, &hash), field(1, &mask), salt];
            let alg = std::slice::from_ref(&all[usize::from(index) - 1]);
            cases.push((marked(Some(fields(salt(length)))), alg));
            cases.push((marked(Some(fields(salt(0)))), alg));
            cases.push((marked(Some(fields(Vec::new()))), alg));
            // A longer salt than JOSE has, and another trailer.
            cases.push((marked(Some(fields(salt(length + 1)))), &[]));
            let trailer = [salt(length), field(3, &[2, 1, 2])].concat();
            cases.push((marked(Some(fields(trailer))), &[]));
        }
    }
    // SHA-1 (by default, too), another hash in the mask, another function.
    cases.push((marked(Some(vec![])), &[]));
    cases.push((marked(Some(vec![field(0, &sha(1, true))])), &[]));
    for mask in [mgf(8, &sha(2, true)), mgf(9, &sha(1, true))] {
        cases.push((marked(Some(vec![field(0, &sha(1, true)), field(1, &mask)])), &[]));
    }
    for (spki, algs) in cases {
        for file in files_of(&spki) {
            if algs.is_empty() {
                load_error(&file);
                continue;
            }
            let verifier = verifier(key_set(&file));
            for alg in Alg::ALL.into_iter().filter(|alg| Kind::of(*alg) == Kind::Rsa) {
                if algs.contains(&alg) {
                    judge(&verifier, token(alg)).unwrap();
                } else {
                    let denial = refusal(&verifier, token(alg));
                    assert_eq!(denial, Denial::AlgorithmNotAllowed, "{alg}");
                }
            }
        }
        // What it says of itself is written again.
        if let Ok(key) = ojwt_core::keys::spki::from_der(&spki) {
            let der = key.to_spki_der().unwrap();
            assert_eq!(ojwt_core::keys::spki::from_der(&der).unwrap(), key);
        }
    }
    judge(&verifier(key_set(data("rsa_pss_oid.pub.pem"))), token(Alg::PS256)).unwrap_err();
    load(data("rsa_pss_oid.pub.pem"), None).unwrap();
}

#[test]
fn parameters_of_a_curve_before_its_key_are_skipped() {
    let parameters = pem::encode(&pem::Pem::new(
        "EC PARAMETERS",
        [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
    ));
    let weak = String::from_utf8(data("rsa1024.pub.pem")).unwrap();
    let (keys, warnings) =
        load(format!("{parameters}{}{parameters}{weak}", pem_of(Alg::ES256)), None).unwrap();
    judge(&verifier(keys), token(Alg::ES256)).unwrap();
    assert_eq!(warnings, "key 1: skipped: RSA key of 1024 bits, not 2048 to 8192");
    let keyval = json!({ "a": format!("{parameters}{}", pem_of(Alg::ES256)) }).to_string();
    load(keyval, None).unwrap();
}

/// As editors, mail and copying leave it.
#[test]
fn white_space_in_pem_changes_nothing() {
    let good = pem_of(Alg::RS256);
    let lines: Vec<&str> = good.lines().collect();
    for (begin, end) in
        [("", "  "), ("", "\t\r"), ("    ", ""), ("", "\n"), ("", "\r\n"), ("\n", "")]
    {
        let lines: Vec<_> = lines.iter().map(|line| format!("{begin}{line}{end}\n")).collect();
        let text = lines.concat();
        judge(&verifier(key_set(text)), token(Alg::RS256)).unwrap();
    }
    let one_line = lines.join(" ");
    judge(&verifier(key_set(one_line)), token(Alg::RS256)).unwrap();
    judge(&verifier(key_set(good.replace('=', ""))), token(Alg::RS256)).unwrap();
    judge(&verifier(key_set(good.replace('\n', "\r"))), token(Alg::RS256)).unwrap();
}

#[test]
fn rejects_a_file_of_the_other_format_than_was_said() {
    let set = jwks_text(&[bare_jwk(Alg::RS256)]);
    let no_pem = KeyError::NotKeys("no PEM in it");
    assert_eq!(load(&set, Some(KeyFormat::Pem)).unwrap_err(), no_pem);
    let error = load(pem_of(Alg::RS256), Some(KeyFormat::Jwks)).unwrap_err();
    assert_eq!(error, KeyError::Json(Defect::Json));
    load(&set, Some(KeyFormat::Jwks)).unwrap();
    load(pem_of(Alg::RS256), Some(KeyFormat::Pem)).unwrap();
    load(format!("\r\n\t {set}\n"), None).unwrap();
}

#[test]
fn rejects_a_key_file_over_the_limit() {
    let file = " ".repeat(MAX_KEY_FILE_SIZE + 1);
    assert_eq!(load_error(file), KeyError::FileTooLarge);
}

// Keyval

fn keyval_error(file: &Value) -> KeyError {
    load(file.to_string(), Some(KeyFormat::Keyval)).expect_err("the file was accepted")
}

#[test]
fn reads_keys_in_pem_and_secrets_by_their_kid() {
    let certificate = String::from_utf8(data("ed25519.crt")).unwrap();
    let text = "a secret of 64 characters, é one of them, which makes it longer";
    let secret = SigningKey::read(oct(text.as_bytes()).to_string().as_bytes()).unwrap();
    let file = json!({
        "rsa": pem_of(Alg::RS256),
        "ec": format!("\n {}", pem_of(Alg::ES256).replace('\n', "\r\n")),
        "cert": certificate,
        "s": text,
        "": pem_of(Alg::ES384),
    });
    let (keys, warnings) = load(file.to_string(), Some(KeyFormat::Keyval)).unwrap();
    assert_eq!(warnings, "");
    let verifier = verifier(keys);
    for (alg, kid) in [
        (Alg::RS256, "rsa"),
        (Alg::PS512, "rsa"),
        (Alg::ES256, "ec"),
        (Alg::EdDSA, "cert"),
        (Alg::ES384, ""),
    ] {
        judge(&verifier, key(alg).sign(alg, Some(kid), PAYLOAD).unwrap()).unwrap();
        judge(&verifier, key(alg).sign(alg, None, PAYLOAD).unwrap()).unwrap();
        let misnamed = key(alg).sign(alg, Some("RSA"), PAYLOAD).unwrap();
        assert_eq!(refusal(&verifier, misnamed), Denial::UnknownKey);
        let of_another = key(alg).sign(alg, Some("s"), PAYLOAD).unwrap();
        assert_eq!(refusal(&verifier, of_another), Denial::AlgorithmNotAllowed);
    }
    for alg in [Alg::HS256, Alg::HS384, Alg::HS512] {
        judge(&verifier, secret.sign(alg, Some("s"), PAYLOAD).unwrap()).unwrap();
    }
}

#[test]
fn guesses_keyval_where_json_is_neither_a_set_nor_a_jwk() {
    let file = json!({"a": pem_of(Alg::ES256), "b": pem_of(Alg::RS256)}).to_string();
    let verifier = verifier(key_set(format!(" \n{file}")));
    judge(&verifier, key(Alg::ES256).sign(Alg::ES256, Some("a"), PAYLOAD).unwrap()).unwrap();
    // As a set it is none; what says `keys` or `kty` is not taken for keyval unless that is said.
    let error = load(&file, Some(KeyFormat::Jwks)).unwrap_err();
    assert_eq!(error, KeyError::Member("kty"));
    for name in ["keys", "kty"] {
        let file = json!({ name: pem_of(Alg::ES256) }).to_string();
        load(&file, None).unwrap_err();
        load(&file, Some(KeyFormat::Keyval)).unwrap();
    }
    load(pem_of(Alg::ES256), Some(KeyFormat::Keyval)).unwrap_err();
}

/// An error that a server wrote where keys were expected is JSON of texts, too.
#[test]
fn rejects_a_secret_in_a_file_whose_format_is_guessed() {
    let secret = "Sorry, the key server is down for maintenance.";
    let error = load_error(json!({"a": secret}).to_string());
    let why = "key \"a\": a shared secret: for such a file the format \"keyval\" must be given";
    assert_eq!(error.to_string(), format!("no usable key: {why}"));
    let file = json!({"a": pem_of(Alg::ES256), "b": secret}).to_string();
    let (keys, warnings) = load(&file, None).unwrap();
    assert_eq!(warnings, why.replace("\"a\": ", "\"b\": skipped: "));
    let keys = [Arc::new(keys)];
    assert!(ojwt_core::keys::candidates(&keys, Alg::HS256, None).is_err());
    load(&file, Some(KeyFormat::Keyval)).unwrap();
}

/// Where the format is given, an error must not become a secret that everyone knows.
#[test]
fn rejects_an_error_in_json_as_secrets_of_keyval() {
    let long = "The key server is down for maintenance until noon.";
    let token = "0123456789abcdef0123456789abcdef";
    for file in [
        json!({"error": "unavailable", "trace": token}),
        json!({"message": long}),
        json!({"Error": long, "trace": token}),
        json!({"status": 503, "trace": token}),
        json!({"trace": token, "retry": true}),
        json!({"trace": token, "errors": [long]}),
        json!({"reason": long, "id": "17"}),
        json!({"at": "2026-10-01T12:34:56.123456+00:00", "id": "17"}),
    ] {
        let error = keyval_error(&file).to_string();
        assert!(error.starts_with("no usable key: key "), "{error}");
        assert!(!error.contains(token) && !error.contains("maintenance"), "{error}");
    }
    // One weak secret beside a good one is none of these.
    load(json!({"a": token, "b": "short"}).to_string(), Some(KeyFormat::Keyval)).unwrap();
    load(json!({"a": token, "b": null}).to_string(), Some(KeyFormat::Keyval)).unwrap();
    load(json!({"a": long, "b": token}).to_string(), Some(KeyFormat::Keyval)).unwrap();
}

/// What says where a key is, or is a page about it, is no secret: it stands in repositories and
/// logs.
#[test]
fn rejects_a_path_a_url_or_a_page_as_a_secret() {
    let page = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>";
    for (text, what) in [
        ("/etc/nginx/keys/public_key_of_the_issuer.pem", "the path of a file"),
        ("/run/secrets/jwtpublickeyofthegatewayinfront", "the path of a file"),
        ("/some/folder/jwt-public-key-of-the-issuer-2", "the path of a file"),
        ("./keys/public_key_of_the_issuer_of_tokens", "the path of a file"),
        ("../keys/publickeyoftheissueroftokens", "the path of a file"),
        ("~/keys/publickeyoftheissueroftokens", "the path of a file"),
        ("keys/public_key_of_the_issuer_of_tokens.jwks", "the path of a file"),
        ("file:/etc/nginx/keys/public_key_of_the_issuer", "a URL"),
        ("file:///etc/nginx/keys/public_key_of_the_issuer", "a URL"),
        ("http://127.0.0.1/.well-known/jwks.json", "a URL"),
        ("HTTPS://login.example.com/.well-known/jwks", "a URL"),
        ("  https://login.example.com/.well-known/jwks\n", "a URL"),
        ("\u{feff}https://login.example.com/.well-known/jwks", "a URL"),
        (page, "HTML or XML"),
        ("<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>", "HTML or XML"),
        ("<Error><Code>NoSuchKey</Code><Key>jwks</Key></Error>", "HTML or XML"),
        ("2026-10-01T12:34:56.123456+00:00", "a time"),
    ] {
        let expected = format!("no shared secret: it looks like {what}");
        let error = keyval_error(&json!({ "a": text })).to_string();
        assert_eq!(error, format!("no usable key: key \"a\": {expected}"));
        // The same as the secret of a JWK, and of a signer.
        assert_eq!(load_error(oct(text.as_bytes()).to_string()).to_string(), expected);
        let signer = SigningKey::from_secret(text.as_bytes().to_vec()).unwrap_err();
        assert_eq!(signer.to_string(), expected);
    }
}

/// Random bytes of so many kinds that one would be taken for something else, if any could.
#[test]
fn takes_random_secrets_whatever_they_begin_with() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        // xorshift64: the same secrets each time.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()
    };
    let take = |text: &str| {
        let file = json!({ "a": text }).to_string();
        let taken = load(&file, Some(KeyFormat::Keyval));
        taken.unwrap_or_else(|error| panic!("{text}: {error}"));
    };
    for round in 0..500 {
        let bytes: Vec<u8> = (0..8).flat_map(|_| random()).collect();
        let length = [32, 48, 64][round % 3];
        let text = STANDARD.encode(&bytes[..length]);
        take(&text);
        take(&base64(&bytes[..length]));
        take(&hex(&bytes[..length]));
        // Whatever base64 begins with, slashes above all.
        for start in ["/", "//", "/a/", "/b/c/", "+/"] {
            take(&format!("{start}{}", &text[start.len()..]));
            take(&format!("{start}{}", text[start.len()..].trim_end_matches('=')));
        }
        // What a generator of passwords makes of all that can be typed.
        let typed: String =
            bytes.iter().map(|byte| char::from(b'!' + byte % 94)).take(length).collect();
        for start in ["", "/", "<", "./", "a:", "~/"] {
            take(&format!("{start}{typed}"));
        }
    }
    for text in
        ["correct horse battery staple, and one more", "d9428888-122b-11e1-b85c-61cd3cbb3210"]
    {
        take(text);
    }
}

#[test]
fn rejects_a_broken_key_of_keyval_by_its_name() {
    let private = String::from_utf8(data("rsa.pem")).unwrap();
    let short = String::from_utf8(data("rsa1024.pub.pem")).unwrap();
    let truncated = &pem_of(Alg::RS256)[..100];
    let two = format!("{}{}", pem_of(Alg::RS256), pem_of(Alg::ES256));
    for (value, message) in [
        (json!("31 characters are not enough..."), "secret of 31 bytes, at least 32 are needed"),
        (json!(""), "secret of 0 bytes"),
        (json!(private), "a private key"),
        (json!(short), "RSA key of 1024 bits"),
        (json!(truncated), "not PEM"),
        (json!(two), "not a single key"),
        (json!("-----BEGIN "), "not PEM"),
        (json!(1), "not a string"),
        (json!(null), "not a string"),
        (json!([pem_of(Alg::RS256)]), "not a string"),
        (bare_jwk(Alg::RS256), "not a string"),
    ] {
        let error = keyval_error(&json!({"b\u{1b}\"\n": value}));
        let expected = format!("no usable key: key \"b\\u{{1b}}\\\"\\n\": {message}");
        assert!(error.to_string().starts_with(&expected), "{error}");
        let beside = json!({"good": pem_of(Alg::ES256), "b\u{1b}\"\n": value}).to_string();
        let (_, warnings) = load(beside, Some(KeyFormat::Keyval)).unwrap();
        let expected = format!("key \"b\\u{{1b}}\\\"\\n\": skipped: {message}");
        assert!(warnings.starts_with(&expected), "{warnings}");
    }
    let error = keyval_error(&json!({"x".repeat(100_000): 1})).to_string();
    assert!(error.len() < 120, "{error}");
}

#[test]
fn rejects_keyval_without_any_key_or_with_a_name_twice() {
    let load = |file: &str| load(file, Some(KeyFormat::Keyval)).unwrap_err();
    assert_eq!(load("{}"), KeyError::NoKey);
    assert_eq!(load("[]"), KeyError::Json(Defect::NotAnObject));
    assert_eq!(load("x"), KeyError::Json(Defect::Json));
    let pem = json!(pem_of(Alg::ES256));
    for other in ["a", "\\u0061"] {
        let error = load(&format!(r#"{{"a":{pem},"{other}":{pem}}}"#));
        assert_eq!(error, KeyError::Json(Defect::DuplicateMember));
    }
}

/// RFC 8725 section 2.1: else everyone could sign with HS256.
#[test]
fn rejects_a_public_key_as_a_secret_of_keyval_however_it_is_spelled() {
    for pem in [pem_of(Alg::RS256), String::from_utf8(data("ed25519.crt")).unwrap()] {
        let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with('-')).collect();
        for text in [lines.join(""), lines.join("\n"), format!(" {}\r\n", lines.join("\r\n"))] {
            let error = keyval_error(&json!({ "a": text }));
            let why = KeyError::PublicKeyAsSecret.in_key_named("a");
            assert_eq!(error, KeyError::of_all(vec![why]));
            // The same as the secret of a JWK.
            assert_eq!(load_error(oct(text.as_bytes()).to_string()), KeyError::PublicKeyAsSecret);
        }
    }
}

#[test]
fn secrets_of_keyval_are_for_signatures_alone() {
    let (keys, _) =
        load(json!({"a": "x".repeat(32)}).to_string(), Some(KeyFormat::Keyval)).unwrap();
    let keys = [Arc::new(keys)];
    assert!(ojwt_core::keys::candidates(&keys, Alg::HS256, None).is_ok());
    for alg in KeyAlg::ALL {
        assert!(ojwt_core::keys::decrypters(&keys, alg, None).is_err(), "{alg}");
    }
    assert!(!format!("{keys:?}").contains("xxxx"));
}

// JWK and JWKS (RFC 7517)

#[test]
fn reads_a_single_jwk_and_a_set() {
    judge(&verifier(key_set(bare_jwk(Alg::ES256).to_string())), token(Alg::ES256)).unwrap();
    judge(&verifier(jwks(&[bare_jwk(Alg::ES256)])), token(Alg::ES256)).unwrap();
}

#[test]
fn rejects_a_jwks_that_is_not_one() {
    for (file, error) in [
        ("{}", KeyError::NoKey),
        (r#"{"keys":null}"#, KeyError::Member("keys")),
        (r#"{"keys":{}}"#, KeyError::Member("keys")),
        (r#"{"keys":"x"}"#, KeyError::Member("keys")),
        (
            r#"{"Keys":[]}"#,
            KeyError::of_all(vec![KeyError::Encoding("a string").in_key_named("Keys")]),
        ),
        (r#"{"keys":[1]}"#, none_usable([(0, KeyError::Member("the JWK"))])),
        (r#"{"keys":[[]]}"#, none_usable([(0, KeyError::Member("the JWK"))])),
        (r#"{"keys":[]"#, KeyError::Json(Defect::Json)),
        (r#"{"keys":[]}x"#, KeyError::Json(Defect::Json)),
        (r#"{"keys":[]}{"keys":[]}"#, KeyError::Json(Defect::Json)),
        (r#"{"keys":[],"keys":[]}"#, KeyError::Json(Defect::DuplicateMember)),
        (
            r#"{"keys":[{"kty":"RSA","kty":"oct"}]}"#,
            none_usable([(0, KeyError::Json(Defect::DuplicateMember))]),
        ),
    ] {
        assert_eq!(load_error(file), error, "{file}");
    }
}

/// RFC 7517 section 5: "Implementations SHOULD ignore JWKs within a JWK Set that use "kty" (key
/// type) values that are not understood by them".
#[test]
fn skips_keys_of_unknown_kinds_and_says_which() {
    let good = bare_jwk(Alg::RS256);
    let unknown_kty = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"});
    let unknown_use = "\"use\" is neither \"sig\" nor \"enc\"";
    let no_use = "\"use\", \"key_ops\" and \"alg\" leave neither \"verify\" nor \"decrypt\"";
    let unknown_alg = "\"alg\" is no algorithm that is supported";
    let no_decryption = "for encryption, but not a key that decrypts here";
    for (jwk, why) in [
        (json!({"kty": "LWE"}), "unknown \"kty\""),
        (json!({"kty": "rsa", "n": 1}), "unknown \"kty\""),
        (unknown_kty, unknown_alg),
        (json!({"kty": "EC", "crv": "P-224", "x": "AA", "y": "AA"}), "unknown \"crv\""),
        (json!({"kty": "EC", "crv": "p-256", "x": "AA", "y": "AA"}), "unknown \"crv\""),
        (json!({"kty": "OKP", "crv": "X25519", "x": "AA"}), "unknown \"crv\""),
        (with(good.clone(), &json!({"use": "Sig"})), unknown_use),
        (with(good.clone(), &json!({"use": ""})), unknown_use),
        (with(good.clone(), &json!({"key_ops": []})), no_use),
        (with(good.clone(), &json!({"key_ops": ["sign"]})), no_use),
        (with(good.clone(), &json!({"key_ops": ["encrypt", "wrapKey"]})), no_use),
        (with(good.clone(), &json!({"use": "enc", "key_ops": ["verify"]})), no_use),
        (with(good.clone(), &json!({"use": "sig", "alg": "RSA-OAEP"})), no_use),
        (with(good.clone(), &json!({"use": "enc", "alg": "RS256"})), no_use),
        (with(good.clone(), &json!({"key_ops": ["decrypt"], "alg": "RS256"})), no_use),
        (with(good.clone(), &json!({"alg": "none"})), unknown_alg),
        (with(good.clone(), &json!({"alg": "RSA1_5"})), unknown_alg),
        (with(bare_jwk(Alg::ES256), &json!({"alg": "ECDH-ES"})), unknown_alg),
        // A public key encrypts, and what decrypts with a curve is not supported.
        (with(good.clone(), &json!({"use": "enc"})), no_decryption),
        (with(good.clone(), &json!({"alg": "RSA-OAEP"})), no_decryption),
        (with(good, &json!({"key_ops": ["unwrapKey"]})), no_decryption),
        (with(bare_jwk(Alg::ES256), &json!({"use": "enc", "d": "AQ"})), no_decryption),
        // So far that it is not read.
        (json!({"kty": "RSA", "use": "enc"}), no_decryption),
        (json!({"kty": "EC", "use": "enc", "crv": "P-224"}), no_decryption),
        (json!({"kty": "AKP", "use": "enc"}), no_decryption),
    ] {
        assert_eq!(warning_in_set(&jwk), format!("key 1: skipped: {why}"), "{jwk}");
        let alone = load_error(jwks_text(std::slice::from_ref(&jwk)));
        assert_eq!(alone.to_string(), format!("no usable key: key 0: {why}"), "{jwk}");
        assert_eq!(load_error(jwk.to_string()).to_string(), why, "{jwk}");
    }
}

#[test]
fn a_skipped_key_verifies_nothing() {
    for skipped in
        [json!({"use": "enc"}), json!({"key_ops": ["encrypt"]}), json!({"alg": "RSA-OAEP"})]
    {
        let keys =
            jwks(&[with(bare_jwk(Alg::RS256), &skipped), with(bare_jwk(Alg::ES256), &json!({}))]);
        let verifier = verifier(keys);
        assert_eq!(refusal(&verifier, token(Alg::RS256)), Denial::AlgorithmNotAllowed);
        judge(&verifier, token(Alg::ES256)).unwrap();
    }
}

#[test]
fn accepts_use_sig_and_key_ops_that_hold_verify() {
    for more in [
        json!({"use": "sig"}),
        // SPIFFE's bundles say so, beside keys whose use is x509-svid.
        json!({"use": "jwt-svid"}),
        json!({"key_ops": ["verify"]}),
        json!({"key_ops": ["sign", "verify"], "use": "sig", "alg": "RS256"}),
        json!({"x5u": "junk", "x5t": 1, "unknown": {"a": [1]}}),
        // Serializers write members that have no value.
        json!({"use": null, "key_ops": null, "alg": null, "kid": null, "x5c": null, "d": null,
               "p": null, "q": null, "dp": null, "dq": null, "qi": null, "oth": null, "k": null}),
    ] {
        let (keys, warnings) = load(with(bare_jwk(Alg::RS256), &more).to_string(), None).unwrap();
        assert_eq!(warnings, "");
        judge(&verifier(keys), token(Alg::RS256)).unwrap();
    }
}

/// RFC 7517 section 4.7: "The key in the first certificate MUST match the public key represented by
/// other members of the JWK."
#[test]
fn certificate_of_a_jwk_is_its_key_where_it_has_no_other_and_else_must_be_of_it() {
    let certificates = |file: &str| -> Vec<String> {
        let blocks = pem::parse_many(data(file)).unwrap();
        blocks.iter().map(|block| STANDARD.encode(block.contents())).collect()
    };
    let (rsa, chain, ed25519) = (
        certificates("leaf_with_text.crt"),
        certificates("chain.crt"),
        certificates("ed25519.crt"),
    );
    let with_x5c = |jwk: Value, chain: &[String]| with(jwk, &json!({ "x5c": chain }));
    let (rsa_jwk, ed_jwk) = (bare_jwk(Alg::RS256), bare_jwk(Alg::EdDSA));
    let lines = rsa[0].as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap());
    let in_lines = vec![lines.collect::<Vec<_>>().join("\r\n")];
    for (jwk, alg) in [
        (with_x5c(json!({"kty": "RSA"}), &rsa), Alg::RS256),
        (with_x5c(json!({"kty": "RSA", "n": null, "e": null}), &rsa), Alg::RS256),
        (with_x5c(json!({"kty": "RSA", "use": "sig", "alg": "PS256"}), &rsa), Alg::PS256),
        (with_x5c(json!({"kty": "RSA"}), &in_lines), Alg::RS256),
        (with_x5c(json!({"kty": "OKP"}), &ed25519), Alg::EdDSA),
        (with_x5c(json!({"kty": "OKP", "crv": "Ed25519"}), &ed25519), Alg::Ed25519),
        (with_x5c(rsa_jwk.clone(), &rsa), Alg::RS256),
        (with_x5c(ed_jwk.clone(), &ed25519), Alg::EdDSA),
    ] {
        let (keys, warnings) = load(jwks_text(&[jwk]), None).unwrap();
        assert_eq!(warnings, "");
        judge(&verifier(keys), token(alg)).unwrap();
    }
    // The first alone counts.
    let keys = jwks(&[with_x5c(json!({"kty": "RSA"}), &chain)]);
    assert_eq!(refusal(&verifier(keys), token(Alg::ES256)), Denial::AlgorithmNotAllowed);
    for jwk in [
        with_x5c(rsa_of_bits(2048), &rsa),
        with_x5c(ed_jwk.clone(), &rsa),
        with_x5c(rsa_jwk.clone(), &ed25519),
        with_x5c(json!({"kty": "EC"}), &rsa),
        with_x5c(json!({"kty": "OKP", "crv": "Ed448"}), &ed25519),
    ] {
        let expected = "key 1: skipped: the certificate in \"x5c\" is of another key";
        assert_eq!(warning_in_set(&jwk), expected);
    }
    // One that cannot be read says nothing about a key that is there, and is none itself.
    for x5c in [json!([]), json!(["junk"]), json!("junk"), json!([1]), json!(["MIIB"])] {
        let jwk = with(rsa_jwk.clone(), &json!({ "x5c": x5c }));
        let (keys, warnings) = load(jwks_text(&[jwk]), None).unwrap();
        judge(&verifier(keys), token(Alg::RS256)).unwrap();
        let expected = "key 0: \"x5c\" cannot be read, and is not compared with the key";
        assert_eq!(warnings, expected);
        let warning = warning_in_set(&json!({"kty": "RSA", "x5c": x5c}));
        assert!(warning.starts_with("key 1: skipped: "), "{warning}");
    }
}

#[test]
fn a_broken_key_names_its_place_and_its_member() {
    let (rsa, ec, okp) = (bare_jwk(Alg::RS256), bare_jwk(Alg::ES256), bare_jwk(Alg::EdDSA));
    let without = |jwk: &Value, member: &str| {
        let mut jwk = jwk.clone();
        jwk.as_object_mut().unwrap().remove(member);
        jwk
    };
    for (jwk, member) in [
        (without(&rsa, "kty"), "kty"),
        (without(&rsa, "n"), "n"),
        (without(&rsa, "e"), "e"),
        (without(&ec, "crv"), "crv"),
        (without(&ec, "x"), "x"),
        (without(&ec, "y"), "y"),
        (without(&okp, "crv"), "crv"),
        (without(&okp, "x"), "x"),
        (json!({"kty": "oct"}), "k"),
        (json!({"kty": ["RSA"]}), "kty"),
        (with(rsa.clone(), &json!({"n": 5})), "n"),
        (with(rsa.clone(), &json!({"n": "AQAB="})), "n"),
        (with(rsa.clone(), &json!({"e": 65537})), "e"),
        (with(rsa.clone(), &json!({"use": ["sig"]})), "use"),
        (with(rsa.clone(), &json!({"key_ops": "verify"})), "key_ops"),
        (with(rsa.clone(), &json!({"key_ops": ["verify", 1]})), "key_ops"),
        (with(rsa.clone(), &json!({"key_ops": ["verify", "verify"]})), "key_ops"),
        (with(rsa.clone(), &json!({"alg": ["RS256"]})), "alg"),
        (with(rsa.clone(), &json!({"n": null})), "n"),
        (with(rsa, &json!({"kid": 1})), "kid"),
    ] {
        let expected = format!("key 1: skipped: \"{member}\" is missing or broken");
        assert_eq!(warning_in_set(&jwk), expected, "{jwk}");
    }
}

#[test]
fn rejects_a_jwk_whose_alg_does_not_fit_its_key() {
    for alg in Alg::ALL {
        for other in Alg::ALL.into_iter().filter(|other| Kind::of(*other) != Kind::of(alg)) {
            // The older name is for keys of either curve.
            if (alg, other) == (Alg::Ed448, Alg::EdDSA) {
                continue;
            }
            let jwk = with(bare_jwk(alg), &json!({"alg": other.name()}));
            let expected =
                format!("key 1: skipped: \"alg\" is {other}, which does not fit the key");
            assert_eq!(warning_in_set(&jwk), expected);
        }
    }
}

#[test]
fn warns_of_a_private_key_in_a_set_and_uses_its_public_part_alone() {
    for alg in [Alg::RS256, Alg::ES256, Alg::EdDSA] {
        let jwk = with(bare_jwk(alg), &json!({"d": "c2VjcmV0"}));
        let (keys, warnings) = load(jwks_text(&[bare_jwk(Alg::ES384), jwk]), None).unwrap();
        let expected = "key 1: holds a private key, of which only the public part is used";
        assert_eq!(warnings, expected);
        judge(&verifier(keys), token(alg)).unwrap();
    }
    let (_, warnings) = load(oct(&[7; 32]).to_string(), None).unwrap();
    assert_eq!(warnings, "");
    let jwk = with(bare_jwk(Alg::ES256), &json!({"d": null}));
    let (_, warnings) = load(jwk.to_string(), None).unwrap();
    assert_eq!(warnings, "");
    SigningKey::read(jwk.to_string().as_bytes()).unwrap_err();
}

#[test]
fn a_failed_file_leaves_the_builder_as_it_was() {
    let mut builder = KeySetBuilder::new();
    builder.add(bare_jwk(Alg::ES384).to_string().as_bytes(), None).unwrap();
    let broken = format!("{{\"keys\":[{},", bare_jwk(Alg::RS256));
    builder.add(broken.as_bytes(), None).unwrap_err();
    let broken = format!("{}-----BEGIN PUBLIC KEY-----", pem_of(Alg::EdDSA));
    builder.add(broken.as_bytes(), None).unwrap_err();
    let broken = jwks_text(&[json!({"kty": "RSA"}), json!({"kty": "RSA", "use": "tls"})]);
    builder.add(broken.as_bytes(), None).unwrap_err();
    // The error says it all.
    assert_eq!(builder.take_warnings(), []);
    let verifier = verifier(builder.build().0);
    judge(&verifier, token(Alg::ES384)).unwrap();
    assert_eq!(refusal(&verifier, token(Alg::RS256)), Denial::AlgorithmNotAllowed);
    assert_eq!(refusal(&verifier, token(Alg::EdDSA)), Denial::AlgorithmNotAllowed);
}

#[test]
fn gathers_the_keys_of_several_files() {
    let mut builder = KeySetBuilder::new();
    builder.add(bare_jwk(Alg::ES256).to_string().as_bytes(), None).unwrap();
    builder.add(pem_of(Alg::RS256).as_bytes(), None).unwrap();
    builder.add(jwks_text(&[bare_jwk(Alg::EdDSA)]).as_bytes(), Some(KeyFormat::Jwks)).unwrap();
    assert_eq!(builder.take_warnings(), []);
    let verifier = verifier(builder.build().0);
    for alg in [Alg::ES256, Alg::RS256, Alg::EdDSA] {
        judge(&verifier, token(alg)).unwrap();
    }
}

#[test]
fn loads_a_set_of_a_thousand_keys_and_finds_each_at_once() {
    let secret = |i: usize| {
        let mut secret = [0x11; 32];
        secret[..8].copy_from_slice(&i.to_be_bytes());
        secret
    };
    let set: Vec<Value> =
        (0..1000).map(|i| with(oct(&secret(i)), &json!({"kid": i.to_string()}))).collect();
    let start = Instant::now();
    let verifier = verifier(jwks(&set));
    for i in (0..1000).step_by(37) {
        let signer = SigningKey::read(set[i].to_string().as_bytes()).unwrap();
        let token = signer.sign(Alg::HS256, Some(&i.to_string()), PAYLOAD).unwrap();
        judge(&verifier, &token).unwrap();
        let misnamed = signer.sign(Alg::HS256, Some("0x1"), PAYLOAD).unwrap();
        assert_eq!(refusal(&verifier, misnamed), Denial::UnknownKey);
    }
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn loads_a_thousand_rsa_keys_in_reasonable_time() {
    let set: Vec<Value> =
        (0..1000).map(|i| with(bare_jwk(Alg::RS256), &json!({"kid": i.to_string()}))).collect();
    let start = Instant::now();
    let verifier = verifier(jwks(&set));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let token = key(Alg::RS256).sign(Alg::RS256, Some("999"), PAYLOAD).unwrap();
    judge(&verifier, token).unwrap();
}

// Which keys are tried: `keys::candidates`

fn candidates(keys: &Arc<KeySet>, alg: Alg, kid: Option<&str>) -> Result<usize, Denial> {
    candidates_of(std::slice::from_ref(keys), alg, kid)
}

fn candidates_of(sets: &[Arc<KeySet>], alg: Alg, kid: Option<&str>) -> Result<usize, Denial> {
    ojwt_core::keys::candidates(sets, alg, kid).map(Iterator::count)
}

#[test]
fn keys_of_several_sets_count_as_one_set() {
    let named = jwks(&[with(bare_jwk(Alg::RS256), &json!({"kid": "a"}))]).into();
    let nameless = jwks(&[bare_jwk(Alg::RS256), bare_jwk(Alg::ES256)]).into();
    let sets = [named, nameless];
    assert_eq!(candidates_of(&sets, Alg::RS256, None), Ok(2));
    assert_eq!(candidates_of(&sets, Alg::RS256, Some("a")), Ok(1));
    assert_eq!(candidates_of(&sets, Alg::ES256, Some("a")), Err(Denial::AlgorithmNotAllowed));
    assert_eq!(candidates_of(&sets, Alg::ES256, Some("x")), Ok(1));
    assert_eq!(candidates_of(&[], Alg::RS256, None), Err(Denial::AlgorithmNotAllowed));
    let many: Vec<Arc<KeySet>> = vec![jwks(&[bare_jwk(Alg::ES256)]).into(); 50];
    assert_eq!(candidates_of(&many, Alg::ES256, None), Ok(MAX_CANDIDATES));
}

#[test]
fn a_token_without_kid_is_tried_with_every_key_of_its_algorithm() {
    let keys = jwks(&[
        with(bare_jwk(Alg::RS256), &json!({"kid": "a"})),
        bare_jwk(Alg::RS256),
        with(bare_jwk(Alg::RS256), &json!({"kid": "b", "alg": "PS256"})),
        bare_jwk(Alg::ES256),
    ])
    .into();
    assert_eq!(candidates(&keys, Alg::RS256, None), Ok(2));
    assert_eq!(candidates(&keys, Alg::PS256, None), Ok(3));
    assert_eq!(candidates(&keys, Alg::ES256, None), Ok(1));
    assert_eq!(candidates(&keys, Alg::HS256, None), Err(Denial::AlgorithmNotAllowed));
}

#[test]
fn a_kid_that_is_known_selects_the_keys_so_named_and_no_other() {
    let keys = jwks(&[
        with(bare_jwk(Alg::RS256), &json!({"kid": "a"})),
        with(bare_jwk(Alg::ES256), &json!({"kid": "a"})),
        with(bare_jwk(Alg::RS256), &json!({"kid": "b"})),
        bare_jwk(Alg::EdDSA),
    ])
    .into();
    assert_eq!(candidates(&keys, Alg::RS256, Some("a")), Ok(1));
    assert_eq!(candidates(&keys, Alg::ES256, Some("a")), Ok(1));
    assert_eq!(candidates(&keys, Alg::RS256, Some("b")), Ok(1));
    // It has a name, but no key so named is of that kind; the nameless are not tried either.
    assert_eq!(candidates(&keys, Alg::ES256, Some("b")), Err(Denial::AlgorithmNotAllowed));
    assert_eq!(candidates(&keys, Alg::EdDSA, Some("a")), Err(Denial::AlgorithmNotAllowed));
}

#[test]
fn a_kid_that_is_unknown_selects_the_nameless_keys_if_there_are_any() {
    let named = with(bare_jwk(Alg::RS256), &json!({"kid": "a"}));
    let keys = jwks(std::slice::from_ref(&named)).into();
    assert_eq!(candidates(&keys, Alg::RS256, Some("x")), Err(Denial::UnknownKey));
    assert_eq!(candidates(&keys, Alg::ES256, Some("x")), Err(Denial::UnknownKey));
    let keys = jwks(&[named, bare_jwk(Alg::RS256), bare_jwk(Alg::ES256)]).into();
    assert_eq!(candidates(&keys, Alg::RS256, Some("x")), Ok(1));
    assert_eq!(candidates(&keys, Alg::ES256, Some("x")), Ok(1));
    assert_eq!(candidates(&keys, Alg::EdDSA, Some("x")), Err(Denial::AlgorithmNotAllowed));
    // PEM has no names, so whatever kid the issuer gives is no obstacle.
    let token = key(Alg::RS256).sign(Alg::RS256, Some("whatever"), PAYLOAD).unwrap();
    judge(&verifier(key_set(pem_of(Alg::RS256))), token).unwrap();
}

#[test]
fn keys_of_one_name_are_all_tried() {
    let stranger = SigningKey::generate(Alg::ES256, None).unwrap();
    let named = |jwk: Value| with(jwk, &json!({"kid": "same"}));
    let other = named(sign::to_jwk(&stranger.material().unwrap(), None, None));
    for set in [[other.clone(), named(bare_jwk(Alg::ES256))], [named(bare_jwk(Alg::ES256)), other]]
    {
        let token = key(Alg::ES256).sign(Alg::ES256, Some("same"), PAYLOAD).unwrap();
        judge(&verifier(jwks(&set)), token).unwrap();
    }
}

#[test]
fn an_empty_kid_is_a_name_like_any_other() {
    let keys = jwks(&[with(bare_jwk(Alg::RS256), &json!({"kid": ""}))]).into();
    assert_eq!(candidates(&keys, Alg::RS256, Some("")), Ok(1));
    assert_eq!(candidates(&keys, Alg::RS256, None), Ok(1));
    let keys = jwks(&[with(bare_jwk(Alg::RS256), &json!({"kid": "a"}))]).into();
    assert_eq!(candidates(&keys, Alg::RS256, Some("")), Err(Denial::UnknownKey));
}

#[test]
fn a_token_costs_a_bounded_number_of_signature_checks() {
    let nameless = vec![bare_jwk(Alg::ES256); 50];
    assert_eq!(candidates(&jwks(&nameless).into(), Alg::ES256, None), Ok(MAX_CANDIDATES));
    assert_eq!(candidates(&jwks(&nameless).into(), Alg::ES256, Some("x")), Ok(MAX_CANDIDATES));
    let named = vec![with(bare_jwk(Alg::ES256), &json!({"kid": "same"})); 50];
    assert_eq!(candidates(&jwks(&named).into(), Alg::ES256, Some("same")), Ok(MAX_CANDIDATES));
}
