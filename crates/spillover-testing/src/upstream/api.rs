//! The API of a mock, with the error format of its provider.

use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};
use serde_json::json;

use super::{
    answer::{error_response, json_response},
    chat,
    completion::CREATED,
    in_flight::InFlight,
    provider::Provider,
    reply::Reply,
    route::Route,
    shared::Shared,
};

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
        return error_response(shared, StatusCode::UNAUTHORIZED, message);
    }
    let Some(route) = Provider::route(provider, &parts.method, &parts.uri) else {
        let message = Provider::not_found(provider, &parts.method, &parts.uri);
        return error_response(shared, StatusCode::NOT_FOUND, &message);
    };
    if Provider::lacks_model(provider, &route, body) {
        let message = "you must provide a model parameter";
        return error_response(shared, StatusCode::BAD_REQUEST, message);
    }
    match route {
        Route::Chat { deployment } => chat::complete(shared, deployment, body, in_flight).await,
        Route::Transcription { .. } => {
            json_response(StatusCode::OK, &json!({ "text": shared.settings.reply }))
        }
        Route::Models => models(),
    }
}

fn models() -> Response<Reply> {
    let model = json!({"id": "mock", "object": "model", "created": CREATED, "owned_by": "mock"});
    json_response(StatusCode::OK, &json!({"object": "list", "data": [model]}))
}
