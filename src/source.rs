//! Where in a request a token may be.

use std::borrow::Cow;

use ojwt_core::transport;

use crate::fence::complex::ComplexValue;
use crate::fence::request::Request;

/// A place to look for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A query argument, percent-decoded.
    Argument(Vec<u8>),
    /// A cookie.
    Cookie(Vec<u8>),
    /// The whole value of a header field.
    Header(Vec<u8>),
    /// `Authorization: Bearer` (RFC 6750 section 2.1).
    Bearer,
    /// A variable, whatever it holds.
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

    /// The name of the argument, if the place is one.
    pub(crate) fn argument(&self) -> Option<&[u8]> {
        match self {
            Self::Argument(name) => Some(name),
            Self::Cookie(_) | Self::Header(_) | Self::Bearer | Self::Variable(_) => None,
        }
    }

    /// The name of the cookie, if the place is one.
    pub(crate) fn cookie(&self) -> Option<&[u8]> {
        match self {
            Self::Cookie(name) => Some(name),
            Self::Argument(_) | Self::Header(_) | Self::Bearer | Self::Variable(_) => None,
        }
    }

    /// Whether what is at this place stays the same while the request lasts: nginx changes no field of
    /// the client's header, but rewrites and redirects change arguments and variables.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::Cookie(_) | Self::Header(_) | Self::Bearer => true,
            Self::Argument(_) | Self::Variable(_) => false,
        }
    }

    /// The token at this place. An empty value is none.
    ///
    /// It is the client's request that is looked at: a subrequest brings no token of its own.
    /// Arguments are as they are now, or, where a rewrite or an internal redirect dropped the token,
    /// as they came.
    pub(crate) fn find<'r>(&self, request: Request<'r>) -> Option<Cow<'r, [u8]>> {
        let request = request.main();
        match self {
            Self::Argument(name) => transport::argument(request.args(), name)
                .or_else(|| transport::argument(request.client_args(), name)),
            Self::Cookie(name) => request
                .header(b"Cookie")
                .find_map(|header| transport::cookie(header, name))
                .map(Cow::Borrowed),
            Self::Header(name) => {
                let mut values = request.header(name).map(<[u8]>::trim_ascii);
                values.find(|value| !value.is_empty()).map(Cow::Borrowed)
            }
            Self::Variable(value) => {
                let text = request.evaluate(*value);
                text.filter(|text| !text.is_empty()).map(Cow::Borrowed)
            }
            Self::Bearer => {
                // Nearly always the first is the one.
                let first = request.authorization().and_then(transport::bearer);
                let any = || request.header(b"Authorization").find_map(transport::bearer);
                first.or_else(any).map(Cow::Borrowed)
            }
        }
    }
}

/// The cookie that is read, and set, by default.
pub(crate) const DEFAULT_COOKIE: &[u8] = b"jwtcookie";
