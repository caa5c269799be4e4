//! Bearer credentials (RFC 6750 section 2.1).

/// The credentials of an `Authorization` header of the scheme `Bearer` (RFC 6750 section 2.1); the
/// scheme is matched without regard to case (RFC 9110 section 11.1).
pub fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, credentials) = header.split_at_checked("Bearer ".len())?;
    // The usual spelling is compared first, then any other case.
    if scheme != b"Bearer " && !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return None;
    }
    let credentials = credentials.trim_ascii();
    (!credentials.is_empty()).then_some(credentials)
}

/// A token in a header or a variable that is for tokens only; the scheme `Bearer` may nevertheless
/// stand before the token.
pub fn bare(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let is_token = !value.is_empty() && !value.eq_ignore_ascii_case(b"Bearer");
    is_token.then(|| bearer(value).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

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
