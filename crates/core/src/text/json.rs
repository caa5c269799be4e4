//! JSON as a verifier needs it: one strict pass, nothing rounded, nothing reordered.
//!
//! Parsing gives the issuer's own text with the insignificant white space removed (RFC 8259) and an
//! index into this text. Numbers stay as they are written, and members keep their order. An object
//! that names a member twice is refused (RFC 7515 section 4 allows no other reading that every peer
//! would share). The text is safe in a header or a log, since it contains no control character:
//! JSON itself escapes those below U+0020, and this parser escapes U+007F to U+009F.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::denial::Defect;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 32;

/// The most names of an object for which each is compared with each to find duplicates; for more
/// names, sorting is faster.
const MAX_COMPARED: usize = 16;

/// The most names of an object that are sorted to find duplicates; for more names, hashing is
/// faster.
const MAX_SORTED: usize = 64;

/// A JSON text and its structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json {
    text: String,
    /// The nodes in the order of the text; an object is followed by its members, each a name and a
    /// value.
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    kind: Kind,
    /// Where the value stands in `text`; a string without its quotes.
    start: u32,
    end: u32,
    /// The number of nodes of the value, including all nodes within it.
    span: u32,
}

impl Node {
    fn length(self) -> usize {
        (self.end - self.start) as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    Bool,
    Number,
    String { escaped: bool },
    Array,
    Object,
}

/// The kind of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueKind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl ValueKind {
    /// All kinds of values.
    pub(crate) const ALL: [Self; 6] =
        [Self::Null, Self::Bool, Self::Number, Self::String, Self::Array, Self::Object];

    /// The name of the kind, with an article.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl Json {
    /// Parses one JSON value that takes the whole of `bytes`. Where `bytes` are owned and compact,
    /// they become the text without a copy.
    ///
    /// # Errors
    ///
    /// [`Defect::Json`] for what RFC 8259 does not allow (lone surrogates and text that is not
    /// UTF-8 included), [`Defect::DuplicateMember`], [`Defect::TooDeep`].
    pub fn parse<'a>(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, Defect> {
        let input = match bytes.into() {
            Cow::Borrowed(bytes) => core::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        };
        let input = input.ok_or(Defect::Json)?;
        let (compact, nodes) = Parser::run(&input)?;
        Ok(Self { text: compact.unwrap_or_else(|| input.into_owned()), nodes })
    }

    /// Parses an object.
    ///
    /// # Errors
    ///
    /// The errors of [`Json::parse`], and [`Defect::NotAnObject`].
    pub fn parse_object<'a>(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, Defect> {
        let json = Self::parse(bytes)?;
        if json.root().as_object().is_none() {
            return Err(Defect::NotAnObject);
        }
        Ok(json)
    }

    /// The compact text: one line, no white space outside strings, no control character.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes that the text and the index take on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        self.text.capacity() + self.nodes.capacity() * size_of::<Node>()
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { text: &self.text, nodes: &self.nodes }
    }

    /// The member with this name, where the outermost value is an object that has it.
    pub fn member(&self, name: &str) -> Option<Value<'_>> {
        self.root().as_object()?.member(name)
    }
}

/// A value inside a [`Json`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// The text of the whole [`Json`].
    text: &'a str,
    /// The node of this value, and the nodes of all values within it.
    nodes: &'a [Node],
}

impl<'a> Value<'a> {
    /// The kind of the value.
    pub fn kind(self) -> ValueKind {
        match self.node().map(|node| node.kind) {
            Some(Kind::Null) | None => ValueKind::Null,
            Some(Kind::Bool) => ValueKind::Bool,
            Some(Kind::Number) => ValueKind::Number,
            Some(Kind::String { .. }) => ValueKind::String,
            Some(Kind::Array) => ValueKind::Array,
            Some(Kind::Object) => ValueKind::Object,
        }
    }

