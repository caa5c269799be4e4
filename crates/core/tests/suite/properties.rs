//! What must hold for any input, and for every change of a good token.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ojwt_core::denial::Defect;
use ojwt_core::issue::sign::SigningKey;
use ojwt_core::jose::compact::{Jwe, Jws};
use ojwt_core::jose::header::{Header, JweHeader};
use ojwt_core::keys::{pem, spki};
use ojwt_core::text::base64url;
use ojwt_core::text::json::Json;
use ojwt_core::token::host;
use ojwt_core::{Alg, Circumstances, Denial, KeyFormat, KeySetBuilder};
use proptest::prelude::*;
use serde_json::Value;

use crate::common::{
    NOW, bare_jwk, data, judge, key, refusal, shared_vectors, token, verifier_for,
    verifier_of_all_kinds,
};
use crate::same_json::assert_same;

// A token is refused after any change

/// What `change` makes of `token` at each of its bytes.
fn changed<'t>(
    token: &'t str,
    change: impl Fn(&mut Vec<u8>, usize) + 't,
) -> impl Iterator<Item = Vec<u8>> + 't {
    (0..token.len()).map(move |index| {
        let mut bytes = token.as_bytes().to_vec();
        change(&mut bytes, index);
        bytes
    })
}

/// Not one character may be spelled otherwise: a token is the only spelling of itself.
fn assert_every_change_is_refused(alg: Alg) {
    let verifier = verifier_for(alg);
    let good = token(alg);
    judge(&verifier, &good).unwrap();
    let refused = |bytes: Vec<u8>| {
        let accepted = bytes != good.as_bytes() && judge(&verifier, &bytes).is_ok();
        assert!(!accepted, "{alg}: accepted {}", String::from_utf8_lossy(&bytes));
    };
    for bit in 0..8 {
        changed(&good, |bytes, index| bytes[index] ^= 1 << bit).for_each(refused);
    }
    for byte in *b"A_-+/=. \n\0" {
        changed(&good, |bytes, index| bytes[index] = byte).for_each(refused);
        changed(&good, |bytes, index| bytes.insert(index, byte)).for_each(refused);
    }
    changed(&good, |bytes, index| _ = bytes.remove(index)).for_each(refused);
    changed(&good, Vec::truncate).for_each(refused);
    changed(&good, |bytes, index| bytes.swap(index, index.saturating_sub(1))).for_each(refused);
    for byte in 0..=u8::MAX {
        refused([good.as_bytes(), &[byte]].concat());
        refused([&[byte], good.as_bytes()].concat());
    }
}

macro_rules! every_change_of_a_token_is_refused {
    ($($name:ident: $alg:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                assert_every_change_is_refused(Alg::$alg);
            }
        )*
    };
}

every_change_of_a_token_is_refused! {
    every_change_of_an_hs256_token_is_refused: HS256,
    every_change_of_an_hs384_token_is_refused: HS384,
    every_change_of_an_hs512_token_is_refused: HS512,
    every_change_of_an_rs256_token_is_refused: RS256,
    every_change_of_an_rs384_token_is_refused: RS384,
    every_change_of_an_rs512_token_is_refused: RS512,
    every_change_of_a_ps256_token_is_refused: PS256,
    every_change_of_a_ps384_token_is_refused: PS384,
    every_change_of_a_ps512_token_is_refused: PS512,
    every_change_of_an_es256_token_is_refused: ES256,
    every_change_of_an_es384_token_is_refused: ES384,
    every_change_of_an_es512_token_is_refused: ES512,
    every_change_of_an_es256k_token_is_refused: ES256K,
    every_change_of_an_eddsa_token_is_refused: EdDSA,
}

/// Every one of the 65536 pairs of two neighbouring bytes, in the part where the unused bits are.
#[test]
fn no_other_ending_of_a_token_is_accepted() {
    let verifier = verifier_for(Alg::HS256);
    let good = token(Alg::HS256);
    let start = &good.as_bytes()[..good.len() - 2];
    let accepted: Vec<_> = (0..=u16::MAX)
        .map(|pair| [start, &pair.to_be_bytes()].concat())
        .filter(|token| judge(&verifier, token).is_ok())
        .collect();
    assert_eq!(accepted, [good.as_bytes()]);
}

// JSON

