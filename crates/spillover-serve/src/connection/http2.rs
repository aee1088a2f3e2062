use std::{future::poll_fn, pin::pin, task::Poll};

use hyper_util::rt::TokioIo;
use tokio::time::{Duration, Instant};

use super::{
    Connection,
    io::Io,
    timer::{Action, ConnectionTimer, WaitingTask},
};
use crate::{HttpService, Phase, RequestBody};

/// The first event of a connection.
enum Event {
    Ended(hyper::Result<()>),
    Phase(Phase),
    Timer(Instant),
}

impl<S: HttpService<RequestBody>> Connection<S> {
    /// Serves all requests of the connection.
    pub(super) async fn http2(&mut self, io: Io) {
        let service = self.service();
        let (connections, activity) = (&self.context.connections, &self.peer.activity);
        let mut timer = ConnectionTimer::new(connections, activity);
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
                let phases = self.phases.clone();
                let mut later = pin!(self.phases.after(phase));
                let mut task = WaitingTask::default();
                poll_fn(|cx| {
                    let is_armed = task.is_armed(cx);
                    if let Poll::Ready(ended) = http2.as_mut().poll(cx) {
                        return Poll::Ready(Event::Ended(ended));
                    }
                    if (!is_armed || phases.has_changed())
                        && let Poll::Ready(phase) = later.as_mut().poll(cx)
                    {
                        return Poll::Ready(Event::Phase(phase));
                    }
                    timer.poll(cx, is_armed).map(Event::Timer)
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
                Event::Timer(now) => match timer.check(now, activity, connections) {
                    Action::GoOn => {}
                    Action::Stalled => {
                        tracing::debug!("a client has stopped reading: connection closed");
                        return;
                    }
                    // Waits while the last bytes of a response are written.
                    _ if phase == Phase::Draining && activity.written() != written => {
                        written = activity.written();
                        farewell = Some(now);
                    }
                    // Ends the connection if the client does not close it after GOAWAY.
                    _ if farewell.is_some_and(|since| now - since >= FAREWELL) => return,
                    Action::Idle => {}
                    Action::SlowHead | Action::IdleTooLong if farewell.is_none() => {
                        farewell = Some(now);
                        http2.as_mut().graceful_shutdown();
                    }
                    Action::SlowHead | Action::IdleTooLong => {}
                },
            }
        }
    }
}

/// Time that a client has to close the connection after GOAWAY.
const FAREWELL: Duration = Duration::from_secs(1);
