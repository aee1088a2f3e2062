use std::{
    future::poll_fn,
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Duration, timeout},
};
use tokio_rustls::server::TlsStream;

use super::socket::Socket;

/// A connection in clear text or by TLS, and what was read of it ahead.
#[derive(Debug)]
pub(super) struct Io {
    transport: Transport,
    ahead: Bytes,
}

#[derive(Debug)]
enum Transport {
    Tcp(Socket),
    // Large, and most often there are many of the other.
    Tls(Box<TlsStream<Socket>>),
}

impl Io {
    pub(super) fn tcp(socket: Socket) -> Self {
        Self {
            transport: Transport::Tcp(socket),
            ahead: Bytes::new(),
        }
    }

    pub(super) fn tls(stream: TlsStream<Socket>) -> Self {
        Self {
            transport: Transport::Tls(Box::new(stream)),
            ahead: Bytes::new(),
        }
    }

    /// What was read ahead. The next read returns it.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Has the next read return this, which was read before.
    pub(super) fn set_ahead(&mut self, bytes: Bytes) {
        debug_assert!(self.ahead.is_empty());
        self.ahead = bytes;
    }

    /// Waits for more, and keeps it for the next read. Returns whether there is some.
    pub(super) async fn read_ahead(&mut self) -> io::Result<bool> {
        poll_fn(|cx| {
            // On the stack: a connection that waits has no buffer.
            let mut buffer = [MaybeUninit::uninit(); READ_AHEAD];
            let mut buffer = ReadBuf::uninit(&mut buffer);
            ready!(self.transport.poll_read(cx, &mut buffer))?;
            let new = buffer.filled();
            let is_more = !new.is_empty();
            self.ahead = match self.ahead.is_empty() {
                true => Bytes::copy_from_slice(new),
                false => [&self.ahead, new].concat().into(),
            };
            Poll::Ready(Ok(is_more))
        })
        .await
    }

    /// Says that nothing more comes.
    pub(super) async fn close(mut self) {
        // Over TLS that is a message, and has to be taken.
        let _ = timeout(CLOSE, self.shutdown()).await;
    }

    /// Says that nothing more comes, and reads on for a while: closed with bytes unread, the connection would be reset, and
    /// the client might lose what it was told last (RFC 9112 section 9.6).
    pub(super) async fn linger(mut self) {
        let last = async {
            self.shutdown().await?;
            let mut unread = [0; 1024];
            while self.read(&mut unread).await? > 0 {}
            io::Result::Ok(())
        };
        let _ = timeout(LINGER, last).await;
    }

    /// Throws away what the client has not taken.
    pub(super) fn give_up(self) {
        match &self.transport {
            Transport::Tcp(socket) => socket.give_up(),
            Transport::Tls(stream) => stream.get_ref().0.give_up(),
        }
    }
}

impl Transport {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return self.transport.poll_read(cx, buf);
        }
        let len = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..len]);
        self.ahead.advance(len);
        if self.ahead.is_empty() {
            // It has memory even so.
            self.ahead = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Tcp(socket) => Pin::new(socket).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Tcp(socket) => socket.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Most heads, and many whole requests, are smaller.
const READ_AHEAD: usize = 4 * 1024;

const CLOSE: Duration = Duration::from_secs(1);
const LINGER: Duration = Duration::from_secs(2);
