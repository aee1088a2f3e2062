//! Structured logs: text for people, JSON for machines.

use std::{
    env,
    io::{self, IsTerminal},
};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;

/// Sends events to standard error. `RUST_LOG` filters them; the default is `info`. Set to nothing it counts as not set, and would
/// else hide nearly all of them.
pub(crate) fn init(format: LogFormat) {
    let set = env::var(EnvFilter::DEFAULT_ENV).ok();
    let set = set.filter(|set| !set.trim().is_empty());
    // That it can be read was checked.
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

/// The Azure crates tell in prose what the gateway's own events tell.
const DEFAULT: &str = "info,azure_identity=warn,typespec_client_core=warn";
