use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Response;
use pin_project_lite::pin_project;
use spillover_core::{Attempts, Cause, Class, Condition, Outcome, Selected};
use tokio::time::Instant;

use super::{fields::Fields, words};
use crate::error::{ErrorFormat, ProxyError};

pin_project! {
    /// Response future of [`FinalResponse`](super::FinalResponse).
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        format: ErrorFormat,
        fields: Arc<Fields>,
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, format: ErrorFormat, fields: Arc<Fields>) -> Self {
        Self {
            inner,
            format,
            fields,
        }
    }
}

impl<F, B> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: From<Bytes>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.inner.poll(cx));
        let format = *this.format;
        // A gRPC refusal has the status of a success.
        let is_served = response.status().is_success() && format != ErrorFormat::Grpc;
        let response = if is_served {
            response
        } else {
            final_error(format.render(response), format)
        };
        Poll::Ready(Ok(this.fields.add(response)))
    }
}

/// Returns the response that the client gets in place of a refusal.
fn final_error<B: From<Bytes>>(response: Response<B>, format: ErrorFormat) -> Response<B> {
    let extensions = response.extensions();
    let (Some(outcome), Some(selected)) =
        (extensions.get::<Outcome>(), extensions.get::<Selected>())
    else {
        return response;
    };
    let class = outcome.class();
    if !class.is_refusal() {
        return response;
    }
    let tried = extensions.get::<Attempts>();
    let is_of_account = matches!(class, Class::Credential | Class::Quota);
    if class != Class::Throttled && tried.is_some_and(is_one_temporary)
        || is_of_account && is_another_at_limit(selected)
    {
        let exhausted = selected.exhausted(Instant::now());
        let mut replaced = replace(response, format, &words::at_limit(&exhausted));
        exhausted.write(replaced.headers_mut());
        return replaced;
    }
    let error = match class {
        Class::Credential => words::credential(),
        Class::Quota => words::quota(),
        _ => return response,
    };
    let status = response.status();
    let exhausted = selected.exhausted(Instant::now());
    let mut replaced = replace(response, format, &error);
    if format != ErrorFormat::Grpc {
        *replaced.status_mut() = status;
    }
    if class == Class::Quota {
        exhausted.write(replaced.headers_mut());
    }
    replaced
}

/// Returns true if the backends refused for different reasons, one of which is temporary.
fn is_one_temporary(tried: &Attempts) -> bool {
    let mut temporary = [Class::Throttled, Class::Capacity].into_iter();
    tried.has_mixed_refusals() && temporary.any(|class| tried.was_refused_as(class))
}

/// Returns true if a backend of the pool takes requests again by itself, because it is full, or closed by a limit or by load. The
/// request may not have been sent to that backend.
fn is_another_at_limit(selected: &Selected) -> bool {
    // A pinned request may not go to another backend.
    if selected.is_pinned() {
        return false;
    }
    let now = Instant::now();
    let mut backends = selected.pool().snapshot(selected.scope(), now).into_iter();
    backends.any(|backend| {
        let class = backend.cause().map(Cause::class);
        let is_temporary = matches!(class, Some(Class::Throttled | Class::Capacity));
        backend.condition() == Condition::Full || is_temporary
    })
}

/// Creates a response of the proxy that keeps the extensions of `response`, which the access log reads.
fn replace<B: From<Bytes>>(
    response: Response<B>,
    format: ErrorFormat,
    error: &ProxyError,
) -> Response<B> {
    let (head, _) = response.into_parts();
    let mut replaced = format.response(error);
    *replaced.extensions_mut() = head.extensions;
    replaced
}
