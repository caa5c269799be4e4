//! What is tested only where nginx and the system have it.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::{env, fs};

use super::Module;
use super::modules::binary;

/// Whether nginx and curl both speak HTTP/3; if not, says what a test is skipped for.
pub fn has_http_3() -> bool {
    let output = Command::new(binary(Module::Plain)).arg("-V").output().unwrap();
    let is_in_nginx = String::from_utf8_lossy(&output.stderr).contains("http_v3_module");
    let output = Command::new("curl").arg("-V").output().unwrap();
    let is_in_curl = String::from_utf8_lossy(&output.stdout).contains("HTTP3");
    match (is_in_nginx, is_in_curl) {
        (true, true) => return true,
        (false, _) => skipped("HTTP/3: this nginx was built without"),
        (true, false) => skipped("HTTP/3: this curl was built without"),
    }
    false
}

/// Whether nginx speaks TLS to others, as configurations with `proxy_ssl_verify` want; if not, says
/// what a test is skipped for.
pub fn has_tls() -> bool {
    let output = Command::new(binary(Module::Plain)).arg("-V").output().unwrap();
    let is_there = String::from_utf8_lossy(&output.stderr).contains("http_ssl_module");
    if !is_there {
        skipped("configurations with TLS: this nginx was built without");
    }
    is_there
}

/// Whether nginx has what came with this version; if not, says what a test is skipped for.
pub fn has_since(what: &str, version: [u32; 3]) -> bool {
    let output = Command::new(binary(Module::Plain)).arg("-v").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, number) = text.trim().rsplit_once("nginx/").unwrap();
    let parts = number.split(|c: char| !c.is_ascii_digit()).take(3);
    let is_there = parts.map(|part| part.parse::<u32>().unwrap()).ge(version);
    if !is_there {
        skipped(&format!("{what}: this nginx is older"));
    }
    is_there
}

/// Whether the tests, and so the master, run as root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Says what was not tested, and why: in the file that `OJWT_SKIPPED` names, since a test that
/// passes is not shown.
pub fn skipped(reason: &str) {
    eprintln!("*** SKIPPED *** {reason}");
    if let Some(file) = env::var_os("OJWT_SKIPPED") {
        let mut file = fs::File::options().create(true).append(true).open(file).unwrap();
        writeln!(file, "{reason}").unwrap();
    }
}
