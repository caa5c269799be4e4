//! Where the keys of a gate are for a token, and which of them are present.

use std::sync::Arc;

use ojwt_core::denial::Denial;
use ojwt_core::keys::KeySet;

use crate::fence::complex::ComplexValue;
use crate::fence::printable;
use crate::fence::request::Request;
use crate::keys::fetched::{Flights, Progress, Target};
use crate::keys::files::{FileKeys, NamedFile};
use crate::keys::sources::{KeySources, Locator};
use crate::keys::stores::Stores;

/// Where the keys of a gate are: one place for each of its locators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// `auth_jwt_key_file` with variables.
    files: Vec<Place<NamedFile>>,
    /// `auth_jwt_key_request`.
    targets: Vec<Place<Target>>,
}

/// What a locator leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place<T> {
    At(T),
    /// No keys, since the locator's value is empty.
    Nowhere,
    /// No keys, since a token may not lead to that place; the text says to which.
    Astray(String),
}

/// How the value of a locator depends on the token for which keys are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Said {
    /// Not at all.
    #[default]
    Nothing,
    /// A variable that was evaluated on the way shows a part of the token, such as one that a `map`
    /// reads.
    Indirectly,
    /// The value holds a part of the token, percent-encoded.
    Directly,
}

/// The keys that are present for a token.
#[derive(Debug, Default)]
pub(crate) struct Gathered<'p> {
    /// The sets that have any key.
    pub(crate) keys: Vec<Arc<KeySet>>,
    /// The sources that failed.
    failures: Vec<String>,
    /// The sources that the token names and that do not exist.
    missing: Vec<String>,
    /// The targets that are yet to be fetched.
    pub(crate) pending: Vec<&'p Target>,
}

impl Places {
    /// Where the locators of keys lead; `evaluate` gives the value of each.
    ///
    /// # Errors
    ///
    /// Those of `evaluate`.
    pub(crate) fn find<'r>(
        request: Request<'r>,
        keys: &KeySources,
        stores: &Stores,
        evaluate: impl Fn(ComplexValue) -> Evaluated<'r>,
    ) -> Result<Self, Denial> {
        let file = |locator| file_at(&stores.folder, locator, &evaluate);
        let target = |locator| target_at(request, locator, &evaluate);
        Ok(Self {
            files: keys.files.iter().map(file).collect::<Result<_, _>>()?,
            targets: keys.requests.iter().map(target).collect::<Result<_, _>>()?,
        })
    }

    /// The key requests among these places.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter_map(|place| match place {
            Place::At(target) => Some(target),
            Place::Nowhere | Place::Astray(_) => None,
        })
    }
}

impl<'p> Gathered<'p> {
    /// The keys that are in these places now. Fetches nothing.
    pub(crate) fn gather(
        request: Request<'_>,
        sources: &KeySources,
        stores: &Stores,
        (places, flights): (&'p Places, &Flights),
    ) -> Self {
        let mut gathered = Self { keys: sources.fixed.clone(), ..Self::default() };
        for place in &places.files {
            match place {
                Place::At(file) => match stores.files.find(request, file, sources.cache) {
                    FileKeys::Ready(keys) => gathered.keys.push(keys),
                    FileKeys::Missing(what) => gathered.missing.push(what),
                    FileKeys::Failed(why) => gathered.failures.push(why),
                },
                Place::Nowhere => {}
                Place::Astray(what) => gathered.missing.push(what.clone()),
            }
        }
        for place in &places.targets {
            match place {
                Place::At(target) => match stores.requests.find(flights, target, sources.cache) {
                    Ok(Progress::Ready(keys)) => gathered.keys.push(keys),
                    Ok(Progress::Waiting | Progress::Missing) => gathered.pending.push(target),
                    Err(_) => gathered.failures.push(target.to_string()),
                },
                Place::Nowhere => {}
                Place::Astray(what) => gathered.missing.push(what.clone()),
            }
        }
        // Verified tokens are cached by the sets that verified them; sets without keys verify
        // nothing.
        gathered.keys.retain(|keys| !keys.is_empty());
        gathered
    }

    /// The final denial of a token that other keys might have verified, and what the log says of
    /// it. If a source failed, the denial is [`Denial::KeyUnavailable`]: that source may have had
    /// the right keys.
    pub(crate) fn without_hope(&self, denial: Denial) -> (Denial, Option<String>) {
        if !self.failures.is_empty() {
            return (Denial::KeyUnavailable, Some(self.failures.join("; ")));
        }
        (denial, (!self.missing.is_empty()).then(|| self.missing.join("; ")))
    }
}

/// The value of a locator, and how it depends on the token.
type Evaluated<'r> = Result<(&'r [u8], Said), Denial>;

