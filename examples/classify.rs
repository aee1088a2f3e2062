//! A custom classifier for the REST API of GitHub, used with several tokens.
//!
//! ```sh
//! cargo run -p spillover-examples --bin classify
//! ```
//!
//! The default classifier reads the limits of GitHub: a 403 or 429 with `x-ratelimit-remaining: 0` and `x-ratelimit-reset`,
//! with `retry-after`, or with a message only
//! (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>).
//!
//! GitHub also answers 403 if a token may not see a resource. The default takes that for a bad key, and closes the backend.
//! This classifier sends the request to the next token instead, and the first backend stays open. A 404 is returned to the
//! client.

use std::time::{Duration, UNIX_EPOCH};

use axum::{Router, body::Body, response::IntoResponse};
use http::{HeaderMap, Request, Response, StatusCode, Uri, header::AUTHORIZATION};
use hyper_util::{
    client::legacy::{Client, Error as ClientError},
    rt::TokioExecutor,
};
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_spillover::{
    Answer, Backend, Class, Classify, Condition, Cooldowns, Credential, Pool, Scope, Selected,
    StatusClassifier, stack::SpilloverLayer,
};

/// Classifies like the default, except for resources that a token may not see.
fn github<E>(answer: &Answer<'_, E>) -> Class {
    match StatusClassifier::new().classify(answer) {
        Class::Credential if answer.status() == Some(StatusCode::FORBIDDEN) => Class::Declined,
        class => class,
    }
}

async fn run(url: &str, classify: impl Classify<ClientError> + Clone) -> Result<(), BoxError> {
    // Each token has its own limit, so that each is a backend, with the same host.
    let backend = |label, token| {
        let backend = Backend::builder(label).url(url);
        backend.credential(Credential::bearer(token)?).build()
    };
    let pool = Pool::new([backend("alice", "token-a")?, backend("bob", "token-b")?])?;
    // GitHub states waits of up to an hour, and expects a minute if it states none.
    let cooldowns = Cooldowns::default().cap(Duration::from_secs(60 * 60));
    let cooldowns = cooldowns.default_cooldown(Duration::from_secs(60));
    let stack = SpilloverLayer::new(pool.clone())
        .with_classify(classify)
        .tracker(|tracker| tracker.cooldowns(cooldowns))
        // Alice is always preferred, so that the output is the same. By default both would share the requests.
        .select(|select| select.with_draw(|| 0));
    let client = ServiceBuilder::new()
        .layer(stack)
        .service(Client::builder(TokioExecutor::new()).build_http());

    for path in ["/missing", "/repos/private", "/user", "/search"] {
        let request = Request::get(path).body(Body::empty())?;
        let response = client.clone().oneshot(request).await?;
        let selected = response.extensions().get::<Selected>();
        let by = selected.map_or("nobody", |selected| selected.backend().label());
        let alice = pool.snapshot(Scope::BACKEND, Instant::now())[0].condition();
        println!("{path}: {} by {by}, alice: {alice:?}", response.status());
        if let ("/user", Condition::Throttled(wait)) = (path, alice) {
            println!("  {wait:?} later");
            sleep(wait).await;
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(axum::serve(listener, Router::new().fallback(play_github)).into_future());

    println!("with the classifier of GitHub");
    run(&url, github).await?;
    println!("with the default");
    run(&url, StatusClassifier::new()).await
}

/// A mock of GitHub with the resources of alice and bob.
async fn play_github(uri: Uri, headers: HeaderMap) -> Response<Body> {
    let token = headers.get(AUTHORIZATION);
    let is_alice = token.is_some_and(|token| token == "Bearer token-a");
    let reset = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs() + 2;
    let reset = [
        ("x-ratelimit-remaining", "0".to_owned()),
        ("x-ratelimit-reset", reset.to_string()),
    ];
    let secondary = r#"{"message": "You have exceeded a secondary rate limit."}"#;
    let invisible = r#"{"message": "Resource not accessible by personal access token"}"#;
    match uri.path() {
        "/missing" => StatusCode::NOT_FOUND.into_response(),
        "/repos/private" if is_alice => (StatusCode::FORBIDDEN, invisible).into_response(),
        "/search" if is_alice => (StatusCode::FORBIDDEN, secondary).into_response(),
        "/user" if is_alice => (StatusCode::FORBIDDEN, reset).into_response(),
        _ => "{}".into_response(),
    }
}
