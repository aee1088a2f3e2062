use std::{collections::BTreeMap, num::NonZeroU32};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillover_core::{Class, Cooldowns};

use super::{AffinityTable, BackendTable, Check, ClassWord, HeadersTable, RouteTable};
use crate::{
    config::{
        file::Path,
        value::{Exhausted, Limit, Size, Time},
        values,
    },
    site::{PoolConfig, PoolLimits, Timeouts},
};

/// Backends that stand in for each other, and which requests they get.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Pool", extend("required" = ["backends"]))]
pub(crate) struct PoolTable {
    /// What logs, metrics and the keys of clients call it. Unique.
    pub(crate) name: String,
    /// What becomes of a request that finds every backend closed.
    pub(crate) when_exhausted: Exhausted,
    /// Whether responses name the URL of their backend, in `x-openai-backendurl`.
    pub(crate) expose_backend_url: bool,
    /// Which requests it takes. Default: all that no pool before it takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) routes: Vec<RouteTable>,
    /// How long things may take.
    pub(crate) timeouts: TimeoutsTable,
    /// How much things may take.
    pub(crate) limits: LimitsTable,
    /// For how long a refusal closes a backend.
    pub(crate) cooldown: CooldownTable,
    /// What answers with a status mean, whatever else they say: whether the request moves on, and whether the backend is
    /// closed.
    #[schemars(example = BTreeMap::from([("404", "declined")]))]
    pub(crate) statuses: BTreeMap<String, ClassWord>,
    /// What keeps requests that belong together at one backend. Default: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) affinity: Option<AffinityTable>,
    /// Fields of the responses of all its backends.
    #[serde(skip_serializing_if = "HeadersTable::is_empty")]
    pub(crate) response_headers: HeadersTable,
    /// The backends.
    #[schemars(required, length(min = 1))]
    pub(crate) backends: Vec<BackendTable>,
}

impl Default for PoolTable {
    fn default() -> Self {
        Self {
            name: "default".into(),
            when_exhausted: Exhausted::default(),
            expose_backend_url: false,
            routes: Vec::new(),
            timeouts: TimeoutsTable::default(),
            limits: LimitsTable::default(),
            cooldown: CooldownTable::default(),
            statuses: BTreeMap::new(),
            affinity: None,
            response_headers: HeadersTable::default(),
            backends: Vec::new(),
        }
    }
}

/// How long things may take.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Timeouts")]
pub(crate) struct TimeoutsTable {
    /// To a connection with a backend.
    pub(crate) connect: Time,
    /// To the head of the response. Then the request moves on.
    pub(crate) response_head: Time,
    /// To the first content of a stream, which is held until then: an error may come in its place. Then it goes out as it is.
    pub(crate) first_event: Time,
    /// To the first content of a stream, from when the attempt began. Then the request moves on, if another backend is left.
    pub(crate) first_token: Limit<Time>,
    /// Between two chunks of a response body.
    pub(crate) idle: Limit<Time>,
    /// From when the request came to when the last attempt begins.
    pub(crate) retry_deadline: Limit<Time>,
    /// From when the request came to the end of the response.
    pub(crate) total: Limit<Time>,
}

impl Default for TimeoutsTable {
    fn default() -> Self {
        let timeouts = Timeouts::default();
        Self {
            connect: Time(timeouts.connect),
            response_head: Time(timeouts.response_head),
            first_event: Time(timeouts.first_event),
            first_token: timeouts.first_token.map(Time).into(),
            idle: timeouts.idle.map(Time).into(),
            retry_deadline: timeouts.retry_deadline.map(Time).into(),
            total: timeouts.total.map(Time).into(),
        }
    }
}

/// How much things may take.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub(crate) struct LimitsTable {
    /// Of a request body. A longer one is refused.
    pub(crate) body: Limit<Size>,
    /// Of a request body that is kept for another attempt. A longer one is sent once.
    pub(crate) replay: Size,
    /// The same, of all requests together.
    pub(crate) replay_total: Size,
    /// How many backends a request may try.
    pub(crate) max_attempts: Limit<NonZeroU32>,
}

impl Default for LimitsTable {
    fn default() -> Self {
        Self {
            body: Limit::Off,
            // Those of the layer: transcription endpoints take files of 25 MB.
            replay: Size(32 * Size::MIB),
            replay_total: Size(Size::GIB),
            max_attempts: Limit::Off,
        }
    }
}

