//! Checks deploy/ and the Dockerfile: the gateway accepts their configurations, and they agree with their surroundings.

mod compose;
mod container;
mod container_apps;
mod dockerfile;
mod health;
mod kubernetes;
mod packages;
mod plain;
mod systemd;
mod yaml;

use std::{fs, path::PathBuf};

use serde_json::Value;

use self::container::{Container, Taken};

/// Reads a file of the repository.
fn read(path: &str) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Reads a file of the repository in TOML.
fn manifest(path: &str) -> Value {
    toml::from_str(&read(path)).expect("TOML")
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
