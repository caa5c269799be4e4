//! The directives: each a function from words to a setting, or an error for `nginx -t`.

use core::ffi::CStr;
use std::rc::Rc;

use ojwt_core::keys::KeyFormat;
use ojwt_core::policy::requirement::{self, Comparison, Operand, Operator, Part, Pattern};
use ojwt_core::text::json::Json;
use ojwt_core::text::path::Path;
use ojwt_core::{Alg, TokenType};

use crate::config::advice;
use crate::config::location::LocationConf;
use crate::config::main_conf::{MainConf, NamedValue};
use crate::config::settings::{
    Auth, AuthSetting, CacheSetting, Cookie, CookieSetting, Phase, Requirement, SameSite, Secure,
    TokenRequirement, WwwAuthenticate,
};
use crate::fence::conf::{
    self, Conf, ForeignDirective, NGX_CONF_1MORE, NGX_CONF_2MORE, NGX_CONF_TAKE1, NGX_CONF_TAKE3,
    NGX_CONF_TAKE12, NGX_HTTP_LMT_CONF, NGX_HTTP_LOC_CONF, NGX_HTTP_MAIN_CONF, NGX_HTTP_SRV_CONF,
};
use crate::fence::log::Level;
use crate::fence::printable;
use crate::gate::token_source::Source;
use crate::gate::{VariableRequirement, new_cache};
use crate::keys::files;
use crate::keys::sources::{Locator, LocatorWord};
use crate::lists::revocation::RevocationFile;

/// A directive of the module.
pub(crate) struct Directive {
    pub(crate) name: &'static CStr,
    /// Where the directive may stand, and with how many words.
    pub(crate) usage: u32,
    pub(crate) set: Set,
}

/// The prefix of names that another module may also have, and the prefix of the second names, which
/// stand for them.
const SHARED: &str = "auth_jwt";
const SECOND: &str = "ojwt";

/// The room for a second name, in bytes.
pub(crate) const MAX_NAME: usize = 48;

/// The second name of a directive, ended by NUL; `None` if no other module has the first name.
#[allow(clippy::indexing_slicing)] // Evaluated when compiled.
pub(crate) const fn second_name(name: &CStr) -> Option<[u8; MAX_NAME]> {
    let name = name.to_bytes();
    let mut index = 0;
    while index < SHARED.len() {
        if index == name.len() || name[index] != SHARED.as_bytes()[index] {
            return None;
        }
        index += 1;
    }
    let mut second = [0; MAX_NAME];
    let mut end = 0;
    while end < SECOND.len() {
        second[end] = SECOND.as_bytes()[end];
        end += 1;
    }
    while index < name.len() {
        second[end] = name[index];
        (index, end) = (index + 1, end + 1);
    }
    assert!(end < MAX_NAME);
    Some(second)
}

/// Whether this is the name of a directive of ours that another module may also have.
pub(crate) fn is_shared_name(name: &[u8]) -> bool {
    name.starts_with(SHARED.as_bytes())
        && DIRECTIVES.iter().any(|directive| directive.name.to_bytes() == name)
}

/// Refuses a directive under a name that another module may have, if one has any such name: nginx
/// gives each directive to the first module that has its name, without a message.
///
/// # Errors
///
/// What to write instead.
pub(crate) fn check_name(cf: Conf<'_>, rival: &ForeignDirective) -> Result<(), ConfError> {
    let written = printable(directive_name(cf));
    let Some(rest) = written.strip_prefix(SHARED) else { return Ok(()) };
    let ForeignDirective { module, name } = rival;
    Err(ConfError(format!(
        "\"{written}\" is ambiguous, since module \"{module}\" has a directive \"{name}\", too: write \
         \"{SECOND}{rest}\""
    )))
}

