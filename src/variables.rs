//! Read-only views of the outcome.

use core::ffi::CStr;
use std::sync::Arc;

use ojwt_core::denial::Denial;
use ojwt_core::transport;

use crate::conf::LocationConf;
use crate::context::{Outcome, outcome, outcomes};
use crate::fence::request::Request;
use crate::fence::variable::Value;
use crate::source::Source;

/// A variable of the module.
pub(crate) struct Variable {
    pub(crate) name: &'static CStr,
    pub(crate) evaluate: for<'r> fn(Request<'r>, &'r LocationConf) -> Value<'r>,
    /// The value where evaluation fails for a fault of ours.
    pub(crate) on_fault: &'static str,
}

/// The variables, by name.
pub(crate) const VARIABLES: [Variable; 4] = [
    Variable {
        name: c"decoded_ojwt",
        evaluate: decoded,
        on_fault: Denial::InternalError.verdict(),
    },
    Variable { name: c"ojwt_status", evaluate: status, on_fault: Denial::InternalError.code() },
    Variable { name: c"ojwt_args", evaluate: args, on_fault: "" },
    Variable { name: c"ojwt_http_cookie", evaluate: http_cookie, on_fault: "" },
];

/// `$decoded_ojwt`: the claims as JSON, or `failed: ` and the reason.
fn decoded<'r>(request: Request<'r>, conf: &'r LocationConf) -> Value<'r> {
    let text = match outcome(request, conf) {
        Ok(Outcome { verdict: Ok(claims), .. }) => claims.as_json(),
        Ok(Outcome { verdict: Err(denial), .. }) => denial.verdict(),
        Err(denial) => denial.verdict(),
    };
    Value::Text(text.as_bytes())
}

/// `$ojwt_status`: `ok` or the reason as one word, empty where nothing was evaluated. It asks for
/// no evaluation: it tells of this location's gate, else of the last that was asked.
fn status<'r>(request: Request<'r>, conf: &'r LocationConf) -> Value<'r> {
    let here =
        conf.gate().and_then(|gate| outcomes(request).find(|(asked, _)| Arc::ptr_eq(asked, gate)));
    let text = match here.or_else(|| outcomes(request).last()) {
        None => "",
        Some((_, Outcome { verdict: Ok(_), .. })) => "ok",
        Some((_, Outcome { verdict: Err(denial), .. })) => denial.code(),
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

fn sources(conf: &LocationConf) -> impl Iterator<Item = &Source> {
    conf.gate().into_iter().flat_map(|gate| &gate.sources)
}
