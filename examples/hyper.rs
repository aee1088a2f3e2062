//! The smallest stack: a hyper client for two backends. The first one throttles.
//!
//! ```sh
//! cargo run -p spillover-examples --bin hyper
//! ```

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use spillover_testing::upstream::MockUpstream;
use tokio::time::sleep;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_spillover::{Attempts, Backend, Pool, Selected, ServiceBuilderExt};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // Two mock servers on loopback are the backends.
    let ptu = MockUpstream::builder().start().await?;
    let payg = MockUpstream::builder().start().await?;

    let pool = Pool::new([
        Backend::builder("ptu").url(ptu.url()).priority(1).build()?,
        Backend::builder("payg")
            .url(payg.url())
            .priority(2)
            .build()?,
    ])?;
    let mut client = ServiceBuilder::new()
        .spillover(pool)
        .service(Client::builder(TokioExecutor::new()).build_http());

    // A path is enough: the layers add the rest of the URL.
    let models = || Request::get("/v1/models").body(Full::<Bytes>::default());

    report(&client.ready().await?.call(models()?).await?);

    println!("ptu throttles: come back in a second");
    let busy = Response::builder().status(429);
    let busy = busy.header("retry-after", "1").body("")?;
    ptu.handle().push(busy);
    report(&client.ready().await?.call(models()?).await?);
    report(&client.ready().await?.call(models()?).await?);

    println!("a second later");
    sleep(Duration::from_millis(1_100)).await;
    report(&client.ready().await?.call(models()?).await?);
    Ok(())
}

/// Prints the extensions that the layers put into a response: backend, tier and attempts.
fn report<B>(response: &Response<B>) {
    let backend = response.extensions().get::<Selected>();
    let backend = backend.map_or("no backend", |selected| selected.backend().label());
    // The response of a first attempt has no `Attempts`.
    let attempts = response
        .extensions()
        .get::<Attempts>()
        .map_or(1, Attempts::count);
    println!("{} from {backend}, attempts: {attempts}", response.status());
}
