//! An axum application whose handler calls an LLM API through the stack, which is part of the application state.
//!
//! ```sh
//! cargo run -p spillover-examples --bin axum
//! curl -d 'Hello!' http://127.0.0.1:PORT/ask
//! ```

use std::time::Duration;

use axum::{
    Json, Router, body::Body, error_handling::HandleErrorLayer, extract::State,
    response::IntoResponse, routing::post,
};
use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use spillover_testing::{limit::Payg, upstream::MockUpstream};
use tokio::net::TcpListener;
use tower::{
    BoxError, ServiceBuilder, ServiceExt, timeout::TimeoutLayer, util::BoxCloneSyncService,
};
use tower_spillover::{Backend, Pool, Selected, ServiceBuilderExt};

/// The state of the application: the stack, boxed so that its type can be named. Each request uses a clone.
type Llm = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

fn llm(pool: Pool) -> Llm {
    let stack = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .spillover(pool)
        // Limits each attempt: a backend that hangs counts as failing.
        .layer(TimeoutLayer::new(Duration::from_secs(20)))
        .service(Client::builder(TokioExecutor::new()).build_http());
    BoxCloneSyncService::new(stack)
}

fn app(llm: Llm) -> Router {
    // Limits the whole request with all its attempts.
    let too_late = async |_: BoxError| StatusCode::GATEWAY_TIMEOUT;
    let middleware = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(too_late))
        .layer(TimeoutLayer::new(Duration::from_secs(60)));
    Router::new()
        .route("/ask", post(ask))
        .layer(middleware)
        .with_state(llm)
}

async fn ask(State(llm): State<Llm>, question: String) -> Result<Response<Body>, Unavailable> {
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": question}]});
    let request = Request::post("/v1/chat/completions")
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))?;

    let response = llm.oneshot(request).await?;
    match response.status() {
        status if status.is_success() => {}
        // The field `retry-after` states when the first backend opens.
        StatusCode::TOO_MANY_REQUESTS => return Ok(response),
        // Other errors concern the requests of this program, and may quote its key.
        status => return Err(format!("the backend says {status}").into()),
    }
    let backend = response.extensions().get::<Selected>();
    let backend = backend.map(|selected| selected.backend().label().to_owned());
    let answer = axum::body::to_bytes(response.into_body(), 1 << 20).await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    let text = &answer["choices"][0]["message"]["content"];
    Ok(Json(json!({"answer": text, "backend": backend})).into_response())
}

/// The error when no backend could be reached, or its answer could not be read.
struct Unavailable(BoxError);

impl<E: Into<BoxError>> From<E> for Unavailable {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Unavailable {
    fn into_response(self) -> Response<Body> {
        eprintln!("{}", self.0);
        StatusCode::BAD_GATEWAY.into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // Two mock servers on loopback are the backends. The first one admits one request per second.
    let second = Duration::from_secs(1);
    let one_a_second = Payg::new(1_000_000).rpm(60).request_window(second);
    let ptu = MockUpstream::builder().limit(one_a_second).start().await?;
    let payg = MockUpstream::builder().start().await?;
    let backend = |label, upstream: &MockUpstream, priority| {
        let backend = Backend::builder(label).url(upstream.url());
        backend.priority(priority).build()
    };
    let pool = Pool::new([backend("ptu", &ptu, 1)?, backend("payg", &payg, 2)?])?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("curl -d 'Hello!' http://{}/ask", listener.local_addr()?);
    axum::serve(listener, app(llm(pool))).await?;
    Ok(())
}
