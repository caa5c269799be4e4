//! Lists of subjects, keys or single tokens that are revoked before they expire.
//!
//! A list keeps digests, not values: it is small, does not reveal whom it names, and finds a value
//! in the same time however long the list is.

use core::fmt;
use core::hash::{BuildHasherDefault, Hash, Hasher};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::crypto::digest::Digest;
use crate::denial::{Defect, Denial};
use crate::text::json::{Json, Value};
use crate::token::claims::{Claims, NumericDate};

/// The largest revocation file that is read, in bytes.
pub const MAX_REVOCATION_FILE_SIZE: usize = 256 * 1024 * 1024;

/// The revocation lists of a gate. Several lists of one kind count as one list with the values of
/// all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Revocations<'a> {
    /// Lists of subjects: the claim `sub` (RFC 7519 section 4.1.2).
    pub sub: &'a [Arc<RevocationList>],
    /// Lists of keys: the header parameter `kid` (RFC 7515 section 4.1.4).
    pub kid: &'a [Arc<RevocationList>],
    /// Lists of tokens: the claim `jti` (RFC 7519 section 4.1.7).
    pub jti: &'a [Arc<RevocationList>],
}

impl Revocations<'_> {
    /// Checks that no list names the token.
    ///
    /// # Errors
    ///
    /// [`Denial::Revoked`] where a list names the token; [`Denial::ClaimRejected`] where the token
    /// lacks the claim or parameter that a list is about, since such a token could never be
    /// revoked.
    pub fn check(&self, claims: &Claims, now: i64) -> Result<(), Denial> {
        let claim = |name| claims.claim(name).and_then(Value::as_str);
        if !self.sub.is_empty() {
            refuse(self.sub, claim("sub").as_deref(), now)?;
        }
        if !self.kid.is_empty() {
            refuse(self.kid, claims.header().kid(), now)?;
        }
        if !self.jti.is_empty() {
            refuse(self.jti, claim("jti").as_deref(), now)?;
        }
        Ok(())
    }

    /// The claim or parameter that a list is about and the token lacks; `None` where the token has
    /// all.
    pub(crate) fn missing(&self, claims: &Claims) -> Option<&'static str> {
        let lacks = |name| claims.claim(name).and_then(Value::as_str).is_none();
        if !self.sub.is_empty() && lacks("sub") {
            Some("claim sub")
        } else if !self.kid.is_empty() && claims.header().kid().is_none() {
            Some("header kid")
        } else if !self.jti.is_empty() && lacks("jti") {
            Some("claim jti")
        } else {
            None
        }
    }
}

/// Refuses a value that one of the lists names, and a missing value.
fn refuse(lists: &[Arc<RevocationList>], value: Option<&str>, now: i64) -> Result<(), Denial> {
    let fingerprint = Fingerprint::of(value.ok_or(Denial::ClaimRejected)?);
    if lists.iter().any(|list| list.has(&fingerprint, now)) {
        return Err(Denial::Revoked);
    }
    Ok(())
}

/// Values that are revoked, either for good or until a given time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RevocationList {
    for_good: HashSet<Fingerprint, BuildHasherDefault<Identity>>,
    until: HashMap<Fingerprint, NumericDate, BuildHasherDefault<Identity>>,
}

