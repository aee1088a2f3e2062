//! In-memory connections with an HTTP server behind each. Time can be paused because no socket takes part.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Uri};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tower::Service;

use super::Backends;

/// Connects to backends that play a script.
#[derive(Clone, Debug)]
pub(super) struct WireConnector {
    backends: Backends,
}

impl WireConnector {
    pub(super) fn new(backends: &Backends) -> Self {
        Self {
            backends: backends.clone(),
        }
    }
}

impl Service<Uri> for WireConnector {
    type Response = TokioIo<Wire>;
    type Error = Infallible;
    type Future = Ready<Result<TokioIo<Wire>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let (client, server) = duplex(BUFFER);
        tokio::spawn(serve(server, destination, self.backends.clone()));
        ready(Ok(TokioIo::new(Wire(client))))
    }
}

/// Serves HTTP/1.1 or HTTP/2, as the client chooses.
async fn serve(wire: DuplexStream, destination: Uri, backends: Backends) {
    let service = service_fn(|mut request: Request<Incoming>| {
        let target = absolute(request.uri(), &destination);
        assert_eq!(target.authority(), destination.authority());
        *request.uri_mut() = target;
        backends.serve(request)
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http2().max_concurrent_streams(None);
    tokio::select! {
        // A request that fails by its script, or is dropped, ends its connection; that is not an error of the test.
        _ = server.serve_connection(TokioIo::new(wire), service) => {}
        () = backends.hung_up() => {}
    }
}

/// Returns the absolute target of a request. HTTP/1.1 sends the path alone, so the rest is taken from the connection.
fn absolute(target: &Uri, destination: &Uri) -> Uri {
    if target.authority().is_some() {
        return target.clone();
    }
    let mut parts = destination.clone().into_parts();
    parts.path_and_query = target.path_and_query().cloned();
    Uri::from_parts(parts).expect("both are valid")
}

/// The client's end of a connection.
#[derive(Debug)]
pub(super) struct Wire(DuplexStream);

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The size of a common socket buffer.
const BUFFER: usize = 64 * 1024;
