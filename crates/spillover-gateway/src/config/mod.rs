//! What the gateway is told: environment variables, command line flags and a file in TOML become one checked [`Config`].
//!
//! * Variables and flags are enough for one pool of backends. A file has the backends, and whatever else there is to say;
//!   the other variables and flags win over it.
//! * A flag wins over the variable of the same name; what is overridden is not looked at.
//! * Names are read in any case, values are trimmed, an empty value counts as not set.
//! * Whatever is wrong is reported at once, in a [`ConfigError`] that names the variable or flag, or the line and the key of
//!   the file, and what was expected there. It never holds a value: that may be a key put in the wrong place.
//!
//! The file becomes the tables of a document, as far as they can be read; the environment becomes a document of the same
//! kind; flags and variables replace parts of it; and one check makes the configuration of either.
//!
//! ```
//! use clap::Parser;
//! use spillover_gateway::config::{Cli, Config};
//!
//! let cli = Cli::parse_from(["spillover", "--listen", "127.0.0.1:0"]);
//! let variables = [
//!     ("BACKEND_PTU_URL", "https://ptu.openai.azure.com"),
//!     ("BACKEND_PTU_PRIORITY", "1"),
//!     ("LISTEN", "0.0.0.0:8080"),
//! ];
//! let config = Config::from(&cli, variables.map(|(name, value)| (name.into(), value.into())))?;
//!
//! assert_eq!(config.backends()[0].label(), "PTU");
//! assert_eq!(config.listen().as_str(), "127.0.0.1:0");
//! # Ok::<_, spillover_gateway::config::ConfigError>(())
//! ```
//!
//! # Ignored variables
//!
//! A variable that starts with `BACKEND_` and belongs to no label that has a URL is ignored and listed in
//! the log. So are the service links that Kubernetes sets for services of that name, such as
//! `BACKEND_SERVICE_HOST` or `BACKEND_1_PORT_80_TCP`. Any other name on a label that has a URL is taken for a misspelt
//! key and refused.

mod backends;
mod cli;
mod error;
mod file;
mod flags;
mod help;
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

use spillover_core::Backend;

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
use spillover_serve::{Connections, ListenAddr, Listener, Shutdown};

use crate::{
    read_files::ReadFiles,
    site::{Clients, CredentialSource, PoolConfig},
};

/// The configuration of the gateway, checked; see the [module](self).
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) listeners: Vec<Listener>,
    /// Where the gateway tells operators how it does.
    pub(crate) admin: Option<ListenAddr>,
    pub(crate) log_format: LogFormat,
    pub(crate) clients: Clients,
    pub(crate) connections: Connections,
    pub(crate) shutdown: Shutdown,
    /// There is at least one.
    pub(crate) pools: Vec<PoolConfig>,
    /// Whether there is a file, and not only the environment.
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
    /// [`ConfigError`] lists everything that is missing or not as expected.
    pub fn from(
        cli: &Cli,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let (config, _) = Self::with_document(cli, variables, &mut ReadFiles::default())?;
        Ok(config)
    }

    /// Reads the flags and the environment of this process. What is read besides the environment is noted: when it changes, so may what comes of it.
    pub(crate) fn read(cli: &Cli, files: &mut ReadFiles) -> Result<Self, ConfigError> {
        let (config, _) = Self::with_document(cli, env::vars_os(), files)?;
        Ok(config)
    }

    /// The same, and what it was read from: the tables of a file with every default, whether there is a file or not.
    fn with_document(
        cli: &Cli,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        files: &mut ReadFiles,
    ) -> Result<(Self, Document), ConfigError> {
        let flags = cli.flags();
        let variables = Variables::new(flags, variables);
        let mut problems = Problems::default();

        let source = Source::find(&flags.backend, &variables, files, &mut problems);
        // The rest is checked even if the file cannot be used.
        let is_readable = source.is_some();
        let mut source = source.unwrap_or_default();
        source.apply(&variables, &mut problems);
        if !is_readable {
            problems.into_result()?;
            let problem = Problem::new("--config", "nothing can be read");
            return Err(problem.into());
        }
        let Source {
            mut document,
            origin,
            ignored,
        } = source;
        document.fill_in();
        let check = Check::new(&origin, &variables, files, &mut problems);
        let config = check.document(&document, ignored);

        problems.into_result()?;
        Ok((config, document))
    }

    /// What the gateway would go by, and that as a file with every default; secrets print as `[redacted]`.
    ///
    /// # Errors
    ///
    /// As by [`load`](Self::load).
    pub(crate) fn effective(cli: &Cli) -> Result<(Self, String), ConfigError> {
        let (config, document) =
            Self::with_document(cli, env::vars_os(), &mut ReadFiles::default())?;
        let text = document.print(&config);
        Ok((config, text))
    }

    /// Whether a backend gets tokens of Entra ID.
    pub(crate) fn wants_tokens(&self) -> bool {
        let mut backends = self.pools.iter().flat_map(|pool| &pool.backends);
        backends.any(|backend| backend.credential == CredentialSource::Entra)
    }

    /// What cannot change while the gateway runs, and is another in `newer`.
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

    /// Where the gateway accepts connections. Default `127.0.0.1:8080`.
    #[must_use]
    pub fn listen(&self) -> &ListenAddr {
        &self.listeners[0].address
    }

    /// The backends by priority, those of one priority in the natural order of their labels. There is at least one.
    #[must_use]
    pub fn backends(&self) -> Vec<&Backend> {
        let backends = self.pools[0].backends.iter();
        backends.map(|config| &config.backend).collect()
    }
}
