//! Structured logs: text for people, JSON for machines.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;

/// Sends events to standard error. `RUST_LOG` filters them; the default is `info`.
pub(crate) fn init(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false);
    let is_terminal = io::stderr().is_terminal();
    match format {
        LogFormat::Text => builder.with_ansi(is_terminal).init(),
        LogFormat::Auto if is_terminal => builder.init(),
        LogFormat::Auto | LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// The Azure crates tell in prose what the gateway's own events tell.
const DEFAULT: &str = "info,azure_identity=warn,typespec_client_core=warn";
