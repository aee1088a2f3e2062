use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Request;
use pin_project_lite::pin_project;
use spillover_core::{Attempts, layer::AttemptsProtocol};
use tokio::time::{Sleep, sleep};
use tower::retry::budget::{Budget, TpsBudget};
use tower_service::Service;

/// The second attempt. Boxed, because it is larger than the first, and few requests may have one.
pub(super) struct Second<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    /// `None`: there is none, and will not be.
    stage: Option<Pin<Box<Stage<S, ReqBody>>>>,
}

pin_project! {
    /// From the delay before it to its answer.
    #[project = StageProj]
    enum Stage<S, ReqBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Delayed {
            #[pin]
            sleep: Sleep,
            template: Option<Template<S, ReqBody>>,
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
    }
}

/// The parts that a second attempt is made from.
pub(super) struct Template<S, ReqBody> {
    pub(super) service: S,
    pub(super) request: Request<ReqBody>,
    pub(super) attempts: Attempts,
    pub(super) budget: Arc<TpsBudget>,
}

impl<S, ReqBody> Second<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn none() -> Self {
        Self { stage: None }
    }

    pub(super) fn after(delay: Duration, template: Template<S, ReqBody>) -> Self {
        Self {
            stage: Some(Box::pin(Stage::Delayed {
                sleep: sleep(delay),
                template: Some(template),
            })),
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.stage.as_deref(), Some(Stage::Sent { .. }))
    }

    /// Returns true if a backend got the second attempt.
    pub(super) fn was_sent(&self) -> bool {
        matches!(
            self.stage.as_deref(),
            Some(Stage::Sent { .. } | Stage::Refused)
        )
    }

    pub(super) fn end(&mut self) {
        self.stage = None;
    }

    pub(super) fn refused(&mut self) {
        if let Some(stage) = &mut self.stage {
            stage.set(Stage::Refused);
        }
    }

    /// Polls the answer of the second attempt. `Pending` also if no answer will come.
    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<S::Response, S::Error>> {
        while let Some(stage) = &mut self.stage {
            match stage.as_mut().project() {
                StageProj::Delayed { sleep, template } => {
                    ready!(sleep.poll(cx));
                    match template.take().filter(Template::may_be_sent) {
                        Some(Template {
                            service, request, ..
                        }) => stage.set(Stage::Unready {
                            service,
                            request: Some(request),
                        }),
                        None => self.stage = None,
                    }
                }
                StageProj::Unready { service, request } => {
                    match (ready!(service.poll_ready(cx)), request.take()) {
                        (Ok(()), Some(request)) => {
                            tracing::debug!("no answer yet: hedging");
                            let future = service.call(request);
                            stage.set(Stage::Sent { future });
                        }
                        // Without the hedge, the first attempt continues.
                        _ => self.stage = None,
                    }
                }
                StageProj::Sent { future } => return future.poll(cx),
                StageProj::Refused => return Poll::Pending,
            }
        }
        Poll::Pending
    }
}

impl<S, ReqBody> Template<S, ReqBody> {
    /// Returns true if the second request may be sent. Called when the delay is over.
    fn may_be_sent(&self) -> bool {
        if self.attempts.is_body_held() || self.attempts.is_exhausted() {
            return false;
        }
        let is_affordable = self.budget.withdraw();
        if !is_affordable {
            tracing::debug!("no answer yet, and not hedged: too many hedges");
        }
        is_affordable
    }
}
