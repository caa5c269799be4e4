//! What a gate asks of claims and header parameters, one by one: `auth_jwt_require_claim` and
//! `auth_jwt_require_header`.
//!
//! A requirement only ever narrows. A value that is missing, or of a type that cannot be compared,
//! meets none, negated or not.

use core::cmp::Ordering;
use core::fmt;

use regex::{Regex, RegexBuilder};

use crate::claims::Claims;
use crate::json::{Json, Value};
use crate::path::Path;

/// The memory that one compiled pattern may take, in bytes.
const MAX_PATTERN_SIZE: usize = 1024 * 1024;

/// The part of a token that a value is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The JOSE header.
    Header,
    /// The claims.
    Claims,
}

impl Part {
    /// That part of a verified token.
    pub fn of(self, claims: &Claims) -> &Json {
        match self {
            Self::Header => claims.header().json(),
            Self::Claims => claims.json(),
        }
    }
}

/// How a value is compared with an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The same value.
    Eq,
    /// Greater: numbers by value, strings by their bytes.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// An element of the operand, or the name of one of its members.
    In,
    /// An element in common.
    Any,
    /// A string that a regular expression is found in.
    Match,
}

impl Operator {
    /// The operator of that name, and whether it is negated.
    pub fn from_name(name: &str) -> Option<(Self, bool)> {
        let (name, negated) = match name.strip_prefix('!') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let operator = match name {
            "eq" => Self::Eq,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "le" => Self::Le,
            "in" => Self::In,
            "any" => Self::Any,
            "match" => Self::Match,
            _ => return None,
        };
        Some((operator, negated))
    }

    /// The name that the operator has in a directive.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::In => "in",
            Self::Any => "any",
            Self::Match => "match",
        }
    }

    /// What the operand must be, where this one is something else, so that no value at all could be
    /// compared with it.
    pub fn misses(self, operand: &Operand) -> Option<&'static str> {
        let is_text = matches!(operand, Operand::Text(_));
        let json = match operand {
            Operand::Json(json) => Some(kind(json.root())),
            Operand::Text(_) | Operand::Pattern(_) => None,
        };
        let (wanted, fits) = match self {
            Self::Eq | Self::Any => ("a value", is_text || json.is_some()),
            Self::Gt | Self::Ge | Self::Lt | Self::Le => (
                "a number or a string",
                is_text || matches!(json, Some(Kind::Number(_) | Kind::String)),
            ),
            Self::In => {
                ("an array or an object in JSON", matches!(json, Some(Kind::Array | Kind::Object)))
            }
            Self::Match => ("a regular expression", matches!(operand, Operand::Pattern(_))),
        };
        (!fits).then_some(wanted)
    }
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Text: compared with a string as it is, with a number or a boolean as what it spells.
    Text(String),
    /// A JSON value: types count.
    Json(Json),
    /// A regular expression.
    Pattern(Pattern),
}

impl Operand {
    /// The value of a variable: JSON where it is an array, an object or a quoted string, else text.
    ///
    /// `None` where there is nothing to compare with: it is empty, or not UTF-8.
    pub fn of_variable(value: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(value).ok().filter(|text| !text.is_empty())?;
        if text.trim_start().starts_with(['[', '{', '"'])
            && let Ok(json) = Json::parse(value)
        {
            return Some(Self::Json(json));
        }
        Some(Self::Text(text.to_owned()))
    }
}

/// A regular expression, compiled. It takes time linear in what it is searched in.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// What is wrong with it, on one line.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let compiled = RegexBuilder::new(pattern).size_limit(MAX_PATTERN_SIZE).build();
        compiled.map(Self).map_err(|error| {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.0.as_str())
    }
}

/// A comparison whose operand is not said yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Where the value is.
    pub part: Part,
    /// The way to it.
    pub path: Path,
    /// How it is compared.
    pub operator: Operator,
    /// Whether the comparison must fail.
    pub negated: bool,
}

impl Comparison {
    /// Whether a verified token meets the requirement.
    pub fn is_met(&self, claims: &Claims, operand: &Operand) -> bool {
        let value = self.path.find(self.part.of(claims));
        let holds = value.and_then(|value| {
            let name = if self.is_media_type() { value.as_str() } else { None };
            match name {
                Some(name) => holds_of_media_type(&name, value, self.operator, operand),
                None => holds(value, self.operator, operand),
            }
        });
        holds.is_some_and(|holds| holds != self.negated)
    }

