use std::time::Duration;

use serde::Serialize;
use spillover_core::{BackendSnapshot, Condition, Scope};
use spillover_proxy::client_keys::Snapshot;
use tokio::time::Instant;

use super::Admin;
use crate::{entra, runtime::PoolRuntime};

/// The JSON object of `/status`.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    version: &'static str,
    uptime_seconds: u64,
    configuration: Configuration,
    pools: Vec<Pool>,
    clients: Clients,
    #[serde(skip_serializing_if = "Option::is_none")]
    entra: Option<Entra>,
}

#[derive(Debug, Serialize)]
struct Configuration {
    /// Number of the configuration; 1 is the one that the gateway started with.
    generation: u64,
    age_seconds: u64,
    /// The error of a newer configuration that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
}

#[derive(Debug, Serialize)]
struct Refused {
    reason: String,
    age_seconds: u64,
}

#[derive(Debug, Serialize)]
struct Pool {
    name: String,
    backends: Vec<Backend>,
}

/// State of the token of Entra ID. With several, it is the one that expires first.
#[derive(Debug, Serialize)]
struct Entra {
    scope: String,
    source: Option<&'static str>,
    valid_for_seconds: u64,
    failures: u32,
    last_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Clients {
    /// Number of requests with no key or an unknown one.
    unauthorized: u64,
    keys: Vec<ClientKey>,
}

#[derive(Debug, Serialize)]
struct ClientKey {
    name: String,
    requests: u64,
    rate_limited: u64,
}

#[derive(Debug, Serialize)]
struct Backend {
    label: String,
    url: String,
    kind: &'static str,
    priority: u32,
    weight: u32,
    condition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_for_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    /// Number of scopes (deployment, model or client) for which the backend is throttled.
    throttled_scopes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_throttle: Option<Throttle>,
    /// Number of scopes for which the backend is suspect.
    suspect_scopes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_silence: Option<Silence>,
    in_flight: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
    attempts: Attempts,
}

/// The throttle that ends last.
#[derive(Debug, Serialize)]
struct Throttle {
    for_ms: u64,
    cause: Cause,
}

/// The longest silence among the suspect scopes.
#[derive(Debug, Serialize)]
struct Silence {
    /// Number of consecutive attempts that were given up.
    cancelled: u32,
    for_ms: u64,
}

/// Reason of a throttle.
#[derive(Debug, Serialize)]
struct Cause {
    class: &'static str,
    /// Error message of the backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Debug, Serialize)]
struct Attempts {
    answered: u64,
    refused: u64,
    failed: u64,
    cancelled: u64,
    unprocessed: u64,
    broken: u64,
    resent: u64,
}

impl Status {
    pub(super) fn of(admin: &Admin, now: Instant) -> Self {
        let refusal = admin.reload.refusal(now);
        let active = admin.app.active();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: (now - admin.started).as_secs(),
            configuration: Configuration {
                generation: admin.reload.generation(),
                age_seconds: admin.reload.age(now).as_secs(),
                refused: refusal.map(|(reason, age)| Refused {
                    reason,
                    age_seconds: age.as_secs(),
                }),
            },
            pools: active
                .pools()
                .iter()
                .map(|pool| Pool::of(pool, now))
                .collect(),
            clients: Clients::of(&active.keys().snapshot()),
            entra: active
                .tokens()
                .iter()
                .map(|(scope, tokens)| Entra::new(scope, &tokens.status(), now))
                .min_by_key(|entra| entra.valid_for_seconds),
        }
    }
}

impl Pool {
    fn of(pool: &PoolRuntime, now: Instant) -> Self {
        let backends = pool.pool().snapshot(Scope::BACKEND, now);
        Self {
            name: pool.name().to_string(),
            backends: backends.iter().map(Backend::of).collect(),
        }
    }
}

impl Entra {
    fn new(scope: &str, status: &entra::Status, now: Instant) -> Self {
        let valid_for = status
            .valid_until
            .map(|until| until.saturating_duration_since(now));
        Self {
            scope: scope.to_owned(),
            source: status.source,
            valid_for_seconds: valid_for.unwrap_or_default().as_secs(),
            failures: status.failures,
            last_error: status.last_error.as_ref().map(ToString::to_string),
        }
    }
}

impl Clients {
    fn of(snapshot: &Snapshot) -> Self {
        let keys = snapshot.clients.iter().map(|counts| ClientKey {
            name: counts.name.to_string(),
            requests: counts.requests,
            rate_limited: counts.rate_limited,
        });
        Self {
            unauthorized: snapshot.unauthorized,
            keys: keys.collect(),
        }
    }
}

impl Backend {
    fn of(snapshot: &BackendSnapshot) -> Self {
        let backend = snapshot.backend();
        let (condition, closed_for) = condition(snapshot.condition());
        let counts = snapshot.counts();
        Self {
            label: backend.label().into(),
            url: backend.url().into(),
            kind: backend.kind().as_str(),
            priority: backend.priority(),
            weight: backend.weight(),
            condition,
            closed_for_ms: closed_for.map(|closed_for| closed_for.as_millis() as u64),
            cause: snapshot.cause().map(Cause::of),
            throttled_scopes: snapshot.throttled_scopes(),
            longest_throttle: snapshot.longest_throttle().map(|(left, cause)| Throttle {
                for_ms: left.as_millis() as u64,
                cause: Cause::of(cause),
            }),
            suspect_scopes: snapshot.suspect_scopes(),
            longest_silence: snapshot.longest_silence().map(|silence| Silence {
                cancelled: silence.attempts(),
                for_ms: silence.lasting().as_millis() as u64,
            }),
            in_flight: snapshot.in_flight(),
            latency_ms: snapshot
                .latency()
                .map(|latency| latency.as_secs_f64() * 1000.0),
            attempts: Attempts {
                answered: counts.answered,
                refused: counts.refused,
                failed: counts.failed,
                cancelled: counts.cancelled,
                unprocessed: counts.unprocessed,
                broken: counts.broken,
                resent: counts.resent,
            },
        }
    }
}

impl Cause {
    fn of(cause: &spillover_core::Cause) -> Self {
        Self {
            class: cause.class().as_str(),
            message: cause.message().map(ToOwned::to_owned),
        }
    }
}

/// Returns the name of a condition, and the time for which it lasts.
fn condition(condition: Condition) -> (&'static str, Option<Duration>) {
    match condition {
        Condition::Throttled(left) => ("throttled", Some(left)),
        Condition::Failing(left) => ("failing", Some(left)),
        Condition::Suspect(left) => ("suspect", Some(left)),
        Condition::Full => ("full", None),
        _ => ("open", None),
    }
}
