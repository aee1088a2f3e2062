//! One connection, from its handshake to its end.
//!
//! hyper's machinery for a connection takes some 20 KiB. One that has nothing to do is taken out of it: all that is left is
//! a task that waits for the first bytes of the next request.

mod activity;
mod context;
mod crowd;
mod fingerprint;
mod http1;
mod http2;
mod io;
mod service;
mod socket;
mod watch;

use std::sync::Arc;

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tower::BoxError;

pub use self::fingerprint::ClientFingerprint;
pub(super) use self::{
    activity::{Activity, InFlight},
    context::Context,
};
use self::{
    io::Io,
    service::{ConnectionService, Peer},
    socket::Socket,
};
use super::{Phase, Phases, RequestBody, Tunnels, accept::Arrival};
use crate::{app::Gateway, tls};

/// A connection that is served.
#[derive(Debug)]
pub(super) struct Connection<S> {
    context: Arc<Context<S>>,
    phases: Phases,
    peer: Peer,
}

impl<S: Gateway<RequestBody>> Connection<S> {
    /// It has this place until it ends.
    pub(super) fn new(
        context: Arc<Context<S>>,
        place: OwnedSemaphorePermit,
        phases: Phases,
    ) -> Self {
        let peer = Peer {
            activity: Arc::default(),
            body_timeout: context.connections.body_timeout,
            tunnels: Tunnels::new(context.tasks.clone(), Arc::new(place)),
            fingerprint: None,
        };
        Self {
            context,
            phases,
            peer,
        }
    }

    pub(super) async fn serve(mut self, arrival: Arrival) {
        let Arrival {
            stream,
            address,
            tls,
        } = arrival;
        let socket = Socket::new(stream, Arc::clone(&self.peer.activity));
        let mut io = match tls {
            None => Io::tcp(socket),
            Some(tls) => match Box::pin(self.handshake(socket, &tls)).await {
                Ok(io) => io,
                Err(error) => {
                    // Not louder: whoever scans the port would fill the log.
                    tracing::debug!(%address, error, "TLS handshake");
                    return;
                }
            },
        };
        if self.peer.activity.is_http2() {
            return Box::pin(self.http2(io)).await;
        }
        let mut is_first = true;
        loop {
            if !self.wait(&mut io).await {
                return io.close().await;
            }
            if is_first && io.ahead().starts_with(&PREFACE[..1]) {
                match self.is_preface(&mut io).await {
                    Some(true) => return Box::pin(self.http2(io)).await,
                    Some(false) => {}
                    None => return io.close().await,
                }
            }
            is_first = false;
            match Box::pin(self.http1(io)).await {
                Some(idle) => io = idle,
                None => return,
            }
        }
    }

    /// The protocol that was agreed on is noted.
    async fn handshake(&mut self, socket: Socket, tls: &tls::Acceptor) -> Result<Io, BoxError> {
        let handshake = TlsAcceptor::from(tls.config()).accept(socket);
        let limit = timeout(self.context.connections.head_timeout, handshake);
        let handshake = tokio::select! {
            done = limit => done,
            () = self.phases.reached(Phase::Draining) => return Err("the gateway stops".into()),
        };
        let stream = handshake.map_err(|_| "it took too long")??;
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() == Some(b"h2") {
            self.peer.activity.set_http2();
        }
        let certificates = session.peer_certificates().unwrap_or_default();
        self.peer.fingerprint = certificates.first().map(ClientFingerprint::of);
        Ok(Io::tls(stream))
    }

    /// Waits for the first bytes of a request. Returns whether they came before the connection has to end.
    async fn wait(&mut self, io: &mut Io) -> bool {
        if !io.ahead().is_empty() {
            return true;
        }
        let deadline = Instant::now() + self.context.connections.idle_timeout;
        tokio::select! {
            biased;
            more = timeout_at(deadline, io.read_ahead()) => matches!(more, Ok(Ok(true))),
            () = self.phases.reached(Phase::Draining) => false,
        }
    }

    /// Whether it begins as HTTP/2 does in clear text (RFC 9113 section 3.4). `None` when it ends before that is known.
    async fn is_preface(&mut self, io: &mut Io) -> Option<bool> {
        let deadline = Instant::now() + self.context.connections.head_timeout;
        loop {
            let begun = io.ahead();
            let len = begun.len().min(PREFACE.len());
            if begun[..len] != PREFACE[..len] {
                return Some(false);
            }
            if len == PREFACE.len() {
                self.peer.activity.set_http2();
                return Some(true);
            }
            let more = tokio::select! {
                more = timeout_at(deadline, io.read_ahead()) => more,
                () = self.phases.reached(Phase::Draining) => return None,
            };
            if !matches!(more, Ok(Ok(true))) {
                return None;
            }
        }
    }

    fn service(&self) -> ConnectionService<S> {
        ConnectionService::new(self.context.stack.clone(), self.peer.clone())
    }
}

/// Of HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
