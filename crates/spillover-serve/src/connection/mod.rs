//! A connection, from its handshake to its end.
//!
//! An idle connection is taken out of hyper, which keeps 19.7 KiB for it. A task that waits for the first bytes of the next
//! request remains, which takes 3.9 KiB. That is why this is not `hyper_util::server::conn::auto`.

mod activity;
mod context;
mod fingerprint;
mod http1;
mod http2;
mod idle_limit;
mod io;
mod service;
mod socket;
mod timer;

use std::sync::Arc;

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsAcceptor;

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
use crate::{
    BoxError, HttpService, Phase, Phases, RequestBody, TaskSpawner, accept::Accepted, tls,
};

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection<S> {
    context: Arc<Context<S>>,
    phases: Phases,
    peer: Peer,
}

impl<S: HttpService<RequestBody>> Connection<S> {
    /// Creates a connection, which holds `permit` until it ends.
    pub(super) fn new(
        context: Arc<Context<S>>,
        permit: OwnedSemaphorePermit,
        phases: Phases,
    ) -> Self {
        let peer = Peer {
            activity: Arc::default(),
            body_timeout: context.connections.body_timeout,
            spawner: TaskSpawner::new(context.tasks.clone(), Arc::new(permit)),
            fingerprint: None,
        };
        Self {
            context,
            phases,
            peer,
        }
    }

    /// Serves the connection until it ends.
    pub(super) async fn serve(mut self, accepted: Accepted) {
        let Accepted {
            stream,
            address,
            tls,
        } = accepted;
        let socket = Socket::new(stream, Arc::clone(&self.peer.activity));
        let mut io = match tls {
            None => Io::tcp(socket),
            Some(tls) => match Box::pin(self.handshake(socket, &tls)).await {
                Ok(io) => io,
                Err(error) => {
                    // At debug level, because port scans would fill the log.
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
            if is_first && io.prefix().starts_with(&PREFACE[..1]) {
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

    /// Runs the TLS handshake, and records the protocol that ALPN has selected and the certificate of the client.
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

    /// Waits for the first bytes of a request. Returns false if the connection has to end instead.
    async fn wait(&mut self, io: &mut Io) -> bool {
        if !io.prefix().is_empty() {
            return true;
        }
        let deadline = Instant::now() + self.context.connections.idle_timeout;
        tokio::select! {
            biased;
            more = timeout_at(deadline, io.fill_prefix()) => matches!(more, Ok(Ok(true))),
            () = self.phases.reached(Phase::Draining) => false,
        }
    }

    /// Returns true if the connection begins with the preface of HTTP/2 (RFC 9113 section 3.4), and `None` if it ends before
    /// that is known.
    async fn is_preface(&mut self, io: &mut Io) -> Option<bool> {
        let deadline = Instant::now() + self.context.connections.head_timeout;
        loop {
            let begun = io.prefix();
            let len = begun.len().min(PREFACE.len());
            if begun[..len] != PREFACE[..len] {
                return Some(false);
            }
            if len == PREFACE.len() {
                self.peer.activity.set_http2();
                return Some(true);
            }
            let more = tokio::select! {
                more = timeout_at(deadline, io.fill_prefix()) => more,
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

/// Connection preface of HTTP/2 (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
