//! The wait that a refusal names.

use http::{HeaderValue, Response, StatusCode};
use spillover_core::{Exhausted, Outcome};

use crate::fields::GRPC_STATUS;

/// Replaces the wait of one backend by that of the pool. A limit without a wait gets one.
pub(crate) fn write_wait<ResBody>(response: &mut Response<ResBody>, exhausted: &Exhausted) {
    let outcome = response.extensions().get::<Outcome>();
    // A refusal that closed nothing, or that forbids another attempt, is not cured by waiting.
    let is_cured_by_time =
        outcome.is_none_or(|outcome| outcome.class().is_cooling() && outcome.may_retry());
    let is_limit = is_limit(response);
    let headers = response.headers_mut();
    if !is_cured_by_time {
        Exhausted::remove_waits(headers);
    } else if is_limit {
        exhausted.write(headers);
    } else {
        exhausted.correct(headers);
    }
}

/// Returns whether the answer tells a client to come back later: 429, or gRPC's `RESOURCE_EXHAUSTED`.
fn is_limit<ResBody>(response: &Response<ResBody>) -> bool {
    let is_exhausted = |code: &HeaderValue| code.as_bytes() == b"8";
    response.status() == StatusCode::TOO_MANY_REQUESTS
        || response
            .headers()
            .get(GRPC_STATUS)
            .is_some_and(is_exhausted)
}