    /// The value as compact JSON, strings with their quotes.
    pub fn text(self) -> &'a str {
        match self.node() {
            Some(Node { kind: Kind::String { .. }, start, end, .. }) => {
                let (start, end) = (start as usize, end as usize);
                self.text.get(start.saturating_sub(1)..end.saturating_add(1)).unwrap_or("")
            }
            Some(node) => slice(self.text, node),
            None => "",
        }
    }

    /// The characters of a string, with its escapes decoded.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let node = self.node()?;
        match node.kind {
            Kind::String { .. } => Some(string(self.text, node)),
            Kind::Null | Kind::Bool | Kind::Number | Kind::Array | Kind::Object => None,
        }
    }

    /// Whether the value is a string.
    pub fn is_string(self) -> bool {
        matches!(self.node(), Some(Node { kind: Kind::String { .. }, .. }))
    }

    /// The text of a number, as it is written.
    pub fn as_number(self) -> Option<&'a str> {
        let node = self.node()?;
        (node.kind == Kind::Number).then(|| slice(self.text, node))
    }

    /// The value of a boolean.
    pub fn as_bool(self) -> Option<bool> {
        let node = self.node()?;
        (node.kind == Kind::Bool).then(|| slice(self.text, node) == "true")
    }

    /// The members of an object.
    pub fn as_object(self) -> Option<Object<'a>> {
        (self.node()?.kind == Kind::Object).then_some(Object(self))
    }

    /// The elements of an array.
    pub fn as_array(self) -> Option<impl Iterator<Item = Value<'a>>> {
        (self.node()?.kind == Kind::Array).then(|| self.children())
    }

    /// Whether the value is a string with these characters.
    pub(crate) fn spells(self, text: &str) -> bool {
        match self.node() {
            Some(node) if node.kind == (Kind::String { escaped: false }) => {
                node.length() == text.len() && slice(self.text, node) == text
            }
            Some(_) => self.as_str().is_some_and(|own| own == text),
            None => false,
        }
    }

    fn node(self) -> Option<Node> {
        self.nodes.first().copied()
    }

    /// The values directly within this value; for an object, names and values in turn.
    fn children(self) -> Children<'a> {
        Children { text: self.text, nodes: self.nodes.get(1..).unwrap_or_default() }
    }
}

/// Values that stand one after the other.
#[derive(Clone)]
struct Children<'a> {
    text: &'a str,
    nodes: &'a [Node],
}

impl<'a> Iterator for Children<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let span = self.nodes.first()?.span as usize;
        let (nodes, rest) = self.nodes.split_at_checked(span)?;
        self.nodes = rest;
        Some(Value { text: self.text, nodes })
    }
}

/// An object inside a [`Json`].
#[derive(Clone, Copy, Debug)]
pub struct Object<'a>(Value<'a>);

impl<'a> Object<'a> {
    /// Names and values, in the order of the text.
    pub fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> {
        let mut children = self.0.children();
        core::iter::from_fn(move || {
            let name = children.next()?.as_str()?;
            Some((name, children.next()?))
        })
    }

    /// The value of the member with this name.
    pub fn member(self, name: &str) -> Option<Value<'a>> {
        let mut children = self.0.children();
        while let Some(found) = children.next() {
            let value = children.next()?;
            if found.spells(name) {
                return Some(value);
            }
        }
        None
    }
}

/// The names of the members, from the nodes within an object.
#[derive(Clone)]
struct Names<'n>(&'n [Node]);

impl Iterator for Names<'_> {
    type Item = Node;

    fn next(&mut self) -> Option<Node> {
        let (name, rest) = self.0.split_first()?;
        self.0 = rest.get(rest.first()?.span as usize..)?;
        Some(*name)
    }
}

struct Parser<'a> {
    input: &'a str,
    position: usize,
    /// The compact text of `input` up to `copied`; from there on, text and input are the same so
    /// far.
    text: String,
    copied: usize,
    nodes: Vec<Node>,
}

