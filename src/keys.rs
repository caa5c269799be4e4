//! Where a gate's keys come from, and key files: those that the configuration names are read with
//! it, those that a request names once for each change of the file.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lru::LruCache;
use ojwt_core::denial::Denial;
use ojwt_core::keys::{KeyError, KeyFormat, KeySet, KeySetBuilder, KeyWarning, MAX_KEY_FILE_SIZE};

use crate::fence;
use crate::fence::complex::ComplexValue;
use crate::fence::log::Level;
use crate::fence::printable;
use crate::fence::request::Request;
use crate::file::{Opened, State};

/// How many key files that requests name are kept by a worker.
const MAX_FILES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// For how long keys serve at most after they were last seen in a file that has none now, in seconds,
/// where `auth_jwt_key_cache` lets them: whoever writes it in place takes a moment.
const MAX_GRACE: u64 = 5;

/// The key file that `build.rs` embedded, if any.
const EMBEDDED: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/embedded_key.rs"));

/// Where the keys of a gate come from: all of these.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySources {
    /// Read with the configuration.
    pub(crate) fixed: Vec<Arc<KeySet>>,
    /// `auth_jwt_key_file` with variables.
    pub(crate) files: Vec<Locator>,
    /// `auth_jwt_key_request`.
    pub(crate) requests: Vec<Locator>,
    /// `auth_jwt_key_cache`, in seconds.
    pub(crate) cache: u64,
}

/// What leads to keys, once a request is at hand: a path or a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Locator {
    pub(crate) value: ComplexValue,
    pub(crate) format: Option<KeyFormat>,
    /// Whether it differs between requests.
    pub(crate) has_variables: bool,
    /// How often the configuration itself climbs with `..`.
    pub(crate) climbs: usize,
}

impl KeySources {
    /// Whether the keys are the same for all requests.
    pub(crate) fn are_fixed(&self) -> bool {
        self.files.is_empty() && self.requests.is_empty()
    }

    /// Whether variables say which keys they are.
    pub(crate) fn are_chosen(&self) -> bool {
        self.files.iter().chain(&self.requests).any(|locator| locator.has_variables)
    }
}

impl PartialEq for KeySources {
    fn eq(&self, other: &Self) -> bool {
        self.fixed.len() == other.fixed.len()
            && self.fixed.iter().zip(&other.fixed).all(|(ours, theirs)| Arc::ptr_eq(ours, theirs))
            && self.files == other.files
            && self.requests == other.requests
            && self.cache == other.cache
    }
}

/// The keys of the embedded file, none if there is no file, and warnings.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn embedded() -> Result<(KeySet, Vec<KeyWarning>), KeyError> {
    let mut keys = KeySetBuilder::new();
    if let Some(file) = EMBEDDED {
        keys.add(file, None)?;
    }
    Ok(keys.build())
}

/// Reads a key file whole.
///
/// # Errors
///
/// What the system says, or that it is no regular file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    Opened::open(path)?.read(MAX_KEY_FILE_SIZE)
}

/// How often a path climbs to the folder above.
pub(crate) fn climbs(path: &[u8]) -> usize {
    path.split(|byte| *byte == b'/').filter(|part| *part == b"..").count()
}

/// The key files that requests named, as a worker last read them.
#[derive(Debug)]
pub(crate) struct KeyFiles(RefCell<LruCache<(PathBuf, Option<KeyFormat>), ReadFile>>);

/// A file as it was read.
#[derive(Debug)]
struct ReadFile {
    /// The state of the file when it was looked at last.
    state: State,
    /// The last good keys.
    keys: Arc<KeySet>,
    /// When the file was last seen with them, by [`fence::uptime`].
    seen: u64,
    /// Whether it has no keys any more.
    is_broken: bool,
}

impl KeyFiles {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(RefCell::new(LruCache::new(MAX_FILES)))
    }

    /// The keys of the file at `path`, which `locator` led to for this request, as the file is now; or,
    /// where it is broken, as it was at most `cache` seconds ago.
    ///
    /// # Errors
    ///
    /// [`Denial::KeyUnavailable`], and a line in the log, where the file cannot be read, has no
    /// usable key, or lies where a variable may not lead.
    pub(crate) fn find(
        &self,
        request: Request<'_>,
        locator: Locator,
        path: &[u8],
        cache: u64,
    ) -> Result<Arc<KeySet>, Denial> {
        let grace = cache.min(MAX_GRACE).saturating_mul(1000);
        let say = |why: &str| {
            request.log(Level::Error, &format!("key file \"{}\": {why}", printable(path)));
        };
        let refused = |why: String| {
            say(&why);
            Denial::KeyUnavailable
        };
        if path.contains(&0) || climbs(path) > locator.climbs {
            return Err(refused("a variable may not climb with \"..\", nor hold NUL".to_owned()));
        }
        let name = (PathBuf::from(OsStr::from_bytes(path)), locator.format);
        // A file that has not changed is not opened again: that works where no more files may be opened.
        let state = State::at(&name.0);
        if let Some(read) = self.0.borrow_mut().get_mut(&name)
            && Some(read.state) == state
            && let Some(keys) = read.look(grace)
        {
            return Ok(keys);
        }
        let file = Opened::open(&name.0).map_err(|error| {
            // Whoever takes a file away withdraws its keys, whatever is put there next.
            self.0.borrow_mut().pop(&name);
            refused(format!("cannot be read: {error}"))
        })?;
        let state = file.state;
        let (keys, warnings) = match read_keys(file, locator.format) {
            Ok(read) => read,
            Err(why) => {
                let mut files = self.0.borrow_mut();
                let last = files.get_mut(&name).and_then(|read| {
                    (read.state, read.is_broken) = (state, true);
                    read.look(grace)
                });
                let Some(keys) = last else { return Err(refused(why)) };
                say(&format!("{why}; the keys that it had serve for a moment"));
                return Ok(keys);
            }
        };
        for warning in warnings {
            request.log(Level::Warn, &format!("key file \"{}\": {warning}", printable(path)));
        }
        let keys = Arc::new(keys);
        let (seen, is_broken) = (fence::uptime(), false);
        let read = ReadFile { state, keys: Arc::clone(&keys), seen, is_broken };
        self.0.borrow_mut().put(name, read);
        Ok(keys)
    }
}

impl ReadFile {
    /// The keys, now that the file is in the state that it was in; those of a broken one for `grace`
    /// milliseconds.
    fn look(&mut self, grace: u64) -> Option<Arc<KeySet>> {
        let now = fence::uptime();
        if !self.is_broken {
            self.seen = now;
        }
        let serves = !self.is_broken || now.saturating_sub(self.seen) < grace;
        serves.then(|| Arc::clone(&self.keys))
    }
}

/// The keys of an open file, and warnings.
///
/// # Errors
///
/// Why there are none.
fn read_keys(file: Opened, format: Option<KeyFormat>) -> Result<(KeySet, Vec<KeyWarning>), String> {
    let contents =
        file.read(MAX_KEY_FILE_SIZE).map_err(|error| format!("cannot be read: {error}"))?;
    let mut builder = KeySetBuilder::new();
    builder.add(&contents, format).map_err(|error| error.to_string())?;
    Ok(builder.build())
}
