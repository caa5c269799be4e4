//! Where the keys of a gate come from, as its configuration says.

use std::sync::Arc;

use ojwt_core::keys::{KeyFormat, KeySet};

use crate::fence::complex::ComplexValue;

/// Where the keys of a gate come from: all of these.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySources {
    /// The sets that were read with the configuration.
    pub(crate) fixed: Vec<Arc<KeySet>>,
    /// `auth_jwt_key_file` with variables.
    pub(crate) files: Vec<Locator>,
    /// `auth_jwt_key_request`.
    pub(crate) requests: Vec<Locator>,
    /// `auth_jwt_key_cache`, in seconds.
    pub(crate) cache: u64,
}

/// A path or a URI of keys, evaluated for each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Locator {
    pub(crate) value: ComplexValue,
    pub(crate) format: Option<KeyFormat>,
    /// Whether the value differs between requests.
    pub(crate) has_variables: bool,
    /// How many `..` segments the configuration itself has in the value.
    pub(crate) climbs: usize,
    /// For a path that begins with a variable: the same path with a fixed word in place of each
    /// variable that shows a token. This path tells whether the token or another variable makes the
    /// path absolute.
    pub(crate) without_token: Option<ComplexValue>,
}

/// A locator as it stands in the configuration, until it is known which variables show a token.
#[derive(Debug)]
pub(crate) struct LocatorWord {
    pub(crate) locator: Locator,
    pub(crate) word: Vec<u8>,
}

impl KeySources {
    /// Whether the keys are the same for all requests.
    pub(crate) fn are_fixed(&self) -> bool {
        self.files.is_empty() && self.requests.is_empty()
    }

    /// Whether variables choose the keys.
    pub(crate) fn are_chosen(&self) -> bool {
        self.files.iter().chain(&self.requests).any(|locator| locator.has_variables)
    }
}

impl PartialEq for KeySources {
    fn eq(&self, other: &Self) -> bool {
        self.fixed.len() == other.fixed.len()
            && self.fixed.iter().zip(&other.fixed).all(|(ours, theirs)| Arc::ptr_eq(ours, theirs))
            && self.files == other.files
            && self.requests == other.requests
            && self.cache == other.cache
    }
}
