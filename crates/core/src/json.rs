//! JSON as a verifier needs it: one strict pass, nothing rounded, nothing reordered.
//!
//! Parsing gives the issuer's own text with the insignificant white space removed (RFC 8259) and
//! an index into it. Numbers stay as they are written, members keep their order, and an object
//! that names a member twice is refused (RFC 7515 section 4 allows no other reading that every
//! peer would share). The text holds no control character: JSON escapes those below U+0020
//! itself, and U+007F to U+009F are escaped here, so that it can stand in a header or a log.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::denial::Defect;

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 32;

/// The most names of an object that are sorted to find duplicates; hashing is faster for more.
const MAX_SORTED: usize = 64;

/// A JSON text and its structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json {
    text: String,
    /// In the order of the text; an object is followed by its members, each a name and a value.
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    kind: Kind,
    /// Where it stands in `text`; for a string without its quotes.
    start: u32,
    end: u32,
    /// The number of nodes that it and all within it take.
    span: u32,
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

impl Json {
    /// Parses one JSON value that takes the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// [`Defect::Json`] for what RFC 8259 does not allow (lone surrogates and text that is not
    /// UTF-8 included), [`Defect::DuplicateMember`], [`Defect::TooDeep`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Defect> {
        let input = core::str::from_utf8(bytes).map_err(|_| Defect::Json)?;
        // Spans are 32 bits wide; an escape makes a byte at most three times as long.
        if u32::try_from(input.len().saturating_mul(3)).is_err() {
            return Err(Defect::Json);
        }
        let mut parser = Parser {
            input,
            position: 0,
            text: String::with_capacity(input.len()),
            nodes: Vec::with_capacity(16),
            names: Vec::new(),
        };
        parser.skip_white_space();
        parser.value(MAX_DEPTH)?;
        parser.skip_white_space();
        if parser.position != input.len() {
            return Err(Defect::Json);
        }
        Ok(Self { text: parser.text, nodes: parser.nodes })
    }

    /// Parses an object.
    ///
    /// # Errors
    ///
    /// Those of [`Json::parse`], and [`Defect::NotAnObject`].
    pub fn parse_object(bytes: &[u8]) -> Result<Self, Defect> {
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

    /// The bytes that it takes on the heap.
    pub(crate) fn heap_size(&self) -> usize {
        self.text.capacity() + self.nodes.capacity() * size_of::<Node>()
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { json: self, index: 0 }
    }

    /// The member of that name, where the outermost value is an object that has it.
    pub fn member(&self, name: &str) -> Option<Value<'_>> {
        self.root().as_object()?.member(name)
    }

    fn slice(&self, node: Node) -> &str {
        slice(&self.text, node)
    }
}

/// A value inside a [`Json`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    json: &'a Json,
    index: usize,
}

impl<'a> Value<'a> {
    /// The value as compact JSON, strings with their quotes.
    pub fn text(self) -> &'a str {
        match self.node() {
            Some(Node { kind: Kind::String { .. }, start, end, .. }) => {
                let (start, end) = (start as usize, end as usize);
                self.json.text.get(start.saturating_sub(1)..end.saturating_add(1)).unwrap_or("")
            }
            Some(node) => self.json.slice(node),
            None => "",
        }
    }

    /// The characters of a string, its escapes undone.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let node = self.node()?;
        match node.kind {
            Kind::String { .. } => Some(string(self.json.slice(node), node.kind)),
            Kind::Null | Kind::Bool | Kind::Number | Kind::Array | Kind::Object => None,
        }
    }

    /// A number as it is written.
    pub fn as_number(self) -> Option<&'a str> {
        let node = self.node()?;
        (node.kind == Kind::Number).then(|| self.json.slice(node))
    }

    /// `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        let node = self.node()?;
        (node.kind == Kind::Bool).then(|| self.json.slice(node) == "true")
    }

    /// The members of an object.
    pub fn as_object(self) -> Option<Object<'a>> {
        (self.node()?.kind == Kind::Object).then_some(Object(self))
    }

    /// The elements of an array.
    pub fn as_array(self) -> Option<impl Iterator<Item = Value<'a>>> {
        (self.node()?.kind == Kind::Array).then(|| self.children())
    }

    /// Whether it is the string of these characters.
    fn spells(self, text: &str) -> bool {
        match self.node() {
            Some(node) if node.kind == (Kind::String { escaped: false }) => {
                (node.end - node.start) as usize == text.len() && self.json.slice(node) == text
            }
            Some(_) => self.as_str().is_some_and(|own| own == text),
            None => false,
        }
    }

    fn node(self) -> Option<Node> {
        self.json.nodes.get(self.index).copied()
    }

    /// The nodes directly within this one; for an object names and values in turn.
    fn children(self) -> impl Iterator<Item = Value<'a>> {
        let end = self.index + self.node().map_or(0, |node| node.span as usize);
        let mut index = self.index + 1;
        core::iter::from_fn(move || {
            if index >= end {
                return None;
            }
            let value = Value { json: self.json, index };
            index += value.node()?.span as usize;
            Some(value)
        })
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

    /// The value of the member of that name.
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

/// Whether a byte stands for itself in a string, whatever follows.
fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && !matches!(byte, b'"' | b'\\' | 0x7f | 0xc2)
}

