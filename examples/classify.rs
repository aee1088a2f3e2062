//! A classifier of one's own, for GitHub's REST API behind several tokens.
//!
//! ```sh
//! cargo run -p spillover-examples --bin classify
//! ```
//!
//! Its limits need none: they come as 403 or 429 with `x-ratelimit-remaining: 0` and `x-ratelimit-reset`, with `retry-after`,
//! or with a message only, and all of that is read (<https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>).
//! But GitHub also answers 403 where a token may not see one resource. The default takes that for a bad key and closes the
//! backend; here the request goes on to the next token, and nothing is held against the first. A 404 stays the client's.

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

/// As by default, but that another token may see what this one may not.
fn github<E>(answer: &Answer<'_, E>) -> Class {
    match StatusClassifier::new().classify(answer) {
        Class::Credential if answer.status() == Some(StatusCode::FORBIDDEN) => Class::Declined,
        class => class,
    }
}

async fn run(url: &str, classify: impl Classify<ClientError> + Clone) -> Result<(), BoxError> {
    // One host, several tokens: a backend is what has a limit of its own.
    let backend = |label, token| {
        let backend = Backend::builder(label).url(url);
        backend.credential(Credential::bearer(token)?).build()
    };
    let pool = Pool::new([backend("alice", "token-a")?, backend("bob", "token-b")?])?;
    // GitHub asks for waits of an hour at most, and for a minute where it does not say.
    let cooldowns = Cooldowns::default().cap(Duration::from_secs(60 * 60));
    let cooldowns = cooldowns.default_cooldown(Duration::from_secs(60));
    let stack = SpilloverLayer::new(pool.clone())
        .with_classify(classify)
        .tracker(|tracker| tracker.cooldowns(cooldowns))
        // Always alice before bob, so that the example is the same each time. By default they share.
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

/// GitHub as alice and bob see it.
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
