//! Read-only views of the outcome.

use std::borrow::Cow;
use std::rc::Rc;

use ojwt_core::claims::Claims;
use ojwt_core::denial::Denial;
use ojwt_core::requirement::Part;
use ojwt_core::{path, transport};

use crate::conf::{LocationConf, NamedValue, UsedVariables};
use crate::context::{Outcome, choosing, outcome, outcomes, overruled, shown};
use crate::fence;
use crate::fence::request::Request;
use crate::fence::variable::Value;
use crate::source::Source;

/// A variable of the module.
pub(crate) struct Variable {
    /// Its name, or how it begins.
    pub(crate) name: &'static str,
    pub(crate) evaluate: Evaluate,
    /// The value where evaluation fails for a fault of ours.
    pub(crate) on_fault: &'static str,
}

/// How a variable gets its value.
pub(crate) enum Evaluate {
    /// From the request alone.
    Plain(for<'r> fn(Request<'r>, &'r LocationConf) -> Value<'r>),
    /// From the request and the end of the variable's name.
    Named(for<'r> fn(Request<'r>, &'r LocationConf, &str) -> Value<'r>),
}

/// The variables, by name.
pub(crate) const VARIABLES: [Variable; 9] = [
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
];

impl Variable {
    /// Whether another module may have a variable of this name, too: nobody else has the second name.
    pub(crate) fn is_shared(&self) -> bool {
        self.name.starts_with(SHARED)
    }

    /// The name that nobody else has.
    pub(crate) fn own_name(&self) -> Cow<'static, str> {
        if self.is_shared() { format!("o{}", self.name).into() } else { self.name.into() }
    }
}

/// How the names begin that other modules may have, too; an `o` before makes them ours.
const SHARED: &str = "jwt_";

/// The first name of a variable, if this is one of the two; it may be one that another module has.
pub(crate) fn first_name(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"o").filter(|rest| rest.starts_with(SHARED.as_bytes())).unwrap_or(name)
}

/// Which variables these names stand for. Those that `is_foreign` are of other modules.
pub(crate) fn used<'n>(
    names: impl Iterator<Item = &'n [u8]>,
    set: &[NamedValue],
    is_foreign: impl Fn(&[u8]) -> bool,
) -> UsedVariables {
    let shows_claims = |name: &[u8]| {
        let is_one = first_name(name).starts_with(SHARED.as_bytes()) && !is_foreign(name);
        is_one || set.iter().any(|value| value.variable == name)
    };
    names.fold(UsedVariables::default(), |used, name| UsedVariables {
        decoded: used.decoded || name == b"decoded_ojwt",
        claims: used.claims || shows_claims(name),
    })
}

/// The claim that a variable shows, if it shows one.
pub(crate) fn claim_of(name: &[u8], set: &[NamedValue]) -> Option<String> {
    let named = set.iter().find(|value| value.variable == name && value.part == Part::Claims);
    let claim = match named {
        Some(value) => match value.path.as_slice() {
            [claim] => claim.clone(),
            path => path.join("."),
        },
        None => {
            core::str::from_utf8(first_name(name).strip_prefix(b"jwt_claim_")?).ok()?.to_owned()
        }
    };
    Some(claim)
}

/// `$decoded_ojwt`: the claims as JSON, or `failed: ` and the reason.
fn decoded<'r>(request: Request<'r>, conf: &'r LocationConf) -> Value<'r> {
    let outcome = match conf.gate() {
        Some(gate) => outcome(request, gate),
        None => Err(Denial::InternalError),
    };
    let text = match outcome {
        Ok(Outcome { verdict: Ok(claims), .. }) => claims.as_json(),
        Ok(Outcome { verdict: Err(denial), .. }) => denial.verdict(),
        Err(denial) => denial.verdict(),
    };
    Value::Text(text.as_bytes())
}

/// `$ojwt_status`: `ok` or the reason as one word, empty where nothing was evaluated. It asks for
/// no evaluation: it tells of this location's gate, else of the last that was asked.
fn status<'r>(request: Request<'r>, conf: &'r LocationConf) -> Value<'r> {
    if let Some(denial) = overruled(request) {
        return Value::Text(denial.code().as_bytes());
    }
    let here =
        conf.gate().and_then(|gate| outcomes(request).find(|(asked, _)| Rc::ptr_eq(asked, gate)));
    let text = match here.or_else(|| outcomes(request).last()) {
        None => "",
        Some((_, Ok(Outcome { verdict: Ok(_), .. }))) => "ok",
        Some((_, Ok(Outcome { verdict: Err(denial), .. }))) => denial.code(),
        Some((_, Err(denial))) => denial.code(),
    };
    Value::Text(text.as_bytes())
}

