//! Forged, bent and oversized tokens, each refused for the reason that is documented.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use ojwt_core::denial::Defect;
use ojwt_core::issue::sign::{self, SigningKey};
use ojwt_core::keys::material::Material;
use ojwt_core::text::base64url;
use ojwt_core::text::json::MAX_DEPTH;
use ojwt_core::verify::{Lack, Memory};
use ojwt_core::{Alg, Denial};
use serde_json::json;

use crate::common::{
    Kind, NOW, PAYLOAD, assemble, bare_jwk, base64, data, judge, jwks, key, key_set, parts,
    refusal, token, verifier, verifier_for, verifier_of_all_kinds, with, with_signature,
};

/// A token of the issuer's, whose header says what a test likes.
fn signed_with_header(alg: Alg, header: &str) -> String {
    key(alg).sign_with_header(alg, header.as_bytes(), PAYLOAD).unwrap()
}

fn signed_with_payload(alg: Alg, payload: impl AsRef<[u8]>) -> String {
    let header = json!({"alg": alg.name()}).to_string();
    key(alg).sign_with_header(alg, header.as_bytes(), payload.as_ref()).unwrap()
}

// RFC 8725 section 2.1: weak signatures and insufficient signature validation.

#[test]
fn rejects_alg_none_in_every_spelling_whatever_the_signature() {
    let verifier = verifier_of_all_kinds();
    let spellings = (0..16u32).map(|capitals| {
        "none"
            .char_indices()
            .map(|(i, c)| if capitals >> i & 1 == 1 { c.to_ascii_uppercase() } else { c })
            .collect::<String>()
    });
    let disguises = ["", " none", "none ", "none\\u0000", "\\u006eone", "ｎｏｎｅ", "nonе", "null"];
    for alg in spellings.chain(disguises.map(str::to_owned)) {
        let header = format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
        let good = token(Alg::RS256);
        let signature = base64url::decode(parts(&good)[2].as_bytes()).unwrap();
        for signature in [&b""[..], b"\0", &signature] {
            let token = assemble(header.as_bytes(), PAYLOAD, signature);
            assert_eq!(refusal(&verifier, token), Denial::UnsupportedAlgorithm, "{alg}");
        }
    }
}

#[test]
fn rejects_a_stripped_signature_under_every_algorithm() {
    let verifier = verifier_of_all_kinds();
    for alg in Alg::ALL {
        let token = with_signature(&token(alg), |_| Vec::new());
        assert!(token.ends_with('.'));
        assert_eq!(refusal(&verifier, token), Denial::SignatureMismatch, "{alg}");
    }
}

#[test]
fn rejects_a_token_without_alg_or_with_one_that_is_no_string() {
    let verifier = verifier_of_all_kinds();
    for header in [
        "{}",
        r#"{"typ":"JWT"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":true}"#,
        r#"{"alg":256}"#,
        r#"{"alg":["RS256"]}"#,
        r#"{"alg":{"RS256":1}}"#,
        r#"{"ALG":"RS256"}"#,
    ] {
        let token = signed_with_header(Alg::RS256, header);
        assert_eq!(refusal(&verifier, token), Denial::Malformed(Defect::Alg), "{header}");
    }
}

