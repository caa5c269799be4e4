//! Key files, read when the configuration is: never in a request.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ojwt_core::keys::{KeyError, KeySet, KeySetBuilder, MAX_KEY_FILE_SIZE};

/// `O_NONBLOCK`: opening a named pipe must not wait for a writer.
const NON_BLOCKING: i32 = 0o4000;

/// The key file that `build.rs` embedded, if any.
const EMBEDDED: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/embedded_key.rs"));

/// The keys of the embedded file; none if there is no file.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn embedded() -> Result<KeySet, KeyError> {
    let mut keys = KeySetBuilder::new();
    if let Some(file) = EMBEDDED {
        keys.add(file, None)?;
    }
    Ok(keys.build().0)
}

/// Reads a key file whole.
///
/// # Errors
///
/// What the system says, or that it is no regular file, or too large.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(NON_BLOCKING).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut contents = Vec::new();
    // One byte more than the limit tells a file that exceeds it.
    file.take(MAX_KEY_FILE_SIZE as u64 + 1).read_to_end(&mut contents)?;
    Ok(contents)
}
