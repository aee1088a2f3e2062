//! Commands of `spillover` besides serving.

mod check;
mod hash_key;
mod health;
mod import;

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

pub(crate) use self::{check::check, hash_key::hash_key, health::health, import::import_policy};
use crate::config::Cli;

/// Prints the completion script of a shell.
pub(crate) fn completions(shell: Shell) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "spillover", &mut script);
    io::stdout().write_all(&script)
}

/// Prints the manual page.
pub(crate) fn manual() -> io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    io::stdout().write_all(&page)
}

/// Prints a text to standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}
