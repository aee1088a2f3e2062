//! The stack mounted in an `axum::Router`.

use axum::{Router, body::Body, error_handling::HandleErrorLayer, routing::get};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use spillover_tests::{
    on_deployments, on_every_deployment,
    stack::{
        Backends, Deployment, HttpService, Reply, SECOND, Stack, gateway, per_backend,
        shared_client, tonic_channels,
    },
};
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_spillover::{Selected, select::WhenExhausted};

on_every_deployment! {
    stack_serves_requests_without_a_route
    failover_shows_only_in_the_backend_that_answered
    error_reaches_the_error_handler
}

// The gateway answers in its own words.
on_deployments! {
    [SharedClient PerBackend TonicChannels]
    request_is_answered_when_all_backends_are_closed
}

fn router(stack: impl HttpService) -> Router {
    let bad_gateway = async |error: BoxError| (StatusCode::BAD_GATEWAY, error.to_string());
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(bad_gateway))
        .service(stack);
    Router::new()
        .route("/healthz", get(async || "ok"))
        .fallback_service(stack)
}

/// Returns a router over backends that play a script; the first is preferred.
fn mounted(
    deployment: Deployment,
    script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
) -> (Router, Backends) {
    let settings = Stack::builder([("a", 1), ("b", 2)]).when_exhausted(WhenExhausted::Reject);
    let backends = Backends::new(script);
    // The router clones and shares each of them as it is.
    let router = match deployment {
        Deployment::SharedClient => router(shared_client(&settings, &backends)),
        Deployment::PerBackend => router(per_backend(&settings, &backends)),
        Deployment::TonicChannels => router(tonic_channels(&settings, &backends)),
        Deployment::Gateway => router(gateway(&settings, &backends)),
    };
    (router, backends)
}

async fn send(router: &Router, path: &str) -> Response<Body> {
    let request = Request::post(path).body(Body::from("question")).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.into()).unwrap()
}

async fn stack_serves_requests_without_a_route(deployment: Deployment) {
    let (router, backends) = mounted(deployment, |_, _| Reply::status(200));
    let health = Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(
        text(router.clone().oneshot(health).await.unwrap()).await,
        "ok"
    );
    assert!(backends.order().is_empty());

    assert_eq!(
        text(send(&router, "/v1/chat/completions?x=1").await).await,
        "a"
    );
    let seen = backends.seen();
    assert_eq!(seen[0].uri, "https://a.example/v1/chat/completions?x=1");
    assert_eq!(seen[0].body, "question");
}

async fn failover_shows_only_in_the_backend_that_answered(deployment: Deployment) {
    let (router, backends) = mounted(deployment, |label, _| match label {
        "a" => Reply::throttled(2),
        _ => Reply::status(201).header("x-upstream", "b"),
    });
    let response = send(&router, "/v1/files").await;
    assert_eq!(
        (response.status().as_u16(), backends.order().len()),
        (201, 2)
    );
    assert_eq!(response.headers()["x-upstream"], "b");
    assert!(!response.headers().contains_key("retry-after"));
    let selected = response.extensions().get::<Selected>().unwrap();
    assert_eq!(selected.backend().label(), "b");
    assert_eq!(text(response).await, "b");
}

async fn request_is_answered_when_all_backends_are_closed(deployment: Deployment) {
    let (router, backends) = mounted(deployment, |_, _| Reply::throttled(2));
    assert_eq!(text(send(&router, "/").await).await, "b");
    tokio::time::advance(SECOND / 2).await;
    let response = send(&router, "/").await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after-ms"], "1500");
    assert_eq!(text(response).await, "");
    assert_eq!(backends.order(), ["a", "b"]);
}

async fn error_reaches_the_error_handler(deployment: Deployment) {
    let (router, backends) = mounted(deployment, |_, _| Reply::error("connection refused"));
    let response = send(&router, "/").await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_ne!(text(response).await, "");
    assert_eq!(backends.order(), ["a", "b"]);
}
