use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillover_core::{Class, Cooldowns, StatusClassifier};
use tower_spillover::select::WhenExhausted;

use super::{AffinityTable, BackendTable, Check, HeadersTable, RouteTable};
use crate::{
    config::{
        file::Path,
        value::{ClassWord, Exhausted, Format, Limit, LongPause, Pause, Size, Timeout, share},
        values,
    },
    runtime::{PoolConfig, PoolLimits, Timeouts},
};

/// Backends that can serve the same requests, and the routes to them.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Pool", extend("required" = ["backends"]))]
pub(crate) struct PoolTable {
    /// Name in logs, in metrics and in the `pools` of client keys. Unique.
    pub(crate) name: String,
    /// Answer when every backend is closed: `"forward"` tries the first of the list, `"reject"` answers 429 at once, and
    /// `"wait:2s"` waits up to that long for a backend to open.
    #[serde(with = "Exhausted")]
    pub(crate) when_exhausted: WhenExhausted,
    /// Names the URL of the backend in the field `x-openai-backendurl` of responses.
    pub(crate) expose_backend_url: bool,
    /// Conditions on the requests that the pool takes: one must match. Default: none, and all requests match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) routes: Vec<RouteTable>,
    /// Timeouts of a request.
    #[serde(with = "TimeoutsTable")]
    pub(crate) timeouts: Timeouts,
    /// Limits of a request.
    #[serde(with = "LimitsTable")]
    pub(crate) limits: PoolLimits,
    /// Time for which a backend is closed after a refusal.
    pub(crate) cooldown: CooldownTable,
    /// Class of all answers with a status, such as `404 = "declined"`. It decides if the request
    /// goes to the next backend, and if this one is closed.
    #[schemars(example = BTreeMap::from([("404", "declined")]))]
    pub(crate) statuses: BTreeMap<String, ClassWord>,
    /// Rules that keep related requests at one backend. Default: none.
    pub(crate) affinity: Option<AffinityTable>,
    /// Header fields to set or remove in responses of all backends.
    #[serde(skip_serializing_if = "HeadersTable::is_empty")]
    pub(crate) response_headers: HeadersTable,
    /// The backends, at least one.
    #[schemars(required, length(min = 1))]
    pub(crate) backends: Vec<BackendTable>,
}

impl Default for PoolTable {
    fn default() -> Self {
        Self {
            name: "default".into(),
            when_exhausted: WhenExhausted::default(),
            expose_backend_url: false,
            routes: Vec::new(),
            timeouts: Timeouts::default(),
            limits: PoolLimits::default(),
            cooldown: CooldownTable::default(),
            statuses: BTreeMap::new(),
            affinity: None,
            response_headers: HeadersTable::default(),
            backends: Vec::new(),
        }
    }
}

/// Timeouts of a request.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(
    remote = "Timeouts",
    default = "Timeouts::default",
    deny_unknown_fields
)]
pub(crate) struct TimeoutsTable {
    /// Longest time to connect to a backend.
    #[serde(with = "Timeout")]
    connect: Duration,
    /// Longest time from the start of an attempt to its response head. Then the request goes to the next backend.
    #[serde(with = "Timeout")]
    response_head: Duration,
    /// Longest time that a stream is held back for its first content, because an error may come in its place. Then it is passed
    /// on as it is.
    #[serde(with = "Pause")]
    first_event: Duration,
    /// Longest time from the start of an attempt to the first content of a stream. Then the request goes to the next backend, if
    /// one is left.
    #[serde(with = "Limit::<Timeout>")]
    first_token: Option<Duration>,
    /// Longest time between two chunks of a response body.
    #[serde(with = "Limit::<Timeout>")]
    idle: Option<Duration>,
    /// Time after the arrival of a request from which no further attempt begins.
    #[serde(with = "Limit::<Timeout>")]
    retry_deadline: Option<Duration>,
    /// Longest time from the arrival of a request to the end of its response.
    #[serde(with = "Limit::<Timeout>")]
    total: Option<Duration>,
}

/// Limits of a request.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(
    remote = "PoolLimits",
    default = "PoolLimits::default",
    deny_unknown_fields
)]
#[schemars(rename = "Limits")]
pub(crate) struct LimitsTable {
    /// Greatest size of a request body. A longer one is refused.
    #[serde(with = "Limit::<Size<u64>>")]
    body: Option<u64>,
    /// Greatest size of a request body that is saved for another attempt. A longer one is sent once.
    #[serde(with = "Size::<usize>")]
    replay: usize,
    /// Greatest size of all saved request bodies together.
    #[serde(with = "Size::<usize>")]
    replay_total: usize,
    /// Greatest number of attempts for a request.
    #[serde(with = "Limit::<NonZeroU32>")]
    max_attempts: Option<NonZeroU32>,
}

