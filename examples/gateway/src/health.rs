//! Whether the gateway is ready for requests.

use std::{fmt, sync::Arc};

use spillover_core::{Condition, Scope};
use tokio::{sync::watch, time::Instant};

use crate::{serve::Phases, site::Site};

/// Tells whether the gateway is ready. Clones tell the same.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    sites: watch::Receiver<Arc<Site>>,
    phases: Option<Phases>,
}

impl Health {
    /// Of a gateway that goes by the newest of these sites, and is served by who is in these phases.
    pub(crate) fn new(sites: watch::Receiver<Arc<Site>>, phases: Option<Phases>) -> Self {
        Self { sites, phases }
    }

    /// Whether requests may come: unless the gateway is on its way out, or there is a pool of which no backend was ever usable. That others are throttled, or
    /// failed after they had served, is no reason to send requests elsewhere: another instance has the same backends.
    pub(crate) fn readiness(&self, now: Instant) -> Result<(), NotReady> {
        if self
            .phases
            .as_ref()
            .is_some_and(|phases| !phases.is_ready())
        {
            return Err(NotReady::Stopping);
        }
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
            return Err(NotReady::Unusable {
                pool: pool.name().to_string(),
            });
        }
    }
    Ok(())
}

/// Why no requests shall come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotReady {
    Stopping,
    Unusable { pool: String },
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("stopping"),
            Self::Unusable { pool } => {
                write!(f, "no backend of the pool {pool} was ever usable")
            }
        }
    }
}
