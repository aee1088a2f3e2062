//! A tonic client over three channels: each call is sent to the open backend with the best priority.
//!
//! ```sh
//! cargo run -p spillover-examples --bin tonic
//! ```

mod proto;

use std::time::Duration;

use http::Request;
use tokio::time::sleep;
use tonic::{Response, transport::Endpoint};
use tower::{BoxError, ServiceBuilder};
use tower_spillover::{
    Attempts, Backend, GrpcClassifier, Pool, Selected, stack::SpilloverLayer, steer::BackendSteer,
};

use self::proto::{CompletionsClient, Prompt, Server};

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
    let channels = BackendSteer::try_new(&pool, |backend| {
        let endpoint = Endpoint::from_shared(backend.url().to_owned())?;
        Ok::<_, tonic::transport::Error>(endpoint.timeout(Duration::from_secs(20)).connect_lazy())
    })?;
    let stack = ServiceBuilder::new()
        .layer(SpilloverLayer::new(pool).with_classify(GrpcClassifier::new()))
        .map_request(|request: Request<_>| request.map(tonic::body::Body::new))
        .service(channels);
    let mut client = CompletionsClient::new(stack);
    let prompt = || Prompt {
        text: "Hello world".into(),
    };

    let response = client.complete(prompt()).await?;
    report(&response);

    println!("ptu and sweden throttle: come back in a second, in a minute");
    ptu.throttle(1_000);
    sweden.throttle(60_000);
    let response = client.complete_stream(prompt()).await?;
    report(&response);
    let mut stream = response.into_inner();
    while let Some(completion) = stream.message().await? {
        println!("  {}", completion.text);
    }
    report(&client.complete(prompt()).await?);

    println!("a second later");
    sleep(Duration::from_millis(1_100)).await;
    report(&client.complete(prompt()).await?);
    Ok(())
}

/// Prints the extensions that the layers put into a response: backend, tier and attempts.
fn report<T>(response: &Response<T>) {
    let backend = response.extensions().get::<Selected>();
    let backend = backend.map_or("no backend", |selected| selected.backend().label());
    // The response of a first attempt has no `Attempts`.
    let attempts = response
        .extensions()
        .get::<Attempts>()
        .map_or(1, Attempts::count);
    println!("served by {backend}, attempts: {attempts}");
}
