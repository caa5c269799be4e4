//! JSON values in a canonical form, which equal values share, and sets of values with fast look-up.
//!
//! Values are the same whatever the order of their members and the spelling of their numbers and
//! strings. The time of a comparison is at most proportional to the length of the shorter value.
//! Sorting n values, and looking a value up among them, therefore take time in their length times
//! log n.

use core::fmt;
use std::borrow::Cow;

use crate::text::json::{Object, Value, ValueKind};
use crate::text::number::Number;

/// A value by its meaning, independent of its spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Canonical<'a> {
    Null,
    Bool(bool),
    Number(Number<'a>),
    String(Cow<'a, str>),
    Array(Vec<Self>),
    /// The members, sorted by name.
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Canonical<'a> {
    /// The meaning of a value; `None` where the value contains a number that cannot be compared.
    pub(crate) fn of(value: Value<'a>) -> Option<Self> {
        Some(match value.kind() {
            ValueKind::Null => Self::Null,
            ValueKind::Bool => Self::Bool(value.as_bool()?),
            ValueKind::Number => Self::Number(Number::parse(value.as_number()?)?),
            ValueKind::String => Self::String(value.as_str()?),
            ValueKind::Array => {
                Self::Array(value.as_array()?.map(Self::of).collect::<Option<_>>()?)
            }
            ValueKind::Object => {
                let members = value.as_object().into_iter().flat_map(Object::members);
                let members = members.map(|(name, value)| Some((name, Self::of(value)?)));
                let mut members: Vec<_> = members.collect::<Option<_>>()?;
                // No name occurs twice.
                members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                Self::Object(members)
            }
        })
    }

    /// The same value, without borrowed data.
    pub(crate) fn into_owned(self) -> Canonical<'static> {
        match self {
            Self::Null => Canonical::Null,
            Self::Bool(value) => Canonical::Bool(value),
            Self::Number(number) => Canonical::Number(number.into_owned()),
            Self::String(text) => Canonical::String(text.into_owned().into()),
            Self::Array(elements) => {
                Canonical::Array(elements.into_iter().map(Self::into_owned).collect())
            }
            Self::Object(members) => {
                let members = members.into_iter();
                let owned = |(name, value): (Cow<'_, str>, Self)| {
                    (name.into_owned().into(), value.into_owned())
                };
                Canonical::Object(members.map(owned).collect())
            }
        }
    }

    pub(crate) fn kind(&self) -> ValueKind {
        match self {
            Self::Null => ValueKind::Null,
            Self::Bool(_) => ValueKind::Bool,
            Self::Number(_) => ValueKind::Number,
            Self::String(_) => ValueKind::String,
            Self::Array(_) => ValueKind::Array,
            Self::Object(_) => ValueKind::Object,
        }
    }
}

/// A set of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alternatives<'a> {
    /// The values in sorted order, which groups them by kind.
    sorted: Vec<Canonical<'a>>,
    kinds: Kinds,
}

impl<'a> Alternatives<'a> {
    /// The set of these values; `None` where one contains a number that cannot be compared.
    pub(crate) fn of(values: impl Iterator<Item = Value<'a>>) -> Option<Self> {
        let mut sorted = values.map(Canonical::of).collect::<Option<Vec<_>>>()?;
        sorted.sort_unstable_by(|a, b| {
            work::count();
            a.cmp(b)
        });
        sorted.dedup();
        let kinds = Kinds::of(sorted.iter().map(Canonical::kind));
        Some(Self { sorted, kinds })
    }

    /// The kinds of the values in the set.
    pub(crate) fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// The strings in the set.
    pub(crate) fn strings(&self) -> impl Iterator<Item = &str> {
        self.sorted.iter().filter_map(|value| match value {
            Canonical::String(text) => Some(text.as_ref()),
            _ => None,
        })
    }

    /// Whether a value is in the set; `None` where the set has no value of its kind, or where the
    /// value cannot be compared.
    pub(crate) fn hold(&self, value: Value<'_>) -> Option<bool> {
        if !self.kinds.hold(value.kind()) {
            return None;
        }
        let value = Canonical::of(value)?;
        let found = self.sorted.binary_search_by(|own| {
            work::count();
            own.cmp(&value)
        });
        Some(found.is_ok())
    }

    /// The same set, without borrowed data.
    pub(crate) fn into_owned(self) -> Alternatives<'static> {
        let sorted = self.sorted.into_iter().map(Canonical::into_owned).collect();
        Alternatives { sorted, kinds: self.kinds }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    pub(crate) fn of(kinds: impl IntoIterator<Item = ValueKind>) -> Self {
        kinds.into_iter().fold(Self(0), Self::and)
    }

    /// The set with another kind added.
    pub(crate) fn and(self, kind: ValueKind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    pub(crate) fn hold(self, kind: ValueKind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}

/// Lists the kinds as in `a number or a string`.
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ValueKind::ALL.into_iter().filter(|kind| self.hold(*kind)).map(ValueKind::name);
        match names.collect::<Vec<_>>().as_slice() {
            [] => f.write_str("what an empty array holds"),
            [name] => f.write_str(name),
            [names @ .., last] => write!(f, "{} or {last}", names.join(", ")),
        }
    }
}

/// Counts how many values are compared with one another, in tests only.
pub(crate) mod work {
    #[cfg(test)]
    std::thread_local! {
        static COMPARISONS: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
    }

    #[cfg(test)]
    pub(crate) fn count() {
        COMPARISONS.with(|comparisons| comparisons.set(comparisons.get() + 1));
    }

    #[cfg(not(test))]
    pub(crate) fn count() {}

    /// The count of this thread since the last call.
    #[cfg(test)]
    pub(crate) fn take() -> usize {
        COMPARISONS.with(core::cell::Cell::take)
    }
}
