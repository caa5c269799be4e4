//! What carries tokens: nothing upsets the readers, and what was removed is not found again.
//!
//! A line with the name of an argument or a cookie, and what carries it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ojwt_core::transport::{argument, bearer, cookie, redacted, without_argument, without_cookie};
use ojwt_fuzz::line;

fuzz_target!(|data: &[u8]| {
    let (name, text) = line(data);
    if let Some(credentials) = bearer(text) {
        assert!(!credentials.is_empty() && credentials.len() + "Bearer ".len() <= text.len());
        assert_eq!(credentials.trim_ascii(), credentials);
    }
    let _ = (argument(text, name), cookie(text, name));
    assert!(without_argument(text, name).len() <= text.len());
    let _ = without_cookie(text, name);
    assert!(redacted(text, &[name].into_iter()).len() <= text.len());

    // Names as directives take them.
    let name: &[u8] = b"jwt";
    let rest = without_argument(text, name);
    assert_eq!(argument(&rest, name), None);
    assert_eq!(without_argument(&rest, name), rest);
    let rest_of_cookies = without_cookie(text, name);
    assert_eq!(cookie(&rest_of_cookies, name), None);
    assert_eq!(without_cookie(&rest_of_cookies, name), rest_of_cookies);
    for other in [&b"jwtx"[..], b"j", b"wt", b"JWT"] {
        assert_eq!(argument(&rest, other), argument(text, other));
        assert_eq!(cookie(&rest_of_cookies, other), cookie(text, other));
    }
    if let Some(token) = argument(text, name) {
        assert!(!token.is_empty() && token.len() <= text.len());
    }
    let line = redacted(text, &[name].into_iter());
    assert!(line.len() <= text.len());
    assert_eq!(redacted(&line, &[name].into_iter()), line);
});
