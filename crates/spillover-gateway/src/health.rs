//! Readiness of the gateway.

use std::{fmt, sync::Arc};

use spillover_core::{Condition, Scope};
use spillover_serve::Phases;
use tokio::{sync::watch, time::Instant};

use crate::runtime::ActiveConfig;

/// The readiness check. Clones share their state.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    configs: watch::Receiver<Arc<ActiveConfig>>,
    phases: Option<Phases>,
}

impl Health {
    /// Creates the readiness check for the given configuration watch and shutdown phases.
    pub(crate) fn new(configs: watch::Receiver<Arc<ActiveConfig>>, phases: Option<Phases>) -> Self {
        Self { configs, phases }
    }

    /// Checks that the gateway should get requests.
    ///
    /// Backends that are throttled, or that failed after they had served, do not matter: other instances have the same
    /// backends.
    ///
    /// # Errors
    ///
    /// Returns the reason if the gateway is shutting down, or if no backend of a pool was ever usable.
    pub(crate) fn readiness(&self, now: Instant) -> Result<(), NotReady> {
        if self
            .phases
            .as_ref()
            .is_some_and(|phases| !phases.is_ready())
        {
            return Err(NotReady::Stopping);
        }
        let active = self.configs.borrow().clone();
        check_usable(&active, now)
    }
}

fn check_usable(active: &ActiveConfig, now: Instant) -> Result<(), NotReady> {
    for pool in active.pools() {
        let backends = pool.pool().snapshot(Scope::BACKEND, now);
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

/// The reason why the gateway should not get requests.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use spillover_core::{Backend, Outcome, Pool, Query};

    use super::*;
    use crate::runtime::PoolConfig;

    struct Subject {
        pool: Pool,
        health: Health,
        _configs: watch::Sender<Arc<ActiveConfig>>,
    }

    fn subject(labels: &[&str]) -> Subject {
        let backend = |label: &&str| Backend::builder(*label).url("https://b.example").build();
        let backends: Vec<_> = labels.iter().map(|label| backend(label).unwrap()).collect();
        let pool = Pool::new(backends.iter().cloned()).unwrap();
        let config = PoolConfig::new("chat", backends);
        let configs = watch::Sender::new(Arc::new(ActiveConfig::with_pool(config, pool.clone())));
        Subject {
            pool,
            health: Health::new(configs.subscribe(), None),
            _configs: configs,
        }
    }

    impl Subject {
        /// Reports this outcome for the next backend.
        fn record(&self, outcome: &Outcome, now: Instant) {
            let selected = self.pool.select(&Query::new(), now, 0);
            selected.unwrap().record(outcome, now);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn gateway_is_not_ready_when_every_backend_has_failed_from_the_start() {
        let now = Instant::now();
        let subject = subject(&["a", "b"]);
        let failing = Outcome::failing(Duration::from_secs(10));
        assert_eq!(subject.health.readiness(now), Ok(()));
        subject.record(&failing, now);
        assert_eq!(subject.health.readiness(now), Ok(()));
        subject.record(&failing, now);
        let error = subject.health.readiness(now).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no backend of the pool chat was ever usable"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn backend_that_has_served_or_throttled_counts_as_usable() {
        let now = Instant::now();
        for first in [
            Outcome::success(),
            Outcome::throttled(Duration::from_millis(100)),
        ] {
            let subject = subject(&["a"]);
            subject.record(&first, now);
            let later = now + Duration::from_secs(1);
            subject.record(&Outcome::failing(Duration::from_secs(10)), later);
            assert_eq!(subject.health.readiness(later), Ok(()));
        }
    }
}
