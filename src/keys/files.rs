//! Key files: those that the configuration names are read with it, those that a request names are
//! read once for each change of the file.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lru::LruCache;
use ojwt_core::crypto::digest::Digest;
use ojwt_core::keys::{
    KeyError, KeyFormat, KeySet, KeySetBuilder, KeyWarning, MAX_KEY_FILE_SIZE,
    without_byte_order_mark,
};
use ojwt_core::text::json::{Json, Value};

use crate::fence;
use crate::fence::log::Level;
use crate::fence::printable;
use crate::fence::request::Request;
use crate::file::{Opened, State, is_missing};

/// How many key files that requests name a worker keeps in memory.
const MAX_FILES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// The longest time, in seconds, for which keys are used after they were last seen in a file that
/// holds no valid keys now, where `auth_jwt_key_cache` allows that: writing a file in place takes a
/// moment.
const MAX_GRACE: u64 = 5;

/// The shortest time between two reads of a file that was just written, in milliseconds.
const UNSETTLED: u64 = 100;

/// For how many files a worker remembers the failure that it logged.
const MAX_TOLD: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The key file that `build.rs` embedded, if any.
const EMBEDDED: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/embedded_key.rs"));

/// The keys of the embedded file, none if there is no file, and warnings.
///
/// # Errors
///
/// What is wrong with the file.
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
/// The system's error, or that the path is no regular file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    Opened::open(path)?.read(MAX_KEY_FILE_SIZE)
}

/// Whether the contents are well-formed in this format, but hold no keys: an answer or a file
/// without keys is no fault.
pub(crate) fn is_empty_set(contents: &[u8], format: Option<KeyFormat>) -> bool {
    let contents = without_byte_order_mark(contents);
    let Ok(json) = Json::parse_object(contents) else { return false };
    match format {
        None | Some(KeyFormat::Jwks) => {
            let keys = json.member("keys").and_then(Value::as_array);
            keys.is_some_and(|mut keys| keys.next().is_none())
        }
        Some(KeyFormat::Keyval) => {
            json.root().as_object().is_some_and(|keys| keys.members().next().is_none())
        }
        Some(KeyFormat::Pem) => false,
    }
}

/// How many `..` segments a path has.
pub(crate) fn climbs(path: &[u8]) -> usize {
    path.split(|byte| *byte == b'/').filter(|part| *part == b"..").count()
}

/// A key file that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedFile {
    pub(crate) path: Vec<u8>,
    pub(crate) format: Option<KeyFormat>,
    /// Whether the path depends on the token.
    pub(crate) is_chosen: bool,
    /// How many `..` segments the configuration itself has in the path.
    pub(crate) climbs: usize,
}

/// The keys that a file has for a request.
#[derive(Debug)]
pub(crate) enum FileKeys {
    /// The keys of the file.
    Ready(Arc<KeySet>),
    /// No keys: the token names a file that does not exist or that is refused. The text says which.
    Missing(String),
    /// No keys, for a fault of ours. The text says which.
    Failed(String),
}

/// The key files that requests named, as a worker last read them.
#[derive(Debug)]
pub(crate) struct KeyFiles {
    read: RefCell<LruCache<Name, ReadFile>>,
    /// The failures that were logged, until they change or end.
    told: RefCell<LruCache<Vec<u8>, String>>,
}

type Name = (PathBuf, Option<KeyFormat>);

/// A file as it was read.
#[derive(Debug)]
struct ReadFile {
    /// The state of the file when it was looked at last.
    state: State,
    /// The digest of the file's contents then.
    digest: Digest,
    /// Whether any change since then would show in the file's state.
    is_settled: bool,
    /// When the file was last read, by [`fence::uptime`].
    looked: u64,
    /// The last good keys, if the file had any since it was first read.
    keys: Option<Arc<KeySet>>,
    /// When the file was last seen with these keys, by [`fence::uptime`].
    seen: u64,
    /// Why the file has no keys now.
    fault: Option<String>,
}

impl KeyFiles {
    /// No files yet.
    pub(crate) fn new() -> Self {
        let (read, told) = (LruCache::new(MAX_FILES), LruCache::new(MAX_TOLD));
        Self { read: RefCell::new(read), told: RefCell::new(told) }
    }

    /// The keys of a file for this request, as the file is now; if the file is broken, as it was at
    /// most `cache` seconds ago. A failure is logged when it begins.
    pub(crate) fn find(&self, request: Request<'_>, file: &NamedFile, cache: u64) -> FileKeys {
        let keys = self.keys(request, file, cache.min(MAX_GRACE).saturating_mul(1000));
        match &keys {
            FileKeys::Failed(why) => self.tell(request, file, why),
            FileKeys::Ready(_) | FileKeys::Missing(_) => {
                let mut told = self.told.borrow_mut();
                if !told.is_empty() {
                    told.pop(&file.path);
                }
            }
        }
        keys
    }

    /// Logs a failure of a file, unless the same failure was the last one logged for that file.
    fn tell(&self, request: Request<'_>, file: &NamedFile, why: &str) {
        let mut told = self.told.borrow_mut();
        if told.get(&file.path).is_none_or(|told| told != why) {
            request.log(Level::Error, why);
            told.put(file.path.clone(), why.to_owned());
        }
    }

