use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;

/// Spawns the task of an upgraded connection, such as a WebSocket.
///
/// The connection counts towards [`Connections::max`](crate::Connections::max) until the task ends. A shutdown waits for it.
#[derive(Clone, Debug)]
pub struct TaskSpawner {
    tasks: TaskTracker,
    permit: Arc<OwnedSemaphorePermit>,
}

impl TaskSpawner {
    pub(super) fn new(tasks: TaskTracker, permit: Arc<OwnedSemaphorePermit>) -> Self {
        Self { tasks, permit }
    }

    /// Spawns `task` on the thread of the connection.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let permit = Arc::clone(&self.permit);
        self.tasks.spawn(async move {
            let _permit = permit;
            task.await;
        });
    }
}
