use std::{fmt, sync::Arc, time::Duration};

use http::{Response, request::Parts};
use spillover_core::{Backend, BackendKind, Exhausted, Pool, StatusClassifier};
use spillover_proxy::{
    final_response::{BackendFields, FinalResponseLayer, all_closed},
    limits::RequestLimitsLayer,
    request_rules::{RequestRules, RequestRulesLayer},
    upstream::{ConnectSettings, UpstreamBody},
};
use tower::retry::budget::TpsBudget;
use tower_spillover::{
    affinity::{BindAffinityLayer, KnownIds},
    model::Uses,
    retry::ReplayLimits,
    select::{ThreadDraw, WhenExhausted},
    stack::{ResponseBody, SpilloverLayer},
};

use super::TokensByScope;
use crate::runtime::{BackendConfig, PoolConfig, Route, Timeouts};

/// A pool at runtime: its settings, and the layers that are built from them.
pub(crate) struct PoolRuntime {
    name: Arc<str>,
    config: PoolConfig,
    pool: Pool,
    final_response: FinalResponseLayer,
    spillover: Spillover,
    request_rules: RequestRulesLayer,
    connect_settings: Vec<ConnectSettings>,
    affinity: BindAffinityLayer,
    known_ids: KnownIds,
}

type Spillover = SpilloverLayer<StatusClassifier, ThreadDraw, AllClosed>;

/// Function that writes the response when every backend is closed.
pub(crate) type AllClosed = fn(&Exhausted, &Parts) -> Response<PoolBody>;

/// Response body of a pool's stack.
pub(crate) type PoolBody = ResponseBody<UpstreamBody>;

impl PoolRuntime {
    pub(super) fn new(
        config: PoolConfig,
        pool: Pool,
        known_ids: KnownIds,
        tokens: &TokensByScope,
    ) -> Self {
        Self {
            name: config.name.as_str().into(),
            final_response: final_response(&config),
            spillover: spillover(&config, pool.clone()),
            request_rules: request_rules(&config.backends, tokens),
            connect_settings: connect_settings(&config),
            affinity: BindAffinityLayer::new(config.affinity.clone()).known_ids(known_ids.clone()),
            pool,
            config,
            known_ids,
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
        self.config.affinity.body_fields()
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
    pub(crate) fn final_response_layer(&self) -> FinalResponseLayer {
        self.final_response.clone()
    }

    /// Returns the layer that limits the body size and the total time of a request.
    pub(crate) fn request_limits_layer(&self) -> RequestLimitsLayer {
        RequestLimitsLayer::new(self.config.limits.body, self.config.timeouts.total)
    }

    /// Returns the affinity layer.
    pub(crate) fn affinity_layer(&self) -> BindAffinityLayer {
        self.affinity.clone()
    }

    /// Returns the ids of objects that the backends have created.
    pub(super) fn known_ids(&self) -> &KnownIds {
        &self.known_ids
    }

    /// Returns the stack of tower-spillover that selects backends and retries.
    pub(crate) fn spillover_layer(&self) -> Spillover {
        self.spillover.clone()
    }

    /// Returns the layer that adapts the request of an attempt to its backend.
    pub(crate) fn request_rules_layer(&self) -> RequestRulesLayer {
        self.request_rules.clone()
    }
}

impl fmt::Debug for PoolRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolRuntime")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn connect_settings(config: &PoolConfig) -> Vec<ConnectSettings> {
    let backends = config.backends.iter();
    let settings = backends.map(|config_of_backend| {
        let needs_tls = config_of_backend.backend.scheme() == "https";
        let mut settings = ConnectSettings::new(needs_tls);
        settings.timeout = config.timeouts.connect;
        settings.ca.clone_from(&config_of_backend.ca);
        settings.protocol = config_of_backend.protocol;
        settings
    });
    settings.collect()
}

fn final_response(config: &PoolConfig) -> FinalResponseLayer {
    let fields = config.backends.iter().map(|config_of_backend| {
        let backend = &config_of_backend.backend;
        let fields = BackendFields::new(backend).rules(config_of_backend.response_headers.clone());
        match config.expose_backend_url {
            true => fields.expose_url(backend),
            false => fields,
        }
    });
    FinalResponseLayer::new(fields).rules(config.response_headers.clone())
}

/// Builds the rules of each backend. `tokens` serve the backends whose credential is Entra ID.
fn request_rules(backends: &[BackendConfig], tokens: &TokensByScope) -> RequestRulesLayer {
    RequestRulesLayer::new(backends.iter().map(|config| {
        let rules = RequestRules::new(&config.backend).headers(config.request_headers.clone());
        match config.token_scope().and_then(|scope| tokens.get(&scope)) {
            Some(tokens) => {
                let tokens = tokens.clone();
                rules.bearer(move || Ok(tokens.bearer()?))
            }
            None => rules,
        }
    }))
}

fn spillover(config: &PoolConfig, pool: Pool) -> Spillover {
    let PoolConfig {
        timeouts, limits, ..
    } = config;
    let replay = ReplayLimits::default()
        .per_request(limits.replay)
        .total(limits.replay_total);
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
