//! Reads the body of a refusal. Bodies come in many forms: JSON in a dozen shapes, possibly cut off, an HTML page,
//! plain text, or bytes that are still compressed.

mod cause;
mod error;
pub(crate) mod google;
mod message;
mod phrases;
mod prose;
pub(crate) mod rate_limits;

use std::borrow::Cow;

use serde_json::Value;

use self::error::Errors;
pub(crate) use self::{cause::cause, message::read_message};
use crate::{Hints, evidence::Evidence};

/// Reads the body of an error response.
pub(crate) fn read(body: &[u8], hints: &mut Hints) -> Evidence {
    let mut found = Evidence::default();
    match parse(body) {
        Body::Json(value) => Errors::find(&value).read(&mut found, hints),
        Body::Text(text) => {
            found.cause = cause(&text);
            read_message(&text, &mut found, hints);
        }
        Body::Fragment(text) => read_message(&text, &mut found, hints),
        // Scripts and styles may hold any text, so only the title is read.
        Body::Html(text) => found.cause = title(&text).and_then(cause),
        Body::Other => {}
    }
    found
}

/// Reads an event of a stream. Returns `None` unless the event is an error.
pub(crate) fn read_event(name: &str, data: &[u8], hints: &mut Hints) -> Option<Evidence> {
    let mut found = Evidence::default();
    let is_named = name == "error" || name.ends_with("xception");
    let body = parse(data);
    if is_named {
        found.push_word(name.as_bytes());
    }
    match body {
        Body::Json(value) if is_named || is_error(&value) => {
            Errors::find(&value).read(&mut found, hints);
        }
        Body::Fragment(text) if is_named => read_message(&text, &mut found, hints),
        Body::Text(text) if is_named => {
            found.cause = cause(&text);
            read_message(&text, &mut found, hints);
        }
        _ if is_named => {}
        _ => return None,
    }
    Some(found)
}

/// Returns true if the event holds an error, whatever its name. An error of JSON-RPC does not count: it is a normal
/// answer of a healthy server.
fn is_error(event: &Value) -> bool {
    let event = match event {
        Value::Array(events) => events.first().unwrap_or(event),
        event => event,
    };
    if event.get("jsonrpc").is_some() {
        return false;
    }
    let kind = event.get("type").and_then(Value::as_str);
    let status = event.pointer("/response/status").and_then(Value::as_str);
    match kind {
        Some("error" | "response.failed") => true,
        Some("response.done") => status == Some("failed"),
        _ => event.get("error").is_some_and(|error| {
            error.is_object() || error.as_str().is_some_and(|e| !e.is_empty())
        }),
    }
}

enum Body {
    Json(Value),
    Text(String),
    /// Text that is not shown to users.
    Fragment(String),
    Html(String),
    Other,
}

fn parse(body: &[u8]) -> Body {
    let body = &body[..body.len().min(MAX_LEN)];
    let body = body
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body)
        .trim_ascii();
    match body.first() {
        Some(b'{' | b'[' | b'"') => match serde_json::from_str(&lossy(body)) {
            Ok(Value::String(text)) => Body::Text(text),
            Ok(value) => Body::Json(value),
            // Invalid or truncated JSON: its sentences can still be read.
            Err(_) => match text(body) {
                Body::Text(text) => Body::Fragment(text),
                other => other,
            },
        },
        Some(b'<') => Body::Html(lossy(body).into_owned()),
        Some(_) => text(body),
        None => Body::Other,
    }
}

/// Returns the text of a body. Most bodies are valid UTF-8, and checking that first is faster than `from_utf8_lossy`.
fn lossy(body: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(body),
    }
}

/// Rejects compressed bytes. Encodings other than UTF-8 are read as far as they match ASCII.
fn text(body: &[u8]) -> Body {
    let is_binary = |byte: &u8| *byte < b' ' && !byte.is_ascii_whitespace();
    match body.iter().any(is_binary) {
        true => Body::Other,
        false => Body::Text(lossy(body).into_owned()),
    }
}

fn title(html: &str) -> Option<&str> {
    let start = find(html, "<title")?;
    let (_, rest) = html[start..].split_once('>')?;
    rest.get(..find(rest, "</")?)
}

/// Returns the position of a lower-case ASCII text, ignoring case.
fn find(text: &str, what: &str) -> Option<usize> {
    let mut places = text.as_bytes().windows(what.len());
    places.position(|window| window.eq_ignore_ascii_case(what.as_bytes()))
}

/// Bytes of a body that are read: a hundred times the longest known error of a vendor.
const MAX_LEN: usize = 64 * 1024;
