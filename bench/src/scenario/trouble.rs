//! Scenarios in which one backend refuses and another one serves.

use super::{Contender, Scenario};
use crate::{
    backend::{BRIEFLY_THROTTLED, FINE, THROTTLED, TOO_LARGE, UNAVAILABLE},
    load::{KIB, Load, MIB},
    peer::Peer,
};

pub(super) fn priority_1_throttled() -> Scenario {
    Scenario {
        name: "priority-1-throttled",
        about: "Two backends; the first always answers 429, `retry-after: 60`. 64 connections, 1 KiB in, 1 KiB out. The floor has \
                the second one only.",
        load: Load::Closed {
            connections: 64,
            body: KIB,
        },
        contenders: vec![
            Contender::new(Peer::Floor),
            Contender::new(Peer::Nginx)
                .tiers(&[THROTTLED, FINE])
                .note(NGINX),
            Contender::new(Peer::Haproxy).unable(HAPROXY),
            Contender::new(Peer::Spillover).tiers(&[THROTTLED, FINE]),
            Contender::new(Peer::Spillover)
                .tiers(&[THROTTLED, FINE])
                .example(),
        ],
    }
}

pub(super) fn failover_1mib() -> Scenario {
    Scenario {
        name: "failover-1mib",
        about: "Two backends; the first refuses every request, after reading all of it. 16 connections, 1 MiB in, 1 KiB out. It \
                refuses so that it is asked again by the next request: by 413 the gateway, by 503 the others. The floor has \
                the second one only.",
        load: Load::Closed {
            connections: 16,
            body: MIB,
        },
        contenders: vec![
            Contender::new(Peer::Floor),
            Contender::new(Peer::Nginx)
                .tiers(&[UNAVAILABLE, FINE])
                .note("`backup` and `max_fails=0`: the first server is never left alone."),
            Contender::new(Peer::Haproxy)
                .tiers(&[UNAVAILABLE, FINE])
                .note(
                    "`retry-on 503`, with servers in turn: a backup would not be used while the first is up. A request that \
                     does not fit into a buffer is not retried.",
                ),
            Contender::new(Peer::Spillover).tiers(&[TOO_LARGE, FINE]),
        ],
    }
}

pub(super) fn throttle_begins() -> Scenario {
    Scenario {
        name: "throttle-begins",
        about: "500 connections, 1 KiB in, 1 KiB out. The first of two backends begins to throttle, for 3 s, and says so in \
                `retry-after-ms`: which requests are lost, how many it had to refuse, and how long after the 3 s it is used \
                again. The run takes 14 s.",
        load: Load::Throttle { connections: 500 },
        contenders: vec![
            Contender::new(Peer::Nginx)
                .tiers(&[BRIEFLY_THROTTLED, FINE])
                .note(NGINX),
            Contender::new(Peer::Haproxy).unable(HAPROXY),
            Contender::new(Peer::Spillover).tiers(&[BRIEFLY_THROTTLED, FINE]),
        ],
    }
}

const NGINX: &str = "`proxy_next_upstream http_429 non_idempotent` and `backup`; it does not read how long, and leaves the \
                     server alone for 10 s, its default.";
const HAPROXY: &str = "Retries no 429 (`retry-on` does not know it in this version).";