/// Text that is nearly JSON.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"b\"",
        "\"a\":",
        "\\",
        "\\n",
        "\\/",
        "\\u",
        "\\u0061",
        "\\u00e9",
        "\\uD83D",
        "\\uDE00",
        "\\ud83d\\ude00",
        "\\x",
        "0",
        "1",
        "-",
        "+",
        ".",
        "e",
        "E",
        "12",
        "1.5",
        "-0",
        "1e5",
        "00",
        "true",
        "false",
        "null",
        "nul",
        "True",
        " ",
        "\t",
        "\n",
        "\r",
        "\u{b}",
        "\u{a0}",
        "\u{7f}",
        "\u{85}",
        "\u{feff}",
        "é",
        "😀",
        "a",
        "'",
        "/*",
        "//",
        "\0",
        "\u{1f}",
        "NaN",
        "Infinity",
    ]);
    prop::collection::vec(scrap, 0..16).prop_map(|scraps| scraps.concat())
}

/// JSON, with white space and escapes here and there.
fn json() -> impl Strategy<Value = String> {
    let string = prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just("\"\\u0041\\/\\ud83d\\ude00\"".to_owned()),
        "[a-c]{0,2}".prop_map(|name| format!("\"{name}\"")),
    ];
    let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        number.prop_map(|number| number),
        string.clone(),
    ];
    let space = prop::sample::select(vec!["", "", "", " ", "\n\t", " \r\n"]);
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let array = (prop::collection::vec(inner.clone(), 0..6), space.clone()).prop_map(
            |(values, space)| format!("[{space}{}{space}]", values.join(&format!(",{space}"))),
        );
        let member = (string.clone(), inner, space.clone())
            .prop_map(|(name, value, space)| format!("{name}{space}:{space}{value}"));
        let object =
            (prop::collection::vec(member, 0..6), space.clone()).prop_map(|(members, space)| {
                format!("{{{space}{}}}", members.join(&format!("{space},")))
            });
        prop_oneof![array, object]
    })
}

/// JSON with one character taken out or put in.
fn damaged_json() -> impl Strategy<Value = String> {
    (json(), any::<prop::sample::Index>(), "[\\x00-\\x7f]?").prop_map(|(text, index, inserted)| {
        let mut characters: Vec<char> = text.chars().collect();
        let at = index.index(characters.len());
        match inserted.chars().next() {
            Some(character) => characters.insert(at, character),
            None => drop(characters.remove(at)),
        }
        characters.into_iter().collect()
    })
}

/// Ours and that of `serde_json` accept the same texts, but for what ours refuses on purpose.
fn assert_agreement(text: &str) {
    let ours = Json::parse(text.as_bytes());
    let theirs: Result<Value, _> = serde_json::from_str(text);
    match (ours, theirs) {
        (Ok(json), Ok(value)) => {
            let compact: Value = serde_json::from_str(json.text()).unwrap();
            assert_eq!(compact, value, "{text:?}");
        }
        (Err(Defect::DuplicateMember | Defect::TooDeep), _) | (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) => {
            // A number is text to us, and a double to serde_json.
            assert!(error.to_string().contains("number out of range"), "{text:?}: {error}");
        }
        (Err(defect), Ok(_)) => panic!("refused {text:?}: {defect}"),
    }
}

/// JSON as its text should be: with no white space between tokens, and no control character.
fn compact(text: &str) -> String {
    let mut compact = String::new();
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if character.is_control() && in_string {
            write!(compact, "\\u{:04x}", u32::from(character)).unwrap();
        } else if in_string || !character.is_ascii_whitespace() {
            compact.push(character);
        }
        in_string ^= character == '"' && !escaped;
        escaped = in_string && character == '\\' && !escaped;
    }
    compact
}

/// JSON with white space before and after each token of one character.
fn spaced(text: &str) -> String {
    let mut spaced = String::new();
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if !in_string && "{}[]:,".contains(character) {
            spaced.extend([' ', character, '\n']);
        } else {
            spaced.push(character);
        }
        in_string ^= character == '"' && !escaped;
        escaped = in_string && character == '\\' && !escaped;
    }
    spaced
}

/// Whether the text is given or lent, and has white space or not, it is the same.
fn assert_independent_of_form(text: &str) {
    let lent = Json::parse(text.as_bytes());
    assert_eq!(Json::parse(text.as_bytes().to_vec()), lent, "{text:?}");
    assert_eq!(Json::parse(spaced(text).into_bytes()), lent, "{text:?}");
    if let Ok(json) = lent {
        let compact = compact(text);
        assert_eq!(json.text(), compact, "{text:?}");
        assert_eq!(Json::parse(compact.into_bytes()), Ok(json), "{text:?}");
    }
}

