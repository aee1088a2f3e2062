//! `spillover import`: turns policies of API Management that balance load over a list of backends into a configuration file.
//!
//! See <https://github.com/Azure-Samples/openai-apim-lb> for the policy that most others are made from.

mod csharp;
mod lenient;
mod policy;
#[cfg(test)]
mod tests;
mod write;

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use self::policy::Policy;
use super::print;

/// Converts a policy to a configuration file, and lists what remains to be done by hand.
pub(crate) fn import_policy(policy: &Path, output: Option<&Path>) -> io::Result<()> {
    let Imported { toml, notes } = import(&read(policy)?).map_err(io::Error::other)?;
    match output {
        Some(path) => write_new(path, &toml)?,
        None => print(&toml)?,
    }
    for note in notes {
        eprintln!("{note}");
    }
    Ok(())
}

/// A policy as a configuration file.
#[derive(Debug)]
struct Imported {
    toml: String,
    /// One line for each setting that is not taken over, and for each thing to do. No value of the policy is in it.
    notes: Vec<String>,
}

/// Converts a policy.
///
/// # Errors
///
/// Returns a message if the policy is no XML or has no list of backends.
fn import(xml: &str) -> Result<Imported, String> {
    let xml = lenient::well_formed(xml);
    let document = roxmltree::Document::parse(&xml).map_err(|error| {
        // The error itself may hold a value.
        let line = error.pos().row;
        format!("the policy is no XML that can be read: see line {line}")
    })?;
    let policy = Policy::read(&document);
    if policy.backends.is_empty() {
        return Err(
            "the policy has no list of backends: no set-variable whose value adds objects with a \"url\""
                .to_owned(),
        );
    }
    if policy.backends.iter().all(|backend| backend.url.is_none()) {
        return Err("the policy has no backend whose \"url\" is a plain URL".to_owned());
    }
    Ok(write::write(policy))
}

fn read(path: &Path) -> io::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(path).map_err(|error| about(path, &error))
}

/// Writes a new file. An existing file is not overwritten.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| about(path, &error))
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
