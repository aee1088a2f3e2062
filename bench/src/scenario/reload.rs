//! Scenarios in which the configuration changes.

use super::{Contender, Scenario};
use crate::{load::Load, peer::Peer};

pub(super) fn reload() -> Scenario {
    let reloaded = |peer| Contender::new(peer).backends(2).reloaded();
    Scenario {
        name: "reload",
        about: "Two backends; once a second the weights of the two are swapped in the configuration, and the proxy reloads it. 2,000 \
                requests come per second, whatever becomes of them, 1 KiB in, 1 KiB out. Peak RSS is what all its processes \
                have together, looked at 20 times a second.",
        load: Load::Reload { per_second: 2_000 },
        contenders: vec![
            Contender::new(Peer::Floor).note("Has one backend, and reloads nothing."),
            reloaded(Peer::Nginx).note("SIGHUP: another worker takes over, and the old one ends."),
            reloaded(Peer::Haproxy).note(
                "SIGUSR2, with a master (`-W`): another worker takes over, and the old one ends.",
            ),
            reloaded(Peer::Spillover).note("SIGHUP."),
        ],
    }
}
