//! Tests of the layer over an inner service that answers with the label of the selected backend.

mod affinity;
mod answers;
mod choice;
mod exhausted;
mod permits;
mod scope;
mod service;
mod wait;

use std::{convert::Infallible, time::Duration};

use http::{Request, Response};
use spillover_core::{
    Affinity, Attempts, Backend, Class, Cooldown, Exhausted, Outcome, Pool, Query, Scope, Selected,
};
use spillover_testing::Probe;
use tokio::time::Instant;
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Creates a pool of backends, given as `(label, priority)`.
fn pool<const N: usize>(backends: [(&str, u32); N]) -> Pool {
    let build = |(label, priority): (&str, u32)| {
        let builder = Backend::builder(label).url("http://upstream.example");
        builder.priority(priority).build().unwrap()
    };
    Pool::new(backends.map(build)).unwrap()
}

/// Records an outcome of the backend with this index. The backend must not be throttled.
fn record(pool: &Pool, index: usize, outcome: Outcome) {
    let others = Attempts::new();
    (0..pool.backends().len())
        .filter(|other| *other != index)
        .for_each(|other| others.mark(other));
    let now = Instant::now();
    let selected = pool
        .select(&Query::new().attempts(&others), now, 0)
        .expect("the backend is not throttled");
    selected.record(&outcome, now);
}

fn throttle(pool: &Pool, index: usize, wait: Duration) {
    record(pool, index, Outcome::throttled(wait));
}

/// Creates a service that answers with the label of the selected backend.
fn labels() -> Probe<(), String, Infallible> {
    Probe::new(|request: Request<()>| async move {
        let selected = selected(request.extensions());
        Ok(Response::new(selected.backend().label().to_owned()))
    })
}

fn selected(extensions: &http::Extensions) -> &Selected {
    extensions.get().expect("a Selected")
}

/// Creates a request as `RetryThrottled` does.
fn request(attempts: &Attempts) -> Request<()> {
    let mut request = Request::get("/v1/models").body(()).unwrap();
    request.extensions_mut().insert(attempts.clone());
    request
}

/// Sends a request, and returns the body of the response: a label.
async fn send<S, E>(service: S, attempts: &Attempts) -> String
where
    S: Service<Request<()>, Response = Response<String>, Error = E>,
    E: std::fmt::Debug,
{
    service
        .oneshot(request(attempts))
        .await
        .unwrap()
        .into_body()
}
