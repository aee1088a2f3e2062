use std::{thread::Builder, time::Duration};

use tokio::{runtime::Handle, sync::oneshot, time::sleep};

/// What this comes to on a thread that serves nobody: files may be slow. `None` when there is no such thread, or it panicked.
///
/// Not on one of the runtime, which waits for its threads when the gateway ends: to read a pipe can take forever.
pub(super) async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (tell, mut told) = oneshot::channel();
    let runtime = Handle::current();
    let work = move || {
        let _inside = runtime.enter();
        // Nobody asks any more when the gateway ends.
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