#[test]
fn rejects_an_algorithm_named_in_another_case_or_not_of_signatures() {
    let verifier = verifier_of_all_kinds();
    for alg in [
        "rs256",
        "Rs256",
        "RS256 ",
        " RS256",
        "RS-256",
        "RS1",
        "RS128",
        "HS1",
        "ES256k",
        "eddsa",
        "EDDSA",
        "A128KW",
        "dir",
        "RSA-OAEP",
        "A128GCM",
        "RS256\\u0000",
        "RS256,HS256",
    ] {
        let token = signed_with_header(Alg::RS256, &format!(r#"{{"alg":"{alg}"}}"#));
        assert_eq!(refusal(&verifier, token), Denial::UnsupportedAlgorithm, "{alg}");
    }
}

/// Everything that careless code might take for the bytes of a public key.
fn spellings_of(material: &Material) -> Vec<Vec<u8>> {
    let pem = sign::public_pem(material).unwrap();
    let spki = material.to_spki_der().unwrap();
    let mut spellings = vec![
        pem.replace('\n', "\r\n").into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        pem.lines().filter(|line| !line.starts_with('-')).collect::<String>().into_bytes(),
        pem.into_bytes(),
        base64(&spki).into_bytes(),
        spki,
        sign::to_jwk(material, None, None).to_string().into_bytes(),
    ];
    match material {
        Material::Rsa { n, e } | Material::RsaPss { n, e, .. } => {
            let pkcs1_pem = data("rsa_pkcs1.pub.pem");
            spellings.push(pem::parse(&pkcs1_pem).unwrap().into_contents());
            spellings.push(pkcs1_pem);
            spellings.push([&[0], &n[..]].concat());
            spellings.push(base64(n).into_bytes());
            spellings.extend([n.clone(), e.clone()]);
        }
        Material::Ec { point, .. } => {
            spellings.push(base64(point).into_bytes());
            spellings.extend([point.clone(), point[1..].to_vec()]);
        }
        Material::Ed25519(x) | Material::Ed448(x) => {
            spellings.extend([base64(x).into_bytes(), x.clone()]);
        }
        Material::Secret(_) => unreachable!(),
    }
    spellings.push(Vec::new());
    spellings
}

fn hmac_token(alg: Alg, secret: &[u8]) -> String {
    let algorithm = match alg {
        Alg::HS256 => hmac::HMAC_SHA256,
        Alg::HS384 => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    };
    let header = base64(json!({"alg": alg.name()}).to_string());
    let input = format!("{header}.{}", base64(PAYLOAD));
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
    format!("{input}.{}", base64(tag.as_ref()))
}

#[test]
fn rejects_hmac_token_signed_with_any_spelling_of_a_public_key() {
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Secret) {
        let material = kind.material();
        let from_pem = verifier(key_set(sign::public_pem(&material).unwrap()));
        let from_jwks = verifier(jwks(&[sign::to_jwk(&material, None, None)]));
        let with_a_secret_beside_it = verifier_of_all_kinds();
        for secret in spellings_of(&material) {
            for alg in [Alg::HS256, Alg::HS384, Alg::HS512] {
                let token = hmac_token(alg, &secret);
                assert_eq!(refusal(&from_pem, &token), Denial::AlgorithmNotAllowed, "{kind:?}");
                assert_eq!(refusal(&from_jwks, &token), Denial::AlgorithmNotAllowed, "{kind:?}");
                let denial = refusal(&with_a_secret_beside_it, &token);
                assert_eq!(denial, Denial::SignatureMismatch, "{kind:?}");
            }
        }
    }
}

#[test]
fn hmac_tokens_of_these_tests_are_forged_as_an_honest_secret_would_sign_them() {
    // Else the test above proves nothing.
    for alg in [Alg::HS256, Alg::HS384, Alg::HS512] {
        judge(&verifier_for(alg), hmac_token(alg, &crate::common::SECRET)).unwrap();
    }
}

#[test]
fn rejects_a_header_whose_alg_was_swapped_for_any_other() {
    let verifier = verifier_of_all_kinds();
    for signed in Alg::ALL {
        // Two names of what such a key does.
        let is_same = |alg: Alg| match signed {
            Alg::EdDSA | Alg::Ed25519 => Kind::of(alg) == Kind::Ed25519,
            Alg::Ed448 => matches!(alg, Alg::EdDSA | Alg::Ed448),
            signed => alg == signed,
        };
        for claimed in Alg::ALL.into_iter().filter(|alg| !is_same(*alg)) {
            let header = json!({"alg": claimed.name()}).to_string();
            // The attacker may rewrite the header of a good token …
            let good = token(signed);
            let [_, payload, signature] = parts(&good);
            let rewritten = format!("{}.{payload}.{signature}", base64(&header));
            assert_eq!(refusal(&verifier, rewritten), Denial::SignatureMismatch);
            // … or have an issuer that signs any header.
            let resigned = signed_with_header(signed, &header);
            let denial = refusal(&verifier, resigned);
            assert_eq!(denial, Denial::SignatureMismatch, "{claimed} over {signed}");
        }
    }
}

// RFC 8725 section 3.10: "Do not trust received claims": a token does not bring its own key.

#[test]
fn rejects_the_attackers_key_embedded_in_or_linked_from_the_header() {
    let attacker = SigningKey::read(&data("attacker_rsa.pem")).unwrap();
    let jwk = sign::to_jwk(&attacker.material().unwrap(), Some("mine"), Some(Alg::RS256));
    let der = attacker.material().unwrap().to_spki_der().unwrap();
    let verifier = verifier(jwks(&[with(bare_jwk(Alg::RS256), &json!({"kid": "theirs"}))]));
    for (parameters, expected) in [
        (json!({"jwk": jwk}), Denial::SignatureMismatch),
        (json!({"jwk": jwk, "kid": "theirs"}), Denial::SignatureMismatch),
        (json!({"jwk": jwk, "kid": "mine"}), Denial::UnknownKey),
        (json!({"jku": "https://evil.example/jwks.json"}), Denial::SignatureMismatch),
        (json!({"jku": "file:///etc/passwd", "kid": "mine"}), Denial::UnknownKey),
        (json!({"x5u": "https://evil.example/chain.pem"}), Denial::SignatureMismatch),
        (json!({"x5c": [base64(&der)]}), Denial::SignatureMismatch),
        (json!({"x5t": "AAAA", "x5t#S256": "AAAA"}), Denial::SignatureMismatch),
        (json!({"jwk": {"kty": "oct", "k": ""}}), Denial::SignatureMismatch),
    ] {
        let header = with(json!({"alg": "RS256"}), &parameters).to_string();
        let forged = attacker.sign_with_header(Alg::RS256, header.as_bytes(), PAYLOAD).unwrap();
        assert_eq!(refusal(&verifier, forged), expected, "{header}");
    }
}

#[test]
fn rejects_a_symmetric_jwk_embedded_in_the_header() {
    let secret = [7; 64];
    let header = json!({"alg": "HS256", "jwk": {"kty": "oct", "k": base64(secret)}}).to_string();
    let input = format!("{}.{}", base64(header), base64(PAYLOAD));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), input.as_bytes());
    let token = format!("{input}.{}", base64(tag.as_ref()));
    assert_eq!(refusal(&verifier_for(Alg::RS256), &token), Denial::AlgorithmNotAllowed);
    assert_eq!(refusal(&verifier_for(Alg::HS256), &token), Denial::SignatureMismatch);
}

