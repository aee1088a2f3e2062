use std::sync::Arc;

use http::Response;
use spillover_core::{Class, Classify, Selected};
use tokio::time::Instant;

use super::spare::Spare;
use crate::{class::class_of, wait::write_wait};

/// The refusal that helps the client most, of those that one request has got so far.
pub(super) struct Best<S, C, R> {
    spare: Arc<Spare<S, C>>,
    class: Class,
    response: R,
}

impl<S, C, ResBody> Best<S, C, Response<ResBody>> {
    /// Keeps the better one of two refusals; the later one of equals. An error is not kept, nor an answer to a request that was
    /// not processed. A refusal that is kept no longer counts as in flight at its backend.
    pub(super) fn keep<E>(
        kept: &mut Option<Box<Self>>,
        spare: &Arc<Spare<S, C>>,
        result: Result<Response<ResBody>, E>,
    ) where
        C: Classify<E>,
    {
        let (class, _) = class_of(&result, &spare.policy.classify);
        let is_better = kept
            .as_ref()
            .is_none_or(|kept| rank(class) >= rank(kept.class));
        if let Ok(response) = result
            && is_better
            && class != Class::Unprocessed
        {
            if let Some(selected) = response.extensions().get::<Selected>() {
                selected.release();
            }
            *kept = Some(Box::new(Self {
                spare: Arc::clone(spare),
                class,
                response,
            }));
        }
    }

    /// Returns the last answer, or this refusal where that helps the client more.
    pub(super) fn or<E>(self, last: Result<Response<ResBody>, E>) -> Result<Response<ResBody>, E>
    where
        C: Classify<E>,
    {
        let (class, may_retry) = class_of(&last, &self.spare.policy.classify);
        let is_final = !may_retry || !class.is_refusal();
        if is_final || rank(class) >= rank(self.class) {
            return last;
        }
        let mut response = self.response;
        if let Some(selected) = response.extensions().get::<Selected>() {
            let exhausted = selected.exhausted(Instant::now());
            write_wait(&mut response, &exhausted);
            response.extensions_mut().insert(exhausted);
        }
        Ok(response)
    }
}

/// Returns how much a refusal helps the client. A refusal that ends by itself comes first, then a failure, then a refusal of
/// this one request, then one about the account at the backend, which is none of the client's business.
fn rank(class: Class) -> u8 {
    match class {
        Class::Throttled => 5,
        Class::Capacity => 4,
        Class::Failing | Class::Late => 3,
        Class::TooLarge | Class::Declined => 2,
        Class::Quota => 1,
        _ => 0,
    }
}
