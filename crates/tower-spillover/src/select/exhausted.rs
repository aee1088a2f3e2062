use std::time::Duration;

use http::{Response, StatusCode, request::Parts};
use spillover_core::Exhausted;

/// What becomes of a request that finds every backend throttled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenExhausted {
    /// One attempt, at the first backend of the list; its answer is the client's.
    #[default]
    Forward,
    /// It is answered here, at once.
    Reject,
    /// It waits for the first backend that opens, if that is no longer away than this; else it is rejected at once.
    Wait(Duration),
}

/// Makes the response for a request that no backend would take. Closures implement it.
///
/// The layer adds `retry-after` and `retry-after-ms`, and the [`Exhausted`] in the extensions.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot make a response with the body `{ResBody}`",
    label = "the body type must be `Default` for the empty response",
    note = "bring a response by `PrioritySelectLayer::with_exhausted_response`, or map the body of the inner service, such as with `tower_http::map_response_body::MapResponseBodyLayer`"
)]
pub trait ResponseForExhausted<ResBody> {
    /// The response; `request` is the head of what was asked.
    fn response_for(&self, exhausted: &Exhausted, request: &Parts) -> Response<ResBody>;
}

impl<F, ResBody> ResponseForExhausted<ResBody> for F
where
    F: Fn(&Exhausted, &Parts) -> Response<ResBody>,
{
    fn response_for(&self, exhausted: &Exhausted, request: &Parts) -> Response<ResBody> {
        self(exhausted, request)
    }
}

/// Status 429 (RFC 6585 section 4) and an empty body.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyResponse {
    _priv: (),
}

impl<ResBody: Default> ResponseForExhausted<ResBody> for EmptyResponse {
    fn response_for(&self, _: &Exhausted, _: &Parts) -> Response<ResBody> {
        let mut response = Response::new(ResBody::default());
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response
    }
}
