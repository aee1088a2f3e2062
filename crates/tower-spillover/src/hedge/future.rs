use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use spillover_core::{Classify, Exhausted, Selected};
use tower_service::Service;

use super::{
    Hedged,
    second::{Second, Template},
};
use crate::class::class_of;

pin_project! {
    /// The first good answer of one attempt or two.
    pub struct ResponseFuture<S, C, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        // `None` if the first attempt was refused while the second was in flight.
        #[pin]
        first: Option<S::Future>,
        second: Second<S, ReqBody>,
        forbids: Forbids<S::Response, S::Error>,
        classify: C,
    }
}

/// The refusal of one attempt that forbids another, while the other is under way, which was made before. It is the answer
/// when that is refused as well. Boxed, because it is rare.
type Forbids<T, E> = Option<Box<Result<T, E>>>;

impl<S, C, ReqBody> ResponseFuture<S, C, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn alone(first: S::Future, classify: C) -> Self {
        Self {
            first: Some(first),
            second: Second::none(),
            forbids: None,
            classify,
        }
    }

    pub(super) fn hedged(
        first: S::Future,
        delay: Duration,
        template: Template<S, ReqBody>,
        classify: C,
    ) -> Self {
        Self {
            first: Some(first),
            second: Second::after(delay, template),
            forbids: None,
            classify,
        }
    }
}

impl<S, C, ReqBody, ResBody> Future for ResponseFuture<S, C, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    C: Classify<S::Error>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let is_refusal = |result: &_| class_of(result, this.classify).0.is_refusal();
        let forbids = |result: &_| !class_of(result, this.classify).1;

        if let Some(first) = this.first.as_mut().as_pin_mut()
            && let Poll::Ready(mut result) = first.poll(cx)
        {
            this.first.set(None);
            if !this.second.is_under_way() || !is_refusal(&result) {
                let was_hedged = this.second.was_sent();
                this.second.end();
                let by_hedge = this.forbids.take().filter(|_| is_refusal(&result));
                let has_won = by_hedge.is_some();
                if let Some(forbids) = by_hedge {
                    result = *forbids;
                }
                return Poll::Ready(insert_hedged(result, was_hedged.then_some(has_won)));
            }
            *this.forbids = Some(result).filter(forbids).map(Box::new);
        }

        let result = ready!(this.second.poll_answer(cx));
        if this.first.is_some() && is_local(&result) {
            this.second.end();
            return Poll::Pending;
        }
        if this.first.is_some() && is_refusal(&result) {
            this.second.refused();
            *this.forbids = Some(result).filter(forbids).map(Box::new);
            return Poll::Pending;
        }
        this.first.set(None);
        this.second.end();
        if let Some(by_first) = this.forbids.take().filter(|_| is_refusal(&result)) {
            return Poll::Ready(insert_hedged(*by_first, Some(false)));
        }
        tracing::debug!("answered by the hedge");
        Poll::Ready(insert_hedged(result, Some(true)))
    }
}

/// Returns true if `PrioritySelect` answered because no backend was left.
fn is_local<ResBody, E>(result: &Result<Response<ResBody>, E>) -> bool {
    result.as_ref().is_ok_and(|response| {
        let extensions = response.extensions();
        extensions.get::<Exhausted>().is_some() && extensions.get::<Selected>().is_none()
    })
}

/// Adds to an answer which of the attempts gave it, if there were two.
fn insert_hedged<ResBody, E>(
    mut result: Result<Response<ResBody>, E>,
    has_won: Option<bool>,
) -> Result<Response<ResBody>, E> {
    if let (Ok(response), Some(has_won)) = (&mut result, has_won) {
        response.extensions_mut().insert(Hedged::new(has_won));
    }
    result
}

impl<S, C, ReqBody> fmt::Debug for ResponseFuture<S, C, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