fn file_at<'r>(
    folder: &[u8],
    locator: &Locator,
    evaluate: &impl Fn(ComplexValue) -> Evaluated<'r>,
) -> Result<Place<NamedFile>, Denial> {
    let (path, said) = evaluate(locator.value)?;
    let is_chosen = said != Said::Nothing;
    if path.is_empty() {
        return Ok(Place::Nowhere);
    }
    let mut whole = Vec::new();
    if !path.starts_with(b"/") {
        whole.extend_from_slice(folder);
    } else if let Some(others) = locator.without_token.filter(|_| is_chosen)
        && !evaluate(others)?.0.starts_with(b"/")
    {
        let path = printable(path);
        return Ok(Place::Astray(format!("key file \"{path}\": the token makes it absolute")));
    }
    whole.extend_from_slice(path);
    let Locator { format, climbs, .. } = *locator;
    Ok(Place::At(NamedFile { path: whole, format, is_chosen, climbs }))
}

fn target_at<'r>(
    request: Request<'r>,
    locator: &Locator,
    evaluate: &impl Fn(ComplexValue) -> Evaluated<'r>,
) -> Result<Place<Target>, Denial> {
    let (uri, said) = evaluate(locator.value)?;
    if uri.is_empty() {
        return Ok(Place::Nowhere);
    }
    let target = Target::of(request, uri, locator, said != Said::Nothing);
    // If the configuration itself has `..` in the URI, nginx refuses the URI, whatever the token
    // says.
    if locator.climbs == 0 && leads_astray(uri, said) {
        return Ok(Place::Astray(format!("{target}: the token leads elsewhere")));
    }
    Ok(Place::At(target))
}

/// Whether a URI that depends on a token leads to another place than the configuration intends: if
/// it is no path from the root, if it holds NUL or a segment `..`, or, where the token gives a part
/// directly, if it holds an encoded separator or a segment `.`. nginx decodes the path, and encodes
/// what it passes on by its own rules.
fn leads_astray(uri: &[u8], said: Said) -> bool {
    if said == Said::Nothing {
        return false;
    }
    let path = uri.split(|byte| *byte == b'?').next().unwrap_or_default();
    let is_direct = said == Said::Directly;
    // A slash, a backslash, a semicolon.
    let parts = path.windows(3).any(|triple| matches!(triple, b"%2F" | b"%5C" | b"%3B"));
    let decoded = percent_decoded(path);
    let mut segments = decoded.split(|byte| *byte == b'/');
    !path.starts_with(b"/")
        || decoded.contains(&0)
        || (is_direct && parts)
        || segments.any(|part| part == b".." || (is_direct && part == b"."))
}

/// Percent-decodes as nginx decodes a path: what is not a valid escape stays as it is.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let escape = match after {
            [high, low, after @ ..] if *first == b'%' => {
                digit(high).zip(digit(low)).map(|(high, low)| (high << 4 | low, after))
            }
            _ => None,
        };
        let (byte, after) = escape.unwrap_or((*first, after));
        decoded.push(byte);
        rest = after;
    }
    decoded
}
