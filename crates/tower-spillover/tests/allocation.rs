//! Heap allocations of the usual stack for a request that is not retried.

#[path = "../benches/setup/mod.rs"]
mod setup;

use std::convert::Infallible;

use allocation_counter::measure;
use http::{Request, Response};
use tower::{Layer, Service};
use tower_spillover::stack::SpilloverLayer;

use self::setup::{Body, Client, pool, request, send};

/// Counts the allocations of the stack:
///
/// | part | allocations |
/// |---|---|
/// | `Attempts`, shared by the layers | 1 |
/// | `ReplayBody`, shared by its clones | 1 |
/// | `Selected`, shared by the layers | 1 |
/// | extensions of the request: a boxed map, `Attempts`, `Selected` | 4 |
/// | extensions of the response: a boxed map, `Outcome`, `Selected` | 4 |
/// | first bytes of a JSON response, which may be an error | 2 |
/// | header fields saved for another attempt | 1 |
#[test]
fn stack_allocates_fourteen_times_for_a_request_without_retry() {
    // With one backend the request is saved too, since that backend may get it again.
    assert_eq!(stack_cost(1), (14, 1688));
    assert_eq!(stack_cost(2), (14, 1688));
}

/// Returns the allocations and bytes of the stack with this number of backends, without those of the client.
fn stack_cost(backends: usize) -> (u64, u64) {
    let (alone, alone_bytes) = cost(&Client::new());
    let (all, all_bytes) = cost(&SpilloverLayer::new(pool(backends)).layer(Client::new()));
    (all - alone, all_bytes - alone_bytes)
}

/// Returns the allocations and bytes of the second request. The first one initializes more.
fn cost<S, ResBody>(service: &S) -> (u64, u64)
where
    S: Service<Request<Body>, Response = Response<ResBody>, Error = Infallible> + Clone,
{
    send(service, request());
    let request = request();
    let info = measure(|| send(service, request));
    (info.count_total, info.bytes_total)
}
