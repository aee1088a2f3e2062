use std::{panic::Location, time::Duration};

use tokio::time::{sleep, timeout};

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

/// Waits until `is_so` holds, by asking again and again.
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
