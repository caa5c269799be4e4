//! `otools completions`.

use clap::CommandFactory as _;

use crate::args::{Args, Completions};
use crate::error::Error;
use crate::files;

pub(crate) fn run(args: &Completions) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "otools", &mut script);
    files::print(&script)
}
