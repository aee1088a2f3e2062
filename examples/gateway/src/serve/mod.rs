//! Accepts connections until told to stop, and finishes what is under way.

mod connection;
mod threads;

use std::{convert::Infallible, io, pin::pin, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};
use tower::{BoxError, Service};

use self::connection::ConnectionService;
pub(crate) use self::threads::{one_thread, serve_on_threads};

/// Serves until `stop` ends, then for as long as requests are under way, and not longer than [`DRAIN_TIMEOUT`]. Returns
/// whether all of them came to their end.
pub(crate) async fn serve<S, B>(
    listener: TcpListener,
    app: S,
    stop: impl Future<Output = ()>,
) -> bool
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let connection = tokio::select! {
            connection = accept(&listener) => connection,
            () = &mut stop => break,
        };
        let watcher = connections.watcher();
        let service = ConnectionService::new(app.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            let served = server.serve_connection(TokioIo::new(connection), service);
            if let Err(error) = watcher.watch(served).await {
                tracing::trace!(error, "connection");
            }
        });
    }
    drop(listener);
    timeout(DRAIN_TIMEOUT, connections.shutdown()).await.is_ok()
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                // Chunks of a stream go out one by one: none waits for the acknowledgement of the last.
                if let Err(error) = connection.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY");
                }
                return connection;
            }
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                // Too many open files, say: connections end, and there will be some again.
                tracing::error!(%error, "no connection accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether it says something about one connection only: the client is gone.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// Ends at SIGTERM, which orchestrators send, or SIGINT, which is Ctrl-C.
pub(crate) async fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Shorter than the 30 s after which Kubernetes and Docker Compose setups commonly kill.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
