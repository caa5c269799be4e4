//! What a gate requires of claims and header parameters, one by one: `auth_jwt_require_claim` and
//! `auth_jwt_require_header`.
//!
//! A requirement can only refuse more tokens. A value that is missing, or of a type that cannot be
//! compared, meets no requirement, negated or not. The time of a comparison grows with the length
//! of value and operand, times the logarithm of the number of their elements, whatever a client
//! puts into a variable.

use core::cmp::Ordering;
use core::fmt;
use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::text::canonical::{Alternatives, Canonical, Kinds};
use crate::text::json::{Json, Object, Value, ValueKind};
use crate::text::number::Number;
use crate::text::path::Path;
use crate::token::claims::Claims;

/// The memory that one compiled pattern may take, in bytes.
const MAX_PATTERN_SIZE: usize = 1024 * 1024;

/// The longest value of a variable that is compared, in bytes.
pub const MAX_VARIABLE_SIZE: usize = 64 * 1024;

/// The part of a token that a value is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The JOSE header.
    Header,
    /// The claims.
    Claims,
}

impl Part {
    /// The header or the claims of a verified token.
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
    /// The same JSON value.
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
    /// The operator with this name, and whether the name negates it; `None` for an unknown name.
    pub fn from_name(name: &str) -> Option<(Self, bool)> {
        let (name, has_sign) = match name.strip_prefix('!') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (operator, negated) = match name {
            "eq" => (Self::Eq, false),
            "ne" => (Self::Eq, true),
            "gt" => (Self::Gt, false),
            "ge" => (Self::Ge, false),
            "lt" => (Self::Lt, false),
            "le" => (Self::Le, false),
            "in" => (Self::In, false),
            "nin" => (Self::In, true),
            "any" | "intersect" => (Self::Any, false),
            "nintersect" => (Self::Any, true),
            "match" => (Self::Match, false),
            _ => return None,
        };
        Some((operator, negated != has_sign))
    }

    /// The name of the operator in a directive; the first name where there are several.
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

    /// What the operand must be, where `operand` is something else that no value could be compared
    /// with; `None` where `operand` fits.
    pub fn misses(self, operand: &Operand) -> Option<&'static str> {
        let is_text = matches!(operand, Operand::Text(_));
        let json = match operand {
            Operand::Json(json) => Some(json.root().kind()),
            Operand::Text(_) | Operand::Pattern(_) => None,
        };
        let (wanted, fits) = match self {
            Self::Eq | Self::Any => ("a value", is_text || json.is_some()),
            Self::Gt | Self::Ge | Self::Lt | Self::Le => (
                "a number or a string",
                is_text || matches!(json, Some(ValueKind::Number | ValueKind::String)),
            ),
            Self::In => (
                "an array or an object in JSON",
                matches!(json, Some(ValueKind::Array | ValueKind::Object)),
            ),
            Self::Match => ("a regular expression", matches!(operand, Operand::Pattern(_))),
        };
        (!fits).then_some(wanted)
    }
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Text: compared with a string by its characters, with a number or a boolean by the value that
    /// the text spells.
    Text(String),
    /// A JSON value: its type counts.
    Json(Json),
    /// A regular expression.
    Pattern(Pattern),
}

impl Operand {
    /// The value of a variable: JSON where it is an array, an object or a quoted string, otherwise
    /// text.
    ///
    /// # Errors
    ///
    /// What is wrong with a value that nothing can be compared with: it is empty, not UTF-8, or
    /// longer than [`MAX_VARIABLE_SIZE`].
    pub fn of_variable(value: &[u8]) -> Result<Self, OperandDefect> {
        if value.is_empty() {
            return Err(OperandDefect::Empty);
        }
        if value.len() > MAX_VARIABLE_SIZE {
            return Err(OperandDefect::TooLong);
        }
        let text = core::str::from_utf8(value).map_err(|_| OperandDefect::NotUtf8)?;
        if begins_like_json(text)
            && let Ok(json) = Json::parse(value)
        {
            return Ok(Self::Json(json));
        }
        Ok(Self::Text(text.to_owned()))
    }
}

/// Whether a text is, or was meant as, a JSON array, object or string, judging by how it begins.
fn begins_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['[', '{', '"'])
}

