use bytes::Bytes;
use serde_json::{Value, json};

use super::{ask::Ask, shared::Shared};

/// The assistant's reply.
pub(super) struct Completion<'a> {
    id: String,
    model: String,
    words: Vec<&'a str>,
    finish_reason: &'static str,
    prompt_tokens: u64,
}

impl<'a> Completion<'a> {
    pub(super) fn new(shared: &'a Shared, ask: &Ask) -> Self {
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

    pub(super) fn ticking(words: usize) -> Self {
        Self {
            id: "chatcmpl-mock-slow".into(),
            model: "mock".into(),
            words: vec!["tick "; words],
            finish_reason: "stop",
            prompt_tokens: 0,
        }
    }

    pub(super) fn output_tokens(&self) -> u64 {
        self.words.len() as u64
    }

    /// Returns the reply as one object.
    pub(super) fn json(&self) -> Value {
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

    /// Returns the reply as a stream, one event per word.
    pub(super) fn events(&self, include_usage: bool) -> Vec<Bytes> {
        let role = self.chunk(json!({"role": "assistant", "content": ""}), None);
        let last = self.chunk(json!({}), Some(self.finish_reason));
        let mut events = vec![event(&role)];
        events.extend(self.words());
        events.push(event(&last));
        if include_usage {
            let mut usage = self.chunk(json!({}), None);
            usage["choices"] = json!([]);
            usage["usage"] = self.usage();
            events.push(event(&usage));
        }
        events.push(DONE);
        events
    }

    /// Returns one event per word and the end of the stream, without usage.
    pub(super) fn bare_events(&self) -> Vec<Bytes> {
        self.words().chain([DONE]).collect()
    }

    fn words(&self) -> impl Iterator<Item = Bytes> {
        let words = self.words.iter();
        words.map(|word| event(&self.chunk(json!({"content": word}), None)))
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
        let output = self.output_tokens();
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

/// A constant, so that a mock's answers do not depend on the date.
pub(super) const CREATED: u64 = 1_700_000_000;

const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");
