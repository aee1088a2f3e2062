//! A gRPC proxy: the stack behind every path of an axum server, in front of three tonic servers.
//!
//! ```sh
//! cargo run -p spillover-examples --bin grpc_proxy
//! ```

mod proto;

use std::time::Duration;

use axum::{Router, body::Body, error_handling::HandleErrorLayer};
use http::Response;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tonic::Status;
use tower::{BoxError, ServiceBuilder, timeout::TimeoutLayer};
use tower_spillover::{
    Backend, GrpcClassifier, Pool, select::WhenExhausted, stack::SpilloverLayer,
};

use self::proto::{CompletionsClient, Prompt, Server};

fn app(pool: Pool) -> Router {
    // gRPC needs HTTP/2, which cannot be negotiated without TLS.
    let mut client = Client::builder(TokioExecutor::new());
    let client = client.http2_only(true).build_http();
    // When all backends are closed, a gRPC call is answered with RESOURCE_EXHAUSTED and a pushback.
    let stack = SpilloverLayer::new(pool)
        .with_classify(GrpcClassifier::new())
        .select(|select| select.when_exhausted(WhenExhausted::Reject));
    let proxy = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(unavailable))
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(stack)
        .layer(TimeoutLayer::new(Duration::from_secs(100)))
        .service(client);
    Router::new().fallback_service(proxy)
}

async fn unavailable(error: BoxError) -> Response<Body> {
    eprintln!("{error}");
    Status::unavailable("no backend could be reached").into_http()
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // Three mock servers on loopback are the backends.
    let ptu = Server::start("ptu").await?;
    let sweden = Server::start("sweden").await?;
    let france = Server::start("france").await?;
    let backend = |label, server: &Server, priority| {
        let backend = Backend::builder(label).url(server.url());
        backend.priority(priority).build()
    };
    let pool = Pool::new([
        backend("ptu", &ptu, 1)?,
        backend("sweden", &sweden, 2)?,
        backend("france", &france, 3)?,
    ])?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, app(pool)).into_future());

    // The client connects to the proxy only.
    let mut client = CompletionsClient::connect(url).await?;
    let prompt = || Prompt {
        text: "Hello".into(),
    };
    println!("{}", client.complete(prompt()).await?.into_inner().text);

    println!("ptu and sweden throttle for a minute");
    ptu.throttle(60_000);
    sweden.throttle(60_000);
    let mut stream = client.complete_stream(prompt()).await?.into_inner();
    while let Some(completion) = stream.message().await? {
        println!("{}", completion.text);
    }

    println!("france throttles for a minute");
    france.throttle(60_000);
    for _ in 0..2 {
        if let Err(status) = client.complete(prompt()).await {
            let pushback = status.metadata().get("grpc-retry-pushback-ms");
            let ms = pushback.map_or(Ok("?"), |ms| ms.to_str())?;
            let (code, message) = (status.code(), status.message());
            println!("{code:?}: {message}, come back in {ms} ms");
        }
    }
    Ok(())
}
