//! Encrypted tokens: what decrypts, and that every failure to looks like any other.

use std::collections::BTreeSet;
use std::sync::Arc;

use ojwt_core::denial::Defect;
use ojwt_core::issue::encrypt::{encrypt, encrypt_with_header};
use ojwt_core::issue::sign::{self, SignError};
use ojwt_core::keys::material::Material;
use ojwt_core::keys::{self, KeyError, MAX_CANDIDATES};
use ojwt_core::text::base64url;
use ojwt_core::{Alg, Claims, Denial, Enc, KeyAlg, KeySet, KeySetBuilder, TokenType};
use serde_json::{Map, Value, json};

use crate::common::{
    Kind, PAYLOAD, SECRET, Verifier, assemble, bare_jwk, base64, data, judge, jwks, key, key_set,
    refusal, token, verifier, with,
};

/// The algorithms of a token: `alg` and `enc`, which for `dir` are one choice.
fn combinations() -> Vec<(KeyAlg, Enc)> {
    let pairs = KeyAlg::ALL.into_iter().flat_map(|alg| Enc::ALL.map(|enc| (alg, enc)));
    pairs.filter(|(alg, enc)| !matches!(alg, KeyAlg::Dir(own) if own != enc)).collect()
}

/// One for each sort of key and content.
const SAMPLES: [(KeyAlg, Enc); 5] = [
    (KeyAlg::RsaOaep256, Enc::A128CbcHs256),
    (KeyAlg::A192Kw, Enc::A256CbcHs512),
    (KeyAlg::A256GcmKw, Enc::A192Gcm),
    (KeyAlg::Dir(Enc::A192CbcHs384), Enc::A192CbcHs384),
    (KeyAlg::Dir(Enc::A256Gcm), Enc::A256Gcm),
];

/// The gate's key for `alg`, as whoever encrypts has it.
fn material(alg: KeyAlg) -> Material {
    match alg.secret_len() {
        None => Kind::Rsa.material(),
        Some(length) => Material::Secret(secret(length)),
    }
}

fn secret(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from(i).unwrap().wrapping_mul(37)).collect()
}

/// The gate's key for `alg` as a JWK that says no more than it must.
fn jwk(alg: KeyAlg) -> Value {
    match alg.secret_len() {
        None => rsa_private(),
        Some(length) => json!({"kty": "oct", "k": base64(secret(length)), "use": "enc"}),
    }
}

/// The private half of the issuer's RSA key.
fn rsa_private() -> Value {
    serde_json::from_slice(&data("rsa.private.jwk")).unwrap()
}

/// Every key of the gate's, those to verify with among them.
fn all_keys() -> KeySet {
    let lengths: BTreeSet<usize> = KeyAlg::ALL.into_iter().filter_map(KeyAlg::secret_len).collect();
    let secrets = lengths
        .into_iter()
        .map(|length| json!({"kty": "oct", "k": base64(secret(length)), "use": "enc"}));
    let signing =
        [Alg::HS256, Alg::ES256, Alg::EdDSA].map(|alg| with(bare_jwk(alg), &json!({"use": "sig"})));
    jwks(&secrets.chain(signing).chain([rsa_private()]).collect::<Vec<_>>())
}

fn of_type(token_type: TokenType, keys: KeySet) -> Verifier {
    let mut verifier = verifier(keys);
    verifier.token_type = token_type;
    verifier
}

fn encrypted(keys: KeySet) -> Verifier {
    of_type(TokenType::Encrypted, keys)
}

fn nested(keys: KeySet) -> Verifier {
    of_type(TokenType::Nested, keys)
}

fn sealed(alg: KeyAlg, enc: Enc, content: impl AsRef<[u8]>) -> String {
    encrypt(content.as_ref(), &material(alg), alg, enc, None, None).unwrap()
}

/// A token whose header has the members of `more`, too.
fn sealed_with(alg: KeyAlg, enc: Enc, more: &Value) -> String {
    let header = with(json!({"alg": alg.name(), "enc": enc.name()}), more);
    let Value::Object(header) = header else { panic!() };
    encrypt_with_header(PAYLOAD, &material(alg), alg, enc, header).unwrap()
}

fn parts(token: &str) -> [&str; 5] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// `token` with the decoded part of that index changed.
fn with_part(token: &str, index: usize, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let mut parts = parts(token).map(str::to_owned);
    parts[index] = base64(change(base64url::decode(parts[index].as_bytes()).unwrap()));
    parts.join(".")
}

/// `token` under a header that has the members of `more`, which nobody authenticated.
fn with_header(token: &str, more: &Value) -> String {
    with_part(token, 0, |header| {
        let header: Value = serde_json::from_slice(&header).unwrap();
        with(header, more).to_string().into_bytes()
    })
}

fn payload() -> &'static str {
    std::str::from_utf8(PAYLOAD).unwrap()
}

// What decrypts

#[test]
fn decrypts_every_alg_with_every_enc() {
    let all = encrypted(all_keys());
    for (alg, enc) in combinations() {
        let verifier = encrypted(key_set(jwk(alg).to_string()));
        // Lengths around the blocks of AES.
        for length in 0..34 {
            let claims = json!({"sub": "x".repeat(length), "exp": 4_102_444_800_i64}).to_string();
            let token = sealed(alg, enc, &claims);
            assert_eq!(judge(&verifier, &token).unwrap().as_json(), claims, "{alg} {enc}");
        }
        let token = sealed(alg, enc, PAYLOAD);
        let claims = judge(&all, token).unwrap();
        assert_eq!((claims.as_json(), claims.payload()), (payload(), payload()));
        let header = json!({"alg": alg.name(), "enc": enc.name()}).to_string();
        assert!(claims.header().json().text().starts_with(&header[..header.len() - 1]));
    }
}

