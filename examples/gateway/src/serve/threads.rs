use std::{convert::Infallible, env, io, net, num::NonZero, thread};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::watch,
};
use tower::{BoxError, Service};

use super::serve;

/// Serves on this thread and on others, one for each core, until `stop` ends and what is under way is finished.
///
/// Each takes connections from the one listener whenever it has time, and has a service of its own: no request waits for
/// another thread. Unlike listeners of their own (`SO_REUSEPORT`) that keeps a busy thread from new connections.
pub(crate) async fn serve_on_threads<S, B>(
    listener: TcpListener,
    service: impl Fn() -> S,
    stop: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let listener = listener.into_std()?;
    tracing::info!(address = %listener.local_addr()?, "listening");

    let (stopping, stopped) = watch::channel(());
    let work = |listener: net::TcpListener| {
        let (service, mut stopped) = (service(), stopped.clone());
        async move {
            let stop = async move {
                // An error means the same: nobody is left who could say so.
                let _ = stopped.changed().await;
            };
            io::Result::Ok(serve(TcpListener::from_std(listener)?, service, stop).await)
        }
    };
    let mut others = Vec::new();
    for _ in 1..threads() {
        let (runtime, work) = (one_thread()?, work(listener.try_clone()?));
        others.push(thread::spawn(move || runtime.block_on(work)));
    }
    let stop = async {
        stop.await;
        tracing::info!("stopping: no new connections, finishing the requests under way");
        let _ = stopping.send(());
    };
    let ((), is_finished) = tokio::join!(stop, work(listener));
    let mut is_finished = is_finished?;
    for other in others {
        let ended = other.join();
        is_finished &= ended.map_err(|_| io::Error::other("a thread panicked"))??;
    }
    if is_finished {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped, with requests still under way");
    }
    Ok(())
}

/// A runtime without threads beside the one that it is used on.
pub(crate) fn one_thread() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// As many as Tokio would start.
fn threads() -> usize {
    let set = env::var("TOKIO_WORKER_THREADS");
    let set = set.ok().and_then(|count| count.parse().ok());
    set.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
}
