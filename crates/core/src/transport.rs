//! How HTTP carries a token: a query argument, a cookie, bearer credentials.
//!
//! Pure functions over the bytes of a request. An empty value is no value: `?jwt=&jwt=X` carries X.

use std::borrow::Cow;

/// The first value of the query argument `name` that is not empty, percent-decoded (RFC 3986
/// section 2.1). The name is compared as it stands in the request.
pub fn argument<'a>(args: &'a [u8], name: &[u8]) -> Option<Cow<'a, [u8]>> {
    args.split(|byte| *byte == b'&')
        .filter_map(|pair| argument_value(pair, name))
        .find(|value| !value.is_empty())
        .map(percent_decoded)
}

/// `args` without the argument `name`, however often it occurs; every other byte is kept. It goes under
/// a percent-encoded name as well, by which no token is found here, but by whoever reads `args` next.
pub fn without_argument(args: &[u8], name: &[u8]) -> Vec<u8> {
    let kept = args.split(|byte| *byte == b'&').filter(|pair| !is_named(pair, name));
    join(kept, b"&")
}

/// A line for a log, with dots for the values of the arguments `names` in any URL within it. It is
/// never longer than `line`, and a value that the line cuts off is gone as well.
pub fn redacted<'a>(line: &[u8], names: &(impl Iterator<Item = &'a [u8]> + Clone)) -> Vec<u8> {
    let mut text = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        text.push(*byte);
        rest = after;
        if !matches!(byte, b'?' | b'&') {
            continue;
        }
        let value = names.clone().find_map(|name| argument_value(after, name));
        if let Some(value) = value {
            let end = value.iter().position(|byte| b"&#\" \t".contains(byte));
            let (value, after_value) = value.split_at(end.unwrap_or(value.len()));
            let name = after.len() - value.len() - after_value.len();
            text.extend_from_slice(after.get(..name).unwrap_or_default());
            text.extend(value.iter().take(3).map(|_| b'.'));
            rest = after_value;
        }
    }
    text
}

/// The first value of the cookie `name` that is not empty in one `Cookie` header (RFC 6265
/// section 4.2.1). Names are compared case by case; a value may stand in double quotes, and keeps
/// every `=` that it holds.
pub fn cookie<'a>(header: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    cookie_pairs(header).filter_map(|pair| cookie_value(pair, name)).find(|value| !value.is_empty())
}

/// A `Cookie` header without the cookie `name`, however often it occurs.
pub fn without_cookie(header: &[u8], name: &[u8]) -> Vec<u8> {
    let kept = cookie_pairs(header)
        .filter(|pair| !pair.is_empty() && cookie_value(pair, name).is_none() && *pair != name);
    join(kept, b"; ")
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

fn argument_value<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    pair.strip_prefix(name)?.strip_prefix(b"=")
}

/// Whether `pair` gives a value to the argument `name`, as it stands or percent-decoded.
fn is_named(pair: &[u8], name: &[u8]) -> bool {
    let spelled = pair.iter().position(|byte| *byte == b'=').and_then(|end| pair.get(..end));
    argument_value(pair, name).is_some()
        || spelled.is_some_and(|spelled| *percent_decoded(spelled) == *name)
}

fn percent_decoded(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'%') {
        return Cow::Borrowed(value);
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((byte, after)) = rest.split_first() {
        match (byte, after) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                decoded.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    Cow::Owned(decoded)
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
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

fn join<'a>(parts: impl Iterator<Item = &'a [u8]>, separator: &[u8]) -> Vec<u8> {
    parts.collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arg(args: &str) -> Option<String> {
        argument(args.as_bytes(), b"jwt").map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    #[test]
    fn finds_the_first_argument_that_is_not_empty() {
        assert_eq!(arg("jwt=a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(arg("x=1&jwt=a&jwt=b").as_deref(), Some("a"));
        assert_eq!(arg("jwt=&jwt=b").as_deref(), Some("b"));
        assert_eq!(arg("jwt=a=b&y").as_deref(), Some("a=b"));
        for args in ["", "jwt", "jwt=", "jwt=&jwt=", "xjwt=a", "jwtx=a", "JWT=a", "x=jwt=a", "&&"] {
            assert_eq!(arg(args), None, "{args}");
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

    #[test]
    fn removes_every_occurrence_of_an_argument() {
        let without =
            |args: &str| String::from_utf8(without_argument(args.as_bytes(), b"jwt")).unwrap();
        assert_eq!(without("jwt=a"), "");
        assert_eq!(without("a=1&jwt=x&b=2&jwt=&c"), "a=1&b=2&c");
        assert_eq!(without("xjwt=1&jwtx=2&jwt"), "xjwt=1&jwtx=2&jwt");
        // As an application reads them, though no token is found there.
        assert_eq!(without("%6Awt=a&b&%6a%77%74=a=b&j%77t="), "b");
        assert_eq!(without("%256awt=a&%6awtx=b&%6awt"), "%256awt=a&%6awtx=b&%6awt");
        assert_eq!(without_argument(b"%6awt=a&jwt=b", b"%6awt"), b"jwt=b");
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
            ("", ""),
        ] {
            assert_eq!(redact(line), shown);
        }
    }

    #[test]
    fn another_cookie_does_not_hide_the_one_asked_for() {
        let found = |header: &'static str| cookie(header.as_bytes(), b"jwtcookie");
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
        assert_eq!(cookie(b"jwtcookie=a=b==", b"jwtcookie"), Some(&b"a=b=="[..]));
        assert_eq!(cookie(b"jwtcookie=\"a=b\"", b"jwtcookie"), Some(&b"a=b"[..]));
    }

    #[test]
    fn an_empty_cookie_does_not_hide_a_later_one() {
        assert_eq!(cookie(b"jwtcookie=; jwtcookie=a", b"jwtcookie"), Some(&b"a"[..]));
    }

    #[test]
    fn removes_every_occurrence_of_a_cookie() {
        let without = |header: &str| {
            String::from_utf8(without_cookie(header.as_bytes(), b"jwtcookie")).unwrap()
        };
        assert_eq!(without("jwtcookie=a"), "");
        assert_eq!(
            without("a=1; jwtcookie=x;b=2; jwtcookie=\"y\"; jwtcookie = z; jwtcookie"),
            "a=1; b=2"
        );
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
}
