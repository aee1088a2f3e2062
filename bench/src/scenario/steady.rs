//! Scenarios in which every backend succeeds.

use super::{Contender, Scenario};
use crate::{
    load::{KIB, Load, MIB},
    peer::Peer,
};

pub(super) fn pass_through() -> Scenario {
    Scenario {
        name: "pass-through",
        about: "One backend, 64 connections, 1 KiB in, 1 KiB out.",
        load: CLOSED,
        contenders: with_profiled(),
    }
}

pub(super) fn fixed_rate() -> Scenario {
    Scenario {
        name: "fixed-rate",
        about: "As before, but 2,000 requests come per second, whatever becomes of them. Latency counts from the time at which a \
                request was due.",
        load: Load::Rate { per_second: 2_000 },
        contenders: both_apis(),
    }
}

pub(super) fn body_1mib() -> Scenario {
    Scenario {
        name: "body-1mib",
        about: "16 connections, 1 MiB in, 1 KiB out.",
        load: Load::Closed {
            connections: 16,
            body: MIB,
        },
        contenders: vec![
            Contender::new(Peer::Floor),
            Contender::new(Peer::Nginx)
                .note("Writes bodies of more than 16 KiB to a file, by default."),
            Contender::new(Peer::Haproxy),
            spillover_model_in_body(),
            spillover_deployment_in_path(),
        ],
    }
}

pub(super) fn http2() -> Scenario {
    let http2 = |contender: Contender| contender.http2();
    Scenario {
        name: "h2-in",
        about: "Clients speak HTTP/2 without TLS: 8 connections with 8 streams each, 1 KiB in, 1 KiB out. The backend speaks \
                HTTP/1.1.",
        load: Load::Http2 {
            connections: 8,
            streams: 8,
        },
        contenders: both_apis().into_iter().map(http2).collect(),
    }
}

pub(super) fn backends() -> Scenario {
    let spillover = |count| {
        Contender::new(Peer::Spillover)
            .deployment_in_path()
            .backends(count)
            .named(format!("spillover, {count} of one priority"))
    };
    let mut contenders = vec![Contender::new(Peer::Floor)];
    contenders.extend([1, 2, 8, 64].map(spillover));
    Scenario {
        name: "backends-n",
        about: "The cost of a choice: 64 connections, 1 KiB in, 1 KiB out, in front of several backends. The floor has one.",
        load: CLOSED,
        contenders,
    }
}

pub(super) fn two_cores() -> Scenario {
    let workers = |peer: Peer, workers| {
        let threads = if workers == 1 { "thread" } else { "threads" };
        Contender::new(peer)
            .deployment_in_path()
            .workers(workers)
            .named(format!("{}, {workers} {threads}", peer.name()))
    };
    Scenario {
        name: "two-cores",
        about: "Contention of threads: CPU per request with one thread on its core, and with two on both cores, \
                which they share with the load generator. Requests per second mean nothing here. The floor of the ratios has \
                one thread.",
        load: CLOSED,
        contenders: vec![
            workers(Peer::Floor, 1),
            workers(Peer::Floor, 2),
            workers(Peer::Spillover, 1),
            workers(Peer::Spillover, 2),
        ],
    }
}

fn with_profiled() -> Vec<Contender> {
    let mut contenders = both_apis();
    contenders.push(spillover_model_in_body().profiled());
    contenders.push(spillover_deployment_in_path().profiled());
    contenders.push(Contender::new(Peer::Spillover).example());
    contenders
}

fn both_apis() -> Vec<Contender> {
    vec![
        Contender::new(Peer::Floor),
        Contender::new(Peer::Nginx),
        Contender::new(Peer::Haproxy),
        spillover_model_in_body(),
        spillover_deployment_in_path(),
    ]
}

fn spillover_model_in_body() -> Contender {
    Contender::new(Peer::Spillover)
        .named("spillover, `model` in the body".to_owned())
        .note("Reads a JSON body as far as its `model` before it sends it on.")
}

fn spillover_deployment_in_path() -> Contender {
    Contender::new(Peer::Spillover)
        .deployment_in_path()
        .named("spillover, deployment in the path".to_owned())
}

const CLOSED: Load = Load::Closed {
    connections: 64,
    body: KIB,
};
