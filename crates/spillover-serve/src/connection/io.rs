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

/// A stream in clear text or TLS, with bytes to read again first (rewind).
#[derive(Debug)]
pub(super) struct Io {
    transport: Transport,
    prefix: Bytes,
}

#[derive(Debug)]
enum Transport {
    Tcp(Socket),
    // Boxed because it is large, and clear text is more common.
    Tls(Box<TlsStream<Socket>>),
}

impl Io {
    pub(super) fn tcp(socket: Socket) -> Self {
        Self {
            transport: Transport::Tcp(socket),
            prefix: Bytes::new(),
        }
    }

    pub(super) fn tls(stream: TlsStream<Socket>) -> Self {
        Self {
            transport: Transport::Tls(Box::new(stream)),
            prefix: Bytes::new(),
        }
    }

    /// Returns the bytes that the next read returns first.
    pub(super) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Sets the bytes that the next read returns first.
    pub(super) fn set_prefix(&mut self, bytes: Bytes) {
        debug_assert!(self.prefix.is_empty());
        self.prefix = bytes;
    }

    /// Waits for more bytes, and appends them to the prefix. Returns false at the end of the stream.
    pub(super) async fn fill_prefix(&mut self) -> io::Result<bool> {
        poll_fn(|cx| {
            // On the stack, so that a waiting connection has no buffer.
            let mut buffer = [MaybeUninit::uninit(); PREFIX_BYTES];
            let mut buffer = ReadBuf::uninit(&mut buffer);
            ready!(self.transport.poll_read(cx, &mut buffer))?;
            let new = buffer.filled();
            let is_more = !new.is_empty();
            self.prefix = match self.prefix.is_empty() {
                true => Bytes::copy_from_slice(new),
                false => [&self.prefix, new].concat().into(),
            };
            Poll::Ready(Ok(is_more))
        })
        .await
    }

    /// Closes the write side.
    pub(super) async fn close(mut self) {
        // Over TLS this writes an alert, which may block.
        let _ = timeout(CLOSE, self.shutdown()).await;
    }

    /// Closes the write side, and reads on for a while. Closing with unread bytes resets the connection, and the client could
    /// lose the last response (RFC 9112 section 9.6).
    pub(super) async fn linger(mut self) {
        let last = async {
            self.shutdown().await?;
            let mut unread = [0; 1024];
            while self.read(&mut unread).await? > 0 {}
            io::Result::Ok(())
        };
        let _ = timeout(LINGER, last).await;
    }

    /// Discards the bytes that the client has not read.
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
        if self.prefix.is_empty() {
            return self.transport.poll_read(cx, buf);
        }
        let len = self.prefix.len().min(buf.remaining());
        buf.put_slice(&self.prefix[..len]);
        self.prefix.advance(len);
        if self.prefix.is_empty() {
            // Frees the memory of the empty buffer.
            self.prefix = Bytes::new();
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

/// Size of a read into the prefix, in bytes. Most request heads are smaller.
const PREFIX_BYTES: usize = 4 * 1024;

const CLOSE: Duration = Duration::from_secs(1);
const LINGER: Duration = Duration::from_secs(2);
