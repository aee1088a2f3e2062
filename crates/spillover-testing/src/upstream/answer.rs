//! Answers in JSON, with the error format of the mock's provider.

use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

use super::{provider::Provider, reply::Reply, shared::Shared};
use crate::limit::Refused;

/// Returns a 429 in the provider's format.
pub(super) fn throttled_response(shared: &Shared, refused: &Refused) -> Response<Reply> {
    let message = Provider::throttled(shared.settings.provider, refused);
    let mut response = error_response(shared, StatusCode::TOO_MANY_REQUESTS, &message);
    response.headers_mut().extend(refused.headers());
    response
}

/// Returns an error in the provider's format.
pub(super) fn error_response(
    shared: &Shared,
    status: StatusCode,
    message: &str,
) -> Response<Reply> {
    let error = Provider::error(shared.settings.provider, status, message);
    json_response(status, &error)
}

pub(super) fn json_response(status: StatusCode, body: &Value) -> Response<Reply> {
    let mut response = Response::new(Reply::full(body.to_string().into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
