//! Tests of the layer with a pool of one backend.

mod cooldown;
mod grpc;
mod in_flight;
mod outcome;
mod report;
mod service;
mod unprocessed;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use spillover_core::{
    Attempts, Backend, Class, Condition, Cooldowns, Credential, Outcome, Pool, Query, Scope,
    Selected,
};
use spillover_testing::Probe;
use tokio::time::{Instant, advance};
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use super::*;

type Inner = Probe<(), Full<Bytes>, &'static str>;

const SECOND: Duration = Duration::from_secs(1);

fn pool() -> Pool {
    let backend = Backend::builder("a").url("http://a.example");
    Pool::new([backend.build().unwrap()]).unwrap()
}

fn pool_with_credential() -> Pool {
    let backend = Backend::builder("a").url("http://a.example");
    let backend = backend.credential(Credential::api_key("k").unwrap());
    Pool::new([backend.build().unwrap()]).unwrap()
}

fn select(pool: &Pool) -> Selected {
    let now = Instant::now();
    pool.select(&Query::new(), now, 0)
        .expect("it is not throttled")
}

/// Creates a request for the backend as `PrioritySelect` does, but without `Attempts`.
fn request(pool: &Pool) -> Request<()> {
    let mut request = Request::new(());
    request.extensions_mut().insert(select(pool));
    request
}

fn condition(pool: &Pool) -> Condition {
    pool.snapshot(Scope::BACKEND, Instant::now())[0].condition()
}

/// Records a failure of the backend, and advances the time until a probe is due.
async fn fail_until_probe_is_due(pool: &Pool) {
    select(pool).record(&Outcome::failing(SECOND), Instant::now());
    advance(SECOND).await;
}

fn answering(status: u16, headers: &[(&'static str, &'static str)]) -> Inner {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let response = response.body(Full::default()).unwrap();
    Probe::new(move |_| std::future::ready(Ok(response.clone())))
}

fn refusing() -> Inner {
    Probe::new(|_| std::future::ready(Err("connection refused")))
}

/// Returns the class that the layer put into the response.
fn class<B>(response: &Response<B>) -> Option<Class> {
    response.extensions().get().map(Outcome::class)
}
