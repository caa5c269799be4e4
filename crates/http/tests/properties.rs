//! What holds of how HTTP carries tokens, whatever a request is made of.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

proptest! {
    #[test]
    fn no_bytes_upset_the_parsers(bytes in any::<Vec<u8>>(), more in any::<Vec<u8>>()) {
        let _ = ojwt_http::bearer(&bytes);
        let _ = ojwt_http::bare(&bytes);
        let _ = ojwt_http::cookie([&bytes[..]].into_iter(), &more);
        let _ = ojwt_http::without_cookies(&bytes, &[&more[..]].into_iter());
        let _ = ojwt_http::argument(&bytes, &more);
        let _ = ojwt_http::without_arguments(&bytes, &[&more[..]].into_iter());
        let _ = ojwt_http::redacted(&bytes, &[&more[..]].into_iter());
    }

    #[test]
    fn what_was_removed_from_a_request_is_not_found_in_it(
        args in "(jwt|x|%6awt|\\+jwt|)(=|)[a-c&=%;]{0,6}([&;](jwt|jwtx|JWT)=[a-c.]{0,3}){0,3}",
        cookies in "(jwtcookie|x|)( |)(=|)[a-c;=\"]{0,6}((; ?|, | )(jwtcookie|jwtcookiex|JwtCookie) ?= ?[a-c.\"]{0,3}){0,3}",
    ) {
        let (args, cookies) = (args.as_bytes(), cookies.as_bytes());
        let stripped = ojwt_http::without_arguments(args, &[&b"jwt"[..]].into_iter());
        for name in [&b"jwt"[..], b"JWT", b"+jwt"] {
            prop_assert_eq!(ojwt_http::argument(&stripped, name), Ok(None));
        }
        prop_assert_eq!(&ojwt_http::without_arguments(&stripped, &[&b"jwt"[..]].into_iter()), &stripped);
        if !args.contains(&b';') {
            prop_assert_eq!(ojwt_http::argument(args, b"jwtx"), ojwt_http::argument(&stripped, b"jwtx"));
        }
        let names = [&b"jwtcookie"[..]].into_iter();
        let stripped = ojwt_http::without_cookies(cookies, &names);
        for name in [&b"jwtcookie"[..], b"JwtCookie"] {
            prop_assert_eq!(ojwt_http::cookie([&stripped[..]].into_iter(), name), Ok(None));
        }
        prop_assert_eq!(&ojwt_http::without_cookies(&stripped, &names), &stripped);
        // As a parser reads it that splits at white space and commas, too.
        let words = stripped.split(|byte| b"; ,".contains(byte)).filter(|word| !word.is_empty());
        let words: Vec<&[u8]> = words.collect();
        for (at, word) in words.iter().enumerate() {
            let next = words.get(at + 1).filter(|next| next.starts_with(b"="));
            prop_assert!(!word.eq_ignore_ascii_case(b"jwtcookie") || next.is_none());
            prop_assert!(!word.to_ascii_lowercase().starts_with(b"jwtcookie="));
        }
    }

    #[test]
    fn a_redacted_line_holds_no_token_and_is_no_longer(
        before in "[a-z?&= /]{0,10}",
        token in "[A-Z]{4,20}",
        after in "( HTTP/1.1|&x=1|#top|\"|)",
    ) {
        let line = format!("GET /{before}?jwt={token}{after}");
        let redacted = ojwt_http::redacted(line.as_bytes(), &[&b"jwt"[..]].into_iter());
        prop_assert!(redacted.len() <= line.len());
        let redacted = String::from_utf8(redacted).unwrap();
        prop_assert!(!redacted.contains(&token[..4]), "{}", redacted);
        prop_assert!(redacted.ends_with(&after));
    }
}
