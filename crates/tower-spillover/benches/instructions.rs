//! How many instructions the whole stack takes for a request: a number that does not depend on what else the machine does.

#![expect(
    missing_docs,
    clippy::exit,
    reason = "what the macros make has none, and their main function exits"
)]

mod setup;

use std::{convert::Infallible, sync::LazyLock};

use gungraun::{library_benchmark, library_benchmark_group, main};
use http::{Request, Response};
use tokio::runtime::{Builder, Runtime};
use tower::{Layer, Service};
use tower_spillover::stack::SpilloverLayer;

use self::setup::{Body, Client, pool, request, send};

library_benchmark_group!(name = stack, benchmarks = one_request);

main!(library_benchmark_groups = stack);

// Returns the service, so as not to count its drop.
#[library_benchmark]
#[bench::client_alone(client_alone())]
#[bench::not_retried(behind_the_stack(Client::new()))]
#[bench::failover(behind_the_stack(Client::refusing("0.example")))]
fn one_request((send, request): (Send, Request<Body>)) -> Send {
    send(request);
    send
}

/// The body of a refusal is read for so long and no longer.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("it can be built")
});

type Send = Box<dyn Fn(Request<Body>)>;

fn client_alone() -> (Send, Request<Body>) {
    boxed(Client::new())
}

/// Not the first request to its pool, nor the first refusal of the process, which find more to do.
fn behind_the_stack(client: Client) -> (Send, Request<Body>) {
    let _entered = RUNTIME.enter();
    let refused = SpilloverLayer::new(pool(2)).layer(client.clone());
    send(&refused, request());
    let layer = SpilloverLayer::new(pool(2));
    send(&layer.layer(Client::new()), request());
    boxed(layer.layer(client))
}

fn boxed<S, ResBody>(service: S) -> (Send, Request<Body>)
where
    S: Service<Request<Body>, Response = Response<ResBody>, Error = Infallible> + Clone + 'static,
{
    LazyLock::force(&RUNTIME);
    let send = move |request| {
        let _entered = RUNTIME.enter();
        send(&service, request);
    };
    (Box::new(send), request())
}
