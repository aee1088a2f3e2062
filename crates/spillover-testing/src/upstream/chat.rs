//! Chat completions as OpenAI's SDKs parse them.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{
    azure,
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
        return azure::error(
            StatusCode::BAD_REQUEST,
            "The body is not a JSON object with a list of messages.",
        );
    };
    let deployment = deployment.unwrap_or(&ask.model);
    let admitted = match shared.admit(deployment, ask.prompt_tokens, ask.max_tokens) {
        Ok(admitted) => admitted,
        Err(refused) => return azure::throttled(&refused),
    };
    let completion = Completion::new(shared, &ask);
    in_flight.admitted(Admission {
        deployment: deployment.to_owned(),
        max_tokens: ask.max_tokens,
        output_tokens: completion.words.len() as u64,
    });
    pause(shared.settings.latency).await;

    let mut response = if ask.stream {
        event_stream(
            completion.events(ask.include_usage),
            shared.settings.token_interval,
        )
    } else {
        azure::json_response(StatusCode::OK, &completion.json())
    };
    if let Some(admitted) = admitted {
        response.headers_mut().extend(admitted.headers());
    }
    response
}

/// A stream of so many words, whatever was asked.
pub(super) fn slow_stream(chunks: usize, every: Duration) -> Response<Reply> {
    let completion = Completion {
        id: "chatcmpl-mock-slow".into(),
        model: "mock".into(),
        words: vec!["tick "; chunks],
        finish_reason: "stop",
        prompt_tokens: 0,
    };
    let words = completion.words.iter();
    let events = words.map(|word| event(&completion.chunk(json!({"content": word}), None)));
    event_stream(events.chain([DONE]).collect(), every)
}

fn event_stream(events: Vec<Bytes>, every: Duration) -> Response<Reply> {
    let mut response = Response::new(Reply::stream(events, every));
    let event_stream = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, event_stream);
    response
}

/// What matters of a request.
struct Ask {
    model: String,
    prompt_tokens: u64,
    max_tokens: u64,
    stream: bool,
    include_usage: bool,
}

impl Ask {
    fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let chars: usize = body["messages"].as_array()?.iter().map(chars).sum();
        let max_tokens = [&body["max_completion_tokens"], &body["max_tokens"]];
        let max_tokens = max_tokens.into_iter().find_map(Value::as_u64);
        Some(Self {
            model: body["model"].as_str().unwrap_or("mock").to_owned(),
            prompt_tokens: chars.div_ceil(4) as u64,
            max_tokens: max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
            stream: body["stream"] == true,
            include_usage: body["stream_options"]["include_usage"] == true,
        })
    }
}

/// The characters of a message, whose content is a string or a list of parts.
fn chars(message: &Value) -> usize {
    let count = |text: &Value| text.as_str().map_or(0, |text| text.chars().count());
    match &message["content"] {
        Value::Array(parts) => parts.iter().map(|part| count(&part["text"])).sum(),
        content => count(content),
    }
}

struct Completion<'a> {
    id: String,
    model: String,
    words: Vec<&'a str>,
    finish_reason: &'static str,
    prompt_tokens: u64,
}

impl<'a> Completion<'a> {
    fn new(shared: &'a Shared, ask: &Ask) -> Self {
        let mut words: Vec<_> = shared.settings.reply.split_inclusive(' ').collect();
        let cut = words.len() as u64 > ask.max_tokens;
        words.truncate(usize::try_from(ask.max_tokens).unwrap_or(usize::MAX));
        Self {
            id: format!("chatcmpl-mock-{}", shared.next_reply()),
            model: ask.model.clone(),
            words,
            finish_reason: if cut { "length" } else { "stop" },
            prompt_tokens: ask.prompt_tokens,
        }
    }

    fn json(&self) -> Value {
        let message = json!({"role": "assistant", "content": self.words.concat()});
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": CREATED,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": self.finish_reason,
            }],
            "usage": self.usage(),
        })
    }

    fn events(&self, include_usage: bool) -> Vec<Bytes> {
        let role = self.chunk(json!({"role": "assistant", "content": ""}), None);
        let words = self.words.iter();
        let words = words.map(|word| self.chunk(json!({"content": word}), None));
        let last = self.chunk(json!({}), Some(self.finish_reason));
        let chunks = [role].into_iter().chain(words).chain([last]);
        let mut events: Vec<_> = chunks.map(|chunk| event(&chunk)).collect();
        if include_usage {
            let mut usage = self.chunk(json!({}), None);
            usage["choices"] = json!([]);
            usage["usage"] = self.usage();
            events.push(event(&usage));
        }
        events.push(DONE);
        events
    }

    fn chunk(&self, delta: Value, finish_reason: Option<&str>) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": self.model,
            "choices": [{
                "index": 0,
                "delta": delta,
                "logprobs": null,
                "finish_reason": finish_reason,
            }],
        })
    }

    fn usage(&self) -> Value {
        let output = self.words.len() as u64;
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": output,
            "total_tokens": self.prompt_tokens + output,
        })
    }
}

fn event(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}

/// As good as any time: a mock's answers do not depend on the date.
pub(super) const CREATED: u64 = 1_700_000_000;

/// Services do not say what they assume when a request leaves it open.
const DEFAULT_MAX_TOKENS: u64 = 256;

const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");
