//! How HTTP carries a token: a query argument, a cookie, bearer credentials.
//!
//! Pure functions over the bytes of a request. An empty value is no value: `?jwt=&jwt=X` carries X.
//! Two values of one name are one if they are the same; if they are not, each of those who read the
//! request may take another one, and so there is none.

use std::borrow::Cow;

use crate::lookalike::is_read_as;
use crate::percent::percent_decoded;
use ojwt_core::denial::Denial;

/// The value of the query argument `name`, percent-decoded (RFC 3986 section 2.1). The name is
/// compared case by case, percent-decoded as well: `%6awt` is `jwt` (section 6.2.2.2).
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where it has different values.
pub fn argument<'a>(args: &'a [u8], name: &[u8]) -> Result<Option<Cow<'a, [u8]>>, Denial> {
    let values = args.split(|byte| *byte == b'&').filter_map(|pair| argument_value(pair, name));
    one(values.filter(|value| !value.is_empty()).map(percent_decoded))
}

/// The value of the query argument `name`, in any case, as it stands: nginx has arguments so in
/// variables.
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where it has different values.
pub fn argument_in_any_case<'a>(args: &'a [u8], name: &[u8]) -> Result<Option<&'a [u8]>, Denial> {
    let value = |pair: &'a [u8]| {
        let (spelled, value) = split_at_equals(pair)?;
        percent_decoded(spelled).eq_ignore_ascii_case(name).then_some(value)
    };
    let values = args.split(|byte| *byte == b'&').filter_map(value);
    one(values.filter(|value| !value.is_empty()))
}

/// Checks that a parser that takes what follows the `#` of a URL for arguments, too, reads no other
/// value in it than was `found` before it.
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where there is another, or one where there was none.
pub fn agrees_behind<'a, T: PartialEq>(
    fragment: &'a [u8],
    read: impl Fn(&'a [u8]) -> Result<Option<T>, Denial>,
    found: &Option<T>,
) -> Result<(), Denial> {
    for part in fragment.split(|byte| matches!(byte, b'?' | b'#')) {
        let other = read(part)?;
        if other.is_some() && other != *found {
            return Err(Denial::SeveralTokens);
        }
    }
    Ok(())
}

/// `args` without the arguments `names`, however often they occur, and without what another parser
/// would take for them, between semicolons, too; every other byte is kept.
pub fn without_arguments<'n>(
    args: &[u8],
    names: &(impl Iterator<Item = &'n [u8]> + Clone),
) -> Vec<u8> {
    let is_kept = |part: &&[u8]| match split_at_equals(part) {
        Some((spelled, _)) => !names.clone().any(|name| is_read_as(spelled, name)),
        None => true,
    };
    let parts = |pair: &[u8]| {
        let parts: Vec<&[u8]> = pair.split(|byte| *byte == b';').filter(is_kept).collect();
        parts.join(&b";"[..])
    };
    let pairs = args.split(|byte| *byte == b'&').filter(is_kept);
    pairs.map(parts).collect::<Vec<_>>().join(&b"&"[..])
}

/// A line for a log, with dots for the values of the arguments `names`, however they are spelled,
/// and for those that begin as tokens do, in any URL within it. It is never longer than `line`, and
/// a value that the line cuts off is gone as well.
pub fn redacted<'n>(line: &[u8], names: &(impl Iterator<Item = &'n [u8]> + Clone)) -> Vec<u8> {
    let mut text = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        text.push(*byte);
        rest = after;
        if !matches!(byte, b'?' | b'&' | b';' | b'#') {
            continue;
        }
        let end = after.iter().position(|byte| b"&;#\" \t=".contains(byte));
        let Some((spelled, [b'=', value @ ..])) = end.and_then(|end| after.split_at_checked(end))
        else {
            continue;
        };
        let is_token = value.starts_with(TOKEN_START);
        if is_token || names.clone().any(|name| is_read_as(spelled, name)) {
            let end = value.iter().position(|byte| b"&#\" \t".contains(byte));
            let (value, after_value) = value.split_at(end.unwrap_or(value.len()));
            text.extend_from_slice(spelled);
            text.push(b'=');
            text.extend(value.iter().take(3).map(|_| b'.'));
            rest = after_value;
        }
    }
    text
}

