//! Heap allocations of the usual stack for a request that is not retried.

#[path = "../benches/setup/mod.rs"]
mod setup;

use std::convert::Infallible;

use allocation_counter::measure;
use http::{Request, Response};
use tower::{Layer, Service};
use tower_spillover::stack::SpilloverLayer;

use self::setup::{Body, Client, pool, request, send};

/// | what | allocations |
/// |---|---|
/// | `Attempts`, shared by the layers | 1 |
/// | `ReplayBody`, shared by its clones | 1 |
/// | `Selected`, shared by the layers | 1 |
/// | the extensions of the request: a map in a box, `Attempts`, `Selected` | 4 |
/// | the extensions of the response: a map in a box, `Outcome`, `Selected` | 4 |
/// | the first bytes of a JSON response, which may be an error | 2 |
/// | the fields of the head that is kept for another attempt | 1 |
#[test]
fn request_that_is_not_retried() {
    // The only backend may get the request once more.
    assert_eq!(added(1), (14, 1688));
    assert_eq!(added(2), (14, 1688));
}

/// Allocations, and bytes in all of them, that are not the client's own, with so many backends.
fn added(backends: usize) -> (u64, u64) {
    let (alone, alone_bytes) = cost(&Client::new());
    let (all, all_bytes) = cost(&SpilloverLayer::new(pool(backends)).layer(Client::new()));
    (all - alone, all_bytes - alone_bytes)
}

/// Counts the allocations of a request that is not the first, which has more to do.
fn cost<S, ResBody>(service: &S) -> (u64, u64)
where
    S: Service<Request<Body>, Response = Response<ResBody>, Error = Infallible> + Clone,
{
    send(service, request());
    let request = request();
    let info = measure(|| send(service, request));
    (info.count_total, info.bytes_total)
}
