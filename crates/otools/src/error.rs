//! Errors, and how they are reported.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::printable::printable;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Error {
    /// The operation failed.
    Failed(String),
    /// The arguments do not make sense together.
    Usage(String),
    /// clap does not accept the command line, or the command line asks for help.
    CommandLine(clap::Error),
    /// The reader of standard output has closed it, and needs no message.
    BrokenPipe,
}

impl Error {
    /// An error that concerns a file.
    pub(crate) fn of(file: &Path, what: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{}: {what}", name(file)))
    }

    /// An error of the operating system with a file.
    pub(crate) fn io(file: &Path, error: &io::Error) -> Self {
        Self::of(file, reason(error))
    }

    /// An error of the operating system with the standard `stream`.
    pub(crate) fn standard(stream: &str, error: &io::Error) -> Self {
        Self::Failed(format!("standard {stream}: {}", reason(error)))
    }

    /// Prints the error, and turns it into the exit status.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::Failed(message) => {
                say(&message);
                ExitCode::from(1)
            }
            Self::Usage(message) => {
                say(&message);
                ExitCode::from(2)
            }
            Self::CommandLine(error) => command_line(&error),
            Self::BrokenPipe => ExitCode::SUCCESS,
        }
    }
}

impl From<clap::Error> for Error {
    fn from(error: clap::Error) -> Self {
        Self::CommandLine(error)
    }
}

/// Prints a warning about a file; the command goes on.
pub(crate) fn warn_of(file: &Path, what: impl std::fmt::Display) {
    warn(format_args!("{}: {what}", name(file)));
}

/// Prints a warning; the command goes on.
pub(crate) fn warn(what: impl std::fmt::Display) {
    say(&format!("warning: {what}"));
}

/// Prints one line on standard error. If this fails, the failure cannot be reported anywhere.
fn say(message: &str) {
    let _ = writeln!(io::stderr(), "otools: {}", printable(message));
}

fn command_line(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match error.print() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Error::standard("output", &error).report()
            }
            _ => ExitCode::SUCCESS,
        },
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(2)
        }
        // The error, then the correct usage: several lines, in which clap quotes the arguments.
        _ => {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let lines: Vec<_> = text.lines().map(printable).collect();
            let _ = writeln!(io::stderr(), "otools: {}", lines.join("\n"));
            ExitCode::from(2)
        }
    }
}

/// The name of a file in a message. Only a file that is read can be named `-`.
fn name(file: &Path) -> String {
    if file.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        file.to_string_lossy().into_owned()
    }
}

/// The words of a system error, without the error number.
fn reason(error: &io::Error) -> String {
    // tempfile wraps the system's error to add the name of a file that the user does not know.
    let wrapped = error.get_ref().and_then(std::error::Error::source);
    let text = wrapped.map_or_else(|| error.to_string(), ToString::to_string);
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