/// How a JSON object begins in base64url, and with it nearly every token.
const TOKEN_START: &[u8] = b"eyJ";

/// The value of the cookie `name` in all `Cookie` headers of a request (RFC 6265 section 4.2.1).
/// Names are compared case by case; a value may stand in double quotes, and keeps every `=` that it
/// holds.
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where it has different values.
pub fn cookie<'a>(
    headers: impl Iterator<Item = &'a [u8]>,
    name: &[u8],
) -> Result<Option<&'a [u8]>, Denial> {
    let values = headers.flat_map(cookie_pairs).filter_map(|pair| cookie_value(pair, name));
    one(values.filter(|value| !value.is_empty()))
}

/// The value of the cookie `name`, in any case, as it stands: nginx has cookies so in variables.
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where it has different values.
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

/// A `Cookie` header without the cookies `names`, however often they occur, and without what
/// another parser would take for them, within another cookie, too, behind white space or a comma.
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

/// The credentials of an `Authorization` header of the scheme `Bearer` (RFC 6750 section 2.1); the
/// scheme is matched without regard to case (RFC 9110 section 11.1).
pub fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, credentials) = header.split_at_checked("Bearer ".len())?;
    // As nearly everyone writes it, or in any other case.
    if scheme != b"Bearer " && !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return None;
    }
    let credentials = credentials.trim_ascii();
    (!credentials.is_empty()).then_some(credentials)
}

/// A token in a header or a variable that is made for nothing else, where it may stand behind the
/// scheme `Bearer` all the same.
pub fn bare(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let is_token = !value.is_empty() && !value.eq_ignore_ascii_case(b"Bearer");
    is_token.then(|| bearer(value).unwrap_or(value))
}

/// The one value that all of these are.
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where they differ.
pub fn one<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, Denial> {
    let Some(first) = values.next() else { return Ok(None) };
    if values.all(|value| value == first) { Ok(Some(first)) } else { Err(Denial::SeveralTokens) }
}

fn argument_value<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    if let Some(value) = pair.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")) {
        return Some(value);
    }
    let (spelled, value) = split_at_equals(pair)?;
    (spelled.contains(&b'%') && *percent_decoded(spelled) == *name).then_some(value)
}

/// A name and its value.
fn split_at_equals(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, rest) = pair.split_at_checked(pair.iter().position(|byte| *byte == b'=')?)?;
    Some((name, rest.strip_prefix(b"=")?))
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

/// A cookie without what begins, behind white space or a comma within it, as one of the cookies
/// `names` does; `None` if it is one of them itself.
fn without_words<'n>(
    pair: &[u8],
    names: &(impl Iterator<Item = &'n [u8]> + Clone),
) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(pair.len());
    let mut rest = pair;
    while let Some((before, value)) = split_at_equals(rest) {
        kept.extend_from_slice(before);
        // Looked for in what is kept: what was left out may have stood between a name and this.
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

/// The last word of a text and where it begins; `None` if it begins as a value.
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

/// What follows a value, which may stand in double quotes.
fn after_value(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len());
    let value = text.get(start..).unwrap_or_default();
    let end = match value {
        [b'"', quoted @ ..] => quoted.iter().position(|byte| *byte == b'"').map(|end| end + 2),
        _ => value.iter().position(|byte| separates(*byte)),
    };
    end.and_then(|end| value.get(end..)).unwrap_or_default()
}

