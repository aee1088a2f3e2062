use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Response;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_spillover::connection::Unprocessed;

use super::{attempt::Attempt, body::UpstreamBody, exchange::Exchange};

pin_project! {
    /// The response of the backend, or one in its place.
    pub(crate) struct ResponseFuture {
        #[pin]
        exchange: Exchange,
        #[pin]
        sleep: Sleep,
        timeout: Duration,
        attempt: Attempt,
    }
}

impl ResponseFuture {
    pub(super) fn new(exchange: Exchange, timeout: Duration, attempt: Attempt) -> Self {
        Self {
            exchange,
            sleep: sleep(timeout),
            timeout,
            attempt,
        }
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<UpstreamBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let error = match this.exchange.poll(cx) {
            Poll::Ready(Ok(response)) => return Poll::Ready(Ok(response)),
            Poll::Ready(Err(error)) => error,
            Poll::Pending if this.sleep.poll(cx).is_ready() => this.attempt.time_out(*this.timeout),
            Poll::Pending => return Poll::Pending,
        };
        let (backend, detail) = (this.attempt.backend(), error.detail());
        let is_unprocessed = error.is_unprocessed();
        if is_unprocessed && !this.attempt.is_resend() {
            tracing::debug!(backend, error = detail, "attempt not processed");
        } else {
            tracing::warn!(backend, error = detail, "attempt failed");
        }
        let error = error.into_client_error();
        let mut response = error.into_response(this.attempt.dialect());
        if is_unprocessed {
            response.extensions_mut().insert(Unprocessed::new());
        }
        Poll::Ready(Ok(response))
    }
}
