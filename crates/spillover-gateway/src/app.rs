//! The stack of the gateway on one screen.

use std::{fmt, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Extensions, uri::Scheme};
use http_body::Body;
use hyper_util::client::legacy::connect::Connect;
use spillover_core::Pool;
use spillover_proxy::{
    access_log::AccessLogLayer,
    catch_panic::CatchPanicLayer,
    client_keys::ClientKeysLayer,
    hop_by_hop::HopByHopLayer,
    model_error::rejected_response,
    response_urls::ResponseUrlsLayer,
    upgrade::UpgradeLayer,
    upstream::{Clients, ConnectSettings, Upstream},
};
use spillover_serve::{ClientFingerprint, HttpService, Phases};
use tokio::sync::watch;
use tower::{BoxError, ServiceBuilder};
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};
use tower_spillover::{
    model::ModelScopeLayer,
    select::{ThreadDraw, WhenExhausted},
};

use crate::{
    config::Config,
    health::Health,
    local_endpoints::LocalEndpoints,
    reloadable::Reloadable,
    request_id::{RandomId, remove_bad_id},
    router::Router,
    runtime::ActiveConfig,
    runtime::PoolConfig,
};

/// Settings of an [`App`] with a single pool.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The backends.
    pub pool: Pool,
    /// Longest time from the start of an attempt to its response head.
    pub http_timeout: Duration,
    /// Handling of a request that finds every backend closed.
    pub when_exhausted: WhenExhausted,
    /// True when responses have the URL of their backend in `x-openai-backendurl`.
    pub expose_backend_url: bool,
}

/// The gateway. Clones share their state.
///
/// Each thread has a service of its own. The services share the state of the backends, but no connections.
#[derive(Clone)]
pub struct App {
    configs: Arc<watch::Sender<Arc<ActiveConfig>>>,
    phases: Option<Phases>,
    /// Scheme under which clients reach the gateway.
    scheme: Scheme,
}

impl App {
    /// Creates a gateway with a single pool.
    pub fn new(settings: Settings) -> Self {
        let mut config = PoolConfig::new("default", settings.pool.backends().cloned());
        config.timeouts.response_head = settings.http_timeout;
        config.when_exhausted = settings.when_exhausted;
        config.expose_backend_url = settings.expose_backend_url;
        Self::with_config(ActiveConfig::with_pool(config, settings.pool))
    }

    /// Creates the gateway of a configuration.
    ///
    /// # Errors
    ///
    /// Returns an error if certificates or identity settings cannot be read.
    pub(crate) fn from_config(config: &Config) -> io::Result<Self> {
        let active = ActiveConfig::new(&config.pools, &config.clients, None)?;
        let has_tls = config
            .listeners
            .iter()
            .all(|listener| listener.tls.is_some());
        Ok(Self {
            scheme: if has_tls { Scheme::HTTPS } else { Scheme::HTTP },
            ..Self::with_config(active)
        })
    }

    fn with_config(active: ActiveConfig) -> Self {
        Self {
            configs: Arc::new(watch::Sender::new(Arc::new(active))),
            phases: None,
            scheme: Scheme::HTTP,
        }
    }

    /// Reports "not ready" while the server shuts down.
    #[must_use]
    pub fn with_phases(self, phases: Phases) -> Self {
        Self {
            phases: Some(phases),
            ..self
        }
    }

    /// Builds the runtime of another configuration, without using it yet. Backends that stay keep their state and
    /// connections. Reads files, so call this on a thread that may block.
    ///
    /// # Errors
    ///
    /// Returns an error if certificates or identity settings cannot be read.
    pub(crate) fn prepare(&self, config: &Config) -> io::Result<ActiveConfig> {
        ActiveConfig::new(&config.pools, &config.clients, Some(&self.active()))
    }

    /// Makes a configuration the active one, from the next request on.
    pub(crate) fn apply(&self, active: ActiveConfig) {
        self.configs.send_replace(Arc::new(active));
    }

    /// Returns the active configuration.
    pub(crate) fn active(&self) -> Arc<ActiveConfig> {
        self.configs.borrow().clone()
    }

    /// Returns the readiness check.
    pub(crate) fn health(&self) -> Health {
        Health::new(self.configs.subscribe(), self.phases.clone())
    }

    /// Returns the gateway as a service over the connections of `connector`. Runs on the runtime it is created in.
    ///
    /// For a WebSocket over TLS the connector gets a URI with the scheme `wss`. Such a connection must not speak HTTP/2.
    pub fn service_over<C, B>(&self, connector: C) -> impl HttpService<B> + use<C, B>
    where
        C: Connect + Clone + Send + Sync + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        self.build_service(move |_, _| connector.clone())
    }

    /// Returns the gateway as a service over its own connections.
    pub(crate) fn service<B>(&self) -> impl HttpService<B> + use<B>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        self.build_service(|active, settings| active.connector(settings))
    }

    fn build_service<C, B, F>(&self, connector: F) -> impl HttpService<B> + use<C, B, F>
    where
        F: Fn(&ActiveConfig, &ConnectSettings) -> C + Send + Sync + 'static,
        C: Connect + Clone + Send + Sync + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let clients = Clients::default();
        let scheme = self.scheme.clone();
        let service = Reloadable::new(
            self.configs.subscribe(),
            move |active: &Arc<ActiveConfig>| {
                let pools = active.pools().iter();
                let settings = pools.flat_map(|pool| pool.connect_settings());
                let clients = clients.select(settings, |settings| connector(active, settings));
                let router = Router::new(Arc::clone(active), |pool| {
                    ServiceBuilder::new()
                        .layer(pool.affinity_layer())
                        .layer(pool.final_response_layer())
                        .layer(pool.request_limits_layer())
                        .layer(pool.spillover_layer())
                        .layer(pool.request_rules_layer())
                        .service(
                            Upstream::new(
                                clients.of_backends(pool.connect_settings()),
                                pool.timeouts().response_head,
                            )
                            .idle_timeout(pool.timeouts().idle),
                        )
                });
                ServiceBuilder::new()
                    .layer(UpgradeLayer)
                    .layer(AccessLogLayer::new().client_certificate(fingerprint))
                    .layer(CatchPanicLayer)
                    .layer(active.cors_layer())
                    .layer(ClientKeysLayer::new(Arc::clone(active.keys())))
                    .layer(ResponseUrlsLayer::new().default_scheme(scheme.clone()))
                    .layer(HopByHopLayer)
                    .layer(
                        ModelScopeLayer::new(active.fields().clone())
                            .with_rejected_response(rejected_response),
                    )
                    .service(router)
            },
        );
        let service = ServiceBuilder::new()
            .map_request(remove_bad_id)
            .layer(SetRequestIdLayer::x_request_id(RandomId(
                ThreadDraw::default(),
            )))
            // Keeps the id of a backend, which SDKs show for its support. The log has both.
            .layer(PropagateRequestIdLayer::x_request_id())
            .service(service);
        LocalEndpoints::new(service, self.health())
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

/// Returns the fingerprint of the client's certificate.
fn fingerprint(extensions: &Extensions) -> Option<Arc<str>> {
    extensions.get().map(ClientFingerprint::digits)
}
