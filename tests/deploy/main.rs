//! What is in deploy/ and the Dockerfile: that the gateway takes the configurations there, and that they agree with what
//! stands around them.

mod compose;
mod container;
mod container_apps;
mod dockerfile;
mod health;
mod kubernetes;
mod plain;
mod systemd;
mod yaml;

use std::{fs, path::PathBuf};

use self::container::{Container, Taken};

/// A file of the repository.
fn read(path: &str) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
