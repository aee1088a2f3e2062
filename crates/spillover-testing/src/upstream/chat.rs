//! Chat completions as OpenAI's SDKs parse them.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use super::{
    answer::{error_response, json_response, throttled_response},
    ask::Ask,
    completion::Completion,
    in_flight::{Admission, InFlight},
    reply::Reply,
    shared::{Shared, pause},
};

/// Answers a chat request, if the limit admits it.
pub(super) async fn complete(
    shared: &Shared,
    deployment: Option<&str>,
    body: &Bytes,
    in_flight: &mut InFlight,
) -> Response<Reply> {
    let Some(ask) = Ask::parse(body) else {
        return error_response(
            shared,
            StatusCode::BAD_REQUEST,
            "The body is not a JSON object with a list of messages.",
        );
    };
    let deployment = deployment.unwrap_or(&ask.model);
    let admitted = match shared.admit(deployment, ask.prompt_tokens, ask.max_tokens) {
        Ok(admitted) => admitted,
        Err(refused) => return throttled_response(shared, &refused),
    };
    let completion = Completion::new(shared, &ask);
    in_flight.admitted(Admission {
        deployment: deployment.to_owned(),
        max_tokens: ask.max_tokens,
        output_tokens: completion.output_tokens(),
    });
    pause(shared.settings.latency).await;

    let mut response = if ask.stream {
        event_stream(
            completion.events(ask.include_usage),
            shared.settings.token_interval,
        )
    } else {
        json_response(StatusCode::OK, &completion.json())
    };
    if let Some(admitted) = admitted {
        response.headers_mut().extend(admitted.headers());
    }
    response
}

/// Returns a stream of this many words, independent of the request.
pub(super) fn slow_stream(words: usize, every: Duration) -> Response<Reply> {
    event_stream(Completion::ticking(words).bare_events(), every)
}

fn event_stream(events: Vec<Bytes>, every: Duration) -> Response<Reply> {
    let mut response = Response::new(Reply::stream(events, every));
    let event_stream = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, event_stream);
    response
}
