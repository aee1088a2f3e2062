use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll};

use hyper::server::conn::http1::UpgradeableConnection;
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncWriteExt,
    time::{Duration, Instant, timeout},
};

use super::{
    Connection, ConnectionService,
    io::Io,
    timer::{Action, ConnectionTimer, WaitingTask},
};
use crate::{HttpService, Phase, RequestBody};

type Http1<S> = UpgradeableConnection<TokioIo<Io>, ConnectionService<S>>;

/// The first event of a connection.
enum Event {
    Ended(hyper::Result<()>),
    Phase(Phase),
    /// The connection is idle, and so are too many others.
    OverIdleLimit,
    Timer(Instant),
}

impl<S: HttpService<RequestBody>> Connection<S> {
    /// Serves requests until the connection is idle, and returns the stream then. Returns `None` when the connection has ended.
    pub(super) async fn http1(&mut self, io: Io) -> Option<Io> {
        let context = Arc::clone(&self.context);
        let mut idle_limit = context.idle_limit.slot();
        let mut timer = ConnectionTimer::new(&self.context.connections, &self.peer.activity);
        timer.begin_head(Instant::now());
        // Later phases are events.
        let mut phase = self.phases.current().min(Phase::Leaving);
        if phase == Phase::Leaving {
            self.peer.activity.leave();
        }
        let mut http1 = self.begin(io);
        let mut was_abandoned = false;
        loop {
            let event = {
                let phases = self.phases.clone();
                let mut later = std::pin::pin!(self.phases.after(phase));
                let mut reached = None;
                let mut task = WaitingTask::default();
                poll_fn(|cx| {
                    let is_armed = task.is_armed(cx);
                    // Comes before the requests: the response to one that arrives with the phase has `connection: close`.
                    if reached.is_none()
                        && (!is_armed || phases.has_changed())
                        && let Poll::Ready(phase) = later.as_mut().poll(cx)
                    {
                        self.peer.activity.leave();
                        reached = Some(phase);
                    }
                    if let Poll::Ready(ended) = Pin::new(&mut http1).poll(cx) {
                        return Poll::Ready(Event::Ended(ended));
                    }
                    if idle_limit.is_too_many(self.peer.activity.is_done()) {
                        return Poll::Ready(Event::OverIdleLimit);
                    }
                    if let Some(phase) = reached {
                        return Poll::Ready(Event::Phase(phase));
                    }
                    timer.poll(cx, is_armed).map(Event::Timer)
                })
                .await
            };
            let activity = &self.peer.activity;
            let (now, action) = match event {
                Event::Ended(ended) => {
                    self.end(http1, ended).await;
                    return None;
                }
                Event::Phase(reached) => {
                    phase = reached;
                    match phase {
                        Phase::Serving | Phase::Draining => {}
                        Phase::Leaving => continue,
                        Phase::Ended => return None,
                    }
                    // An incomplete request head does not count as a request in flight. A response may still be in the socket.
                    if !activity.is_responding() && !activity.is_write_blocked() {
                        close(http1).await;
                        return None;
                    }
                    Pin::new(&mut http1).graceful_shutdown();
                    continue;
                }
                Event::OverIdleLimit => (Instant::now(), Action::Idle),
                Event::Timer(now) => {
                    let action = timer.check(now, activity, &self.context.connections);
                    (now, action)
                }
            };
            // hyper discards the rest of a dropped body at its next poll, or ends the connection.
            let is_abandoned = action == Action::Idle && activity.is_abandoned();
            let is_drained = was_abandoned && is_abandoned;
            was_abandoned = is_abandoned;
            match action {
                Action::GoOn => {}
                // The rest of a request body would be read as the head of the next request.
                Action::Idle if activity.is_reading() && !is_drained => {}
                Action::Idle => {
                    activity.set_reading(false);
                    let io = take(http1)?;
                    if io.prefix().is_empty() {
                        return Some(io);
                    }
                    timer.begin_head(now);
                    http1 = self.begin(io);
                }
                Action::IdleTooLong => {
                    close(http1).await;
                    return None;
                }
                Action::SlowHead => {
                    refuse(take(http1)?).await;
                    return None;
                }
                Action::Stalled => {
                    tracing::debug!("a client has stopped reading: connection closed");
                    take(http1)?.give_up();
                    return None;
                }
            }
        }
    }

    fn begin(&self, io: Io) -> Http1<S> {
        let http1 = &self.context.http1;
        let connection = http1.serve_connection(TokioIo::new(io), self.service());
        connection.with_upgrades()
    }

    async fn end(&self, http1: Http1<S>, ended: hyper::Result<()>) {
        let is_cut = ended.is_err() || self.peer.activity.is_reading();
        if let Err(error) = ended {
            tracing::trace!(%error, "connection");
        }
        // An upgraded connection has no parts.
        let Some(io) = take(http1) else {
            return;
        };
        if is_cut && self.phases.current() < Phase::Draining {
            io.linger().await;
        }
    }
}

/// Takes the stream out of hyper, with the bytes that hyper has read but not used.
fn take<S: HttpService<RequestBody>>(http1: Http1<S>) -> Option<Io> {
    let parts = http1.into_parts()?;
    let mut io = parts.io.into_inner();
    if !parts.read_buf.is_empty() {
        io.set_prefix(match io.prefix().is_empty() {
            true => parts.read_buf,
            false => [&parts.read_buf, io.prefix()].concat().into(),
        });
    }
    Some(io)
}

async fn close<S: HttpService<RequestBody>>(http1: Http1<S>) {
    if let Some(io) = take(http1) {
        io.close().await;
    }
}

/// Answers a slow request head with 408.
async fn refuse(mut io: Io) {
    let said = async {
        io.write_all(REQUEST_TIMEOUT).await?;
        io.flush().await
    };
    if let Ok(Ok(())) = timeout(REFUSE, said).await {
        io.linger().await;
    }
}

const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const REFUSE: Duration = Duration::from_secs(1);
