//! Cookies (RFC 6265). An empty value is no value.
//!
//! Equal values of one name count as one value. Where the values differ, each parser of the request
//! may choose another one, so none of them is accepted.

use ojwt_core::denial::Denial;

use crate::lookalike::is_read_as;
use crate::one::{one, split_at_equals};

/// The value of the cookie `name` in all `Cookie` headers of a request (RFC 6265 section 4.2.1).
/// Names are compared case-sensitively. A value may be in double quotes, and keeps every `=` in it.
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where the cookie has different values.
pub fn cookie<'a>(
    headers: impl Iterator<Item = &'a [u8]>,
    name: &[u8],
) -> Result<Option<&'a [u8]>, Denial> {
    let values = headers.flat_map(cookie_pairs).filter_map(|pair| cookie_value(pair, name));
    one(values.filter(|value| !value.is_empty()))
}

/// The value of the cookie `name`, whose letters may be in either case. The value keeps its quotes,
/// like that of a cookie in an nginx variable.
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where the cookie has different values.
pub fn cookie_in_any_case<'a>(
    headers: impl Iterator<Item = &'a [u8]>,
    name: &[u8],
) -> Result<Option<&'a [u8]>, Denial> {
    let values = headers.flat_map(cookie_pairs).filter_map(|pair| {
        let (spelled, value) = split_at_equals(pair)?;
        spelled.trim_ascii_end().eq_ignore_ascii_case(name).then(|| value.trim_ascii_start())
    });
    one(values.filter(|value| !value.is_empty()))
}

/// A `Cookie` header without the cookies `names`, however often they occur, and without anything
/// that another parser would take for these cookies, even within another cookie, after white space
/// or a comma.
pub fn without_cookies<'n>(
    header: &[u8],
    names: &(impl Iterator<Item = &'n [u8]> + Clone),
) -> Vec<u8> {
    let kept: Vec<Vec<u8>> = cookie_pairs(header)
        .filter_map(|pair| without_words(pair, names))
        .filter(|pair| !pair.is_empty() && !names.clone().any(|name| *pair == *name))
        .collect();
    kept.join(&b"; "[..])
}

fn cookie_pairs(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split(|byte| *byte == b';').map(<[u8]>::trim_ascii)
}

fn cookie_value<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = pair.strip_prefix(name)?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    match value {
        [b'"', inner @ .., b'"'] => Some(inner),
        _ => Some(value),
    }
}

/// A cookie without every part that begins, after white space or a comma, like one of the cookies
/// `names`; `None` where the cookie itself is one of these.
fn without_words<'n>(
    pair: &[u8],
    names: &(impl Iterator<Item = &'n [u8]> + Clone),
) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(pair.len());
    let mut rest = pair;
    while let Some((before, value)) = split_at_equals(rest) {
        kept.extend_from_slice(before);
        // The word is looked for in the kept text: a removed part may have separated a name from
        // this `=`.
        let is_named =
            |(_, word): &(usize, &[u8])| names.clone().any(|name| is_read_as(word, name));
        match last_word(&kept).filter(is_named).map(|(start, _)| start) {
            Some(0) => return None,
            Some(start) => {
                kept.truncate(end_of(kept.get(..start)?, separates));
                rest = after_value(value);
            }
            None => {
                kept.push(b'=');
                rest = value;
            }
        }
    }
    kept.extend_from_slice(rest);
    Some(kept.trim_ascii().to_vec())
}

/// The last word of a text, and where the word begins; `None` where the word is the beginning of a
/// value.
fn last_word(text: &[u8]) -> Option<(usize, &[u8])> {
    let text = text.get(..end_of(text, is_blank))?;
    let before = text.iter().rposition(|byte| separates(*byte) || *byte == b'=');
    let start = match before {
        Some(at) if text.get(at) == Some(&b'=') => return None,
        Some(at) => at + 1,
        None => 0,
    };
    Some((start, text.get(start..)?))
}

/// The text after a value, which may be in double quotes.
fn after_value(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len());
    let value = text.get(start..).unwrap_or_default();
    let end = match value {
        [b'"', quoted @ ..] => quoted.iter().position(|byte| *byte == b'"').map(|end| end + 2),
        _ => value.iter().position(|byte| separates(*byte)),
    };
    end.and_then(|end| value.get(end..)).unwrap_or_default()
}

/// Where a text ends without the bytes at its end that are dropped.
fn end_of(text: &[u8], is_dropped: fn(u8) -> bool) -> usize {
    text.iter().rposition(|byte| !is_dropped(*byte)).map_or(0, |last| last + 1)
}

/// Whether some parser takes the byte for the end of a cookie.
fn separates(byte: u8) -> bool {
    byte == b',' || is_blank(byte)
}

