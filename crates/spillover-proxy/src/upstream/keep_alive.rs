use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_spillover::connection::StaleConnection;

/// A connection that reports the keep-alive race (RFC 9112 section 9.3.1) as a [`StaleConnection`] error.
///
/// The race has happened when the connection served a request before, and ends after another request was written and
/// before the first byte of its response.
#[derive(Debug)]
pub struct KeepAlive<T> {
    inner: T,
    is_kept: bool,
    is_http2: bool,
    /// True when bytes were read since the connection was opened.
    has_answered: bool,
    /// True when bytes were written since the last read.
    is_awaiting: bool,
}

impl<T> KeepAlive<T> {
    /// Wraps a connection. Without `is_kept` no end counts as a race, e.g. on connections that are upgraded. With
    /// `is_http2` the connection speaks HTTP/2 whatever ALPN has selected.
    pub(super) fn new(inner: T, is_kept: bool, is_http2: bool) -> Self {
        Self {
            inner,
            is_kept,
            is_http2,
            has_answered: false,
            is_awaiting: false,
        }
    }

    fn is_stale(&self) -> bool {
        self.is_kept && self.has_answered && self.is_awaiting
    }

    fn written<R>(&mut self, result: io::Result<R>) -> Poll<io::Result<R>> {
        self.is_awaiting = true;
        Poll::Ready(result.map_err(|error| self.ended(error)))
    }

    fn ended(&self, error: io::Error) -> io::Error {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match error.kind() {
            // UnexpectedEof: the server closed TLS without a close_notify alert.
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof if self.is_stale() => {
                StaleConnection::new().into()
            }
            _ => error,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for KeepAlive<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, is_full) = (buf.filled().len(), buf.remaining() == 0);
        if let Err(error) = ready!(Pin::new(&mut self.inner).poll_read(cx, buf)) {
            return Poll::Ready(Err(self.ended(error)));
        }
        if buf.filled().len() > before {
            self.has_answered = true;
            self.is_awaiting = false;
        } else if !is_full && self.is_stale() {
            return Poll::Ready(Err(StaleConnection::new().into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for KeepAlive<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.inner).poll_write(cx, buf));
        self.written(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        if len > SMALL {
            let result = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs));
            return self.written(result);
        }
        let mut joined = [MaybeUninit::uninit(); SMALL];
        let mut joined = ReadBuf::uninit(&mut joined);
        bufs.iter().for_each(|buf| joined.put_slice(buf));
        self.poll_write(cx, joined.filled())
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.inner).poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| self.ended(error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Size of a request, head and body, that is joined on the stack before it is written, in bytes. The kernel takes less time
/// for one buffer than for a list of them.
const SMALL: usize = 4 * 1024;

impl<T: Connection> Connection for KeepAlive<T> {
    /// Leaves the socket addresses out: hyper-util would insert them into the extensions of each response.
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if self.is_http2 || self.inner.connected().is_negotiated_h2() {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_test::io::{Builder, Mock};

    use super::*;

    fn scripted(write: impl FnOnce(&mut Builder) -> &mut Builder) -> Mock {
        let mut script = Builder::new();
        write(&mut script);
        script.build()
    }

    fn scripted_connection(write: impl FnOnce(&mut Builder) -> &mut Builder) -> KeepAlive<Mock> {
        KeepAlive::new(scripted(write), true, false)
    }

    async fn ask(connection: &mut KeepAlive<Mock>) -> io::Result<usize> {
        connection.write_all(b"?").await?;
        connection.read(&mut [0; 8]).await
    }

    fn is_stale<T>(result: &io::Result<T>) -> bool {
        let error = result.as_ref().err().and_then(io::Error::get_ref);
        error.is_some_and(|error| error.is::<StaleConnection>())
    }

    fn reset() -> io::Error {
        io::ErrorKind::ConnectionReset.into()
    }

    #[tokio::test]
    async fn end_of_a_used_connection_before_any_byte_is_stale() {
        let mut connection =
            scripted_connection(|script| script.write(b"?").read(b"!").write(b"?"));
        assert_eq!(ask(&mut connection).await.unwrap(), 1);
        assert!(is_stale(&ask(&mut connection).await));
    }

    #[tokio::test]
    async fn reset_of_a_used_connection_before_any_byte_is_stale() {
        for is_read in [true, false] {
            let mut connection = scripted_connection(|script| {
                script.write(b"?").read(b"!");
                if is_read {
                    script.write(b"?").read_error(reset())
                } else {
                    script.write_error(reset())
                }
            });
            assert_eq!(ask(&mut connection).await.unwrap(), 1);
            assert!(is_stale(&ask(&mut connection).await), "{is_read}");
        }
    }

    #[tokio::test]
    async fn end_of_a_new_connection_is_an_end() {
        let mut connection = scripted_connection(|script| script.write(b"?"));
        assert_eq!(ask(&mut connection).await.unwrap(), 0);
        let mut connection = scripted_connection(|script| script.write(b"?").read_error(reset()));
        let error = ask(&mut connection).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn end_after_a_byte_of_the_answer_is_an_end() {
        let mut connection =
            scripted_connection(|script| script.write(b"?").read(b"!").write(b"?").read(b"!"));
        assert_eq!(ask(&mut connection).await.unwrap(), 1);
        assert_eq!(ask(&mut connection).await.unwrap(), 1);
        assert_eq!(connection.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn end_of_an_idle_connection_is_an_end() {
        let mut connection = scripted_connection(|script| script.write(b"?").read(b"!"));
        assert_eq!(ask(&mut connection).await.unwrap(), 1);
        assert_eq!(connection.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn error_of_another_kind_is_passed_on() {
        let error = io::ErrorKind::TimedOut;
        let mut connection = scripted_connection(|script| {
            script
                .write(b"?")
                .read(b"!")
                .write(b"?")
                .read_error(error.into())
        });
        assert_eq!(ask(&mut connection).await.unwrap(), 1);
        assert_eq!(ask(&mut connection).await.unwrap_err().kind(), error);
    }

    #[tokio::test]
    async fn connection_for_one_request_is_never_stale() {
        let script = scripted(|script| script.write(b"?").read(b"!").write(b"?"));
        let mut connection = KeepAlive::new(script, false, false);
        assert_eq!(ask(&mut connection).await.unwrap(), 1);
        assert_eq!(ask(&mut connection).await.unwrap(), 0);
    }
}
