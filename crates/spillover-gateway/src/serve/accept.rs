//! Takes connections from several listeners.

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

use crate::{
    client::{TCP_KEEPALIVE, TCP_KEEPALIVE_INTERVAL},
    tls,
};

/// A listener, as one thread has it.
#[derive(Debug)]
pub(super) struct Entrance {
    listener: TcpListener,
    pub(super) tls: Option<Arc<tls::Acceptor>>,
}

impl Entrance {
    pub(super) fn new(listener: TcpListener, tls: Option<Arc<tls::Acceptor>>) -> Self {
        Self { listener, tls }
    }
}

/// Who has come in.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<tls::Acceptor>>,
}

/// The listeners of a thread.
#[derive(Debug)]
pub(super) struct Entrances {
    all: Vec<Entrance>,
    next: usize,
}

impl Entrances {
    pub(super) fn new(all: Vec<Entrance>) -> Self {
        Self { all, next: 0 }
    }

    /// Waits for a connection.
    pub(super) async fn accept(&mut self) -> Arrival {
        loop {
            match poll_fn(|cx| self.poll_accept(cx)).await {
                Ok(arrival) => {
                    // Chunks of a stream go out one by one: none waits for the acknowledgement of the last.
                    if let Err(error) = arrival.stream.set_nodelay(true) {
                        tracing::debug!(%error, "TCP_NODELAY");
                    }
                    let keepalive = TcpKeepalive::new()
                        .with_time(TCP_KEEPALIVE)
                        .with_interval(TCP_KEEPALIVE_INTERVAL);
                    if let Err(error) = SockRef::from(&arrival.stream).set_tcp_keepalive(&keepalive)
                    {
                        tracing::debug!(%error, "SO_KEEPALIVE");
                    }
                    return arrival;
                }
                Err(error) if is_of_connection(&error) => {}
                Err(error) => {
                    // Too many open files, say: connections end, and there will be some again.
                    tracing::error!(%error, "no connection accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Each begins at the one after the last that had somebody: a crowd at one keeps nobody from the others.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Arrival>> {
        let count = self.all.len();
        for at in 0..count {
            let index = (self.next + at) % count;
            let Entrance { listener, tls } = &self.all[index];
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                self.next = index + 1;
                let arrival = accepted.map(|(stream, address)| Arrival {
                    stream,
                    address,
                    tls: tls.clone(),
                });
                return Poll::Ready(arrival);
            }
        }
        Poll::Pending
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

const PAUSE: Duration = Duration::from_secs(1);
