//! Structured logs: text for people, JSON for machines.

use std::{
    env,
    io::{self, IsTerminal},
};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;

/// Writes events to standard error. `RUST_LOG` filters them, default `info`. An empty `RUST_LOG` counts as not set:
/// the filter would drop everything below `error`.
pub(crate) fn init(format: LogFormat) {
    let set = env::var(EnvFilter::DEFAULT_ENV).ok();
    let set = set.filter(|set| !set.trim().is_empty());
    // The configuration has checked that the filter can be parsed.
    let filter = EnvFilter::new(set.as_deref().unwrap_or(DEFAULT));
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

/// Mutes the Azure crates: the gateway logs the same events with fields.
const DEFAULT: &str = "info,azure_identity=warn,typespec_client_core=warn";
