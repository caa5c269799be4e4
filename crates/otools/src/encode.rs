//! `otools encode`.

use ojwt_core::Alg;
use ojwt_core::denial::Defect;
use ojwt_core::issue::sign::SigningKey;
use ojwt_core::keys::KeyError;
use ojwt_core::text::json::{Json, Object, Value};
use ojwt_core::token::claims::strings;
use ojwt_core::verify::DEFAULT_MAX_TOKEN_SIZE;

use crate::args::Encode;
use crate::error::{Error, warn};
use crate::files::{self, Existing, Readers};
use crate::{keys, time};

/// The largest file of claims, in bytes: no gate accepts a token of this size.
const MAX_CLAIMS_SIZE: usize = 1024 * 1024;

pub(crate) fn run(args: &Encode) -> Result<(), Error> {
    let claims = claims(args)?;
    let key = keys::signing_key(&args.key)?;
    let alg = alg(&key, args.alg).map_err(|what| Error::of(&args.key, what))?;
    let kid = args.kid.as_deref().or(key.kid());
    let mut token =
        key.sign(alg, kid, claims.as_bytes()).map_err(|error| Error::of(&args.key, error))?;
    if token.len() > DEFAULT_MAX_TOKEN_SIZE {
        let bytes = token.len();
        warn(format_args!(
            "a token of {bytes} bytes; {DEFAULT_MAX_TOKEN_SIZE} is what verifiers take by default"
        ));
    }
    token.push('\n');
    files::write(&args.output, token.as_bytes(), Readers::Owner, Existing::ReplacedUnlessSecret)
}

/// The algorithm that is asked for, otherwise that of the JWK, otherwise the first that fits the
/// key.
fn alg(key: &SigningKey, asked: Option<Alg>) -> Result<Alg, String> {
    let material = key.material().map_err(|error| error.to_string())?;
    let fitting = material.algs().map_err(|error| error.to_string())?;
    let own = key.alg();
    match asked.or(own).or(fitting.first().copied()) {
        Some(alg) if !fitting.contains(&alg) => Err(format!("the key cannot sign with {alg}")),
        Some(alg) => match own {
            Some(own) if !own.covers(alg) && !alg.covers(own) => {
                Err(format!("the key is for {own}, not for {alg}"))
            }
            _ => Ok(alg),
        },
        None => Err(KeyError::NoKey.to_string()),
    }
}

/// The claims as a JSON object.
fn claims(args: &Encode) -> Result<String, Error> {
    let mut claims = Members::default();
    if let Some(object) = &args.claims {
        add_object(&mut claims, args, object)?;
    }
    if let Some(message) = &args.message {
        claims.add("message", string(message))?;
    }
    if let Some(host) = &args.host {
        claims.add("host", string(host))?;
    }
    let now = time::now();
    for (name, given) in [("exp", &args.exp), ("nbf", &args.nbf), ("iat", &args.iat)] {
        if let Some(text) = given {
            let time = time::parse(text, now)
                .map_err(|why| Error::Usage(format!("--{name} \"{text}\": {why}")))?;
            claims.add(name, time::numeric_date(time))?;
        }
    }
    let issued_now = claims.0.len();
    for claim in &args.claim {
        let (name, value) = claim
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| Error::Usage(format!("--claim \"{claim}\": not NAME=VALUE")))?;
        let value = match Json::parse(value.as_bytes()) {
            Ok(json) => json.text().to_owned(),
            Err(Defect::Json) => string(value),
            Err(defect) => return Err(Error::Usage(format!("--claim {name}: {defect}"))),
        };
        claims.add(name, value)?;
    }
    if !claims.has("iat") {
        claims.0.insert(issued_now, ("iat".to_owned(), time::numeric_date(now)));
    }
    claims.into_object()
}

/// Adds the claims of `--claims`.
fn add_object(claims: &mut Members, args: &Encode, given: &str) -> Result<(), Error> {
    let json = match given.strip_prefix('@') {
        Some(file) => {
            let file = std::path::Path::new(file);
            if files::is_standard(file) && files::is_standard(&args.key) {
                return Err(Error::Usage("-k and --claims both are standard input".to_owned()));
            }
            let contents = files::read(file, MAX_CLAIMS_SIZE)?;
            if contents.len() > MAX_CLAIMS_SIZE {
                return Err(Error::of(file, format_args!("larger than {MAX_CLAIMS_SIZE} bytes")));
            }
            Json::parse_object(&contents).map_err(|defect| Error::of(file, KeyError::Json(defect)))
        }
        None => Json::parse_object(given.as_bytes())
            .map_err(|defect| Error::Usage(format!("--claims: {}", KeyError::Json(defect)))),
    }?;
    for (name, value) in json.root().as_object().into_iter().flat_map(Object::members) {
        claims.add(&name, value.text().to_owned())?;
    }
    Ok(())
}

/// The members of the object that is being built: names, and values as JSON.
#[derive(Debug, Default)]
struct Members(Vec<(String, String)>);

impl Members {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(taken, _)| taken == name)
    }

    fn add(&mut self, name: &str, value: String) -> Result<(), Error> {
        if self.has(name) {
            return Err(Error::Usage(format!("the claim \"{name}\" is given twice")));
        }
        self.0.push((name.to_owned(), value));
        Ok(())
    }

    /// Builds the object, and refuses claims that every verifier would refuse.
    fn into_object(self) -> Result<String, Error> {
        let members: Vec<_> =
            self.0.iter().map(|(name, value)| format!("{}:{value}", string(name))).collect();
        let json = Json::parse_object(format!("{{{}}}", members.join(",")).as_bytes())
            .map_err(|defect| Error::Usage(format!("the claims: {defect}")))?;
        for (name, value) in json.root().as_object().into_iter().flat_map(Object::members) {
            if let Some(needed) = refusal(&name, value) {
                return Err(Error::Usage(format!("the claim \"{name}\" is not {needed}")));
            }
        }
        Ok(json.text().to_owned())
    }
}

/// What a registered claim (RFC 7519 section 4.1), or one of our own, must be, where it is not.
fn refusal(name: &str, value: Value<'_>) -> Option<&'static str> {
    match name {
        "exp" | "nbf" | "iat" => {
            let seconds: Option<f64> = value.as_number().and_then(|number| number.parse().ok());
            (!seconds.is_some_and(f64::is_finite)).then_some("a time in seconds since 1970")
        }
        "iss" | "sub" | "jti" => value.as_str().is_none().then_some("a string"),
        "aud" => strings(value).is_none().then_some("a string or an array of strings"),
        "host" | "Host" => {
            let is_host = |host: &str| {
                !host.contains(['/', '@', '?', '#', '\\'])
                    && !host.contains(char::is_whitespace)
                    && ojwt_core::token::host::Hosts::new(&[host.into()]).name(host.as_bytes())
            };
            let hosts = strings(value);
            let names = hosts
                .is_some_and(|hosts| !hosts.is_empty() && hosts.iter().all(|host| is_host(host)));
            (!names).then_some("a host's name, as example.com, or an array of them")
        }
        _ => None,
    }
}

fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
