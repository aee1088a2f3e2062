//! Accepts connections until told to stop, and finishes what is under way.

use std::{io, time::Duration};

use axum::{Router, serve::ListenerExt};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::sleep,
};

/// Serves until `stop` ends, then for as long as requests are under way, and not longer than [`DRAIN_TIMEOUT`].
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "listening");
    // Chunks of a stream go out one by one: none waits for the acknowledgement of the last.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });

    let (stopping, stopped) = oneshot::channel();
    let stop = async move {
        stop.await;
        tracing::info!("stopping: no new connections, finishing the requests under way");
        let _ = stopping.send(());
    };
    let too_late = async move {
        // Without a stop the sender goes away with the server, which then ends by itself.
        match stopped.await {
            Ok(()) => sleep(DRAIN_TIMEOUT).await,
            Err(_) => std::future::pending().await,
        }
    };
    let server = axum::serve(listener, app).with_graceful_shutdown(stop);
    tokio::select! {
        result = server => {
            result?;
            tracing::info!("stopped");
        }
        () = too_late => tracing::warn!("stopped, with requests still under way"),
    }
    Ok(())
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
