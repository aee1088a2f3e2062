use std::{ffi::OsStr, process::Stdio};

use tokio::process::Command;

use super::{Exit, Files, Gateway};

/// Sets a gateway up. Its environment has nothing but what it is given here: a free port to listen on and a JSON log, to
/// begin with.
#[derive(Debug)]
#[must_use]
pub struct GatewayBuilder {
    command: Command,
    files: Option<Files>,
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
        Self {
            command,
            files: None,
        }
    }

    /// Adds a backend by its two required variables. It gets the credentials of the client, unless it has a key.
    pub fn backend(self, label: &str, priority: u32, url: impl AsRef<OsStr>) -> Self {
        let auth = format!("BACKEND_{label}_AUTH");
        let mut variables = self.command.as_std().get_envs();
        let says_auth = variables.any(|(name, _)| name == OsStr::new(&auth));
        let gateway = self
            .env(format!("BACKEND_{label}_URL"), url)
            .env(format!("BACKEND_{label}_PRIORITY"), priority.to_string());
        if says_auth {
            return gateway;
        }
        gateway.env(auth, "passthrough")
    }

    /// Gives a backend a key of its own.
    pub fn key(self, label: &str, key: &str) -> Self {
        self.env(format!("BACKEND_{label}_APIKEY"), key)
            .env(format!("BACKEND_{label}_AUTH"), "key")
    }

    /// Gives it a configuration file with this text. Others can be written beside it, by [`Gateway::files`].
    pub fn config(self, text: &str) -> Self {
        self.config_beside(Files::new(), text)
    }

    /// The same, beside files that are there.
    pub fn config_beside(mut self, files: Files, text: &str) -> Self {
        files.write(Files::CONFIG, text);
        self.command
            .env("SPILLOVER_CONFIG", files.path(Files::CONFIG));
        self.files = Some(files);
        self
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
        Gateway::start(&mut self.command, self.files).await
    }

    /// Runs it to its end.
    pub async fn run(mut self) -> Exit {
        Exit::of(&mut self.command).await
    }
}
