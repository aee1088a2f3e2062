use std::fmt;

use spillover_core::{Condition, Scope};
use tokio::time::Instant;

use crate::site::Site;

/// Whether requests may come: unless there is a pool of which no backend was ever usable. That others are throttled, or
/// failed after they had served, is no reason to send requests elsewhere: another instance has the same backends.
pub(crate) fn readiness(site: &Site, now: Instant) -> Result<(), NotReady> {
    for pool in site.pools() {
        let backends = pool.pool().snapshot(Scope::WHOLE, now);
        let is_hopeless = backends.iter().all(|backend| {
            let counts = backend.counts();
            let is_failing = matches!(backend.condition(), Condition::Failing(_));
            is_failing && counts.answered == 0 && counts.refused == 0
        });
        if is_hopeless {
            return Err(NotReady {
                pool: pool.name().to_string(),
            });
        }
    }
    Ok(())
}

/// Why no requests shall come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotReady {
    pool: String,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool } = self;
        write!(f, "no backend of the pool {pool} was ever usable")
    }
}
