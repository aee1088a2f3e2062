//! Finds the gateway's Entra ID identity for a process environment.

use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::e2e::soon;

/// Returns the first token, or the reason why there is none, for `program` with this environment and no other; see
/// [`first_token!`](crate::first_token!).
///
/// # Panics
///
/// Panics if the log holds the secret of the endpoint, or if the program does not end.
pub async fn first_token(program: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let Output { stdout, stderr, .. } = soon(command.output()).await.expect("it can be run");
    let log = String::from_utf8_lossy(&stderr);
    let header = variables
        .iter()
        .find(|(name, _)| *name == "IDENTITY_HEADER");
    assert!(
        header.is_none_or(|(_, secret)| !log.contains(secret)),
        "{log}"
    );
    let said = String::from_utf8(stdout).expect("output in UTF-8");
    assert!(!said.is_empty(), "{log}");
    said.trim_end().to_owned()
}

/// Runs [`first_token`](crate::entra::first_token) with the program that cargo built beside the test.
#[macro_export]
macro_rules! first_token {
    ($variables:expr) => {
        $crate::entra::first_token(env!("CARGO_BIN_EXE_first-token-under-test"), $variables)
    };
}

/// The variable with the number of failures after which the program gives up. Default: 1.
pub const PATIENCE: &str = "PATIENCE_OF_THE_TEST";
