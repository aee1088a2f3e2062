//! The connections to the backends.

use std::{
    collections::HashMap,
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http_body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, builderstates::WantsSchemes};
use hyper_util::{
    client::legacy::{
        self,
        connect::{Connect, HttpConnector},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::{
    config::Timeouts,
    site::{PoolSite, Site},
    tls,
};

/// One client for all backends that are connected to alike: it pools connections by scheme and authority.
pub(crate) type Client<C, B> = legacy::Client<C, B>;

/// How connections to a backend are made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ConnectSettings {
    pub(crate) timeout: Duration,
    pub(crate) needs_tls: bool,
    pub(crate) ca: Option<PathBuf>,
}

impl ConnectSettings {
    /// With the default timeout.
    pub(crate) fn new(needs_tls: bool) -> Self {
        Self {
            timeout: Timeouts::default().connect,
            needs_tls,
            ca: None,
        }
    }
}

/// The clients of one thread. They stay from one site to the next, and their connections with them.
pub(crate) struct Clients<C, B> {
    kept: Mutex<HashMap<ConnectSettings, Arc<Client<C, B>>>>,
}

/// The clients of one thread, for one site.
pub(crate) struct SiteClients<C, B> {
    by_settings: HashMap<ConnectSettings, Arc<Client<C, B>>>,
}

impl<C, B> Clients<C, B>
where
    C: Connect + Clone,
    B: Body<Data: Send> + Send,
{
    /// Those that a site needs; others are forgotten.
    pub(crate) fn of(
        &self,
        site: &Site,
        connector: impl Fn(&Site, &ConnectSettings) -> C,
    ) -> SiteClients<C, B> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = site.pools().iter().flat_map(|pool| pool.connect_settings());
        let by_settings: HashMap<_, _> = settings
            .map(|settings| {
                let kept = kept.get(settings).cloned();
                let client = kept.unwrap_or_else(|| Arc::new(client(connector(site, settings))));
                (settings.clone(), client)
            })
            .collect();
        kept.clone_from(&by_settings);
        SiteClients { by_settings }
    }
}

impl<C, B> SiteClients<C, B> {
    /// The client of each backend, by its index.
    pub(crate) fn of_pool(&self, pool: &PoolSite) -> Arc<[Arc<Client<C, B>>]> {
        let settings = pool.connect_settings();
        let clients = settings
            .iter()
            .map(|settings| Arc::clone(&self.by_settings[settings]));
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

/// Builds a client over connections that `connector` makes.
pub(crate) fn client<C, B>(connector: C) -> Client<C, B>
where
    C: Connect + Clone,
    B: Body<Data: Send> + Send,
{
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(HTTP2_PING_INTERVAL)
        .build(connector)
}

/// Connects by TCP, with TLS where a backend wants it. The platform's root certificates are needed only there.
pub(crate) fn connector(settings: &ConnectSettings) -> io::Result<HttpsConnector<HttpConnector>> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(settings.timeout));

    let tls = match &settings.ca {
        _ if !settings.needs_tls => trusting(RootCertStore::empty())?,
        Some(ca) => trusting(tls::authorities(ca).map_err(io::Error::other)?)?,
        None => HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(ring::default_provider())
            .map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!(
                        "no root certificates for https backends: {error}; install the package ca-certificates, or set \
                         SSL_CERT_FILE to a file of certificates in PEM format"
                    ),
                )
            })?,
    };
    Ok(tls
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(http))
}

fn trusting(roots: RootCertStore) -> io::Result<HttpsConnectorBuilder<WantsSchemes>> {
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(config))
}

/// Finds an HTTP/2 connection whose other side is gone before every request on it times out.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(30);
