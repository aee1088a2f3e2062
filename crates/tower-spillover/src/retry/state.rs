//! The decision about another attempt, and what one request needs for it.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{Extensions, Method, Request, Response, Uri, Version};
use spillover_core::{Attempts, Classify, layer::AttemptsProtocol};
use tokio::time::Instant;
use tower::retry::budget::{Budget, TpsBudget};

use super::{ReplayBody, recording::SavedHead};
use crate::class::class_of;

/// The rules for another attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy<C> {
    pub(super) classify: C,
    pub(crate) bounds: Bounds,
}

/// The bounds of the attempts of one request, beside the number of backends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) max_attempts: Option<NonZeroU32>,
    pub(crate) deadline: Option<Duration>,
    /// The number of backends, if it bounds the attempts.
    pub(crate) backends: Option<NonZeroU32>,
    pub(super) sdk_retry_budget: Option<Arc<TpsBudget>>,
}

/// The service that attempts after the first are made with.
///
/// All requests share it, because few are refused: a clone of the service for each request would change every counter that
/// clones share.
pub(super) struct Template<S, C> {
    pub(super) policy: Policy<C>,
    service: Mutex<S>,
}

/// The state that one request needs for another attempt.
pub(super) struct RetryState<S, C, B> {
    pub(super) template: Arc<Template<S, C>>,
    progress: Progress,
    saved: SavedRequest<B>,
}

/// The attempts of one request so far.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// The arrival of the request, if there is a deadline.
    begun: Option<Instant>,
    /// Attempts made, hedges among them, without those that sent the request to the same backend once more.
    attempts: u32,
    /// The number of attempts that sent the request to the same backend once more.
    resends: u32,
    /// The number of attempts for which a backend was chosen.
    chosen: u32,
}

impl<S, C, B> RetryState<S, C, B> {
    /// Creates the state before the first attempt.
    pub(super) fn begin(
        template: &Arc<Template<S, C>>,
        request: &Request<ReplayBody<B>>,
        attempts: &Attempts,
    ) -> Self {
        let bounds = &template.policy.bounds;
        let progress = Progress {
            begun: bounds.deadline.map(|_| Instant::now()),
            ..Progress::default()
        };
        if bounds.is_last_backend(&progress) {
            attempts.set_last();
        }
        Self {
            template: Arc::clone(template),
            progress,
            saved: SavedRequest::new(request),
        }
    }

    /// Returns true if it is too late for another attempt.
    pub(super) fn is_late(&self) -> bool {
        self.progress.is_late(&self.template.policy.bounds)
    }

    /// Returns the service for another attempt if there is to be one after this answer. The service is not ready.
    pub(super) fn service_after<ResBody, E>(
        &mut self,
        result: &Result<Response<ResBody>, E>,
        attempts: &Attempts,
    ) -> Option<S>
    where
        S: Clone,
        C: Classify<E>,
    {
        let Policy { classify, bounds } = &self.template.policy;
        let (class, may_retry) = class_of(result, classify);
        if !may_retry || attempts.is_exhausted() || attempts.is_request_failed() {
            return None;
        }
        let is_resend = attempts.resend_to().is_some();
        if !self.progress.has_attempt_left(bounds, attempts) || self.progress.is_late(bounds) {
            return None;
        }
        if !is_resend && !bounds.is_affordable(|| self.saved.head.is_retry_of_client()) {
            return None;
        }
        let class = class.as_str();
        if !self.saved.body.take_over() {
            tracing::warn!(
                class,
                "refused, and not sent to another backend: the request body outgrew the replay limits"
            );
            return None;
        }
        let attempts = self.progress.attempts;
        tracing::debug!(retry.attempt = attempts, class, is_resend, "retrying");
        Some(self.template.service())
    }

