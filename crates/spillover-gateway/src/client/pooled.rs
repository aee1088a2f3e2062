use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use http_body::Body;
use hyper_util::client::legacy::connect::Connect;

use super::{Client, ConnectSettings, client};
use crate::site::{PoolSite, Site};

/// The clients of one thread. A reload keeps those that are still needed, with their connections.
pub(crate) struct Clients<C, B> {
    kept: Mutex<BySettings<C, B>>,
}

type BySettings<C, B> = HashMap<ConnectSettings, Arc<Client<C, B>>>;

/// The clients of one thread, for one configuration.
pub(crate) struct SiteClients<C, B> {
    by_settings: BySettings<C, B>,
}

/// The clients of a backend.
pub(crate) struct BackendClient<C, B> {
    pub(crate) kept: Arc<Client<C, B>>,
    /// Opens a connection for each request.
    pub(crate) fresh: Arc<Client<C, B>>,
    /// Opens an HTTP/1.1 connection for each request.
    pub(crate) for_upgrades: Arc<Client<C, B>>,
    /// True when every connection to the backend speaks HTTP/1.1.
    pub(crate) is_http1: bool,
}

impl<C, B> Clients<C, B>
where
    C: Connect + Clone,
    B: Body<Data: Send> + Send,
{
    /// Returns the clients that a configuration needs, and drops the others.
    pub(crate) fn of(
        &self,
        site: &Site,
        connector: impl Fn(&Site, &ConnectSettings) -> C,
    ) -> SiteClients<C, B> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_settings = HashMap::new();
        for settings in site.pools().iter().flat_map(|pool| pool.connect_settings()) {
            let wanted = [settings.clone(), settings.fresh(), settings.for_upgrades()];
            for settings in wanted {
                let make = || Arc::new(client(connector(site, &settings), &settings));
                let client = kept.get(&settings).cloned();
                by_settings.insert(settings.clone(), client.unwrap_or_else(make));
            }
        }
        kept.clone_from(&by_settings);
        SiteClients { by_settings }
    }
}

impl<C, B> SiteClients<C, B> {
    /// Returns the clients of each backend of a pool, by its index.
    pub(crate) fn of_pool(&self, pool: &PoolSite) -> Arc<[BackendClient<C, B>]> {
        let settings = pool.connect_settings().iter();
        let clients = settings.map(|settings| BackendClient {
            kept: Arc::clone(&self.by_settings[settings]),
            fresh: Arc::clone(&self.by_settings[&settings.fresh()]),
            for_upgrades: Arc::clone(&self.by_settings[&settings.for_upgrades()]),
            is_http1: settings.is_http1(),
        });
        clients.collect()
    }
}

impl<C, B> Default for Clients<C, B> {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
        }
    }
}

impl<C, B> fmt::Debug for Clients<C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

impl<C, B> fmt::Debug for BackendClient<C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendClient").finish_non_exhaustive()
    }
}
