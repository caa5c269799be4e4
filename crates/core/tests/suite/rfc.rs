//! The examples of the RFCs, as they stand there (`tests/data/vectors/rfc*.json`).
//!
//! What a gate says of each is tested in `vectors.rs`. Most hold no claims, so that a gate refuses
//! them in any case: here is what their signatures and their encryption are worth.

use std::sync::Arc;

use ojwt_core::issue::sign::SigningKey;
use ojwt_core::jose::compact::{Jwe, Jws};
use ojwt_core::keys::jwk;
use ojwt_core::keys::material::Material;
use ojwt_core::keys::pem;
use ojwt_core::text::base64url;
use ojwt_core::text::json::Json;
use ojwt_core::token::jwe;
use ojwt_core::token::jws;
use ojwt_core::{Alg, Denial, KeySet, KeySetBuilder};
use serde_json::{Value, json};

use crate::common::{base64, key_set, shared_vectors, unhex};

/// The decoded parts of a token in the compact serialization that a gate takes the algorithm of.
fn parts_of(vector: &Value) -> Option<Vec<Vec<u8>>> {
    let token = vector["token"].as_str().unwrap();
    if token.starts_with('{') || vector["expect"].as_str().unwrap().starts_with("unsupported") {
        return None;
    }
    Some(token.split('.').map(|part| base64url::decode(part.as_bytes()).unwrap()).collect())
}

fn keys(vector: &Value) -> [Arc<KeySet>; 1] {
    [key_set(vector["jwks"].to_string()).into()]
}

/// What is enclosed in a token, if its keys decrypt it.
fn enclosed(vector: &Value) -> Result<Vec<u8>, Denial> {
    let token = vector["token"].as_str().unwrap().as_bytes();
    jwe::decrypt(&Jwe::split(token, token.len())?, &keys(vector))?.into_enclosed()
}

fn is_signed(vector: &Value) -> Result<(), Denial> {
    let token = vector["token"].as_str().unwrap().as_bytes();
    let jws = Jws::split(token, token.len())?;
    jws::verify(jws, None, &keys(vector), |_| true).map(|_| ())
}

/// RFC 7515 appendix A, RFC 7516 appendix A, RFC 7519, RFC 7520, RFC 7797 and RFC 8037 appendix
/// A.4.
#[test]
fn examples_of_rfcs_are_signed_and_enclose_what_they_say() {
    let (mut signed, mut encrypted) = (0, 0);
    for vector in shared_vectors("rfc.json") {
        let (Some(content), Some(parts)) = (vector["content"].as_str(), parts_of(&vector)) else {
            continue;
        };
        if vector["type"].is_null() {
            // Section 4.5 of RFC 7520 leaves its payload out, which an application would put back.
            let is_whole = vector["detached"].is_null();
            assert_eq!(is_signed(&vector).is_ok(), is_whole, "{vector}");
            assert_eq!(parts[1] == content.as_bytes(), is_whole, "{vector}");
            signed += 1;
        } else {
            assert_eq!(enclosed(&vector).unwrap(), content.as_bytes(), "{vector}");
            encrypted += 1;
        }
    }
    assert_eq!((signed, encrypted), (20, 9));
}

/// Of each part but the header, which is another's business.
#[test]
fn examples_of_rfcs_with_one_bit_changed_are_neither_signed_nor_decrypted() {
    let vectors = shared_vectors("rfc.json");
    let mut count = 0;
    for twin in vectors.iter().filter(|vector| vector["twin_of"].is_string()) {
        let example = vectors.iter().find(|vector| vector["name"] == twin["twin_of"]).unwrap();
        assert_eq!(twin["jwks"], example["jwks"]);
        let (changed, whole) = (parts_of(twin).unwrap(), parts_of(example).unwrap());
        let bits = |parts: &[Vec<u8>]| parts.concat();
        let different: u32 =
            bits(&changed).iter().zip(bits(&whole)).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((different, &changed[0]), (1, &whole[0]), "{}", twin["name"]);
        if twin["type"].is_null() {
            assert_eq!(is_signed(twin).unwrap_err(), Denial::SignatureMismatch);
        } else {
            assert_eq!(enclosed(twin).unwrap_err(), Denial::DecryptionFailed);
        }
        count += 1;
    }
    assert_eq!(count, 56);
}

