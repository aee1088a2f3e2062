//! Errors in the format of the OpenAI API.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::json;

/// What stands in the `error` object.
pub(crate) struct ErrorBody {
    pub(crate) kind: &'static str,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// A response of the gateway's own.
pub(crate) fn error_response(status: StatusCode, error: &ErrorBody) -> Response<Body> {
    let body = json!({
        "error": {
            "message": error.message,
            "type": error.kind,
            "param": null,
            "code": error.code,
        }
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