/// Why nothing can be compared with the value of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperandDefect {
    /// The value is empty.
    Empty,
    /// Longer than [`MAX_VARIABLE_SIZE`].
    TooLong,
    /// Not UTF-8.
    NotUtf8,
    /// The value begins like a JSON array, object or string, but is none. As text it would be equal
    /// to nothing, and so would meet every negated comparison.
    BrokenJson,
    /// Not an array, which `!any` requires of a variable: any other value has no element in common
    /// with anything.
    NotAnArray,
    /// Neither an array nor an object, which `in` requires.
    NoSet,
    /// The value cannot be determined.
    Unknown,
    /// Of a type that the operator does not compare, or a number whose exponent is too large.
    NotComparable,
}

impl fmt::Display for OperandDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::Unknown => "is not known",
            Self::TooLong => "is too long",
            Self::NotUtf8 => "is not UTF-8",
            Self::BrokenJson => "begins like JSON, and is none",
            Self::NotAnArray => "is not a JSON array",
            Self::NoSet => "is neither a JSON array nor an object",
            Self::NotComparable => "is nothing that the operator compares",
        })
    }
}

/// A compiled regular expression. Matching takes time linear in the length of the text that is
/// searched.
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

/// A comparison without its operand, which is given later.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The part of the token that the value is in.
    pub part: Part,
    /// The path to the value.
    pub path: Path,
    /// How the value is compared.
    pub operator: Operator,
    /// Whether the comparison must fail.
    pub negated: bool,
}

impl Comparison {
    /// Whether a verified token meets the comparison with `operand`.
    pub fn is_met(&self, claims: &Claims, operand: &Operand) -> bool {
        self.check(claims, &Wanted::of(self.operator, operand)).is_ok()
    }

    /// Checks that a verified token meets the comparison with the value of a variable.
    ///
    /// # Errors
    ///
    /// Why the token does not meet the comparison.
    pub fn check_variable(&self, claims: &Claims, value: &[u8]) -> Result<(), Unmet> {
        let operand = Operand::of_variable(value).map_err(Unmet::Operand)?;
        match &operand {
            // A negated comparison with an operand that nothing is equal to would admit every
            // token.
            Operand::Text(text) if self.negated && begins_like_json(text) => {
                return Err(Unmet::Operand(OperandDefect::BrokenJson));
            }
            Operand::Json(json) if json.root().kind() == ValueKind::Array => {}
            _ if self.negated && self.operator == Operator::Any => {
                return Err(Unmet::Operand(OperandDefect::NotAnArray));
            }
            _ => {}
        }
        self.check(claims, &Wanted::of(self.operator, &operand))
    }

    fn check(&self, claims: &Claims, wanted: &Wanted<'_>) -> Result<(), Unmet> {
        let value = self.path.find(self.part.of(claims)).ok_or(Unmet::Missing)?;
        let media_type = if self.is_media_type() { value.as_str() } else { None };
        let holds = match media_type {
            Some(name) => wanted.is_met_by_media_type(&name, value, self.operator),
            None => wanted.is_met_by(value, self.operator),
        };
        match holds {
            Some(holds) if holds != self.negated => Ok(()),
            Some(_) => Err(Unmet::Fails),
            None => Err(wanted.refusal(value, self.operator)),
        }
    }

    /// Whether the value is a header parameter that holds a media type (RFC 7515 sections 4.1.9 and
    /// 4.1.10).
    fn is_media_type(&self) -> bool {
        self.part == Part::Header && ["typ", "cty"].iter().any(|name| self.path.is_member(name))
    }

    /// Why a token does not meet the comparison, in words for the operator's log.
    pub fn explain(&self, unmet: &Unmet) -> String {
        match unmet {
            Unmet::Fails => self.to_string(),
            Unmet::Missing | Unmet::Kind { .. } | Unmet::Elements { .. } | Unmet::Operand(_) => {
                format!("{self}: {unmet}")
            }
        }
    }
}

