//! Paths to values in JSON, and the rendering of values as text.

use core::fmt;
use std::borrow::Cow;

use crate::text::json::{Json, Object, Value};

/// The path to a value, as a directive writes it: a plain member name or, where the text begins
/// with `.` or `[`, steps as in jq: `.realm_access.roles[0]`, `."a.b".c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
}

impl Path {
    /// Reads a path; `None` where the text is not a path.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.starts_with(['.', '[']) {
            return (!text.is_empty()).then(|| Self(vec![Step::Member(text.to_owned())]));
        }
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (step, after) = step(rest)?;
            steps.push(step);
            rest = after;
        }
        Some(Self(steps))
    }

    /// Whether the path leads to the member with this name of the outermost object.
    pub(crate) fn is_member(&self, name: &str) -> bool {
        matches!(self.0.as_slice(), [Step::Member(member)] if member == name)
    }

    /// The value at the end of the path.
    pub fn find<'a>(&self, json: &'a Json) -> Option<Value<'a>> {
        self.0.iter().try_fold(json.root(), |value, step| match step {
            Step::Member(name) => value.as_object()?.member(name),
            Step::Element(index) => value.as_array()?.nth(*index),
        })
    }
}

/// The path as a directive writes it.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [Step::Member(name)] = self.0.as_slice()
            && !name.is_empty()
            && !name.starts_with(['.', '['])
        {
            return f.write_str(name);
        }
        self.0.iter().try_for_each(|step| match step {
            Step::Member(name) if name.is_empty() || name.contains(['.', '[', ']', '"']) => {
                write!(f, ".\"{name}\"")
            }
            Step::Member(name) => write!(f, ".{name}"),
            Step::Element(index) => write!(f, "[{index}]"),
        })
    }
}

/// The first step of a path, and the text after it.
fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (index, rest) = rest.split_once(']')?;
        // `parse` would accept a sign.
        let is_number = index.bytes().all(|byte| byte.is_ascii_digit());
        let index = index.parse().ok().filter(|_| is_number)?;
        return Some((Step::Element(index), rest));
    }
    let rest = text.strip_prefix('.')?;
    if let Some(rest) = rest.strip_prefix('"') {
        let (name, rest) = rest.split_once('"')?;
        return Some((Step::Member(name.to_owned()), rest));
    }
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at_checked(end)?;
    let is_plain = !name.is_empty() && !name.contains([']', '"']);
    is_plain.then(|| (Step::Member(name.to_owned()), rest))
}

/// The value at the end of these member names, in order from the outermost object.
pub fn lookup<'a, N: AsRef<str>>(json: &'a Json, names: &[N]) -> Option<Value<'a>> {
    names.iter().try_fold(json.root(), |value, name| {
        value.as_object().and_then(|object: Object<'a>| object.member(name.as_ref()))
    })
}

