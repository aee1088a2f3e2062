use std::io;

use crate::{app::App, config::Config, tls::Acceptor};

/// Sets up what is set up at the start, certificates and identities, and listens nowhere.
pub(crate) async fn check(config: &Config) -> io::Result<()> {
    for tls in config.listeners.iter().filter_map(|it| it.tls.as_ref()) {
        Acceptor::load(tls).map_err(io::Error::other)?;
    }
    App::from_config(config).map(drop)
}
