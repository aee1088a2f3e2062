use std::{fmt, sync::Arc, time::Duration};

use http::HeaderValue;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, timeout},
};
use tower_spillover::select::Draw;

use super::{Missing, Source, Status, refresh::Refresh, slot::Slot};

/// The token of a source, renewed in the background. Clones share it, on all threads.
#[derive(Clone)]
pub struct Tokens {
    slot: Arc<Slot>,
    came: watch::Receiver<bool>,
    _task: Arc<Task>,
}

impl Tokens {
    /// Starts a task that asks the source for tokens. The task ends when the last clone is dropped. `draw` adds jitter, so
    /// that gateways that started together do not ask at the same time.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with the time driver.
    pub fn start<S, D>(source: S, draw: D) -> Self
    where
        S: Source,
        D: Draw + Send + 'static,
    {
        let slot = Arc::new(Slot::new(Instant::now()));
        let (tell, came) = watch::channel(false);
        let refresh = Refresh::new(source, draw, Arc::clone(&slot), tell);
        let task = tokio::spawn(refresh.run()).abort_handle();
        Self {
            slot,
            came,
            _task: Arc::new(Task(task)),
        }
    }

    /// Waits for the first token.
    ///
    /// # Errors
    ///
    /// Returns [`Missing`] if no token came within `limit`. The task goes on.
    pub async fn first(&self, limit: Duration) -> Result<(), Missing> {
        let mut came = self.came.clone();
        // Ignores a timeout: the slot has the result.
        let _ = timeout(limit, came.wait_for(|came| *came)).await;
        self.bearer().map(drop)
    }

    /// Returns the value of `authorization`, marked as sensitive. Takes no lock and does no I/O.
    ///
    /// # Errors
    ///
    /// Returns [`Missing`] if no token came yet, or the last one has expired.
    pub fn bearer(&self) -> Result<HeaderValue, Missing> {
        self.slot.bearer(Instant::now())
    }

    /// Returns the state of the source.
    pub fn status(&self) -> Status {
        self.slot.status()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
