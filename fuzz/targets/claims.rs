//! Claims that are signed are judged as the reference judges them.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use ojwt_core::{Alg, Circumstances, KeySet, TokenType};
use ojwt_fuzz::reference::{self, At, Refused};
use ojwt_fuzz::{SIGNERS, jwk, key_set, verifier};

static KEYS: LazyLock<[Arc<KeySet>; 1]> =
    LazyLock::new(|| [key_set(jwk(&SIGNERS[0].1, None).to_string().as_bytes())]);

fuzz_target!(|payload: &[u8]| {
    let token = SIGNERS[0].1.sign(Alg::HS256, None, payload).unwrap();
    let mut verifier = verifier(TokenType::Signed);
    let hosts: [Option<&[u8]>; 5] =
        [None, Some(b"."), Some(b"example.com"), Some(b"example.com."), Some(b"[::1]:80")];
    for (now, leeway) in [(0, 0), (1_700_000_000, 0), (1_700_000_000, 60), (4_102_444_800, 0)] {
        for host in hosts {
            verifier.policy.leeway = leeway;
            let verdict = verifier.verify(token.as_bytes(), &*KEYS, &Circumstances::new(now, host));
            match (reference::claims(payload, At { now, leeway, host }), verdict) {
                (Ok(expected), Ok(claims)) => {
                    let claims: serde_json::Value = serde_json::from_str(claims.as_json()).unwrap();
                    assert_eq!(claims, serde_json::Value::Object(expected));
                }
                (Err(Refused::Bad), Ok(_)) => panic!("accepted at {now} for {host:?}"),
                (Ok(_), Err(denial)) => {
                    assert!(
                        token.len() > verifier.max_token_size,
                        "{denial} at {now} for {host:?}"
                    );
                }
                (Err(_), Err(_)) | (Err(Refused::Unknown), _) => {}
            }
        }
    }
});
