use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use super::print;
use crate::config::{Imported, import};

/// Converts an API Management policy to a configuration file, and lists what remains to be done by hand.
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