#[test]
fn key_material_in_the_header_of_a_good_token_changes_nothing() {
    let header =
        json!({"alg": "RS256", "jku": 1, "x5u": null, "jwk": "x", "x5c": [[]]}).to_string();
    judge(&verifier_for(Alg::RS256), signed_with_header(Alg::RS256, &header)).unwrap();
}

#[test]
fn kid_is_compared_and_nothing_else() {
    let named = verifier(jwks(&[with(bare_jwk(Alg::RS256), &json!({"kid": "key-1"}))]));
    let kids = [
        "../../../../../../dev/null",
        "/etc/passwd",
        "file:///dev/null",
        "https://evil.example/key",
        "key-1/../key-1",
        "x' UNION SELECT 'secret' --",
        "'; DROP TABLE keys; --",
        "| sleep 60",
        "$(id)",
        "key-1\0",
        "\0",
        "key-1\n",
        " key-1",
        "KEY-1",
        "key-2",
        "",
        "𝐤𝐞𝐲-𝟏",
        "\u{202e}1-yek",
        &"k".repeat(10_000),
    ];
    for kid in kids {
        let header = json!({"alg": "RS256", "kid": kid}).to_string();
        let denial = refusal(&named, signed_with_header(Alg::RS256, &header));
        assert_eq!(denial, Denial::UnknownKey, "{kid}");
    }
    for header in [r#"{"alg":"RS256","kid":"key-1"}"#, r#"{"alg":"RS256","kid":"\u006bey\u002d1"}"#]
    {
        judge(&named, signed_with_header(Alg::RS256, header)).unwrap();
    }
}

#[test]
fn a_hostile_kid_reaches_the_key_that_is_so_named_and_no_other() {
    for kid in ["../../dev/null", "a\0b", "' OR 1=1 --", "", "ключ"] {
        let verifier = verifier(jwks(&[
            with(bare_jwk(Alg::RS256), &json!({"kid": kid})),
            with(bare_jwk(Alg::ES256), &json!({"kid": "other"})),
        ]));
        let header = json!({"alg": "RS256", "kid": kid}).to_string();
        judge(&verifier, signed_with_header(Alg::RS256, &header)).unwrap();
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        let denial = refusal(&verifier, signed_with_header(Alg::ES256, &header));
        assert_eq!(denial, Denial::AlgorithmNotAllowed);
    }
}

#[test]
fn rejects_kid_typ_or_cty_that_is_no_string() {
    let verifier = verifier_for(Alg::RS256);
    for parameter in ["kid", "typ", "cty"] {
        for value in [json!(1), json!(null), json!(["a"]), json!({"a": 1}), json!(true)] {
            let header = with(json!({"alg": "RS256"}), &json!({parameter: value})).to_string();
            let denial = refusal(&verifier, signed_with_header(Alg::RS256, &header));
            assert_eq!(denial, Denial::Malformed(Defect::HeaderType), "{header}");
        }
    }
}

// RFC 7515 section 4: "The Header Parameter names within the JOSE Header MUST be unique".

#[test]
fn rejects_duplicate_members_of_the_header_in_any_spelling() {
    let verifier = verifier_for(Alg::RS256);
    for header in [
        r#"{"alg":"RS256","alg":"RS256"}"#,
        r#"{"alg":"none","alg":"RS256"}"#,
        r#"{"alg":"RS256","alg":"none"}"#,
        r#"{"alg":"RS256","\u0061lg":"none"}"#,
        r#"{"alg":"RS256","\u0061\u006C\u0067":"none"}"#,
        r#"{"alg":"RS256","kid":"a","k\u0069d":"b"}"#,
        r#"{"alg":"RS256","x":1,"y":2,"x":1}"#,
        r#"{"alg":"RS256","jwk":{"kty":"RSA","kty":"oct"}}"#,
        r#"{"alg":"RS256","x":[[{"a":1,"a":2}]]}"#,
    ] {
        let denial = refusal(&verifier, signed_with_header(Alg::RS256, header));
        assert_eq!(denial, Denial::Malformed(Defect::DuplicateMember), "{header}");
    }
}

// RFC 7519 section 4: "The Claim Names within a JWT Claims Set MUST be unique".

#[test]
fn rejects_duplicate_claims_in_any_spelling() {
    let verifier = verifier_for(Alg::RS256);
    for payload in [
        r#"{"exp":4102444800,"exp":1}"#,
        r#"{"exp":1,"exp":4102444800}"#,
        r#"{"exp":1,"\u0065xp":4102444800}"#,
        r#"{"sub":"alice","sub":"alice"}"#,
        r#"{"sub":"alice","s\u0075b":"root"}"#,
        r#"{"realm_access":{"roles":["user"],"roles":["admin"]}}"#,
        r#"{"a":[{"b":[{"c":1,"c":1}]}]}"#,
        r#"{"":1,"":1}"#,
        r#"{"a\/b":1,"a/b":1}"#,
        r#"{"😀":1,"\ud83d\ude00":2}"#,
    ] {
        let denial = refusal(&verifier, signed_with_payload(Alg::RS256, payload));
        assert_eq!(denial, Denial::Malformed(Defect::DuplicateMember), "{payload}");
    }
}

#[test]
fn names_that_only_look_alike_are_no_duplicates() {
    // RFC 7515 section 5.3: compared as code points, nothing is normalised or folded.
    let payload = "{\"a\":1,\"A\":1,\"é\":1,\"e\u{301}\":1,\"а\":1,\"a \":1,\"a\\u0000\":1}";
    let claims =
        judge(&verifier_for(Alg::RS256), signed_with_payload(Alg::RS256, payload)).unwrap();
    assert_eq!(claims.as_json(), payload);
}

// RFC 7515 section 4.1.11: what `crit` names and is not understood makes the JWS invalid.

#[test]
fn rejects_crit_unknown_empty_repeated_ill_typed_or_naming_a_standard_parameter() {
    let verifier = verifier_for(Alg::RS256);
    for crit in [
        r#"["http://example.com/UNDEFINED"]"#,
        r#"["exp"]"#,
        r#"["alg"]"#,
        r#"["kid"]"#,
        r#"["b64"]"#,
        r#"["exp","exp"]"#,
        r#"["not-in-the-header"]"#,
        "[]",
        "[1]",
        "[null]",
        r#""exp""#,
        "null",
        "{}",
        "0",
        "false",
    ] {
        let header = format!(r#"{{"alg":"RS256","kid":"k","exp":1,"b64":true,"crit":{crit}}}"#);
        let denial = refusal(&verifier, signed_with_header(Alg::RS256, &header));
        assert_eq!(denial, Denial::UnsupportedCriticalHeader, "{crit}");
    }
    let escaped = r#"{"alg":"RS256","\u0063rit":["exp"],"exp":1}"#;
    let denial = refusal(&verifier, signed_with_header(Alg::RS256, escaped));
    assert_eq!(denial, Denial::UnsupportedCriticalHeader);
}

// RFC 7797 section 7: `b64` with the value false is not for JWTs.

#[test]
fn rejects_b64_false_whether_the_payload_is_encoded_or_not() {
    let verifier = verifier_for(Alg::RS256);
    for header in [
        r#"{"alg":"RS256","b64":false}"#,
        r#"{"alg":"RS256","b64":false,"crit":["b64"]}"#,
        r#"{"alg":"RS256","b64":null}"#,
        r#"{"alg":"RS256","b64":"false"}"#,
        r#"{"alg":"RS256","b64":0}"#,
    ] {
        let encoded = signed_with_header(Alg::RS256, header);
        assert_eq!(refusal(&verifier, &encoded), Denial::UnsupportedCriticalHeader, "{header}");
        let [header, _, signature] = parts(&encoded);
        let raw = format!("{header}.{{}}.{signature}");
        assert_eq!(refusal(&verifier, raw), Denial::Malformed(Defect::Base64));
        let detached = format!("{header}..{signature}");
        assert_eq!(refusal(&verifier, detached), Denial::UnsupportedCriticalHeader);
    }
    judge(&verifier, signed_with_header(Alg::RS256, r#"{"alg":"RS256","b64":true}"#)).unwrap();
}

#[test]
fn rejects_a_detached_payload() {
    for alg in [Alg::RS256, Alg::HS256] {
        let good = token(alg);
        let [header, _, signature] = parts(&good);
        let denial = refusal(&verifier_for(alg), format!("{header}..{signature}"));
        assert_eq!(denial, Denial::SignatureMismatch);
        let honest = signed_with_payload(alg, "");
        assert_eq!(refusal(&verifier_for(alg), honest), Denial::Malformed(Defect::Json));
    }
}

// RFC 7515 section 2: base64url "with all trailing '=' characters omitted … and without the
// inclusion of any line breaks, whitespace, or other additional characters".

#[test]
fn rejects_every_other_spelling_of_each_base64url_part() {
    // Each part decodes to bytes that need `-` and `_`, and leave two or four unused bits.
    let header = r#"{"alg":"HS512","kid":"~~~>>>???ÿÿ"}"#;
    let payload = r#"{"a":"~~~???>>>ÿÿ "}"#;
    let good = signed_with_header_and_payload(header, payload);
    let verifier = verifier_for(Alg::HS512);
    judge(&verifier, &good).unwrap();
    for index in 0..3 {
        let part = parts(&good)[index];
        assert_ne!(part.len() % 4, 0, "part {index} has no unused bits");
        for spelling in other_spellings(part) {
            let mut changed = parts(&good).map(str::to_owned);
            changed[index].clone_from(&spelling);
            let denial = refusal(&verifier, changed.join("."));
            assert_eq!(denial, Denial::Malformed(Defect::Base64), "{index}: {spelling:?}");
        }
    }
}

fn signed_with_header_and_payload(header: &str, payload: &str) -> String {
    key(Alg::HS512).sign_with_header(Alg::HS512, header.as_bytes(), payload.as_bytes()).unwrap()
}

/// What a lenient decoder decodes to the same bytes.
fn other_spellings(part: &str) -> Vec<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let unused = if part.len() % 4 == 2 { 4 } else { 2 };
    let (rest, last) = part.split_at(part.len() - 1);
    let value = ALPHABET.iter().position(|letter| *letter == last.as_bytes()[0]).unwrap();
    let trailing_bits =
        (1..1 << unused).map(|bits| format!("{rest}{}", char::from(ALPHABET[value | bits])));
    let padding = ["=", "==", "===", "%3D", "%3d%3d"].map(|padding| format!("{part}{padding}"));
    let white_space = [" ", "\n", "\r\n", "\t", "\u{b}", "\u{c}", "\0", "\u{a0}", "\u{200b}"];
    let middle = part.len() / 2;
    let inserted = white_space.into_iter().flat_map(|space| {
        [0, 1, middle, part.len()].map(|at| format!("{}{space}{}", &part[..at], &part[at..]))
    });
    let classic = [part.replace('-', "+"), part.replace('_', "/")];
    trailing_bits
        .chain(padding)
        .chain(inserted)
        .chain(classic.into_iter().filter(|spelling| spelling != part))
        .chain([format!("{part}!"), format!("\u{feff}{part}")])
        .collect()
}

#[test]
fn rejects_any_number_of_parts_but_three() {
    let verifier = verifier_of_all_kinds();
    let good = token(Alg::RS256);
    let [header, payload, signature] = parts(&good);
    for token in [
        String::new(),
        ".".into(),
        header.into(),
        format!("{header}.{payload}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}..{payload}.{signature}"),
        good.replace('.', ""),
        good.replace('.', "%2E"),
        good.replace('.', ","),
        good.replace('.', "．"),
    ] {
        assert_eq!(refusal(&verifier, &token), Denial::Malformed(Defect::Parts), "{token}");
    }
    for five in [format!("{header}.{payload}.{signature}.{payload}.{signature}"), "....".into()] {
        assert_eq!(refusal(&verifier, &five), Denial::Malformed(Defect::Encrypted), "{five}");
    }
    assert_eq!(refusal(&verifier, ".."), Denial::Malformed(Defect::Json));
    assert_eq!(refusal(&verifier, format!("Bearer {good}")), Denial::Malformed(Defect::Base64));
    assert_eq!(refusal(&verifier, format!("\"{good}\"")), Denial::Malformed(Defect::Base64));
}

#[test]
fn rejects_a_jwe_and_the_json_serializations() {
    let verifier = verifier_of_all_kinds();
    // RFC 7516 appendix A.1, shortened: five parts.
    let jwe = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo.48V1_ALb.5eym8TW.XFBoMYUZ";
    assert_eq!(refusal(&verifier, jwe), Denial::Malformed(Defect::Encrypted));
    let good = token(Alg::RS256);
    let [header, payload, signature] = parts(&good);
    let flattened = json!({"protected": header, "payload": payload, "signature": signature});
    assert_eq!(refusal(&verifier, flattened.to_string()), Denial::Malformed(Defect::Parts));
    // The key algorithm of a JWE over three parts.
    let three = assemble(br#"{"alg":"dir","enc":"A128GCM"}"#, PAYLOAD, b"x");
    assert_eq!(refusal(&verifier, three), Denial::UnsupportedAlgorithm);
}

#[test]
fn rejects_a_nested_token_where_claims_are_expected() {
    let inner = token(Alg::HS256);
    let header = br#"{"alg":"RS256","cty":"JWT"}"#;
    let outer = key(Alg::RS256).sign_with_header(Alg::RS256, header, inner.as_bytes()).unwrap();
    let denial = refusal(&verifier_for(Alg::RS256), outer);
    assert_eq!(denial, Denial::Malformed(Defect::Json));
}

#[test]
fn rejects_claims_or_header_changed_after_signing() {
    for alg in Alg::ALL {
        let verifier = verifier_for(alg);
        let good = token(alg);
        judge(&verifier, &good).unwrap();
        let [header, payload, signature] = parts(&good);
        let changed = |header: &str, payload: &str| format!("{header}.{payload}.{signature}");
        let root = base64(br#"{"sub":"root","exp":4102444800}"#);
        assert_eq!(refusal(&verifier, changed(header, &root)), Denial::SignatureMismatch);
        // The same claims, otherwise written.
        let spaced = base64(br#"{"sub": "alice", "exp": 4102444800}"#);
        assert_eq!(refusal(&verifier, changed(header, &spaced)), Denial::SignatureMismatch);
        let untyped = base64(json!({"alg": alg.name()}).to_string());
        assert_eq!(refusal(&verifier, changed(&untyped, payload)), Denial::SignatureMismatch);
        // The signature of one token under another.
        let other = key(alg).sign(alg, None, br#"{"sub":"bob"}"#).unwrap();
        let spliced = changed(parts(&other)[0], parts(&other)[1]);
        assert_eq!(refusal(&verifier, spliced), Denial::SignatureMismatch, "{alg}");
    }
}

#[test]
fn rejects_a_boundary_moved_between_header_and_payload() {
    // If the parts were signed without the period, these would be the same bytes.
    let good = token(Alg::HS256);
    let [header, payload, signature] = parts(&good);
    let (head, tail) = header.split_at(header.len() - 4);
    let denial = refusal(&verifier_for(Alg::HS256), format!("{head}.{tail}{payload}.{signature}"));
    assert_eq!(denial, Denial::Malformed(Defect::Json));
}

#[test]
fn a_payload_of_a_bad_signature_is_never_parsed() {
    let verifier = verifier_for(Alg::RS256);
    let signature = base64url::decode(parts(&token(Alg::RS256))[2].as_bytes()).unwrap();
    let deep = format!("{{\"a\":{}", "[".repeat(10_000));
    for payload in [
        &b"not json"[..],
        b"",
        b"[]",
        b"{\"a\":1,\"a\":1}",
        b"\xff",
        br#"{"exp":1}"#,
        br#"{"exp":"x"}"#,
        br#"{"host":"evil.example"}"#,
        deep.as_bytes(),
    ] {
        let forged = assemble(br#"{"alg":"RS256"}"#, payload, &signature);
        assert_eq!(refusal(&verifier, forged), Denial::SignatureMismatch);
    }
}

#[test]
fn rejects_a_signed_payload_that_is_not_one_json_object_in_utf8() {
    let verifier = verifier_for(Alg::RS256);
    for (payload, defect) in [
        (&b""[..], Defect::Json),
        (b"null", Defect::NotAnObject),
        (b"[]", Defect::NotAnObject),
        (br#"[{"sub":"alice"}]"#, Defect::NotAnObject),
        (br#""{}""#, Defect::NotAnObject),
        (b"1", Defect::NotAnObject),
        (b"true", Defect::NotAnObject),
        (b"{}{}", Defect::Json),
        (b"{} x", Defect::Json),
        (b"{}\0", Defect::Json),
        (b"\0{}", Defect::Json),
        (b"\x0c{}", Defect::Json),
        (b"\xef\xbb\xbf{}", Defect::Json),
        (b"\xff\xfe{\0}\0", Defect::Json),
        (b"{\"a\":\"\xff\"}", Defect::Json),
        (b"{\"a\":\"\xc0\xaf\"}", Defect::Json),
        (b"{\"a\":\"\xed\xa0\x80\"}", Defect::Json),
        (b"{\"a\":\"\xf4\x90\x80\x80\"}", Defect::Json),
        (br#"{"a":"\ud800"}"#, Defect::Json),
        (b"{\"a\":\"\n\"}", Defect::Json),
        (b"{'a':1}", Defect::Json),
        (b"{\"a\":1,}", Defect::Json),
        (b"{\"a\":NaN}", Defect::Json),
        (b"{\"a\":1/**/}", Defect::Json),
    ] {
        let denial = refusal(&verifier, signed_with_payload(Alg::RS256, payload));
        let shown = String::from_utf8_lossy(payload);
        assert_eq!(denial, Denial::Malformed(defect), "{shown}");
    }
}

#[test]
fn rejects_a_header_that_is_not_one_json_object_in_utf8() {
    let verifier = verifier_for(Alg::RS256);
    let alg = br#""alg":"RS256""#;
    let object = [b"{", &alg[..], b"}"].concat();
    for (header, defect) in [
        (Vec::new(), Defect::Json),
        ([b"[", &object[..], b"]"].concat(), Defect::NotAnObject),
        (b"\"RS256\"".to_vec(), Defect::NotAnObject),
        ([&b"\xef\xbb\xbf"[..], &object].concat(), Defect::Json),
        ([&object[..], &object].concat(), Defect::Json),
        ([&object[..], b"\0"].concat(), Defect::Json),
        ([b"{", &alg[..], b",\"kid\":\"\xe9\"}"].concat(), Defect::Json),
    ] {
        let token = key(Alg::RS256).sign_with_header(Alg::RS256, &header, PAYLOAD).unwrap();
        let shown = String::from_utf8_lossy(&header);
        assert_eq!(refusal(&verifier, token), Denial::Malformed(defect), "{shown}");
    }
}

#[test]
fn rejects_nesting_beyond_the_bound_in_header_and_payload() {
    let verifier = verifier_for(Alg::HS256);
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let object = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    // The outermost object takes one level.
    judge(&verifier, signed_with_payload(Alg::HS256, object(MAX_DEPTH))).unwrap();
    for payload in [
        object(MAX_DEPTH + 1),
        format!(r#"{{"a":{}}}"#, nested(MAX_DEPTH)),
        format!(r#"{{"a":{}"#, "[".repeat(10_000)),
    ] {
        let denial = refusal(&verifier, signed_with_payload(Alg::HS256, payload));
        assert_eq!(denial, Denial::Malformed(Defect::TooDeep));
    }
    for depth in [MAX_DEPTH, 5_000] {
        let header = format!(r#"{{"alg":"HS256","x":{}}}"#, nested(depth));
        let denial = refusal(&verifier, assemble(header.as_bytes(), PAYLOAD, b"x"));
        assert_eq!(denial, Denial::Malformed(Defect::TooDeep));
    }
    let header = format!(r#"{{"alg":"HS256","x":{}}}"#, nested(MAX_DEPTH - 1));
    judge(&verifier, signed_with_header(Alg::HS256, &header)).unwrap();
}

#[test]
fn rejects_an_oversized_token_and_judges_one_of_the_limit() {
    let mut verifier = verifier_for(Alg::HS256);
    let good = token(Alg::HS256);
    verifier.max_token_size = good.len();
    judge(&verifier, &good).unwrap();
    verifier.max_token_size = good.len() - 1;
    assert_eq!(refusal(&verifier, &good), Denial::TooLarge);
    verifier.max_token_size = 0;
    assert_eq!(refusal(&verifier, &good), Denial::TooLarge);
    assert_eq!(refusal(&verifier, ""), Denial::Malformed(Defect::Parts));
    verifier.max_token_size = ojwt_core::verify::DEFAULT_MAX_TOKEN_SIZE;
    assert_eq!(refusal(&verifier, ".".repeat(64 << 20)), Denial::TooLarge);
}

#[test]
fn a_hostile_header_costs_bounded_time() {
    let mut verifier = verifier_for(Alg::RS256);
    verifier.max_token_size = 1 << 20;
    let many = |member: &dyn Fn(usize) -> String, count: usize| {
        let members: Vec<String> = (0..count).map(member).collect();
        format!("{{{}}}", members.join(","))
    };
    let prefix = "\\u0061".repeat(500);
    let headers = [
        // No alg, so that nothing but parsing is measured.
        many(&|i| format!("\"{i}\":0"), 50_000),
        many(&|i| format!("\"\\u0061{i}\":0"), 40_000),
        many(&|i| format!("\"{prefix}{i}\":0"), 200),
        format!("{{\"a\":[{}0]}}", "0,".repeat(300_000)),
        format!("{{\"a\":[{}{{}}]}}", "{},".repeat(200_000)),
        format!("{{\"a\":\"{}\"}}", "\\u0061".repeat(100_000)),
        format!("{{\"a\":{}}}", "9".repeat(700_000)),
        format!("{}{{}}", " ".repeat(700_000)),
    ];
    for header in headers {
        let token = assemble(header.as_bytes(), b"{}", b"");
        let start = Instant::now();
        let denial = refusal(&verifier, token);
        assert_eq!(denial, Denial::Malformed(Defect::Alg));
        // Generous: a debug build on a busy machine. Quadratic work would take minutes.
        assert!(start.elapsed() < Duration::from_secs(5), "{}", &header[..20]);
    }
}

#[test]
fn a_huge_number_in_a_signed_claim_costs_bounded_time() {
    let mut verifier = verifier_for(Alg::HS256);
    verifier.max_token_size = 2 << 20;
    let start = Instant::now();
    for number in ["9".repeat(1_000_000), format!("0.{}1", "0".repeat(1_000_000))] {
        let token = signed_with_payload(Alg::HS256, format!(r#"{{"exp":{number}}}"#));
        judge(&verifier, token).unwrap_err();
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn nothing_of_a_token_is_in_the_denial() {
    let verifier = verifier(jwks(&[with(bare_jwk(Alg::HS256), &json!({"kid": "k"}))]));
    let canary = "CANARY";
    let tokens = [
        canary.to_owned(),
        format!("{canary}.{canary}.{canary}"),
        assemble(br#"{"alg":"CANARY"}"#, PAYLOAD, b""),
        assemble(br#"{"alg":"HS256","kid":"CANARY"}"#, PAYLOAD, b""),
        assemble(br#"{"alg":"HS256","CANARY":1,"CANARY":1}"#, PAYLOAD, b""),
        assemble(br#"{"alg":"HS256","crit":["CANARY"]}"#, PAYLOAD, b""),
        assemble(br#"{"alg":["CANARY"]}"#, PAYLOAD, b""),
        signed_with_payload(Alg::HS256, r#"{"iss":["CANARY"]}"#),
        signed_with_payload(Alg::HS256, r#"{"host":"CANARY"}"#),
        signed_with_payload(Alg::HS256, r#"{"CANARY":1,"CANARY":1}"#),
        signed_with_payload(Alg::HS256, r#"{"exp":1,"a":"CANARY"}"#),
        "CANARY".repeat(10_000),
    ];
    for token in tokens {
        let denial = refusal(&verifier, &token);
        let shown = format!(
            "{denial} {denial:?} {} {} {:?}",
            denial.code(),
            denial.verdict(),
            denial.detail()
        );
        assert!(!shown.contains(canary), "{shown}");
        assert!(!shown.contains(&base64(canary)), "{shown}");
    }
}

#[test]
fn no_key_is_the_answer_before_anything_of_the_token_is_read() {
    let verifier = verifier(ojwt_core::KeySet::default());
    for token in ["", "x", &token(Alg::RS256), &".".repeat(100_000)] {
        assert_eq!(refusal(&verifier, token), Denial::NoKey);
    }
}

#[test]
fn a_denial_comes_in_the_documented_order() {
    // Many things are wrong at once; the first step that fails speaks.
    let mut verifier = verifier_for(Alg::RS256);
    let critical = assemble(br#"{"alg":"none","crit":[]}"#, b"x", b"");
    assert_eq!(refusal(&verifier, critical), Denial::UnsupportedCriticalHeader);
    verifier.policy.algorithms = Some(vec![Alg::PS256]);
    let token = assemble(br#"{"alg":"RS256","kid":"unknown"}"#, b"x", b"");
    assert_eq!(refusal(&verifier, token), Denial::AlgorithmNotAllowed);
    verifier.policy.algorithms = None;
    let expired = format!(r#"{{"exp":{},"nbf":4102444800,"host":"x"}}"#, NOW - 1);
    let denial = refusal(&verifier, signed_with_payload(Alg::RS256, expired));
    assert_eq!(denial, Denial::Expired);
    let early = r#"{"nbf":4102444800,"host":"x"}"#;
    assert_eq!(refusal(&verifier, signed_with_payload(Alg::RS256, early)), Denial::NotYetValid);
    assert_eq!(
        refusal(&verifier, signed_with_payload(Alg::RS256, r#"{"host":"x","jti":1}"#)),
        Denial::ClaimRejected
    );
}

#[test]
fn the_limits_are_those_that_are_documented() {
    assert_eq!(MAX_DEPTH, 32);
    assert_eq!(ojwt_core::keys::MAX_CANDIDATES, 16);
    assert_eq!(ojwt_core::keys::MAX_KEY_FILE_SIZE, 16 << 20);
    assert_eq!(ojwt_core::verify::DEFAULT_MAX_TOKEN_SIZE, 16 << 10);
    assert_eq!(ojwt_core::keys::error::MIN_RSA_BITS, 2048);
    assert_eq!(ojwt_core::keys::error::MAX_RSA_BITS, 8192);
}

#[test]
fn what_no_key_has_a_say_in_is_read_without_any() {
    let mut verifier = verifier(ojwt_core::KeySet::default());
    verifier.policy.algorithms = Some(vec![Alg::RS256]);
    let whole = token(Alg::RS256);
    assert_eq!(verifier.read(whole.as_bytes()), Ok(()));
    for (token, denial) in [
        (String::new(), Denial::Malformed(Defect::Parts)),
        (format!("{whole}.{whole}"), Denial::Malformed(Defect::Parts)),
        (format!("{whole}="), Denial::Malformed(Defect::Base64)),
        (assemble(b"{}", b"{}", b""), Denial::Malformed(Defect::Alg)),
        (assemble(br#"{"alg":"none"}"#, b"{}", b""), Denial::UnsupportedAlgorithm),
        (token(Alg::RS384), Denial::AlgorithmNotAllowed),
        (".".repeat(100_000), Denial::TooLarge),
    ] {
        assert_eq!(verifier.read(token.as_bytes()), Err(denial), "{token:.99}");
    }
}

#[test]
fn token_lacks_a_key_where_it_means_none_of_these_and_what_is_no_token_lacks_none() {
    let named = with(bare_jwk(Alg::RS256), &json!({"kid": "a"}));
    let keys = [jwks(&[named]).into()];
    let mut verifier = verifier(ojwt_core::KeySet::default());
    verifier.policy.algorithms = Some(vec![Alg::RS256, Alg::ES256]);
    let lacks =
        |token: &str| verifier.lack(Memory::default(), token.as_bytes(), &keys) == Lack::Key;
    let of = |alg: Alg, kid| key(alg).sign(alg, kid, PAYLOAD).unwrap();
    assert!(lacks(&of(Alg::RS256, Some("b"))) && lacks(&of(Alg::ES256, None)));
    assert!(lacks(&of(Alg::ES256, Some("a"))));
    // The signature has no say in it.
    let forged = with_signature(&of(Alg::RS256, Some("a")), |_| vec![0; 256]);
    for token in [
        of(Alg::RS256, Some("a")),
        of(Alg::RS256, None),
        forged,
        // Forbidden whatever the keys are.
        of(Alg::EdDSA, Some("b")),
        of(Alg::RS256, Some("b")) + ".x",
        of(Alg::RS256, Some("b")) + "=",
        assemble(br#"{"alg":"none","kid":"b"}"#, b"{}", b""),
        String::new(),
        "x".repeat(100_000),
    ] {
        let lack = verifier.lack(Memory::default(), token.as_bytes(), &keys);
        assert_eq!(lack, Lack::Nothing, "{token:.99}");
    }
    let lack = |token: String, keys: &[_]| verifier.lack(Memory::default(), token.as_bytes(), keys);
    assert_eq!(lack(of(Alg::RS256, None), &[]), Lack::Key);
    // A key without a name stands in for those that are not there.
    let both = [keys[0].clone(), jwks(&[bare_jwk(Alg::RS256)]).into()];
    for (kid, lacking) in
        [(Some("b"), Lack::Name), (Some("a"), Lack::Nothing), (None, Lack::Nothing)]
    {
        assert_eq!(lack(of(Alg::RS256, kid), &both), lacking, "{kid:?}");
    }
    assert_eq!(lack(of(Alg::RS256, Some("b")) + "=", &both), Lack::Nothing);
    assert_eq!(lack(of(Alg::ES256, Some("b")), &both), Lack::Key);
}