/// Why a token does not meet a requirement. The reason tells which kinds of values the token has,
/// never a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// The comparison fails, or holds where it must fail.
    Fails,
    /// The token has no such value.
    Missing,
    /// The value is not of a kind that is compared with the operand.
    Kind {
        /// The kind of the value.
        found: ValueKind,
        /// The kinds that are compared with the operand.
        wanted: Kinds,
    },
    /// The value is an array, and no element is of a kind that is compared with the operand.
    Elements {
        /// The kinds that are compared with the operand.
        wanted: Kinds,
    },
    /// Nothing can be compared with the operand.
    Operand(OperandDefect),
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails => f.write_str("is not met"),
            Self::Missing => f.write_str("is missing"),
            Self::Kind { found, wanted } if wanted.hold(*found) => {
                write!(f, "is {} that cannot be compared", found.name())
            }
            Self::Kind { found, wanted } => write!(f, "is {}, not {wanted}", found.name()),
            Self::Elements { wanted } => write!(f, "is an array without {wanted}"),
            Self::Operand(defect) => write!(f, "what it is compared with {defect}"),
        }
    }
}

/// For the operator's log: shows where in the token the comparison looks, never the value there.
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

/// A comparison together with its operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    comparison: Comparison,
    wanted: Wanted<'static>,
}

impl Requirement {
    /// Requires that the comparison with `operand` holds.
    pub fn new(comparison: Comparison, operand: &Operand) -> Self {
        let wanted = Wanted::of(comparison.operator, operand).into_owned();
        Self { comparison, wanted }
    }

    /// What is compared, and how.
    pub fn comparison(&self) -> &Comparison {
        &self.comparison
    }

    /// Whether a verified token meets the requirement.
    pub fn is_met(&self, claims: &Claims) -> bool {
        self.comparison.check(claims, &self.wanted).is_ok()
    }

    /// Why a verified token does not meet the requirement, for the operator's log; `None` where it
    /// does.
    pub fn unmet(&self, claims: &Claims) -> Option<String> {
        let unmet = self.comparison.check(claims, &self.wanted).err()?;
        Some(self.comparison.explain(&unmet))
    }
}