/// A value as a variable shows it: a string without quotes, an array as its elements joined by
/// commas, anything else as JSON.
///
/// The text is safe in a header and a log: a control character stays escaped as in JSON. White
/// space at the start or end of a string is escaped, too: header parsers drop it (RFC 9110 section
/// 5.5), or parsers that split the text at commas, and ` admin` must not arrive as `admin`.
pub fn render(value: Value<'_>) -> Cow<'_, str> {
    match value.as_array() {
        Some(elements) => {
            let elements: Vec<Cow<'_, str>> = elements.map(render_element).collect();
            Cow::Owned(elements.join(","))
        }
        None => render_element(value),
    }
}

fn render_element(value: Value<'_>) -> Cow<'_, str> {
    match value.as_str() {
        None => Cow::Borrowed(value.text()),
        Some(text) if is_safe(&text) => text,
        Some(text) => Cow::Owned(escaped(&text)),
    }
}

fn is_safe(text: &str) -> bool {
    !text.contains(char::is_control) && !text.starts_with(is_blank) && !text.ends_with(is_blank)
}

/// White space of Unicode, and the character that JavaScript trims in addition: an application may
/// trim more than HTTP does.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

fn escaped(text: &str) -> String {
    let start = text.len() - text.trim_start_matches(is_blank).len();
    let inner = start..start + text.trim_matches(is_blank).len();
    let mut escaped = String::with_capacity(text.len() + 8);
    for (at, c) in text.char_indices() {
        if c.is_control() || !inner.contains(&at) {
            // Control characters and white space are never beyond U+FFFF.
            escaped.push_str("\\u");
            for shift in [12, 8, 4, 0] {
                escaped.extend(char::from_digit((u32::from(c) >> shift) & 0xf, 16));
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str, names: &[&str]) -> Option<String> {
        let json = Json::parse(json.as_bytes()).unwrap();
        lookup(&json, names).map(|value| render(value).into_owned())
    }

    #[test]
    fn finds_values_by_the_names_on_the_way() {
        let json = r#"{"a":{"b":{"c":1}},"a.b":2,"":{"":3}}"#;
        assert_eq!(text(json, &["a", "b", "c"]).as_deref(), Some("1"));
        assert_eq!(text(json, &["a.b"]).as_deref(), Some("2"));
        assert_eq!(text(json, &["", ""]).as_deref(), Some("3"));
        for names in [&["b"][..], &["a", "c"], &["a", "b", "c", "d"], &["A"], &["a", ""]] {
            assert_eq!(text(json, names), None);
        }
    }

    #[test]
    fn paths_reach_members_and_elements() {
        let json = r#"{"realm":{"roles":["a",{"b":2}]},"a.b":{"c":3},"[x]":4,"":5}"#;
        let json = Json::parse(json.as_bytes()).unwrap();
        for (path, value) in [
            ("realm", Some(r#"{"roles":["a",{"b":2}]}"#)),
            (".realm.roles[0]", Some("\"a\"")),
            (".realm.roles[1].b", Some("2")),
            (".\"a.b\".c", Some("3")),
            (".\"[x]\"", Some("4")),
            (".\"\"", Some("5")),
            ("a.b", Some(r#"{"c":3}"#)),
            (".realm.roles[2]", None),
            (".realm[0]", None),
            (".realm.roles.a", None),
            ("[0]", None),
        ] {
            let found = Path::parse(path).unwrap().find(&json).map(Value::text);
            assert_eq!(found, value, "{path}");
        }
    }

    #[test]
    fn paths_are_shown_as_they_are_written() {
        for path in ["sub", "a.b", ".a.b[1]", ".\"a.b\".c", "[0][1]", ".\"\"", "https://x/y"] {
            assert_eq!(Path::parse(path).unwrap().to_string(), path);
        }
        assert_eq!(Path::parse(".sub").unwrap().to_string(), "sub");
    }

    #[test]
    fn rejects_what_is_no_path() {
        for path in [
            "",
            ".",
            "..",
            ".a.",
            ".a..b",
            "[",
            "[]",
            "[-1]",
            "[+1]",
            "[a]",
            ".a[",
            ".\"a",
            ".a]",
            ".a\"b\"",
            "[0]a",
            ".\"a\"b",
            "[99999999999999999999999]",
        ] {
            assert_eq!(Path::parse(path), None, "{path}");
        }
    }

    #[test]
    fn renders_each_kind_as_operators_expect_it() {
        for (value, shown) in [
            (r#""text""#, "text"),
            (r#""q\"\u00e9\/""#, "q\"é/"),
            ("12.50", "12.50"),
            ("true", "true"),
            ("null", "null"),
            (r#"["a",1,{"b":[2]},[3,4]]"#, r#"a,1,{"b":[2]},[3,4]"#),
            ("[]", ""),
            (r#"{"a": [1, 2]}"#, r#"{"a":[1,2]}"#),
        ] {
            assert_eq!(text(&format!("{{\"x\":{value}}}"), &["x"]).as_deref(), Some(shown));
        }
    }

    #[test]
    fn no_text_holds_a_control_character() {
        let shown = text(r#"{"x":["a\r\nb\u0000","\u0085\u009f"]}"#, &["x"]).unwrap();
        assert_eq!(shown, "a\\u000d\\u000ab\\u0000,\\u0085\\u009f");
    }

    #[test]
    fn white_space_at_the_ends_of_a_text_and_of_the_elements_of_an_array_is_escaped() {
        for (value, shown) in [
            (r#"" admin""#, "\\u0020admin"),
            (r#""admin  ""#, "admin\\u0020\\u0020"),
            (r#"" a b\t""#, "\\u0020a b\\u0009"),
            (r#"" ""#, "\\u0020"),
            (r#""\u00a0admin\ufeff\u2003""#, "\\u00a0admin\\ufeff\\u2003"),
            (r#"["a"," admin","b ",1," "]"#, "a,\\u0020admin,b\\u0020,1,\\u0020"),
            (r#"{"a": " b "}"#, r#"{"a":" b "}"#),
            (r#"[[" a"],{"b":" c"}]"#, r#"[" a"],{"b":" c"}"#),
            (r#""a b""#, "a b"),
            (r#""""#, ""),
        ] {
            let shown_so = text(&format!("{{\"x\":{value}}}"), &["x"]);
            assert_eq!(shown_so.as_deref(), Some(shown), "{value}");
        }
    }
}