#[test]
fn two_tokens_of_one_content_have_nothing_in_common() {
    for (alg, enc) in combinations() {
        let (one, other) = (sealed(alg, enc, PAYLOAD), sealed(alg, enc, PAYLOAD));
        for index in 2..5 {
            assert_ne!(parts(&one)[index], parts(&other)[index], "{alg} {enc}");
        }
    }
}

/// RFC 7516 section 5.1 has the claims of an encrypted token judged as any others.
#[test]
fn claims_of_an_encrypted_token_are_judged_like_those_of_a_signed_one() {
    let verifier = encrypted(all_keys());
    for (alg, enc) in SAMPLES {
        for (claims, expected) in [
            (r#"{"exp":1}"#, Denial::Expired),
            (r#"{"nbf":4102444800}"#, Denial::NotYetValid),
            (r#"{"host":"example.org"}"#, Denial::WrongHost),
            (r#"{"iss":1}"#, Denial::ClaimRejected),
            ("[]", Denial::Malformed(Defect::NotAnObject)),
            ("", Denial::Malformed(Defect::Json)),
            (r#"{"a":1,"a":1}"#, Denial::Malformed(Defect::DuplicateMember)),
        ] {
            assert_eq!(refusal(&verifier, sealed(alg, enc, claims)), expected, "{alg} {claims}");
        }
    }
}

/// The list is of signature algorithms, and there is no signature.
#[test]
fn list_of_signature_algorithms_does_not_concern_encrypted_tokens() {
    let mut verifier = encrypted(all_keys());
    verifier.policy.algorithms = Some(vec![Alg::ES256]);
    judge(&verifier, sealed(KeyAlg::A128Kw, Enc::A128Gcm, PAYLOAD)).unwrap();
}

// Failures, of which one looks like the other (RFC 7516 section 11.5)

#[test]
fn every_change_of_an_encrypted_token_fails_to_decrypt_and_says_no_more() {
    for (alg, enc) in combinations() {
        let verifier = encrypted(key_set(jwk(alg).to_string()));
        let good = sealed(alg, enc, PAYLOAD);
        judge(&verifier, &good).unwrap();
        for index in 1..5 {
            let length = base64url::decode(parts(&good)[index].as_bytes()).unwrap().len();
            // An operation of RSA takes its time.
            let step = if alg.secret_len().is_none() && index == 1 { 29 } else { 1 };
            let flipped = (0..length).step_by(step).map(|position| {
                with_part(&good, index, |mut part| {
                    part[position] ^= 1 << (position % 8);
                    part
                })
            });
            let truncated = [0, 1, length / 2, length.saturating_sub(1)]
                .into_iter()
                .filter(|kept| *kept < length)
                .map(|kept| with_part(&good, index, |part| part[..kept].to_vec()));
            let longer = [1, 8, 16, 1000]
                .map(|more| with_part(&good, index, |part| [part, vec![0; more]].concat()));
            for changed in flipped.chain(truncated).chain(longer) {
                let denial = refusal(&verifier, &changed);
                assert_eq!(denial, Denial::DecryptionFailed, "{alg} {enc} part {index}");
            }
        }
    }
}

#[test]
fn header_of_an_encrypted_token_is_authenticated() {
    for (alg, enc) in combinations() {
        let verifier = encrypted(key_set(jwk(alg).to_string()));
        let good = sealed(alg, enc, PAYLOAD);
        for more in
            [json!({"kid": "x"}), json!({"typ": "JWT"}), json!({"cty": "x"}), json!({"x": 1})]
        {
            let changed = with_header(&good, &more);
            assert_eq!(refusal(&verifier, changed), Denial::DecryptionFailed, "{alg} {enc} {more}");
        }
        // The same header, spelled otherwise.
        let respelled = with_part(&good, 0, |header| [header, b" ".to_vec()].concat());
        assert_eq!(refusal(&verifier, respelled), Denial::DecryptionFailed, "{alg} {enc}");
        // The content of one token with the key of another.
        let other = sealed(alg, enc, PAYLOAD);
        if !matches!(alg, KeyAlg::Dir(_)) {
            let mut mixed = parts(&good);
            mixed[1] = parts(&other)[1];
            assert_eq!(refusal(&verifier, mixed.join(".")), Denial::DecryptionFailed);
        }
    }
}

#[test]
fn wrapped_key_with_a_changed_iv_or_tag_fails_to_decrypt() {
    let alg = KeyAlg::A128GcmKw;
    let verifier = encrypted(all_keys());
    let good = sealed(alg, Enc::A128Gcm, PAYLOAD);
    judge(&verifier, &good).unwrap();
    for (name, length) in [("iv", 12), ("tag", 16)] {
        for bytes in [0, 1, length - 1, length, length + 1, 16, 64] {
            let changed = with_header(&good, &json!({name: base64(vec![7; bytes])}));
            assert_eq!(refusal(&verifier, changed), Denial::DecryptionFailed, "{name} {bytes}");
        }
        for value in [json!(1), json!(null), json!("AA=="), json!("+/+/"), json!(["AA"])] {
            let changed = with_header(&good, &json!({name: value}));
            let expected = Denial::Malformed(Defect::KeyParameter);
            assert_eq!(refusal(&verifier, changed), expected, "{name} {value}");
        }
        let lacking = with_part(&good, 0, |header| {
            let mut header: Map<String, Value> = serde_json::from_slice(&header).unwrap();
            header.remove(name);
            Value::Object(header).to_string().into_bytes()
        });
        assert_eq!(refusal(&verifier, lacking), Denial::Malformed(Defect::KeyParameter), "{name}");
    }
    // To others they are parameters like any unknown one.
    judge(&verifier, sealed_with(KeyAlg::A128Kw, Enc::A128Gcm, &json!({"iv": 1, "tag": {}})))
        .unwrap();
}

/// A key that unwraps, but to the length that another `enc` wants.
#[test]
fn key_of_another_length_than_enc_wants_fails_to_decrypt() {
    let verifier = encrypted(all_keys());
    for alg in [KeyAlg::RsaOaep, KeyAlg::RsaOaep512, KeyAlg::A256Kw, KeyAlg::A192GcmKw] {
        for (enc, other) in [
            (Enc::A128Gcm, Enc::A256Gcm),
            (Enc::A256Gcm, Enc::A192Gcm),
            (Enc::A256Gcm, Enc::A128CbcHs256),
            (Enc::A256CbcHs512, Enc::A128CbcHs256),
            (Enc::A128CbcHs256, Enc::A256CbcHs512),
        ] {
            let renamed = with_header(&sealed(alg, enc, PAYLOAD), &json!({"enc": other.name()}));
            assert_eq!(
                refusal(&verifier, renamed),
                Denial::DecryptionFailed,
                "{alg} {enc} {other}"
            );
        }
    }
}

/// RFC 8725 section 2.1 is of signatures; what is sealed for one algorithm is none of another's,
/// too.
#[test]
fn token_under_the_name_of_another_algorithm_fails_to_decrypt() {
    let verifier = encrypted(all_keys());
    let enc = Enc::A256Gcm;
    for (alg, other) in [
        (KeyAlg::RsaOaep, KeyAlg::RsaOaep256),
        (KeyAlg::RsaOaep256, KeyAlg::RsaOaep),
        (KeyAlg::RsaOaep384, KeyAlg::RsaOaep512),
        (KeyAlg::A128Kw, KeyAlg::A256Kw),
        (KeyAlg::A256Kw, KeyAlg::Dir(enc)),
        (KeyAlg::Dir(enc), KeyAlg::A256Kw),
        (KeyAlg::RsaOaep, KeyAlg::Dir(enc)),
    ] {
        let renamed = with_header(&sealed(alg, enc, PAYLOAD), &json!({"alg": other.name()}));
        assert_eq!(refusal(&verifier, renamed), Denial::DecryptionFailed, "{alg} {other}");
    }
}

#[test]
fn token_for_another_key_fails_to_decrypt() {
    for (alg, enc) in combinations() {
        let stranger = match material(alg) {
            Material::Secret(secret) => {
                Material::Secret(secret.iter().map(|byte| byte ^ 0x55).collect())
            }
            _ => sign::SigningKey::read(&data("attacker_rsa.pem")).unwrap().material().unwrap(),
        };
        let token = encrypt(PAYLOAD, &stranger, alg, enc, None, None).unwrap();
        assert_eq!(refusal(&encrypted(all_keys()), token), Denial::DecryptionFailed, "{alg} {enc}");
    }
}

/// RFC 7516 section 5.2, step 10.
#[test]
fn dir_takes_no_encrypted_key() {
    let verifier = encrypted(all_keys());
    for enc in Enc::ALL {
        let good = sealed(KeyAlg::Dir(enc), enc, PAYLOAD);
        assert_eq!(parts(&good)[1], "");
        let cek = with_part(&good, 1, |_| secret(enc.cek_len()));
        assert_eq!(refusal(&verifier, cek), Denial::DecryptionFailed, "{enc}");
    }
}

// Headers

#[test]
fn rejects_zip_and_crit_of_an_encrypted_token_whatever_their_value() {
    let verifier = encrypted(all_keys());
    for (alg, enc) in SAMPLES {
        for more in [
            json!({"zip": "DEF"}),
            json!({"zip": ""}),
            json!({"zip": null}),
            json!({"crit": ["exp"]}),
            json!({"crit": []}),
            json!({"crit": "zip"}),
        ] {
            let token = sealed_with(alg, enc, &more);
            assert_eq!(refusal(&verifier, token), Denial::UnsupportedCriticalHeader, "{more}");
        }
    }
}

#[test]
fn rejects_algorithms_of_encryption_that_are_not_supported() {
    let verifier = encrypted(all_keys());
    let good = sealed(KeyAlg::A128Kw, Enc::A128Gcm, PAYLOAD);
    for alg in [
        "RSA1_5",
        "PBES2-HS256+A128KW",
        "PBES2-HS384+A192KW",
        "PBES2-HS512+A256KW",
        "ECDH-ES",
        "ECDH-ES+A128KW",
        "ECDH-ES+A256KW",
        "none",
        "DIR",
        "a128kw",
        "A128KW ",
        "",
        "HS256",
        "RS256",
        "A128GCM",
    ] {
        // What these bring along would be costly to look at; it is not.
        let more = json!({
            "alg": alg, "p2c": 1e300, "p2s": [], "epk": {"kty": "EC", "crv": 1}, "apu": 1,
        });
        let token = with_header(&good, &more);
        assert_eq!(refusal(&verifier, token), Denial::UnsupportedAlgorithm, "{alg}");
    }
    for enc in ["A128CBC", "A128CBC-HS512", "a128gcm", "A128GCM ", "none", "", "dir", "XC20P"] {
        let token = with_header(&good, &json!({"enc": enc}));
        assert_eq!(refusal(&verifier, token), Denial::UnsupportedAlgorithm, "{enc}");
    }
}

#[test]
fn rejects_a_header_of_an_encrypted_token_that_is_not_one() {
    let verifier = encrypted(all_keys());
    for (header, defect) in [
        ("{}", Defect::Alg),
        (r#"{"enc":"A128GCM"}"#, Defect::Alg),
        (r#"{"alg":["dir"],"enc":"A128GCM"}"#, Defect::Alg),
        (r#"{"alg":"dir"}"#, Defect::Enc),
        (r#"{"alg":"dir","enc":null}"#, Defect::Enc),
        (r#"{"alg":"dir","enc":["A128GCM"]}"#, Defect::Enc),
        (r#"{"alg":"dir","enc":"A128GCM","kid":1}"#, Defect::HeaderType),
        (r#"{"alg":"dir","enc":"A128GCM","cty":{}}"#, Defect::HeaderType),
        (r#"{"alg":"dir","alg":"dir","enc":"A128GCM"}"#, Defect::DuplicateMember),
        (r#"{"alg":"dir","enc":"A128GCM","\u0065nc":"A128GCM"}"#, Defect::DuplicateMember),
        (r#"{"alg":"dir","enc":"A128GCM"}x"#, Defect::Json),
        ("[]", Defect::NotAnObject),
        ("", Defect::Json),
        ("\u{feff}{}", Defect::Json),
    ] {
        let good = sealed(KeyAlg::Dir(Enc::A128Gcm), Enc::A128Gcm, PAYLOAD);
        let token = with_part(&good, 0, |_| header.as_bytes().to_vec());
        assert_eq!(refusal(&verifier, token), Denial::Malformed(defect), "{header}");
    }
}

#[test]
fn a_key_that_an_encrypted_token_brings_or_points_to_is_ignored() {
    let verifier = encrypted(all_keys());
    for more in [
        json!({"jwk": bare_jwk(Alg::RS256)}),
        json!({"jku": "https://evil.example/jwks.json", "x5u": "file:///etc/passwd"}),
        json!({"epk": {"kty": "EC"}, "p2c": 4_000_000_000_u64, "p2s": "AA"}),
    ] {
        judge(&verifier, sealed_with(KeyAlg::RsaOaep, Enc::A128Gcm, &more)).unwrap();
    }
}

// Size and shape

#[test]
fn rejects_an_oversized_encrypted_token_and_judges_one_of_the_limit() {
    let token = sealed(KeyAlg::A128Kw, Enc::A128Gcm, PAYLOAD);
    for token_type in [TokenType::Encrypted, TokenType::Nested] {
        let mut verifier = of_type(token_type, all_keys());
        verifier.max_token_size = token.len() - 1;
        assert_eq!(refusal(&verifier, &token), Denial::TooLarge);
        assert_eq!(refusal(&verifier, ".".repeat(token.len())), Denial::TooLarge);
    }
    let mut verifier = encrypted(all_keys());
    verifier.max_token_size = token.len();
    judge(&verifier, &token).unwrap();
}

#[test]
fn signed_and_encrypted_tokens_are_malformed_at_the_gates_of_each_other() {
    let jws = key(Alg::ES256).sign(Alg::ES256, None, PAYLOAD).unwrap();
    let jwe = sealed(KeyAlg::A128Kw, Enc::A128Gcm, PAYLOAD);
    for (token_type, token, defect) in [
        (TokenType::Signed, &jwe, Defect::Encrypted),
        (TokenType::Encrypted, &jws, Defect::Signed),
        (TokenType::Nested, &jws, Defect::Signed),
    ] {
        let denial = refusal(&of_type(token_type, all_keys()), token);
        assert_eq!(denial, Denial::Malformed(defect), "{token_type:?}");
    }
    // What was encrypted is no signed token, and the other way round.
    let enclosed = sealed(KeyAlg::A128Kw, Enc::A128Gcm, &jws);
    let denial = refusal(&encrypted(all_keys()), enclosed);
    assert_eq!(denial, Denial::Malformed(Defect::Json));
    assert_eq!(refusal(&nested(all_keys()), jwe), Denial::Malformed(Defect::Parts));
}

#[test]
fn a_gate_without_any_key_says_so() {
    for token_type in [TokenType::Encrypted, TokenType::Nested] {
        assert_eq!(refusal(&of_type(token_type, KeySet::default()), "x"), Denial::NoKey);
    }
}

// Nested tokens (RFC 7519 section 5.2)

fn nested_of(content: impl AsRef<[u8]>, cty: Option<&str>) -> String {
    let (alg, enc) = (KeyAlg::RsaOaep256, Enc::A128CbcHs256);
    encrypt(content.as_ref(), &material(alg), alg, enc, None, cty).unwrap()
}

fn judge_nested(content: impl AsRef<[u8]>) -> Result<Claims, Denial> {
    judge(&nested(all_keys()), nested_of(content, Some("JWT")))
}

#[test]
fn decrypts_and_verifies_a_nested_token_whatever_the_encryption() {
    let jws = key(Alg::ES256).sign(Alg::ES256, Some("inner"), PAYLOAD).unwrap();
    let verifier = nested(all_keys());
    for (alg, enc) in combinations() {
        let claims = judge(&verifier, sealed(alg, enc, &jws)).unwrap();
        assert_eq!((claims.as_json(), claims.payload()), (payload(), &*jws), "{alg} {enc}");
        // The header is that of the inner token, which is whose claims these are.
        assert_eq!(claims.header().kid(), Some("inner"));
        assert!(claims.header().json().member("enc").is_none());
    }
    for alg in [Alg::HS256, Alg::ES256, Alg::EdDSA, Alg::RS256, Alg::PS512] {
        judge_nested(token(alg)).unwrap();
    }
}

#[test]
fn both_layers_of_a_nested_token_are_checked() {
    let good = token(Alg::ES256);
    let [header, _, signature] = crate::common::parts(&good);
    let root = base64(br#"{"sub":"root"}"#);
    let sign = |payload: &str| key(Alg::ES256).sign(Alg::ES256, None, payload.as_bytes()).unwrap();
    for (content, expected) in [
        (format!("{header}.{root}.{signature}"), Denial::SignatureMismatch),
        (format!("{header}.{root}."), Denial::SignatureMismatch),
        (assemble(br#"{"alg":"none"}"#, PAYLOAD, b""), Denial::UnsupportedAlgorithm),
        (
            assemble(br#"{"alg":"ES256","crit":[]}"#, PAYLOAD, b""),
            Denial::UnsupportedCriticalHeader,
        ),
        (token(Alg::ES512), Denial::AlgorithmNotAllowed),
        (sign(r#"{"exp":1}"#), Denial::Expired),
        (sign(r#"{"nbf":4102444800}"#), Denial::NotYetValid),
        (sign(r#"{"host":"example.org"}"#), Denial::WrongHost),
        (sign("[]"), Denial::Malformed(Defect::NotAnObject)),
        (payload().to_owned(), Denial::Malformed(Defect::Parts)),
        (String::new(), Denial::Malformed(Defect::Parts)),
        (format!("{good}\n"), Denial::Malformed(Defect::Base64)),
        (format!("{good}="), Denial::Malformed(Defect::Base64)),
    ] {
        assert_eq!(judge_nested(&content).unwrap_err(), expected, "{content}");
    }
    let outer = nested_of(&good, Some("JWT"));
    judge(&nested(all_keys()), &outer).unwrap();
    for index in 1..5 {
        let tampered = with_part(&outer, index, |mut part| {
            part[0] ^= 1;
            part
        });
        assert_eq!(refusal(&nested(all_keys()), tampered), Denial::DecryptionFailed, "{index}");
    }
}

#[test]
fn encryption_alone_vouches_for_nobody_at_a_nested_gate() {
    // Whoever has the public key can encrypt, a token of their own making included.
    let attacker = sign::SigningKey::read(&data("attacker_rsa.pem")).unwrap();
    for alg in [Alg::RS256, Alg::PS256] {
        let forged = attacker.sign(alg, None, PAYLOAD).unwrap();
        assert_eq!(judge_nested(forged).unwrap_err(), Denial::SignatureMismatch);
    }
}

#[test]
fn rejects_an_encrypted_token_within_an_encrypted_one() {
    let inner = nested_of(token(Alg::ES256), Some("JWT"));
    assert_eq!(judge_nested(inner).unwrap_err(), Denial::Malformed(Defect::Encrypted));
    let inner = sealed(KeyAlg::A128Kw, Enc::A128Gcm, PAYLOAD);
    assert_eq!(judge_nested(inner).unwrap_err(), Denial::Malformed(Defect::Encrypted));
}

#[test]
fn cty_of_a_nested_token_is_jwt_in_any_case_or_missing() {
    let verifier = nested(all_keys());
    for cty in [None, Some("JWT"), Some("jwt"), Some("Jwt")] {
        judge(&verifier, nested_of(token(Alg::ES256), cty)).unwrap();
    }
    for cty in ["", "JWE", "JWT ", "application/json", "json"] {
        let denial = refusal(&verifier, nested_of(token(Alg::ES256), Some(cty)));
        assert_eq!(denial, Denial::Malformed(Defect::ContentType), "{cty}");
    }
}

#[test]
fn list_of_signature_algorithms_holds_for_the_enclosed_token() {
    let mut verifier = nested(all_keys());
    verifier.policy.algorithms = Some(vec![Alg::EdDSA]);
    judge(&verifier, nested_of(token(Alg::EdDSA), None)).unwrap();
    let denial = refusal(&verifier, nested_of(token(Alg::ES256), None));
    assert_eq!(denial, Denial::AlgorithmNotAllowed);
}

#[test]
fn payload_of_a_signed_token_is_its_claims() {
    let claims = judge(&verifier(all_keys()), token(Alg::ES256)).unwrap();
    assert_eq!(claims.payload(), claims.as_json());
}

// Which keys are tried: `keys::decrypters`

fn candidates(keys: &[Value], alg: KeyAlg, kid: Option<&str>) -> Result<usize, Denial> {
    keys::decrypters(&[jwks(keys).into()], alg, kid).map(Iterator::count)
}

fn named(jwk: Value, kid: &str) -> Value {
    with(jwk, &json!({ "kid": kid }))
}

#[test]
fn kid_of_an_encrypted_token_selects_the_key_so_named_or_the_nameless() {
    let (a, b) = (named(jwk(KeyAlg::A128Kw), "a"), named(jwk(KeyAlg::A256Kw), "b"));
    let nameless = jwk(KeyAlg::A192Kw);
    let set = [a.clone(), b.clone()];
    assert_eq!(candidates(&set, KeyAlg::A128Kw, Some("a")), Ok(1));
    assert_eq!(candidates(&set, KeyAlg::A128Kw, None), Ok(1));
    assert_eq!(candidates(&set, KeyAlg::A128Kw, Some("b")), Err(Denial::AlgorithmNotAllowed));
    assert_eq!(candidates(&set, KeyAlg::A192Kw, None), Err(Denial::AlgorithmNotAllowed));
    assert_eq!(candidates(&set, KeyAlg::A128Kw, Some("x")), Err(Denial::UnknownKey));
    let set = [a, b, nameless];
    assert_eq!(candidates(&set, KeyAlg::A192Kw, Some("x")), Ok(1));
    assert_eq!(candidates(&set, KeyAlg::A128Kw, Some("x")), Err(Denial::AlgorithmNotAllowed));
    assert_eq!(candidates(&set, KeyAlg::A192Kw, Some("a")), Err(Denial::AlgorithmNotAllowed));

    let verifier = encrypted(jwks(&[named(jwk(KeyAlg::A128Kw), "a")]));
    let seal = |kid| {
        let alg = KeyAlg::A128Kw;
        encrypt(PAYLOAD, &material(alg), alg, Enc::A128Gcm, kid, None).unwrap()
    };
    judge(&verifier, seal(Some("a"))).unwrap();
    judge(&verifier, seal(None)).unwrap();
    assert_eq!(refusal(&verifier, seal(Some("../a"))), Denial::UnknownKey);
}

#[test]
fn names_of_signing_keys_do_not_count_for_decryption() {
    let signing = named(with(bare_jwk(Alg::ES256), &json!({"use": "sig"})), "a");
    let set = [signing, jwk(KeyAlg::A128Kw)];
    assert_eq!(candidates(&set, KeyAlg::A128Kw, Some("a")), Ok(1));
    let keys = Arc::new(jwks(&set));
    let count =
        |alg, kid| keys::candidates(std::slice::from_ref(&keys), alg, kid).map(Iterator::count);
    assert_eq!(count(Alg::ES256, Some("a")), Ok(1));
    assert_eq!(count(Alg::ES256, Some("x")), Err(Denial::UnknownKey));
}

#[test]
fn an_encrypted_token_costs_a_bounded_number_of_decryptions() {
    let nameless = vec![jwk(KeyAlg::A128Kw); 50];
    assert_eq!(candidates(&nameless, KeyAlg::A128Kw, None), Ok(MAX_CANDIDATES));
    assert_eq!(candidates(&nameless, KeyAlg::A128Kw, Some("x")), Ok(MAX_CANDIDATES));
    let many: Vec<Arc<KeySet>> = vec![jwks(&[jwk(KeyAlg::A128Kw)]).into(); 50];
    let count = keys::decrypters(&many, KeyAlg::A128Kw, None).unwrap().count();
    assert_eq!(count, MAX_CANDIDATES);
}

#[test]
fn every_key_that_may_be_meant_is_tried() {
    let stranger = json!({"kty": "oct", "k": base64([9; 16]), "use": "enc"});
    let token = sealed(KeyAlg::A128Kw, Enc::A128Gcm, PAYLOAD);
    for set in [[stranger.clone(), jwk(KeyAlg::A128Kw)], [jwk(KeyAlg::A128Kw), stranger]] {
        judge(&encrypted(jwks(&set)), &token).unwrap();
    }
}

// What a JWK is for

/// The names of what a JWK decrypts, `dir` with its `enc`.
fn decrypts(jwk: &Value) -> Vec<String> {
    let keys = [key_set(jwk.to_string()).into()];
    let algs = KeyAlg::ALL.into_iter().filter(|alg| keys::decrypters(&keys, *alg, None).is_ok());
    algs.map(|alg| match alg {
        KeyAlg::Dir(enc) => format!("dir {enc}"),
        alg => alg.to_string(),
    })
    .collect()
}

fn verifies(jwk: &Value, alg: Alg) -> bool {
    keys::candidates(&[key_set(jwk.to_string()).into()], alg, None).is_ok()
}

fn load_error(jwk: &Value) -> KeyError {
    KeySetBuilder::new().add(jwk.to_string().as_bytes(), None).unwrap_err()
}

fn oct(length: usize, more: &Value) -> Value {
    with(json!({"kty": "oct", "k": base64(secret(length))}), more)
}

#[test]
fn a_secret_that_says_nothing_serves_what_its_length_fits() {
    for (length, expected) in [
        (32, &["A256KW", "A256GCMKW", "dir A128CBC-HS256", "dir A256GCM"][..]),
        (48, &["dir A192CBC-HS384"]),
        (64, &["dir A256CBC-HS512"]),
        (33, &[]),
        (100, &[]),
    ] {
        let jwk = oct(length, &json!({}));
        assert_eq!(decrypts(&jwk), expected, "{length}");
        assert!(verifies(&jwk, Alg::HS256), "{length}");
    }
}

#[test]
fn a_secret_too_short_for_any_hash_must_say_that_it_is_for_encryption() {
    for bytes in [16, 24] {
        let expected = KeyError::SecretTooShort { bytes };
        assert_eq!(load_error(&oct(bytes, &json!({}))), expected);
        assert_eq!(load_error(&oct(bytes, &json!({"use": "sig"}))), expected);
        let both = json!({"key_ops": ["verify", "decrypt"]});
        assert_eq!(load_error(&oct(bytes, &both)), expected);
    }
    for (length, more, expected) in [
        (16, json!({"use": "enc"}), &["A128KW", "A128GCMKW", "dir A128GCM"][..]),
        (24, json!({"use": "enc"}), &["A192KW", "A192GCMKW", "dir A192GCM"]),
        (16, json!({"key_ops": ["unwrapKey"]}), &["A128KW", "A128GCMKW", "dir A128GCM"]),
        (16, json!({"key_ops": ["encrypt", "decrypt"]}), &["A128KW", "A128GCMKW", "dir A128GCM"]),
        (16, json!({"alg": "A128KW"}), &["A128KW"]),
        (24, json!({"alg": "A192GCMKW"}), &["A192GCMKW"]),
        (16, json!({"alg": "dir"}), &["dir A128GCM"]),
        (16, json!({"alg": "A128GCM"}), &["dir A128GCM"]),
        (32, json!({"alg": "dir"}), &["dir A128CBC-HS256", "dir A256GCM"]),
        (32, json!({"alg": "A256GCM", "use": "enc"}), &["dir A256GCM"]),
        (32, json!({"alg": "A128CBC-HS256"}), &["dir A128CBC-HS256"]),
    ] {
        let jwk = oct(length, &more);
        assert_eq!(decrypts(&jwk), expected, "{jwk}");
        assert!(!verifies(&jwk, Alg::HS256), "{jwk}");
    }
}

#[test]
fn rejects_a_secret_of_another_length_than_its_alg_wants() {
    for (length, alg) in [
        (32, "A128KW"),
        (16, "A256KW"),
        (17, "A128KW"),
        (0, "A128KW"),
        (32, "A192GCMKW"),
        (20, "dir"),
        (0, "dir"),
        (32, "A128GCM"),
        (32, "A256CBC-HS512"),
        (32, "RSA-OAEP"),
    ] {
        let error = load_error(&oct(length, &json!({"alg": alg})));
        assert_eq!(error, KeyError::NotForAlgorithm { alg }, "{length}");
        assert_eq!(error.to_string(), format!("\"alg\" is {alg}, which does not fit the key"));
    }
    // A length that no algorithm wants.
    let error = load_error(&oct(20, &json!({"use": "enc"})));
    assert_eq!(error.to_string(), "for encryption, but not a key that decrypts here");
}

#[test]
fn a_secret_for_signatures_decrypts_nothing_and_one_for_encryption_verifies_nothing() {
    let for_signatures = [
        json!({"use": "sig"}),
        json!({"alg": "HS256"}),
        json!({"key_ops": ["verify"]}),
        json!({"key_ops": ["sign", "verify"], "use": "sig"}),
    ];
    for more in for_signatures {
        let jwk = oct(32, &more);
        assert_eq!(decrypts(&jwk), [""; 0], "{jwk}");
        let verifier = encrypted(key_set(jwk.to_string()));
        for alg in [KeyAlg::A256Kw, KeyAlg::A256GcmKw, KeyAlg::Dir(Enc::A256Gcm)] {
            let denial = refusal(&verifier, sealed(alg, Enc::A256Gcm, PAYLOAD));
            assert_eq!(denial, Denial::AlgorithmNotAllowed, "{jwk}");
        }
    }
    let signer = sign::SigningKey::read(oct(32, &json!({})).to_string().as_bytes()).unwrap();
    let token = signer.sign(Alg::HS256, None, PAYLOAD).unwrap();
    for more in [json!({"use": "enc"}), json!({"alg": "A256KW"}), json!({"key_ops": ["decrypt"]})] {
        let jwk = oct(32, &more);
        let denial = refusal(&verifier(key_set(jwk.to_string())), &token);
        assert_eq!(denial, Denial::AlgorithmNotAllowed, "{jwk}");
        // Nor does it sign.
        assert!(sign::SigningKey::read(jwk.to_string().as_bytes()).is_err());
    }
}

#[test]
fn rejects_a_public_key_as_the_secret_of_an_encryption() {
    let pem = sign::public_pem(&Kind::Rsa.material()).unwrap();
    let der = Kind::P256.material().to_spki_der().unwrap();
    for public in [pem.as_bytes(), &der] {
        for more in [json!({"use": "enc"}), json!({"alg": "dir"}), json!({"alg": "A256KW"})] {
            let jwk = with(json!({"kty": "oct", "k": base64(public)}), &more);
            assert_eq!(load_error(&jwk), KeyError::PublicKeyAsSecret, "{more}");
        }
    }
    // Nor does a public key decrypt, whatever the token is encrypted with.
    for public in [bare_jwk(Alg::RS256), bare_jwk(Alg::ES256), bare_jwk(Alg::EdDSA)] {
        assert_eq!(decrypts(&public), [""; 0]);
        let verifier = encrypted(key_set(public.to_string()));
        for (alg, enc) in combinations() {
            let denial = refusal(&verifier, sealed(alg, enc, PAYLOAD));
            assert_eq!(denial, Denial::AlgorithmNotAllowed, "{alg} {enc}");
        }
    }
}

const RSA_OAEP: [&str; 4] = ["RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512"];

#[test]
fn a_private_rsa_key_decrypts_unless_it_is_for_signatures() {
    for (more, expected, verifies_too, warned) in [
        (json!({}), &RSA_OAEP[..], true, false),
        (json!({"use": "enc"}), &RSA_OAEP, false, false),
        (json!({"key_ops": ["decrypt", "unwrapKey"]}), &RSA_OAEP, false, false),
        (json!({"key_ops": ["verify", "unwrapKey"]}), &RSA_OAEP, true, false),
        (json!({"alg": "RSA-OAEP-256"}), &["RSA-OAEP-256"], false, false),
        (json!({"use": "sig"}), &[], true, true),
        (json!({"alg": "PS256"}), &[], true, true),
        (json!({"key_ops": ["sign", "verify"]}), &[], true, true),
    ] {
        let jwk = with(rsa_private(), &more);
        assert_eq!(decrypts(&jwk), expected, "{more}");
        assert_eq!(verifies(&jwk, Alg::PS256), verifies_too, "{more}");
        let mut builder = KeySetBuilder::new();
        builder.add(jwk.to_string().as_bytes(), None).unwrap();
        let warnings = builder.take_warnings();
        assert_eq!(!warnings.is_empty(), warned, "{more}");
        if let Some(warning) = warnings.first() {
            let expected = "key 0: holds a private key, of which only the public part is used";
            assert_eq!(warning.to_string(), expected);
        }
    }
}

#[test]
fn rejects_a_private_rsa_key_whose_numbers_do_not_belong_together() {
    for use_ in [json!({}), json!({"use": "enc"})] {
        let good = with(rsa_private(), &use_);
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            let mut bytes = base64url::decode(good[member].as_str().unwrap().as_bytes()).unwrap();
            *bytes.last_mut().unwrap() ^= 2;
            let jwk = with(good.clone(), &json!({member: base64(&bytes)}));
            assert_eq!(load_error(&jwk), KeyError::Encoding("an RSA private key"), "{member}");
            let jwk = with(good.clone(), &json!({member: "not base64"}));
            assert_eq!(load_error(&jwk), KeyError::Member(member));
        }
        let other = with(good, &json!({"n": base64([0xff; 256])}));
        assert_eq!(load_error(&other), KeyError::Encoding("an RSA private key"));
    }
}

/// RFC 7518 section 6.3.2 allows a private key without its primes, and one of more than two.
#[test]
fn a_private_rsa_key_that_cannot_be_used_must_be_for_signatures_too() {
    let mut without_primes = rsa_private();
    for member in ["p", "q", "dp", "dq", "qi"] {
        without_primes.as_object_mut().unwrap().remove(member);
    }
    let multi_prime = with(rsa_private(), &json!({"oth": []}));
    for jwk in [without_primes.clone(), multi_prime.clone()] {
        assert_eq!(decrypts(&jwk), [""; 0]);
        assert!(verifies(&jwk, Alg::RS256));
    }
    let enc = json!({"use": "enc"});
    assert_eq!(load_error(&with(without_primes, &enc)), KeyError::Member("p"));
    let error = load_error(&with(multi_prime, &enc));
    assert_eq!(error, KeyError::Unusable("an RSA key of more than two primes"));
}

/// RFC 7518 section 4.3: "A key of size 2048 bits or larger MUST be used".
#[test]
fn rejects_a_short_rsa_key_for_decryption() {
    let mut n = vec![0xff; 128];
    n[0] = 0x80;
    let jwk = with(rsa_private(), &json!({"n": base64(&n), "use": "enc"}));
    assert_eq!(load_error(&jwk), KeyError::RsaSize { bits: 1024 });
}

#[test]
fn one_set_holds_keys_to_verify_and_keys_to_decrypt() {
    let set = [
        named(with(bare_jwk(Alg::ES256), &json!({"use": "sig"})), "s"),
        named(jwk(KeyAlg::A128Kw), "e"),
    ];
    let jws = key(Alg::ES256).sign(Alg::ES256, Some("s"), PAYLOAD).unwrap();
    let alg = KeyAlg::A128Kw;
    let seal = |content: &[u8]| {
        encrypt(content, &material(alg), alg, Enc::A128Gcm, Some("e"), None).unwrap()
    };
    judge(&verifier(jwks(&set)), &jws).unwrap();
    judge(&encrypted(jwks(&set)), seal(PAYLOAD)).unwrap();
    judge(&nested(jwks(&set)), seal(jws.as_bytes())).unwrap();
    // From two sources they count as from one.
    let [signing, encryption] = set.map(|jwk| Arc::new(jwks(&[jwk])));
    let mut rules = nested(KeySet::default());
    rules.policy.algorithms = Some(vec![Alg::ES256]);
    let claims = rules.verify_by(seal(jws.as_bytes()).as_bytes(), &[signing, encryption]).unwrap();
    assert_eq!(claims.payload(), jws);
}

#[test]
fn never_prints_a_key_for_decryption() {
    let secret = json!({"kty": "oct", "k": base64(b"hunter2hunter2!!"), "use": "enc"});
    let keys = jwks(&[secret, rsa_private()]);
    let shown = format!("{keys:?}");
    assert!(shown.contains("A128Kw") && shown.contains("RsaOaep"), "{shown}");
    let d = rsa_private()["d"].as_str().unwrap().to_owned();
    let bytes = format!("{:?}", &base64url::decode(d.as_bytes()).unwrap()[..4]);
    for part in ["hunter2", "104, 117, 110", &d[..8], bytes.trim_matches(['[', ']'])] {
        assert!(!shown.contains(part), "{part}");
    }
}

// Making them

#[test]
fn encrypts_with_keys_that_fit_the_algorithm_alone() {
    for (alg, enc) in combinations() {
        let others = [Material::Secret(SECRET[..7].to_vec()), Kind::P256.material()];
        let other_kind = match alg.secret_len() {
            None => Material::Secret(secret(32)),
            Some(_) => Kind::Rsa.material(),
        };
        for key in others.into_iter().chain([other_kind]) {
            let error = encrypt(PAYLOAD, &key, alg, enc, None, None).unwrap_err();
            assert_eq!(error, SignError::NotForEncryption { alg }, "{alg} {enc} {key:?}");
        }
    }
    let (alg, other) = (KeyAlg::Dir(Enc::A256Gcm), Enc::A128CbcHs256);
    let error = encrypt(PAYLOAD, &material(alg), alg, other, None, None).unwrap_err();
    assert_eq!(error.to_string(), "the key cannot encrypt for dir");
}