fn is_blank(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argument::argument_in_any_case;

    fn cookie_in<'a>(headers: &[&'a str]) -> Result<Option<&'a [u8]>, Denial> {
        cookie(headers.iter().map(|header| header.as_bytes()), b"jwtcookie")
    }

    #[test]
    fn what_a_variable_shows_is_compared_with_all_values_of_names_in_any_case() {
        let argument = |args: &'static str| argument_in_any_case(args.as_bytes(), b"jwt");
        assert_eq!(argument("JWT=a%2e&x=1&jwt=&jwt=a%2e"), Ok(Some(&b"a%2e"[..])));
        assert_eq!(argument("jwtx=a&jwt"), Ok(None));
        for args in ["JWT=a&jwt=b", "jwt=a&%4Awt=b"] {
            assert_eq!(argument(args), Err(Denial::SeveralTokens), "{args}");
        }
        let cookie =
            |header: &'static str| cookie_in_any_case([header.as_bytes()].into_iter(), b"jwt");
        assert_eq!(cookie("JWT=a; x=1; jwt =; jwt = a"), Ok(Some(&b"a"[..])));
        assert_eq!(cookie("jwt=\"a\"; jwtx=b; jwt"), Ok(Some(&b"\"a\""[..])));
        assert_eq!(cookie("JWT=a; jwt=b"), Err(Denial::SeveralTokens));
    }

    #[test]
    fn another_cookie_does_not_hide_the_one_asked_for() {
        let found = |header: &'static str| cookie_in(&[header]).unwrap();
        assert_eq!(found("jwtcookie=a.b.c"), Some(&b"a.b.c"[..]));
        assert_eq!(found("session=1; jwtcookie=a.b.c; theme=dark"), Some(&b"a.b.c"[..]));
        assert_eq!(found("xjwtcookie=x; jwtcookiex=y; jwtcookie=z"), Some(&b"z"[..]));
        assert_eq!(found("a=1;jwtcookie=z"), Some(&b"z"[..]));
        for header in
            ["", ";", "jwtcookie", "jwtcookie=", "JwtCookie=a", "a=jwtcookie=b", "jwtcookie=\"\""]
        {
            assert_eq!(found(header), None, "{header}");
        }
    }

    #[test]
    fn a_cookie_value_is_not_cut_at_an_equals_sign() {
        assert_eq!(cookie_in(&["jwtcookie=a=b=="]), Ok(Some(&b"a=b=="[..])));
        assert_eq!(cookie_in(&["jwtcookie=\"a=b\""]), Ok(Some(&b"a=b"[..])));
    }

    #[test]
    fn an_empty_cookie_does_not_hide_a_later_one() {
        assert_eq!(cookie_in(&["jwtcookie=; jwtcookie=a"]), Ok(Some(&b"a"[..])));
        assert_eq!(cookie_in(&["jwtcookie=", "x=1", "jwtcookie=a"]), Ok(Some(&b"a"[..])));
    }

    #[test]
    fn different_values_of_a_cookie_are_none() {
        for headers in [
            &["jwtcookie=a; jwtcookie=b"][..],
            &["jwtcookie=a", "jwtcookie=b"],
            &["jwtcookie=a; x=1", "x=2; jwtcookie = \"b\""],
        ] {
            assert_eq!(cookie_in(headers), Err(Denial::SeveralTokens), "{headers:?}");
        }
        let same = ["jwtcookie=a; jwtcookie=\"a\"", "jwtcookie=; jwtcookie =a; JWTCOOKIE=b"];
        assert_eq!(cookie_in(&same), Ok(Some(&b"a"[..])));
    }

    fn without_cookie(header: &str, names: &[&'static str]) -> String {
        let names = names.iter().map(|name| name.as_bytes());
        String::from_utf8(without_cookies(header.as_bytes(), &names)).unwrap()
    }

    #[test]
    fn removes_every_occurrence_of_a_cookie() {
        let without = |header: &str| without_cookie(header, &["jwtcookie"]);
        assert_eq!(without("jwtcookie=a"), "");
        assert_eq!(
            without("a=1; jwtcookie=x;b=2; jwtcookie=\"y\"; jwtcookie = z; jwtcookie"),
            "a=1; b=2"
        );
        assert_eq!(without_cookie("a=1; b=2; c=3", &["c", "a"]), "b=2");
    }

    #[test]
    fn removes_what_another_parser_takes_for_the_cookie_and_nothing_else() {
        for (header, left) in [
            ("x=1 jwtcookie=EVIL", "x=1"),
            ("x=1, jwtcookie=EVIL; y=2", "x=1; y=2"),
            ("x=a b\tjwtcookie=EVIL c, d", "x=a b c, d"),
            ("x=1 jwtcookie = EVIL y=2", "x=1 y=2"),
            ("x=1,jwtcookie=\"EVIL, x\",y", "x=1,y"),
            ("x=1 jwtcookie=\"EVIL", "x=1"),
            ("%6awtcookie=EVIL; a=1", "a=1"),
            ("jwtcookie\u{b}=EVIL; a=1", "a=1"),
            ("a=1 jwtcookie\u{b}=EVIL", "a=1"),
            ("JwtCookie=EVIL; jwtcookie[]=EVIL; jwtcookie%00=EVIL; a=b=c", "a=b=c"),
            // Removing the text between the two parts of a name must not join these parts to a
            // cookie.
            ("x=1 jwtcookie jwtcookie=EVIL =EVIL", "x=1"),
            ("jwtcookie jwtcookie=EVIL", ""),
            (
                "x=jwtcookie=y; z= jwtcookiex=1 xjwtcookie=2,w",
                "x=jwtcookie=y; z= jwtcookiex=1 xjwtcookie=2,w",
            ),
            ("a=\"b c\"; d", "a=\"b c\"; d"),
        ] {
            assert_eq!(without_cookie(header, &["jwtcookie"]), left, "{header:?}");
        }
        assert_eq!(without_cookie("a b=EVIL =EVIL", &["a", "b"]), "");
    }

    #[test]
    fn a_cookie_that_seems_to_begin_again_and_again_takes_time_in_proportion_to_its_length() {
        let start = std::time::Instant::now();
        for header in ["jwtcookie ".repeat(50_000) + &"=E ".repeat(50_000), "a=".repeat(200_000)] {
            without_cookie(&header, &["jwtcookie"]);
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(5));
    }
}