/// An operand in the form in which an operator compares it.
#[derive(Clone, Debug, PartialEq)]
enum Wanted<'a> {
    /// A text, and the number that it spells, if any.
    Text(Cow<'a, str>, Option<Number<'a>>),
    /// A JSON value.
    Value(Canonical<'a>),
    /// A set of values, one of which must be found.
    Among(Alternatives<'a>),
    /// A set of names, in sorted order, one of which must be found.
    Named(Vec<Cow<'a, str>>),
    /// A pattern.
    Pattern(Pattern),
    /// An operand that nothing can be compared with.
    Nothing(OperandDefect),
}

impl<'a> Wanted<'a> {
    fn of(operator: Operator, operand: &'a Operand) -> Self {
        match (operand, operator) {
            (Operand::Pattern(pattern), Operator::Match) => Self::Pattern(pattern.clone()),
            (Operand::Text(_), Operator::In) => Self::Nothing(OperandDefect::NoSet),
            (Operand::Pattern(_), _) | (Operand::Text(_), Operator::Match) => {
                Self::Nothing(OperandDefect::NotComparable)
            }
            (Operand::Text(text), _) => Self::Text(text.into(), Number::parse(text)),
            (Operand::Json(json), _) => {
                Self::of_json(operator, json.root()).unwrap_or_else(Self::Nothing)
            }
        }
    }

    fn of_json(operator: Operator, json: Value<'a>) -> Result<Self, OperandDefect> {
        let alternatives = match (operator, json.kind()) {
            (Operator::Eq, _)
            | (
                Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le,
                ValueKind::Number | ValueKind::String,
            ) => return Canonical::of(json).map(Self::Value).ok_or(OperandDefect::NotComparable),
            (Operator::In | Operator::Any, ValueKind::Array) => {
                json.as_array().and_then(Alternatives::of)
            }
            (Operator::Any, _) => Alternatives::of(core::iter::once(json)),
            (Operator::In, ValueKind::Object) => {
                let members = json.as_object().into_iter().flat_map(Object::members);
                let mut names: Vec<_> = members.map(|(name, _)| name).collect();
                names.sort_unstable();
                return Ok(Self::Named(names));
            }
            (Operator::In, _) => return Err(OperandDefect::NoSet),
            (Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le | Operator::Match, _) => {
                return Err(OperandDefect::NotComparable);
            }
        };
        alternatives.map(Self::Among).ok_or(OperandDefect::NotComparable)
    }

    fn into_owned(self) -> Wanted<'static> {
        match self {
            Self::Text(text, number) => {
                Wanted::Text(text.into_owned().into(), number.map(Number::into_owned))
            }
            Self::Value(value) => Wanted::Value(value.into_owned()),
            Self::Among(alternatives) => Wanted::Among(alternatives.into_owned()),
            Self::Named(names) => {
                Wanted::Named(names.into_iter().map(|name| name.into_owned().into()).collect())
            }
            Self::Pattern(pattern) => Wanted::Pattern(pattern),
            Self::Nothing(defect) => Wanted::Nothing(defect),
        }
    }

    /// Whether the comparison with a value holds; `None` where value and operand cannot be
    /// compared.
    fn is_met_by(&self, value: Value<'_>, operator: Operator) -> Option<bool> {
        let order = |is: fn(Ordering) -> bool| self.order_of(value).map(is);
        match operator {
            Operator::Eq => self.equals(value),
            Operator::Gt => order(Ordering::is_gt),
            Operator::Ge => order(Ordering::is_ge),
            Operator::Lt => order(Ordering::is_lt),
            Operator::Le => order(Ordering::is_le),
            Operator::In => self.holds(value),
            Operator::Any => self.shares(value),
            Operator::Match => match self {
                Self::Pattern(Pattern(pattern)) => Some(pattern.is_match(&value.as_str()?)),
                _ => None,
            },
        }
    }

    /// Whether the comparison with a media type holds. Media types are equal whether or not
    /// `application/` stands before them, and letters may be in either case (RFC 7515 section
    /// 4.1.9, RFC 2045 section 5.1). Operators that do not test for equality compare the text.
    /// `None` where value and operand cannot be compared.
    fn is_met_by_media_type(
        &self,
        name: &str,
        value: Value<'_>,
        operator: Operator,
    ) -> Option<bool> {
        let is = |other: &str| is_same_media_type(name, other);
        match (operator, self) {
            (
                Operator::Eq | Operator::Any,
                Self::Text(text, _) | Self::Value(Canonical::String(text)),
            ) => Some(is(text)),
            (Operator::In | Operator::Any, Self::Among(alternatives)) => {
                let mut others = alternatives.strings().peekable();
                others.peek()?;
                Some(others.any(is))
            }
            (Operator::In, Self::Named(names)) => Some(names.iter().any(|other| is(other))),
            _ => self.is_met_by(value, operator),
        }
    }

    fn equals(&self, value: Value<'_>) -> Option<bool> {
        match (self, value.kind()) {
            (Self::Text(text, _) | Self::Value(Canonical::String(text)), ValueKind::String) => {
                Some(value.spells(text))
            }
            (Self::Text(text, _), ValueKind::Bool) => Some(value.text() == text),
            (Self::Text(..), _) => self.order_of(value).map(Ordering::is_eq),
            (Self::Value(wanted), kind) if kind == wanted.kind() => {
                Some(Canonical::of(value)? == *wanted)
            }
            _ => None,
        }
    }

    /// The order of the value relative to the operand: numbers by value, strings by their bytes.
    fn order_of(&self, value: Value<'_>) -> Option<Ordering> {
        match (self, value.kind()) {
            (
                Self::Text(_, Some(number)) | Self::Value(Canonical::Number(number)),
                ValueKind::Number,
            ) => Some(Number::parse(value.as_number()?)?.cmp(number)),
            (Self::Text(text, _) | Self::Value(Canonical::String(text)), ValueKind::String) => {
                Some((*value.as_str()?).cmp(text))
            }
            _ => None,
        }
    }

    fn holds(&self, value: Value<'_>) -> Option<bool> {
        match self {
            Self::Among(alternatives) => alternatives.hold(value),
            Self::Named(names) => Some(names.binary_search(&value.as_str()?).is_ok()),
            _ => None,
        }
    }

    /// Whether an array, or a single value in place of an array, has an element in common with the
    /// operand; `None` where no element of the array can be compared with the operand.
    fn shares(&self, value: Value<'_>) -> Option<bool> {
        let is_wanted = |element: Value<'_>| match self {
            Self::Text(..) => self.equals(element),
            _ => self.holds(element),
        };
        let Some(elements) = value.as_array() else {
            return if value.kind() == ValueKind::Object { None } else { is_wanted(value) };
        };
        if matches!(self, Self::Nothing(_)) {
            return None;
        }
        let (mut is_empty, mut is_compared) = (true, false);
        for element in elements {
            is_empty = false;
            match is_wanted(element) {
                Some(true) => return Some(true),
                Some(false) => is_compared = true,
                None => {}
            }
        }
        (is_empty || is_compared).then_some(false)
    }

    /// Why a value cannot be compared with the operand.
    fn refusal(&self, value: Value<'_>, operator: Operator) -> Unmet {
        let found = value.kind();
        let wanted = match self {
            Self::Nothing(defect) => return Unmet::Operand(*defect),
            Self::Text(_, number) => {
                let number = number.iter().map(|_| ValueKind::Number);
                let is_equality = matches!(operator, Operator::Eq | Operator::Any);
                let boolean = is_equality.then_some(ValueKind::Bool);
                Kinds::of(number.chain(boolean).chain([ValueKind::String]))
            }
            Self::Value(value) => Kinds::of([value.kind()]),
            Self::Among(alternatives) => alternatives.kinds(),
            Self::Named(_) | Self::Pattern(_) => Kinds::of([ValueKind::String]),
        };
        match (operator, found) {
            (Operator::Any, ValueKind::Array) => Unmet::Elements { wanted },
            (Operator::Any, _) => Unmet::Kind { found, wanted: wanted.and(ValueKind::Array) },
            _ => Unmet::Kind { found, wanted },
        }
    }
}

