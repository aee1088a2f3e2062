//! Who the gateway is to Entra ID, found in the environment of a process.

use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::e2e::soon;

/// What the first token is, or why there is none, for `program` with this environment and no other; see
/// [`first_token!`](crate::first_token!). The secret of the endpoint must not be in its log.
///
/// # Panics
///
/// It is, or the program does not come to its end.
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

/// [`first_token`](crate::entra::first_token) of the program that cargo built beside the test.
#[macro_export]
macro_rules! first_token {
    ($variables:expr) => {
        $crate::entra::first_token(env!("CARGO_BIN_EXE_first-token-under-test"), $variables)
    };
}

/// The variable that says after how many failures the program gives up; after the first without it.
pub const PATIENCE: &str = "PATIENCE_OF_THE_TEST";
