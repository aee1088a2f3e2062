//! Generates a typical load for profile-guided optimization.
//!
//! An instrumented program writes its counts when it ends.

use std::io;

use tokio::time::Duration;

use crate::{
    load::Times,
    peer::{GATEWAY, Peer},
    scenario::{self, Scenario},
    stage::Stage,
};

/// Runs the instrumented gateway under the load of each scenario.
pub(crate) async fn run() -> io::Result<()> {
    let stage = Stage::new().await?;
    for scenario in scenario::all() {
        if SCENARIOS.contains(&scenario.name) {
            train(&scenario, &stage).await?;
        }
    }
    Ok(())
}

async fn train(scenario: &Scenario, stage: &Stage) -> io::Result<()> {
    for contender in &scenario.contenders {
        if contender.peer != Peer::Spillover || contender.setup.gateway != GATEWAY {
            continue;
        }
        let mut contender = contender.clone();
        contender.setup.gateway = COUNTING_GATEWAY;
        eprintln!("{}: {}", scenario.name, contender.name);
        let process = stage.start(&contender).await?;
        stage.load(scenario, &contender, &process, TIMES).await?;
        process.stop().await?;
    }
    Ok(())
}

/// One scenario per kind of traffic. Code that is frequent in them is optimized at the cost of other code.
const SCENARIOS: [&str; 7] = [
    "pass-through",
    "body-1mib",
    "h2-in",
    "tls-in",
    "tls-out",
    "sse",
    "priority-1-throttled",
];

const TIMES: Times = Times {
    warm_up: Duration::from_secs(1),
    measured: Duration::from_secs(3),
};

const COUNTING_GATEWAY: &str = "spillover-counting";
