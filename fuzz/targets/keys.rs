//! No key file upsets the reader, and no token upsets the keys that it gives.
#![no_main]

use std::collections::BTreeSet;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use ojwt_core::keys::MAX_WARNINGS;
use ojwt_core::text::base64url;
use ojwt_core::{Alg, Circumstances, KeyFormat, KeySet, KeySetBuilder, TokenType};
use ojwt_fuzz::verifier;

/// The set, where the file is good.
fn read(file: &[u8], format: Option<KeyFormat>) -> Option<KeySet> {
    let mut builder = KeySetBuilder::new();
    let outcome = builder.add(file, format);
    if let Err(error) = &outcome {
        assert!(!error.to_string().contains('\n'));
    }
    let (set, warnings) = builder.build();
    assert!(warnings.len() <= MAX_WARNINGS + 1);
    for warning in warnings {
        assert!(!warning.to_string().contains('\n'));
    }
    assert_eq!(set.is_empty(), outcome.is_err());
    outcome.ok().map(|()| set)
}

fn kids(set: &KeySet) -> BTreeSet<String> {
    set.kids().map(String::from).collect()
}

fuzz_target!(|file: &[u8]| {
    let formats = [KeyFormat::Jwks, KeyFormat::Pem, KeyFormat::Keyval].map(Some);
    for format in formats.into_iter().chain([None]) {
        let Some(set) = read(file, format) else { continue };
        // A mark before it changes nothing.
        let marked = read(&[b"\xef\xbb\xbf", file].concat(), format);
        assert!(file.starts_with(b"\xef\xbb\xbf") || marked.as_ref().map(kids) == Some(kids(&set)));
        let keys = [Arc::new(set)];
        for alg in Alg::ALL {
            let header = base64url::encode(format!(r#"{{"alg":"{alg}"}}"#).as_bytes());
            for length in [0, 32, 64, 114, 256] {
                let token = format!("{header}.e30.{}", base64url::encode(&vec![1; length]));
                let at = Circumstances::new(0, None);
                let _ = verifier(TokenType::Signed).verify(token.as_bytes(), &keys, &at);
            }
        }
    }
});