    /// Whether it looks at a header parameter that holds a media type (RFC 7515 sections 4.1.9 and 4.1.10).
    fn is_media_type(&self) -> bool {
        self.part == Part::Header && ["typ", "cty"].iter().any(|name| self.path.is_member(name))
    }
}

/// For the operator's log: of the token only where it looks, never what it finds.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Header => "header",
            Part::Claims => "claim",
        };
        let not = if self.negated { "!" } else { "" };
        write!(f, "{part} {} {not}{}", self.path, self.operator.name())
    }
}

/// A comparison and what it compares with.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// The comparison.
    pub comparison: Comparison,
    /// Its operand.
    pub operand: Operand,
}

impl Requirement {
    /// Whether a verified token meets the requirement.
    pub fn is_met(&self, claims: &Claims) -> bool {
        self.comparison.is_met(claims, &self.operand)
    }
}

/// Whether the comparison holds; `None` where the two cannot be compared.
fn holds(value: Value<'_>, operator: Operator, operand: &Operand) -> Option<bool> {
    let order = |is: fn(Ordering) -> bool| compare(value, operand).map(is);
    match operator {
        Operator::Eq => equals(value, operand),
        Operator::Gt => order(Ordering::is_gt),
        Operator::Ge => order(Ordering::is_ge),
        Operator::Lt => order(Ordering::is_lt),
        Operator::Le => order(Ordering::is_le),
        Operator::In => is_in(value, operand),
        Operator::Any => shares(value, operand),
        Operator::Match => match operand {
            Operand::Pattern(Pattern(pattern)) => Some(pattern.is_match(&value.as_str()?)),
            Operand::Text(_) | Operand::Json(_) => None,
        },
    }
}

/// The same for a media type, which is equal to another whether or not `application/` stands before
/// either, and in any case (RFC 7515 section 4.1.9, RFC 2045 section 5.1). Other operators see the text.
fn holds_of_media_type(
    name: &str,
    value: Value<'_>,
    operator: Operator,
    operand: &Operand,
) -> Option<bool> {
    let is = |other: Value<'_>| Some(is_same_media_type(name, &other.as_str()?));
    match (operator, operand) {
        (Operator::Eq | Operator::Any, Operand::Text(text)) => Some(is_same_media_type(name, text)),
        (Operator::In | Operator::Any, Operand::Json(json)) if json.root().as_array().is_some() => {
            let mut others = json.root().as_array()?.filter_map(is).peekable();
            others.peek()?;
            Some(others.any(|is_same| is_same))
        }
        (Operator::In, Operand::Json(json)) => {
            let mut names = json.root().as_object()?.members();
            Some(names.any(|(other, _)| is_same_media_type(name, &other)))
        }
        (Operator::Eq | Operator::Any, Operand::Json(json)) => is(json.root()),
        _ => holds(value, operator, operand),
    }
}

/// RFC 7515 section 4.1.9: a name "SHOULD" be treated "as though "application/" were prepended to any "typ"
/// value not containing a '/'".
fn is_same_media_type(a: &str, b: &str) -> bool {
    const PREFIX: &str = "application/";
    let short = |name: &str| match name.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => {
            rest.to_ascii_lowercase()
        }
        _ => name.to_ascii_lowercase(),
    };
    short(a) == short(b)
}

fn equals(value: Value<'_>, operand: &Operand) -> Option<bool> {
    match operand {
        Operand::Json(json) => same_kind(value, json.root()).then(|| same(value, json.root())),
        Operand::Text(text) => match value.as_bool() {
            Some(_) => Some(value.text() == text),
            None => compare(value, operand).map(Ordering::is_eq),
        },
        Operand::Pattern(_) => None,
    }
}

fn compare(value: Value<'_>, operand: &Operand) -> Option<Ordering> {
    match (value.as_number(), value.as_str(), operand) {
        (Some(number), _, Operand::Text(text)) => compare_numbers(number, text),
        (Some(number), _, Operand::Json(json)) => compare_numbers(number, json.root().as_number()?),
        (_, Some(string), Operand::Text(text)) => Some((*string).cmp(text)),
        (_, Some(string), Operand::Json(json)) => Some(string.cmp(&json.root().as_str()?)),
        _ => None,
    }
}

