//! What carries tokens: nothing upsets the readers, and what was removed is not found again.
//!
//! A line with the name of an argument or a cookie, and what carries it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ojwt_fuzz::line;
use ojwt_http::{argument, bare, bearer, cookie, redacted, without_arguments, without_cookies};

fuzz_target!(|data: &[u8]| {
    let (name, text) = line(data);
    if let Some(credentials) = bearer(text) {
        assert!(!credentials.is_empty() && credentials.len() + "Bearer ".len() <= text.len());
        assert_eq!(credentials.trim_ascii(), credentials);
    }
    if let Some(token) = bare(text) {
        assert!(!token.is_empty() && token.trim_ascii() == token);
    }
    let _ = (argument(text, name), cookie([text].into_iter(), name));
    assert!(without_arguments(text, &[name].into_iter()).len() <= text.len());
    let _ = without_cookies(text, &[name].into_iter());
    assert!(redacted(text, &[name].into_iter()).len() <= text.len());

    // Names as directives take them.
    let name: &[u8] = b"jwt";
    let names = [name].into_iter();
    let rest = without_arguments(text, &names);
    assert_eq!(argument(&rest, name), Ok(None));
    assert_eq!(without_arguments(&rest, &names), rest);
    let rest_of_cookies = without_cookies(text, &names);
    assert_eq!(cookie([&rest_of_cookies[..]].into_iter(), name), Ok(None));
    assert_eq!(without_cookies(&rest_of_cookies, &names), rest_of_cookies);
    for other in [&b"jwtx"[..], b"j", b"wt"] {
        // Where nothing is left out of the middle of another value.
        if !text.contains(&b';') {
            assert_eq!(argument(&rest, other), argument(text, other));
        }
        if !text.iter().any(|byte| *byte == b',' || *byte <= b' ' || *byte == 0x7f) {
            let cookies = [&rest_of_cookies[..]].into_iter();
            assert_eq!(cookie(cookies, other), cookie([text].into_iter(), other));
        }
    }
    for other in [&b"JWT"[..], b"+jwt", b"jwt[]"] {
        assert_eq!(argument(&rest, other), Ok(None));
    }
    if let Ok(Some(token)) = argument(text, name) {
        assert!(!token.is_empty() && token.len() <= text.len());
    }
    let line = redacted(text, &[name].into_iter());
    assert!(line.len() <= text.len());
    assert_eq!(redacted(&line, &[name].into_iter()), line);
});
