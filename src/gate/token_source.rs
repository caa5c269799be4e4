//! Where in a request a token may be.

use std::borrow::Cow;

use ojwt_core::denial::Denial;

use crate::fence::complex::ComplexValue;
use crate::fence::request::Request;

/// A place to look for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A query argument, percent-decoded.
    Argument(Vec<u8>),
    /// A cookie.
    Cookie(Vec<u8>),
    /// The whole value of a header field, without a leading `Bearer`.
    Header(Vec<u8>),
    /// `Authorization: Bearer` (RFC 6750 section 2.1).
    Bearer,
    /// The whole value of a variable, without a leading `Bearer`.
    Variable(ComplexValue),
}

impl Source {
    /// The default of `ojwt_token_from`; `cookie` is what `ojwt_cookie` sets, if not `jwtcookie`.
    pub(crate) fn defaults(cookie: Option<&[u8]>) -> Vec<Self> {
        let mut sources = vec![Self::Argument(b"jwt".to_vec())];
        if let Some(name) = cookie.filter(|name| *name != DEFAULT_COOKIE) {
            sources.push(Self::Cookie(name.to_vec()));
        }
        sources.push(Self::Cookie(DEFAULT_COOKIE.to_vec()));
        sources.push(Self::Header(b"Api-Key".to_vec()));
        sources.push(Self::Bearer);
        sources
    }

    /// The name of the argument, if this source is an argument, or a variable that shows one.
    pub(crate) fn argument(&self) -> Option<&[u8]> {
        match self {
            Self::Argument(name) => Some(name),
            Self::Variable(value) => variable_of(value.text(), b"arg_"),
            Self::Cookie(_) | Self::Header(_) | Self::Bearer => None,
        }
    }

    /// The name of the cookie, if this source is a cookie, or a variable that shows one.
    pub(crate) fn cookie(&self) -> Option<&[u8]> {
        match self {
            Self::Cookie(name) => Some(name),
            Self::Variable(value) => variable_of(value.text(), b"cookie_"),
            Self::Argument(_) | Self::Header(_) | Self::Bearer => None,
        }
    }

    /// Whether this source holds the same value for the whole request: nginx changes no field of
    /// the client's header, but rewrites and redirects change arguments and variables.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::Cookie(_) | Self::Header(_) | Self::Bearer => true,
            Self::Argument(_) | Self::Variable(_) => false,
        }
    }

    /// The token in this source. An empty value is no token.
    ///
    /// The token is looked for in the client's request: a subrequest brings no token of its own.
    /// The current arguments are searched first, then those that the client sent, since a rewrite
    /// or an internal redirect may have dropped the token.
    ///
    /// # Errors
    ///
    /// [`Denial::SeveralTokens`] where the source holds different tokens: an application may read
    /// another one than the gate.
    pub(crate) fn find<'r>(&self, request: Request<'r>) -> Result<Option<Cow<'r, [u8]>>, Denial> {
        let request = request.main();
        match self {
            // Most requests have no arguments.
            Self::Argument(_) if !request.has_args() => Ok(None),
            Self::Argument(name) => {
                let found = match ojwt_http::argument(request.args(), name)? {
                    None => ojwt_http::argument(request.client_args(), name)?,
                    found => found,
                };
                if let Some(fragment) = request.fragment() {
                    ojwt_http::agrees_behind(
                        fragment,
                        |part| ojwt_http::argument(part, name),
                        &found,
                    )?;
                }
                Ok(found)
            }
            Self::Cookie(name) => {
                Ok(ojwt_http::cookie(request.header(b"Cookie"), name)?.map(Cow::Borrowed))
            }
            Self::Header(name) => {
                let values = request.header(name).filter_map(ojwt_http::bare);
                let found = ojwt_http::one(values)?;
                if found.is_some() {
                    // nginx can be configured to accept names with `_`, which an application may
                    // take for the same field.
                    ojwt_http::one(request.header_of_variable(name).filter_map(ojwt_http::bare))?;
                }
                Ok(found.map(Cow::Borrowed))
            }
            Self::Variable(value) => {
                let text = request.evaluate(*value);
                let all = self.in_any_case(request)?;
                // The variable shows the first value only, and nginx parses names and cookies by
                // its own rules.
                if text.zip(all).is_some_and(|(text, all)| !text.is_empty() && text != all) {
                    return Err(Denial::SeveralTokens);
                }
                Ok(text.and_then(ojwt_http::bare).map(Cow::Borrowed))
            }
            // nginx refuses a second `Authorization` field.
            Self::Bearer => {
                let token = request.authorization().and_then(ojwt_http::bearer);
                Ok(token.map(Cow::Borrowed))
            }
        }
    }

    /// The value of the argument, cookie or header field that a variable shows, its name in any
    /// case.
    fn in_any_case<'r>(&self, request: Request<'r>) -> Result<Option<&'r [u8]>, Denial> {
        if let Some(name) = self.argument() {
            let read = |part| ojwt_http::argument_in_any_case(part, name);
            let found = read(request.args())?;
            if let Some(fragment) = request.fragment() {
                ojwt_http::agrees_behind(fragment, read, &found)?;
            }
            return Ok(found);
        }
        if let Some(name) = self.cookie() {
            return ojwt_http::cookie_in_any_case(request.header(b"Cookie"), name);
        }
        match self {
            Self::Variable(value) => match variable_of(value.text(), b"http_") {
                Some(name) => ojwt_http::one(request.header_of_variable(name)),
                None => Ok(None),
            },
            Self::Argument(_) | Self::Cookie(_) | Self::Header(_) | Self::Bearer => Ok(None),
        }
    }
}

/// What follows `prefix` in the name of a variable, if `text` is this variable and nothing else.
fn variable_of<'t>(text: &'t [u8], prefix: &[u8]) -> Option<&'t [u8]> {
    let name = text.strip_prefix(b"$")?;
    let name = match name.strip_prefix(b"{") {
        Some(name) => name.strip_suffix(b"}")?,
        None => name,
    };
    let (start, rest) = name.split_at_checked(prefix.len())?;
    let is_name = rest.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    (start.eq_ignore_ascii_case(prefix) && is_name && !rest.is_empty()).then_some(rest)
}

/// The cookie that is read, and set, by default.
pub(crate) const DEFAULT_COOKIE: &[u8] = b"jwtcookie";
