//! Read-only views of the outcome.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::rc::Rc;

use ojwt_core::denial::Denial;
use ojwt_core::policy::requirement::Part;
use ojwt_core::text::path;
use ojwt_core::token::claims::Claims;

use crate::config::location::LocationConf;
use crate::config::main_conf::{NamedValue, UsedVariables};
use crate::config::names::{SHARED, first_name};
use crate::fence;
use crate::fence::variable::Value;
use crate::gate::judge::outcome;
use crate::gate::outcome::{Outcome, Visit};
use crate::gate::token_source::Source;

/// A variable of the module.
pub(crate) struct Variable {
    /// The variable's name, or the prefix of its names.
    pub(crate) name: &'static str,
    pub(crate) evaluate: Evaluate,
    /// The value where evaluation fails for a fault of ours.
    pub(crate) on_fault: &'static str,
}

/// How a variable gets its value.
pub(crate) enum Evaluate {
    /// From the request alone.
    Plain(for<'r> fn(&Visit<'r>, &'r LocationConf) -> Value<'r>),
    /// From the request and the end of the variable's name.
    Named(for<'r> fn(&Visit<'r>, &'r LocationConf, &str) -> Value<'r>),
}

/// The variables, by name.
pub(crate) const VARIABLES: [Variable; 10] = [
    Variable {
        name: "decoded_ojwt",
        evaluate: Evaluate::Plain(decoded),
        on_fault: Denial::InternalError.verdict(),
    },
    Variable {
        name: "ojwt_status",
        evaluate: Evaluate::Plain(status),
        on_fault: Denial::InternalError.code(),
    },
    Variable { name: "ojwt_args", evaluate: Evaluate::Plain(args), on_fault: "" },
    Variable { name: "ojwt_http_cookie", evaluate: Evaluate::Plain(http_cookie), on_fault: "" },
    Variable { name: "jwt_claims", evaluate: Evaluate::Plain(claims), on_fault: "" },
    Variable { name: "jwt_payload", evaluate: Evaluate::Plain(payload), on_fault: "" },
    Variable { name: "jwt_nowtime", evaluate: Evaluate::Plain(now), on_fault: "" },
    Variable { name: "jwt_claim_", evaluate: Evaluate::Named(claim), on_fault: "" },
    Variable { name: "jwt_header_", evaluate: Evaluate::Named(header), on_fault: "" },
    Variable { name: ENCODED, evaluate: Evaluate::Named(encoded), on_fault: "" },
];

/// The prefix that makes, of the name of a variable that shows a token, the name of one that shows
/// the same value percent-encoded. The encoded variable replaces the plain one in the URI of
/// `auth_jwt_key_request`; a `map` in that URI still reads the plain one.
const ENCODED: &str = "encoded_ojwt_";

impl Variable {
    /// Whether another module may also have a variable of this name; no other module has the second
    /// name.
    pub(crate) fn is_shared(&self) -> bool {
        self.name.starts_with(SHARED)
    }

    /// Whether this is the variable's name, or one that begins with its prefix.
    fn is_named(&self, name: &[u8]) -> bool {
        match self.evaluate {
            Evaluate::Plain(_) => name == self.name.as_bytes(),
            Evaluate::Named(_) => name.starts_with(self.name.as_bytes()),
        }
    }

    /// The name that no other module has.
    pub(crate) fn own_name(&self) -> Cow<'static, str> {
        if self.is_shared() { format!("o{}", self.name).into() } else { self.name.into() }
    }
}

/// Which variables these names stand for. Names for which `is_foreign` is true belong to other
/// modules.
pub(crate) fn used<'n>(
    names: impl Iterator<Item = &'n [u8]>,
    set: &[NamedValue],
    is_foreign: impl Fn(&[u8]) -> bool,
) -> UsedVariables {
    let shows_claims = |name: &[u8]| {
        let first = first_name(name);
        let is_one =
            VARIABLES.iter().any(|variable| variable.is_shared() && variable.is_named(first));
        is_one && !is_foreign(name) || set.iter().any(|value| value.variable == name)
    };
    names.fold(UsedVariables::default(), |used, name| UsedVariables {
        decoded: used.decoded || name == b"decoded_ojwt",
        claims: used.claims || shows_claims(name),
    })
}

/// A URI in which the variables that show a token are percent-encoded; `None` if there is no such
/// variable.
pub(crate) fn with_token_encoded(
    uri: &[u8],
    shows_token: impl Fn(&[u8]) -> bool,
) -> Option<Vec<u8>> {
    replaced(uri, shows_token, |name| [b"${", ENCODED.as_bytes(), name, b"}"].concat())
}

