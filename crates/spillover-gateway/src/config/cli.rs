use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::{
    Args, Parser, Subcommand,
    builder::{StyledStr, Styles},
};
use clap_complete::Shell;

use super::{
    ConfigError, ListenAddr,
    flags::{FlagText, Flags},
};

/// The command line of `spillover`.
///
/// [`Config::from`](super::Config::from) reads the values of the flags together with the variables, so that both are checked
/// and reported alike.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "spillover",
    version,
    about = ABOUT,
    long_about = LONG_ABOUT,
    after_long_help = end_of_help(),
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
)]
pub struct Cli {
    /// The command. Without one, the gateway serves
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    flags: Flags,
}

impl Cli {
    /// Returns the flags of the configuration.
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

    /// Check that a running gateway is up; the exit code is 0 if it is, else 1
    Health {
        /// Admin address of the gateway, or another address without TLS
        #[arg(value_name = "HOST:PORT")]
        address: String,

        /// Check that it is ready for requests
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
    /// Keep serving after the demo, for curl or an SDK
    #[arg(long)]
    pub serve: bool,

    /// Address to listen on [default: 127.0.0.1:8080 with --serve, else any free port]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<FlagText>,
}

impl DemoArgs {
    /// Returns the address of the demo. Default: `127.0.0.1:8080` with `--serve`, else any free port of `127.0.0.1`.
    ///
    /// # Errors
    ///
    /// Returns a [`ConfigError`] if `--listen` is not a host and a port.
    pub fn listen(&self) -> Result<ListenAddr, ConfigError> {
        let listen = self.listen.as_ref();
        match listen.and_then(|text| text.setting("--listen")) {
            Some(listen) => Ok(listen.read(ListenAddr::parse)?),
            None if self.serve => Ok(ListenAddr::default()),
            None => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()),
        }
    }
}

const ABOUT: &str = "One endpoint in front of several rate-limited LLM backends";

const LONG_ABOUT: &str = "\
One endpoint in front of several rate-limited LLM backends

Each request goes to the best backend that takes it now. When a backend throttles or
fails, the request goes to the next one at once, and the backend is used again as
soon as it recovers. A lower priority number is used first; backends of one priority
share the load.";

/// Returns the end of the long help, after the flags.
fn end_of_help() -> StyledStr {
    let styles = Styles::styled();
    let head = styles.get_header();
    format!("{head}Environment:{head:#}\n{ENVIRONMENT}\n\n{head}Examples:{head:#}\n{EXAMPLES}")
        .into()
}

const ENVIRONMENT: &str = "  \
  BACKEND_<LABEL>_URL              base URL, http or https; required
  BACKEND_<LABEL>_PRIORITY         whole number, a lower one is used first; required
  BACKEND_<LABEL>_APIKEY           the key
  BACKEND_<LABEL>_AUTH             key sends the APIKEY as api-key, bearer sends it as a
                                   bearer token, entra sends a token of Entra ID, and
                                   passthrough the client's own credential. Default
                                   with an APIKEY: bearer for OpenAI, else key. Default
                                   without one: entra
  BACKEND_<LABEL>_DEPLOYMENT_NAME  replaces the deployment or model of requests
  BACKEND_<LABEL>_KIND             azure, openai or other: the form of OpenAI's API, to
                                   which paths are mapped. Default: by the host of the URL
  BACKEND_<LABEL>_PROTOCOL         auto, http1 or http2
  CLIENT_KEYS                      NAME:SHA256,...: the keys of which a client must send
                                   one; spillover hash-key prints the digests. Default:
                                   none, and requests need no key
  RUST_LOG                         filter of the log, such as info or warn

  A label is any name. Every flag has a variable; where both are set, the flag wins.
  Names are read in any case, values are trimmed, an empty value counts as not set.
  Other variables that start with BACKEND_ are ignored and logged.";

const EXAMPLES: &str = "  \
  Try it without a configuration:
    spillover demo

  Two backends; the second takes what the first refuses:
    export BACKEND_1_URL=https://first.openai.azure.com
    export BACKEND_1_PRIORITY=1
    export BACKEND_1_APIKEY=...
    export BACKEND_2_URL=https://second.openai.azure.com
    export BACKEND_2_PRIORITY=2
    export BACKEND_2_APIKEY=...
    spillover

  The same by flags, with the keys still in the environment:
    spillover --backend 1,url=https://first.openai.azure.com,priority=1 \\
              --backend 2,url=https://second.openai.azure.com,priority=2

  With a file, which can have more settings:
    spillover check --config spillover.toml
    spillover --config spillover.toml

  Wait up to two seconds when every backend is closed, listen on port 9000:
    spillover --when-exhausted wait:2s --listen 127.0.0.1:9000";
