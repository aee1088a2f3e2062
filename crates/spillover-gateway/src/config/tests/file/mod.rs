//! Tests of the configuration file.

mod effective;
mod overrides;
mod pools;
mod problems;
mod properties;
mod secrets;
mod settings;
mod together;

use std::path::PathBuf;

use clap::Parser;
use spillover_serve::reload::ReadFiles;

use super::directory::Directory;
use crate::config::{Cli, Config, ConfigError, Document};

/// A valid pool.
pub(super) const POOL: &str = r#"
[[pools]]
[[pools.backends]]
name = "a"
url = "https://a.example"
credential = "entra"
"#;

fn cli(flags: &[&str]) -> Cli {
    Cli::try_parse_from(["spillover"].iter().chain(flags)).unwrap()
}

pub(super) fn read(
    directory: &Directory,
    text: &str,
    flags: &[&str],
    variables: &[(&str, &str)],
) -> Result<(Config, Document), ConfigError> {
    let path = directory.write("spillover.toml", text);
    let flags: Vec<_> = flags.iter().copied().chain(["--config", &*path]).collect();
    let variables = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    Config::with_document(&cli(&flags), variables, &mut ReadFiles::default())
}

/// Returns the files that are read for a file with this text, even if it is not valid.
fn files_for(directory: &Directory, text: &str) -> Vec<PathBuf> {
    let path = directory.write("spillover.toml", text);
    let mut files = ReadFiles::default();
    let _ = Config::with_document(&cli(&["--config", &path]), [], &mut files);
    files.paths().map(Into::into).collect()
}

/// Loads a file with this text, in this directory.
pub(super) fn load_with(
    directory: &Directory,
    text: &str,
    flags: &[&str],
    variables: &[(&str, &str)],
) -> Result<Config, ConfigError> {
    read(directory, text, flags, variables).map(|(config, _)| config)
}

/// Returns the variables that a file names, with a value for each.
pub(super) fn variables_of(text: &str) -> Vec<(&str, &str)> {
    let names = text.split("env = \"").skip(1);
    names
        .filter_map(|name| Some((name.split('"').next()?, "key")))
        .collect()
}

fn load(text: &str) -> Result<Config, ConfigError> {
    load_with(&Directory::new(), text, &[], &[])
}

/// Returns the problems of a file with this text, without the directory: `spillover.toml:3: key: message`.
fn problems(text: &str) -> Vec<String> {
    let directory = Directory::new();
    let error = load_with(&directory, text, &[], &[]).expect_err(text);
    problems_of(&directory, &error)
}

fn problems_of(directory: &Directory, error: &ConfigError) -> Vec<String> {
    let prefix = format!("{}/", directory.path().display());
    let line = |problem: &crate::config::Problem| problem.to_string().replace(&prefix, "");
    error.problems().iter().map(line).collect()
}

/// Asserts that this is the only problem of the text.
#[track_caller]
fn assert_problem(text: &str, expected: &str) {
    let problems = problems(text);
    let [problem] = &problems[..] else {
        panic!("one problem, not {problems:#?} of\n{text}");
    };
    let problem = problem.strip_prefix("spillover.toml:").expect(problem);
    assert!(problem.contains(expected), "{problem} is not {expected}");
}

/// Returns a valid pool with this text in it.
fn with_pool(text: &str) -> String {
    POOL.replace("[[pools]]\n", &format!("[[pools]]\n{text}\n"))
}

/// Returns a valid pool with this text in its backend.
fn with_backend(text: &str) -> String {
    format!("{POOL}{text}\n")
}
