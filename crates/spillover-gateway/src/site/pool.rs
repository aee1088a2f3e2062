use std::{fmt, sync::Arc, time::Duration};

use http::{Response, request::Parts};
use spillover_core::{Backend, BackendKind, Exhausted, Pool, StatusClassifier};
use spillover_proxy::limits::RequestLimitsLayer;
use tower::retry::budget::TpsBudget;
use tower_spillover::{
    model::Uses,
    retry::ReplayLimits,
    select::{ThreadDraw, WhenExhausted},
    stack::{ResponseBody, SpilloverLayer},
};

use super::Names;
use crate::{
    affinity::AffinityKey,
    affinity::{AffinityLayer, ID_FIELDS, KnownIds},
    client::ConnectSettings,
    entra::Tokens,
    last_word::{LastWordLayer, all_closed},
    rules::RulesLayer,
    site::{PoolConfig, Route, Timeouts},
    upstream::UpstreamBody,
};

/// A pool at runtime: its settings, and the layers that are built from them.
pub(crate) struct PoolSite {
    name: Arc<str>,
    config: PoolConfig,
    pool: Pool,
    names: Arc<Names>,
    spillover: Spillover,
    rules: RulesLayer,
    connect_settings: Vec<ConnectSettings>,
    ids: KnownIds,
}

type Spillover = SpilloverLayer<StatusClassifier, ThreadDraw, AllClosed>;

/// Function that writes the response when every backend is closed.
pub(crate) type AllClosed = fn(&Exhausted, &Parts) -> Response<PoolBody>;

/// Response body of a pool's stack.
pub(crate) type PoolBody = ResponseBody<UpstreamBody>;

impl PoolSite {
    pub(super) fn new(
        config: PoolConfig,
        pool: Pool,
        ids: KnownIds,
        tokens: Option<&Tokens>,
    ) -> Self {
        Self {
            name: config.name.as_str().into(),
            names: Arc::new(Names::new(&config)),
            spillover: spillover(&config, pool.clone()),
            rules: RulesLayer::new(&config.backends, tokens),
            connect_settings: connect_settings(&config),
            pool,
            config,
            ids,
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.config.timeouts
    }

    pub(super) fn route_list(&self) -> &[Route] {
        &self.config.routes
    }

    /// Returns the names of the JSON fields that affinity keys are read from.
    pub(super) fn affinity_fields(&self) -> impl Iterator<Item = &str> {
        let config = self.config.affinity.as_ref();
        let keys = config.map_or(&[][..], |config| &config.keys);
        keys.iter().flat_map(|key| match key {
            AffinityKey::BodyField(name) => vec![name.as_str()],
            AffinityKey::Id => ID_FIELDS.to_vec(),
            AffinityKey::Header(_) | AffinityKey::Cookie(_) => Vec::new(),
        })
    }

    /// Returns the purposes for which the model in a body is needed.
    pub(super) fn model_uses(&self) -> Uses {
        let backends = || self.config.backends.iter().map(|config| &config.backend);
        // For these backends the model in the body counts even where the path names a deployment.
        let beside_path = |backend: &Backend| {
            backend.own_model().is_some() || backend.kind() == BackendKind::OpenAi
        };
        Uses {
            is_routed: self.config.routes.iter().any(|route| route.model.is_some()),
            is_replaced: backends().any(|backend| backend.model().is_some()),
            is_replaced_beside_path: backends().any(beside_path),
        }
    }

    /// Returns the connect settings of each backend, by its index.
    pub(crate) fn connect_settings(&self) -> &[ConnectSettings] {
        &self.connect_settings
    }

    /// Returns the layer that finishes the responses.
    pub(crate) fn last_word_layer(&self) -> LastWordLayer {
        LastWordLayer::new(Arc::clone(&self.names))
    }

    /// Returns the layer that limits the body size and the total time of a request.
    pub(crate) fn bounds_layer(&self) -> RequestLimitsLayer {
        RequestLimitsLayer::new(self.config.limits.body, self.config.timeouts.total)
    }

    /// Returns the affinity layer.
    pub(crate) fn affinity_layer(&self) -> AffinityLayer {
        AffinityLayer::new(self.config.affinity.clone(), self.ids.clone())
    }

    /// Returns the ids of objects that the backends have created.
    pub(super) fn ids(&self) -> &KnownIds {
        &self.ids
    }

    /// Returns the stack of tower-spillover that selects backends and retries.
    pub(crate) fn spillover_layer(&self) -> Spillover {
        self.spillover.clone()
    }

    /// Returns the layer that adapts the request of an attempt to its backend.
    pub(crate) fn rules_layer(&self) -> RulesLayer {
        self.rules.clone()
    }
}

impl fmt::Debug for PoolSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolSite")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn connect_settings(config: &PoolConfig) -> Vec<ConnectSettings> {
    let backends = config.backends.iter();
    let settings = backends.map(|config_of_backend| ConnectSettings {
        timeout: config.timeouts.connect,
        needs_tls: config_of_backend.backend.scheme() == "https",
        ca: config_of_backend.ca.clone(),
        protocol: config_of_backend.protocol,
        is_kept: true,
    });
    settings.collect()
}

fn spillover(config: &PoolConfig, pool: Pool) -> Spillover {
    let PoolConfig {
        timeouts, limits, ..
    } = config;
    let mut replay = ReplayLimits::default();
    if let Some(bytes) = limits.replay {
        replay = replay.per_request(bytes);
    }
    if let Some(bytes) = limits.replay_total {
        replay = replay.total(bytes);
    }
    SpilloverLayer::new(pool)
        .with_classify(config.classifier.clone())
        .retry(|retry| {
            let mut retry = retry
                .sdk_retry_budget(TpsBudget::default())
                .replay_limits(replay);
            if let Some(max) = limits.max_attempts {
                retry = retry.max_attempts(max.get());
            }
            // No attempt begins after the total timeout: it would have no time left.
            let deadlines = [timeouts.retry_deadline, timeouts.total];
            match deadlines.into_iter().flatten().min() {
                Some(deadline) => retry.deadline(deadline),
                None => retry,
            }
        })
        .select(|select| {
            let select = select.when_exhausted(within(config.when_exhausted, timeouts.total));
            select.with_exhausted_response(all_closed as AllClosed)
        })
        .tracker(|tracker| tracker.cooldowns(config.cooldowns))
        .peek(|peek| {
            let peek = peek.max_wait(timeouts.first_event);
            match timeouts.first_token {
                Some(limit) => peek.first_token(limit),
                None => peek,
            }
        })
}

/// Limits the wait for an open backend to the total timeout of the request.
fn within(when_exhausted: WhenExhausted, total: Option<Duration>) -> WhenExhausted {
    match (when_exhausted, total) {
        (WhenExhausted::Wait(longest), Some(total)) => WhenExhausted::Wait(longest.min(total)),
        _ => when_exhausted,
    }
}
