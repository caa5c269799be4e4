//! Reading and writing files: limited in size, and never a half-written file.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use ojwt_core::issue::sign::SigningKey;
use ojwt_core::keys::MAX_KEY_FILE_SIZE;
use ojwt_core::text::json::Json;

use crate::error::Error;

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Readers {
    /// The owner only: mode 0600.
    Owner,
    /// Everyone whom the umask allows.
    Everyone,
}

/// What happens to an existing file with the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// The file stays, and the command fails.
    Stays,
    /// The file is replaced, unless it holds a private key or a secret.
    ReplacedUnlessSecret,
    /// The file is replaced.
    Replaced,
}

/// Whether the name stands for standard input or output.
pub(crate) fn is_standard(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// Reads a file, or standard input. Of a file that is longer than `limit` bytes, one byte more is
/// read, so that the caller can detect this.
pub(crate) fn read(file: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = if is_standard(file) {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|open| open.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| Error::io(file, &error))?;
    Ok(bytes)
}

/// Writes to standard output.
pub(crate) fn print(contents: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(contents).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Error::BrokenPipe),
        Err(error) => Err(Error::standard("output", &error)),
    }
}

/// Writes a file, or standard output. Whatever happens, the file is either complete or absent, and
/// has its mode from the first byte on. A symbolic link is replaced, never followed.
pub(crate) fn write(
    file: &Path,
    contents: &[u8],
    readers: Readers,
    existing: Existing,
) -> Result<(), Error> {
    if is_standard_output(file) {
        return print(contents);
    }
    if is_device(file) {
        return write_to_device(file, contents).map_err(|error| Error::io(file, &error));
    }
    match existing {
        Existing::Stays => refuse_existing(file)?,
        Existing::ReplacedUnlessSecret => refuse_secret(file)?,
        Existing::Replaced => {}
    }
    replace(file, contents, readers, existing == Existing::Stays).map_err(|error| {
        if existing == Existing::Stays && error.kind() == io::ErrorKind::AlreadyExists {
            exists(file)
        } else {
            Error::io(file, &error)
        }
    })
}

/// Fails where [`write()`] would fail with an existing file, before anything is made that would be
/// lost.
pub(crate) fn refuse_existing(file: &Path) -> Result<(), Error> {
    let written_as_it_is = is_standard_output(file) || is_device(file);
    if !written_as_it_is && fs::symlink_metadata(file).is_ok() { Err(exists(file)) } else { Ok(()) }
}

/// Whether two names stand for one file.
pub(crate) fn same(one: &Path, other: &Path) -> bool {
    if is_standard(one) || is_standard(other) {
        return false;
    }
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => {
            one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        _ => false,
    }
}

/// Whether the text holds a private key in PEM, of any kind.
pub(crate) fn holds_private_pem(contents: &[u8]) -> bool {
    const LABEL: &[u8] = b"PRIVATE KEY-----";
    contents.windows(LABEL.len()).any(|window| window == LABEL)
}

/// Whether everyone may read or write the file.
pub(crate) fn is_open_to_all(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o006 != 0)
}

/// Whether a name stands for standard output. `/dev/stdout` may lead to a file: this file is
/// written to, not replaced.
fn is_standard_output(file: &Path) -> bool {
    is_standard(file) || file == Path::new("/dev/stdout")
}

fn exists(file: &Path) -> Error {
    Error::of(file, "exists already; --force replaces it")
}

/// Whether a file is a device such as a terminal, a pipe or `/dev/null`, which is written to, not
/// replaced.
fn is_device(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn write_to_device(file: &Path, contents: &[u8]) -> io::Result<()> {
    let mut open = OpenOptions::new().write(true).open(file)?;
    if open.metadata()?.is_file() {
        return Err(io::Error::other("changed meanwhile"));
    }
    open.write_all(contents)
}

fn replace(file: &Path, contents: &[u8], readers: Readers, keep: bool) -> io::Result<()> {
    if file.file_name().is_none() || fs::symlink_metadata(file).is_ok_and(|found| found.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everyone => 0o644,
    };
    // The file is created with O_EXCL, under a name that nobody can guess.
    let mut whole = tempfile::Builder::new()
        .prefix(".otools-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory)?;
    whole.write_all(contents)?;
    whole.as_file().sync_all()?;
    if keep {
        whole.persist_noclobber(file).map_err(|failed| failed.error)?;
    } else {
        whole.persist(file).map_err(|failed| failed.error)?;
    }
    // The name of the file is synced, too; some file systems cannot guarantee that it lasts.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

/// Fails where writing would destroy a private key or a secret, or where the file cannot be read to
/// check this.
fn refuse_secret(file: &Path) -> Result<(), Error> {
    if !fs::metadata(file).is_ok_and(|found| found.is_file()) {
        return Ok(());
    }
    if holds_secret(&read(file, MAX_KEY_FILE_SIZE)?) {
        return Err(Error::of(file, "holds a private key, which is not overwritten"));
    }
    Ok(())
}

fn holds_secret(contents: &[u8]) -> bool {
    if holds_private_pem(contents) {
        return true;
    }
    if let Ok(json) = Json::parse_object(contents) {
        let secret = |jwk: ojwt_core::text::json::Value<'_>| {
            jwk.as_object().is_some_and(|jwk| {
                let has = |name| jwk.member(name).is_some_and(|value| value.text() != "null");
                has("kty") && (has("d") || has("k"))
            })
        };
        let set = json.member("keys").and_then(ojwt_core::text::json::Value::as_array);
        return secret(json.root()) || set.is_some_and(|mut keys| keys.any(secret));
    }
    SigningKey::from_der(contents).is_ok()
}
