//! A reverse proxy: the stack behind every path of an axum server.
//!
//! ```sh
//! cargo run -p spillover-examples --bin reverse_proxy
//! curl -i http://127.0.0.1:PORT/v1/models
//! ```
//!
//! `examples/gateway.rs` adds logs, timeouts, request ids and configuration.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    error_handling::HandleErrorLayer,
    routing::{any_service, get},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header::CONNECTION};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use spillover_testing::{limit::Payg, upstream::MockUpstream};
use tokio::net::TcpListener;
use tower::{BoxError, ServiceBuilder, timeout::TimeoutLayer};
use tower_spillover::{Backend, Credential, Pool, Selected, ServiceBuilderExt};

fn app(pool: Pool) -> Router {
    let proxy = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(bad_gateway))
        .map_request(|mut request: Request<Body>| {
            remove_hop_by_hop(request.headers_mut());
            // The connection to the backend does not have the HTTP version of the request.
            *request.version_mut() = Version::HTTP_11;
            request
        })
        .map_response(name_backend)
        .map_response(|response: Response<_>| response.map(Body::new))
        .spillover(pool)
        .layer(TimeoutLayer::new(Duration::from_secs(100)))
        .service(Client::builder(TokioExecutor::new()).build_http());
    // TRACE would show a client the key of the backend (RFC 9110 section 9.3.8).
    let proxy = any_service(proxy).trace(async || StatusCode::METHOD_NOT_ALLOWED);
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .fallback_service(proxy)
}

/// Returns the response when every backend failed without one. The error can name hosts, so it is only logged.
async fn bad_gateway(error: BoxError) -> (StatusCode, &'static str) {
    eprintln!("{error}");
    (StatusCode::BAD_GATEWAY, "no backend could be reached\n")
}

fn name_backend(mut response: Response<Body>) -> Response<Body> {
    remove_hop_by_hop(response.headers_mut());
    let selected = response.extensions().get::<Selected>().cloned();
    let label = selected.map(|selected| HeaderValue::from_str(selected.backend().label()));
    if let Some(Ok(label)) = label {
        response.headers_mut().insert("x-backend", label);
    }
    response
}

/// Removes the fields of a single connection, and those that `connection` names (RFC 9110 section 7.6.1).
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named = headers.get_all(CONNECTION).into_iter().cloned();
    for value in named.collect::<Vec<_>>() {
        for name in value.to_str().unwrap_or_default().split(',') {
            headers.remove(name.trim());
        }
    }
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // Two mock servers on loopback are the backends. The first permits one chat request per second. Each requires its own key.
    let second = Duration::from_secs(1);
    let ptu = MockUpstream::builder().api_key("key-of-ptu");
    let ptu = ptu.limit(Payg::new(1_000_000).rpm(60).request_window(second));
    let ptu = ptu.start().await?;
    let payg = MockUpstream::builder().api_key("key-of-payg");
    let payg = payg.start().await?;
    let backend = |label, upstream: &MockUpstream, key, priority| {
        let backend = Backend::builder(label).url(upstream.url());
        let backend = backend.credential(Credential::api_key(key)?);
        backend.priority(priority).build()
    };
    let pool = Pool::new([
        backend("ptu", &ptu, "key-of-ptu", 1)?,
        backend("payg", &payg, "key-of-payg", 2)?,
    ])?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app(pool)).await?;
    Ok(())
}