/// Whole numbers are compared exactly, others as doubles.
fn compare_numbers(a: &str, b: &str) -> Option<Ordering> {
    if let (Ok(a), Ok(b)) = (a.parse::<i128>(), b.parse::<i128>()) {
        return Some(a.cmp(&b));
    }
    let (a, b): (f64, f64) = (a.parse().ok()?, b.parse().ok()?);
    if a.is_finite() && b.is_finite() { a.partial_cmp(&b) } else { None }
}

fn is_in(value: Value<'_>, operand: &Operand) -> Option<bool> {
    let Operand::Json(json) = operand else { return None };
    if let Some(elements) = json.root().as_array() {
        return is_among(value, elements);
    }
    let name = value.as_str()?;
    Some(json.root().as_object()?.member(&name).is_some())
}

/// Whether a value is one of these; `None` where none is of its kind.
fn is_among<'a>(value: Value<'_>, others: impl Iterator<Item = Value<'a>>) -> Option<bool> {
    let mut alike = others.filter(|other| same_kind(value, *other)).peekable();
    alike.peek()?;
    Some(alike.any(|other| same(value, other)))
}

/// Whether an array, or a single value in the place of one, has an element of the operand; `None`
/// where none of its elements can be compared with any.
fn shares(value: Value<'_>, operand: &Operand) -> Option<bool> {
    let is_wanted = |element: Value<'_>| match operand {
        Operand::Text(_) => equals(element, operand),
        Operand::Json(json) => match json.root().as_array() {
            Some(wanted) => is_among(element, wanted),
            None => is_among(element, core::iter::once(json.root())),
        },
        Operand::Pattern(_) => None,
    };
    let Some(elements) = value.as_array() else {
        return if value.as_object().is_none() { is_wanted(value) } else { None };
    };
    let mut elements = elements.peekable();
    if elements.peek().is_none() {
        return Some(false);
    }
    elements.map(is_wanted).fold(None, |found, wanted| match (found, wanted) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, None) => None,
    })
}

fn same_kind(a: Value<'_>, b: Value<'_>) -> bool {
    core::mem::discriminant(&kind(a)) == core::mem::discriminant(&kind(b))
}

/// Whether two JSON values are the same, whatever the order of their members and the spelling of
/// their numbers and strings.
fn same(a: Value<'_>, b: Value<'_>) -> bool {
    match (kind(a), kind(b)) {
        (Kind::Number(a), Kind::Number(b)) => compare_numbers(a, b) == Some(Ordering::Equal),
        (Kind::String, Kind::String) => a.as_str() == b.as_str(),
        (Kind::Array, Kind::Array) => match (a.as_array(), b.as_array()) {
            (Some(a), Some(b)) => {
                let (a, b): (Vec<_>, Vec<_>) = (a.collect(), b.collect());
                a.len() == b.len() && a.into_iter().zip(b).all(|(a, b)| same(a, b))
            }
            _ => false,
        },
        (Kind::Object, Kind::Object) => match (a.as_object(), b.as_object()) {
            (Some(a), Some(b)) => {
                a.members().count() == b.members().count()
                    && a.members().all(|(name, value)| {
                        b.member(&name).is_some_and(|other| same(value, other))
                    })
            }
            _ => false,
        },
        (Kind::Bool, Kind::Bool) | (Kind::Null, Kind::Null) => a.text() == b.text(),
        _ => false,
    }
}

/// What kind of value it is.
enum Kind<'a> {
    Number(&'a str),
    String,
    Array,
    Object,
    Bool,
    Null,
}

