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
    watch::{Verdict, Watch},
};
use crate::{
    app::Gateway,
    serve::{Phase, RequestBody},
};

type Http1<S> = UpgradeableConnection<TokioIo<Io>, ConnectionService<S>>;

/// What happens first.
enum Event {
    Ended(hyper::Result<()>),
    Phase(Phase),
    /// It has nothing to do, as too many others.
    Crowded,
    Look(Instant),
}

impl<S: Gateway<RequestBody>> Connection<S> {
    /// Serves requests until there is none for a while; then it returns what is left of the connection.
    pub(super) async fn http1(&mut self, io: Io) -> Option<Io> {
        let context = Arc::clone(&self.context);
        let mut crowd = context.crowd.member();
        let mut watch = Watch::new(&self.context.connections, &self.peer.activity);
        watch.begin_head(Instant::now());
        // What comes after that is told of, and not only looked at.
        let mut phase = self.phases.current().min(Phase::Leaving);
        if phase == Phase::Leaving {
            self.peer.activity.leave();
        }
        let mut http1 = self.begin(io);
        let mut was_abandoned = false;
        loop {
            let event = {
                let mut later = std::pin::pin!(self.phases.after(phase));
                poll_fn(|cx| {
                    if let Poll::Ready(ended) = Pin::new(&mut http1).poll(cx) {
                        return Poll::Ready(Event::Ended(ended));
                    }
                    if crowd.is_too_many(self.peer.activity.is_done()) {
                        return Poll::Ready(Event::Crowded);
                    }
                    if let Poll::Ready(phase) = later.as_mut().poll(cx) {
                        return Poll::Ready(Event::Phase(phase));
                    }
                    watch.poll(cx).map(Event::Look)
                })
                .await
            };
            let activity = &self.peer.activity;
            let (now, verdict) = match event {
                Event::Ended(ended) => {
                    self.end(http1, ended).await;
                    return None;
                }
                Event::Phase(reached) => {
                    phase = reached;
                    match phase {
                        Phase::Serving | Phase::Draining => {}
                        Phase::Leaving => {
                            self.peer.activity.leave();
                            continue;
                        }
                        Phase::Ended => return None,
                    }
                    // Of a head that is not complete nobody knows yet. A response may be handed over, and not yet taken.
                    if !activity.is_responding() && !activity.is_write_blocked() {
                        close(http1).await;
                        return None;
                    }
                    Pin::new(&mut http1).graceful_shutdown();
                    continue;
                }
                Event::Crowded => (Instant::now(), Verdict::Idle),
                Event::Look(now) => {
                    let verdict = watch.look(now, activity, &self.context.connections);
                    (now, verdict)
                }
            };
            // Of a body that is dropped hyper throws the rest away when it is polled next, or ends the connection.
            let is_abandoned = verdict == Verdict::Idle && activity.is_abandoned();
            let is_drained = was_abandoned && is_abandoned;
            was_abandoned = is_abandoned;
            match verdict {
                Verdict::GoOn => {}
                // What is left of a request body would be taken for the head of the next request.
                Verdict::Idle if activity.is_reading() && !is_drained => {}
                Verdict::Idle => {
                    activity.set_reading(false);
                    let io = take(http1)?;
                    if io.ahead().is_empty() {
                        return Some(io);
                    }
                    watch.begin_head(now);
                    http1 = self.begin(io);
                }
                Verdict::IdleTooLong => {
                    close(http1).await;
                    return None;
                }
                Verdict::SlowHead => {
                    refuse(take(http1)?).await;
                    return None;
                }
                Verdict::Stalled => {
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
        // There is nothing left of a connection that speaks another protocol now.
        let Some(io) = take(http1) else {
            return;
        };
        if is_cut && self.phases.current() < Phase::Draining {
            io.linger().await;
        }
    }
}

/// What is left when hyper is done with a connection, or is to be.
fn take<S: Gateway<RequestBody>>(http1: Http1<S>) -> Option<Io> {
    let parts = http1.into_parts()?;
    let mut io = parts.io.into_inner();
    if !parts.read_buf.is_empty() {
        io.set_ahead(match io.ahead().is_empty() {
            true => parts.read_buf,
            false => [&parts.read_buf, io.ahead()].concat().into(),
        });
    }
    Some(io)
}

async fn close<S: Gateway<RequestBody>>(http1: Http1<S>) {
    if let Some(io) = take(http1) {
        io.close().await;
    }
}

/// Says that the head of a request has taken too long.
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
