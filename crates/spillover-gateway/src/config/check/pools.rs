use spillover_core::Cooldowns;

use super::Check;
use crate::{
    config::{
        file::{CooldownTable, LimitsTable, Path, PoolTable, TimeoutsTable},
        values,
    },
    site::{PoolConfig, PoolLimits, Timeouts},
};

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
