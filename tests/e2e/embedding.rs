//! The layers in stacks of axum, hyper, tonic and reqwest, and next to tower's own.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    handler::Handler,
    routing::{get, post},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use spillover_hint::{Refusal, Report};
use spillover_testing::upstream::{Behavior, MockUpstream};
use spillover_tests::{
    e2e::soon,
    grpc::{self, Play, Server, served_by},
};
use tokio::{net::TcpListener, time::sleep};
use tokio_test::{assert_pending, task};
use tonic::{
    Status,
    transport::{Channel, Endpoint, server::TcpIncoming},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::{
    BoxError, Service, ServiceBuilder, ServiceExt, buffer::BufferLayer, load_shed::LoadShedLayer,
    timeout::TimeoutLayer, util::BoxCloneSyncService,
};
use tower_spillover::{
    Backend, Pool, Selected, ServiceBuilderExt,
    hedge::{HedgeLayer, Hedged},
    limit::ConcurrencyLimitLayer,
    peek::StreamPeekLayer,
    refusal::ReadRefusalLayer,
    retry::{ReplayBody, RetryThrottledLayer},
    select::{PrioritySelectLayer, WhenExhausted},
    stack::SpilloverLayer,
    steer::BackendSteer,
};

const SECOND: Duration = Duration::from_secs(1);

const NO_CREDIT: &str = r#"{"error": {"code": "insufficient_quota", "message": "No credit."}}"#;

const OVERLOADED: &str = "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";

#[tokio::test]
async fn limit_goes_anywhere_in_a_router() {
    let limit = || ConcurrencyLimitLayer::new(1);
    let echo = async |body: String| body;
    for router in [
        Router::new().route("/", post(echo)).layer(limit()),
        Router::new().route("/", post(echo)).route_layer(limit()),
        Router::new().route("/", post(echo).layer(limit())),
        Router::new().route("/", post(echo.layer(limit()))),
    ] {
        let first = send(&router, "one").await;
        let mut second = task::spawn(send(&router, "two"));
        assert_pending!(second.poll());
        assert_eq!(text(first).await, "one");
        assert_eq!(text(second.await).await, "two");
    }
}

#[tokio::test]
async fn response_layers_go_around_routes() {
    let router = refusing(1).layer(ReadRefusalLayer::new());
    let response = send(&router, "").await;
    let report = response.extensions().get::<Report>().unwrap();
    assert_eq!(report.refusal(), Refusal::Quota);
    assert_eq!(text(response).await, NO_CREDIT);

    let stream = get(async || ([(CONTENT_TYPE, "text/event-stream")], OVERLOADED));
    let router = Router::new().route("/", stream.layer(StreamPeekLayer::new()));
    let request = Request::new(Body::empty());
    assert_eq!(router.oneshot(request).await.unwrap().status(), 529);
}

#[tokio::test(start_paused = true)]
async fn retry_layers_go_around_routes() {
    let retry = ServiceBuilder::new()
        .layer(RetryThrottledLayer::new().max_attempts(3))
        .map_request(to_axum);
    let router = refusing(2).layer(retry);
    let response = send(&router, "question").await;
    assert_eq!(response.status(), 200);
    assert_eq!(text(response).await, "question");

    let hedge = ServiceBuilder::new()
        .retry_throttled()
        .layer(HedgeLayer::new(SECOND))
        .map_request(to_axum);
    let seen = Arc::new(AtomicUsize::new(0));
    let slow_at_first = move |body: String| {
        let nth = seen.fetch_add(1, Relaxed);
        async move {
            if nth == 0 {
                sleep(60 * SECOND).await;
            }
            body
        }
    };
    let router = Router::new().route("/", post(slow_at_first)).layer(hedge);
    let response = send(&router, "question").await;
    assert!(response.extensions().get::<Hedged>().unwrap().has_won());
    assert_eq!(text(response).await, "question");
}

#[tokio::test]
async fn stack_goes_around_routes_and_handlers() {
    let stack = || {
        ServiceBuilder::new()
            .layer(SpilloverLayer::new(unreachable()).hedge(HedgeLayer::new(SECOND)))
            .map_request(to_axum)
    };
    let unread = async || StatusCode::TOO_MANY_REQUESTS;
    for (router, label, status) in [
        (refusing(1).layer(stack()), "b", 200),
        (Router::new().fallback(unread.layer(stack())), "b", 429),
    ] {
        let response = send(&router, "question").await;
        assert_eq!(
            (chosen(&response), response.status().as_u16()),
            (label.into(), status)
        );
    }
}

#[tokio::test]
async fn stack_goes_next_to_the_layers_of_tower() {
    let service = ServiceBuilder::new()
        .layer(LoadShedLayer::new())
        .layer(BufferLayer::new(4))
        .layer(ConcurrencyLimitLayer::new(4))
        .layer(TimeoutLayer::new(30 * SECOND))
        .spillover(unreachable())
        .map_request(to_axum)
        .layer(TimeoutLayer::new(SECOND))
        .service(refusing(1));
    let service = BoxCloneSyncService::new(service);
    let response = service.oneshot(with_body("question")).await.unwrap();
    assert_eq!(chosen(&response), "b");
}

#[tokio::test]
async fn layers_are_methods_of_the_builder() {
    let service = ServiceBuilder::new()
        .retry_throttled()
        .hedge(SECOND)
        .priority_select(unreachable())
        .rewrite_request()
        .throttle_tracker()
        .read_refusal()
        .stream_peek()
        .map_request(to_axum)
        .service(refusing(1));
    let response = service.oneshot(with_body("question")).await.unwrap();
    assert_eq!(chosen(&response), "b");
}

/// Each of these layers turns `Incoming` into a body that can be empty, as an answer without a backend needs.
#[tokio::test]
async fn layer_with_a_body_of_its_own_lets_one_choose_over_hyper() {
    async fn check<S, B>(service: S)
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Debug>,
    {
        let response = soon(service.oneshot(models())).await.unwrap();
        assert_eq!(
            (chosen(&response), response.status().as_u16()),
            ("a".into(), 429)
        );
    }

    let (pool, _upstreams) = upstreams().await;
    let select = || {
        let layer = PrioritySelectLayer::new(pool.clone());
        ServiceBuilder::new().layer(layer).rewrite_request()
    };
    check(select().read_refusal().service(hyper_client())).await;
    check(select().stream_peek().service(hyper_client())).await;
    let limit = ConcurrencyLimitLayer::new(1);
    check(select().layer(limit).service(hyper_client())).await;
    // Last, because the tracker closes the backend.
    check(select().throttle_tracker().service(hyper_client())).await;
}

#[tokio::test]
async fn stack_goes_over_a_client_of_hyper() {
    let (pool, [_a, b]) = upstreams().await;
    let layer = SpilloverLayer::new(pool);
    let layer = layer.select(|select| select.when_exhausted(WhenExhausted::Reject));
    let service = ServiceBuilder::new().layer(layer).service(hyper_client());

    let response = soon(service.clone().oneshot(models())).await.unwrap();
    assert_eq!(
        (chosen(&response), response.status().as_u16()),
        ("b".into(), 200)
    );

    b.handle().set_behavior(Behavior::status(429));
    soon(service.clone().oneshot(models())).await.unwrap();
    let response = soon(service.oneshot(models())).await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "");
}

