//! `otools`: keys and JSON Web Tokens at the command line.
//!
//! Exit status: 0, or 1 where the thing failed (a token that is refused, a file that cannot be
//! read), or 2 where the call made no sense.

mod args;
mod completions;
mod decode;
mod encode;
mod files;
mod jwks;
mod keys;
mod make_priv_key;
mod make_pub_key;
mod time;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (status, message) = match failure {
                Failure::Usage(message) => (2, message),
                Failure::Failed(message) => (1, message),
                Failure::BrokenPipe => return ExitCode::SUCCESS,
            };
            // Nothing is left to do if standard error is closed.
            let _ = writeln!(io::stderr(), "otools: {}", printable(&message));
            ExitCode::from(status)
        }
    }
}

fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::MakePrivKey(args) => make_priv_key::run(&args),
        Command::MakePubKey(args) => make_pub_key::run(&args),
        Command::Encode(args) => encode::run(&args),
        Command::Decode(args) => decode::run(&args),
        Command::Jwks(args) => jwks::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Why a command did not do what it was asked.
enum Failure {
    /// The call made no sense.
    Usage(String),
    /// The thing itself failed.
    Failed(String),
    /// Nobody reads standard output any more, which is no fault.
    BrokenPipe,
}

impl Failure {
    fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

/// Prints to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::failed(format!("standard output: {error}")),
        }
    })
}

/// A message without the control characters that would act on a terminal.
fn printable(message: &str) -> String {
    message
        .chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}
