//! What the gateway is told: environment variables and command line flags become one checked [`Config`].
//!
//! * A flag wins over the variable of the same name; what is overridden is not looked at.
//! * Names are read in any case, values are trimmed, an empty value counts as not set.
//! * Whatever is wrong is reported at once, in a [`ConfigError`] that names the variable or flag and what was expected
//!   there. It never holds a value: that may be a key put in the wrong place.
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
//! [`Config::ignored`]. So are the service links that Kubernetes sets for services of that name, such as
//! `BACKEND_SERVICE_HOST` or `BACKEND_1_PORT_80_TCP`. Any other name on a label that has a URL is taken for a misspelt
//! key and refused.

mod backends;
mod cli;
mod error;
mod flags;
mod help;
mod listen;
mod log_format;
mod order;
mod setting;
#[cfg(test)]
mod tests;
mod values;
mod variables;

use std::{env, ffi::OsString, time::Duration};

use spillover_core::Backend;
use tower_spillover::select::WhenExhausted;

use self::{backends::Backends, error::Problems, variables::Variables};
pub use self::{
    cli::{Cli, Command, DemoArgs},
    error::{ConfigError, Problem},
    listen::ListenAddr,
    log_format::LogFormat,
};

/// The configuration of the gateway, checked; see the [module](self).
#[derive(Clone, Debug)]
pub struct Config {
    listen: ListenAddr,
    http_timeout: Duration,
    when_exhausted: WhenExhausted,
    expose_backend_url: bool,
    log_format: LogFormat,
    backends: Vec<Backend>,
    ignored: Vec<String>,
}

impl Config {
    /// Reads the flags and the environment of this process.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] lists everything that is missing or not as expected.
    pub fn load(cli: &Cli) -> Result<Self, ConfigError> {
        Self::from(cli, env::vars_os())
    }

    /// Reads the flags and these variables.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] lists everything that is missing or not as expected.
    pub fn from(
        cli: &Cli,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let flags = &cli.flags;
        let variables = Variables::new(variables);
        let mut problems = Problems::default();

        let listen = problems.keep(ListenAddr::find(flags, &variables));
        let http_timeout = problems.keep(variables.read(
            "HTTP_TIMEOUT_SECONDS",
            flags.http_timeout_seconds.as_ref(),
            values::timeout,
        ));
        let when_exhausted = problems.keep(variables.read(
            "WHEN_EXHAUSTED",
            flags.when_exhausted.as_ref(),
            values::when_exhausted,
        ));
        let expose_backend_url = problems.keep(variables.read(
            "EXPOSE_BACKEND_URL",
            flags.expose_backend_url.as_ref(),
            values::truth,
        ));
        let log_format = problems.keep(variables.read(
            "LOG_FORMAT",
            flags.log_format.as_ref(),
            LogFormat::parse,
        ));
        let Backends { backends, ignored } =
            Backends::find(&flags.backend, &variables, &mut problems);

        problems.into_result()?;
        Ok(Self {
            listen: listen.unwrap_or_default(),
            http_timeout: http_timeout.unwrap_or(DEFAULT_HTTP_TIMEOUT),
            when_exhausted: when_exhausted.unwrap_or_default(),
            expose_backend_url: expose_backend_url.unwrap_or_default(),
            log_format: log_format.unwrap_or_default(),
            backends,
            ignored,
        })
    }

    /// Where the gateway accepts connections. Default `127.0.0.1:8080`.
    #[must_use]
    pub fn listen(&self) -> &ListenAddr {
        &self.listen
    }

    /// How long a backend may take until the head of its response. Default 100 s.
    #[must_use]
    pub fn http_timeout(&self) -> Duration {
        self.http_timeout
    }

    /// What becomes of a request that finds every backend closed. Default: forward it to the first of the list.
    #[must_use]
    pub fn when_exhausted(&self) -> WhenExhausted {
        self.when_exhausted
    }

    /// Whether responses name the URL of the backend. Default `false`.
    #[must_use]
    pub fn expose_backend_url(&self) -> bool {
        self.expose_backend_url
    }

    /// The form of the log. Default [`LogFormat::Auto`].
    #[must_use]
    pub fn log_format(&self) -> LogFormat {
        self.log_format
    }

    /// The backends by priority, those of one priority in the natural order of their labels. There is at least one.
    #[must_use]
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// The names of the `BACKEND_` variables that were ignored, to be logged once there is a log.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

/// What Azure's smart load balancing waits for a response by default.
const DEFAULT_HTTP_TIMEOUT: Duration = Duration::from_secs(100);
