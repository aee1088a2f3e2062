//! Finds the objects of a JSON body that describe an error, in all their shapes.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::{
    Candidate, Dimension, Hints, Period, Source, When,
    body::{cause, google, message},
    evidence::Evidence,
    headers::Head,
    words,
};

/// The objects and messages that describe the error, outermost first.
#[derive(Debug, Default)]
pub(crate) struct Errors<'a> {
    objects: Vec<&'a Map<String, Value>>,
    messages: Vec<&'a str>,
    headers: Vec<&'a Map<String, Value>>,
}

impl<'a> Errors<'a> {
    pub(crate) fn find(body: &'a Value) -> Self {
        let mut errors = Self::default();
        errors.visit(body, MAX_DEPTH);
        errors
    }

    pub(crate) fn read(&self, found: &mut Evidence, hints: &mut Hints) {
        for object in &self.objects {
            read_words(object, found);
            google::read(object, found, hints);
            read_resets(object, hints);
        }
        for headers in &self.headers {
            read_headers(headers, hints);
        }
        // Innermost first: outer messages only wrap it.
        for text in self.messages.iter().rev() {
            if found.cause.is_none() {
                found.cause = cause(text);
            }
            message::read_message(text, found, hints);
        }
    }

    fn visit(&mut self, value: &'a Value, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        match value {
            Value::Array(values) => {
                for value in values.iter().take(MAX_WIDTH) {
                    self.visit(value, depth);
                }
            }
            Value::Object(object) => self.visit_object(object, depth),
            Value::String(text) => self.messages.push(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn visit_object(&mut self, object: &'a Map<String, Value>, depth: usize) {
        self.objects.push(object);
        for name in MESSAGES {
            if let Some(Value::String(text)) = object.get(name) {
                self.messages.push(text);
            }
        }
        for name in CHILDREN {
            if let Some(value) = object.get(name) {
                self.visit(value, depth);
            }
        }
        // OpenRouter puts the header fields of its upstream there.
        if let Some(Value::Object(headers)) = object.get("headers") {
            self.headers.push(headers);
        }
    }
}

fn read_words(object: &Map<String, Value>, found: &mut Evidence) {
    for name in WORDS {
        match object.get(name) {
            Some(Value::String(word)) => {
                found.is_missing |= words::is_missing(word.as_bytes());
                found.push_word(word.as_bytes());
                if let "tokens" | "requests" = word.as_str() {
                    let dimension = Dimension::named(word.as_bytes()).unwrap_or_default();
                    found.push_limit(dimension, Period::Unknown);
                }
                push_status(word.parse().ok(), found);
            }
            Some(Value::Number(number)) => {
                push_status(number.as_u64().and_then(|n| u16::try_from(n).ok()), found);
                found.push_word(number.to_string().as_bytes());
            }
            _ => {}
        }
    }
}

/// Reads the end of a used-up window, as the backend of Codex states it: `resets_in_seconds` or `resets_at`, seconds
/// since 1970 (<https://github.com/openai/codex/blob/main/codex-rs/protocol/src/error.rs>).
fn read_resets(object: &Map<String, Value>, hints: &mut Hints) {
    let seconds = |name: &str| {
        let number = object.get(name)?.as_f64()?;
        Duration::try_from_secs_f64(number).ok()
    };
    let after = seconds("resets_in_seconds").map(When::After);
    let at = || {
        Some(When::At(
            SystemTime::UNIX_EPOCH.checked_add(seconds("resets_at")?)?,
        ))
    };
    if let Some(when) = after.or_else(at) {
        let candidate = Candidate::stated(Source::WindowReset, when);
        hints.slots.push(candidate);
    }
}

fn push_status(number: Option<u16>, found: &mut Evidence) {
    found.status = number.filter(|n| (400..600).contains(n)).or(found.status);
}

fn read_headers(fields: &Map<String, Value>, hints: &mut Hints) {
    let lines: Vec<_> = fields
        .iter()
        .take(MAX_FIELDS)
        .filter_map(|(name, value)| match value {
            Value::String(text) => Some((name.to_ascii_lowercase(), text.clone())),
            Value::Number(number) => Some((name.to_ascii_lowercase(), number.to_string())),
            _ => None,
        })
        .collect();
    let mut head = Head::default();
    for (name, value) in &lines {
        head.read_line(name, value.as_bytes(), &mut hints.slots);
    }
    head.finish(&mut hints.slots);
}

const MESSAGES: [&str; 3] = ["message", "Message", "error_description"];

/// Keys that wrap an error. `status_details` comes from OpenAI's realtime responses, `innererror` from Azure.
const CHILDREN: [&str; 7] = [
    "error",
    "errors",
    "detail",
    "response",
    "status_details",
    "innererror",
    "metadata",
];

const WORDS: [&str; 8] = [
    "type",
    "code",
    "status",
    "statusCode",
    "reason",
    "__type",
    "Code",
    "error_code",
];

const MAX_DEPTH: usize = 8;
const MAX_WIDTH: usize = 8;
const MAX_FIELDS: usize = 64;
