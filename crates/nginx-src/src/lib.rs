//! Finds the nginx that is installed and configures its headers, for the build script of
//! `nginx-sys`.
//!
//! A dynamic module is accepted only by the nginx version and the configure signature that it was
//! built for, so "the nginx to build for" is the one on this machine. `nginx-sys` calls
//! [`build`] when neither `NGINX_SOURCE_DIR` nor `NGINX_BUILD_DIR` is set; this crate stands in for
//! the published `nginx-src`, which would download and compile a copy of nginx instead.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;
use std::{env, fs, io, process};

/// Where distributions put the headers of their nginx (Debian and Ubuntu: package `nginx-dev`).
const SOURCE_DIRS: &[&str] = &["/usr/share/nginx/src"];

/// Which nginx is asked for its version and flags, in order.
const BINARIES: &[&str] = &["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"];

/// Names the binary that will load the module, when it is not the one on the path.
const BINARY_VARIABLE: &str = "NGINX";

/// Tells cargo when the bindings have to be made again: another binary, other headers.
pub fn print_cargo_metadata() {
    println!("cargo::rerun-if-env-changed={BINARY_VARIABLE}");
    let nginx_h = SOURCE_DIRS.iter().map(|dir| Path::new(dir).join("src/core/nginx.h"));
    let binaries = BINARIES.iter().skip(1).map(PathBuf::from);
    for file in nginx_h.chain(binaries).filter(|file| file.exists()) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
}

/// Configures the installed nginx's sources into `build_dir`; returns (source, build) directories.
///
/// # Errors
///
/// A sentence for the person who builds: no nginx, no headers, headers of another version, or a
/// configure script that failed.
pub fn build(build_dir: impl AsRef<Path>) -> io::Result<(PathBuf, PathBuf)> {
    let build_dir = build_dir.as_ref();
    let nginx = Nginx::installed()?;
    let source_dir = source_dir(&nginx.version)?;

    fs::create_dir_all(build_dir)?;
    let stamp = build_dir.join("configured-for");
    let wanted = format!("{} {} {:?}", source_dir.display(), nginx.version, nginx.flags);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok((source_dir, build_dir.to_owned()));
    }

    // nginx's configure cannot write to a path with white space: it goes there by a link.
    let link = env::temp_dir().join(format!("ojwt-nginx-src-{}", process::id()));
    symlink(build_dir, &link)?;
    let configured = configure(&source_dir, &nginx.flags, &link);
    fs::remove_file(&link)?;
    configured?;
    settle(build_dir, &link)?;
    fs::write(stamp, wanted)?;
    Ok((source_dir, build_dir.to_owned()))
}

fn configure(source_dir: &Path, flags: &[String], build_dir: &Path) -> io::Result<()> {
    let mut builddir_flag = OsString::from("--builddir=");
    builddir_flag.push(build_dir);
    let output = Command::new("./configure")
        .args(flags)
        .arg(builddir_flag)
        .current_dir(source_dir)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{}/configure failed ({}): {}",
        source_dir.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default(),
    )))
}

/// Has the Makefile, from which `nginx-sys` reads the include paths, name the folder itself; and
/// dates back what cargo watches, which would else look newer than the build that made it, and be
/// built once more.
fn settle(build_dir: &Path, link: &Path) -> io::Result<()> {
    let makefile = build_dir.join("Makefile");
    let text = fs::read_to_string(&makefile)?;
    let name = build_dir.display().to_string();
    let quoted = shlex::try_quote(&name).map_err(io::Error::other)?;
    fs::write(&makefile, text.replace(&*link.to_string_lossy(), &quoted))?;
    for file in [makefile, build_dir.join("ngx_auto_config.h")] {
        File::options().append(true).open(file)?.set_modified(SystemTime::UNIX_EPOCH)?;
    }
    Ok(())
}

struct Nginx {
    version: String,
    flags: Vec<String>,
}

impl Nginx {
    fn installed() -> io::Result<Self> {
        let named = env::var_os(BINARY_VARIABLE);
        let candidates: Vec<OsString> = match named {
            Some(binary) => vec![binary],
            None => BINARIES.iter().map(OsString::from).collect(),
        };
        let output = candidates
            .iter()
            .find_map(|binary| Command::new(binary).arg("-V").output().ok())
            .ok_or_else(|| not_found("no nginx found: install the packages nginx and nginx-dev, \
                or set NGINX_SOURCE_DIR and NGINX_BUILD_DIR"))?;
        // `nginx -V` speaks on stderr.
        let text = String::from_utf8_lossy(&output.stderr);
        let version = text
            .lines()
            .find_map(|line| line.strip_prefix("nginx version: nginx/"))
            .and_then(|rest| rest.split_whitespace().next())
            .ok_or_else(|| not_found("`nginx -V` names no version"))?
            .to_owned();
        let arguments = text
            .lines()
            .find_map(|line| line.strip_prefix("configure arguments:"))
            .unwrap_or_default();
        let flags = shlex::split(arguments)
            .ok_or_else(|| not_found("`nginx -V` prints arguments that cannot be split"))?
            .into_iter()
            .filter(|flag| matters_to_headers(flag))
            .collect();
        Ok(Self { version, flags })
    }
}

/// Other modules, static or dynamic, change neither layouts nor signature, but would need their
/// own sources and libraries.
fn matters_to_headers(flag: &str) -> bool {
    !(flag.starts_with("--add-") || flag.ends_with("=dynamic") || flag.starts_with("--builddir"))
}

fn source_dir(version: &str) -> io::Result<PathBuf> {
    let mut other = None;
    for dir in SOURCE_DIRS.iter().map(PathBuf::from) {
        let Ok(header) = fs::read_to_string(dir.join("src/core/nginx.h")) else { continue };
        let found = header
            .lines()
            .find_map(|line| line.strip_prefix("#define NGINX_VERSION"))
            .map(|value| value.trim().trim_matches('"').to_owned());
        match found {
            Some(found) if found == version => return Ok(dir),
            found => other = found,
        }
    }
    Err(not_found(&match other {
        Some(found) => format!(
            "the nginx that is installed is {version}, its headers are those of {found}: \
             upgrade nginx and nginx-dev together, or set NGINX_SOURCE_DIR and NGINX_BUILD_DIR"
        ),
        None => format!(
            "no headers for nginx {version}: install the package nginx-dev, \
             or set NGINX_SOURCE_DIR and NGINX_BUILD_DIR"
        ),
    }))
}

fn not_found(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, message)
}
