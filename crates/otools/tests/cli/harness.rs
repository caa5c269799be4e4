//! A directory to work in, and what `otools` says there.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const OTOOLS: &str = env!("CARGO_BIN_EXE_otools");

/// The algorithms that `make_priv_key` makes keys for.
pub(crate) const PRIVATE_KEY_ALGS: [&str; 8] =
    ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"];

/// A directory of its own for each test; gone when dropped.
pub(crate) struct Dir(TempDir);

/// What a program answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A directory with `private_key.pem` and `public_key.pem`.
    pub(crate) fn with_keys(alg: &str) -> Self {
        let dir = Self::new();
        dir.ok(&["make_priv_key", "--alg", alg]);
        dir.ok(&["make_pub_key"]);
        dir
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    /// The names of all files, sorted: what is left behind is among them.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(self.0.path());
        command
    }

    pub(crate) fn otools(&self, args: &[&str]) -> Answer {
        answer(self.command(OTOOLS).args(args), b"")
    }

    pub(crate) fn otools_with_input(&self, args: &[&str], input: impl AsRef<[u8]>) -> Answer {
        answer(self.command(OTOOLS).args(args), input.as_ref())
    }

    /// Runs a shell command line, in which `$0` is `otools`.
    pub(crate) fn shell(&self, line: &str) -> Answer {
        answer(self.command("sh").args(["-c", line, OTOOLS]), b"")
    }

    /// Runs `openssl`, which has to agree.
    pub(crate) fn openssl(&self, args: &[&str]) -> String {
        let answer = answer(self.command("openssl").args(args), b"");
        assert_eq!(answer.status, Some(0), "{args:?}: {answer:?}");
        answer.stdout
    }

    /// Runs `otools`, which has to succeed without a word on standard error.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        self.otools(args).ok()
    }

    /// Runs `otools`, which has to fail with one line; gives that line without `otools: `.
    pub(crate) fn fails(&self, status: i32, args: &[&str]) -> String {
        self.otools(args).fails(status)
    }

    /// Makes a token with `private_key.pem`.
    pub(crate) fn token(&self, args: &[&str]) -> String {
        self.ok(&[&["encode", "-k", "private_key.pem"], args].concat())
    }

    /// The claims of a token that `public_key.pem` verifies, as JSON.
    pub(crate) fn claims(&self, token: &str) -> String {
        let args = ["decode", "-k", "public_key.pem", "--json"];
        self.otools_with_input(&args, token).ok()
    }

    /// The claims that `encode` makes of these arguments, without `iat`.
    pub(crate) fn encoded(&self, args: &[&str]) -> String {
        let token = self.token(&[&["--iat", "7"], args].concat());
        self.claims(&token).trim_end().replace("\"iat\":7,", "").replace(",\"iat\":7", "")
    }
}

impl Answer {
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, Some(0), "{self:?}");
        assert_eq!(self.stderr, "", "{self:?}");
        self.stdout
    }

    pub(crate) fn fails(self, status: i32) -> String {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let line = self.stderr.strip_suffix('\n').unwrap_or_else(|| panic!("{self:?}"));
        assert!(!line.contains(char::is_control), "{self:?}");
        line.strip_prefix("otools: ").unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

/// Runs a program to its end.
pub(crate) fn answer(command: &mut Command, input: &[u8]) -> Answer {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // A program that fails may not read all of its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let answer = Answer {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!answer.stderr.contains("panicked"), "{answer:?}");
    answer
}

/// The header of a token.
pub(crate) fn header(token: &str) -> Value {
    let (header, _) = token.split_once('.').unwrap();
    let json = ojwt_core::text::base64url::decode(header.as_bytes()).unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// A shared secret as a JWK.
pub(crate) fn secret(bytes: usize) -> String {
    let k = ojwt_core::text::base64url::encode(&vec![b'S'; bytes]);
    serde_json::json!({ "kty": "oct", "k": k }).to_string()
}
