use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{play, shared::Shared};
use crate::sync::lock;

/// Serves one connection until the client or a behavior ends it.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>, stopping: Arc<AtomicBool>) {
    // Each event of a stream is to leave at once. If that cannot be had, it is only slower.
    let _ = stream.set_nodelay(true);
    let wire = Arc::new(Wire::new(stopping));
    let io = TokioIo::new(WiredStream {
        stream,
        wire: Arc::clone(&wire),
    });
    let service = service_fn(|req| play::answer(Arc::clone(&shared), Arc::clone(&wire), req));
    let server = auto::Builder::new(TokioExecutor::new());
    let mut connection = pin!(server.serve_connection(io, service));
    poll_fn(|cx| {
        wire.register(cx);
        // How a connection ends, well or badly, is the client's to see.
        if !wire.is_over() && connection.as_mut().poll(cx).is_pending() && !wire.is_over() {
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// Lets a behavior end the connection that its request came by.
#[derive(Debug)]
pub(super) struct Wire {
    ending: Mutex<(Option<Ending>, Option<Waker>)>,
    stopping: Arc<AtomicBool>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// A TCP reset, once everything answered so far has been written.
    ResetAfterFlush,
    /// A TCP reset.
    Reset,
    /// The first bytes of a response head, then a regular end.
    CutHead,
}

impl Wire {
    fn new(stopping: Arc<AtomicBool>) -> Self {
        Self {
            ending: Mutex::default(),
            stopping,
        }
    }

    /// Ends the connection. The task that serves it does so when it is next polled, which may be
    /// after the caller's next await.
    pub(super) fn end(&self, ending: Ending) {
        let waker = {
            let mut slot = lock(&self.ending);
            // The first one stands: a body may be polled again after it asked for the end.
            slot.0.get_or_insert(ending);
            slot.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether it is the server that ended the connection, or is about to.
    pub(super) fn is_ended_by_server(&self) -> bool {
        self.ending().is_some() || self.stopping.load(Ordering::Relaxed)
    }

    fn ending(&self) -> Option<Ending> {
        lock(&self.ending).0
    }

    fn is_over(&self) -> bool {
        matches!(self.ending(), Some(Ending::Reset | Ending::CutHead))
    }

    fn register(&self, cx: &mut Context<'_>) {
        lock(&self.ending).1 = Some(cx.waker().clone());
    }

    fn flushed(&self) {
        let mut slot = lock(&self.ending);
        if slot.0 == Some(Ending::ResetAfterFlush) {
            slot.0 = Some(Ending::Reset);
        }
    }
}

/// A stream that ends in the way its [`Wire`] says.
struct WiredStream {
    stream: TcpStream,
    wire: Arc<Wire>,
}

impl AsyncRead for WiredStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for WiredStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes the socket when it has written all that it holds; the socket itself has
        // nothing to flush.
        self.wire.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for WiredStream {
    fn drop(&mut self) {
        // Where these fail, the client has gone already.
        match self.wire.ending() {
            Some(Ending::Reset | Ending::ResetAfterFlush) => {
                let _ = self.stream.set_zero_linger();
            }
            Some(Ending::CutHead) => {
                let _ = self.stream.try_write(b"HTTP/1.1 200 OK\r\ncontent-ty");
            }
            None => {}
        }
    }
}
