mod auth;
mod backends;
mod cli;
mod directory;
mod docs;
mod file;
mod flags;
mod ignored;
mod kind;
mod listen;
mod order;
mod problems;
mod schema;
mod secrets;
mod settings;
mod url;
mod warnings;

use clap::Parser;

use spillover_core::Backend;
use spillover_serve::ListenAddr;

use super::{Cli, Config, ConfigError};

impl Config {
    fn listen(&self) -> &ListenAddr {
        &self.listeners[0].address
    }

    fn backends(&self) -> Vec<&Backend> {
        let backends = self.pools[0].backends.iter();
        backends.map(|config| &config.backend).collect()
    }
}

/// Reads these flags and variables.
fn config(flags: &[&str], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let cli = Cli::try_parse_from(["spillover"].iter().chain(flags)).unwrap();
    let variables = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    Config::from(&cli, variables)
}

/// Reads these flags and variables, and those of a backend.
fn with_backend(flags: &[&str], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let backend = [
        ("BACKEND_1_URL", "https://a.example"),
        ("BACKEND_1_PRIORITY", "1"),
    ];
    config(flags, &[&backend, variables].concat())
}

/// Returns the problems of these flags and variables, as they are printed.
fn problems(flags: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    lines(&config(flags, variables).unwrap_err())
}

fn lines(error: &ConfigError) -> Vec<String> {
    error.problems().iter().map(ToString::to_string).collect()
}

/// Asserts that there is one problem, and that it is at `place`.
#[track_caller]
fn assert_problem_at(result: Result<Config, ConfigError>, place: &str, expected: &str) {
    let error = result.expect_err(place);
    let [problem] = error.problems() else {
        panic!("one problem at {place}, not: {error}");
    };
    assert_eq!(problem.place(), place);
    assert!(problem.message().contains(expected), "{problem}");
}