/// Time for which a backend is closed after a refusal: the time that the refusal names, within bounds, or else a default.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Cooldown")]
pub(crate) struct CooldownTable {
    /// Time after a refusal that names none.
    #[serde(with = "Pause")]
    pub(crate) default: Duration,
    /// Longest time, whatever the refusal names.
    #[serde(with = "Timeout")]
    pub(crate) cap: Duration,
    /// Time after a quota is used up, if the refusal names none.
    #[serde(with = "LongPause")]
    pub(crate) quota_default: Duration,
    /// Longest time after a quota is used up.
    #[serde(with = "LongPause")]
    pub(crate) quota_cap: Duration,
    /// Lengthens each time at random by up to this share, so that many instances do not return in one instant.
    #[serde(deserialize_with = "share")]
    #[schemars(range(min = 0, max = 1))]
    pub(crate) jitter: f64,
}

impl Default for CooldownTable {
    fn default() -> Self {
        let cooldown = |class| Cooldowns::default().resolve(class, None, 0);
        let (usual, quota) = (cooldown(Class::Throttled), cooldown(Class::Quota));
        Self {
            default: usual.duration(),
            cap: usual.cap(),
            quota_default: quota.duration(),
            quota_cap: quota.cap(),
            jitter: 0.0,
        }
    }
}

impl Check<'_> {
    pub(super) fn pools(&mut self, list: &Path, tables: &[PoolTable]) -> Vec<PoolConfig> {
        if tables.is_empty() {
            let expected = "at least one [[pools]] with a [[pools.backends]]";
            self.missing(list, expected);
        }
        let mut pools = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let path = list.index(index);
            let before = &tables[..index];
            self.refuse_double(&path.key("name"), ("pools", before), "name", |other| {
                other.name == table.name
            });
            let takes_all = |pool: &PoolTable| pool.routes.is_empty();
            if let Some(other) = before.iter().position(takes_all)
                && !self.origin.is_wrong(&list.index(other).key("routes"))
            {
                let message = format!(
                    "no request gets here: pools[{other}] has no routes, so it takes all; expected it last"
                );
                self.problem(&path, message);
            }
            pools.push(self.pool(&path, table));
        }
        pools
    }

    fn pool(&mut self, path: &Path, table: &PoolTable) -> PoolConfig {
        let name = self.keep(&path.key("name"), values::label(&table.name));
        PoolConfig {
            name: name.unwrap_or_default(),
            routes: self.routes(&path.key("routes"), &table.routes),
            backends: self.backends(&path.key("backends"), &table.backends),
            timeouts: table.timeouts.clone(),
            limits: table.limits.clone(),
            classifier: self.statuses(&path.key("statuses"), &table.statuses),
            cooldowns: self.cooldowns(&path.key("cooldown"), &table.cooldown),
            when_exhausted: table.when_exhausted,
            affinity: table
                .affinity
                .as_ref()
                .map(|affinity| self.affinity(&path.key("affinity"), affinity))
                .unwrap_or_default(),
            response_headers: self.headers(&path.key("response_headers"), &table.response_headers),
            expose_backend_url: table.expose_backend_url,
        }
    }

    fn statuses(
        &mut self,
        path: &Path,
        statuses: &BTreeMap<String, ClassWord>,
    ) -> StatusClassifier {
        let mut classifier = StatusClassifier::new();
        for (digits, class) in statuses {
            if let Some(status) = self.keep(&path.key(digits), status(digits)) {
                classifier = classifier.with_status(status, (*class).into());
            }
        }
        classifier
    }

    fn cooldowns(&mut self, path: &Path, table: &CooldownTable) -> Cooldowns {
        for (prefix, default, cap) in [
            ("", table.default, table.cap),
            ("quota_", table.quota_default, table.quota_cap),
        ] {
            let [path, path_of_cap] =
                ["default", "cap"].map(|key| path.key(&format!("{prefix}{key}")));
            if default > cap && !self.origin.is_wrong(&path_of_cap) {
                self.expected(&path, "a duration that is not above its cap");
            }
        }
        Cooldowns::default()
            .default_cooldown(table.default)
            .cap(table.cap)
            .default_quota_cooldown(table.quota_default)
            .quota_cap(table.quota_cap)
            .jitter(table.jitter)
    }
}

fn status(digits: &str) -> Result<StatusCode, &'static str> {
    let status = digits.parse().ok().filter(|_| digits.len() == 3);
    let status = status.filter(|status| (200..=599).contains(status));
    status
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or("a status from 200 to 599 in the place of the key")
}
