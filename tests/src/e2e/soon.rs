use std::{panic::Location, time::Duration};

use tokio::time::timeout;

/// What `future` comes to. A test that would hang fails here instead: nothing takes this long, on the slowest machine.
#[track_caller]
pub fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move {
        match timeout(LIMIT, future).await {
            Ok(output) => output,
            Err(_) => panic!("{place}: it has not come after {} s", LIMIT.as_secs()),
        }
    }
}

const LIMIT: Duration = Duration::from_secs(30);
