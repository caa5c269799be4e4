//! Tokens are split and decoded as the RFCs have it, and not otherwise.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ojwt_core::Denial;
use ojwt_core::jose::compact::{Jwe, Jws};
use ojwt_core::token::unverified::Unverified;
use ojwt_fuzz::reference;

fuzz_target!(|token: &[u8]| {
    let parts: Vec<_> = token.split(|byte| *byte == b'.').map(reference::base64url).collect();
    // The header of a signed token is decoded later, if it is not known already.
    let is_jws = matches!(&parts[..], [_, Some(_), Some(_)]);
    let is_jwe = parts.len() == 5 && parts.iter().all(Option::is_some);
    assert_eq!(Jws::split(token, token.len()).is_ok(), is_jws);
    assert_eq!(Jwe::split(token, token.len()).is_ok(), is_jwe);
    for part in token.split(|byte| *byte == b'.') {
        assert_eq!(ojwt_core::text::base64url::decode(part), reference::base64url(part));
    }
    if let Some(less) = token.len().checked_sub(1) {
        assert_eq!(Jws::split(token, less).unwrap_err(), Denial::TooLarge);
        assert_eq!(Jwe::split(token, less).unwrap_err(), Denial::TooLarge);
        assert_eq!(Unverified::read(token, less).unwrap_err(), Denial::TooLarge);
    }
    if Unverified::read(token, token.len()).is_ok() {
        assert!(matches!(parts.len(), 3 | 5));
    }
});