/// A path with a fixed text in place of each variable that shows a token; `None` if there is no
/// such variable.
pub(crate) fn without_token(path: &[u8], shows_token: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    // `-` cannot be part of a name, and so does not extend the name of a variable before it.
    replaced(path, shows_token, |_| b"-".to_vec())
}

/// Replaces the variables that show a token, recognising variables by nginx's own rules.
fn replaced(
    word: &[u8],
    shows_token: impl Fn(&[u8]) -> bool,
    by: impl Fn(&[u8]) -> Vec<u8>,
) -> Option<Vec<u8>> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let (mut text, mut is_replaced, mut rest) = (Vec::new(), false, word);
    while let Some(dollar) = rest.iter().position(|byte| *byte == b'$') {
        let (before, after) = rest.split_at(dollar);
        let inner = after.strip_prefix(b"${").or(after.strip_prefix(b"$")).unwrap_or_default();
        let end = inner.iter().position(|byte| !is_name(byte)).unwrap_or(inner.len());
        let (name, after_name) = inner.split_at(end);
        let closed = after_name.strip_prefix(b"}").filter(|_| after.starts_with(b"${"));
        let after_name = closed.unwrap_or(after_name);
        text.extend_from_slice(before);
        if shows_token(name) {
            text.extend_from_slice(&by(name));
            is_replaced = true;
        } else {
            let whole = after.len() - after_name.len();
            text.extend_from_slice(after.get(..whole).unwrap_or(after));
        }
        rest = after_name;
    }
    text.extend_from_slice(rest);
    is_replaced.then_some(text)
}

/// Whether a variable shows a part of a token. Names for which `is_foreign` is true belong to other
/// modules.
pub(crate) fn shows_token(
    name: &[u8],
    set: &[NamedValue],
    is_foreign: impl Fn(&[u8]) -> bool,
) -> bool {
    let name = name.to_ascii_lowercase();
    let by_prefix = VARIABLES.iter().any(|variable| match variable.evaluate {
        Evaluate::Named(_) if variable.is_shared() => {
            first_name(&name).starts_with(variable.name.as_bytes())
        }
        Evaluate::Named(_) | Evaluate::Plain(_) => false,
    });
    by_prefix && !is_foreign(&name) || set.iter().any(|named| named.variable == name)
}

/// `$decoded_ojwt`: the claims as JSON, or `failed: ` and the reason.
fn decoded<'r>(visit: &Visit<'r>, conf: &'r LocationConf) -> Value<'r> {
    let outcome = match conf.gate() {
        Some(gate) => outcome(visit, gate),
        None => Err(Denial::InternalError),
    };
    let text = match outcome {
        Ok(Outcome { verdict: Ok(claims), .. }) => claims.as_json(),
        Ok(Outcome { verdict: Err(denial), .. }) => denial.verdict(),
        Err(denial) => denial.verdict(),
    };
    Value::Text(text.as_bytes())
}

/// `$ojwt_status`: `ok` or the reason as one word, empty where no gate was asked. The variable
/// itself asks no gate: it shows the outcome of this location's gate, or else of the gate that was
/// asked last.
fn status<'r>(visit: &Visit<'r>, conf: &'r LocationConf) -> Value<'r> {
    Value::Text(visit.steady(status_now(visit, conf)).as_bytes())
}

