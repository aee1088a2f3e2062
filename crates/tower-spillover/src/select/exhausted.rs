use std::time::Duration;

use http::{HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use spillover_core::Exhausted;

use crate::fields::GRPC_STATUS;

/// The fate of a request that finds every backend throttled or full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenExhausted {
    /// The request is sent to the first backend of the list that is not full, and the client gets its answer. If all are full,
    /// the request is rejected.
    #[default]
    Forward,
    /// The layer answers the request at once.
    Reject,
    /// The request waits for the first backend that opens, if that is no longer away than this; else it is rejected at
    /// once. It waits that long for a full backend, which may have a place at any time. A request that is refused
    /// afterwards waits on for the rest of the time: see [Waiting](super#waiting).
    Wait(Duration),
}

/// Makes the response for a request that no backend would take. Closures implement it.
///
/// The layer adds `retry-after` and `retry-after-ms`, and the [`Exhausted`] in the extensions.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot make a response with the body `{ResBody}`",
    label = "nothing to answer with when all backends are closed",
    note = "the default needs a body that is `Default`: those of `ThrottleTracker`, `ReadRefusal` and `StreamPeek` are, and what `BodyExt::boxed` makes of any, so put one of these layers or `.map_response(|response: Response<_>| response.map(BodyExt::boxed))` below `PrioritySelect`",
    note = "or bring a closure `|exhausted: &Exhausted, request: &Parts| -> Response<{ResBody}>` by `PrioritySelectLayer::with_exhausted_response`"
)]
pub trait ResponseForExhausted<ResBody> {
    /// Returns the response to the request with this head.
    fn response_for(&self, exhausted: &Exhausted, request: &Parts) -> Response<ResBody>;
}

#[diagnostic::do_not_recommend]
impl<F, ResBody> ResponseForExhausted<ResBody> for F
where
    F: Fn(&Exhausted, &Parts) -> Response<ResBody>,
{
    fn response_for(&self, exhausted: &Exhausted, request: &Parts) -> Response<ResBody> {
        self(exhausted, request)
    }
}

/// Status 429 (RFC 6585 section 4) and an empty body; for a request of gRPC, its `RESOURCE_EXHAUSTED` and no message.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyResponse {
    _priv: (),
}

#[diagnostic::do_not_recommend]
impl<ResBody: Default> ResponseForExhausted<ResBody> for EmptyResponse {
    fn response_for(&self, _: &Exhausted, request: &Parts) -> Response<ResBody> {
        let mut response = Response::new(ResBody::default());
        match request.headers.get(CONTENT_TYPE) {
            Some(kind) if kind.as_bytes().starts_with(b"application/grpc") => {
                // "Trailers-Only": an error is all in the head (gRPC over HTTP/2, "Responses").
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, kind.clone());
                headers.insert(GRPC_STATUS, HeaderValue::from_static("8"));
                headers.insert(
                    GRPC_MESSAGE,
                    HeaderValue::from_static("all backends are closed"),
                );
            }
            _ => *response.status_mut() = StatusCode::TOO_MANY_REQUESTS,
        }
        response
    }
}

const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
