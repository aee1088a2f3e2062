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

use super::{Cli, Config, ConfigError};

/// The configuration of these flags and variables.
fn config(flags: &[&str], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let cli = Cli::try_parse_from(["spillover"].iter().chain(flags)).unwrap();
    let variables = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    Config::from(&cli, variables)
}

/// The same with a backend, for tests of other settings.
fn with_backend(flags: &[&str], variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let backend = [
        ("BACKEND_1_URL", "https://a.example"),
        ("BACKEND_1_PRIORITY", "1"),
    ];
    config(flags, &[&backend, variables].concat())
}

/// The problems of these flags and variables, each as it is printed.
fn problems(flags: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    lines(&config(flags, variables).unwrap_err())
}

fn lines(error: &ConfigError) -> Vec<String> {
    error.problems().iter().map(ToString::to_string).collect()
}

/// The only problem, which is at `place`.
#[track_caller]
fn assert_problem_at(result: Result<Config, ConfigError>, place: &str, expected: &str) {
    let error = result.expect_err(place);
    let [problem] = error.problems() else {
        panic!("one problem at {place}, not: {error}");
    };
    assert_eq!(problem.place(), place);
    assert!(problem.message().contains(expected), "{problem}");
}
