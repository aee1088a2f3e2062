//! The whole stack in front of tonic servers, as the fallback of an axum server that tonic clients call.

use axum::{Router, body::Body, error_handling::HandleErrorLayer, routing::get};
use http::{Request, Response, StatusCode};
use spillover_tests::{
    e2e::soon,
    grpc::{Play, Server, pool, served_by, stack, upload},
};
use tokio::net::TcpListener;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::{BoxError, ServiceBuilder};
use tower_spillover::Pool;

/// Connects a channel to an axum server that has the stack as its fallback.
async fn proxied(pool: &Pool) -> Channel {
    let bad_gateway = async |error: BoxError| (StatusCode::BAD_GATEWAY, error.to_string());
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(bad_gateway))
        .map_response(|response: Response<_>| response.map(Body::new))
        .map_request(|request: Request<Body>| request.map(tonic::body::Body::new))
        .service(stack(pool));
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .fallback_service(stack);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Endpoint::from_shared(url).unwrap().connect_lazy()
}

fn always(label: &'static str, play: Play) -> Server {
    Server::start(label, move |_| play.clone())
}

#[tokio::test]
async fn three_servers_look_like_one() {
    let a = always("a", Play::Refuse(Play::exhausted("9000")));
    let b = always("b", Play::RefuseLate(Status::unavailable("restarting")));
    let c = always("c", Play::Serve);
    let mut client = HealthClient::new(proxied(&pool([&a, &b, &c])).await);

    let response = soon(client.watch(HealthCheckRequest::default()))
        .await
        .unwrap();
    assert_eq!(served_by(&response), "c");
    let mut stream = response.into_inner();
    let mut messages = 0;
    while soon(stream.message()).await.unwrap().is_some() {
        messages += 1;
    }
    // The server's trailers reported success.
    assert_eq!(messages, 3);

    let response = soon(client.check(HealthCheckRequest::default()))
        .await
        .unwrap();
    assert_eq!(served_by(&response), "c");
    assert_eq!([a.calls(), b.calls(), c.calls()], [1, 1, 2]);
}

#[tokio::test]
async fn client_stream_passes() {
    let a = always("a", Play::Refuse(Play::exhausted("9000")));
    let b = always("b", Play::Serve);
    let channel = proxied(&pool([&a, &b])).await;
    let messages = futures_util::stream::iter((0..100).map(|i| format!("message {i}")));
    let response = soon(upload(channel, messages)).await.unwrap();
    assert_eq!(response.get_ref().status, 100);
}

#[tokio::test]
async fn last_refusal_reaches_the_client_unchanged() {
    let a = always("a", Play::Refuse(Play::exhausted("9000")));
    let mut client = HealthClient::new(proxied(&pool([&a])).await);
    for _ in 0..2 {
        let status = soon(client.check(HealthCheckRequest::default()))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
    }
}
