use serde_json::Value;

/// The relevant fields of a chat request.
pub(super) struct Ask {
    pub(super) model: String,
    pub(super) prompt_tokens: u64,
    pub(super) max_tokens: u64,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
}

impl Ask {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
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

/// Counts the characters of a message, whose content is a string or a list of parts.
fn chars(message: &Value) -> usize {
    let count = |text: &Value| text.as_str().map_or(0, |text| text.chars().count());
    match &message["content"] {
        Value::Array(parts) => parts.iter().map(|part| count(&part["text"])).sum(),
        content => count(content),
    }
}

/// Services do not document their default for a request without a limit.
const DEFAULT_MAX_TOKENS: u64 = 256;
