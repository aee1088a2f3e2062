use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::{
    ConfigError, ListenAddr,
    flags::{FlagText, Flags},
    help,
};

/// The command line of `spillover`.
///
/// Values stay as they were given until [`Config::from`](super::Config::from) reads them together with the variables,
/// so that both are checked and reported alike.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "spillover",
    version,
    about = help::ABOUT,
    long_about = help::LONG_ABOUT,
    after_long_help = help::after(),
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
)]
pub struct Cli {
    /// What to do; without a command the gateway serves.
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    flags: Flags,
}

impl Cli {
    /// The flags that say what the gateway goes by.
    pub(super) fn flags(&self) -> &Flags {
        match &self.command {
            Some(Command::Check(CheckArgs { flags })) => flags,
            _ => &self.flags,
        }
    }
}

/// A command of `spillover`.
#[derive(Clone, Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Show the gateway at work in front of mock backends; needs no configuration
    Demo(DemoArgs),

    /// Check the configuration and print it, with every default; secrets are not shown
    Check(CheckArgs),

    /// Turn an API Management policy that balances load into a configuration file
    Import {
        /// The policy, in XML; `-` is standard input
        file: PathBuf,

        /// Write the configuration to this file, which must not exist [default: standard output]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },

    /// Print the JSON schema of the configuration file
    Schema,

    /// Print the SHA-256 of a client's key, which is read from standard input
    HashKey {
        /// Make a new key, and print it as well
        #[arg(long)]
        generate: bool,
    },

    /// Ask a gateway that runs whether it is up; the exit code is 0 if so, else 1
    Health {
        /// Its admin address, or another where it listens in clear text
        #[arg(value_name = "HOST:PORT")]
        address: String,

        /// Ask whether it is ready for requests
        #[arg(long)]
        ready: bool,
    },

    /// Print a script that completes commands and flags in a shell
    Completions {
        /// The shell
        shell: Shell,
    },

    /// Print the manual page
    Man,
}

/// The flags of `spillover check`: those of the gateway.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    flags: Flags,
}

/// The flags of `spillover demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Stay up after the show, to be tried with curl or an SDK
    #[arg(long)]
    pub serve: bool,

    /// Address to listen on [default: 127.0.0.1:8080 with --serve, else any free port]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<FlagText>,
}

impl DemoArgs {
    /// Where the demo accepts connections. Default: `127.0.0.1:8080` with `--serve`, else any free port of `127.0.0.1`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when `--listen` is not a host and a port.
    pub fn listen(&self) -> Result<ListenAddr, ConfigError> {
        match self.listen.as_ref().and_then(|text| text.setting("LISTEN")) {
            Some(listen) => Ok(listen.read(ListenAddr::parse)?),
            None if self.serve => Ok(ListenAddr::default()),
            None => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()),
        }
    }
}