#[tokio::test]
async fn stack_is_a_service_for_a_server_of_hyper() {
    let (pool, _upstreams) = upstreams().await;
    let stack = ServiceBuilder::new()
        .spillover(pool)
        .service(hyper_client::<ReplayBody<Incoming>>());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        let server = auto::Builder::new(TokioExecutor::new());
        let service = TowerToHyperService::new(stack);
        let served = server.serve_connection(TokioIo::new(connection), service);
        served.await.unwrap();
    });

    let request = Request::get(format!("http://{address}/v1/models")).body(Full::default());
    let response = soon(hyper_client::<Full<Bytes>>().request(request.unwrap()))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn stack_goes_over_a_client_of_reqwest() {
    let (pool, _upstreams) = upstreams().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let stack = ServiceBuilder::new()
        .filter(Request::<reqwest::Body>::try_from)
        .map_response(|response: Response<_>| {
            reqwest::Response::from(response.map(reqwest::Body::wrap))
        })
        .spillover(pool)
        .filter(|request: Request<_>| reqwest::Request::try_from(request.map(reqwest::Body::wrap)))
        .map_response(Response::<reqwest::Body>::from)
        .service(client.clone());
    let stack = BoxCloneSyncService::<_, _, BoxError>::new(stack);

    let request = client.get("http://any.invalid/v1/models").build().unwrap();
    let response = soon(stack.oneshot(request)).await.unwrap();
    assert_eq!(response.status(), 200);
    let selected = response.extensions().get::<Selected>().unwrap();
    assert_eq!(selected.backend().label(), "b");
}