/// RFC 7517 appendices A to C and RFC 8037 appendix A: each a key file.
#[test]
fn keys_of_the_rfcs_are_read_and_those_of_no_use_are_skipped() {
    let files = shared_vectors("rfc_keys.json");
    assert_eq!(files.len(), 10);
    for file in files {
        let mut builder = KeySetBuilder::new();
        builder.add(file["jwks"].to_string().as_bytes(), None).unwrap();
        let (keys, warnings) = builder.build();
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(json!(warnings), file["warnings"], "{}", file["source"]);
        let mut kids: Vec<&str> = keys.kids().collect();
        kids.sort_unstable();
        assert_eq!(json!(kids), file["kids"], "{}", file["source"]);
        let is_for_decryption = file["source"] == "RFC 7517 appendix C.1";
        assert_eq!(keys.decrypts_with_a_key_pair(), is_for_decryption, "{}", file["source"]);
    }
}

fn material(jwk: &Value) -> Material {
    jwk::parse(Json::parse(jwk.to_string().as_bytes()).unwrap().root()).unwrap().material
}

/// RFC 7638 section 3.1 and RFC 8037 appendix A.3.
#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let mut count = 0;
    for file in shared_vectors("rfc_keys.json") {
        let Some(thumbprints) = file["thumbprints"].as_array() else { continue };
        for (jwk, thumbprint) in file["jwks"]["keys"].as_array().unwrap().iter().zip(thumbprints) {
            assert_eq!(&material(jwk).thumbprint(), thumbprint.as_str().unwrap());
            count += 1;
        }
    }
    assert_eq!(count, 3);
}

/// RFC 7517 appendix B: the key is in the certificate, too, which a JWK's reader never looks at.
#[test]
fn certificate_in_x5c_of_the_rfc_holds_the_key_beside_it() {
    let files = shared_vectors("rfc_keys.json");
    let file = files.iter().find(|file| file["source"] == "RFC 7517 appendix B").unwrap();
    let jwk = &file["jwks"]["keys"][0];
    let certificate = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        jwk["x5c"][0].as_str().unwrap()
    );
    assert_eq!(pem::parse(certificate.as_bytes()).unwrap(), [material(jwk)]);
}

/// RFC 8032 sections 7.1 and 7.4, but for the longest and those with a context.
#[test]
fn verifies_and_makes_the_signatures_of_rfc_8032() {
    let vectors = shared_vectors("rfc8032.json");
    assert_eq!(vectors.len(), 11);
    for vector in vectors {
        let [public, message, signature] = ["public", "message", "signature"]
            .map(|member| unhex(vector[member].as_str().unwrap()));
        let curve = vector["curve"].as_str().unwrap();
        let material = match curve {
            "Ed25519" => Material::Ed25519(public.clone()),
            "Ed448" => Material::Ed448(public.clone()),
            other => panic!("{other}"),
        };
        let key = material.verifier(Alg::EdDSA).unwrap();
        assert!(key.verifies(&message, &signature), "{vector}");
        assert!(!key.verifies(&[&message[..], &[0]].concat(), &signature), "{vector}");
        for bit in (0..signature.len() * 8).step_by(29) {
            let mut changed = signature.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.verifies(&message, &changed), "{bit} {vector}");
        }
        let jwk = json!({
            "kty": "OKP",
            "crv": curve,
            "x": base64(&public),
            "d": base64(unhex(vector["secret"].as_str().unwrap())),
        });
        let signer = SigningKey::read(jwk.to_string().as_bytes()).unwrap();
        let token = signer.sign_with_header(Alg::EdDSA, b"{}", &message).unwrap();
        let (input, made) = token.rsplit_once('.').unwrap();
        let made = base64url::decode(made.as_bytes()).unwrap();
        assert!(key.verifies(input.as_bytes(), &made), "{vector}");
        // The encoding of the private key in PEM is OpenSSL's.
        let again = SigningKey::read(signer.to_pkcs8_pem().unwrap().as_bytes()).unwrap();
        assert_eq!(again.material().unwrap(), material);
    }
}
