use std::{future::poll_fn, pin::pin, task::Poll};

use hyper_util::rt::TokioIo;
use tokio::time::{Duration, Instant};

use super::{
    Connection,
    io::Io,
    watch::{Verdict, Watch},
};
use crate::{
    app::Gateway,
    serve::{Phase, RequestBody},
};

/// What happens first.
enum Event {
    Ended(hyper::Result<()>),
    Phase(Phase),
    Look(Instant),
}

impl<S: Gateway<RequestBody>> Connection<S> {
    /// Serves all requests of the connection.
    pub(super) async fn http2(&mut self, io: Io) {
        let service = self.service();
        let (connections, activity) = (&self.context.connections, &self.peer.activity);
        let mut watch = Watch::new(connections, activity);
        let http2 = self
            .context
            .http2
            .serve_connection(TokioIo::new(io), service);
        let mut http2 = pin!(http2);
        let mut phase = Phase::Serving;
        let mut farewell = None;
        let mut written = 0;
        loop {
            let event = {
                let mut later = pin!(self.phases.after(phase));
                poll_fn(|cx| {
                    if let Poll::Ready(ended) = http2.as_mut().poll(cx) {
                        return Poll::Ready(Event::Ended(ended));
                    }
                    if let Poll::Ready(phase) = later.as_mut().poll(cx) {
                        return Poll::Ready(Event::Phase(phase));
                    }
                    watch.poll(cx).map(Event::Look)
                })
                .await
            };
            match event {
                Event::Ended(ended) => {
                    if let Err(error) = ended {
                        tracing::trace!(%error, "connection");
                    }
                    return;
                }
                Event::Phase(reached) => {
                    phase = reached;
                    match phase {
                        Phase::Serving | Phase::Leaving => {}
                        Phase::Draining => {
                            farewell = Some(Instant::now());
                            http2.as_mut().graceful_shutdown();
                        }
                        Phase::Ended => return,
                    }
                }
                Event::Look(now) => match watch.look(now, activity, connections) {
                    Verdict::GoOn => {}
                    Verdict::Stalled => {
                        tracing::debug!("a client has stopped reading: connection closed");
                        return;
                    }
                    // The last of a response may be on its way. An idle client that pings is given no time for that.
                    _ if phase == Phase::Draining && activity.written() != written => {
                        written = activity.written();
                        farewell = Some(now);
                    }
                    // A client that does not take leave is left.
                    _ if farewell.is_some_and(|since| now - since >= FAREWELL) => return,
                    Verdict::Idle => {}
                    Verdict::SlowHead | Verdict::IdleTooLong if farewell.is_none() => {
                        farewell = Some(now);
                        http2.as_mut().graceful_shutdown();
                    }
                    Verdict::SlowHead | Verdict::IdleTooLong => {}
                },
            }
        }
    }
}

const FAREWELL: Duration = Duration::from_secs(1);
