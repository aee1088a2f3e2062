use std::{ffi::OsStr, process::Stdio};

use tokio::process::Command;

use super::{Exit, Gateway};

/// Sets a gateway up. Its environment has nothing but what it is given here: a free port to listen on and a JSON log, to
/// begin with.
#[derive(Debug)]
#[must_use]
pub struct GatewayBuilder {
    command: Command,
}

impl GatewayBuilder {
    /// The gateway that `program` is; [`gateway!`](crate::gateway!) knows it.
    pub fn new(program: &str) -> Self {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LISTEN", "127.0.0.1:0")
            .env("LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self { command }
    }

    /// Adds a backend by its two required variables.
    pub fn backend(self, label: &str, priority: u32, url: impl AsRef<OsStr>) -> Self {
        self.env(format!("BACKEND_{label}_URL"), url)
            .env(format!("BACKEND_{label}_PRIORITY"), priority.to_string())
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets variables.
    pub fn envs<'a>(mut self, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.command.envs(variables);
        self
    }

    /// Takes a variable away.
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Adds arguments of the command line.
    pub fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(args);
        self
    }

    /// Starts it, and waits until it listens.
    pub async fn start(mut self) -> Gateway {
        Gateway::start(&mut self.command).await
    }

    /// Runs it to its end.
    pub async fn run(mut self) -> Exit {
        Exit::of(&mut self.command).await
    }
}
