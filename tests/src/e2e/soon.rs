use std::{panic::Location, time::Duration};

use tokio::time::{sleep, timeout};

/// Returns the output of `future`, or fails after a time that no test needs even on the slowest machine.
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

/// Polls `is_so` until it returns true.
#[track_caller]
pub fn eventually(mut is_so: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !is_so().await {
            sleep(PAUSE).await;
        }
    })
}

const PAUSE: Duration = Duration::from_millis(10);

const LIMIT: Duration = Duration::from_secs(30);
