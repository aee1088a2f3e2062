//! Scenarios with TLS to clients, and to backends.

use super::{Contender, Scenario};
use crate::{
    backend::{TLS, TLS_HTTP2},
    load::{KIB, Load},
    peer::Peer,
};

pub(super) fn tls_in() -> Scenario {
    Scenario {
        name: "tls-in",
        about: "Clients speak HTTP/1.1 over TLS. One backend without, 64 connections that are kept, 1 KiB in, 1 KiB out: what the \
                records cost.",
        load: CLOSED,
        contenders: ALL.map(|peer| Contender::new(peer).tls()).into(),
    }
}

pub(super) fn tls_handshakes() -> Scenario {
    Scenario {
        name: "tls-handshakes",
        about: "As before, but each request comes on a connection of its own, 64 at one time, and no session is resumed: what a \
                handshake costs, with a request, 1 KiB in, 1 KiB out. Requests per second are those that the load generator can \
                make.",
        load: Load::Handshakes { at_once: 64 },
        contenders: ALL.map(|peer| Contender::new(peer).tls()).into(),
    }
}

pub(super) fn tls_out() -> Scenario {
    Scenario {
        name: "tls-out",
        about: "The backend speaks HTTP/1.1 over TLS, clients without: 64 connections, 1 KiB in, 1 KiB out.",
        load: CLOSED,
        contenders: ALL.map(|peer| Contender::new(peer).tiers(&[TLS])).into(),
    }
}

pub(super) fn http2_out() -> Scenario {
    let to_http2 = |peer| Contender::new(peer).tiers(&[TLS_HTTP2]);
    Scenario {
        name: "h2-out",
        about: "As before, but the backend speaks HTTP/2 over TLS.",
        load: CLOSED,
        contenders: vec![
            to_http2(Peer::Floor),
            to_http2(Peer::Nginx).unable("Speaks no HTTP/2 to backends in this version."),
            to_http2(Peer::Haproxy)
                .note("Keeps 64 connections to the backend; the floor and the gateway have one."),
            to_http2(Peer::Spillover),
        ],
    }
}

const ALL: [Peer; 4] = [Peer::Floor, Peer::Nginx, Peer::Haproxy, Peer::Spillover];

const CLOSED: Load = Load::Closed {
    connections: 64,
    body: KIB,
};
