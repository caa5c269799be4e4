//! What `nginx -t` warns of: configurations that are valid, but hardly do what was meant.

use std::path::{Path, PathBuf};

use ojwt_core::TokenType;
use ojwt_core::text::json::Json;

use crate::config::location::{KeyFilePlace, LocationConf};
use crate::config::main_conf::{MainConf, Trap, Warning};
use crate::config::names;
use crate::config::settings::TokenRequirement;
use crate::fence::conf::Conf;
use crate::fence::log::Level;
use crate::fence::printable;
use crate::fence::worker::{Access, Worker};
use crate::keys::files;

/// Claims whose type every gate checks (RFC 7519 section 4.1), so that none is `false`, `null` or
/// `{}`.
const TYPED: [&str; 7] = ["aud", "exp", "iat", "iss", "jti", "nbf", "sub"];

/// Warns where `auth_jwt_require` asks only that a claim be present, which may be mistaken for a
/// check that the claim is true.
pub(crate) fn of_values(cf: Conf<'_>, main: &MainConf) {
    let mut words = cf.words();
    let directive = printable(words.next().unwrap_or_default());
    let claim = |word: &[u8]| {
        let name = word.strip_prefix(b"$")?;
        let name = name.strip_prefix(b"{").and_then(|name| name.strip_suffix(b"}")).unwrap_or(name);
        names::claim_of(name, &main.named_values)
    };
    for word in words {
        if claim(word).is_some_and(|claim| !TYPED.contains(&claim.as_str())) {
            cf.log(
                Level::Warn,
                &format!(
                    "\"{}\" in \"{directive}\" is met by the claims false, null and {{}}, too: a map or \
                     \"{directive}_claim\" says which values are meant",
                    printable(word)
                ),
            );
        }
    }
}

/// Records the place and the kind of a key file that is read with the configuration, or the folder
/// of a key file that requests name.
pub(crate) fn note_key_file(cf: Conf<'_>, conf: &mut LocationConf, main: &mut MainConf) {
    let Some(word) = cf.words().nth(1) else { return };
    if let Some(variable) = word.iter().position(|byte| *byte == b'$') {
        let fixed = word.get(..variable).unwrap_or_default();
        let end = fixed.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let folder = match fixed.get(..end) {
            _ if fixed.is_empty() => return,
            Some(b"") | None => cf.full_path(b"."),
            Some(folder) => cf.full_path(folder),
        };
        main.key_folders.extend(folder);
        return;
    }
    let contents = cf.full_path(word).and_then(|path| files::read(&path).ok()).unwrap_or_default();
    let is_set = Json::parse_object(&contents).is_ok_and(|json| json.member("keys").is_some());
    let places = conf.places.key_files.get_or_insert_default();
    places.extend(cf.place().map(|place| KeyFilePlace { place, is_set }));
}

/// Warns of what is odd in a level, after the level has inherited its settings.
pub(crate) fn of_level(cf: Conf<'_>, conf: &LocationConf, main: &mut MainConf) {
    if let Some(warning) = unmet_algorithms(conf)
        && main.is_first(&warning)
    {
        cf.warn_at(&warning.place, &warning.message);
        main.warnings.push(warning);
    }
    // Whether a map looks at the issuer is not known before the whole configuration was read.
    if let Some(warning) = issuers_that_nobody_tells_apart(conf)
        && main.is_first(&warning)
    {
        main.warnings.push(warning);
    }
}

/// Logs the warnings that need the whole configuration.
pub(crate) fn of_all(cf: Conf<'_>, main: &MainConf) {
    let is_issuer =
        |name: &[u8]| names::claim_of(name, &main.named_values).is_some_and(|claim| claim == "iss");
    if !cf.used_variables().any(is_issuer) {
        let issuers = main.warnings.iter().filter(|warning| warning.trap == Trap::Issuers);
        issuers.for_each(|warning| cf.warn_at(&warning.place, &warning.message));
    }
}

/// What is wrong with files that workers read, once the workers' user is known.
pub(crate) fn of_files(worker: &Worker, main: &MainConf) -> Vec<String> {
    let shown = |path: &Path| printable(path.as_os_str().as_encoded_bytes());
    let lists = main.revocation_files.iter().map(|file| file.path());
    let unread = lists.filter(|path| !worker.has(Access::Read, path)).map(|path| {
        format!(
            "revocation list \"{}\" cannot be read by user \"{}\", whom workers run as: what changes in \
             it will not count before a reload",
            shown(path),
            worker.name
        )
    });
    let folders = main.key_folders.iter().map(PathBuf::as_path);
    let closed = folders.filter(|path| !worker.has(Access::Search, path)).map(|path| {
        format!(
            "folder \"{}\" of key files is closed to user \"{}\", whom workers run as",
            shown(path),
            worker.name
        )
    });
    unread.chain(closed).collect()
}

/// The warning about an allow-list of algorithms for none of which there is a key.
fn unmet_algorithms(conf: &LocationConf) -> Option<Warning> {
    let gate = conf.gate()?;
    let (place, name) = conf.places.algorithms.clone()?;
    let algorithms = gate.verifier.policy.algorithms.as_deref()?;
    let sets = &gate.keys.fixed;
    let is_met = sets.iter().any(|keys| algorithms.iter().any(|alg| keys.verifies(*alg)));
    if is_met
        || !gate.keys.are_fixed()
        || sets.iter().all(|keys| keys.is_empty())
        || gate.verifier.token_type == TokenType::Encrypted
    {
        return None;
    }
    let names: Vec<&str> = algorithms.iter().map(|alg| alg.name()).collect();
    let files: Vec<String> =
        conf.places.key_files.iter().flatten().map(|file| file.place.to_string()).collect();
    let keys = match files.join(", ") {
        files if files.is_empty() => "the embedded key".to_owned(),
        files => format!("any key of {files}"),
    };
    let message =
        format!("\"{name} {}\" is not met by {keys}: every token is refused", names.join(" "));
    Some(Warning { trap: Trap::Algorithms, place, message })
}

/// The warning about several sets of keys, perhaps of several issuers, where nothing checks the
/// issuer.
fn issuers_that_nobody_tells_apart(conf: &LocationConf) -> Option<Warning> {
    let (_, gate) = conf.auth()?;
    let files = conf.places.key_files.iter().flatten();
    let sets: Vec<_> = files
        .filter(|file| file.is_set)
        .map(|file| &file.place)
        .chain(conf.places.key_requests.iter().flatten())
        .collect();
    let asks_for_issuer = conf.claims_required.iter().flatten().any(|requirement| {
        let comparison = match requirement {
            TokenRequirement::Constant(requirement) => requirement.comparison(),
            TokenRequirement::Variable(requirement) => &requirement.comparison,
        };
        comparison.path.to_string() == "iss"
    });
    let [first, second, ..] = sets.as_slice() else { return None };
    if gate.keys.are_chosen() || asks_for_issuer {
        return None;
    }
    let message = format!(
        "beside the keys of {first} there are others, and nothing looks at \"iss\": if they are of several \
         issuers, each can make tokens for the users of the others"
    );
    Some(Warning { trap: Trap::Issuers, place: (*second).clone(), message })
}

impl MainConf {
    fn is_first(&self, warning: &Warning) -> bool {
        let is_same = |other: &Warning| other.trap == warning.trap && other.place == warning.place;
        !self.warnings.iter().any(is_same)
    }
}
