use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Response;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_spillover::{Outcome, connection::Unprocessed};

use super::{attempt::Attempt, body::UpstreamBody, error::UpstreamError, exchange::Exchange};

pin_project! {
    /// Response future of [`Upstream`](super::Upstream): the backend's response, or an error response.
    pub struct ResponseFuture {
        #[pin]
        exchange: Exchange,
        #[pin]
        sleep: Sleep,
        deadline: Instant,
        timeout: Duration,
        // Longest wait for a frame of the response body.
        idle: Option<Duration>,
        attempt: Attempt,
    }
}

impl ResponseFuture {
    pub(super) fn new(
        exchange: Exchange,
        timeout: Duration,
        idle: Option<Duration>,
        attempt: Attempt,
    ) -> Self {
        let now = Instant::now();
        let limit = attempt.limit(timeout).unwrap_or(timeout);
        Self {
            exchange,
            sleep: sleep_until(now + limit),
            deadline: now + timeout,
            timeout,
            idle,
            attempt,
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<UpstreamBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let error = match this.exchange.poll(cx) {
            Poll::Ready(Ok(response)) => {
                let timer = this.attempt.body_timer(*this.idle);
                return Poll::Ready(Ok(response.map(|source| UpstreamBody::new(source, timer))));
            }
            Poll::Ready(Err(error)) => error,
            Poll::Pending => loop {
                ready!(this.sleep.as_mut().poll(cx));
                let now = Instant::now();
                if now >= *this.deadline {
                    break this.attempt.time_out(*this.timeout);
                }
                if let Some(outcome) = this.attempt.end_at_limit(now) {
                    return Poll::Ready(Ok(late(outcome)));
                }
                this.sleep.as_mut().reset(*this.deadline);
            },
        };
        let (backend, detail) = (this.attempt.backend(), error.detail());
        let is_unprocessed = error.is_unprocessed();
        if is_unprocessed && !this.attempt.is_resend() {
            tracing::debug!(backend, error = detail, "attempt not processed");
        } else {
            tracing::warn!(backend, error = detail, "attempt failed");
        }
        let error = error.into_client_error();
        let mut response = error.into_response();
        if is_unprocessed {
            response.extensions_mut().insert(Unprocessed::new());
        }
        Poll::Ready(Ok(response))
    }
}

/// Returns the response of an attempt that ends early so that another backend has time to answer. The client gets this
/// response only if no other backend is left.
fn late(outcome: Outcome) -> Response<UpstreamBody> {
    let error = UpstreamError::late().into_client_error();
    let mut response = error.into_response();
    response.extensions_mut().insert(outcome);
    response
}
