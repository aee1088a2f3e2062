//! Which events may be held: those of a stream's lifecycle, which come before its content.
//!
//! | event | of | held |
//! |---|---|---|
//! | a comment; an event without data | all | yes |
//! | `ping`, `message_start` | [Anthropic](https://docs.anthropic.com/en/api/messages-streaming) | yes |
//! | `content_block_start` | Anthropic | if the block is text or thinking, and empty |
//! | `message-start` | [Cohere](https://docs.cohere.com/docs/streaming) | yes |
//! | `content-start` | Cohere | if it is empty |
//! | `response.created`, `.queued`, `.in_progress` | [OpenAI, responses](https://platform.openai.com/docs/api-reference/responses-streaming) | yes |
//! | `thread.created`; `thread.run.*`, `.run.step.*` and `.message.*`, where `*` is `created`, `queued`, `in_progress` | [OpenAI, assistants](https://platform.openai.com/docs/api-reference/assistants-streaming/events) | yes |
//! | an object with `choices` | [OpenAI, chat](https://platform.openai.com/docs/api-reference/chat-streaming) and all that are like it | if no choice has anything but a role, and there is no `usage`; Azure's first one has no choice at all |
//! | `initial-response` | AWS | yes |
//! | `messageStart` | [Bedrock, converse](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html) | yes |
//! | `chunk` | [Bedrock, invoke](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html) | if it has Anthropic's `message_start` in it |
//! | anything else | | no |
//!
//! An unknown event is content: it is better to miss an error than to keep back what the client waits for.

use serde_json::{Map, Value};
use spillover_hint::Report;

use super::{event::Event, event_stream::Message, sse};

/// The consequence of an event for its stream.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The stream is held on.
    Lifecycle,
    Content,
    Error(Box<Report>),
}

impl Verdict {
    pub(super) fn of(event: &Event<'_>) -> Self {
        if is_lifecycle_by_name(event) {
            return Self::Lifecycle;
        }
        if let Some(report) = event.report() {
            return Self::Error(Box::new(report));
        }
        match event {
            Event::Sse(event) if is_lifecycle_by_data(event) => Self::Lifecycle,
            _ => Self::Content,
        }
    }
}

fn is_lifecycle_by_name(event: &Event<'_>) -> bool {
    match event {
        Event::Sse(event) => is_lifecycle(event.name),
        Event::Message(message) if message.kind == b"event" => is_start(message),
        Event::Message(_) | Event::Json(_) | Event::Opaque => false,
    }
}

fn is_lifecycle(name: &[u8]) -> bool {
    match name {
        b"ping" | b"message_start" | b"message-start" | b"thread.created" => true,
        name => {
            let mut words = name.rsplitn(2, |byte| *byte == b'.');
            let (state, subject) = (words.next(), words.next());
            matches!(state, Some(b"created" | b"queued" | b"in_progress"))
                && matches!(
                    subject,
                    Some(b"response" | b"thread.run" | b"thread.run.step" | b"thread.message")
                )
        }
    }
}

fn is_start(message: &Message<'_>) -> bool {
    match message.name {
        b"initial-response" | b"messageStart" => true,
        b"chunk" => message.payload.starts_with(MESSAGE_START),
        _ => false,
    }
}

fn is_lifecycle_by_data(event: &sse::Event<'_>) -> bool {
    if event.data.is_empty() {
        return true;
    }
    // Other names than these are not known.
    let may_be_empty = matches!(
        event.name,
        b"" | b"message" | b"content_block_start" | b"content-start"
    );
    if !may_be_empty || !event.data.starts_with(b"{") {
        return false;
    }
    let Ok(data) = serde_json::from_slice::<Value>(event.data) else {
        return false;
    };
    let kind = data.get("type").and_then(Value::as_str);
    match kind.unwrap_or_default() {
        "content_block_start" => is_empty_block(data.get("content_block")),
        "content-start" => is_empty_block(data.pointer("/delta/message/content")),
        "" => is_empty_chunk(&data),
        kind => is_lifecycle(kind.as_bytes()),
    }
}

fn is_empty_block(block: Option<&Value>) -> bool {
    let Some(Value::Object(block)) = block else {
        return false;
    };
    let kind = block.get("type").and_then(Value::as_str);
    matches!(kind, Some("text" | "thinking")) && is_blank_but(block, &["type"])
}

fn is_empty_chunk(chunk: &Value) -> bool {
    let Some(Value::Array(choices)) = chunk.get("choices") else {
        return false;
    };
    chunk.get("usage").is_none_or(is_blank) && choices.iter().all(is_empty_choice)
}

fn is_empty_choice(choice: &Value) -> bool {
    let Value::Object(choice) = choice else {
        return false;
    };
    let is_delta_empty = match choice.get("delta") {
        Some(Value::Object(delta)) => is_blank_but(delta, &["role"]),
        delta => delta.is_none_or(is_blank),
    };
    // Azure tells where its filter stands.
    let metadata = [
        "index",
        "delta",
        "content_filter_results",
        "content_filter_offsets",
    ];
    is_delta_empty && is_blank_but(choice, &metadata)
}

fn is_blank_but(object: &Map<String, Value>, names: &[&str]) -> bool {
    let mut others = object
        .iter()
        .filter(|(name, _)| !names.contains(&name.as_str()));
    others.all(|(_, value)| is_blank(value))
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// How `{"type":"message_start",..` begins in base64, in the object that Bedrock wraps it in.
const MESSAGE_START: &[u8] = br#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdGFy"#;