fn status_now(visit: &Visit<'_>, conf: &LocationConf) -> &'static str {
    if let Some(denial) = visit.overruled() {
        return denial.code();
    }
    let here =
        conf.gate().and_then(|gate| visit.outcomes().find(|(asked, _)| Rc::ptr_eq(asked, gate)));
    match here.map(|(_, outcome)| outcome).or_else(|| visit.latest()) {
        None => "",
        Some(Ok(Outcome { verdict: Ok(_), .. })) => "ok",
        Some(Ok(Outcome { verdict: Err(denial), .. })) => denial.code(),
        Some(Err(denial)) => denial.code(),
    }
}

/// `$ojwt_args`: the arguments of the request, without those that may carry a token.
fn args<'r>(visit: &Visit<'r>, conf: &'r LocationConf) -> Value<'r> {
    let names = conf.sources().filter_map(Source::argument);
    let kept = ojwt_http::without_arguments(visit.request.args(), &names);
    visit.request.copy(&kept).map_or(Value::Missing, Value::Text)
}

/// `$ojwt_http_cookie`: the cookies of the request, without those that may carry a token.
fn http_cookie<'r>(visit: &Visit<'r>, conf: &'r LocationConf) -> Value<'r> {
    let cookies: Vec<&[u8]> = visit.request.header(b"Cookie").collect();
    let names = conf.sources().filter_map(Source::cookie);
    let kept = ojwt_http::without_cookies(&cookies.join(&b"; "[..]), &names);
    visit.request.copy(&kept).map_or(Value::Missing, Value::Text)
}

/// `$jwt_claims`: the claims of a verified token as JSON.
fn claims<'r>(visit: &Visit<'r>, conf: &'r LocationConf) -> Value<'r> {
    verified(visit, conf).map_or(Value::Missing, |claims| Value::Text(claims.as_json().as_bytes()))
}

/// `$jwt_payload`: the payload of a verified token: another token if it is nested, else its claims.
fn payload<'r>(visit: &Visit<'r>, conf: &'r LocationConf) -> Value<'r> {
    verified(visit, conf).map_or(Value::Missing, |claims| Value::Text(claims.payload().as_bytes()))
}

/// `$jwt_nowtime`: the time that tokens are judged by, in seconds since the epoch.
fn now<'r>(visit: &Visit<'r>, _conf: &'r LocationConf) -> Value<'r> {
    let seconds = fence::now().to_string();
    visit.request.copy(seconds.as_bytes()).map_or(Value::Missing, Value::Text)
}

/// `$jwt_claim_NAME`: a claim of a verified token.
fn claim<'r>(visit: &Visit<'r>, conf: &'r LocationConf, name: &str) -> Value<'r> {
    value_at(visit, conf, Part::Claims, &[name])
}

/// `$jwt_header_NAME`: a header parameter of a verified token.
fn header<'r>(visit: &Visit<'r>, conf: &'r LocationConf, name: &str) -> Value<'r> {
    value_at(visit, conf, Part::Header, &[name])
}

/// A variable that shows a token, percent-encoded except for the unreserved characters of RFC 3986
/// section 2.3.
fn encoded<'r>(visit: &Visit<'r>, conf: &'r LocationConf, name: &str) -> Value<'r> {
    visit.gives_directly();
    let by_prefix = VARIABLES.iter().find_map(|variable| match variable.evaluate {
        Evaluate::Named(evaluate) if variable.is_shared() => {
            let end = first_name(name.as_bytes()).strip_prefix(variable.name.as_bytes())?;
            Some((evaluate, core::str::from_utf8(end).ok()?))
        }
        Evaluate::Named(_) | Evaluate::Plain(_) => None,
    });
    let set = visit.request.main_conf().map(|main| &main.named_values);
    let is_it = |named: &&NamedValue| named.variable == name.as_bytes();
    let value = match (by_prefix, set.and_then(|set| set.iter().find(is_it))) {
        (_, Some(named)) => named_value(visit, conf, named),
        (Some((evaluate, name)), None) => evaluate(visit, conf, name),
        (None, None) => Value::Missing,
    };
    match value {
        Value::Text(text) => copied(visit, &percent_encoded(text)),
        Value::Missing => Value::Missing,
    }
}

fn percent_encoded(text: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            // Writing to a `String` never fails.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The value of a variable of `auth_jwt_claim_set` or `auth_jwt_header_set`.
pub(crate) fn named_value<'r>(
    visit: &Visit<'r>,
    conf: &'r LocationConf,
    named: &NamedValue,
) -> Value<'r> {
    value_at(visit, conf, named.part, &named.path)
}

fn value_at<'r, N: AsRef<str>>(
    visit: &Visit<'r>,
    conf: &'r LocationConf,
    part: Part,
    names: &[N],
) -> Value<'r> {
    if let Some(token) = visit.choosing() {
        let json = match part {
            Part::Header => Some(token.header()),
            Part::Claims => token.claims(),
        };
        let text = json.and_then(|json| path::lookup(json, names)).map(path::render);
        return text.map_or(Value::Missing, |text| copied(visit, &text));
    }
    let Some(claims) = verified(visit, conf) else { return Value::Missing };
    match path::lookup(part.of(claims), names).map(path::render) {
        None => Value::Missing,
        Some(Cow::Borrowed(text)) => Value::Text(text.as_bytes()),
        Some(Cow::Owned(text)) => copied(visit, &text),
    }
}

fn copied<'r>(visit: &Visit<'r>, text: &str) -> Value<'r> {
    visit.request.copy(text.as_bytes()).map_or(Value::Missing, Value::Text)
}

/// The claims of the request's token, if it is valid, or of the token that a gate is comparing now.
fn verified<'r>(visit: &Visit<'r>, conf: &'r LocationConf) -> Option<&'r Claims> {
    if let Some(claims) = visit.claims_under_comparison() {
        return Some(claims);
    }
    outcome(visit, conf.claims_gate()?).ok()?.verdict.as_deref().ok()
}