impl<'a> Parser<'a> {
    /// The compact text where it differs from `input`, and the nodes.
    fn run(input: &'a str) -> Result<(Option<String>, Vec<Node>), Defect> {
        // Spans are 32 bits wide; an escape makes the text at most six times as long.
        if u32::try_from(input.len().saturating_mul(6)).is_err() {
            return Err(Defect::Json);
        }
        let nodes = Vec::with_capacity(16);
        let mut parser = Self { input, position: 0, text: String::new(), copied: 0, nodes };
        parser.skip_white_space();
        parser.value(MAX_DEPTH)?;
        parser.skip_white_space();
        if parser.position != input.len() {
            return Err(Defect::Json);
        }
        let is_changed = parser.copied > 0;
        if is_changed {
            parser.copy(input.len());
        }
        Ok((is_changed.then_some(parser.text), parser.nodes))
    }

    fn value(&mut self, depth: usize) -> Result<(), Defect> {
        match self.peek().ok_or(Defect::Json)? {
            b'{' => self.object(depth.checked_sub(1).ok_or(Defect::TooDeep)?),
            b'[' => self.array(depth.checked_sub(1).ok_or(Defect::TooDeep)?),
            b'"' => self.string().map(drop),
            b't' => self.literal("true", Kind::Bool),
            b'f' => self.literal("false", Kind::Bool),
            b'n' => self.literal("null", Kind::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(Defect::Json),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Defect> {
        let node = self.open(Kind::Object);
        let (mut members, mut has_escapes) = (0, false);
        self.take(b'{')?;
        self.skip_white_space();
        if self.peek() != Some(b'}') {
            loop {
                members += 1;
                has_escapes |= self.string()?;
                self.skip_white_space();
                self.take(b':')?;
                self.skip_white_space();
                self.value(depth)?;
                self.skip_white_space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.take(b',')?;
                self.skip_white_space();
            }
        }
        self.take(b'}')?;
        self.refuse_duplicates(node, members, has_escapes)?;
        self.close(node);
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Defect> {
        let node = self.open(Kind::Array);
        self.take(b'[')?;
        self.skip_white_space();
        if self.peek() != Some(b']') {
            loop {
                self.value(depth)?;
                self.skip_white_space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.take(b',')?;
                self.skip_white_space();
            }
        }
        self.take(b']')?;
        self.close(node);
        Ok(())
    }

    /// Parses a string, and returns whether the string contains an escape.
    fn string(&mut self) -> Result<bool, Defect> {
        self.take(b'"')?;
        let start = self.length();
        self.position += plain_prefix(self.rest());
        let escaped = self.peek() != Some(b'"') && self.special()?;
        self.add(Kind::String { escaped }, start);
        self.position += 1;
        Ok(escaped)
    }

    /// Parses the rest of a string up to the quote, from the first byte that may need more than to
    /// be copied; returns whether an escape is in this rest.
    #[cold]
    fn special(&mut self) -> Result<bool, Defect> {
        let mut escaped = false;
        loop {
            match self.peek().ok_or(Defect::Json)? {
                b'"' => return Ok(escaped),
                b'\\' => {
                    escaped = true;
                    self.position += 1;
                    self.escape()?;
                }
                0x00..=0x1f => return Err(Defect::Json),
                0x7f => {
                    escaped = true;
                    self.replace(1, "\\u007f");
                }
                // U+0080 to U+009F are the other control characters; the second byte is the code
                // point.
                0xc2 if self.peek_at(1).is_some_and(|next| next < 0xa0) => {
                    escaped = true;
                    let control = self.peek_at(1).unwrap_or_default();
                    self.replace(2, &format!("\\u{control:04x}"));
                }
                _ => self.position += 1,
            }
            self.position += plain_prefix(self.rest());
        }
    }

    /// Parses the part of an escape after the backslash.
    fn escape(&mut self) -> Result<(), Defect> {
        match self.next().ok_or(Defect::Json)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.hex4()? {
                0xd800..=0xdbff => {
                    // A high surrogate must be followed by a low one.
                    if self.next() != Some(b'\\') || self.next() != Some(b'u') {
                        return Err(Defect::Json);
                    }
                    match self.hex4()? {
                        0xdc00..=0xdfff => Ok(()),
                        _ => Err(Defect::Json),
                    }
                }
                0xdc00..=0xdfff => Err(Defect::Json),
                _ => Ok(()),
            },
            _ => Err(Defect::Json),
        }
    }

    fn hex4(&mut self) -> Result<u32, Defect> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.next().ok_or(Defect::Json)?);
            unit = unit * 16 + digit.to_digit(16).ok_or(Defect::Json)?;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), Defect> {
        let start = self.length();
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        match self.peek() {
            Some(b'0') => self.position += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.position += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits()?;
        }
        self.add(Kind::Number, start);
        Ok(())
    }

    /// Parses one digit or more.
    fn digits(&mut self) -> Result<(), Defect> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.position += count;
        if count == 0 { Err(Defect::Json) } else { Ok(()) }
    }

