//! Names of arguments and cookies that another parser would take for a given name.
//!
//! Parsers of HTTP read names differently: PHP cuts and mangles names, ASP.NET ignores case, others
//! split at more separators, trim or decode. A request that is passed on without a token must not
//! contain a token for any of these parsers.

use std::borrow::Cow;

use crate::percent::percent_decoded;

/// Whether some parser would read `spelled` as `name`: percent-decoded (`%6awt`, `%u006awt`),
/// without characters around it (`+jwt`, `jwt%0b`), up to a NUL, as the name of an array (`jwt[]`,
/// `[jwt]`), in any case, or with the `_` that PHP writes for characters that the name of a
/// variable cannot have (`access.token`).
pub(crate) fn is_read_as(spelled: &[u8], name: &[u8]) -> bool {
    if spelled.eq_ignore_ascii_case(name) || *percent_decoded(spelled) == *name {
        return true;
    }
    // A plain name of another length is a different name, as nearly all names are.
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if spelled.len() != name.len() && spelled.iter().all(is_plain) {
        return false;
    }
    let decoded = decoded(spelled);
    let text = trimmed(&decoded).split('\0').next().unwrap_or_default();
    let text = trimmed(text);
    let array = text.split_once('[').map(|(array, _)| trimmed(array));
    let inner = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let readings = [Some(text), array, inner.map(|(inner, _)| trimmed(inner))];
    readings.into_iter().flatten().any(|reading| is_alike(reading.as_bytes(), name))
}

/// Whether two names are the same, without regard to case and to the characters that PHP replaces
/// by `_`.
fn is_alike(reading: &[u8], name: &[u8]) -> bool {
    let fold = |byte: &u8| match byte {
        b' ' | b'.' | b'[' | b'+' => b'_',
        byte => byte.to_ascii_lowercase(),
    };
    reading.iter().map(fold).eq(name.iter().map(fold))
}

/// Decodes a name as UTF-8 or, where it is not UTF-8, as Latin-1.
fn decoded(spelled: &[u8]) -> String {
    let bytes = percent_decoded(spelled);
    let text = match core::str::from_utf8(&bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    // The form `%uXXXX`, which ECMAScript's `escape` writes and ASP reads.
    let mut parts = text.split("%u");
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let char = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if let Some(char) = char.and_then(char::from_u32) {
            decoded.push(char);
            decoded.push_str(part.get(4..).unwrap_or_default());
        } else {
            decoded.push_str("%u");
            decoded.push_str(part);
        }
    }
    decoded
}

/// A text without these characters at its ends: white space, `+` (which may stand for white space),
/// control characters, and the question mark that begins a query.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '+' | '?' | '\u{200b}' | '\u{feff}')
    })
}

#[cfg(test)]
mod tests {
    use super::is_read_as;

    #[test]
    fn names_that_another_parser_takes_for_the_same_are_alike() {
        for spelled in [
            "jwt",
            "JWT",
            "Jwt",
            "%6awt",
            "%6A%57%74",
            "%u006awt",
            " jwt",
            "%20jwt",
            "+jwt",
            "jwt+",
            "jwt%0b",
            "jwt\u{b}",
            "%09jwt%0D%0a",
            "%c2%a0jwt",
            "%a0jwt",
            "%ef%bb%bfjwt",
            "?jwt",
            "jwt%00",
            "jwt%00x",
            "%00jwt",
            "jwt[]",
            "jwt%5B%5D",
            "jwt[0]",
            "jwt[a][b]",
            "jwt[",
            "jwt%5b",
            "[jwt]",
            "%5bjwt%5d",
            "+jwt+[]",
            "\u{200b}jwt",
        ] {
            assert!(is_read_as(spelled.as_bytes(), b"jwt"), "{spelled:?}");
        }
        for spelled in ["access_token", "access.token", "access%20token", "access+token"] {
            assert!(is_read_as(spelled.as_bytes(), b"access_token"), "{spelled}");
            assert!(is_read_as(spelled.as_bytes(), b"access.token"), "{spelled}");
        }
        assert!(is_read_as(b"access[token", b"access_token"));
        assert!(is_read_as(b"a+b", b"a+b") && is_read_as(b"%6awt", b"%6awt"));
    }

    #[test]
    fn other_names_are_not() {
        for spelled in [
            "",
            "jw",
            "jwtx",
            "xjwt",
            "j wt",
            "jwt.x",
            "jwt_",
            "jwt-x",
            "%256awt",
            "%6jwt",
            "[x]jwt",
            "x[jwt]",
            "[]jwt",
            "jwt=",
            "x%00jwt",
            "%u6awt",
            "%u00zzjwt",
            "\u{ff}",
        ] {
            assert!(!is_read_as(spelled.as_bytes(), b"jwt"), "{spelled:?}");
        }
    }
}
