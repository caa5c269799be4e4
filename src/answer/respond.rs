//! What the module adds to responses: the challenge of a refusal, and the cookie for a token that
//! came in the URL, so that the token can be left out of the URL.

use ojwt_core::denial::Denial;
use ojwt_core::token::claims::{Claims, NumericDate};

use crate::config::location::LocationConf;
use crate::config::settings::{Auth, Cookie, SameSite, Secure};
use crate::fence;
use crate::fence::complex::ComplexValue;
use crate::fence::request::Request;
use crate::gate::outcome::{Outcome, Visit};

/// Adds the challenge that asks for a token (RFC 6750 section 3); `None` if the realm cannot be
/// evaluated.
pub(crate) fn challenge(request: Request<'_>, auth: &Auth, denial: Denial) -> Option<()> {
    let mut line = b"Bearer realm=\"".to_vec();
    for byte in one_line(request.evaluate(auth.realm)?) {
        if matches!(byte, b'"' | b'\\') {
            line.push(b'\\');
        }
        line.push(byte);
    }
    line.push(b'"');
    // Section 3.1: no error where the request lacks any authentication information.
    if denial == Denial::SeveralTokens {
        line.extend_from_slice(b", error=\"invalid_request\"");
    } else if denial != Denial::NoToken {
        line.extend_from_slice(b", error=\"invalid_token\"");
    }
    request.challenge(&line)
}

/// Adds the challenge of `auth_jwt_www_authenticate`, or none if its value is empty; `None` if it
/// cannot be evaluated.
pub(crate) fn custom_challenge(request: Request<'_>, value: ComplexValue) -> Option<()> {
    match request.evaluate(value)? {
        b"" => Some(()),
        text => request.challenge(&one_line(text).collect::<Vec<_>>()),
    }
}

/// The text with a space for each control character, which could end a header line, or affect a
/// program that shows the line.
fn one_line(text: &[u8]) -> impl Iterator<Item = u8> {
    text.iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte })
}

/// Adds `Set-Cookie` to the response if a valid token came in the URL; for the header filter.
///
/// The token was verified, so that it holds no byte with a special meaning in a header.
pub(crate) fn set_cookie(visit: &Visit<'_>, conf: &LocationConf) {
    let Some(cookie) = conf.cookie() else { return };
    let request = visit.request;
    if !request.is_main() || visit.overruled().is_some() {
        return;
    }
    let token = visit.outcomes().find_map(|(_, outcome)| match outcome {
        Ok(Outcome { verdict: Ok(claims), token_from_url: Some(token) }) => Some((claims, token)),
        _ => None,
    });
    let Some((claims, token)) = token else { return };
    let Some(lifetime) = lifetime(claims) else { return };
    // If memory is short, there is no cookie, but the response is still correct.
    let _ = request
        .add_response_header("Set-Cookie", &render(cookie, token, &lifetime, request.is_tls()));
}

/// The attributes that make the cookie expire with the token; `None` if the token has expired
/// already.
fn lifetime(claims: &Claims) -> Option<String> {
    let Some(expires) = claims.expires() else { return Some(String::new()) };
    let now = fence::now();
    match expires.seconds_after(NumericDate::from_seconds(now)) {
        0 => None,
        seconds => {
            let date = fence::http_date(now.saturating_add_unsigned(seconds));
            Some(format!("; Expires={date}; Max-Age={seconds}"))
        }
    }
}

fn render(cookie: &Cookie, token: &[u8], lifetime: &str, is_tls: bool) -> Vec<u8> {
    let mut line = Vec::with_capacity(cookie.name.len() + token.len() + 128);
    line.extend_from_slice(&cookie.name);
    line.push(b'=');
    line.extend_from_slice(token);
    line.extend_from_slice(lifetime.as_bytes());
    line.extend_from_slice(b"; Path=");
    line.extend_from_slice(&cookie.path);
    if let Some(domain) = &cookie.domain {
        line.extend_from_slice(b"; Domain=");
        line.extend_from_slice(domain);
    }
    let secure = match cookie.secure {
        Secure::Auto => is_tls,
        Secure::Always => true,
        Secure::Never => false,
    };
    if secure {
        line.extend_from_slice(b"; Secure");
    }
    line.extend_from_slice(b"; HttpOnly; SameSite=");
    line.extend_from_slice(match cookie.same_site {
        SameSite::Lax => b"Lax",
        SameSite::Strict => b"Strict",
        SameSite::None => b"None",
    });
    line
}
