//! Revocation lists: files that are read with the configuration, and again when they change.
//!
//! All workers share the lists that were read with the configuration; each worker reads a changed
//! file for itself, and keeps its old list if that fails.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use ojwt_core::crypto::digest::Digest;
use ojwt_core::policy::revocation::{
    MAX_REVOCATION_FILE_SIZE, RevocationError, RevocationList, Revocations,
};

use crate::fence::log::{self, Level};
use crate::fence::{now, printable};
use crate::file::{Opened, State};

/// The lists of a gate, or of a level of the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct RevocationFiles {
    /// `auth_jwt_revocation_list_sub`.
    pub(crate) sub: Vec<Rc<RevocationFile>>,
    /// `auth_jwt_revocation_list_kid`.
    pub(crate) kid: Vec<Rc<RevocationFile>>,
    /// `auth_jwt_revocation_list_jti`.
    pub(crate) jti: Vec<Rc<RevocationFile>>,
}

impl RevocationFiles {
    /// Inherits from the outer level the lists of the directives that this level does not set.
    pub(crate) fn inherit(&mut self, outer: &Self) {
        let pairs =
            [(&mut self.sub, &outer.sub), (&mut self.kid, &outer.kid), (&mut self.jti, &outer.jti)];
        for (ours, theirs) in pairs {
            if ours.is_empty() {
                ours.clone_from(theirs);
            }
        }
    }

    /// The lists as they are now; `None` where there are no lists, as in most gates.
    pub(crate) fn lists(&self) -> Option<CurrentLists> {
        if self.sub.is_empty() && self.kid.is_empty() && self.jti.is_empty() {
            return None;
        }
        let current = |files: &[Rc<RevocationFile>]| files.iter().map(|file| file.list()).collect();
        Some(CurrentLists {
            sub: current(&self.sub),
            kid: current(&self.kid),
            jti: current(&self.jti),
        })
    }
}

/// Equal if both have the same files.
impl PartialEq for RevocationFiles {
    fn eq(&self, other: &Self) -> bool {
        let pairs = [(&self.sub, &other.sub), (&self.kid, &other.kid), (&self.jti, &other.jti)];
        pairs.into_iter().all(|(ours, theirs)| {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| Rc::ptr_eq(ours, theirs))
        })
    }
}

/// Lists that stay as they are while a token is judged.
pub(crate) struct CurrentLists {
    sub: Vec<Arc<RevocationList>>,
    kid: Vec<Arc<RevocationList>>,
    jti: Vec<Arc<RevocationList>>,
}

impl CurrentLists {
    pub(crate) fn as_revocations(&self) -> Revocations<'_> {
        Revocations { sub: &self.sub, kid: &self.kid, jti: &self.jti }
    }
}

/// A file with a list, and the latest list that was read from it.
pub(crate) struct RevocationFile {
    path: PathBuf,
    list: RefCell<Arc<RevocationList>>,
    /// The state in which the file was seen last; `None` where there was none.
    seen: Cell<Option<State>>,
    /// The digest of the file when it was last read, and its digest when the list was taken from
    /// it.
    held: Cell<Digest>,
    listed: Cell<Digest>,
    /// Whether the file could be read then, whatever it held, was complete, and cannot have changed
    /// since without a new state; otherwise the next look reads the file again.
    is_settled: Cell<bool>,
    /// The second in which the file was looked at last.
    looked: Cell<i64>,
}

impl RevocationFile {
    /// Reads a file for the configuration.
    ///
    /// # Errors
    ///
    /// Why the file holds no list.
    pub(crate) fn load(path: PathBuf) -> Result<Self, LoadError> {
        let Read { list, state, digest } = read(&path)?;
        Ok(Self {
            path,
            list: RefCell::new(Arc::new(list)),
            seen: Cell::new(Some(state)),
            held: Cell::new(digest),
            listed: Cell::new(digest),
            is_settled: Cell::new(!state.is_recent(now())),
            looked: Cell::new(now()),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The list; the file is looked at for changes at most once a second.
    fn list(&self) -> Arc<RevocationList> {
        let now = now();
        if self.looked.replace(now) != now {
            self.look();
        }
        Arc::clone(&self.list.borrow())
    }

    /// Reads the file if it changed. If the new list is broken, the old one stays, and that is
    /// logged once for each change.
    fn look(&self) {
        let state = State::at(&self.path);
        let is_new = self.seen.replace(state) != state;
        if !is_new && self.is_settled.get() {
            return;
        }
        let name = printable(self.path.as_os_str().as_encoded_bytes());
        match read(&self.path) {
            Ok(Read { list, state, digest }) => {
                // A change after this is seen by the next look.
                let was = (self.seen.replace(Some(state)), self.held.replace(digest));
                let is_same = was == (Some(state), digest) && !is_new;
                let is_listed = self.listed.get() == digest;
                let entries = list.len();
                // A half-written list would accept the tokens whose entries are missing. Such a
                // list changes again, so a shorter list counts only if the next look finds it
                // unchanged.
                let is_whole = is_listed || is_same || entries >= self.list.borrow().len();
                self.is_settled.set(is_whole && !state.is_recent(now()));
                if !is_whole || (is_listed && !is_new) {
                    return;
                }
                self.listed.set(digest);
                self.list.replace(Arc::new(list));
                let message =
                    format!("ojwt: revocation list \"{name}\" changed: {entries} entries");
                log::cycle(Level::Notice, &message);
            }
            Err(error) => {
                let is_recent = state.is_none_or(|state| state.is_recent(now()));
                self.is_settled.set(matches!(error, LoadError::Broken(_)) && !is_recent);
                if is_new {
                    let message =
                        format!("ojwt: revocation list \"{name}\" stays as it was: {error}");
                    log::cycle(Level::Error, &message);
                }
            }
        }
    }
}

/// Shows the path alone: a list may be long.
impl fmt::Debug for RevocationFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RevocationFile").field(&self.path).finish()
    }
}

/// A list as it was read.
struct Read {
    list: RevocationList,
    /// The state of the file then.
    state: State,
    /// What the file held.
    digest: Digest,
}

fn read(path: &Path) -> Result<Read, LoadError> {
    let file = Opened::open(path).map_err(LoadError::System)?;
    let state = file.state;
    let contents = file.read(MAX_REVOCATION_FILE_SIZE).map_err(LoadError::System)?;
    let list = RevocationList::parse(&contents).map_err(LoadError::Broken)?;
    Ok(Read { list, state, digest: Digest::of(&contents) })
}

/// Why a file gave no list.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// The file cannot be read.
    System(io::Error),
    /// The file can be read, but holds no list.
    Broken(RevocationError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => write!(f, "it cannot be read: {error}"),
            Self::Broken(error) => error.fmt(f),
        }
    }
}
