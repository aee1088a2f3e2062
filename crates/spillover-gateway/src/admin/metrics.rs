use axum::http::{HeaderMap, HeaderValue, header::ACCEPT};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::Registry,
};
use spillover_core::{BackendSnapshot, Condition, Scope};
use tokio::time::Instant;

use super::Admin;

/// A text format for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// [`OpenMetrics`](https://prometheus.io/docs/specs/om/open_metrics_spec/).
    OpenMetrics,
    /// The [text format](https://prometheus.io/docs/instrumenting/exposition_formats/) of Prometheus, for all that do not ask for
    /// `OpenMetrics`.
    Classic,
}

impl Format {
    /// Returns the format that a request accepts.
    pub(super) fn of_request(headers: &HeaderMap) -> Self {
        let mut accepted = headers.get_all(ACCEPT).iter();
        let accepts =
            |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains(OPEN_METRICS));
        match accepted.any(accepts) {
            true => Self::OpenMetrics,
            false => Self::Classic,
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

const OPEN_METRICS: &str = "application/openmetrics-text";

/// Collects the metrics when they are asked for, from counters that the layers keep anyway.
pub(super) fn encode(admin: &Admin, format: Format, now: Instant) -> String {
    let text = open_metrics(admin, now);
    match format {
        Format::OpenMetrics => text,
        Format::Classic => classic(&text),
    }
}

/// Translates `OpenMetrics`. The names of counters and of information have their suffix in the descriptions as well, and there is no
/// mark for the end.
fn classic(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    let mut help = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                kind => ("", kind),
            };
            let help = help.strip_prefix(name).unwrap_or_default();
            lines += &format!("# HELP {name}{suffix}{help}\n# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with('#') {
            lines += line;
            lines.push('\n');
        }
    }
    lines
}

fn open_metrics(admin: &Admin, now: Instant) -> String {
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
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of the gateway", build);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_is_openmetrics_only_if_it_is_asked_for() {
        let format = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            Format::of_request(&headers)
        };
        assert_eq!(Format::of_request(&HeaderMap::new()), Format::Classic);
        assert_eq!(format("*/*"), Format::Classic);
        assert_eq!(format("text/plain;version=0.0.4"), Format::Classic);
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
        assert_eq!(format(prometheus), Format::OpenMetrics);
    }

    #[test]
    fn classic_text_has_suffixes_in_descriptions_and_no_end() {
        let text = "# HELP a_attempts Attempts.\n# TYPE a_attempts counter\na_attempts_total{b=\"c\"} 1\n\
                    # HELP a_build Version.\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n\
                    # HELP a_open Open.\n# TYPE a_open gauge\na_open 1\n# EOF\n";
        let expected = "# HELP a_attempts_total Attempts.\n# TYPE a_attempts_total counter\na_attempts_total{b=\"c\"} 1\n\
                        # HELP a_build_info Version.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
                        # HELP a_open Open.\n# TYPE a_open gauge\na_open 1\n";
        assert_eq!(classic(text), expected);
    }
}
