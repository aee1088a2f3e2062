use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Request;
use pin_project_lite::pin_project;
use spillover_core::Tried;
use tokio::time::{Sleep, sleep};
use tower::retry::budget::{Budget, TpsBudget};
use tower_service::Service;

pin_project! {
    /// The second attempt, from the delay before it to its answer.
    #[project = SecondProj]
    pub(super) enum Second<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Delayed {
            #[pin]
            sleep: Sleep,
            spare: Option<Spare<S, ReqBody>>,
        },
        Unready {
            service: S,
            request: Option<Request<ReqBody>>,
        },
        Sent {
            #[pin]
            future: S::Future,
        },
        Refused,
        /// There is none, and will not be.
        None,
    }
}

/// What a second attempt needs.
pub(super) struct Spare<S, ReqBody> {
    pub(super) service: S,
    pub(super) request: Request<ReqBody>,
    pub(super) tried: Tried,
    pub(super) budget: Arc<TpsBudget>,
}

impl<S, ReqBody> Second<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn after(delay: Duration, spare: Spare<S, ReqBody>) -> Self {
        Self::Delayed {
            sleep: sleep(delay),
            spare: Some(spare),
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        matches!(self, Self::Sent { .. })
    }

    /// Whether a backend got it.
    pub(super) fn was_sent(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::Refused)
    }

    /// Its answer. `Pending` also when there is none to come.
    pub(super) fn poll_answer(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
        loop {
            let next = match self.as_mut().project() {
                SecondProj::Delayed { sleep, spare } => {
                    ready!(sleep.poll(cx));
                    match spare.take().filter(Spare::may_be_sent) {
                        Some(Spare {
                            service, request, ..
                        }) => Self::Unready {
                            service,
                            request: Some(request),
                        },
                        None => Self::None,
                    }
                }
                SecondProj::Unready { service, request } => {
                    match (ready!(service.poll_ready(cx)), request.take()) {
                        (Ok(()), Some(request)) => {
                            tracing::debug!("no answer yet: hedging");
                            Self::Sent {
                                future: service.call(request),
                            }
                        }
                        // The first attempt is not the worse for it.
                        _ => Self::None,
                    }
                }
                SecondProj::Sent { future } => return future.poll(cx),
                SecondProj::Refused | SecondProj::None => return Poll::Pending,
            };
            self.set(next);
        }
    }
}

impl<S, ReqBody> Spare<S, ReqBody> {
    /// Looked at when the delay is over.
    fn may_be_sent(&self) -> bool {
        if self.tried.is_body_held() || self.tried.is_exhausted() {
            return false;
        }
        let is_affordable = self.budget.withdraw();
        if !is_affordable {
            tracing::debug!("no answer yet, and not hedged: too many hedges");
        }
        is_affordable
    }
}
