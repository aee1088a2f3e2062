use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;

/// Where a connection goes on that speaks another protocol now.
///
/// The server counts it until it ends, and waits for it on the way out.
#[derive(Clone, Debug)]
pub struct Tunnels {
    tasks: TaskTracker,
    place: Arc<OwnedSemaphorePermit>,
}

impl Tunnels {
    pub(super) fn new(tasks: TaskTracker, place: Arc<OwnedSemaphorePermit>) -> Self {
        Self { tasks, place }
    }

    /// Lets `tunnel` run to its end.
    pub fn spawn(&self, tunnel: impl Future<Output = ()> + Send + 'static) {
        let place = Arc::clone(&self.place);
        self.tasks.spawn(async move {
            let _place = place;
            tunnel.await;
        });
    }
}
