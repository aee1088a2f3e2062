use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use http_body::Body;
use hyper_util::client::legacy::connect::Connect;

use super::{Client, ConnectSettings};

/// The clients of one thread, by the settings of their connections. A reload keeps the clients that are still needed.
pub struct Clients<C, B> {
    kept: Mutex<BySettings<C, B>>,
}

type BySettings<C, B> = HashMap<ConnectSettings, Arc<Client<C, B>>>;

/// The clients for one configuration.
pub struct ClientSet<C, B> {
    by_settings: BySettings<C, B>,
}

/// The clients of a backend.
pub struct BackendClient<C, B> {
    pub(super) kept: Arc<Client<C, B>>,
    /// Opens a connection for each request.
    pub(super) fresh: Arc<Client<C, B>>,
    /// Opens an HTTP/1.1 connection for each request.
    pub(super) for_upgrades: Arc<Client<C, B>>,
    /// True when every connection to the backend speaks HTTP/1.1.
    pub(super) is_http1: bool,
}

impl<C, B> Clients<C, B>
where
    C: Connect + Clone,
    B: Body<Data: Send> + Send,
{
    /// Returns the clients for these settings, and drops the others. A client that was there keeps its connections.
    pub fn select<'a>(
        &self,
        settings: impl IntoIterator<Item = &'a ConnectSettings>,
        connector: impl Fn(&ConnectSettings) -> C,
    ) -> ClientSet<C, B> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_settings = HashMap::new();
        for settings in settings {
            let wanted = [settings.clone(), settings.fresh(), settings.for_upgrades()];
            for settings in wanted {
                let make = || Arc::new(settings.client(connector(&settings)));
                let client = kept.get(&settings).cloned();
                by_settings.insert(settings.clone(), client.unwrap_or_else(make));
            }
        }
        kept.clone_from(&by_settings);
        ClientSet { by_settings }
    }
}

impl<C, B> ClientSet<C, B> {
    /// Returns the clients of each backend of a pool, by its index.
    ///
    /// # Panics
    ///
    /// Panics if the set was not selected for one of these settings.
    pub fn of_backends(&self, settings: &[ConnectSettings]) -> Arc<[BackendClient<C, B>]> {
        let clients = settings.iter().map(|settings| BackendClient {
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

impl<C, B> fmt::Debug for ClientSet<C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSet").finish_non_exhaustive()
    }
}

impl<C, B> fmt::Debug for BackendClient<C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendClient").finish_non_exhaustive()
    }
}