#[tokio::test]
async fn stack_goes_over_channels_and_under_interceptors_of_tonic() {
    let a = Server::start("a", |_| Play::Refuse(Play::exhausted("60000")));
    let b = Server::start("b", |_| Play::Serve);
    let pool = grpc::pool([&a, &b]);
    let channels = BackendSteer::new(&pool, |backend| connect(backend.url()));
    let stack = ServiceBuilder::new()
        .spillover(pool)
        .map_request(|request: Request<_>| request.map(tonic::body::Body::new))
        .service(channels);

    let mut client = HealthClient::new(stack.clone());
    let response = soon(client.check(HealthCheckRequest::default()))
        .await
        .unwrap();
    assert_eq!(served_by(&response), "b");

    let mut client = HealthClient::with_interceptor(stack, Ok::<_, Status>);
    let response = soon(client.check(HealthCheckRequest::default()))
        .await
        .unwrap();
    assert_eq!(served_by(&response), "b");
    assert_eq!((a.calls(), b.calls()), (1, 2));
}

#[tokio::test]
async fn limit_goes_around_a_channel_and_a_server_of_tonic() {
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = incoming.local_addr().unwrap();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let server = tonic::transport::Server::builder()
        .layer(ConcurrencyLimitLayer::new(1))
        .add_service(health);
    tokio::spawn(server.serve_with_incoming(incoming));

    let channel = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .service(connect(&format!("http://{address}")));
    let mut client = HealthClient::new(channel);
    for _ in 0..2 {
        soon(client.check(HealthCheckRequest::default()))
            .await
            .unwrap();
    }
}

/// Returns a pool of two backends that are never connected to: the innermost service is local.
fn unreachable() -> Pool {
    let backend = |label, priority| {
        let backend = Backend::builder(label).url("http://any.invalid");
        backend.priority(priority).build().unwrap()
    };
    Pool::new([backend("a", 1), backend("b", 2)]).unwrap()
}

/// Starts two servers as backends; the first refuses.
async fn upstreams() -> (Pool, [MockUpstream; 2]) {
    let busy = MockUpstream::builder().behavior(Behavior::status(429));
    let a = busy.start().await.unwrap();
    let b = MockUpstream::builder().start().await.unwrap();
    let backend = |label, upstream: &MockUpstream, priority| {
        let backend = Backend::builder(label).url(upstream.url());
        backend.priority(priority).build().unwrap()
    };
    let pool = Pool::new([backend("a", &a, 1), backend("b", &b, 2)]).unwrap();
    (pool, [a, b])
}

/// Returns a router that refuses some requests, then echoes the bodies of the next.
fn refusing(times: usize) -> Router {
    let seen = Arc::new(AtomicUsize::new(0));
    let handler = move |body: String| {
        let nth = seen.fetch_add(1, Relaxed);
        async move {
            if nth < times {
                return (StatusCode::TOO_MANY_REQUESTS, NO_CREDIT.to_owned());
            }
            (StatusCode::OK, body)
        }
    };
    Router::new().fallback(handler)
}

fn hyper_client<B>() -> Client<HttpConnector, B>
where
    B: http_body::Body<Data: Send> + Send,
{
    Client::builder(TokioExecutor::new()).build_http()
}

fn connect(url: &str) -> Channel {
    Endpoint::from_shared(url.to_owned())
        .unwrap()
        .connect_lazy()
}

/// A request that may be retried has a body type of its own, and a router takes axum's.
fn to_axum(request: Request<ReplayBody<Body>>) -> Request<Body> {
    request.map(Body::new)
}

fn models() -> Request<Full<Bytes>> {
    Request::get("/v1/models").body(Full::default()).unwrap()
}

fn with_body(body: &'static str) -> Request<Body> {
    Request::post("/").body(Body::from(body)).unwrap()
}

async fn send(router: &Router, body: &'static str) -> Response<Body> {
    router.clone().oneshot(with_body(body)).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

/// Returns the label of the chosen backend.
fn chosen<B>(response: &Response<B>) -> String {
    let selected = response.extensions().get::<Selected>().unwrap();
    selected.backend().label().to_owned()
}