/// `$ojwt_args`: the arguments of the request, without those that may carry a token.
fn args<'r>(request: Request<'r>, conf: &'r LocationConf) -> Value<'r> {
    let names = sources(conf).filter_map(Source::argument);
    let kept =
        names.fold(request.args().to_vec(), |args, name| transport::without_argument(&args, name));
    request.copy(&kept).map_or(Value::Missing, Value::Text)
}

/// `$ojwt_http_cookie`: the cookies of the request, without those that may carry a token.
fn http_cookie<'r>(request: Request<'r>, conf: &'r LocationConf) -> Value<'r> {
    let cookies: Vec<&[u8]> = request.header(b"Cookie").collect();
    let names = sources(conf).filter_map(Source::cookie);
    let kept = names
        .fold(cookies.join(&b"; "[..]), |cookies, name| transport::without_cookie(&cookies, name));
    request.copy(&kept).map_or(Value::Missing, Value::Text)
}

/// `$jwt_claims`: the claims of a verified token as JSON.
fn claims<'r>(request: Request<'r>, conf: &'r LocationConf) -> Value<'r> {
    verified(request, conf)
        .map_or(Value::Missing, |claims| Value::Text(claims.as_json().as_bytes()))
}

/// `$jwt_payload`: what a verified token encloses: another token where it is nested, else its claims.
fn payload<'r>(request: Request<'r>, conf: &'r LocationConf) -> Value<'r> {
    verified(request, conf)
        .map_or(Value::Missing, |claims| Value::Text(claims.payload().as_bytes()))
}

/// `$jwt_nowtime`: the time that tokens are judged by, in seconds since the epoch.
fn now<'r>(request: Request<'r>, _conf: &'r LocationConf) -> Value<'r> {
    let seconds = fence::now().to_string();
    request.copy(seconds.as_bytes()).map_or(Value::Missing, Value::Text)
}

/// `$jwt_claim_NAME`: a claim of a verified token.
fn claim<'r>(request: Request<'r>, conf: &'r LocationConf, name: &str) -> Value<'r> {
    value_at(request, conf, Part::Claims, &[name])
}

/// `$jwt_header_NAME`: a header parameter of a verified token.
fn header<'r>(request: Request<'r>, conf: &'r LocationConf, name: &str) -> Value<'r> {
    value_at(request, conf, Part::Header, &[name])
}

/// The value of a variable of `auth_jwt_claim_set` or `auth_jwt_header_set`.
pub(crate) fn named_value<'r>(
    request: Request<'r>,
    conf: &'r LocationConf,
    named: &NamedValue,
) -> Value<'r> {
    value_at(request, conf, named.part, &named.path)
}

fn value_at<'r, N: AsRef<str>>(
    request: Request<'r>,
    conf: &'r LocationConf,
    part: Part,
    names: &[N],
) -> Value<'r> {
    if let Some(token) = choosing(request) {
        let json = match part {
            Part::Header => Some(token.header()),
            Part::Claims => token.claims(),
        };
        let text = json.and_then(|json| path::lookup(json, names)).map(path::render);
        return text.map_or(Value::Missing, |text| copied(request, &text));
    }
    let Some(claims) = verified(request, conf) else { return Value::Missing };
    match path::lookup(part.of(claims), names).map(path::render) {
        None => Value::Missing,
        Some(Cow::Borrowed(text)) => Value::Text(text.as_bytes()),
        Some(Cow::Owned(text)) => copied(request, &text),
    }
}

fn copied<'r>(request: Request<'r>, text: &str) -> Value<'r> {
    request.copy(text.as_bytes()).map_or(Value::Missing, Value::Text)
}

/// The claims of the request's token, if it is good, or of the one that a gate is comparing now.
fn verified<'r>(request: Request<'r>, conf: &'r LocationConf) -> Option<&'r Claims> {
    if let Some(claims) = shown(request) {
        return Some(claims);
    }
    outcome(request, conf.claims_gate()?).ok()?.verdict.as_deref().ok()
}

fn sources(conf: &LocationConf) -> impl Iterator<Item = &Source> {
    conf.gate().into_iter().flat_map(|gate| &gate.sources)
}
