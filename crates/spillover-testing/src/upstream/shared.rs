use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;
use tokio::{sync::watch, time::Instant};

use super::{
    behavior::Behavior,
    provider::Provider,
    record::{RecordedRequest, Stats},
};
use crate::{
    limit::{Admitted, Limit, Refused},
    sync::lock,
};

/// The state that the server, its connections and its handles share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) behaviors: Mutex<Behaviors>,
    pub(super) requests: Mutex<VecDeque<RecordedRequest>>,
    pub(super) stats: watch::Sender<Stats>,
    limits: Mutex<Limits>,
    started: Instant,
    replies: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) provider: Option<Provider>,
    pub(super) name: Option<HeaderValue>,
    pub(super) api_key: Option<String>,
    pub(super) latency: Duration,
    pub(super) token_interval: Duration,
    pub(super) reply: String,
    pub(super) recorded: usize,
}

#[derive(Debug)]
pub(super) struct Behaviors {
    pub(super) queue: VecDeque<Behavior>,
    pub(super) default: Behavior,
}

#[derive(Debug, Default)]
pub(super) struct Limits {
    pub(super) shared: Option<Limit>,
    pub(super) by_deployment: HashMap<String, Limit>,
}

impl Limits {
    fn limit_of(&mut self, deployment: &str) -> Option<&mut Limit> {
        let own = self.by_deployment.get_mut(deployment);
        own.or(self.shared.as_mut())
    }
}

impl Shared {
    pub(super) fn new(settings: Settings, limits: Limits, default: Behavior) -> Self {
        let queue = VecDeque::new();
        Self {
            settings,
            behaviors: Mutex::new(Behaviors { queue, default }),
            requests: Mutex::default(),
            stats: watch::Sender::new(Stats::default()),
            limits: Mutex::new(limits),
            started: Instant::now(),
            replies: AtomicU64::new(0),
        }
    }

    pub(super) fn next_behavior(&self) -> Behavior {
        let mut behaviors = lock(&self.behaviors);
        let queued = behaviors.queue.pop_front();
        queued.unwrap_or_else(|| behaviors.default.clone())
    }

    pub(super) fn next_reply(&self) -> u64 {
        self.replies.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Stats)) {
        self.stats.send_modify(change);
    }

    pub(super) fn record(&self, request: RecordedRequest) {
        let mut requests = lock(&self.requests);
        requests.push_back(request);
        while requests.len() > self.settings.recorded {
            requests.pop_front();
        }
    }

    /// Admits everything if no limit is set.
    pub(super) fn admit(
        &self,
        deployment: &str,
        prompt_tokens: u64,
        max_tokens: u64,
    ) -> Result<Option<Admitted>, Refused> {
        let now = self.now();
        let mut limits = lock(&self.limits);
        let limit = limits.limit_of(deployment);
        limit
            .map(|limit| limit.admit(now, prompt_tokens, max_tokens))
            .transpose()
    }

    pub(super) fn finish(&self, deployment: &str, max_tokens: u64, output_tokens: u64) {
        let now = self.now();
        if let Some(limit) = lock(&self.limits).limit_of(deployment) {
            limit.finish(now, max_tokens, output_tokens);
        }
    }

    pub(super) fn set_limit(&self, limit: Option<Limit>) {
        lock(&self.limits).shared = limit;
    }

    fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.started)
    }
}

/// Sleeps, but not for zero time: a timer would round that up to a millisecond.
pub(super) async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
