use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use spillover_core::{BackendSnapshot, Condition, Scope};
use tokio::time::Instant;

use super::Admin;

/// Media type of the `OpenMetrics` text format, which Prometheus reads
/// (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Collects the metrics when they are asked for, from counters that the layers keep anyway.
pub(super) fn encode(admin: &Admin, now: Instant) -> String {
    let families = Families::default();
    for pool in admin.app.active().pools() {
        for backend in pool.pool().snapshot(Scope::BACKEND, now) {
            families.add(pool.name(), &backend);
        }
    }
    let clients = admin.app.active().keys().snapshot();
    families.unauthorized.inc_by(clients.unauthorized);
    for counts in clients.clients {
        let labels = ClientLabels {
            client: counts.name.to_string(),
        };
        let requests = families.requests.get_or_create(&labels);
        requests.inc_by(counts.requests);
        let rate_limited = families.rate_limited.get_or_create(&labels);
        rate_limited.inc_by(counts.rate_limited);
    }
    families.generation.set(admin.reload.generation() as i64);
    let is_refused = admin.reload.refusal(now).is_some();
    families.refused.set(i64::from(is_refused));

    let mut text = String::new();
    let encoded = text::encode(&mut text, &families.into_registry());
    encoded.expect("a string takes all that is written to it");
    text
}

#[derive(Debug, Default)]
struct Families {
    attempts: Family<AttemptLabels, Counter>,
    resends: Family<BackendLabels, Counter>,
    in_flight: Family<BackendLabels, Gauge>,
    open: Family<BackendLabels, Gauge>,
    throttled_scopes: Family<BackendLabels, Gauge>,
    suspect_scopes: Family<BackendLabels, Gauge>,
    requests: Family<ClientLabels, Counter>,
    rate_limited: Family<ClientLabels, Counter>,
    unauthorized: Counter,
    generation: Gauge,
    refused: Gauge,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct BackendLabels {
    pool: String,
    backend: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct AttemptLabels {
    pool: String,
    backend: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Hash, PartialEq, Eq)]
struct ClientLabels {
    client: String,
}

impl Families {
    fn add(&self, pool: &str, snapshot: &BackendSnapshot) {
        let labels = BackendLabels {
            pool: pool.into(),
            backend: snapshot.backend().label().into(),
        };
        let in_flight = self.in_flight.get_or_create(&labels);
        in_flight.set(snapshot.in_flight().into());
        let is_open = snapshot.condition() == Condition::Open;
        self.open.get_or_create(&labels).set(is_open.into());

        let throttled = self.throttled_scopes.get_or_create(&labels);
        throttled.set(snapshot.throttled_scopes() as i64);
        let suspect = self.suspect_scopes.get_or_create(&labels);
        suspect.set(snapshot.suspect_scopes() as i64);

        let counts = snapshot.counts();
        let resends = self.resends.get_or_create(&labels);
        resends.inc_by(counts.resent);
        for (outcome, count) in [
            ("answered", counts.answered),
            ("refused", counts.refused),
            ("failed", counts.failed),
            ("cancelled", counts.cancelled),
            ("unprocessed", counts.unprocessed),
            ("broken", counts.broken),
        ] {
            let labels = AttemptLabels {
                pool: labels.pool.clone(),
                backend: labels.backend.clone(),
                outcome,
            };
            self.attempts.get_or_create(&labels).inc_by(count);
        }
    }

    fn into_registry(self) -> Registry {
        let mut registry = Registry::with_prefix("spillover");
        registry.register(
            "attempts",
            "Attempts at a backend, by how they went",
            self.attempts,
        );
        registry.register(
            "resends",
            "Attempts that sent a request to a backend once more, which had not processed it",
            self.resends,
        );
        registry.register(
            "in_flight",
            "Requests that are at a backend",
            self.in_flight,
        );
        registry.register(
            "backend_open",
            "Whether a backend as a whole takes requests",
            self.open,
        );
        registry.register(
            "throttled_scopes",
            "Deployments, models and clients for which a backend is throttled",
            self.throttled_scopes,
        );
        registry.register(
            "suspect_scopes",
            "Deployments, models and clients for which the latest attempts at a backend were given up without an answer",
            self.suspect_scopes,
        );
        registry.register(
            "client_requests",
            "Requests of a client that were let in, by the name of its key",
            self.requests,
        );
        registry.register(
            "client_rate_limited",
            "Requests of a client that were refused because its key allows so many a minute",
            self.rate_limited,
        );
        registry.register(
            "unauthorized_requests",
            "Requests without a key that is known",
            self.unauthorized,
        );
        registry.register(
            "configuration_generation",
            "Configurations that were put into service",
            self.generation,
        );
        registry.register(
            "configuration_refused",
            "Whether the newest configuration is bad, and an older one in service",
            self.refused,
        );
        registry
    }
}