impl RevocationList {
    /// Reads a list in one of three forms; a byte order mark before it is skipped.
    ///
    /// - A JSON object whose member names are the values. Where the member is a number, or an
    ///   object with a numeric member `exp`, this number is the `NumericDate` until which the value
    ///   is revoked. With any other member, the value is revoked for good.
    /// - A JSON array of strings, which are revoked for good.
    /// - Text, where the file begins with neither `{` nor `[`: one value per line, optionally
    ///   followed by a tab and the `NumericDate` until which the value is revoked. White space
    ///   around value and date is ignored, as are empty lines and lines that begin with `#`.
    ///
    /// An empty file is an empty list. Where a value occurs twice, the later date counts.
    ///
    /// # Errors
    ///
    /// What is wrong, and where. A list is never read in part.
    pub fn parse(file: &[u8]) -> Result<Self, RevocationError> {
        if file.len() > MAX_REVOCATION_FILE_SIZE {
            return Err(RevocationError::TooLarge);
        }
        let file = file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file);
        let mut list = Self::default();
        match file.trim_ascii_start().first() {
            Some(b'{' | b'[') => {
                list.add_json(&Json::parse(file).map_err(RevocationError::NotJson)?)?;
            }
            Some(_) => list.add_lines(file)?,
            None => {}
        }
        Ok(list)
    }

    /// Whether a value is revoked at a time, in seconds since the epoch.
    pub fn holds(&self, value: &str, now: i64) -> bool {
        self.has(&Fingerprint::of(value), now)
    }

    fn has(&self, digest: &Fingerprint, now: i64) -> bool {
        self.for_good.contains(digest)
            || self.until.get(digest).is_some_and(|until| NumericDate::from_seconds(now) < *until)
    }

    /// How many values the list names.
    pub fn len(&self) -> usize {
        self.for_good.len() + self.until.len()
    }

    /// Whether the list names no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add_json(&mut self, json: &Json) -> Result<(), RevocationError> {
        if let Some(object) = json.root().as_object() {
            for (name, value) in object.members() {
                let date = value.as_object().and_then(|object| object.member("exp"));
                // A number that is too large for a date means that the value is revoked for good.
                let until = date.unwrap_or(value).as_number().and_then(NumericDate::parse);
                self.add(&name, until);
            }
        }
        for (entry, value) in json.root().as_array().into_iter().flatten().enumerate() {
            let value = value.as_str().ok_or(RevocationError::NotAString { entry })?;
            self.add(&value, None);
        }
        Ok(())
    }

    fn add_lines(&mut self, text: &[u8]) -> Result<(), RevocationError> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = read_line(line)
                .map_err(|defect| RevocationError::Line { number: index + 1, defect })?;
            if let Some((value, until)) = line {
                self.add(value, until);
            }
        }
        Ok(())
    }

    fn add(&mut self, value: &str, until: Option<NumericDate>) {
        let digest = Fingerprint::of(value);
        match until {
            None => {
                self.until.remove(&digest);
                self.for_good.insert(digest);
            }
            Some(_) if self.for_good.contains(&digest) => {}
            Some(until) => {
                let latest = self.until.entry(digest).or_insert(until);
                if *latest < until {
                    *latest = until;
                }
            }
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The value of a line, and its date where the line has one; `None` for an empty line or a comment.
fn read_line(line: &[u8]) -> Result<Option<(&str, Option<NumericDate>)>, LineDefect> {
    let line = core::str::from_utf8(line).map_err(|_| LineDefect::NotUtf8)?.trim_ascii();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (value, date) = match line.split_once('\t') {
        None => (line, None),
        Some((value, date)) => {
            let date = date.trim_ascii();
            let is_number = date.bytes().all(|byte| b"0123456789+-.eE".contains(&byte));
            let date = NumericDate::parse(date).filter(|_| is_number);
            (value.trim_ascii_end(), Some(date.ok_or(LineDefect::NotADate)?))
        }
    };
    // Control characters include other line ends, so that two lines are never taken for one value.
    if value.chars().any(char::is_control) {
        return Err(LineDefect::ControlCharacter);
    }
    Ok(Some((value, date)))
}

/// The first half of the SHA-256 of a value: to find another value with the same half (a second
/// preimage) takes some 2^128 attempts.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Fingerprint(u64, u64);

impl Fingerprint {
    fn of(value: &str) -> Self {
        let digest = Digest::of(value.as_bytes());
        let mut words = digest
            .as_bytes()
            .chunks_exact(8)
            .map(|word| word.iter().fold(0, |number: u64, byte| (number << 8) | u64::from(*byte)));
        Self(words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.0, self.1)
    }
}

impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Returns a digest as its own hash value, since digests are evenly distributed.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Why a file is not a revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationError {
    /// Larger than [`MAX_REVOCATION_FILE_SIZE`].
    TooLarge,
    /// The file begins like JSON, but is not JSON.
    NotJson(Defect),
    /// An element of the array, counted from 0, is not a string.
    NotAString {
        /// The index of the element.
        entry: usize,
    },
    /// A line is broken.
    Line {
        /// The number of the line, counted from 1.
        number: usize,
        /// What is wrong with the line.
        defect: LineDefect,
    },
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineDefect {
    /// Not UTF-8.
    NotUtf8,
    /// The value holds a control character.
    ControlCharacter,
    /// The text after the tab is not a number of seconds.
    NotADate,
}

impl fmt::Display for RevocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "larger than {MAX_REVOCATION_FILE_SIZE} bytes"),
            Self::NotJson(Defect::Json) => f.write_str("not JSON in UTF-8"),
            Self::NotJson(defect) => defect.fmt(f),
            Self::NotAString { entry } => write!(f, "entry {entry}: not a string"),
            Self::Line { number, defect } => write!(f, "line {number}: {defect}"),
        }
    }
}

impl core::error::Error for RevocationError {}

