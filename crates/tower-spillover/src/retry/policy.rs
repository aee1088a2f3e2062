use std::{future::Ready, num::NonZeroU32, sync::Arc, time::Duration};

use http::{HeaderName, Request, Response};
use spillover_core::{Classify, StatusClassifier, Tried};
use tokio::time::Instant;
use tower::retry::{
    Policy,
    budget::{Budget, TpsBudget},
};

use super::ReplayBody;
use crate::class::class_of;

/// Retries a refusal at once, as long as another backend is left.
///
/// It reads the class of an answer from the [`Outcome`](spillover_core::Outcome) in its extensions. Where there is none, it
/// classifies itself.
#[derive(Clone, Debug, Default)]
pub struct ThrottlePolicy<C = StatusClassifier> {
    classify: C,
    bounds: Bounds,
    /// When the request came, where a deadline depends on it.
    begun: Option<Instant>,
    /// Attempts made, hedges among them, in the copy of the policy that belongs to one request.
    attempts: u32,
    /// How many of them somebody chose a backend for.
    chosen: u32,
}

impl<C> ThrottlePolicy<C> {
    pub(super) fn new(classify: C, bounds: Bounds) -> Self {
        Self {
            classify,
            bounds,
            begun: None,
            attempts: 0,
            chosen: 0,
        }
    }

    fn is_late(&self) -> bool {
        match (self.begun, self.bounds.deadline) {
            (Some(begun), Some(deadline)) => Instant::now() - begun >= deadline,
            _ => false,
        }
    }

    /// Whether the budget has room for another attempt, if the request is itself the retry of a client.
    fn is_affordable<B>(&self, request: &Request<B>) -> bool {
        let Some(budget) = &self.bounds.sdk_retry_budget else {
            return true;
        };
        let count = request.headers().get(SDK_RETRY_COUNT);
        let is_retry = count.is_some_and(|count| count != "0");
        let is_affordable = !is_retry || budget.withdraw();
        if !is_affordable {
            tracing::debug!(
                "refused, and not sent to another backend: too many retries of clients"
            );
        }
        is_affordable
    }

    /// Whether the next attempt is the last: then nobody needs a copy of the request.
    fn is_last(&self) -> bool {
        let bounds = [self.bounds.max_attempts, self.bounds.backends];
        let mut bounds = bounds.into_iter().flatten();
        bounds.any(|most| self.attempts + 1 >= most.get())
    }

    /// Whether another attempt could go elsewhere, or was asked for all the same.
    fn has_attempt_left(&mut self, tried: Option<&Tried>) -> bool {
        let chosen = tried.map_or(0, Tried::attempts);
        let is_chosen = chosen > std::mem::replace(&mut self.chosen, chosen);
        // A layer inside that hedges makes more than one.
        self.attempts = (self.attempts + 1).max(chosen);
        match self.bounds.max_attempts {
            Some(max) => self.attempts < max.get(),
            None => is_chosen,
        }
    }
}

impl<B, ResBody, E, C> Policy<Request<ReplayBody<B>>, Response<ResBody>, E> for ThrottlePolicy<C>
where
    C: Classify<E>,
{
    type Future = Ready<()>;

    fn retry(
        &mut self,
        request: &mut Request<ReplayBody<B>>,
        result: &mut Result<Response<ResBody>, E>,
    ) -> Option<Self::Future> {
        let (class, may_retry) = class_of(result, &self.classify);
        if !may_retry {
            return None;
        }
        let given = || request.extensions().get::<Tried>().cloned();
        let tried = request.body().tried().or_else(given);
        let tried = tried.as_ref();
        if tried.is_some_and(|tried| tried.is_exhausted() || tried.is_request_failed()) {
            return None;
        }
        if !self.has_attempt_left(tried) || self.is_late() || !self.is_affordable(request) {
            return None;
        }
        if !request.body_mut().take_over() {
            tracing::warn!(
                class = class.as_str(),
                "refused, and not sent to another backend: the request body outgrew the replay limits"
            );
            return None;
        }
        tracing::debug!(
            retry.attempt = self.attempts,
            class = class.as_str(),
            "retrying"
        );
        Some(std::future::ready(()))
    }

    fn clone_request(
        &mut self,
        request: &Request<ReplayBody<B>>,
    ) -> Option<Request<ReplayBody<B>>> {
        // The first copy is made before the first attempt, by the policy that all requests begin with.
        if self.bounds.deadline.is_some() && self.attempts == 0 {
            self.begun = Some(Instant::now());
        }
        (!self.is_last()).then(|| request.clone())
    }
}

/// What bounds the attempts of one request, beside the number of backends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) max_attempts: Option<NonZeroU32>,
    pub(crate) deadline: Option<Duration>,
    /// How many backends there are, where that is known.
    pub(crate) backends: Option<NonZeroU32>,
    pub(super) sdk_retry_budget: Option<Arc<TpsBudget>>,
}

/// How often the SDK has sent the request before; those of OpenAI and Anthropic say so.
const SDK_RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");
