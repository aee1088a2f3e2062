//! The services on which the contract is checked.

use std::{fmt::Debug, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::Full;
use spillover_testing::Probe;
use tower::{BoxError, Service, ServiceBuilder, limit::ConcurrencyLimit};
use tower_layer::Layer;
use tower_spillover::{
    PeakEwma, Pool,
    affinity::{AffinityKey, AffinityOptions, BindAffinityLayer},
    hedge::HedgeLayer,
    limit::ConcurrencyLimitLayer,
    model::{Fields, ModelScopeLayer, ReadBody},
    patience::PatienceLayer,
    peek::StreamPeekLayer,
    refusal::ReadRefusalLayer,
    retry::{ReplayBody, RetryThrottledLayer},
    rewrite::RewriteRequestLayer,
    select::PrioritySelectLayer,
    stack::SpilloverLayer,
    steer::BackendSteer,
    throttle::ThrottleTrackerLayer,
};

pub(crate) type Body = Full<Bytes>;

/// A probe with a concurrency limit. Most checks set the limit too high to matter.
pub(crate) type Inner<B> = ConcurrencyLimit<Probe<B, (), &'static str>>;

/// A service with the bounds that axum requires.
pub(crate) trait HttpService<B>:
    Service<
        Request<B>,
        Response = Response<()>,
        Error: Into<BoxError> + Debug + Send,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S, B> HttpService<B> for S where
    S: Service<
            Request<B>,
            Response = Response<()>,
            Error: Into<BoxError> + Debug + Send,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// A layer or a stack, and the ways in which it may differ from the others.
pub(crate) trait Subject {
    /// The body of the requests that the inner service gets.
    type InnerBody: Send + 'static;

    /// True if `poll_ready` polls the inner service. Otherwise the future makes the inner service ready.
    const PASSES_READINESS: bool = true;

    /// True if the future calls the inner service, for example because it reads the request body first.
    const CALLS_LATER: bool = false;

    /// True if the subject sends a refused request to the other backend.
    const RETRIES: bool = false;

    fn wrap(pool: Pool, inner: Inner<Self::InnerBody>) -> impl HttpService<Body>;
}

pub(crate) struct Retry;

impl Subject for Retry {
    type InnerBody = ReplayBody<Body>;

    fn wrap(_: Pool, inner: Inner<ReplayBody<Body>>) -> impl HttpService<Body> {
        RetryThrottledLayer::new().layer(inner)
    }
}

pub(crate) struct RetryTwice;

impl Subject for RetryTwice {
    type InnerBody = ReplayBody<Body>;

    const RETRIES: bool = true;

    fn wrap(_: Pool, inner: Inner<ReplayBody<Body>>) -> impl HttpService<Body> {
        RetryThrottledLayer::new().max_attempts(2).layer(inner)
    }
}

pub(crate) struct Patience;

impl Subject for Patience {
    type InnerBody = Body;

    fn wrap(_: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        PatienceLayer::new().layer(inner)
    }
}

pub(crate) struct Model;

impl Subject for Model {
    type InnerBody = ReadBody<Body>;

    const CALLS_LATER: bool = true;

    fn wrap(_: Pool, inner: Inner<ReadBody<Body>>) -> impl HttpService<Body> {
        // The layer reads the body of a POST with a media type only.
        ServiceBuilder::new()
            .map_request(|mut request: Request<Body>| {
                let json = HeaderValue::from_static("application/json");
                *request.method_mut() = http::Method::POST;
                request.headers_mut().insert(CONTENT_TYPE, json);
                request
            })
            .layer(ModelScopeLayer::new(Fields::default()))
            .service(inner)
    }
}

/// The affinity layer, over a response body in which it can observe an id.
pub(crate) struct Affinity;

impl Subject for Affinity {
    type InnerBody = Body;

    fn wrap(_: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        let options = AffinityOptions {
            keys: vec![AffinityKey::Id, AffinityKey::Cookie("home".into())],
            ..AffinityOptions::default()
        };
        ServiceBuilder::new()
            .map_response(|response: Response<_>| response.map(|_| ()))
            .layer(BindAffinityLayer::new(options))
            .map_response(|response: Response<()>| response.map(|()| Body::default()))
            .service(inner)
    }
}

pub(crate) struct Hedge;

impl Subject for Hedge {
    type InnerBody = Body;

    fn wrap(_: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        HedgeLayer::new(DELAY).layer(inner)
    }
}

pub(crate) struct Select;

impl Subject for Select {
    type InnerBody = Body;

    fn wrap(pool: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        PrioritySelectLayer::new(pool).layer(inner)
    }
}

pub(crate) struct SelectByLatency;

impl Subject for SelectByLatency {
    type InnerBody = Body;

    fn wrap(pool: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        PrioritySelectLayer::new(pool)
            .with_strategy(PeakEwma::default())
            .layer(inner)
    }
}

/// The concurrency limit, over a response body that ends. One request at a time suffices for all checks.
pub(crate) struct Limit;

impl Subject for Limit {
    type InnerBody = Body;

    fn wrap(_: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        ServiceBuilder::new()
            .map_response(|response: Response<_>| response.map(|_| ()))
            .layer(ConcurrencyLimitLayer::new(1))
            .map_response(|response: Response<()>| response.map(|()| Body::default()))
            .service(inner)
    }
}

pub(crate) struct Rewrite;

impl Subject for Rewrite {
    type InnerBody = Body;

    fn wrap(_: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        RewriteRequestLayer::new().layer(inner)
    }
}

/// The throttle tracker, over a response body that ends.
pub(crate) struct Throttle;

impl Subject for Throttle {
    type InnerBody = Body;

    fn wrap(_: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        ServiceBuilder::new()
            .map_response(|response: Response<_>| response.map(|_| ()))
            .layer(ThrottleTrackerLayer::new())
            .map_response(|response: Response<()>| response.map(|()| Body::default()))
            .service(inner)
    }
}

/// The layer that reads refusals, over a response body that it can read.
pub(crate) struct Refusal;

impl Subject for Refusal {
    type InnerBody = Body;

    fn wrap(_: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        ServiceBuilder::new()
            .map_response(|response: Response<_>| response.map(|_| ()))
            .layer(ReadRefusalLayer::new())
            .map_response(|response: Response<()>| response.map(|()| Body::default()))
            .service(inner)
    }
}

/// The layer that peeks at streams, over a response body that is a stream.
pub(crate) struct Peek;

impl Subject for Peek {
    type InnerBody = Body;

    fn wrap(_: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        ServiceBuilder::new()
            .map_response(|response: Response<_>| response.map(|_| ()))
            .layer(StreamPeekLayer::new())
            .map_response(|mut response: Response<()>| {
                let stream = HeaderValue::from_static("text/event-stream");
                response.headers_mut().insert(CONTENT_TYPE, stream);
                response.map(|()| Body::from(": comment\n\n"))
            })
            .service(inner)
    }
}

pub(crate) struct Steer;

impl Subject for Steer {
    type InnerBody = Body;

    const PASSES_READINESS: bool = false;

    fn wrap(pool: Pool, inner: Inner<Body>) -> impl HttpService<Body> {
        BackendSteer::new(&pool, |_| inner.clone())
    }
}

/// The whole stack over one shared client.
pub(crate) struct Shared;

impl Subject for Shared {
    type InnerBody = ReplayBody<Body>;

    const RETRIES: bool = true;

    fn wrap(pool: Pool, inner: Inner<ReplayBody<Body>>) -> impl HttpService<Body> {
        stack(SpilloverLayer::new(pool), inner)
    }
}

/// The whole stack over one service per backend.
pub(crate) struct PerBackend;

impl Subject for PerBackend {
    type InnerBody = ReplayBody<Body>;

    const PASSES_READINESS: bool = false;

    const RETRIES: bool = true;

    fn wrap(pool: Pool, inner: Inner<ReplayBody<Body>>) -> impl HttpService<Body> {
        let per_backend = BackendSteer::new(&pool, |_| inner.clone());
        stack(SpilloverLayer::new(pool), per_backend)
    }
}

/// The whole stack over one shared client, with hedges.
pub(crate) struct Hedging;

impl Subject for Hedging {
    type InnerBody = ReplayBody<Body>;

    const RETRIES: bool = true;

    fn wrap(pool: Pool, inner: Inner<ReplayBody<Body>>) -> impl HttpService<Body> {
        stack(
            SpilloverLayer::new(pool).hedge(HedgeLayer::new(DELAY)),
            inner,
        )
    }
}

/// Wraps a stack over a response body that it can read.
fn stack<S: HttpService<ReplayBody<Body>>>(
    layer: SpilloverLayer,
    inner: S,
) -> impl HttpService<Body> {
    ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(|_| ()))
        .layer(layer)
        .map_response(|response: Response<()>| response.map(|()| Body::default()))
        .service(inner)
}

/// The delay of a hedge, which never elapses here: hedges are tested in the module of the layer.
const DELAY: Duration = Duration::from_secs(1);
