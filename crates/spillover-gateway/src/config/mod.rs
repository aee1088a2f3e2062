//! Configuration of the gateway: reads environment variables, command line flags and a TOML file into one checked [`Config`].
//!
//! * Variables and flags are enough for one pool of backends. With a file, the backends are those of the file. The other
//!   variables and flags override it.
//! * A flag overrides the variable of the same name. An overridden variable is not checked.
//! * Names are read in any case, values are trimmed, and an empty value counts as not set.
//! * All problems are reported at once, in a [`ConfigError`]. Each names the variable or flag, or the line and the key of the
//!   file, and the expected value. No message holds a value, because it may be a key in the wrong place.
//!
//! There are four steps: the file or the environment becomes a document, which has the tables of a file; flags and variables
//! replace parts of it; defaults are filled in; and the checks turn it into the options of the gateway's layers.
//!
//! ```
//! use clap::Parser;
//! use spillover_gateway::config::{Cli, Config};
//!
//! let cli = Cli::parse_from(["spillover", "--listen", "127.0.0.1:0"]);
//! let variables = [
//!     ("BACKEND_PTU_URL", "https://ptu.openai.azure.com"),
//!     ("BACKEND_PTU_PRIO", "1"),
//! ];
//! let error = Config::from(&cli, variables.map(|(name, value)| (name.into(), value.into())))
//!     .expect_err("a misspelt key");
//!
//! let misspelt = &error.problems()[0];
//! assert_eq!(misspelt.place(), "BACKEND_PTU_PRIO");
//! assert!(misspelt.message().ends_with("did you mean BACKEND_PTU_PRIORITY?"));
//! ```
//!
//! # Ignored variables
//!
//! A variable that starts with `BACKEND_`, but belongs to no label with a URL, is ignored, and the log names it. The same
//! holds for the variables that Kubernetes sets for services of that name, such as `BACKEND_SERVICE_HOST` or
//! `BACKEND_1_PORT_80_TCP`. Any other name on a label with a URL is refused as a misspelt key.

mod backends;
mod cli;
mod error;
mod file;
mod flags;
mod names;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod url;
mod value;
mod values;
mod variables;

use std::{env, ffi::OsString};

use spillover_serve::{Connections, ListenAddr, Listener, Shutdown, reload::ReadFiles};

pub(crate) use self::file::schema;
pub use self::{
    cli::{CheckArgs, Cli, Command, DemoArgs},
    error::{ConfigError, Problem},
    value::LogFormat,
};
use self::{
    error::Problems,
    source::Source,
    table::{Check, Document},
    variables::Variables,
};
use crate::runtime::{Clients, PoolConfig};

/// The checked configuration of the gateway; see the [module](self).
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) listeners: Vec<Listener>,
    /// Address for operators.
    pub(crate) admin: Option<ListenAddr>,
    pub(crate) log_format: LogFormat,
    pub(crate) clients: Clients,
    pub(crate) connections: Connections,
    pub(crate) shutdown: Shutdown,
    /// At least one pool.
    pub(crate) pools: Vec<PoolConfig>,
    /// True if the backends are those of a file.
    pub(crate) has_file: bool,
    /// Names of `BACKEND_` variables that have no effect.
    pub(crate) ignored: Vec<String>,
    /// Settings that are probably mistakes, with their places. They do not keep the gateway from starting.
    pub(crate) warnings: Vec<Problem>,
}

impl Config {
    /// Reads the flags and these variables.
    ///
    /// # Errors
    ///
    /// Returns a [`ConfigError`] with everything that is missing or not as expected.
    pub fn from(
        cli: &Cli,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let (config, _) = Self::with_document(cli, variables, &mut ReadFiles::default())?;
        Ok(config)
    }

    /// Reads the flags and the environment of this process. The files on which the configuration depends are recorded in
    /// `files`, even if it is not valid.
    pub(crate) fn read(cli: &Cli, files: &mut ReadFiles) -> Result<Self, ConfigError> {
        let (config, _) = Self::with_document(cli, env::vars_os(), files)?;
        Ok(config)
    }

    /// Reads the flags and the environment of this process. Returns the configuration, and its text as a file with every
    /// default, in which secrets print as `[redacted]`.
    pub(crate) fn effective(cli: &Cli) -> Result<(Self, String), ConfigError> {
        let (config, document) =
            Self::with_document(cli, env::vars_os(), &mut ReadFiles::default())?;
        let text = document.print(&config);
        Ok((config, text))
    }

    fn with_document(
        cli: &Cli,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        files: &mut ReadFiles,
    ) -> Result<(Self, Document), ConfigError> {
        let flags = cli.flags();
        let variables = Variables::new(flags, variables);
        let mut problems = Problems::default();
        let mut source = Source::find(&flags.backend, &variables, files, &mut problems);
        source.apply(&variables, &mut problems);
        source.document.fill_in();
        let check = Check {
            origin: &source.origin,
            variables: &variables,
            problems: &mut problems,
            warnings: Vec::new(),
            files,
        };
        let config = check.document(&source.document, source.ignored);
        problems.into_result()?;
        Ok((config, source.document))
    }

    /// Returns the keys whose values differ in `newer` and cannot change while the gateway runs.
    pub(crate) fn needs_restart(&self, newer: &Self) -> impl Iterator<Item = &'static str> {
        let changes = [
            ("listeners", self.listeners != newer.listeners),
            ("admin", self.admin != newer.admin),
            ("log_format", self.log_format != newer.log_format),
            ("connections", self.connections != newer.connections),
            ("shutdown", self.shutdown != newer.shutdown),
        ];
        let changed = changes.into_iter().filter(|(_, is_changed)| *is_changed);
        changed.map(|(key, _)| key)
    }
}
