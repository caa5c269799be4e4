//! Files that an operator names, read whole and without waiting for anybody.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// `O_NONBLOCK`: opening a named pipe must not wait for a writer.
const NON_BLOCKING: i32 = 0o4000;

/// Reads a file whole, and says of which state of it: as it was before the first byte was read.
///
/// One byte more than `limit` tells a file that exceeds it.
///
/// # Errors
///
/// What the system says, or that it is no regular file.
pub(crate) fn read(path: &Path, limit: usize) -> io::Result<(Vec<u8>, Metadata)> {
    let file = OpenOptions::new().read(true).custom_flags(NON_BLOCKING).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut contents = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut contents)?;
    Ok((contents, metadata))
}
