//! Whether the gateway is ready for requests.

use std::{fmt, sync::Arc};

use spillover_core::{Condition, Scope};
use tokio::{sync::watch, time::Instant};

use crate::site::Site;

/// Tells whether the gateway is ready. Clones tell the same.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    sites: watch::Receiver<Arc<Site>>,
}

impl Health {
    /// Of a gateway that goes by the newest of these.
    pub(crate) fn new(sites: watch::Receiver<Arc<Site>>) -> Self {
        Self { sites }
    }

    /// Whether requests may come: unless there is a pool of which no backend was ever usable. That others are throttled, or
    /// failed after they had served, is no reason to send requests elsewhere: another instance has the same backends.
    pub(crate) fn readiness(&self, now: Instant) -> Result<(), NotReady> {
        let site = self.sites.borrow().clone();
        usable(&site, now)
    }
}

fn usable(site: &Site, now: Instant) -> Result<(), NotReady> {
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