/// RFC 7515 section 4.1.9: a name "SHOULD" be treated "as though "application/" were prepended to
/// any "typ" value not containing a '/'".
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether `value operator operand` is met; `None` where neither the comparison nor its
    /// negation is met.
    fn met(value: &str, name: &str, operand: &Operand) -> Option<bool> {
        let json = Json::parse(value.as_bytes()).unwrap();
        let (operator, negated) = Operator::from_name(name).unwrap();
        let wanted = Wanted::of(operator, operand);
        let met = wanted.is_met_by(json.root(), operator);
        let owned = wanted.into_owned();
        assert_eq!(owned.is_met_by(json.root(), operator), met, "{value} {name} {operand:?}");
        met.map(|holds| holds != negated)
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
    fn numbers_are_compared_exactly_by_every_operator() {
        let value = "9007199254740993";
        for same in [value, "9007199254740993.0", "9.007199254740993e15"] {
            for operand in [text(same), json(same)] {
                for (name, holds) in [("eq", true), ("any", true), ("le", true), ("gt", false)] {
                    assert_eq!(met(value, name, &operand), Some(holds), "{name} {same}");
                }
            }
            assert_eq!(met(value, "in", &json(&format!("[\"a\",{same}]"))), Some(true), "{same}");
            assert_eq!(met(&format!("[{value}]"), "eq", &json(&format!("[{same}]"))), Some(true));
        }
        for other in ["9007199254740992", "9007199254740992.0", "9007199254740992.9999999999"] {
            for operand in [text(other), json(other)] {
                for (name, holds) in [("eq", false), ("any", false), ("ge", true), ("lt", false)] {
                    assert_eq!(met(value, name, &operand), Some(holds), "{name} {other}");
                }
            }
            assert_eq!(met(value, "in", &json(&format!("[{other}]"))), Some(false), "{other}");
            assert_eq!(met(&format!("[{value}]"), "eq", &json(&format!("[{other}]"))), Some(false));
        }
        assert_eq!(met("1e400", "gt", &text("1")), Some(true));
        assert_eq!(met("1e400", "lt", &text("1e401")), Some(true));
        assert_eq!(met("-0", "eq", &text("0")), Some(true));
    }

    #[test]
    fn text_that_is_no_number_in_json_is_compared_with_no_number() {
        for word in ["inf", "NaN", "+1", "01", "1.", ".5", "0x1", " 1", "1 ", ""] {
            for name in ["eq", "any", "gt", "ge", "lt", "le"] {
                assert_eq!(met("1", name, &text(word)), None, "{name} {word}");
            }
            assert_eq!(met(&format!("\"{word}\""), "eq", &text(word)), Some(true), "{word}");
        }
        let beyond = "1e9999999999999999999";
        for operand in [text(beyond), json(beyond), json(&format!("[{beyond}]"))] {
            for name in ["eq", "any", "in", "ge"] {
                assert_eq!(met("1", name, &operand), None, "{name} {operand:?}");
                assert_eq!(met(beyond, name, &operand), None, "{name} {operand:?}");
            }
        }
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
        assert_eq!(Operand::of_variable(b"[1]"), Ok(json("[1]")));
        assert_eq!(Operand::of_variable(b"\"a\""), Ok(json("\"a\"")));
        assert_eq!(Operand::of_variable(b"[1"), Ok(text("[1")));
        assert_eq!(Operand::of_variable(b"12"), Ok(text("12")));
        assert_eq!(Operand::of_variable(b"\xff"), Err(OperandDefect::NotUtf8));
        assert_eq!(Operand::of_variable(b""), Err(OperandDefect::Empty));
        assert!(Operand::of_variable(&vec![b'a'; MAX_VARIABLE_SIZE]).is_ok());
        let longer = Operand::of_variable(&vec![b'a'; MAX_VARIABLE_SIZE + 1]);
        assert_eq!(longer, Err(OperandDefect::TooLong));
    }

    #[test]
    fn refusal_names_kinds_and_no_value() {
        for (value, name, operand, told) in [
            ("\"secret\"", "gt", json("1"), "is a string, not a number"),
            ("5", "eq", text("a"), "is a number, not a boolean or a string"),
            ("null", "eq", text("5"), "is null, not a boolean, a number or a string"),
            ("null", "lt", text("5"), "is null, not a number or a string"),
            ("{}", "in", json("[1,\"a\"]"), "is an object, not a number or a string"),
            ("5", "in", json("{}"), "is a number, not a string"),
            ("5", "in", json("[]"), "is a number, not what an empty array holds"),
            ("{}", "any", json("[\"a\"]"), "is an object, not a string or an array"),
            ("[5]", "any", json("[\"a\"]"), "is an array without a string"),
            ("5", "eq", text("1e9999999999999999999"), "is a number, not a boolean or a string"),
            ("1e9999999999999999999", "eq", json("1"), "is a number that cannot be compared"),
            (
                "5",
                "match",
                Operand::Pattern(Pattern::new("x").unwrap()),
                "is a number, not a string",
            ),
            (
                "\"a\"",
                "in",
                text("a"),
                "what it is compared with is neither a JSON array nor an object",
            ),
        ] {
            let json = Json::parse(value.as_bytes()).unwrap();
            let (operator, _) = Operator::from_name(name).unwrap();
            let wanted = Wanted::of(operator, &operand);
            assert_eq!(wanted.is_met_by(json.root(), operator), None, "{value} {name}");
            assert_eq!(wanted.refusal(json.root(), operator).to_string(), told, "{value} {name}");
        }
    }

    /// How many comparisons between values are made.
    fn work(value: &str, name: &str, operand: &str) -> usize {
        crate::text::canonical::work::take();
        met(value, name, &json(operand));
        crate::text::canonical::work::take()
    }

    #[test]
    fn work_grows_with_the_number_of_elements_and_not_with_its_square() {
        let list = |count: usize, start: usize, word: fn(usize) -> String| {
            let words: Vec<String> = (start..start + count).map(word).collect();
            format!("[{}]", words.join(","))
        };
        let words: [fn(usize) -> String; 4] = [
            |i| i.to_string(),
            |i| format!("\"{i}\""),
            |i| format!("\"\\u0041{i}\""),
            |i| format!("[[{i}]]"),
        ];
        for word in words {
            let (groups, header) = (list(500, 0, word), list(2_000, 10_000, word));
            // Each element is looked up among 2,000 sorted elements: twice, once for each form of
            // an operand.
            let bound = 2_000 * 2 * 11 + 2 * 500 * 11;
            assert!(work(&groups, "any", &header) <= bound);
            assert!(work(&header, "any", &groups) <= bound);
            assert!(work(&word(0), "in", &header) <= bound);
            // The first element that is found ends the search.
            let hit = format!("[{},{}", word(10_000), &groups[1..]);
            assert!(work(&hit, "any", &header) <= 2_000 * 2 * 11 + 2 * 11);
        }
        let object = |names: core::ops::Range<usize>| {
            let members: Vec<String> = names.map(|i| format!("\"{i}\":[{i}]")).collect();
            format!("{{{}}}", members.join(","))
        };
        assert_eq!(met(&object(0..3_000), "eq", &json(&object(0..3_000))), Some(true));
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
        for (name, alike) in [
            ("ne", "!eq"),
            ("!ne", "eq"),
            ("nin", "!in"),
            ("!nin", "in"),
            ("intersect", "any"),
            ("!intersect", "!any"),
            ("nintersect", "!any"),
            ("!nintersect", "any"),
        ] {
            assert_eq!(Operator::from_name(name), Operator::from_name(alike), "{name}");
        }
        for name in ["", "!", "!!eq", "EQ", "!!ne", "nmatch", "=="] {
            assert_eq!(Operator::from_name(name), None, "{name}");
        }
    }

    /// Whether two values are the same, by comparing each part of one with each of the other.
    fn same(a: Value<'_>, b: Value<'_>) -> bool {
        if let (Some(a), Some(b)) = (a.as_array(), b.as_array()) {
            let (a, b): (Vec<_>, Vec<_>) = (a.collect(), b.collect());
            return a.len() == b.len() && a.into_iter().zip(b).all(|(a, b)| same(a, b));
        }
        if let (Some(a), Some(b)) = (a.as_object(), b.as_object()) {
            return a.members().count() == b.members().count()
                && a.members()
                    .all(|(name, value)| b.member(&name).is_some_and(|other| same(value, other)));
        }
        if let (Some(a), Some(b)) = (a.as_number(), b.as_number()) {
            return a.parse::<f64>() == b.parse::<f64>();
        }
        a.kind() == b.kind() && a.as_str() == b.as_str() && a.as_bool() == b.as_bool()
    }

    /// The expected result, by comparing each element with each.
    fn met_slowly(value: Value<'_>, name: &str, operand: Value<'_>) -> Option<bool> {
        let among = |value: Value<'_>, others: &[Value<'_>]| {
            let alike: Vec<_> =
                others.iter().filter(|other| other.kind() == value.kind()).collect();
            (!alike.is_empty()).then(|| alike.iter().any(|other| same(value, **other)))
        };
        let others = || match operand.as_array() {
            Some(elements) => elements.collect(),
            None => vec![operand],
        };
        match (name, value.as_array()) {
            ("eq", _) => (value.kind() == operand.kind()).then(|| same(value, operand)),
            ("in", _) => match operand.as_object() {
                Some(object) => Some(object.member(&value.as_str()?).is_some()),
                None => among(value, &operand.as_array()?.collect::<Vec<_>>()),
            },
            (_, Some(elements)) => {
                let found: Vec<_> = elements.map(|element| among(element, &others())).collect();
                match (found.contains(&Some(true)), found.iter().all(Option::is_none)) {
                    (true, _) => Some(true),
                    (false, true) if !found.is_empty() => None,
                    (false, _) => Some(false),
                }
            }
            (_, None) if value.as_object().is_some() => None,
            (_, None) => among(value, &others()),
        }
    }

    fn values() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0.0",
            "1",
            "1.0",
            "10e-1",
            "2",
            "\"a\"",
            "\"\\u0061\"",
            "\"b\"",
            "\"\"",
            "\"1\"",
            "[]",
            "{}",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(3, 24, 4, |inner| {
            let names = prop::sample::subsequence(vec!["a", "b", "\\u0063", "1"], 0..4);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|values| format!("[{}]", values.join(","))),
                (names.prop_shuffle(), prop::collection::vec(inner, 4)).prop_map(
                    |(names, values)| {
                        let members = names.iter().zip(values);
                        let members: Vec<_> =
                            members.map(|(n, v)| format!("\"{n}\":{v}")).collect();
                        format!("{{{}}}", members.join(","))
                    }
                ),
            ]
        })
    }

    proptest! {
        #[test]
        fn compares_as_one_does_who_compares_each_with_each(value in values(), other in values()) {
            for operand in [&other, &value, &format!("[{other}]"), &format!("[{other},{value}]")] {
                let json = (Json::parse(value.as_bytes()).unwrap(), json(operand));
                let (value_json, Operand::Json(operand_json)) = &json else { unreachable!() };
                for name in ["eq", "in", "any"] {
                    let slow = met_slowly(value_json.root(), name, operand_json.root());
                    prop_assert_eq!(met(&value, name, &json.1), slow, "{} {} {}", value, name, operand);
                }
            }
        }
    }
}
