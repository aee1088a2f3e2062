//! Accepts connections from several listeners.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Duration, sleep},
};

use crate::tls;

/// The handle of a listener on one thread.
#[derive(Debug)]
pub(super) struct TcpAcceptor {
    listener: TcpListener,
    pub(super) tls: Option<Arc<tls::Acceptor>>,
}

impl TcpAcceptor {
    pub(super) fn new(listener: TcpListener, tls: Option<Arc<tls::Acceptor>>) -> Self {
        Self { listener, tls }
    }
}

/// An accepted connection.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<tls::Acceptor>>,
}

/// The listeners of a thread.
#[derive(Debug)]
pub(super) struct Listeners {
    all: Vec<TcpAcceptor>,
    next: usize,
}

impl Listeners {
    pub(super) fn new(all: Vec<TcpAcceptor>) -> Self {
        Self { all, next: 0 }
    }

    /// Waits for a connection.
    pub(super) async fn accept(&mut self) -> Accepted {
        loop {
            match poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(accepted) => {
                    // Without a delay for Nagle's algorithm, each chunk of a stream goes out at once.
                    if let Err(error) = accepted.stream.set_nodelay(true) {
                        tracing::debug!(%error, "TCP_NODELAY");
                    }
                    let keepalive = TcpKeepalive::new()
                        .with_time(TCP_KEEPALIVE)
                        .with_interval(TCP_KEEPALIVE_INTERVAL);
                    if let Err(error) =
                        SockRef::from(&accepted.stream).set_tcp_keepalive(&keepalive)
                    {
                        tracing::debug!(%error, "SO_KEEPALIVE");
                    }
                    return accepted;
                }
                Err(error) if is_of_connection(&error) => {}
                Err(error) => {
                    // For example, too many open files. Pauses until other connections have ended.
                    tracing::error!(%error, "no connection accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Polls the listeners in turn, beginning after the last one that had a connection, so that a busy one does not starve
    /// the others.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let count = self.all.len();
        for at in 0..count {
            let index = (self.next + at) % count;
            let TcpAcceptor { listener, tls } = &self.all[index];
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                self.next = index + 1;
                let accepted = accepted.map(|(stream, address)| Accepted {
                    stream,
                    address,
                    tls: tls.clone(),
                });
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

/// Returns true for errors of a single connection, whose client has gone.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// Time after which TCP keep-alive probes a silent client.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Time between two keep-alive probes. Linux sends nine before it closes the connection.
const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

const PAUSE: Duration = Duration::from_secs(1);
