//! The whole stack on one screen.

use std::{convert::Infallible, fmt, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper_util::client::legacy::connect::Connect;
use spillover_core::Pool;
use tokio::sync::watch;
use tower::{BoxError, Service, ServiceBuilder};
use tower_spillover::select::WhenExhausted;

use crate::{
    access_log::AccessLogLayer,
    client::{Clients, ConnectSettings},
    clients::ClientsLayer,
    config::Config,
    front::Front,
    health::Health,
    hop_by_hop,
    live::Live,
    model_scope::ModelScopeLayer,
    router::Router,
    serve::Phases,
    site::PoolConfig,
    site::Site,
    upgrade::UpgradeLayer,
    upstream::Upstream,
};

/// What the stack is set up with, for one pool.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The backends.
    pub pool: Pool,
    /// How long an attempt may take to its response head.
    pub http_timeout: Duration,
    /// What becomes of a request that finds every backend throttled.
    pub when_exhausted: WhenExhausted,
    /// Whether responses name the URL of their backend.
    pub expose_backend_url: bool,
}

/// The gateway. Clones are one.
///
/// Each thread may have a service of its own: they share what is known of the backends, and no connection.
#[derive(Clone)]
pub struct App {
    sites: Arc<watch::Sender<Arc<Site>>>,
    phases: Option<Phases>,
}

impl App {
    /// Sets it up.
    pub fn new(settings: Settings) -> Self {
        let mut config = PoolConfig::new("default", settings.pool.backends().cloned());
        config.timeouts.response_head = settings.http_timeout;
        config.when_exhausted = settings.when_exhausted;
        config.expose_backend_url = settings.expose_backend_url;
        Self::of(Site::of_pool(config, settings.pool))
    }

    /// Sets it up by a configuration.
    pub(crate) fn from_config(config: &Config) -> io::Result<Self> {
        Ok(Self::of(Site::new(config, None)?))
    }

    fn of(site: Site) -> Self {
        Self {
            sites: Arc::new(watch::Sender::new(Arc::new(site))),
            phases: None,
        }
    }

    /// Says that it is not ready while who serves it is on the way out.
    #[must_use]
    pub fn with_phases(self, phases: Phases) -> Self {
        Self {
            phases: Some(phases),
            ..self
        }
    }

    /// What it would serve by with another configuration. What is known of backends that stay is kept, and their connections
    /// are. It reads files.
    pub(crate) fn prepare(&self, config: &Config) -> io::Result<Site> {
        Site::new(config, Some(&self.site()))
    }

    /// Serves by this from the next request on.
    pub(crate) fn serve_by(&self, site: Site) {
        self.sites.send_replace(Arc::new(site));
    }

    /// What it serves by now.
    pub(crate) fn site(&self) -> Arc<Site> {
        self.sites.borrow().clone()
    }

    /// Whether it is ready.
    pub(crate) fn health(&self) -> Health {
        Health::new(self.sites.subscribe(), self.phases.clone())
    }

    /// The gateway as a service, over connections that `connector` makes. It needs the runtime that it is made in.
    ///
    /// The connector is asked for a URI of scheme `wss` where a WebSocket goes over TLS: it may not speak HTTP/2 there.
    pub fn over<C, B>(&self, connector: C) -> impl Gateway<B> + use<C, B>
    where
        C: Connect + Clone + Send + Sync + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        self.service(move |_, _| connector.clone())
    }

    /// The gateway as a service, over connections of its own.
    pub(crate) fn over_tcp<B>(&self) -> impl Gateway<B> + use<B>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        self.service(|site, settings| site.connector(settings))
    }

    fn service<C, B, F>(&self, connector: F) -> impl Gateway<B> + use<C, B, F>
    where
        F: Fn(&Site, &ConnectSettings) -> C + Send + Sync + 'static,
        C: Connect + Clone + Send + Sync + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let clients = Clients::default();
        let service = Live::new(self.sites.subscribe(), move |site: &Arc<Site>| {
            let clients = clients.of(site, &connector);
            let router = Router::new(Arc::clone(site), |pool| {
                ServiceBuilder::new()
                    .layer(pool.affinity_layer())
                    .layer(pool.last_word_layer())
                    .layer(pool.bounds_layer())
                    .layer(pool.spillover_layer())
                    .layer(pool.rules_layer())
                    .layer(pool.idle_layer())
                    .service(Upstream::new(clients.of_pool(pool), pool.timeouts()))
            });
            ServiceBuilder::new()
                .layer(UpgradeLayer)
                .layer(AccessLogLayer::new())
                .layer(site.cors_layer())
                .layer(ClientsLayer::new(Arc::clone(site.keys())))
                .map_request(hop_by_hop::strip_request)
                .map_response(hop_by_hop::strip_response)
                .layer(ModelScopeLayer::new(site.wanted().clone()))
                .service(router)
        });
        Front::new(service, self.health())
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

/// What the gateway is to a server.
pub trait Gateway<B>:
    Service<Request<B>, Response = Response<Self::Body>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + Unpin
    + 'static
{
    /// Of its responses.
    type Body: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static;
}

impl<S, B, R> Gateway<B> for S
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + Unpin
        + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Body = R;
}