struct Parser<'a> {
    input: &'a str,
    position: usize,
    text: String,
    nodes: Vec<Node>,
    /// The names of the objects that are open, innermost last, as indices into `nodes`.
    names: Vec<usize>,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<(), Defect> {
        match self.peek().ok_or(Defect::Json)? {
            b'{' => self.object(depth.checked_sub(1).ok_or(Defect::TooDeep)?),
            b'[' => self.array(depth.checked_sub(1).ok_or(Defect::TooDeep)?),
            b'"' => self.string(),
            b't' => self.literal("true", Kind::Bool),
            b'f' => self.literal("false", Kind::Bool),
            b'n' => self.literal("null", Kind::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(Defect::Json),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Defect> {
        let node = self.open(Kind::Object);
        let first_name = self.names.len();
        self.take(b'{')?;
        self.skip_white_space();
        if self.peek() != Some(b'}') {
            loop {
                self.names.push(self.nodes.len());
                self.string()?;
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
        self.refuse_duplicates(first_name)?;
        self.names.truncate(first_name);
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

    fn string(&mut self) -> Result<(), Defect> {
        self.take(b'"')?;
        let node = self.open(Kind::String { escaped: false });
        let mut escaped = false;
        let mut copied = self.position;
        loop {
            match self.peek().ok_or(Defect::Json)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.position += 1;
                    self.escape()?;
                }
                0x00..=0x1f => return Err(Defect::Json),
                0x7f => {
                    escaped = true;
                    self.copy(copied, self.position);
                    self.text.push_str("\\u007f");
                    self.position += 1;
                    copied = self.position;
                }
                // U+0080 to U+009F, the other control characters, in UTF-8.
                0xc2 if self.peek_at(1).is_some_and(|next| next < 0xa0) => {
                    escaped = true;
                    self.copy(copied, self.position);
                    let low = self.peek_at(1).unwrap_or_default();
                    self.text.push_str("\\u00");
                    self.text.push(if low < 0x90 { '8' } else { '9' });
                    self.text.extend(char::from_digit(u32::from(low & 0x0f), 16));
                    self.position += 2;
                    copied = self.position;
                }
                _ => {
                    // What stands for itself, in one go.
                    let rest = self.input.as_bytes().get(self.position..).unwrap_or_default();
                    let length = rest.iter().position(|byte| !is_plain(*byte));
                    self.position += length.unwrap_or(rest.len()).max(1);
                }
            }
        }
        self.copy(copied, self.position);
        self.close(node);
        if let Some(node) = self.nodes.get_mut(node) {
            node.kind = Kind::String { escaped };
        }
        self.take(b'"')
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<(), Defect> {
        match self.next().ok_or(Defect::Json)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.hex4()? {
                0xd800..=0xdbff => {
                    // A high surrogate is a character only with the low one that follows it.
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
        let node = self.open(Kind::Number);
        let start = self.position;
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
        self.copy(start, self.position);
        self.close(node);
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Defect> {
        let start = self.position;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
        if self.position == start { Err(Defect::Json) } else { Ok(()) }
    }

    fn literal(&mut self, word: &str, kind: Kind) -> Result<(), Defect> {
        if !self.input.get(self.position..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(Defect::Json);
        }
        let node = self.open(kind);
        self.position += word.len();
        self.text.push_str(word);
        self.close(node);
        Ok(())
    }

    fn refuse_duplicates(&mut self, first_name: usize) -> Result<(), Defect> {
        let (text, nodes) = (&self.text, &self.nodes);
        let name_of = |index: &usize| {
            let node = nodes.get(*index)?;
            Some(string(slice(text, *node), node.kind))
        };
        let Some(names) = self.names.get_mut(first_name..) else { return Ok(()) };
        // Sorting and randomly keyed hashing bound the work, whatever a hostile object holds.
        let are_distinct = if names.len() > MAX_SORTED {
            let mut seen = HashSet::with_capacity(names.len());
            names.iter().all(|name| seen.insert(name_of(name)))
        } else {
            names.sort_unstable_by_key(name_of);
            names.is_sorted_by(|a, b| name_of(a) != name_of(b))
        };
        if are_distinct { Ok(()) } else { Err(Defect::DuplicateMember) }
    }

    fn open(&mut self, kind: Kind) -> usize {
        let start = narrow(self.text.len());
        self.nodes.push(Node { kind, start, end: start, span: 1 });
        self.nodes.len() - 1
    }

    fn close(&mut self, index: usize) {
        let end = narrow(self.text.len());
        let span = narrow(self.nodes.len() - index);
        if let Some(node) = self.nodes.get_mut(index) {
            node.end = end;
            node.span = span;
        }
    }

    /// Takes a structural byte, which is part of the compact text.
    fn take(&mut self, byte: u8) -> Result<(), Defect> {
        if self.next() != Some(byte) {
            return Err(Defect::Json);
        }
        self.text.push(char::from(byte));
        Ok(())
    }

    fn copy(&mut self, from: usize, to: usize) {
        self.text.push_str(self.input.get(from..to).unwrap_or(""));
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

    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }
}

/// Lengths were bounded when parsing began.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn slice(text: &str, node: Node) -> &str {
    text.get(node.start as usize..node.end as usize).unwrap_or("")
}

fn string(raw: &str, kind: Kind) -> Cow<'_, str> {
    if kind == (Kind::String { escaped: true }) {
        Cow::Owned(unescape(raw))
    } else {
        Cow::Borrowed(raw)
    }
}

/// Undoes the escapes of a string that the parser accepted.
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
        for count in [MAX_SORTED - 1, MAX_SORTED, MAX_SORTED + 1, 10_000] {
            let members = (0..count).map(|i| format!("\"{i}\":0,")).collect::<Vec<_>>().concat();
            assert!(Json::parse(format!("{{{members}\"x\":0}}").as_bytes()).is_ok());
            let json = format!("{{{members}\"\\u0030\":0}}");
            assert_eq!(Json::parse(json.as_bytes()), Err(Defect::DuplicateMember), "{count}");
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
