//! Host names as the `host` claim binds a token to them.

use std::borrow::Cow;

/// The hosts that a claim names.
#[derive(Clone, Debug)]
pub struct Hosts(Box<[Box<[u8]>]>);

impl Hosts {
    /// Those of these names, of which ports and a final period do not count. What still ends in such
    /// is no host.
    pub fn new(names: &[Cow<'_, str>]) -> Self {
        let hosts = names.iter().map(|claimed| name(claimed.as_bytes()));
        Self(hosts.filter(|host| name(host).len() == host.len()).map(Into::into).collect())
    }

    /// Whether the `requested` host is one of them: letters in either case, ports and a final period
    /// ignored (RFC 3986 section 3.2.2). An empty name is no host, so it equals none.
    pub fn name(&self, requested: &[u8]) -> bool {
        // nginx hands hosts as issuers write them.
        if !requested.is_empty() && self.0.iter().any(|host| **host == *requested) {
            return true;
        }
        let requested = name(requested);
        !requested.is_empty() && self.0.iter().any(|host| host.eq_ignore_ascii_case(requested))
    }

    /// The bytes that they take on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        self.0.iter().map(|host| size_of::<Box<[u8]>>() + host.len()).sum()
    }
}

/// A host without its port.
fn name(host: &[u8]) -> &[u8] {
    let without_port = match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) => match host.split_at_checked(colon) {
            // An IPv6 literal stands in brackets; a colon inside them begins no port.
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
    use super::Hosts;

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
}