    fn literal(&mut self, word: &str, kind: Kind) -> Result<(), Defect> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(Defect::Json);
        }
        let start = self.length();
        self.position += word.len();
        self.add(kind, start);
        Ok(())
    }

    fn refuse_duplicates(
        &mut self,
        object: usize,
        members: usize,
        has_escapes: bool,
    ) -> Result<(), Defect> {
        let text = if self.copied == 0 {
            self.input
        } else {
            self.copy(self.position);
            &self.text
        };
        let names = Names(self.nodes.get(object + 1..).unwrap_or_default());
        let are_distinct = if members <= MAX_COMPARED && !has_escapes {
            are_distinct(text, names)
        } else {
            let mut names = names.map(|name| string(text, name));
            // Sorting, and hashing with a random key, limit the work for any hostile object.
            if members > MAX_SORTED {
                let mut seen = HashSet::with_capacity(members);
                names.all(|name| seen.insert(name))
            } else {
                let mut names: Vec<_> = names.collect();
                names.sort_unstable();
                names.is_sorted_by(|a, b| a != b)
            }
        };
        if are_distinct { Ok(()) } else { Err(Defect::DuplicateMember) }
    }

    fn open(&mut self, kind: Kind) -> usize {
        let start = self.length();
        self.nodes.push(Node { kind, start, end: start, span: 1 });
        self.nodes.len() - 1
    }

    fn close(&mut self, index: usize) {
        let end = self.length();
        let span = narrow(self.nodes.len() - index);
        if let Some(node) = self.nodes.get_mut(index) {
            node.end = end;
            node.span = span;
        }
    }

    /// Adds a value that contains no other values.
    fn add(&mut self, kind: Kind, start: u32) {
        let end = self.length();
        self.nodes.push(Node { kind, start, end, span: 1 });
    }

    /// The length of the compact text so far.
    fn length(&self) -> u32 {
        narrow(self.text.len() + self.position - self.copied)
    }

    /// Copies the input up to `end`, from where the last copy ended.
    fn copy(&mut self, end: usize) {
        self.text.reserve(self.input.len() - self.copied);
        self.text.push_str(self.input.get(self.copied..end).unwrap_or(""));
        self.copied = end;
    }

    /// Replaces the next `length` bytes in the compact text.
    fn replace(&mut self, length: usize, by: &str) {
        self.copy(self.position);
        self.text.push_str(by);
        self.position += length;
        self.copied = self.position;
    }

    fn skip_white_space(&mut self) {
        let is_white = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        if self.peek().is_some_and(is_white) {
            let length = self.rest().iter().take_while(|byte| is_white(**byte)).count();
            self.replace(length, "");
        }
    }

    fn take(&mut self, byte: u8) -> Result<(), Defect> {
        if self.next() == Some(byte) { Ok(()) } else { Err(Defect::Json) }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.position += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    fn peek_at(&self, offset: usize) -> Option<u8> {
        self.input.as_bytes().get(self.position + offset).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.input.as_bytes().get(self.position..).unwrap_or_default()
    }
}

