//! `otools`: keys and JSON Web Tokens at the command line.
//!
//! The exit status is 0 on success, 1 where the operation failed (a token that does not verify, a
//! file that cannot be read), and 2 where the command line makes no sense.
#![forbid(unsafe_code)]

mod args;
mod completions;
mod decode;
mod encode;
mod error;
mod files;
mod jwks;
mod keys;
mod make_priv_key;
mod make_pub_key;
mod printable;
mod time;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};
use crate::error::Error;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

fn run() -> Result<(), Error> {
    match Args::try_parse()?.command {
        Command::MakePrivKey(args) => make_priv_key::run(&args),
        Command::MakePubKey(args) => make_pub_key::run(&args),
        Command::Encode(args) => encode::run(&args),
        Command::Decode(args) => decode::run(&args),
        Command::Jwks(args) => jwks::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}