fn kind(value: Value<'_>) -> Kind<'_> {
    if let Some(number) = value.as_number() {
        Kind::Number(number)
    } else if value.as_str().is_some() {
        Kind::String
    } else if value.as_array().is_some() {
        Kind::Array
    } else if value.as_object().is_some() {
        Kind::Object
    } else if value.as_bool().is_some() {
        Kind::Bool
    } else {
        Kind::Null
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `value operator operand` is met; `None` where neither it nor its negation is.
    fn met(value: &str, name: &str, operand: &Operand) -> Option<bool> {
        let json = Json::parse(value.as_bytes()).unwrap();
        let (operator, negated) = Operator::from_name(name).unwrap();
        holds(json.root(), operator, operand).map(|holds| holds != negated)
    }

    fn json(text: &str) -> Operand {
        Operand::Json(Json::parse(text.as_bytes()).unwrap())
    }

    fn text(text: &str) -> Operand {
        Operand::Text(text.to_owned())
    }

    #[test]
    fn text_equals_strings_numbers_and_booleans_that_it_spells() {
        for (value, operand, expected) in [
            (r#""a""#, "a", Some(true)),
            (r#""\u0061""#, "a", Some(true)),
            (r#""a""#, "A", Some(false)),
            ("5", "5", Some(true)),
            ("5.0", "5", Some(true)),
            ("5", "five", None),
            ("true", "true", Some(true)),
            ("true", "1", Some(false)),
            ("null", "null", None),
            (r#"["a"]"#, "a", None),
        ] {
            assert_eq!(met(value, "eq", &text(operand)), expected, "{value} eq {operand}");
            let negated = expected.map(|expected| !expected);
            assert_eq!(met(value, "!eq", &text(operand)), negated, "{value} !eq {operand}");
        }
    }

    #[test]
    fn json_equals_values_of_its_type_however_they_are_spelled() {
        for (value, operand, expected) in [
            ("1", "1.0", Some(true)),
            ("1", r#""1""#, None),
            (r#"{"a":1,"b":[2]}"#, r#"{"b":[2],"a":1e0}"#, Some(true)),
            (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, Some(false)),
            ("[1,2]", "[2,1]", Some(false)),
            ("true", "true", Some(true)),
            ("true", "false", Some(false)),
            ("null", "null", Some(true)),
        ] {
            assert_eq!(met(value, "eq", &json(operand)), expected, "{value} eq json={operand}");
        }
    }

    #[test]
    fn whole_numbers_are_compared_exactly() {
        let (value, next) = ("9007199254740993", "9007199254740992");
        assert_eq!(met(value, "eq", &text(next)), Some(false));
        assert_eq!(met(value, "gt", &text(next)), Some(true));
        assert_eq!(met(value, "le", &text(next)), Some(false));
        assert_eq!(met("1e400", "gt", &text("1")), None);
        assert_eq!(met("1", "lt", &text("inf")), None);
        assert_eq!(met("1", "lt", &text("NaN")), None);
    }

    #[test]
    fn order_is_of_numbers_or_of_strings_and_of_nothing_else() {
        assert_eq!(met("18", "ge", &text("18")), Some(true));
        assert_eq!(met("2", "lt", &json("10")), Some(true));
        assert_eq!(met(r#""2""#, "lt", &text("10")), Some(false));
        assert_eq!(met(r#""b""#, "!gt", &text("a")), Some(false));
        for value in ["true", "null", "[3]", r#"{"a":3}"#, r#""3""#] {
            assert_eq!(met(value, "gt", &json("1")), None, "{value}");
            assert_eq!(met(value, "!gt", &json("1")), None, "{value}");
        }
    }

    #[test]
    fn in_looks_for_the_value_in_an_array_or_among_names() {
        assert_eq!(met(r#""b""#, "in", &json(r#"["a","b"]"#)), Some(true));
        assert_eq!(met("2", "in", &json(r#"["2",3]"#)), Some(false));
        assert_eq!(met("2", "!in", &json(r#"["2","3"]"#)), None);
        assert_eq!(met(r#"["b"]"#, "!in", &json(r#"["b"]"#)), None);
        assert_eq!(met("null", "!in", &json("[true]")), None);
        assert_eq!(met("2", "!in", &json("[]")), None);
        assert_eq!(met(r#""b""#, "in", &json(r#"{"b":0}"#)), Some(true));
        assert_eq!(met(r#""c""#, "!in", &json(r#"{"b":0}"#)), Some(true));
        assert_eq!(met(r#""b""#, "in", &text("abc")), None);
        assert_eq!(met(r#""b""#, "in", &json(r#""abc""#)), None);
    }

    #[test]
    fn any_looks_for_an_element_in_common() {
        assert_eq!(met(r#"["a","b"]"#, "any", &json(r#"["b","c"]"#)), Some(true));
        assert_eq!(met(r#"["a","b"]"#, "!any", &json(r#"["b","c"]"#)), Some(false));
        assert_eq!(met(r#"["a"]"#, "any", &json(r#"["b"]"#)), Some(false));
        assert_eq!(met(r#"["a","b"]"#, "any", &text("b")), Some(true));
        assert_eq!(met(r#""b""#, "any", &json(r#"["b"]"#)), Some(true));
        assert_eq!(met("[]", "!any", &text("b")), Some(true));
        assert_eq!(met("5", "!any", &text("b")), None);
        assert_eq!(met("[5,true]", "!any", &json(r#"["b"]"#)), None);
        assert_eq!(met(r#"[5,"a"]"#, "!any", &json(r#"["b"]"#)), Some(true));
        assert_eq!(met(r#"{"b":1}"#, "!any", &text("b")), None);
    }

    #[test]
    fn match_searches_strings_alone() {
        let pattern = Operand::Pattern(Pattern::new("^[a-f0-9]+$").unwrap());
        assert_eq!(met(r#""beef""#, "match", &pattern), Some(true));
        assert_eq!(met(r#""pork""#, "match", &pattern), Some(false));
        assert_eq!(met(r#""pork""#, "!match", &pattern), Some(true));
        assert_eq!(met("12", "match", &pattern), None);
        assert_eq!(met(r#"["beef"]"#, "!match", &pattern), None);
    }

    #[test]
    fn pattern_that_explodes_elsewhere_takes_linear_time() {
        let pattern = Operand::Pattern(Pattern::new("^(a+)+$").unwrap());
        let value = format!("\"{}!\"", "a".repeat(16 * 1024));
        assert_eq!(met(&value, "match", &pattern), Some(false));
    }

    #[test]
    fn rejects_patterns_that_are_broken_or_huge() {
        assert_eq!(Pattern::new("(").unwrap_err(), "unclosed group");
        assert!(Pattern::new("a{1000}{1000}{1000}").is_err());
    }

    #[test]
    fn variables_hold_json_or_text() {
        assert_eq!(Operand::of_variable(b"[1]"), Some(json("[1]")));
        assert_eq!(Operand::of_variable(b"\"a\""), Some(json("\"a\"")));
        assert_eq!(Operand::of_variable(b"[1"), Some(text("[1")));
        assert_eq!(Operand::of_variable(b"12"), Some(text("12")));
        assert_eq!(Operand::of_variable(b"\xff"), None);
        assert_eq!(Operand::of_variable(b""), None);
    }

    #[test]
    fn operands_that_nothing_can_be_compared_with_are_told() {
        let pattern = Operand::Pattern(Pattern::new("x").unwrap());
        for (operator, operand, is_possible) in [
            (Operator::In, text("[1]"), false),
            (Operator::In, json("\"a\""), false),
            (Operator::In, json("[]"), true),
            (Operator::In, json("{}"), true),
            (Operator::Gt, json("[1]"), false),
            (Operator::Le, json("null"), false),
            (Operator::Lt, json("1"), true),
            (Operator::Ge, text("a"), true),
            (Operator::Match, text("x"), false),
            (Operator::Match, pattern.clone(), true),
            (Operator::Eq, pattern, false),
            (Operator::Eq, json("null"), true),
            (Operator::Any, json("{}"), true),
            (Operator::Any, text("a"), true),
        ] {
            assert_eq!(
                operator.misses(&operand).is_none(),
                is_possible,
                "{operator:?} {operand:?}"
            );
        }
    }

    #[test]
    fn comparison_is_shown_without_any_value() {
        let path = Path::parse(".a[0]").unwrap();
        let (part, operator) = (Part::Claims, Operator::Match);
        let comparison = Comparison { part, path, operator, negated: true };
        assert_eq!(comparison.to_string(), "claim .a[0] !match");
    }

    #[test]
    fn names_of_operators_are_known_and_no_others() {
        assert_eq!(Operator::from_name("!match"), Some((Operator::Match, true)));
        for name in ["", "!", "!!eq", "EQ", "ne", "=="] {
            assert_eq!(Operator::from_name(name), None, "{name}");
        }
    }
}