/// How many bytes of a string stand for themselves, whatever follows, before the first that may
/// not.
fn plain_prefix(bytes: &[u8]) -> usize {
    let is_plain = |byte: &u8| IS_PLAIN.get(usize::from(*byte)) == Some(&true);
    bytes.iter().position(|byte| !is_plain(byte)).unwrap_or(bytes.len())
}

/// Whether a byte stands for itself in a string, whatever follows.
static IS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest: &mut [bool] = &mut table;
    let mut byte: u8 = 0;
    while let [is_plain, after @ ..] = rest {
        *is_plain = byte >= 0x20 && !matches!(byte, b'"' | b'\\' | 0x7f | 0xc2);
        byte = byte.wrapping_add(1);
        rest = after;
    }
    table
};

/// Whether no two of these names, none of which has an escape, are the same.
fn are_distinct(text: &str, mut names: Names<'_>) -> bool {
    while let Some(name) = names.next() {
        let is_same = |other: Node| {
            other.length() == name.length() && slice(text, other) == slice(text, name)
        };
        if names.clone().any(is_same) {
            return false;
        }
    }
    true
}

/// Lengths fit, since they were limited when parsing began.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn slice(text: &str, node: Node) -> &str {
    text.get(node.start as usize..node.end as usize).unwrap_or("")
}

/// The characters of a string, with its escapes decoded.
#[inline]
fn string(text: &str, node: Node) -> Cow<'_, str> {
    let raw = slice(text, node);
    if node.kind == (Kind::String { escaped: true }) {
        Cow::Owned(unescape(raw))
    } else {
        Cow::Borrowed(raw)
    }
}

/// Decodes the escapes of a string that the parser accepted.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match rest.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let high = unit(&mut rest);
                let unit = if (0xd800..0xdc00).contains(&high) {
                    let mut low = rest.by_ref().skip(2);
                    0x1_0000 + ((high - 0xd800) << 10) + (unit(&mut low) & 0x3ff)
                } else {
                    high
                };
                text.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}