    fn keys(&self, request: Request<'_>, file: &NamedFile, grace: u64) -> FileKeys {
        if let Some(why) = file.is_no_name() {
            return file.refused(why);
        }
        let name = (PathBuf::from(OsStr::from_bytes(&file.path)), file.format);
        // A file that has not changed is not opened again, so that its keys stay usable when no
        // more files can be opened.
        let state = State::at(&name.0);
        if let Some(read) = self.read.borrow_mut().get_mut(&name)
            && Some(read.state) == state
            && !read.is_to_be_read()
        {
            return read.look(grace);
        }
        let opened = match Opened::open(&name.0) {
            Ok(opened) => opened,
            Err(error) => return self.cannot_open(file, &name, state, &error),
        };
        let state = opened.state;
        let contents = match opened.read(MAX_KEY_FILE_SIZE) {
            Ok(contents) => contents,
            Err(error) => return FileKeys::Failed(file.line(&format!("cannot be read: {error}"))),
        };
        let digest = Digest::of(&contents);
        let mut files = self.read.borrow_mut();
        let last = files.get_mut(&name);
        if let Some(read) = last.filter(|read| read.digest == digest) {
            read.is_looked_at(state);
            return read.look(grace);
        }
        let (keys, fault) = match file.parse(request, &contents) {
            Ok(keys) => (Some(Arc::new(keys)), None),
            Err(why) => (None, Some(file.line(&why))),
        };
        let (last, seen) = files.pop(&name).map_or((None, 0), |read| (read.keys, read.seen));
        let (looked, is_settled) = (fence::uptime(), false);
        let keys = keys.or(last);
        let mut read = ReadFile { state, digest, is_settled, looked, keys, seen, fault };
        read.is_looked_at(state);
        let found = read.look(grace);
        if let (FileKeys::Ready(_), Some(why)) = (&found, &read.fault) {
            let line = format!("{why}; the keys that it had serve for a moment");
            request.log(Level::Error, &line);
        }
        files.put(name, read);
        found
    }

    /// The result for a file that cannot be opened.
    fn cannot_open(
        &self,
        file: &NamedFile,
        name: &Name,
        state: Option<State>,
        error: &io::Error,
    ) -> FileKeys {
        let mut files = self.read.borrow_mut();
        // The file was to be read again only in case of a change that its state does not show.
        if let Some(read) = files.get_mut(name)
            && Some(read.state) == state
        {
            return read.look(0);
        }
        // Removing a file withdraws its keys, whatever is put in its place later.
        files.pop(name);
        let why = format!("cannot be read: {error}");
        if is_missing(error) { file.refused(&why) } else { FileKeys::Failed(file.line(&why)) }
    }
}

impl ReadFile {
    /// Notes that the file has just been read, in this state.
    fn is_looked_at(&mut self, state: State) {
        self.state = state;
        self.looked = fence::uptime();
        self.is_settled = !state.is_recent(fence::now());
    }

    /// Whether the file must be read again although its state is the same: the clock of its times
    /// may not have advanced between two changes.
    fn is_to_be_read(&self) -> bool {
        !self.is_settled && fence::uptime().saturating_sub(self.looked) >= UNSETTLED
    }

    /// The keys of a file whose state is the one recorded here; the last good keys of a broken file
    /// are used for `grace` milliseconds.
    fn look(&mut self, grace: u64) -> FileKeys {
        let now = fence::uptime();
        if self.fault.is_none() {
            self.seen = now;
        }
        match (&self.keys, &self.fault) {
            (Some(keys), None) => FileKeys::Ready(Arc::clone(keys)),
            (Some(keys), Some(_)) if now.saturating_sub(self.seen) < grace => {
                FileKeys::Ready(Arc::clone(keys))
            }
            (_, fault) => FileKeys::Failed(fault.clone().unwrap_or_default()),
        }
    }
}

impl NamedFile {
    /// Why this cannot be the name of a file, if it cannot.
    fn is_no_name(&self) -> Option<&'static str> {
        if self.path.contains(&0) || climbs(&self.path) > self.climbs {
            return Some("a variable may not climb with \"..\", nor hold NUL");
        }
        // Names are compared as paths, and this comparison ignores a `/` or `/.` at the end.
        let is_folder = self.path.ends_with(b"/") || self.path.ends_with(b"/.");
        is_folder.then_some("cannot be read: not a regular file")
    }

    /// A line for the log about this file.
    fn line(&self, what: &str) -> String {
        format!("key file \"{}\": {what}", printable(&self.path))
    }

    /// The keys in the contents of this file.
    ///
    /// # Errors
    ///
    /// Why the contents give no keys.
    fn parse(&self, request: Request<'_>, contents: &[u8]) -> Result<KeySet, String> {
        let (keys, warnings) = read_keys(contents, self.format)?;
        for warning in warnings {
            request.log(Level::Warn, &self.line(&warning.to_string()));
        }
        Ok(keys)
    }

    /// The result for a file that cannot be obtained.
    fn refused(&self, why: &str) -> FileKeys {
        if self.is_chosen {
            FileKeys::Missing(self.line(why))
        } else {
            FileKeys::Failed(self.line(why))
        }
    }
}

/// The keys that a file holds, and warnings.
///
/// # Errors
///
/// Why the contents give no keys.
fn read_keys(
    contents: &[u8],
    format: Option<KeyFormat>,
) -> Result<(KeySet, Vec<KeyWarning>), String> {
    let mut builder = KeySetBuilder::new();
    match builder.add(contents, format) {
        Ok(()) => Ok(builder.build()),
        Err(_) if is_empty_set(contents, format) => Ok((KeySet::default(), Vec::new())),
        Err(error) => Err(error.to_string()),
    }
}
