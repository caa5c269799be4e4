//! The module's configuration: what directives set, how levels inherit, and the gate that a
//! complete level is sealed into.

use std::sync::Arc;

use ojwt_core::keys::{KeySet, KeySetBuilder};
use ojwt_core::policy::Policy;
use ojwt_core::verify::{DEFAULT_MAX_TOKEN_SIZE, Verifier};

use crate::source::{DEFAULT_COOKIE, Source};

/// What the whole `http` block shares.
#[derive(Debug)]
pub(crate) struct MainConf {
    /// The keys that were embedded when the module was built.
    pub(crate) embedded_keys: Arc<KeySet>,
}

/// What the directives of one level set, and what it inherits where they do not.
#[derive(Debug, Default)]
pub(crate) struct LocationConf {
    /// `auth_jwt_key_file`, as far as this level has it.
    pub(crate) key_files: Option<KeySetBuilder>,
    /// `auth_jwt_leeway`, in seconds.
    pub(crate) leeway: Option<u64>,
    /// `auth_jwt_max_token_size`, in bytes.
    pub(crate) max_token_size: Option<usize>,
    /// `ojwt_token_from`.
    pub(crate) token_from: Option<Vec<Source>>,
    /// `ojwt_cookie`.
    pub(crate) cookie: Option<CookieSetting>,
    keys: Option<Arc<KeySet>>,
    gate: Option<Arc<Gate>>,
}

/// `ojwt_cookie`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CookieSetting {
    /// No cookie is set.
    Off,
    /// A token that came in the URL is also set as a cookie.
    On(Cookie),
}

/// The attributes of the cookie (RFC 6265 section 4.1.2). `HttpOnly` is not a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) name: Vec<u8>,
    pub(crate) secure: Secure,
    pub(crate) same_site: SameSite,
    pub(crate) path: Vec<u8>,
    pub(crate) domain: Option<Vec<u8>>,
}

/// Whether the cookie is `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secure {
    /// Where the request came over TLS.
    Auto,
    Always,
    Never,
}

/// The `SameSite` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SameSite {
    Lax,
    Strict,
    None,
}

/// Everything that decides whether a token is accepted. Locations that inherit all of it share
/// one gate, and so one outcome for a request.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) verifier: Verifier,
    pub(crate) sources: Vec<Source>,
}

impl LocationConf {
    /// The gate of this level; there is one once nginx has read the whole configuration.
    pub(crate) fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.as_ref()
    }

    /// The cookie that this level sets, if any.
    pub(crate) fn cookie(&self) -> Option<&Cookie> {
        match self.cookie.as_ref()? {
            CookieSetting::On(cookie) => Some(cookie),
            CookieSetting::Off => None,
        }
    }

    /// Takes what is not set here from the level around this one, and seals this one.
    pub(crate) fn merge(&mut self, outer: &mut Self, main: &MainConf) {
        // nginx merges the servers into `http`, and `http` into nothing: so it comes here first.
        if outer.gate.is_none() {
            outer.seal(None, main);
        }
        self.leeway = self.leeway.or(outer.leeway);
        self.max_token_size = self.max_token_size.or(outer.max_token_size);
        self.token_from = self.token_from.take().or_else(|| outer.token_from.clone());
        self.cookie = self.cookie.take().or_else(|| outer.cookie.clone());
        if self.key_files.is_none() {
            self.keys.clone_from(&outer.keys);
        }
        self.seal(outer.gate.as_ref(), main);
    }

    /// Makes the gate, or shares the outer one where it would decide alike.
    fn seal(&mut self, outer: Option<&Arc<Gate>>, main: &MainConf) {
        if let Some(files) = self.key_files.take() {
            self.keys = Some(Arc::new(files.build().0));
        }
        let cookie = self.cookie.get_or_insert_with(|| CookieSetting::On(Cookie::default()));
        let gate = Gate {
            verifier: Verifier {
                keys: Arc::clone(self.keys.as_ref().unwrap_or(&main.embedded_keys)),
                policy: Policy { leeway: self.leeway.unwrap_or(0), algorithms: None },
                max_token_size: self.max_token_size.unwrap_or(DEFAULT_MAX_TOKEN_SIZE),
            },
            sources: self.token_from.clone().unwrap_or_else(|| Source::defaults(cookie.name())),
        };
        self.gate = Some(match outer {
            Some(outer) if outer.decides_like(&gate) => Arc::clone(outer),
            _ => Arc::new(gate),
        });
    }
}

impl Gate {
    fn decides_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.verifier.keys, &other.verifier.keys)
            && self.verifier.policy == other.verifier.policy
            && self.verifier.max_token_size == other.verifier.max_token_size
            && self.sources == other.sources
    }
}

impl CookieSetting {
    fn name(&self) -> Option<&[u8]> {
        match self {
            Self::On(cookie) => Some(&cookie.name),
            Self::Off => None,
        }
    }
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: DEFAULT_COOKIE.to_vec(),
            secure: Secure::Auto,
            same_site: SameSite::Lax,
            path: b"/".to_vec(),
            domain: None,
        }
    }
}
