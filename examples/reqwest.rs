//! The stack over a `reqwest::Client`. The application uses requests and responses of reqwest.
//!
//! ```sh
//! cargo run -p spillover-examples --bin reqwest
//! ```
//!
//! A `reqwest::Client` is a Tower service of `reqwest::Request` and `reqwest::Response`. The layers use the types of the `http`
//! crate. Each type converts into the other, extensions included. `ClientBuilder::connector_layer` does not fit: it wraps
//! connecting, which happens after the host is chosen.

use std::time::Duration;

use reqwest::{Body, Client, Request, Response, redirect::Policy};
use serde_json::{Value, json};
use spillover_testing::upstream::MockUpstream;
use tokio::time::sleep;
use tower::{BoxError, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_spillover::{Backend, Pool, Selected, ServiceBuilderExt};

/// A service that can replace a `reqwest::Client`.
type Stack = BoxCloneSyncService<Request, Response, BoxError>;

fn stack(pool: Pool, client: Client) -> Stack {
    let stack = ServiceBuilder::new()
        .filter(http::Request::<Body>::try_from)
        // `Response::url` is lost, because `http::Response` has no such field.
        .map_response(|response: http::Response<_>| Response::from(response.map(Body::wrap)))
        .spillover(pool)
        .filter(|request: http::Request<_>| Request::try_from(request.map(Body::wrap)))
        .map_response(http::Response::<Body>::from)
        .service(client);
    BoxCloneSyncService::new(stack)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // Two mock servers on loopback are the backends.
    let ptu = MockUpstream::builder().reply("This is ptu.");
    let ptu = ptu.start().await?;
    let payg = MockUpstream::builder().reply("This is payg.");
    let payg = payg.start().await?;
    let backend = |label, upstream: &MockUpstream, priority| {
        let backend = Backend::builder(label).url(upstream.url());
        backend.priority(priority).build()
    };
    let pool = Pool::new([backend("ptu", &ptu, 1)?, backend("payg", &payg, 2)?])?;

    // On a redirect to another host, reqwest removes `authorization`, but not `api-key`.
    let client = Client::builder().redirect(Policy::none()).no_proxy();
    // This timeout limits each attempt.
    let client = client.timeout(Duration::from_secs(100)).build()?;
    let stack = stack(pool, client.clone());

    ask(&client, &stack).await?;

    println!("ptu throttles: come back in a second");
    let busy = http::Response::builder().status(429);
    ptu.handle().push(busy.header("retry-after", "1").body("")?);
    ask(&client, &stack).await?;

    println!("a second later");
    sleep(Duration::from_millis(1_100)).await;
    ask(&client, &stack).await
}

async fn ask(client: &Client, stack: &Stack) -> Result<(), BoxError> {
    let body =
        json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Who are you?"}]});
    // reqwest requires a whole URL. The layers use only its path.
    let request = client
        .post("http://any.invalid/v1/chat/completions")
        .json(&body)
        .build()?;

    let response = stack.clone().oneshot(request).await?;
    let backend = response.extensions().get::<Selected>().cloned();
    let backend = backend
        .as_ref()
        .map_or("no backend", |selected| selected.backend().label());
    let status = response.status();
    let answer: Value = response.json().await?;
    println!(
        "{status} from {backend}: {}",
        answer["choices"][0]["message"]["content"]
    );
    Ok(())
}
