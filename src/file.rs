//! Files that an operator names, read whole and without waiting for anybody.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// `O_NONBLOCK`: opening a named pipe must not wait for a writer.
const NON_BLOCKING: i32 = 0o4000;

/// What tells one state of a file from another, however it came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// That of the inode, which nobody can set.
    changed: (i64, i64),
}

impl State {
    /// The state of the file at `path`, if there is one.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::of)
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
    /// What the system says, or that it is no regular file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).custom_flags(NON_BLOCKING).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        Ok(Self { file, state: State::of(&metadata) })
    }

    /// Reads it whole. One byte more than `limit` tells a file that exceeds it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn read(self, limit: usize) -> io::Result<Vec<u8>> {
        let mut contents = Vec::new();
        self.file.take(limit as u64 + 1).read_to_end(&mut contents)?;
        Ok(contents)
    }
}