/// For how long a refusal closes a backend: for as long as it says, within bounds, or else for a default.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Cooldown")]
pub(crate) struct CooldownTable {
    /// When the backend does not say.
    pub(crate) default: Time,
    /// The longest, whatever the backend says.
    pub(crate) cap: Time,
    /// The default when a quota is used up.
    pub(crate) quota_default: Time,
    /// The longest when a quota is used up.
    pub(crate) quota_cap: Time,
    /// Lengthens each by up to this share of it, at random, so that many instances do not come back in one instant.
    #[schemars(range(min = 0, max = 1))]
    pub(crate) jitter: f64,
}

impl Default for CooldownTable {
    fn default() -> Self {
        let of = |class| Cooldowns::default().resolve(class, None, 0);
        let (usual, quota) = (of(Class::Throttled), of(Class::Quota));
        Self {
            default: Time(usual.duration()),
            cap: Time(usual.cap()),
            quota_default: Time(quota.duration()),
            quota_cap: Time(quota.cap()),
            jitter: 0.0,
        }
    }
}

impl Check<'_> {
    pub(super) fn pools(&mut self, list: &Path, tables: &[PoolTable]) -> Vec<PoolConfig> {
        if tables.is_empty() && !self.origin.is_wrong(list) {
            self.problem(
                list,
                "not set; expected at least one [[pools]] with a [[pools.backends]]",
            );
        }
        let mut pools = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let path = list.index(index);
            let before = &tables[..index];
            if let Some(other) = before.iter().position(|other| other.name == table.name) {
                let message = format!("pools[{other}] has this name; expected one of its own");
                self.problem(&path.key("name"), message);
            }
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
            timeouts: self.timeouts(&path.key("timeouts"), &table.timeouts),
            limits: self.limits(&path.key("limits"), &table.limits),
            classifier: self.statuses(&path.key("statuses"), &table.statuses),
            cooldowns: self.cooldowns(&path.key("cooldown"), &table.cooldown),
            when_exhausted: table.when_exhausted.0,
            affinity: table
                .affinity
                .as_ref()
                .map(|affinity| self.affinity(&path.key("affinity"), affinity)),
            response_headers: self.headers(&path.key("response_headers"), &table.response_headers),
            expose_backend_url: table.expose_backend_url,
        }
    }

    fn timeouts(&mut self, path: &Path, table: &TimeoutsTable) -> Timeouts {
        Timeouts {
            connect: self.timeout(&path.key("connect"), table.connect),
            response_head: self.timeout(&path.key("response_head"), table.response_head),
            first_event: self.pause(&path.key("first_event"), table.first_event),
            first_token: self.timeout_or_off(&path.key("first_token"), table.first_token),
            idle: self.timeout_or_off(&path.key("idle"), table.idle),
            retry_deadline: self.timeout_or_off(&path.key("retry_deadline"), table.retry_deadline),
            total: self.timeout_or_off(&path.key("total"), table.total),
        }
    }

    fn limits(&mut self, path: &Path, table: &LimitsTable) -> PoolLimits {
        PoolLimits {
            body: table.body.get().map(|size| size.0),
            replay: Some(self.bytes(&path.key("replay"), table.replay)),
            replay_total: Some(self.bytes(&path.key("replay_total"), table.replay_total)),
            max_attempts: table.max_attempts.get(),
        }
    }

    fn cooldowns(&mut self, path: &Path, table: &CooldownTable) -> Cooldowns {
        for (default, cap, name) in [
            (table.default, table.cap, "default"),
            (table.quota_default, table.quota_cap, "quota_default"),
        ] {
            if default.0 > cap.0 {
                self.expected(&path.key(name), "a duration that is not above its cap");
            }
        }
        let jitter = self.within(
            &path.key("jitter"),
            table.jitter,
            &(0.0..=1.0),
            "a number from 0 to 1",
        );
        Cooldowns::default()
            .default_cooldown(self.pause(&path.key("default"), table.default))
            .cap(self.timeout(&path.key("cap"), table.cap))
            .default_quota_cooldown(
                self.long_pause(&path.key("quota_default"), table.quota_default),
            )
            .quota_cap(self.long_pause(&path.key("quota_cap"), table.quota_cap))
            .jitter(jitter)
    }
}
