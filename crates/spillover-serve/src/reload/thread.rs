use std::{thread::Builder, time::Duration};

use tokio::{runtime::Handle, sync::oneshot, time::sleep};

/// Runs a function on a new thread, since reading files may block. Returns `None` if the thread cannot be created or
/// panics.
///
/// A thread of the runtime would not do: the runtime waits for its threads at shutdown, and reading a pipe may never end.
pub(super) async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (tell, mut told) = oneshot::channel();
    let runtime = Handle::current();
    let work = move || {
        let _inside = runtime.enter();
        // Fails when the gateway shuts down and the receiver is gone.
        let _ = tell.send(work());
    };
    if let Err(error) = Builder::new().name("reload".into()).spawn(work) {
        tracing::error!(%error, "no thread to read files on");
        return None;
    }
    loop {
        tokio::select! {
            told = &mut told => return told.ok(),
            () = sleep(PATIENCE) => {
                tracing::warn!("the files of the configuration cannot be read: one is a pipe, or slow");
            }
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
