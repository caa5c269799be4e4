//! Query arguments. An empty value is no value: `?jwt=&jwt=X` carries X.
//!
//! Equal values of one name count as one value. Where the values differ, each parser of the request
//! may choose another one, so none of them is accepted.

use std::borrow::Cow;

use ojwt_core::denial::Denial;

use crate::lookalike::is_read_as;
use crate::one::{one, split_at_equals};
use crate::percent::percent_decoded;

/// The value of the query argument `name`, percent-decoded (RFC 3986 section 2.1). The name is
/// compared case-sensitively, and percent-decoded as well: `%6awt` is `jwt` (section 6.2.2.2).
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where the argument has different values.
pub fn argument<'a>(args: &'a [u8], name: &[u8]) -> Result<Option<Cow<'a, [u8]>>, Denial> {
    let values = args.split(|byte| *byte == b'&').filter_map(|pair| argument_value(pair, name));
    one(values.filter(|value| !value.is_empty()).map(percent_decoded))
}

/// The value of the query argument `name`, whose letters may be in either case. The value is not
/// decoded, like that of an argument in an nginx variable.
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where the argument has different values.
pub fn argument_in_any_case<'a>(args: &'a [u8], name: &[u8]) -> Result<Option<&'a [u8]>, Denial> {
    let value = |pair: &'a [u8]| {
        let (spelled, value) = split_at_equals(pair)?;
        percent_decoded(spelled).eq_ignore_ascii_case(name).then_some(value)
    };
    let values = args.split(|byte| *byte == b'&').filter_map(value);
    one(values.filter(|value| !value.is_empty()))
}

/// Checks the part of a URL after the `#`, for parsers that read arguments there, too: such a
/// parser must not read another value than the one that was `found` before the `#`.
///
/// # Errors
///
/// [`Denial::SeveralTokens`] where there is another value, or a value where none was found.
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

/// `args` without the arguments `names`, however often they occur, and without anything that
/// another parser would take for these arguments, even between semicolons; every other byte is
/// kept.
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

fn argument_value<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    if let Some(value) = pair.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")) {
        return Some(value);
    }
    let (spelled, value) = split_at_equals(pair)?;
    (spelled.contains(&b'%') && *percent_decoded(spelled) == *name).then_some(value)
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
}
