use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::sync::lock;

/// Lets a behavior end the connection of its request.
#[derive(Debug)]
pub(super) struct Wire {
    ending: Mutex<(Option<Ending>, Option<Waker>)>,
    stopping: Arc<AtomicBool>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// A TCP reset after everything answered so far has been written.
    ResetAfterFlush,
    /// A TCP reset.
    Reset,
    /// The first bytes of a response head, then a regular end.
    CutHead,
}

impl Wire {
    pub(super) fn new(stopping: Arc<AtomicBool>) -> Self {
        Self {
            ending: Mutex::default(),
            stopping,
        }
    }

    /// Ends the connection. The task that serves it does so when it is next polled, which may be after the caller's
    /// next await.
    pub(super) fn end(&self, ending: Ending) {
        let waker = {
            let mut slot = lock(&self.ending);
            // The first ending wins: a body may be polled again after it requested the end.
            slot.0.get_or_insert(ending);
            slot.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Returns true if the server ended the connection, or is about to.
    pub(super) fn is_ended_by_server(&self) -> bool {
        self.ending().is_some() || self.stopping.load(Ordering::Relaxed)
    }

    /// Returns true if the connection must end now.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.ending(), Some(Ending::Reset | Ending::CutHead))
    }

    /// Wakes this task when a behavior ends the connection.
    pub(super) fn register(&self, cx: &mut Context<'_>) {
        lock(&self.ending).1 = Some(cx.waker().clone());
    }

    fn ending(&self) -> Option<Ending> {
        lock(&self.ending).0
    }

    fn flushed(&self) {
        let mut slot = lock(&self.ending);
        if slot.0 == Some(Ending::ResetAfterFlush) {
            slot.0 = Some(Ending::Reset);
        }
    }
}

/// A stream that ends as its [`Wire`] says.
pub(super) struct WiredStream {
    stream: TcpStream,
    wire: Arc<Wire>,
}

impl WiredStream {
    pub(super) fn new(stream: TcpStream, wire: Arc<Wire>) -> Self {
        Self { stream, wire }
    }
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
        // hyper flushes the socket when it has written everything; the socket itself has nothing to flush.
        self.wire.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for WiredStream {
    fn drop(&mut self) {
        // A failure means that the client is gone.
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
