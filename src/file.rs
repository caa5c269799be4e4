//! Files that an operator names, read whole and without waiting for anybody.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// `O_NONBLOCK`: opening a named pipe must not wait for a writer.
const NON_BLOCKING: i32 = 0o4000;

/// For how long after a change another change may have the same time, in seconds: the resolution of
/// the coarsest clocks of file systems.
const COARSEST_CLOCK: i64 = 2;

/// `ENXIO` and `ELOOP`: a socket is no file to read, and links that lead to each other lead
/// nowhere.
const NOWHERE: [i32; 2] = [6, 40];

/// What distinguishes one state of a file from another, however the file was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    device: u64,
    inode: u64,
    size: u64,
    /// The time of the last change of the contents, in seconds and nanoseconds.
    modified: (i64, i64),
    /// The time of the last change of the inode, in seconds and nanoseconds, which nobody can set.
    changed: (i64, i64),
}

impl State {
    /// The state of the file at `path`, if there is one.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::of)
    }

    /// Whether the file was changed so shortly before `now`, in seconds since the epoch, that it
    /// may change again and look the same.
    ///
    /// A time that lies further ahead stems from another clock, and says nothing.
    pub(crate) fn is_recent(&self, now: i64) -> bool {
        now.saturating_sub(self.changed.0).saturating_abs() <= COARSEST_CLOCK
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A regular file, open, in the state that it had then.
pub(crate) struct Opened {
    file: File,
    pub(crate) state: State,
}

impl Opened {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// The system's error, or that the path is no regular file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).custom_flags(NON_BLOCKING).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(ErrorKind::IsADirectory, "not a regular file"));
        }
        Ok(Self { file, state: State::of(&metadata) })
    }

    /// Reads the whole file, up to one byte more than `limit`: that byte shows that the file
    /// exceeds it.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub(crate) fn read(self, limit: usize) -> io::Result<Vec<u8>> {
        let mut contents = Vec::new();
        self.file.take(limit as u64 + 1).read_to_end(&mut contents)?;
        Ok(contents)
    }
}

/// Whether a file could not be opened because there is no file to read at that path, or cannot be
/// one.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    let is_missing = matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidFilename
    );
    is_missing || error.raw_os_error().is_some_and(|code| NOWHERE.contains(&code))
}
