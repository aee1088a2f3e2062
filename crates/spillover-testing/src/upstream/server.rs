use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};

use super::{connection, handle::UpstreamHandle, shared::Shared};

/// A mock LLM service. See the [module documentation](super).
///
/// Serves until it is shut down or dropped.
#[derive(Debug)]
pub struct MockUpstream {
    addr: SocketAddr,
    handle: UpstreamHandle,
    running: Option<Running>,
}

impl MockUpstream {
    pub(super) async fn start(addr: SocketAddr, shared: Arc<Shared>) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        Ok(Self {
            addr: listener.local_addr()?,
            running: Some(Running::start(listener, Arc::clone(&shared))),
            handle: UpstreamHandle::new(shared),
        })
    }

    /// Closes the port and all connections. New connections are refused.
    ///
    /// Requests that this interrupts are not counted as cancelled.
    pub async fn shutdown(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// Serves again on the same port, with the same handle, behaviors, counters and limits. A running mock is shut down
    /// first.
    ///
    /// # Errors
    ///
    /// Fails if another process has taken the port.
    pub async fn restart(&mut self) -> io::Result<()> {
        self.shutdown().await;
        let listener = TcpListener::bind(self.addr).await?;
        self.running = Some(Running::start(listener, Arc::clone(self.handle.shared())));
        Ok(())
    }

    /// Returns the address of the listener, even after a shutdown.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Returns the handle, which can be cloned.
    pub fn handle(&self) -> &UpstreamHandle {
        &self.handle
    }
}

/// The accept loop. It ends when `stop` is dropped.
#[derive(Debug)]
struct Running {
    stopping: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    accepting: Option<JoinHandle<()>>,
}

impl Running {
    fn start(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = oneshot::channel();
        let accepting = tokio::spawn(accept(listener, shared, Arc::clone(&stopping), stopped));
        Self {
            stopping,
            stop: Some(stop),
            accepting: Some(accepting),
        }
    }

    async fn stop(mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.stop = None;
        if let Some(accepting) = self.accepting.take() {
            // Fails only when the runtime ends.
            let _ = accepting.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    stopping: Arc<AtomicBool>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    shared.count(|stats| stats.connections += 1);
                    let (shared, stopping) = (Arc::clone(&shared), Arc::clone(&stopping));
                    connections.spawn(connection::serve(stream, shared, stopping));
                }
                // For example, no file descriptors are left: retrying at once would spin.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
            _ = &mut stopped => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
}
