//! Host names as the `host` claim binds a token to them.

use std::borrow::Cow;

/// The hosts that a claim names.
#[derive(Clone, Debug)]
pub struct Hosts(Box<[Box<[u8]>]>);

impl Hosts {
    /// The hosts with these names, without ports and final periods. A name that still ends in a
    /// port or a period is not a host.
    pub fn new(names: &[Cow<'_, str>]) -> Self {
        let hosts = names.iter().map(|claimed| name(claimed.as_bytes()));
        Self(hosts.filter(|host| name(host).len() == host.len()).map(Into::into).collect())
    }

    /// Whether the `requested` host is one of these hosts. Letters are compared in either case; a
    /// port and a final period are ignored (RFC 3986 section 3.2.2). An empty name is not a host,
    /// so it never matches.
    pub fn name(&self, requested: &[u8]) -> bool {
        // nginx passes a host in the spelling that issuers use.
        if !requested.is_empty() && self.0.iter().any(|host| **host == *requested) {
            return true;
        }
        let requested = name(requested);
        !requested.is_empty() && self.0.iter().any(|host| host.eq_ignore_ascii_case(requested))
    }

    /// The bytes that the hosts take on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        self.0.iter().map(|host| size_of::<Box<[u8]>>() + host.len()).sum()
    }
}

/// Whether a `Host` field names the `requested` host, which is in lower case, without a port and a
/// final period. Letters may be in either case; what follows the name must be a final period, a
/// port or both (RFC 9112 section 3.2). A port is empty or a number of 16 bits (RFC 3986 section
/// 3.2.3).
pub fn agrees(field: &[u8], requested: &[u8]) -> bool {
    // Where it can, nginx takes the host unchanged from the field: then both are the same bytes.
    if core::ptr::eq(field, requested) {
        return true;
    }
    let Some((named, rest)) = field.split_at_checked(requested.len()) else { return false };
    if !named.eq_ignore_ascii_case(requested) {
        return false;
    }
    match rest.strip_prefix(b".").unwrap_or(rest) {
        [] => true,
        [b':', port @ ..] => is_port(port),
        _ => false,
    }
}

fn is_port(digits: &[u8]) -> bool {
    let value = digits.iter().try_fold(0_u16, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    });
    value.is_some()
}

/// A host without its port and final period.
fn name(host: &[u8]) -> &[u8] {
    let without_port = match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) => match host.split_at_checked(colon) {
            // An IPv6 literal is in brackets; a colon within the brackets does not begin a port.
            Some((name, [b':', port @ ..]))
                if port.iter().all(u8::is_ascii_digit)
                    && (name.ends_with(b"]") || !name.contains(&b':')) =>
            {
                name
            }
            _ => host,
        },
        None => host,
    };
    without_port.strip_suffix(b".").unwrap_or(without_port)
}

#[cfg(test)]
mod tests {
    use super::{Hosts, agrees};

    fn same(claimed: &str, requested: &[u8]) -> bool {
        Hosts::new(&[claimed.into()]).name(requested)
    }

    #[test]
    fn ignores_case_port_and_final_period() {
        for (claimed, requested) in [
            ("example.com", "example.com"),
            ("Example.COM", "example.com"),
            ("example.com:8089", "example.com"),
            ("example.com", "example.com:443"),
            ("example.com.", "example.com"),
            ("example.com:", "example.com"),
            ("[::1]:80", "[::1]"),
            ("[FE80::1]", "[fe80::1]:8080"),
            ("10.0.0.1", "10.0.0.1:80"),
        ] {
            assert!(same(claimed, requested.as_bytes()), "{claimed} {requested}");
        }
    }

    #[test]
    fn tells_other_hosts_apart() {
        for (claimed, requested) in [
            ("example.com", "example.org"),
            ("example.com", "www.example.com"),
            ("example.com", "example.com.evil.org"),
            ("example.com", "example.comx"),
            ("example.com", ""),
            ("", ""),
            (":80", ":80"),
            (".", "."),
            ("*", "example.com"),
            ("[::1]", "[::2]"),
            ("example.com:80@evil.org", "example.com"),
        ] {
            assert!(!same(claimed, requested.as_bytes()), "{claimed} {requested}");
        }
    }

    #[test]
    fn a_host_field_agrees_with_the_requested_host_but_for_case_port_and_final_period() {
        for (field, requested) in [
            ("example.com", "example.com"),
            ("EXAMPLE.com", "example.com"),
            ("example.com:80", "example.com"),
            ("example.com:", "example.com"),
            ("example.com:65535", "example.com"),
            ("example.com:0080", "example.com"),
            ("example.com.", "example.com"),
            ("Example.com.:8080", "example.com"),
            ("[::1]", "[::1]"),
            ("[FE80::1]:8080", "[fe80::1]"),
        ] {
            assert!(agrees(field.as_bytes(), requested.as_bytes()), "{field} {requested}");
        }
    }

    #[test]
    fn a_host_field_with_another_name_or_without_a_port_after_the_colon_does_not_agree() {
        for (field, requested) in [
            ("evil.example", "example.com"),
            ("", "example.com"),
            ("example.com", ""),
            ("example.co", "example.com"),
            ("example.comx", "example.com"),
            ("example.com:x", "example.com"),
            ("example.com:80x", "example.com"),
            ("example.com:80:90", "example.com"),
            ("example.com:80@evil.example", "example.com"),
            ("example.com:-1", "example.com"),
            ("example.com:+80", "example.com"),
            ("example.com: 80", "example.com"),
            ("example.com:65536", "example.com"),
            ("example.com:99999999999999999999", "example.com"),
            ("example.com..", "example.com"),
            ("example.com:80.", "example.com"),
            ("example.com,evil.example", "example.com"),
            ("evil.example,example.com", "example.com"),
            ("[::1]evil.example", "[::1]"),
            ("[::1", "[::1]"),
            ("::1", "[::1]"),
        ] {
            assert!(!agrees(field.as_bytes(), requested.as_bytes()), "{field} {requested}");
        }
    }
}
