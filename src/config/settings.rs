//! What directives can be set to.

use ojwt_core::keys::KeySetBuilder;
use ojwt_core::policy::requirement;

use crate::fence::complex::ComplexValue;
use crate::gate::token_source::DEFAULT_COOKIE;
use crate::gate::{Cache, VariableRequirement};
use crate::keys::sources::Locator;

/// `auth_jwt_cache`.
#[derive(Clone, Debug)]
pub(crate) enum CacheSetting {
    /// Every token is verified each time.
    Off,
    /// Verified tokens are kept in this cache.
    On(Cache),
}

/// `auth_jwt_key_file` while the level is read.
#[derive(Debug, Default)]
pub(crate) struct KeyFilesSetting {
    /// The keys of the files that the configuration names.
    pub(crate) fixed: KeySetBuilder,
    /// The files that requests name.
    pub(crate) named: Vec<Locator>,
}

/// `auth_jwt`.
#[derive(Clone, Debug)]
pub(crate) enum AuthSetting {
    /// Every request passes. If a variable with a token is named, and the keys verify the token,
    /// variables show its claims.
    Off { token: Option<ComplexValue> },
    /// Requests with a valid token pass.
    On(Auth),
}

/// The phase of nginx in which `auth_jwt` answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Before `limit_req` and `limit_conn`, whatever `satisfy` says.
    Preaccess,
    /// With nginx's own access modules.
    #[default]
    Access,
}

/// `auth_jwt_require`: each value must be present, and not be `0`.
#[derive(Clone, Debug)]
pub(crate) struct Requirement {
    pub(crate) values: Vec<ComplexValue>,
    /// The status of a request for which a value is missing or `0`.
    pub(crate) status: u16,
}

/// `auth_jwt_require_claim` or `auth_jwt_require_header`.
#[derive(Clone, Debug)]
pub(crate) enum TokenRequirement {
    /// The operand is a constant of the configuration.
    Constant(requirement::Requirement),
    /// The operand differs between requests.
    Variable(VariableRequirement),
}

/// `auth_jwt_www_authenticate`: the header of a refusal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WwwAuthenticate {
    /// The header of RFC 6750.
    Bearer,
    /// No header.
    Off,
    /// A header with this value.
    Custom(ComplexValue),
}

/// What `auth_jwt` is given.
#[derive(Clone, Debug)]
pub(crate) struct Auth {
    pub(crate) realm: ComplexValue,
    /// `token=$variable`.
    pub(crate) token: Option<ComplexValue>,
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
    /// If the request came over TLS.
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

impl CookieSetting {
    pub(super) fn name(&self) -> Option<&[u8]> {
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
