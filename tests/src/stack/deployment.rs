use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::body::Body;
use http::{Request, Response, StatusCode, header::SERVER};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use spillover_gateway::{App, Settings};
use tonic::transport::{Channel, Endpoint};
use tower::{BoxError, Service, ServiceBuilder, timeout::TimeoutLayer, util::BoxCloneSyncService};
use tower_spillover::{Backend, retry::ReplayBody, stack::SpilloverLayer, steer::BackendSteer};

use super::{Backends, StackBuilder, wire::WireConnector};

/// The stack as a client mounts it.
pub trait HttpService:
    Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> HttpService for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The services below the layers and around them.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "each test is run on all of them")]
pub enum Deployment {
    /// One client for all backends.
    SharedClient,
    /// [`BackendSteer`] over one client per backend.
    PerBackend,
    /// [`BackendSteer`] over one tonic channel per backend: HTTP/2.
    TonicChannels,
    /// The gateway, over its own client: HTTP/1.1.
    Gateway,
}

impl Deployment {
    pub(super) fn service(
        self,
        settings: &StackBuilder,
        backends: &Backends,
    ) -> BoxCloneSyncService<Request<Body>, Response<Body>, BoxError> {
        match self {
            Self::SharedClient => BoxCloneSyncService::new(shared_client(settings, backends)),
            Self::PerBackend => BoxCloneSyncService::new(per_backend(settings, backends)),
            Self::TonicChannels => BoxCloneSyncService::new(tonic_channels(settings, backends)),
            Self::Gateway => BoxCloneSyncService::new(gateway(settings, backends)),
        }
    }
}

/// Returns the whole stack over one client for all backends.
pub fn shared_client(settings: &StackBuilder, backends: &Backends) -> impl HttpService + use<> {
    layers(settings, backends.client(None))
}

/// Returns the whole stack over a client for each backend.
pub fn per_backend(settings: &StackBuilder, backends: &Backends) -> impl HttpService + use<> {
    let client = |backend: &Backend| backends.client(Some(backend.label()));
    layers(settings, BackendSteer::new(&settings.pool, client))
}

/// Returns the whole stack over a tonic channel for each backend.
pub fn tonic_channels(settings: &StackBuilder, backends: &Backends) -> impl HttpService + use<> {
    let client = |backend: &Backend| {
        ServiceBuilder::new()
            .map_request(|request: Request<ReplayBody<Body>>| request.map(tonic::body::Body::new))
            .map_response(|response: Response<tonic::body::Body>| response.map(Body::new))
            .service(channel(backend, backends))
    };
    layers(settings, BackendSteer::new(&settings.pool, client))
}

/// Returns the gateway over its own client.
pub fn gateway(settings: &StackBuilder, backends: &Backends) -> impl HttpService + use<> {
    assert!(
        settings.limits.is_none(),
        "the gateway has no setting for it"
    );
    let app = App::new(Settings {
        pool: settings.pool.clone(),
        http_timeout: settings.timeout,
        when_exhausted: settings.when_exhausted,
        expose_backend_url: false,
    });
    ServiceBuilder::new()
        .map_result(answer_of_backend)
        .map_response(|response: Response<_>| response.map(Body::new))
        .service(app.service_over(WireConnector::new(backends)))
}

/// Returns a backend's answer or the local 429. The gateway's response to a failure becomes an error, as in the other
/// deployments.
fn answer_of_backend(
    answer: Result<Response<Body>, Infallible>,
) -> Result<Response<Body>, BoxError> {
    let Ok(response) = answer;
    let status = response.status();
    let is_of_backend = response.headers().contains_key(SERVER);
    if is_of_backend || status == StatusCode::TOO_MANY_REQUESTS {
        return Ok(response);
    }
    Err(format!("the gateway says {status}").into())
}

/// A channel puts its own origin into each request. This one connects without TLS even if the backend's URL has it.
fn channel(backend: &Backend, backends: &Backends) -> Channel {
    let origin = backend.url().parse().unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{}", backend.authority())).unwrap();
    let connector = WireConnector::new(backends);
    endpoint
        .origin(origin)
        .connect_with_connector_lazy(connector)
}

fn layers<S>(settings: &StackBuilder, client: S) -> impl HttpService + use<S>
where
    S: Service<
            Request<ReplayBody<Body>>,
            Response = Response<Body>,
            Error = BoxError,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    let rng = Arc::new(Mutex::new(SmallRng::seed_from_u64(7)));
    let draw = move || rng.lock().unwrap().random::<u64>();
    let limits = settings.limits.clone().unwrap_or_default();
    let stack = SpilloverLayer::new(settings.pool.clone())
        .retry(|retry| retry.replay_limits(limits))
        .select(|select| {
            let select = select.when_exhausted(settings.when_exhausted);
            select.with_draw(draw)
        });
    ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(stack)
        .layer(TimeoutLayer::new(settings.timeout))
        .service(client)
}
