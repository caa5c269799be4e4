//! The names of variables that show a token.

use ojwt_core::policy::requirement::Part;

use crate::config::main_conf::NamedValue;

/// The prefix of names that other modules may also have; with an `o` before it, the names are ours.
pub(crate) const SHARED: &str = "jwt_";

/// The first name of a variable, given either of its two names; another module may have that name.
pub(crate) fn first_name(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"o").filter(|rest| rest.starts_with(SHARED.as_bytes())).unwrap_or(name)
}

/// The claim that a variable shows, if it shows one.
pub(crate) fn claim_of(name: &[u8], set: &[NamedValue]) -> Option<String> {
    let named = set.iter().find(|value| value.variable == name && value.part == Part::Claims);
    if let Some(value) = named {
        return Some(value.path.join("."));
    }
    Some(core::str::from_utf8(first_name(name).strip_prefix(b"jwt_claim_")?).ok()?.to_owned())
}
