//! `otools decode`.

use std::fmt::Write as _;

use ojwt_core::verify::DEFAULT_MAX_TOKEN_SIZE;
use ojwt_core::{Circumstances, Claims, Denial, KeyFormat, Policy, TokenType, Verifier};

use crate::args::Decode;
use crate::error::Error;
use crate::printable::printable;
use crate::{files, keys, time};

/// The claims that hold a `NumericDate`: those of RFC 7519 and of `OpenID` Connect Core.
const TIMES: [&str; 5] = ["exp", "nbf", "iat", "auth_time", "updated_at"];

/// How much input is read to find a token, which may have white space around it.
const MAX_INPUT_SIZE: usize = 1024 * 1024;

pub(crate) fn run(args: &Decode) -> Result<(), Error> {
    let (file, format) = match (&args.key, &args.jwks) {
        (Some(file), _) => (file, None),
        (None, Some(file)) => (file, Some(KeyFormat::Jwks)),
        (None, None) => return Err(Error::Usage("a key is needed: -k or --jwks".to_owned())),
    };
    if files::is_standard(file) && files::is_standard(&args.input) {
        let message = "token and key both are standard input: -i or -k should name a file";
        return Err(Error::Usage(message.to_owned()));
    }
    let keys = keys::verification_keys(file, format)?;
    let input = files::read(&args.input, MAX_INPUT_SIZE)?;
    let claims = verify(keys, input.trim_ascii(), args.host.as_deref()).map_err(|denial| {
        Error::Failed(match denial.detail() {
            Some(detail) => format!("{denial}: {detail}"),
            None => denial.to_string(),
        })
    })?;
    let shown = if args.json { format!("{}\n", claims.as_json()) } else { describe(&claims) };
    files::print(shown.as_bytes())
}

fn verify(keys: ojwt_core::KeySet, token: &[u8], host: Option<&str>) -> Result<Claims, Denial> {
    if token.is_empty() {
        return Err(Denial::NoToken);
    }
    let verifier = Verifier {
        policy: Policy::default(),
        token_type: TokenType::Signed,
        max_token_size: DEFAULT_MAX_TOKEN_SIZE,
    };
    let now = time::now().as_second();
    let at = Circumstances::new(now, host.map(str::as_bytes));
    verifier.verify(token, &[keys.into()], &at)
}

/// One claim per line: the name, the value as JSON and, for a time, the time in readable form.
fn describe(claims: &Claims) -> String {
    let mut text = String::new();
    for (name, value) in claims.members() {
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        let shown = if plain && !name.contains([':', '"']) {
            name.to_string()
        } else {
            serde_json::Value::from(&*name).to_string()
        };
        let time = value.as_number().filter(|_| TIMES.contains(&&*name));
        let _ = match time.and_then(time::of_numeric_date) {
            Some(time) => writeln!(text, "{}: {} ({time})", printable(&shown), value.text()),
            None => writeln!(text, "{}: {}", printable(&shown), printable(value.text())),
        };
    }
    text
}