fn unit(digits: &mut impl Iterator<Item = char>) -> u32 {
    digits.take(4).fold(0, |unit, digit| unit * 16 + digit.to_digit(16).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        Json::parse(json.as_bytes()).unwrap().text().to_owned()
    }

    #[test]
    fn removes_insignificant_white_space_and_nothing_else() {
        assert_eq!(
            text(" {\r\n\t\"b\" : [ 1 , 2.50 , -0e+7 ] , \"a b\" : { } , \"c\":[ ] } "),
            r#"{"b":[1,2.50,-0e+7],"a b":{},"c":[]}"#
        );
    }

    #[test]
    fn keeps_the_bytes_of_a_compact_text_that_it_is_given() {
        let bytes = br#"{"a":["b",{"\u0063":1}]}"#.to_vec();
        let place = bytes.as_ptr();
        let json = Json::parse(bytes).unwrap();
        assert_eq!((json.text().as_ptr(), json.text()), (place, r#"{"a":["b",{"\u0063":1}]}"#));
    }

    #[test]
    fn keeps_numbers_exactly_as_written() {
        let json = "[1.0,1e2,123456789012345678901234567890,0.10000000000000000000001,-0]";
        assert_eq!(text(json), json);
    }

    #[test]
    fn escapes_the_control_characters_that_json_allows_raw() {
        assert_eq!(text("\"\u{7f}\u{80}\u{9f}\u{a0}é\""), "\"\\u007f\\u0080\\u009f\u{a0}é\"");
        let json = Json::parse("\"\u{85}\"".as_bytes()).unwrap();
        assert_eq!(json.root().as_str().unwrap(), "\u{85}");
    }

    #[test]
    fn rejects_raw_control_characters_in_strings() {
        for byte in 0..0x20u8 {
            assert_eq!(Json::parse(&[b'"', byte, b'"']), Err(Defect::Json));
        }
    }

    #[test]
    fn rejects_text_that_is_not_utf8() {
        assert_eq!(Json::parse(b"\"\xff\""), Err(Defect::Json));
        assert_eq!(Json::parse(b"\"\xed\xa0\x80\""), Err(Defect::Json));
    }

    #[test]
    fn rejects_what_rfc_8259_does_not_allow() {
        for json in [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "1e+",
            "--1",
            "0x1",
            "NaN",
            "Infinity",
            "tru",
            "True",
            "nul",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "{} {}",
            "{}x",
            "[1 2]",
            "{\"a\" 1}",
            "{1:2}",
            "//\n1",
            "\u{feff}{}",
            "-",
            "\"\\ud800\"",
            "\"\\ud800x\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"a\nb\"",
        ] {
            assert_eq!(Json::parse(json.as_bytes()), Err(Defect::Json), "{json}");
        }
    }

    #[test]
    fn rejects_duplicate_members_at_every_depth_and_in_every_spelling() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":3}"#,
            r#"{"x":{"y":[{"a":1,"a":2}]}}"#,
            r#"{"":1,"":2}"#,
            "{\"\u{7f}\":1,\"\\u007F\":2}",
            "{\"\u{1d11e}\":1,\"\\ud834\\udd1e\":2}",
        ] {
            assert_eq!(Json::parse(json.as_bytes()), Err(Defect::DuplicateMember), "{json}");
        }
        assert!(Json::parse(br#"{"a":{"a":{"a":1}},"b":{"a":1},"A":2}"#).is_ok());
    }

    #[test]
    fn rejects_a_duplicate_among_many_members() {
        let bounds = [MAX_COMPARED, MAX_SORTED].into_iter().flat_map(|most| most - 1..=most + 1);
        for count in bounds.chain([10_000]) {
            let members = (0..count).map(|i| format!("\"{i}\":0,")).collect::<Vec<_>>().concat();
            assert!(Json::parse(format!("{{{members}\"x\":0}}").as_bytes()).is_ok());
            for twin in ["0", "\\u0030"] {
                let json = format!("{{{members}\"{twin}\":0}}");
                assert_eq!(Json::parse(json.as_bytes()), Err(Defect::DuplicateMember), "{count}");
            }
        }
    }

    #[test]
    fn bounds_the_depth_of_nesting() {
        let nested = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(Json::parse(nested(MAX_DEPTH + 1).as_bytes()), Err(Defect::TooDeep));
        assert_eq!(Json::parse("[".repeat(1_000_000).as_bytes()), Err(Defect::TooDeep));
    }

    #[test]
    fn finds_members_by_their_unescaped_name() {
        let json =
            Json::parse(br#"{"a":[1,{"b":2}],"\u0065xp":3,"s":"x\ty\ud83d\ude00"}"#).unwrap();
        assert_eq!(json.member("exp").unwrap().as_number(), Some("3"));
        assert_eq!(json.member("a").unwrap().text(), r#"[1,{"b":2}]"#);
        assert_eq!(json.member("s").unwrap().as_str().unwrap(), "x\ty😀");
        assert_eq!(json.member("s").unwrap().text(), r#""x\ty\ud83d\ude00""#);
        assert!(json.member("b").is_none());
        let elements: Vec<_> =
            json.member("a").unwrap().as_array().unwrap().map(Value::text).collect();
        assert_eq!(elements, ["1", r#"{"b":2}"#]);
    }

    #[test]
    fn an_object_of_many_members_is_checked_in_reasonable_time() {
        let members: Vec<String> = (0..100_000).map(|i| format!("\"{i}\":0")).collect();
        assert!(Json::parse(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
    }

    #[test]
    fn accepts_and_reads_what_serde_json_reads() {
        for json in [
            r#"{"a":[true,false,null,{"b":"\"\\\/\b\f\n\r\t\u00e9"}],"n":-12.5e-3,"":""}"#,
            "[[],{},\"\",0,-0.0]",
            "\"x\"",
        ] {
            let ours = text(json);
            let theirs: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::from_str::<serde_json::Value>(&ours).unwrap(), theirs);
        }
    }
}