/// What a directive changes.
pub(crate) enum Set {
    /// The level that the directive stands in.
    Level(fn(Conf<'_>, &mut LocationConf) -> Result<(), ConfError>),
    /// The level that the directive stands in, with the help of what the whole `http` block shares.
    Shared(fn(Conf<'_>, &mut LocationConf, &mut MainConf) -> Result<(), ConfError>),
    /// The whole `http` block, to which the directive adds a variable.
    Variable(fn(Conf<'_>) -> Result<NamedValue, ConfError>),
}

/// What is wrong with a directive; nginx adds the file and the line.
pub(crate) struct ConfError(pub(crate) String);

/// The smallest cache that is useful, in bytes.
const MIN_CACHE_SIZE: usize = 64 * 1024;

const LEVELS: u32 = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

/// The directives, by name.
pub(crate) const DIRECTIVES: [Directive; 21] = [
    Directive {
        name: c"auth_jwt",
        usage: LEVELS | NGX_HTTP_LMT_CONF | NGX_CONF_TAKE12,
        set: Set::Level(auth_jwt),
    },
    Directive {
        name: c"auth_jwt_algorithms",
        usage: LEVELS | NGX_CONF_1MORE,
        set: Set::Level(|cf, conf| {
            auth_jwt_algorithms(cf, conf)?;
            let name = || printable(directive_name(cf));
            conf.places.algorithms = cf.place().map(|place| (place, name()));
            Ok(())
        }),
    },
    Directive {
        name: c"auth_jwt_cache",
        usage: LEVELS | NGX_CONF_TAKE1,
        set: Set::Level(auth_jwt_cache),
    },
    Directive {
        name: c"auth_jwt_claim_set",
        usage: NGX_HTTP_MAIN_CONF | NGX_CONF_2MORE,
        set: Set::Variable(|cf| named_value(cf, Part::Claims)),
    },
    Directive {
        name: c"auth_jwt_header_set",
        usage: NGX_HTTP_MAIN_CONF | NGX_CONF_2MORE,
        set: Set::Variable(|cf| named_value(cf, Part::Header)),
    },
    Directive {
        name: c"auth_jwt_key_cache",
        usage: LEVELS | NGX_CONF_TAKE1,
        set: Set::Level(auth_jwt_key_cache),
    },
    Directive {
        name: c"auth_jwt_key_file",
        usage: LEVELS | NGX_HTTP_LMT_CONF | NGX_CONF_TAKE12,
        set: Set::Shared(|cf, conf, main| {
            auth_jwt_key_file(cf, conf, main)?;
            advice::note_key_file(cf, conf, main);
            Ok(())
        }),
    },
    Directive {
        name: c"auth_jwt_key_request",
        usage: LEVELS | NGX_HTTP_LMT_CONF | NGX_CONF_TAKE12,
        set: Set::Shared(|cf, conf, main| {
            auth_jwt_key_request(cf, conf, main)?;
            conf.places.key_requests.get_or_insert_default().extend(cf.place());
            Ok(())
        }),
    },
    Directive {
        name: c"auth_jwt_leeway",
        usage: LEVELS | NGX_CONF_TAKE1,
        set: Set::Level(auth_jwt_leeway),
    },
    Directive {
        name: c"auth_jwt_max_token_size",
        usage: LEVELS | NGX_CONF_TAKE1,
        set: Set::Level(auth_jwt_max_token_size),
    },
    Directive {
        name: c"auth_jwt_phase",
        usage: LEVELS | NGX_CONF_TAKE1,
        set: Set::Level(auth_jwt_phase),
    },
    Directive {
        name: c"auth_jwt_require",
        usage: LEVELS | NGX_HTTP_LMT_CONF | NGX_CONF_1MORE,
        set: Set::Shared(|cf, conf, main| {
            auth_jwt_require(cf, conf)?;
            advice::of_values(cf, main);
            Ok(())
        }),
    },
    Directive {
        name: c"auth_jwt_require_claim",
        usage: LEVELS | NGX_HTTP_LMT_CONF | NGX_CONF_TAKE3,
        set: Set::Level(auth_jwt_require_claim),
    },
    Directive {
        name: c"auth_jwt_require_header",
        usage: LEVELS | NGX_HTTP_LMT_CONF | NGX_CONF_TAKE3,
        set: Set::Level(auth_jwt_require_header),
    },
    Directive {
        name: c"auth_jwt_revocation_list_jti",
        usage: LEVELS | NGX_HTTP_LMT_CONF | NGX_CONF_TAKE1,
        set: Set::Shared(|cf, conf, main| revocation_list(cf, &mut conf.revocations.jti, main)),
    },
    Directive {
        name: c"auth_jwt_revocation_list_kid",
        usage: LEVELS | NGX_HTTP_LMT_CONF | NGX_CONF_TAKE1,
        set: Set::Shared(|cf, conf, main| revocation_list(cf, &mut conf.revocations.kid, main)),
    },
    Directive {
        name: c"auth_jwt_revocation_list_sub",
        usage: LEVELS | NGX_HTTP_LMT_CONF | NGX_CONF_TAKE1,
        set: Set::Shared(|cf, conf, main| revocation_list(cf, &mut conf.revocations.sub, main)),
    },
    Directive {
        name: c"auth_jwt_type",
        usage: LEVELS | NGX_HTTP_LMT_CONF | NGX_CONF_TAKE1,
        set: Set::Level(auth_jwt_type),
    },
    Directive {
        name: c"auth_jwt_www_authenticate",
        usage: LEVELS | NGX_HTTP_LMT_CONF | NGX_CONF_TAKE1,
        set: Set::Level(auth_jwt_www_authenticate),
    },
    Directive {
        name: c"ojwt_token_from",
        usage: LEVELS | NGX_CONF_1MORE,
        set: Set::Level(ojwt_token_from),
    },
    Directive {
        name: c"ojwt_cookie",
        usage: LEVELS | NGX_CONF_1MORE,
        set: Set::Level(ojwt_cookie),
    },
];

/// `auth_jwt REALM|off [token=$variable];`
fn auth_jwt(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let directive = directive_name(cf);
    let mut words = cf.words().skip(1);
    let realm = words.next().unwrap_or_default();
    let token = match words.next().map(|word| (word, split(word))) {
        None => None,
        Some((_, (b"token", Some(variable)))) if variable.starts_with(b"$") => Some(variable),
        Some((word, _)) => return Err(invalid_parameter(word)),
    };
    let compile = |word: &[u8]| cf.compile(word).ok_or_else(|| invalid_value(directive, word));
    let token = token.map(compile).transpose()?;
    let setting = if realm == b"off" {
        AuthSetting::Off { token }
    } else {
        AuthSetting::On(Auth { realm: compile(realm)?, token })
    };
    once(&mut conf.auth, setting, directive)
}

/// `auth_jwt_algorithms NAME ...;`
fn auth_jwt_algorithms(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let algorithms = cf
        .words()
        .skip(1)
        .map(|word| {
            let name = core::str::from_utf8(word).ok();
            name.and_then(Alg::from_name).ok_or_else(|| {
                ConfError(format!("unknown or unsafe algorithm \"{}\"", printable(word)))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    once(&mut conf.algorithms, algorithms, directive_name(cf))
}

/// `auth_jwt_cache SIZE|off;`
fn auth_jwt_cache(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let (name, [word]) = words(cf)?;
    let cache = if word == b"off" {
        CacheSetting::Off
    } else {
        let size = conf::size(word).filter(|size| *size >= MIN_CACHE_SIZE);
        CacheSetting::On(new_cache(size.ok_or_else(|| invalid_value(name, word))?))
    };
    once(&mut conf.cache, cache, name)
}

/// `auth_jwt_claim_set $variable NAME ...;` and `auth_jwt_header_set $variable NAME ...;`
fn named_value(cf: Conf<'_>, part: Part) -> Result<NamedValue, ConfError> {
    let mut words = cf.words().skip(1);
    let word = words.next().unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let variable = word
        .strip_prefix(b"$")
        .filter(|name| !name.is_empty() && name.iter().all(is_name))
        .ok_or_else(|| ConfError(format!("invalid variable name \"{}\"", printable(word))))?;
    let path = words
        .map(|name| String::from_utf8(name.to_vec()).map_err(|_| invalid_parameter(name)))
        .collect::<Result<_, _>>()?;
    Ok(NamedValue { variable: variable.to_ascii_lowercase(), part, path })
}

/// `auth_jwt_phase preaccess|access;`
fn auth_jwt_phase(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let (name, [word]) = words(cf)?;
    let phase = match word {
        b"preaccess" => Phase::Preaccess,
        b"access" => Phase::Access,
        _ => return Err(invalid_value(name, word)),
    };
    once(&mut conf.phase, phase, name)
}

/// `auth_jwt_type signed|encrypted|nested;`
fn auth_jwt_type(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let (name, [word]) = words(cf)?;
    let token_type = match word {
        b"signed" => TokenType::Signed,
        b"encrypted" => TokenType::Encrypted,
        b"nested" => TokenType::Nested,
        _ => return Err(invalid_value(name, word)),
    };
    once(&mut conf.token_type, token_type, name)
}

/// `auth_jwt_require $value ... [error=STATUS];`
fn auth_jwt_require(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let mut status = None;
    let mut values = Vec::new();
    for word in cf.words().skip(1) {
        if let (b"error", Some(code)) = split(word) {
            let code = core::str::from_utf8(code).ok().and_then(|code| code.parse().ok());
            // nginx keeps 444 and 499 for closing connections without an answer.
            let code = code.filter(|code| (400..600).contains(code) && ![444, 499].contains(code));
            once(&mut status, code.ok_or_else(|| invalid_parameter(word))?, b"error")?;
        } else if word.starts_with(b"$") {
            values.push(cf.compile(word).ok_or_else(|| invalid_parameter(word))?);
        } else {
            return Err(invalid_parameter(word));
        }
    }
    if values.is_empty() {
        return Err(ConfError("no value is required".to_owned()));
    }
    let requirement = Requirement { values, status: status.unwrap_or(401) };
    conf.requirements.get_or_insert_with(Vec::new).push(requirement);
    Ok(())
}

/// `auth_jwt_require_claim PATH OPERATOR VALUE;`
fn auth_jwt_require_claim(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let requirement = token_requirement(cf, Part::Claims)?;
    conf.claims_required.get_or_insert_with(Vec::new).push(requirement);
    Ok(())
}

/// `auth_jwt_require_header NAME OPERATOR VALUE;`
fn auth_jwt_require_header(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let requirement = token_requirement(cf, Part::Header)?;
    conf.headers_required.get_or_insert_with(Vec::new).push(requirement);
    Ok(())
}

/// `PATH OPERATOR $variable|json=TEXT|TEXT`
fn token_requirement(cf: Conf<'_>, part: Part) -> Result<TokenRequirement, ConfError> {
    let (directive, [path, operator, word]) = words(cf)?;
    let quoted = |word| format!("\"{}\"", printable(word));
    let comparison = comparison(part, path, operator)?;
    let operator = comparison.operator;
    let text = core::str::from_utf8(word).map_err(|_| invalid_value(directive, word))?;
    let json = text.strip_prefix("json=").map(|text| {
        Json::parse(text.as_bytes())
            .map_err(|_| ConfError(format!("{} is not strict JSON", quoted(word))))
    });
    let has_variable = match (json.is_some(), operator) {
        (false, Operator::Match) | (true, _) => names_variable(word),
        // nginx itself reports a lone dollar sign.
        (false, _) => word.contains(&b'$'),
    };
    let operand = match (json.transpose()?, operator) {
        (_, Operator::Match) if has_variable => {
            return Err(ConfError(format!("no pattern may hold a variable: {}", quoted(word))));
        }
        (Some(_), _) if has_variable => {
            return Err(ConfError(format!(
                "no variable may stand in \"json=\", write \"$\" as \"\\u0024\": {}",
                quoted(word)
            )));
        }
        (None, _) if has_variable => {
            let operand = cf.compile(word).ok_or_else(|| invalid_value(directive, word))?;
            return Ok(TokenRequirement::Variable(VariableRequirement { comparison, operand }));
        }
        (Some(json), Operator::Match) => match json.root().as_str() {
            Some(text) => Operand::Pattern(pattern(&text)?),
            None => Operand::Json(json),
        },
        (Some(json), _) => Operand::Json(json),
        (None, Operator::Match) => Operand::Pattern(pattern(text)?),
        (None, _) => Operand::Text(text.to_owned()),
    };
    match operator.misses(&operand) {
        None => Ok(TokenRequirement::Constant(requirement::Requirement::new(comparison, &operand))),
        Some(wanted) => Err(ConfError(format!(
            "operator \"{}\" needs {wanted}, not {}",
            operator.name(),
            quoted(word)
        ))),
    }
}

/// What a requirement compares, and how.
fn comparison(part: Part, path: &[u8], operator: &[u8]) -> Result<Comparison, ConfError> {
    let quoted = |word| format!("\"{}\"", printable(word));
    let path = core::str::from_utf8(path)
        .ok()
        // A variable here would be taken for a name, which no token has.
        .filter(|path| !path.starts_with('$'))
        .and_then(Path::parse)
        .ok_or_else(|| ConfError(format!("invalid path {}", quoted(path))))?;
    let (operator, negated) = core::str::from_utf8(operator)
        .ok()
        .and_then(Operator::from_name)
        .ok_or_else(|| ConfError(format!("unknown operator {}", quoted(operator))))?;
    Ok(Comparison { part, path, operator, negated })
}

fn pattern(text: &str) -> Result<Pattern, ConfError> {
    Pattern::new(text).map_err(|error| {
        ConfError(format!("pattern \"{}\": {}", printable(text.as_bytes()), error))
    })
}

/// Whether nginx would see a variable in a word; in a pattern, a dollar sign may also end a line.
fn names_variable(word: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'{');
    word.windows(2).any(|pair| matches!(pair, [b'$', next] if is_name(next)))
}

/// `auth_jwt_revocation_list_sub FILE;` and the directives for `kid` and `jti`; all lists of a
/// level apply.
fn revocation_list(
    cf: Conf<'_>,
    lists: &mut Vec<Rc<RevocationFile>>,
    main: &mut MainConf,
) -> Result<(), ConfError> {
    let (directive, [file]) = words(cf)?;
    if file.contains(&b'$') {
        return Err(ConfError(format!(
            "variables in \"{}\" are not supported: \"{}\"",
            printable(directive),
            printable(file)
        )));
    }
    let path = cf.full_path(file).ok_or_else(|| ConfError("out of memory".to_owned()))?;
    let name = printable(path.as_os_str().as_encoded_bytes());
    let list = main
        .revocation_file(path)
        .map_err(|error| ConfError(format!("revocation list \"{name}\": {error}")))?;
    if !lists.iter().any(|named| Rc::ptr_eq(named, &list)) {
        lists.push(list);
    }
    Ok(())
}

/// `auth_jwt_www_authenticate on|off|STRING;`
fn auth_jwt_www_authenticate(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let (name, [word]) = words(cf)?;
    let value = match word {
        b"on" => WwwAuthenticate::Bearer,
        b"off" => WwwAuthenticate::Off,
        b"" => return Err(invalid_value(name, word)),
        _ => WwwAuthenticate::Custom(cf.compile(word).ok_or_else(|| invalid_value(name, word))?),
    };
    once(&mut conf.www_authenticate, value, name)
}

/// `auth_jwt_key_cache TIME;`
fn auth_jwt_key_cache(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let (name, [time]) = words(cf)?;
    let seconds = conf::seconds(time).ok_or_else(|| invalid_value(name, time))?;
    once(&mut conf.key_cache, seconds, name)
}

/// `auth_jwt_key_file FILE [jwks|keyval|pem];` adds the keys of a file to those of this level.
fn auth_jwt_key_file(
    cf: Conf<'_>,
    conf: &mut LocationConf,
    main: &mut MainConf,
) -> Result<(), ConfError> {
    let (file, format) = key_source(cf)?;
    if file.contains(&b'$') {
        let mut locator = locator(cf, file, format)?;
        // The value of a token stands unencoded in a path; so only a path that the token may make
        // absolute is compiled again.
        if file.starts_with(b"$") {
            locator.without_token = Some(cf.compile(file).ok_or_else(|| invalid_parameter(file))?);
            main.locators.push(LocatorWord { locator, word: file.to_vec() });
        }
        conf.key_files.get_or_insert_default().named.push(locator);
        return Ok(());
    }
    let path = cf.full_path(file).ok_or_else(|| ConfError("out of memory".to_owned()))?;
    let name = printable(path.as_os_str().as_encoded_bytes());
    let contents = files::read(&path)
        .map_err(|error| ConfError(format!("key file \"{name}\" cannot be read: {error}")))?;
    let builder = &mut conf.key_files.get_or_insert_default().fixed;
    builder
        .add(&contents, format)
        .map_err(|error| ConfError(format!("key file \"{name}\": {error}")))?;
    for warning in builder.take_warnings() {
        cf.log(Level::Warn, &format!("key file \"{name}\": {warning}"));
    }
    Ok(())
}

/// `auth_jwt_key_request URI [jwks|keyval|pem];` adds the keys that a subrequest brings.
fn auth_jwt_key_request(
    cf: Conf<'_>,
    conf: &mut LocationConf,
    main: &mut MainConf,
) -> Result<(), ConfError> {
    let (uri, format) = key_source(cf)?;
    if !uri.starts_with(b"/") && !uri.starts_with(b"$") {
        return Err(ConfError(format!("invalid URI \"{}\"", printable(uri))));
    }
    let locator = locator(cf, uri, format)?;
    main.locators.push(LocatorWord { locator, word: uri.to_vec() });
    conf.key_requests.get_or_insert_default().push(locator);
    main.used.key_requests = true;
    Ok(())
}

/// Where the keys are, and in which format.
fn key_source(cf: Conf<'_>) -> Result<(&[u8], Option<KeyFormat>), ConfError> {
    let mut words = cf.words().skip(1);
    let place = words.next().unwrap_or_default();
    let format = match words.next() {
        None => None,
        Some(b"jwks") => Some(KeyFormat::Jwks),
        Some(b"keyval") => Some(KeyFormat::Keyval),
        Some(b"pem") => Some(KeyFormat::Pem),
        Some(word) => return Err(invalid_parameter(word)),
    };
    Ok((place, format))
}

fn locator(cf: Conf<'_>, word: &[u8], format: Option<KeyFormat>) -> Result<Locator, ConfError> {
    let value = cf.compile(word).ok_or_else(|| invalid_parameter(word))?;
    let (has_variables, climbs) = (word.contains(&b'$'), files::climbs(word));
    Ok(Locator { value, format, has_variables, climbs, without_token: None })
}

/// `auth_jwt_leeway TIME;`
fn auth_jwt_leeway(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let (name, [time]) = words(cf)?;
    let seconds = conf::seconds(time).ok_or_else(|| invalid_value(name, time))?;
    once(&mut conf.leeway, seconds, name)
}

/// `auth_jwt_max_token_size SIZE;`
fn auth_jwt_max_token_size(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let (name, [size]) = words(cf)?;
    let bytes = conf::size(size).filter(|bytes| *bytes > 0);
    once(&mut conf.max_token_size, bytes.ok_or_else(|| invalid_value(name, size))?, name)
}

/// `ojwt_token_from arg=NAME cookie=NAME header=NAME bearer ...;`
fn ojwt_token_from(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let name = directive_name(cf);
    let mut sources = Vec::new();
    for word in cf.words().skip(1) {
        let source = match split(word) {
            (b"bearer", None) => Source::Bearer,
            (b"arg", Some(name)) if is_argument_name(name) => Source::Argument(name.to_vec()),
            (b"cookie", Some(name)) if is_token(name) => Source::Cookie(name.to_vec()),
            (b"header", Some(name)) if is_token(name) => Source::Header(name.to_vec()),
            _ => return Err(invalid_parameter(word)),
        };
        if sources.contains(&source) {
            return Err(ConfError(format!("duplicate parameter \"{}\"", printable(word))));
        }
        sources.push(source);
    }
    once(&mut conf.token_from, sources, name)
}

/// `ojwt_cookie NAME|off [secure=auto|on|off] [samesite=lax|strict|none] [path=/] [domain=D];`
fn ojwt_cookie(cf: Conf<'_>, conf: &mut LocationConf) -> Result<(), ConfError> {
    let directive = directive_name(cf);
    let mut words = cf.words().skip(1);
    let name = words.next().unwrap_or_default();
    if name == b"off" {
        return match words.next() {
            Some(word) => Err(invalid_parameter(word)),
            None => once(&mut conf.cookie, CookieSetting::Off, directive),
        };
    }
    if !is_token(name) {
        return Err(ConfError(format!("invalid cookie name \"{}\"", printable(name))));
    }
    let mut cookie = Cookie { name: name.to_vec(), ..Cookie::default() };
    for word in words {
        match split(word) {
            (b"secure", Some(b"auto")) => cookie.secure = Secure::Auto,
            (b"secure", Some(b"on")) => cookie.secure = Secure::Always,
            (b"secure", Some(b"off")) => cookie.secure = Secure::Never,
            (b"samesite", Some(b"lax")) => cookie.same_site = SameSite::Lax,
            (b"samesite", Some(b"strict")) => cookie.same_site = SameSite::Strict,
            (b"samesite", Some(b"none")) => cookie.same_site = SameSite::None,
            (b"path", Some(path)) if path.starts_with(b"/") && is_attribute_value(path) => {
                cookie.path = path.to_vec();
            }
            (b"domain", Some(domain)) if !domain.is_empty() && is_attribute_value(domain) => {
                cookie.domain = Some(domain.to_vec());
            }
            _ => return Err(invalid_parameter(word)),
        }
    }
    if cookie.same_site == SameSite::None && cookie.secure == Secure::Never {
        return Err(ConfError(
            "\"samesite=none\" with \"secure=off\": browsers refuse such a cookie".to_owned(),
        ));
    }
    once(&mut conf.cookie, CookieSetting::On(cookie), directive)
}

/// Sets a value that may be set once per level; an error if it is set already.
fn once<T>(slot: &mut Option<T>, value: T, directive: &[u8]) -> Result<(), ConfError> {
    if slot.is_some() {
        return Err(ConfError(format!("\"{}\" directive is duplicate", printable(directive))));
    }
    *slot = Some(value);
    Ok(())
}

/// The directive's name and its words, whose number nginx has checked.
fn words<const N: usize>(cf: Conf<'_>) -> Result<(&[u8], [&[u8]; N]), ConfError> {
    let words: Vec<&[u8]> = cf.words().skip(1).collect();
    let words =
        words.try_into().map_err(|_| ConfError("invalid number of arguments".to_owned()))?;
    Ok((directive_name(cf), words))
}

fn directive_name(cf: Conf<'_>) -> &[u8] {
    cf.words().next().unwrap_or_default()
}

/// Splits `name=value`.
fn split(word: &[u8]) -> (&[u8], Option<&[u8]>) {
    match word.iter().position(|byte| *byte == b'=').and_then(|at| word.split_at_checked(at)) {
        Some((name, value)) => (name, value.get(1..)),
        None => (word, None),
    }
}

/// Whether a name is a token of RFC 9110 section 5.6.2, as names of cookies and header fields are.
fn is_token(name: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_tchar)
}

/// Whether a name stands unencoded in a query. `$` would look like a variable, which it is not.
fn is_argument_name(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"&=%+#$".contains(byte);
    !name.is_empty() && name.iter().all(is_plain)
}

/// Whether this may be the value of a cookie attribute: printable, and without a character that
/// would end the attribute.
fn is_attribute_value(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b';' && *byte != b',')
}

fn invalid_value(directive: &[u8], value: &[u8]) -> ConfError {
    ConfError(format!("invalid value \"{}\" in \"{}\"", printable(value), printable(directive)))
}

fn invalid_parameter(word: &[u8]) -> ConfError {
    ConfError(format!("invalid parameter \"{}\"", printable(word)))
}
