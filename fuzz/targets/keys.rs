//! No key file upsets the reader, and no token upsets the keys that it gives.
#![no_main]

use std::collections::BTreeSet;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use ojwt_core::{Alg, Circumstances, KeyFormat, KeySet, KeySetBuilder, TokenType, base64url};
use ojwt_fuzz::verifier;

/// The set, where the file is good.
fn read(builder: KeySetBuilder, file: &[u8], format: Option<KeyFormat>) -> Option<KeySet> {
    let mut builder = builder;
    let outcome = builder.add(file, format);
    if let Err(error) = &outcome {
        assert!(!error.to_string().contains('\n'));
    }
    let (set, warnings) = builder.build();
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
        let tolerant = read(KeySetBuilder::new().skipping_broken_keys(), file, format);
        let Some(strict) = read(KeySetBuilder::new(), file, format) else { continue };
        assert_eq!(Some(kids(&strict)), tolerant.as_ref().map(kids));
        let keys = [Arc::new(strict)];
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