fn assert_compact(json: &Json) {
    let text = json.text();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    let mut in_string = false;
    let mut escaped = false;
    for byte in text.bytes() {
        assert!(in_string || !byte.is_ascii_whitespace(), "{text:?}");
        in_string ^= byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
    }
    let again = Json::parse(text.as_bytes()).unwrap();
    assert_eq!(again.text(), text);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_serde_json_on_scraps(text in scraps()) {
        assert_agreement(&text);
    }

    #[test]
    fn agrees_with_serde_json_on_json(text in json()) {
        assert_agreement(&text);
    }

    #[test]
    fn agrees_with_serde_json_on_damaged_json(text in damaged_json()) {
        assert_agreement(&text);
    }

    #[test]
    fn agrees_with_serde_json_on_any_text(text in any::<String>()) {
        assert_agreement(&text);
        assert_agreement(&format!("\"{text}\""));
    }

    #[test]
    fn json_reads_the_same_in_any_form(text in prop_oneof![json(), damaged_json(), scraps()]) {
        assert_independent_of_form(&text);
    }

    #[test]
    fn json_with_control_characters_reads_the_same_in_any_form(
        names in prop::collection::vec("[a\u{7f}\u{80}\u{9f}\u{a0}]{0,2}", 0..24),
        spaces in prop::collection::vec(0..3usize, 24),
    ) {
        let spaces = spaces.into_iter().map(|count| " ".repeat(count));
        let members = names.iter().zip(spaces).map(|(name, space)| format!("{space}\"{name}\":0"));
        let text = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        assert_independent_of_form(&text);
        let distinct: BTreeSet<_> = names.iter().collect();
        let verdict = Json::parse(text.as_bytes()).map(drop);
        let expected = if distinct.len() == names.len() { Ok(()) } else { Err(Defect::DuplicateMember) };
        prop_assert_eq!(verdict, expected);
    }

    #[test]
    fn compact_json_means_the_same_and_stays_as_it_is(text in json()) {
        if let Ok(json) = Json::parse(text.as_bytes()) {
            assert_compact(&json);
            assert_same(json.root(), &serde_json::from_str(&text).unwrap());
        }
    }

    #[test]
    fn a_string_survives_any_way_of_escaping_it(text in any::<String>(), escape in any::<u64>()) {
        let escaped: String = text
            .encode_utf16()
            .enumerate()
            .map(|(index, unit)| match char::from_u32(unit.into()) {
                Some(c) if escape >> (index % 64) & 1 == 0 && !"\"\\".contains(c) && c >= ' ' => c.into(),
                _ => format!("\\u{unit:04X}"),
            })
            .collect();
        let json = Json::parse(format!("\"{escaped}\"").as_bytes()).unwrap();
        prop_assert_eq!(json.root().as_str().unwrap(), text);
        assert_compact(&json);
    }

    #[test]
    fn a_name_that_occurs_twice_is_found_however_it_is_escaped(
        names in prop::collection::btree_set("[a-d\u{7f}é]{0,3}", 1..8),
        twin in any::<prop::sample::Index>(),
    ) {
        let names: Vec<String> = names.into_iter().collect();
        let object = |names: &[String]| {
            let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        prop_assert!(Json::parse(object(&names).as_bytes()).is_ok());
        let units = names[twin.index(names.len())].encode_utf16();
        let escaped = units.map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat();
        let doubled = object(&[&names[..], &[escaped]].concat());
        prop_assert_eq!(Json::parse(doubled.as_bytes()), Err(Defect::DuplicateMember));
    }

    // Base64url

    #[test]
    fn base64url_decodes_what_it_encodes(bytes in any::<Vec<u8>>()) {
        prop_assert_eq!(base64url::decode(base64url::encode(&bytes).as_bytes()), Some(bytes));
    }

    #[test]
    fn base64url_has_one_spelling(text in "[A-Za-z0-9_=+/ -]{0,12}") {
        if let Some(bytes) = base64url::decode(text.as_bytes()) {
            prop_assert_eq!(base64url::encode(&bytes), text);
        }
    }

    // Nothing panics, whatever the bytes

    #[test]
    fn no_bytes_upset_the_parsers(bytes in any::<Vec<u8>>(), more in any::<Vec<u8>>()) {
        let _ = Jws::split(&bytes, 1000);
        let _ = Jwe::split(&bytes, 1000);
        let _ = Header::parse(&bytes);
        let _ = JweHeader::parse(&bytes);
        let _ = Json::parse(&bytes);
        let _ = pem::parse(&bytes);
        let _ = spki::from_spki_der(&bytes);
        let _ = SigningKey::read(&bytes);
        let _ = SigningKey::from_der(&bytes);
        let formats = [KeyFormat::Jwks, KeyFormat::Pem, KeyFormat::Keyval].map(Some);
        for format in formats.into_iter().chain([None]) {
            let _ = KeySetBuilder::new().add(&bytes, format);
        }
        let _ = host::Hosts::new(&[String::from_utf8_lossy(&bytes)]).name(&more);
        let _ = host::agrees(&bytes, &more);
    }

    #[test]
    fn no_damage_to_a_key_file_upsets_the_parsers(
        file in prop::sample::select(vec![
            data("chain.crt"),
            data("ed25519.crt"),
            data("rsa.pem"),
            data("rsa_pkcs1.pub.pem"),
            data("ec_compressed.pub.pem"),
            bare_jwk(Alg::RS256).to_string().into_bytes(),
            bare_jwk(Alg::ES512).to_string().into_bytes(),
            bare_jwk(Alg::EdDSA).to_string().into_bytes(),
        ]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        in_der in any::<bool>(),
    ) {
        let mut file = file;
        if in_der && let Ok(block) = ::pem::parse(&file) {
            let mut der = block.contents().to_vec();
            for (index, byte) in &damage {
                let at = index.index(der.len());
                der[at] = *byte;
            }
            file = ::pem::encode(&::pem::Pem::new(block.tag(), der)).into_bytes();
        } else {
            for (index, byte) in &damage {
                let at = index.index(file.len());
                file[at] = *byte;
            }
        }
        let _ = KeySetBuilder::new().add(&file, None);
        let _ = SigningKey::read(&file);
    }

    // Tokens

    #[test]
    fn a_token_of_random_parts_is_refused(
        header in prop_oneof![Just(String::from(r#"{"alg":"HS256"}"#)), json(), scraps()],
        payload in prop_oneof![json(), scraps()],
        signature in any::<Vec<u8>>(),
    ) {
        let token = crate::common::assemble(header.as_bytes(), payload.as_bytes(), &signature);
        let denial = refusal(&verifier_for(Alg::HS256), token);
        let documented = matches!(
            denial,
            Denial::Malformed(_)
                | Denial::UnsupportedAlgorithm
                | Denial::UnsupportedCriticalHeader
                | Denial::AlgorithmNotAllowed
                | Denial::SignatureMismatch
        );
        prop_assert!(documented, "{}", denial);
    }

    #[test]
    fn a_signed_token_of_any_payload_is_judged_and_never_panics(payload in prop_oneof![json(), scraps()]) {
        let token = key(Alg::HS256).sign(Alg::HS256, None, payload.as_bytes()).unwrap();
        match judge(&verifier_for(Alg::HS256), token) {
            Ok(claims) => {
                let claims: Value = serde_json::from_str(claims.as_json()).unwrap();
                prop_assert_eq!(claims, serde_json::from_str::<Value>(&payload).unwrap());
            }
            Err(denial) => prop_assert!(!matches!(denial, Denial::SignatureMismatch)),
        }
    }

    #[test]
    fn time_is_judged_as_the_rfc_says(
        now in -50i64..50,
        exp in prop::option::of(-60i64..60),
        nbf in prop::option::of(-60i64..60),
        leeway in 0u64..20,
    ) {
        let member = |name, value: Option<i64>| value.map(|value| format!("\"{name}\":{value}"));
        let members: Vec<String> = [member("exp", exp), member("nbf", nbf)].into_iter().flatten().collect();
        let payload = format!("{{{}}}", members.join(","));
        let token = key(Alg::HS256).sign(Alg::HS256, None, payload.as_bytes()).unwrap();
        let mut verifier = verifier_for(Alg::HS256);
        verifier.policy.leeway = leeway;
        let verdict = verifier.verify(token.as_bytes(), &Circumstances::new(now, None)).err();
        let leeway = i64::try_from(leeway).unwrap();
        let expected = if exp.is_some_and(|exp| now >= exp + leeway) {
            Some(Denial::Expired)
        } else if nbf.is_some_and(|nbf| now < nbf - leeway) {
            Some(Denial::NotYetValid)
        } else {
            None
        };
        prop_assert_eq!(verdict, expected);
    }
}

#[test]
fn every_denial_that_the_verifier_can_give_is_reachable() {
    // A guard for this suite: each reason below has been seen for a token that earns it.
    let verifier = verifier_of_all_kinds();
    let at = Circumstances::new(NOW, Some(b"example.com"));
    let vectors = shared_vectors("jws.json");
    let expected: BTreeSet<&str> =
        vectors.iter().map(|vector| vector["expect"].as_str().unwrap()).collect();
    let reasons = [
        "algorithm not allowed",
        "claim rejected",
        "malformed token",
        "ok",
        "signature mismatch",
        "token expired",
        "token not yet valid",
        "unknown key",
        "unsupported algorithm",
        "unsupported critical header",
        "wrong host",
    ];
    assert_eq!(expected, BTreeSet::from(reasons));
    assert!(verifier.verify(token(Alg::ES256K).as_bytes(), &at).is_ok());
}
