use std::sync::Arc;

use http::{Request, Response};
use spillover_core::{Classify, Tried};

use super::{ReplayBody, bounds::Progress, kept::Kept, policy::SDK_RETRY_COUNT, spare::Spare};

/// What one request needs for another attempt.
pub(super) struct Again<S, C, B> {
    pub(super) spare: Arc<Spare<S, C>>,
    progress: Progress,
    kept: Kept<B>,
}

impl<S, C, B> Again<S, C, B> {
    /// Before the first attempt.
    pub(super) fn begin(
        spare: &Arc<Spare<S, C>>,
        request: &Request<ReplayBody<B>>,
        tried: &Tried,
    ) -> Self {
        let bounds = &spare.policy.bounds;
        let mut progress = Progress::default();
        if bounds.is_last_backend(&progress) {
            tried.set_last();
        }
        progress.begin(bounds);
        Self {
            spare: Arc::clone(spare),
            progress,
            kept: Kept::of(request),
        }
    }

    /// Returns whether it is too late for another attempt.
    pub(super) fn is_late(&self) -> bool {
        self.progress.is_late(&self.spare.policy.bounds)
    }

    /// The service for another attempt, if there is to be one after this answer. It is not ready.
    pub(super) fn after<ResBody, E>(
        &mut self,
        result: &Result<Response<ResBody>, E>,
        tried: &Tried,
    ) -> Option<S>
    where
        S: Clone,
        C: Classify<E>,
    {
        let policy = &self.spare.policy;
        let class = policy.refusal(result)?;
        let Kept { fields, body, .. } = &mut self.kept;
        let count = || fields.get(&SDK_RETRY_COUNT);
        let is_due = policy.allows(class, &mut self.progress, Some(tried), count, body);
        is_due.then(|| self.spare.service())
    }

    /// The request for the next attempt, and what is needed for the one after that, if there may be one.
    pub(super) fn next(self, tried: &Tried) -> (Request<ReplayBody<B>>, Option<Self>) {
        let bounds = &self.spare.policy.bounds;
        let is_last = bounds.is_last(&self.progress);
        if bounds.is_last_backend(&self.progress) {
            tried.set_last();
        }
        let kept = (!is_last).then(|| self.kept.clone());
        let request = self.kept.into_request(tried.clone());
        let again = kept.map(|kept| Self {
            spare: self.spare,
            progress: self.progress,
            kept,
        });
        (request, again)
    }
}
