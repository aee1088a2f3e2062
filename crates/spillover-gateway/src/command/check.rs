use std::io;

use spillover_serve::tls::Acceptor;

use crate::{app::App, config::Config};

/// Reads certificates and identities as at the start, but opens no listener.
pub(crate) async fn check(config: &Config) -> io::Result<()> {
    for tls in config.listeners.iter().filter_map(|it| it.tls.as_ref()) {
        Acceptor::load(tls).map_err(io::Error::other)?;
    }
    App::from_config(config).map(drop)
}
