//! The API of a mock, with errors as its provider has them.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use serde_json::{Value, json};

use super::{
    chat, completion::CREATED, in_flight::InFlight, provider::Provider, reply::Reply, route::Route,
    shared::Shared,
};
use crate::limit::Refused;

/// Serves the API.
pub(super) async fn serve(
    shared: &Shared,
    parts: &Parts,
    body: &Bytes,
    in_flight: &mut InFlight,
) -> Response<Reply> {
    let provider = shared.settings.provider;
    if let Some(key) = &shared.settings.api_key
        && !Provider::has_key(provider, &parts.headers, key)
    {
        let message = Provider::unauthorized(provider);
        return error(shared, StatusCode::UNAUTHORIZED, message);
    }
    let Some(route) = Provider::route(provider, &parts.method, &parts.uri) else {
        let message = Provider::not_found(provider, &parts.method, &parts.uri);
        return error(shared, StatusCode::NOT_FOUND, &message);
    };
    if Provider::lacks_model(provider, &route, body) {
        let message = "you must provide a model parameter";
        return error(shared, StatusCode::BAD_REQUEST, message);
    }
    match route {
        Route::Chat { deployment } => chat::complete(shared, deployment, body, in_flight).await,
        Route::Transcription { .. } => {
            json_response(StatusCode::OK, &json!({ "text": shared.settings.reply }))
        }
        Route::Models => models(),
    }
}

/// 429, as the provider says it.
pub(super) fn throttled(shared: &Shared, refused: &Refused) -> Response<Reply> {
    let message = Provider::throttled(shared.settings.provider, refused);
    let mut response = error(shared, StatusCode::TOO_MANY_REQUESTS, &message);
    response.headers_mut().extend(refused.headers());
    response
}

/// An error of the provider.
pub(super) fn error(shared: &Shared, status: StatusCode, message: &str) -> Response<Reply> {
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

fn models() -> Response<Reply> {
    let model = json!({"id": "mock", "object": "model", "created": CREATED, "owned_by": "mock"});
    json_response(StatusCode::OK, &json!({"object": "list", "data": [model]}))
}
