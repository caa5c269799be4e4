//! Key files, read when the configuration is: never in a request.

use std::io;
use std::path::Path;

use ojwt_core::keys::{KeyError, KeySet, KeySetBuilder, MAX_KEY_FILE_SIZE};

use crate::file;

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
/// What the system says, or that it is no regular file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    file::read(path, MAX_KEY_FILE_SIZE).map(|(contents, _)| contents)
}
