//! Authentication and error answers as Azure OpenAI has them.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
    request::Parts,
};
use serde_json::{Value, json};

use super::{
    chat, completion::CREATED, in_flight::InFlight, reply::Reply, route::Route, shared::Shared,
};
use crate::limit::{Dimension, Refused};

/// Serves the API.
pub(super) async fn serve(
    shared: &Shared,
    parts: &Parts,
    body: &Bytes,
    in_flight: &mut InFlight,
) -> Response<Reply> {
    if let Some(key) = &shared.settings.api_key
        && !has_key(&parts.headers, key)
    {
        return error(
            StatusCode::UNAUTHORIZED,
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to \
             provide a valid key for an active subscription and use a correct regional API endpoint \
             for your resource.",
        );
    }
    match Route::of(&parts.method, &parts.uri) {
        Some(Route::Chat { deployment }) => {
            chat::complete(shared, deployment, body, in_flight).await
        }
        Some(Route::Models) => models(),
        None => error(StatusCode::NOT_FOUND, "Resource not found"),
    }
}

/// 429, as Azure says it.
pub(super) fn throttled(refused: &Refused) -> Response<Reply> {
    let limit = match refused.dimension {
        Dimension::Tokens => "token rate limit",
        Dimension::Requests => "call rate limit",
        Dimension::Capacity => "provisioned throughput",
    };
    let message = format!(
        "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded \
         the {limit} of your current pricing tier. Please retry after {} seconds.",
        refused.seconds()
    );
    let mut response = error(StatusCode::TOO_MANY_REQUESTS, &message);
    response.headers_mut().extend(refused.headers());
    response
}

/// An error whose code is the status, as a string.
pub(super) fn error(status: StatusCode, message: &str) -> Response<Reply> {
    json_response(
        status,
        &json!({"error": {"code": status.as_str(), "message": message}}),
    )
}

pub(super) fn json_response(status: StatusCode, body: &Value) -> Response<Reply> {
    let mut response = Response::new(Reply::full(body.to_string().into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn models() -> Response<Reply> {
    let model = json!({"id": "mock", "object": "model", "created": CREATED, "owned_by": "mock"});
    json_response(StatusCode::OK, &json!({"object": "list", "data": [model]}))
}

fn has_key(headers: &HeaderMap, key: &str) -> bool {
    let bearer = |value: &HeaderValue| {
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Bearer "));
        token == Some(key)
    };
    headers.get("api-key").is_some_and(|value| value == key)
        || headers.get(AUTHORIZATION).is_some_and(bearer)
}
