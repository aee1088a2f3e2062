use tokio::sync::OwnedSemaphorePermit;

use crate::guard::Guard;

/// The guard in a response body: one of the permits of a [`ConcurrencyLimit`](super::ConcurrencyLimit). Dropping it gives it
/// back.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Permit {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: permit }
    }
}

impl Guard for Permit {}
