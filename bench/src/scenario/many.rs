//! Scenarios with many connections.

use super::{Contender, Scenario};
use crate::{backend::STREAM, load::Load, peer::Peer};

pub(super) fn sse() -> Scenario {
    let streaming = |peer| Contender::new(peer).tiers(&[STREAM]);
    Scenario {
        name: "sse",
        about: "256 streams at once, one after the other on each connection: 100 server-sent events of 200 bytes, one every 20 ms.",
        load: Load::Streams { at_once: 256 },
        contenders: vec![
            streaming(Peer::Floor),
            streaming(Peer::Nginx).note("With `x-accel-buffering: no` in the response."),
            streaming(Peer::Haproxy)
                .note("With `option http-no-delay`: by default it holds chunks back for 200 ms."),
            streaming(Peer::Spillover),
            streaming(Peer::Spillover).profiled(),
            streaming(Peer::Spillover).example(),
        ],
    }
}

pub(super) fn idle() -> Scenario {
    Scenario {
        name: "idle",
        about: "2,000 keep-alive connections, each used once: resident memory for each, without that of the first requests.",
        load: Load::Idle { connections: 2_000 },
        contenders: vec![
            Contender::new(Peer::Floor),
            Contender::new(Peer::Nginx)
                .note("Has room for 8,192 connections from the start, which is not in the number."),
            Contender::new(Peer::Haproxy),
            Contender::new(Peer::Spillover),
        ],
    }
}
