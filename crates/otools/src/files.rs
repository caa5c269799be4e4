//! Files that are written whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ojwt_core::keys::MAX_KEY_FILE_SIZE;

use crate::{Failure, print};

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// Its owner alone: mode 0600 from the first byte.
    Secret,
    /// Whoever the umask lets.
    Public,
}

/// What becomes of a file that is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and the command fails.
    Keep,
    /// It is replaced, unless it holds a private key.
    Replace,
    /// It is replaced, whatever it holds.
    Force,
}

/// Reads a file, or standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut contents = Vec::new();
    // One byte more than the limit tells a file that exceeds it.
    let limit = MAX_KEY_FILE_SIZE as u64 + 1;
    let result = if is_standard(path) {
        io::stdin().lock().take(limit).read_to_end(&mut contents)
    } else {
        fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut contents))
    };
    result.map_err(|error| failed(path, &error.to_string()))?;
    if contents.len() > MAX_KEY_FILE_SIZE {
        return Err(failed(path, &format!("larger than {MAX_KEY_FILE_SIZE} bytes")));
    }
    Ok(contents)
}

/// Writes a file, or standard output for `-`: first under another name, then in one step, so that
/// no reader ever sees half of it and a full disk leaves the old one.
pub(crate) fn write(
    path: &Path,
    contents: &str,
    secrecy: Secrecy,
    existing: Existing,
) -> Result<(), Failure> {
    if is_standard(path) {
        return print(contents);
    }
    let error = |error: io::Error| failed(path, &error.to_string());
    if let Ok(metadata) = fs::metadata(path) {
        if !metadata.is_file() {
            // A device or a pipe has no other name to write under.
            return fs::OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|mut file| file.write_all(contents.as_bytes()))
                .map_err(error);
        }
        if existing == Existing::Replace && holds_private_key(path) {
            return Err(failed(path, "holds a private key, which is not overwritten"));
        }
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mode = match secrecy {
        Secrecy::Secret => 0o600,
        Secrecy::Public => 0o666,
    };
    let mut file = tempfile::Builder::new()
        .prefix(".otools-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)
        .map_err(error)?;
    file.write_all(contents.as_bytes()).map_err(error)?;
    file.as_file().sync_all().map_err(error)?;
    let persisted = match existing {
        Existing::Keep => file.persist_noclobber(path),
        Existing::Replace | Existing::Force => file.persist(path),
    };
    match persisted {
        Ok(_) => Ok(()),
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(failed(path, "exists already; --force replaces it"))
        }
        Err(refused) => Err(error(refused.error)),
    }
}

/// A failure that names the file.
pub(crate) fn failed(path: &Path, what: &str) -> Failure {
    let name = if is_standard(path) { "standard input".into() } else { path.to_string_lossy() };
    Failure::failed(format!("{name}: {what}"))
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == OsStr::new("-")
}

fn holds_private_key(path: &Path) -> bool {
    // What cannot be read is not ours to replace either.
    fs::read(path).is_ok_and(|contents| ojwt_core::sign::SigningKey::read(&contents).is_ok())
}