impl fmt::Display for LineDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "not UTF-8",
            Self::ControlCharacter => "a control character",
            Self::NotADate => "no number of seconds after the tab",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(file: &[u8]) -> RevocationList {
        RevocationList::parse(file).unwrap()
    }

    fn error(file: &[u8]) -> String {
        RevocationList::parse(file).unwrap_err().to_string()
    }

    #[test]
    fn names_of_an_object_are_revoked_for_good_or_until_a_date() {
        let list = list(
            br#"{"a":{"locked_at":"2023"},"b":null,"c":false,"d":100,"e":{"exp":99.5},
                "f":{"exp":"never"},"g\u0000":1e400,"h":{"exp":null},"":[1]}"#,
        );
        assert_eq!(list.len(), 9);
        for value in ["a", "b", "c", "f", "g\0", "h", ""] {
            assert!(list.holds(value, 99) && list.holds(value, i64::MAX), "{value}");
        }
        for value in ["d", "e"] {
            assert!(list.holds(value, 99) && list.holds(value, i64::MIN), "{value}");
            assert!(!list.holds(value, 100), "{value}");
        }
        for value in ["A", "locked_at", "exp", "2023", "x"] {
            assert!(!list.holds(value, 0), "{value}");
        }
    }

    #[test]
    fn strings_of_an_array_are_revoked_for_good() {
        let list = list(br#" ["a", "b\u0062", "a"] "#);
        assert_eq!(list.len(), 2);
        assert!(list.holds("a", i64::MAX) && list.holds("bb", 0) && !list.holds("b", 0));
    }

    #[test]
    fn lines_name_a_value_each_and_a_date_after_a_tab() {
        let list =
            list(b"# comment\r\n\r\n a b \r\nc\t100\r\nd \t 1e2 \n  #e\nf#g\n{h\n\n\xc3\xa9");
        assert_eq!(list.len(), 6);
        for value in ["a b", "f#g", "{h", "é"] {
            assert!(list.holds(value, i64::MAX), "{value}");
        }
        for value in ["c", "d"] {
            assert!(list.holds(value, 99) && !list.holds(value, 100), "{value}");
        }
        for value in ["a", "# comment", "#e", "", "h"] {
            assert!(!list.holds(value, 0), "{value}");
        }
    }

    #[test]
    fn empty_file_is_an_empty_list() {
        for file in ["", " \n\t\n", "# none\n", "{}", "[]", "\u{feff}", "\u{feff}{}"] {
            assert!(list(file.as_bytes()).is_empty(), "{file:?}");
        }
    }

    #[test]
    fn byte_order_mark_is_no_part_of_the_first_value() {
        assert!(list("\u{feff}a\nb".as_bytes()).holds("a", 0));
    }

    #[test]
    fn later_date_of_a_value_counts_whatever_the_order() {
        for file in ["a\t10\na\t20\n", "a\t20\na\t10\n"] {
            let list = list(file.as_bytes());
            assert!(list.holds("a", 19) && !list.holds("a", 20), "{file:?}");
        }
        for file in ["a\na\t10\n", "a\t10\na\n"] {
            let list = list(file.as_bytes());
            assert!(list.holds("a", i64::MAX) && list.len() == 1, "{file:?}");
        }
    }

    #[test]
    fn broken_lists_are_refused_with_place_and_reason() {
        for (file, message) in [
            (&b"{\"a\":1"[..], "not JSON in UTF-8"),
            (b"{\"a\":1,\"\\u0061\":2}", "an object names a member twice"),
            (b"[\"\xff\"]", "not JSON in UTF-8"),
            (b"[\"a\",1]", "entry 1: not a string"),
            (b"[\"a\"] x", "not JSON in UTF-8"),
            (b"a\nb\xff\n", "line 2: not UTF-8"),
            (b"a\rb\n", "line 1: a control character"),
            (b"a\n\nb\0\n", "line 3: a control character"),
            (b"a\tsoon\n", "line 1: no number of seconds after the tab"),
            (b"a\tinf\n", "line 1: no number of seconds after the tab"),
            (b"a\tNaN\n", "line 1: no number of seconds after the tab"),
            (b"a\t1e999\n", "line 1: no number of seconds after the tab"),
            (b"a\t1\t2\n", "line 1: no number of seconds after the tab"),
        ] {
            assert_eq!(error(file), message, "{}", file.escape_ascii());
        }
    }

    #[test]
    fn many_entries_are_told_apart() {
        let lines: Vec<String> = (0..50_000).map(|number| format!("user-{number}\n")).collect();
        let list = list(lines.concat().as_bytes());
        assert_eq!(list.len(), 50_000);
        assert!(list.holds("user-0", 0) && list.holds("user-49999", 0));
        assert!(!list.holds("user-50000", 0) && !list.holds("user-", 0));
    }

    #[test]
    fn debug_output_names_no_value() {
        assert!(!format!("{:?}", list(b"secret-subject\n")).contains("secret"));
    }
}