/// Where a text ends but for what is dropped.
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

    fn arg(args: &str) -> Option<String> {
        let found = argument(args.as_bytes(), b"jwt").unwrap();
        found.map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    #[test]
    fn finds_the_argument_that_is_not_empty() {
        assert_eq!(arg("jwt=a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(arg("x=1&jwt=a&jwt=a").as_deref(), Some("a"));
        assert_eq!(arg("%6awt=a").as_deref(), Some("a"));
        assert_eq!(arg("jwt=&jwt=b").as_deref(), Some("b"));
        assert_eq!(arg("jwt=a=b&y").as_deref(), Some("a=b"));
        for args in [
            "",
            "jwt",
            "jwt=",
            "jwt=&jwt=",
            "xjwt=a",
            "jwtx=a",
            "JWT=a",
            "x=jwt=a",
            "&&",
            "%6awt",
            "%256awt=a",
            "+jwt=a",
            "jwt[]=a",
        ] {
            assert_eq!(arg(args), None, "{args}");
        }
    }

    #[test]
    fn different_values_of_an_argument_are_none() {
        for args in [
            "jwt=a&jwt=b",
            "jwt=a&x=1&jwt=b",
            "jwt=a&jwt=a&jwt=b",
            "%6awt=a&jwt=b",
            "jwt=b&%6Awt=a",
            "%6awt=a&j%77t=b",
            "jwt=&jwt=a&jwt=A",
        ] {
            assert_eq!(argument(args.as_bytes(), b"jwt"), Err(Denial::SeveralTokens), "{args}");
        }
        for args in ["jwt=a&jwt=a", "jwt=a&%6awt=a&jwt=", "jwt=a&jwt=%61", "jwt=a&JWT=b&jwtx=b"] {
            assert_eq!(arg(args).as_deref(), Some("a"), "{args}");
        }
    }

    #[test]
    fn decodes_percent_escapes_in_argument_values() {
        assert_eq!(arg("jwt=a%2eb%2Ec").as_deref(), Some("a.b.c"));
        assert_eq!(arg("jwt=%").as_deref(), Some("%"));
        assert_eq!(arg("jwt=%4").as_deref(), Some("%4"));
        assert_eq!(arg("jwt=%zz%41").as_deref(), Some("%zzA"));
        assert_eq!(arg("jwt=%2541").as_deref(), Some("%41"));
    }

    fn without_argument(args: &str, names: &[&'static str]) -> String {
        let names = names.iter().map(|name| name.as_bytes());
        String::from_utf8(without_arguments(args.as_bytes(), &names)).unwrap()
    }

    #[test]
    fn removes_every_occurrence_of_an_argument() {
        let without = |args: &str| without_argument(args, &["jwt"]);
        assert_eq!(without("jwt=a"), "");
        assert_eq!(without("a=1&jwt=x&b=2&jwt=&c"), "a=1&b=2&c");
        assert_eq!(without("xjwt=1&jwtx=2&jwt"), "xjwt=1&jwtx=2&jwt");
        assert_eq!(without("%6Awt=a&b&%6a%77%74=a=b&j%77t="), "b");
        assert_eq!(without("%256awt=a&%6awtx=b&%6awt"), "%256awt=a&%6awtx=b&%6awt");
        assert_eq!(without_argument("%6awt=a&jwt=b", &["%6awt"]), "jwt=b");
        assert_eq!(without_argument("a=1&b=2&c=3&a=4", &["a", "c"]), "b=2");
    }

    #[test]
    fn removes_what_another_parser_takes_for_the_argument_and_nothing_else() {
        for (args, left) in [
            ("a=1&%20jwt=x&b=%2F", "a=1&b=%2F"),
            ("+jwt=x&a=+1+", "a=+1+"),
            ("x=1;jwt=x&y=2", "x=1&y=2"),
            ("x=1;jwt=x;y=2;;z", "x=1;y=2;;z"),
            ("x=1&amp;jwt=x", "x=1&amp"),
            ("jwt=x;y=2&z=3", "z=3"),
            ("jwt%00=x&jwt[]=y&jwt%5b0%5d=z&JWT=w&a", "a"),
            ("x=jwt=y&jwt.x=1&j=2&;&&=3", "x=jwt=y&jwt.x=1&j=2&;&&=3"),
        ] {
            assert_eq!(without_argument(args, &["jwt"]), left, "{args}");
        }
    }

    #[test]
    fn redacts_arguments_wherever_a_log_line_shows_a_url() {
        let redact = |line: &str| {
            let names = [&b"jwt"[..], b"t"].into_iter();
            String::from_utf8(redacted(line.as_bytes(), &names)).unwrap()
        };
        for (line, shown) in [
            ("request: \"GET /?jwt=abcd HTTP/1.1\"", "request: \"GET /?jwt=... HTTP/1.1\""),
            ("/a?x=1&jwt=abcd&y=2#z", "/a?x=1&jwt=...&y=2#z"),
            ("/a?jwt=abcd&t=efgh&jwt=ijkl", "/a?jwt=...&t=...&jwt=..."),
            ("referrer: \"http://a/?jwt=abcd\"", "referrer: \"http://a/?jwt=...\""),
            ("GET /?jwt=cut o", "GET /?jwt=... o"),
            ("/?jwt=cut", "/?jwt=..."),
            ("/?jwt=&jwt=a&t=bc", "/?jwt=&jwt=.&t=.."),
            ("/jwt=abcd?xjwt=1&jwtx=2", "/jwt=abcd?xjwt=1&jwtx=2"),
            ("/?%6awt=abcd&x=1;JWT=efgh&jwt[]=ijkl", "/?%6awt=...&x=1;JWT=...&jwt[]=..."),
            ("/?jwt=ab#jwt=cd&x=1#x?jwt=ef", "/?jwt=..#jwt=..&x=1#x?jwt=.."),
            ("/?x=eyJhbGciOi.e30.c2ln&y=xeyJh", "/?x=...&y=xeyJh"),
            ("/?x=1 jwt=abcd?y jwt=abcd", "/?x=1 jwt=abcd?y jwt=abcd"),
            ("", ""),
        ] {
            assert_eq!(redact(line), shown);
        }
    }

    #[test]
    fn what_follows_a_fragment_is_no_other_value() {
        let agrees = |fragment: &'static str, found: Option<&'static str>| {
            let found = found.map(|value| Cow::Borrowed(value.as_bytes()));
            agrees_behind(fragment.as_bytes(), |part| argument(part, b"jwt"), &found).is_ok()
        };
        for fragment in ["", "top", "&jwt=a", "jwt=a", "x?jwt=%61", "jwt=", "jwtx=b", "x#&jwt=a"] {
            assert!(agrees(fragment, Some("a")), "{fragment}");
        }
        for fragment in ["&jwt=b", "jwt=b", "?jwt=b", "#jwt=b", "&%6awt=b", "jwt=a&jwt=b"] {
            assert!(!agrees(fragment, Some("a")), "{fragment}");
            assert!(!agrees(fragment, None), "{fragment}");
        }
    }

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
            // What stands between a name and the rest of it does so no more.
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

    #[test]
    fn reads_bearer_credentials_in_any_case() {
        for header in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c "] {
            assert_eq!(bearer(header.as_bytes()), Some(&b"a.b.c"[..]), "{header}");
        }
        for header in ["", "Bearer", "Bearer ", "Bearera.b.c", "Basic a.b.c", "a.b.c", "Bearer\ta"]
        {
            assert_eq!(bearer(header.as_bytes()), None, "{header}");
        }
    }

    #[test]
    fn a_token_by_itself_may_stand_behind_the_scheme_bearer() {
        for value in ["a.b.c", " a.b.c\t", "Bearer a.b.c", "bEARER    a.b.c ", "  BEARER a.b.c"] {
            assert_eq!(bare(value.as_bytes()), Some(&b"a.b.c"[..]), "{value}");
        }
        for value in ["", " ", "Bearer", " bearer "] {
            assert_eq!(bare(value.as_bytes()), None, "{value}");
        }
        for value in ["Bearera.b.c", "Basic a.b.c", "a.b.c Bearer x"] {
            assert_eq!(bare(value.as_bytes()), Some(value.as_bytes()), "{value}");
        }
        assert_eq!(bare(b"Bearer Bearer a"), Some(&b"Bearer a"[..]));
    }
}
