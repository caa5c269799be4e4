//! Parsed headers of tokens that were verified before, so that these headers are not parsed again.
//!
//! An issuer writes few different headers, each for many tokens. The table caches how a header
//! segment is parsed, never that a token with this segment is valid: policy, keys and signature are
//! checked for every token.

use crate::jose::header::Header;

/// The most headers that are cached: enough for a few issuers while each of them rotates its keys.
pub const MAX_HEADERS: usize = 8;

/// The longest header segment that is cached, in bytes: longer than a header without a certificate.
pub const MAX_SEGMENT_SIZE: usize = 512;

/// Parsed headers by their header segments; in a full table, a new header replaces the oldest one.
#[derive(Clone, Debug, Default)]
pub struct HeaderTable {
    entries: Vec<(Box<[u8]>, Header)>,
    oldest: usize,
}

impl HeaderTable {
    /// The parsed header for `segment`, the header segment as it stands in a token.
    pub fn find(&self, segment: &[u8]) -> Option<&Header> {
        let (_, header) = self.entries.iter().find(|(known, _)| **known == *segment)?;
        Some(header)
    }

    /// Caches a header that is not in the table yet. The header must be that of a verified token:
    /// otherwise anyone could displace the other headers.
    pub(crate) fn keep(&mut self, segment: &[u8], header: Header) {
        if segment.len() > MAX_SEGMENT_SIZE {
            return;
        }
        let entry = (segment.into(), header);
        if self.entries.len() < MAX_HEADERS {
            self.entries.push(entry);
        } else if let Some(oldest) = self.entries.get_mut(self.oldest) {
            *oldest = entry;
            self.oldest = (self.oldest + 1) % MAX_HEADERS;
        }
    }

    /// How many headers are cached.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no header is cached.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(table: &mut HeaderTable, segment: &[u8]) {
        table.keep(segment, Header::parse(br#"{"alg":"ES256"}"#).unwrap());
    }

    #[test]
    fn finds_a_header_by_the_whole_of_its_first_part_alone() {
        let mut table = HeaderTable::default();
        keep(&mut table, b"abcd");
        assert!(table.find(b"abcd").is_some());
        for other in [&b""[..], b"abc", b"abcde", b"ABCD", b"bbcd", b"abca"] {
            assert!(table.find(other).is_none());
        }
    }

    #[test]
    fn forgets_the_oldest_header_first() {
        let mut table = HeaderTable::default();
        for index in 0..3 * MAX_HEADERS {
            keep(&mut table, index.to_string().as_bytes());
            assert_eq!(table.len(), MAX_HEADERS.min(index + 1));
            for known in 0..=index {
                let is_kept = known + MAX_HEADERS > index;
                assert_eq!(table.find(known.to_string().as_bytes()).is_some(), is_kept, "{known}");
            }
        }
    }

    #[test]
    fn does_not_keep_a_first_part_that_is_too_long() {
        let mut table = HeaderTable::default();
        keep(&mut table, &[b'A'; MAX_SEGMENT_SIZE + 1]);
        assert!(table.is_empty());
        keep(&mut table, &[b'A'; MAX_SEGMENT_SIZE]);
        assert_eq!(table.len(), 1);
    }
}
