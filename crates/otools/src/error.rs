//! What goes wrong, and how that is said.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::printable::printable;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Error {
    /// The thing failed.
    Failed(String),
    /// The command line makes no sense.
    Usage(String),
    /// The command line is not one of otools', or asks for help.
    CommandLine(clap::Error),
    /// Whoever read standard output has gone, and misses nothing.
    BrokenPipe,
}

impl Error {
    /// Something about a file.
    pub(crate) fn of(file: &Path, what: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{}: {what}", name(file)))
    }

    /// A file that the system does not let us use.
    pub(crate) fn io(file: &Path, error: &io::Error) -> Self {
        Self::of(file, reason(error))
    }

    /// The standard `stream` that the system does not let us use.
    pub(crate) fn standard(stream: &str, error: &io::Error) -> Self {
        Self::Failed(format!("standard {stream}: {}", reason(error)))
    }

    /// Says it, and turns it into the exit status.
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

/// Something about a file that is worth a line, though the command goes on.
pub(crate) fn warn_of(file: &Path, what: impl std::fmt::Display) {
    warn(format_args!("{}: {what}", name(file)));
}

/// Something that is worth a line, though the command goes on.
pub(crate) fn warn(what: impl std::fmt::Display) {
    say(&format!("warning: {what}"));
}

/// One line on standard error. Nobody is left to tell if even that fails.
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
        // What is wrong, then how it is right: several lines, and clap quotes what it was given.
        _ => {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let lines: Vec<_> = text.lines().map(printable).collect();
            let _ = writeln!(io::stderr(), "otools: {}", lines.join("\n"));
            ExitCode::from(2)
        }
    }
}

/// How a file is called in a message. Only what is read is ever called `-`.
fn name(file: &Path) -> String {
    if file.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        file.to_string_lossy().into_owned()
    }
}

/// What the system says, without the number that it says it with.
fn reason(error: &io::Error) -> String {
    // tempfile wraps the system's error to add the name of a file that is none of the user's.
    let wrapped = error.get_ref().and_then(std::error::Error::source);
    let text = wrapped.map_or_else(|| error.to_string(), ToString::to_string);
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
