use std::{future::Ready, num::NonZeroU32};

use http::{Request, Response};
use spillover_core::{Answer, Class, Classify, Outcome, StatusClassifier, Tried};
use tower::retry::Policy;

use super::ReplayBody;

/// Retries a refusal at once, as long as another backend is left.
///
/// It reads the class of an answer from the [`Outcome`] in its extensions. Where there is none, it classifies itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThrottlePolicy<C = StatusClassifier> {
    classify: C,
    max_attempts: Option<NonZeroU32>,
    /// Attempts made, in the copy of the policy that belongs to one request.
    attempts: u32,
    /// How many of them somebody chose a backend for.
    chosen: u32,
}

impl<C> ThrottlePolicy<C> {
    pub(super) fn new(classify: C, max_attempts: Option<NonZeroU32>) -> Self {
        Self {
            classify,
            max_attempts,
            attempts: 0,
            chosen: 0,
        }
    }

    fn class<ResBody, E>(&self, result: &Result<Response<ResBody>, E>) -> Class
    where
        C: Classify<E>,
    {
        match result {
            Ok(response) => match response.extensions().get::<Outcome>() {
                Some(outcome) => outcome.class(),
                None => self.classify.classify(&Answer::response(response, None)),
            },
            Err(error) => self.classify.classify(&Answer::error(error, None)),
        }
    }

    /// Whether another attempt could go elsewhere, or was asked for all the same.
    fn has_attempt_left(&mut self, tried: Option<&Tried>) -> bool {
        self.attempts += 1;
        let chosen = tried.map_or(0, Tried::attempts);
        let is_chosen = chosen > std::mem::replace(&mut self.chosen, chosen);
        match self.max_attempts {
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
        let class = self.class(result);
        if !class.is_refusal() {
            return None;
        }
        let tried = request.extensions().get::<Tried>();
        if tried.is_some_and(|tried| tried.is_exhausted() || tried.is_request_failed()) {
            return None;
        }
        if !self.has_attempt_left(tried) {
            return None;
        }
        if !request.body().take_over() {
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
        Some(request.clone())
    }
}
