//! `encode`: a signed token.

use ojwt_core::json::{Json, Object};
use ojwt_core::keys::KeySetBuilder;
use ojwt_core::sign::{SigningKey, to_jwk};
use ojwt_core::verify::Verifier;
use ojwt_core::{Alg, Circumstances, Denial, Policy};

use crate::args::Encode;
use crate::files::{Existing, Secrecy, failed, write};
use crate::time::numeric_date;
use crate::{Failure, keys};

pub(crate) fn run(args: &Encode) -> Result<(), Failure> {
    let claims = claims(args)?;
    let key = keys::private(&args.key)?;
    let material = key.material().map_err(|error| failed(&args.key, &error.to_string()))?;
    let fitting = material.algs().map_err(|error| failed(&args.key, &error.to_string()))?;
    let alg = match (args.alg, fitting.first()) {
        (Some(alg), _) if fitting.contains(&alg) => alg,
        (None, Some(alg)) => *alg,
        (Some(alg), _) => {
            return Err(Failure::usage(format!(
                "--alg {alg}: the key signs with {}",
                fitting.iter().map(|alg| alg.name()).collect::<Vec<_>>().join(", ")
            )));
        }
        (None, None) => return Err(failed(&args.key, "signs with no algorithm")),
    };
    let kid = args.kid.as_deref().or(key.kid());
    let token = key
        .sign(alg, kid, claims.as_bytes())
        .map_err(|error| failed(&args.key, &error.to_string()))?;
    refuse_if_useless(&token, &key, alg)?;
    write(&args.output, &format!("{token}\n"), Secrecy::Secret, Existing::Replace)
}

/// The claims as a JSON object, in the order: `--claims`, `-m`, `-h`, times, `--claim`.
fn claims(args: &Encode) -> Result<String, Failure> {
    let mut claims = Claims::default();
    if let Some(text) = &args.claims {
        let json = Json::parse_object(text.as_bytes())
            .map_err(|defect| Failure::usage(format!("--claims is no object: {defect}")))?;
        for (name, value) in json.root().as_object().into_iter().flat_map(Object::members) {
            claims.add(&name, value.text())?;
        }
    }
    if let Some(message) = &args.message {
        claims.add("message", &quoted(message))?;
    }
    if let Some(host) = &args.host {
        claims.add("host", &quoted(host))?;
    }
    if !claims.has("iat") || args.iat != "now" {
        claims.add("iat", &numeric_date("--iat", &args.iat)?)?;
    }
    if let Some(time) = &args.nbf {
        claims.add("nbf", &numeric_date("--nbf", time)?)?;
    }
    if let Some(time) = &args.exp {
        claims.add("exp", &numeric_date("--exp", time)?)?;
    }
    for claim in &args.claim {
        let (name, value) = claim
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--claim \"{claim}\" is not NAME=VALUE")))?;
        let value = match Json::parse(value.as_bytes()) {
            Ok(json) => json.text().to_owned(),
            Err(_) => quoted(value),
        };
        claims.add(name, &value)?;
    }
    Ok(format!("{{{}}}", claims.members.join(",")))
}

#[derive(Default)]
struct Claims {
    names: Vec<String>,
    members: Vec<String>,
}

impl Claims {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|taken| taken == name)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        if self.has(name) {
            return Err(Failure::usage(format!("the claim \"{name}\" is given twice")));
        }
        self.names.push(name.to_owned());
        self.members.push(format!("{}:{value}", quoted(name)));
        Ok(())
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Refuses to hand out what no gate would accept at any time, such as an `exp` that is a string.
fn refuse_if_useless(token: &str, key: &SigningKey, alg: Alg) -> Result<(), Failure> {
    let failed = |error: String| Failure::failed(error);
    let material = key.material().map_err(|error| failed(error.to_string()))?;
    let mut keys = KeySetBuilder::new();
    let jwk = to_jwk(&material, None, Some(alg)).to_string();
    keys.add(jwk.as_bytes(), None).map_err(|error| failed(error.to_string()))?;
    let verifier = Verifier {
        keys: keys.build().0.into(),
        policy: Policy::default(),
        max_token_size: usize::MAX,
    };
    match verifier.verify(token.as_bytes(), &Circumstances { now: 0, host: None }) {
        Ok(_) | Err(Denial::Expired | Denial::NotYetValid) => Ok(()),
        Err(denial) => Err(Failure::usage(format!(
            "no gate would accept these claims: {denial} (the types of registered claims are \
             those of RFC 7519)"
        ))),
    }
}
