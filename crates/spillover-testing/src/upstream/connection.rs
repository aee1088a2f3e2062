use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, atomic::AtomicBool},
    task::Poll,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::net::TcpStream;

use super::{
    play,
    shared::Shared,
    wire::{Wire, WiredStream},
};

/// Serves one connection until the client or a behavior ends it.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>, stopping: Arc<AtomicBool>) {
    // Sends each event of a stream at once. A failure only makes it slower.
    let _ = stream.set_nodelay(true);
    let wire = Arc::new(Wire::new(stopping));
    let io = TokioIo::new(WiredStream::new(stream, Arc::clone(&wire)));
    let service = service_fn(|req| play::answer(Arc::clone(&shared), Arc::clone(&wire), req));
    let server = auto::Builder::new(TokioExecutor::new());
    let mut connection = pin!(server.serve_connection(io, service));
    poll_fn(|cx| {
        wire.register(cx);
        // A connection's result is for the client to check.
        if !wire.is_over() && connection.as_mut().poll(cx).is_pending() && !wire.is_over() {
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}