    /// Returns the request for the next attempt, and the state for the one after that if there may be one.
    pub(super) fn next_request(
        self,
        attempts: &Attempts,
    ) -> (Request<ReplayBody<B>>, Option<Self>) {
        let Self {
            template,
            progress,
            saved,
        } = self;
        let bounds = &template.policy.bounds;
        if bounds.is_last_backend(&progress) {
            attempts.set_last();
        }
        let is_last = bounds.is_last(&progress);
        let next = (!is_last).then(|| saved.clone());
        let state = next.map(|saved| Self {
            template,
            progress,
            saved,
        });
        (saved.into_request(attempts.clone()), state)
    }
}

impl<S: Clone, C> Template<S, C> {
    pub(super) fn new(service: &S, policy: Policy<C>) -> Arc<Self> {
        Arc::new(Self {
            policy,
            service: Mutex::new(service.clone()),
        })
    }

    /// Returns a clone of the service, which is not ready.
    pub(super) fn service(&self) -> S {
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        service.clone()
    }
}

impl<S, C: fmt::Debug> fmt::Debug for Template<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Bounds {
    /// Returns true if no other backend gets the request after the next attempt.
    fn is_last_backend(&self, progress: &Progress) -> bool {
        let bounds = [self.max_attempts, self.backends];
        let mut bounds = bounds.into_iter().flatten();
        bounds.any(|most| progress.attempts + 1 >= most.get())
    }

    /// Returns true if the next attempt is the last, so that no copy of the request is needed. The last backend may still get
    /// the request once more, unless it has had it so.
    fn is_last(&self, progress: &Progress) -> bool {
        progress.resends > progress.attempts && self.is_last_backend(progress)
    }

    /// Returns true if the budget has room for another attempt. Only retries of a client need room.
    fn is_affordable(&self, is_retry_of_client: impl FnOnce() -> bool) -> bool {
        let Some(budget) = &self.sdk_retry_budget else {
            return true;
        };
        let is_affordable = !is_retry_of_client() || budget.withdraw();
        if !is_affordable {
            tracing::debug!(
                "refused, and not sent to another backend: too many retries of clients"
            );
        }
        is_affordable
    }
}

impl Progress {
    /// Counts an attempt that was refused. Returns true if another one could go elsewhere, or was asked for all the same.
    fn has_attempt_left(&mut self, bounds: &Bounds, attempts: &Attempts) -> bool {
        let chosen = attempts.count();
        let is_chosen = chosen > std::mem::replace(&mut self.chosen, chosen);
        if attempts.resend_to().is_some() {
            // A resend and the unprocessed attempt before it count as one attempt.
            self.resends += 1;
            return true;
        }
        // An inner layer that hedges makes more than one attempt at a time.
        self.attempts = (self.attempts + 1).max(chosen.saturating_sub(self.resends));
        match bounds.max_attempts {
            Some(max) => self.attempts < max.get(),
            None => is_chosen,
        }
    }

    fn is_late(&self, bounds: &Bounds) -> bool {
        match (self.begun, bounds.deadline) {
            (Some(begun), Some(deadline)) => Instant::now() - begun >= deadline,
            _ => false,
        }
    }
}

/// A copy of the original request.
struct SavedRequest<B> {
    method: Method,
    uri: Uri,
    version: Version,
    head: SavedHead,
    extensions: Extensions,
    body: ReplayBody<B>,
}

impl<B> SavedRequest<B> {
    fn new(request: &Request<ReplayBody<B>>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            head: SavedHead::new(request.headers()),
            extensions: request.extensions().clone(),
            body: request.body().clone(),
        }
    }

    /// Returns the request as it came, with `attempts` in its extensions.
    fn into_request(self, attempts: Attempts) -> Request<ReplayBody<B>> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.head.to_map();
        *request.extensions_mut() = self.extensions;
        request.extensions_mut().insert(attempts);
        request
    }
}

impl<B> Clone for SavedRequest<B> {
    fn clone(&self) -> Self {
        Self {
            method: self.method.clone(),
            uri: self.uri.clone(),
            version: self.version,
            head: self.head.clone(),
            extensions: self.extensions.clone(),
            body: self.body.clone(),
        }
    }
}
