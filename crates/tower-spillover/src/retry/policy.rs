use std::future::Ready;

use http::{HeaderName, HeaderValue, Request, Response};
use spillover_core::{Class, Classify, StatusClassifier, Tried};
use tower::retry::Policy;

use super::{
    ReplayBody,
    bounds::{Bounds, Progress, is_resend_due},
};
use crate::class::class_of;

/// Retries a refusal at once, as long as another backend is left.
///
/// It reads the class of an answer from the [`Outcome`](spillover_core::Outcome) in its extensions. Where there is none, it
/// classifies itself.
#[derive(Clone, Debug, Default)]
pub struct ThrottlePolicy<C = StatusClassifier> {
    pub(super) classify: C,
    pub(super) bounds: Bounds,
    /// In the copy of the policy that belongs to one request.
    progress: Progress,
}

impl<C> ThrottlePolicy<C> {
    pub(super) fn new(classify: C, bounds: Bounds) -> Self {
        Self {
            classify,
            bounds,
            progress: Progress::default(),
        }
    }

    /// The class of a refusal after which another backend may be asked.
    pub(super) fn refusal<ResBody, E>(&self, result: &Result<Response<ResBody>, E>) -> Option<Class>
    where
        C: Classify<E>,
    {
        let (class, may_retry) = class_of(result, &self.classify);
        may_retry.then_some(class)
    }

    /// Whether another attempt is made after a refusal of this class: then `body` can be read, and nobody else reads it.
    pub(super) fn allows<'a, B>(
        &self,
        class: Class,
        progress: &mut Progress,
        tried: Option<&Tried>,
        count: impl FnOnce() -> Option<&'a HeaderValue>,
        body: &mut ReplayBody<B>,
    ) -> bool {
        if tried.is_some_and(|tried| tried.is_exhausted() || tried.is_request_failed()) {
            return false;
        }
        let bounds = &self.bounds;
        let is_resend = is_resend_due(tried);
        if !progress.has_attempt_left(bounds, tried)
            || progress.is_late(bounds)
            || !is_resend && !bounds.is_affordable(count)
        {
            return false;
        }
        if !body.take_over() {
            tracing::warn!(
                class = class.as_str(),
                "refused, and not sent to another backend: the request body outgrew the replay limits"
            );
            return false;
        }
        tracing::debug!(
            retry.attempt = progress.attempts,
            class = class.as_str(),
            is_resend,
            "retrying"
        );
        true
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
        let class = self.refusal(result)?;
        let given = || request.extensions().get::<Tried>().cloned();
        let tried = request.body().tried().or_else(given);
        let count = request.headers().get(SDK_RETRY_COUNT).cloned();
        let count = || count.as_ref();
        let mut progress = self.progress;
        let body = request.body_mut();
        let is_allowed = self.allows(class, &mut progress, tried.as_ref(), count, body);
        self.progress = progress;
        is_allowed.then(|| std::future::ready(()))
    }

    fn clone_request(
        &mut self,
        request: &Request<ReplayBody<B>>,
    ) -> Option<Request<ReplayBody<B>>> {
        // The first copy is made before the first attempt, by the policy that all requests begin with.
        if self.progress.attempts == 0 {
            self.progress.begin(&self.bounds);
        }
        let is_last = self.bounds.is_last(&self.progress);
        (!is_last).then(|| request.clone())
    }
}

/// How often the SDK has sent the request before; those of OpenAI and Anthropic say so.
pub(super) const SDK_RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");
