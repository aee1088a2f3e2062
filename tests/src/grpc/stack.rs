use http::{Request, Response};
use tonic::{
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::{BoxError, Service, ServiceBuilder};
use tower_spillover::{
    Backend, Credential, GrpcClassifier, Pool, stack::SpilloverLayer, steer::BackendSteer,
};

use super::Server;

/// A channel for each backend.
pub type Channels = BackendSteer<Channel>;

/// The bounds of the generated clients on a service.
pub trait GrpcStack:
    Service<Request<Body>, Response = Response<Self::Body>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
    /// The body of responses.
    type Body: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError> + Send> + Send + 'static;
}

impl<S, B> GrpcStack for S
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    type Body = B;
}

/// Returns a pool of the servers in order of preference, each with a token of its own.
#[must_use]
pub fn pool<'a>(servers: impl IntoIterator<Item = &'a Server>) -> Pool {
    let backends = servers.into_iter().zip(1..).map(|(server, priority)| {
        let token = Credential::bearer(format!("token-of-{}", server.label())).unwrap();
        let backend = Backend::builder(server.label()).url(server.url());
        backend
            .priority(priority)
            .credential(token)
            .build()
            .unwrap()
    });
    Pool::new(backends).unwrap()
}

/// Returns the whole stack over a channel for each backend.
pub fn stack(pool: &Pool) -> impl GrpcStack + use<> {
    let channels: Channels = BackendSteer::new(pool, |backend| {
        let endpoint = Endpoint::from_shared(backend.url().to_owned()).unwrap();
        endpoint.connect_lazy()
    });
    ServiceBuilder::new()
        .layer(SpilloverLayer::new(pool.clone()).with_classify(GrpcClassifier::new()))
        .map_request(|request: Request<_>| request.map(Body::new))
        .service(channels)
}
