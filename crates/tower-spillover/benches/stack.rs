//! The cost of each layer and of the whole stack for a request that is not retried, on one thread and with another thread on
//! the same pool. The client answers at once. Its own cost is part of every number: see `none`.

mod setup;

use std::convert::Infallible;

use divan::Bencher;
use http::{Request, Response};
use tokio::time::Instant;
use tower::{Layer, Service, layer::util::Identity};
use tower_spillover::{
    Query, peek::StreamPeekLayer, refusal::ReadRefusalLayer, retry::RetryThrottledLayer,
    rewrite::RewriteRequestLayer, select::PrioritySelectLayer, stack::SpilloverLayer,
    throttle::ThrottleTrackerLayer,
};

use self::setup::{Body, Client, pool, request, send};

const BACKENDS: [usize; 4] = [1, 2, 8, 64];
const THREADS: [usize; 2] = [1, 2];

fn main() {
    // Enough calls per sample for a clock that ticks every 20 ns.
    divan::Divan::from_args().sample_size(200).main();
}

#[divan::bench(args = BACKENDS, threads = THREADS)]
fn all(bencher: Bencher<'_, '_>, backends: usize) {
    bench(bencher, SpilloverLayer::new(pool(backends)), request);
}

#[divan::bench(threads = THREADS)]
fn none(bencher: Bencher<'_, '_>) {
    bench(bencher, Identity::new(), request);
}

#[divan::bench(threads = THREADS)]
fn retry(bencher: Bencher<'_, '_>) {
    bench(bencher, RetryThrottledLayer::new(), request);
}

#[divan::bench(threads = THREADS)]
fn select(bencher: Bencher<'_, '_>) {
    bench(bencher, PrioritySelectLayer::new(pool(2)), request);
}

#[divan::bench(threads = THREADS)]
fn rewrite(bencher: Bencher<'_, '_>) {
    bench(bencher, RewriteRequestLayer::new(), selected_requests());
}

#[divan::bench(threads = THREADS)]
fn throttle(bencher: Bencher<'_, '_>) {
    bench(bencher, ThrottleTrackerLayer::new(), selected_requests());
}

#[divan::bench(threads = THREADS)]
fn refusal(bencher: Bencher<'_, '_>) {
    bench(bencher, ReadRefusalLayer::new(), request);
}

#[divan::bench(threads = THREADS)]
fn peek(bencher: Bencher<'_, '_>) {
    bench(bencher, StreamPeekLayer::new(), selected_requests());
}

fn bench<L, ResBody>(bencher: Bencher<'_, '_>, layer: L, request: impl Fn() -> Request<Body> + Sync)
where
    L: Layer<Client>,
    L::Service:
        Service<Request<Body>, Response = Response<ResBody>, Error = Infallible> + Clone + Sync,
{
    let service = layer.layer(Client::new());
    let bencher = bencher.with_inputs(request);
    bencher.bench_values(|request| send(&service, request));
}

/// Creates requests with a selected backend.
fn selected_requests() -> impl Fn() -> Request<Body> + Sync {
    let pool = pool(2);
    move || {
        let selected = pool.select(&Query::new(), Instant::now(), 0);
        let mut request = request();
        request
            .extensions_mut()
            .insert(selected.expect("the backend is open"));
        request
    }
}
