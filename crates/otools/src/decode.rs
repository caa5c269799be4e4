//! `decode`: a token's claims, if it is good.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use ojwt_core::keys::KeySetBuilder;
use ojwt_core::sign::to_jwk;
use ojwt_core::verify::Verifier;
use ojwt_core::{Circumstances, Claims, Policy};

use crate::args::Decode;
use crate::files::{failed, read};
use crate::time::rendered;
use crate::{Failure, keys, print, printable};

/// Claims that are times (RFC 7519 section 4.1, `OpenID` Connect Core section 2).
const TIMES: [&str; 4] = ["exp", "nbf", "iat", "auth_time"];

pub(crate) fn run(args: &Decode) -> Result<(), Failure> {
    let Some(path) = args.key.as_ref().or(args.jwks.as_ref()) else {
        return Err(Failure::usage("--key or --jwks is needed: no claim is shown unverified"));
    };
    let mut set = KeySetBuilder::new();
    for key in keys::public(path)? {
        let jwk = to_jwk(&key.material, key.kid.as_deref(), key.alg).to_string();
        set.add(jwk.as_bytes(), None).map_err(|error| failed(path, &error.to_string()))?;
    }
    let token = read(&args.input)?;
    let verifier = Verifier {
        keys: set.build().0.into(),
        policy: Policy::default(),
        max_token_size: usize::MAX,
    };
    let at = Circumstances { now: now(), host: args.host.as_deref().map(str::as_bytes) };
    let claims = verifier.verify(token.trim_ascii(), &at).map_err(|denial| {
        Failure::failed(match denial.detail() {
            Some(detail) => format!("{denial}: {detail}"),
            None => denial.to_string(),
        })
    })?;
    if args.json { print(&format!("{}\n", claims.as_json())) } else { print(&table(&claims)) }
}

/// A line for each claim, times with a date beside them.
fn table(claims: &Claims) -> String {
    let mut table = String::new();
    for (name, value) in claims.members() {
        let date = TIMES
            .contains(&&*name)
            .then(|| value.as_number().and_then(rendered))
            .flatten()
            .map_or_else(String::new, |date| format!("  ({date})"));
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{}: {}{date}", printable(&name), value.text());
    }
    table
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
