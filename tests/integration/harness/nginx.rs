//! A running nginx.

use std::io::ErrorKind;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use super::Module;
use super::wait::{PATIENCE, wait};

/// A running nginx.
pub struct Nginx {
    pub(super) module: Module,
    pub(super) directory: TempDir,
    pub(super) address: SocketAddrV4,
    pub(super) master: Child,
}

impl Nginx {
    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// The process of its master.
    pub fn master(&self) -> u32 {
        self.master.id()
    }

    /// Has it end in order, and waits until it has.
    pub fn quit(mut self) {
        self.signal("QUIT");
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.master.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "nginx does not end");
            thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "{status}: {}", self.file("stderr.log"));
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces a file in its folder.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    /// The error log so far, at level `info`.
    pub fn error_log(&self) -> String {
        read(&self.path("error.log"))
    }

    /// Waits until the error log holds `text`.
    pub fn wait_for_log(&self, text: &str) {
        self.wait(&format!("{text:?} in the error log"), || self.error_log().contains(text));
    }

    /// A file that nginx writes, such as an access log.
    pub fn file(&self, name: &str) -> String {
        read(&self.path(name))
    }

    /// Waits until `condition` holds.
    #[allow(clippy::unused_self)] // Reads better.
    pub fn wait(&self, what: &str, condition: impl Fn() -> bool) {
        wait(what, condition);
    }

    /// Reads the configuration anew, and waits until only workers of the new one are left.
    pub fn reload(&self) {
        let old = self.workers();
        self.signal("HUP");
        self.wait("new workers", || {
            let workers = self.workers();
            !workers.is_empty() && workers.iter().all(|worker| !old.contains(worker))
        });
    }

    /// Sends the master a signal, such as `HUP`.
    pub fn signal(&self, signal: &str) {
        kill(self.master.id(), signal);
    }

    /// The processes of its workers.
    pub fn workers(&self) -> Vec<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.master.id());
        read(Path::new(&children)).split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    /// Lets its one worker open one file more, which a connection will be.
    pub fn forbid_more_files(&self) {
        let worker = self.workers()[0].to_string();
        let open: Vec<u32> = fs::read_dir(format!("/proc/{worker}/fd"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .collect();
        // The first that is free is for the connection.
        let limit = (0..).filter(|number| !open.contains(number)).nth(1).unwrap();
        let limit = format!("--nofile={limit}:");
        let output = Command::new("prlimit").args(["--pid", &worker, &limit]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// How often the error log holds `text`.
    pub fn count_in_log(&self, text: &str) -> usize {
        self.error_log().matches(text).count()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if matches!(self.master.try_wait(), Ok(None)) {
            kill(self.master.id(), "TERM");
        }
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.master.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.master.kill();
                let _ = self.master.wait();
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let log = self.error_log();
        if thread::panicking() {
            eprintln!("--- error log of the nginx of this test ---\n{log}");
        } else {
            // No test may pass over a worker that crashed or an entry point that panicked.
            let codes = log.split("exited with code ").skip(1);
            let failed = codes.filter(|code| !code.starts_with('0')).count();
            assert_eq!(failed, 0, "a worker ended with another code than 0:\n{log}");
            let panics = self.module == Module::Panicking;
            for trouble in ["exited on signal", "internal error at", "[alert]"] {
                let is_expected = panics && trouble != "exited on signal";
                assert!(
                    is_expected || !log.contains(trouble),
                    "{trouble:?} in the error log:\n{log}"
                );
            }
        }
    }
}

/// The resident memory of a process, in kilobytes.
pub fn resident(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

fn read(path: &Path) -> String {
    match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            String::new()
        }
    }
}
