//! What the body of a refusal says. Bodies are anything: JSON of a dozen shapes, cut off in the middle, a page of HTML, a
//! plain sentence, or something that was not decoded.

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

/// Reads a body of an error.
pub(crate) fn read(body: &[u8], hints: &mut Hints) -> Evidence {
    let mut found = Evidence::default();
    match parse(body) {
        Body::Json(value) => Errors::of(&value).read(&mut found, hints),
        Body::Text(text) => {
            found.cause = cause(&text);
            read_message(&text, &mut found, hints);
        }
        Body::Fragment(text) => read_message(&text, &mut found, hints),
        // Scripts and styles hold all kinds of sentences; only the title was written for people.
        Body::Html(text) => found.cause = title(&text).and_then(cause),
        Body::Other => {}
    }
    found
}

/// Reads an event of a stream, if it is an error.
pub(crate) fn read_event(name: &str, data: &[u8], hints: &mut Hints) -> Option<Evidence> {
    let mut found = Evidence::default();
    let is_named = name == "error" || name.ends_with("xception");
    let body = parse(data);
    if is_named {
        found.push_word(name.as_bytes());
    }
    match body {
        Body::Json(value) if is_named || is_error(&value) => {
            Errors::of(&value).read(&mut found, hints);
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

/// Whether an event of any name holds an error. That of JSON-RPC is the answer to a call, from a server that is well.
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
    /// Not for people to read.
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
            // Cut off, or only like JSON. What it says in words can still be read.
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

/// What is UTF-8 anyway, as most is, is found to be so faster than by `from_utf8_lossy`.
fn lossy(body: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(body),
    }
}

/// Compressed bytes are no text. Other encodings than UTF-8 are, as far as they are like ASCII.
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

/// Where a lower-case ASCII text is found, in any case.
fn find(text: &str, what: &str) -> Option<usize> {
    let mut places = text.as_bytes().windows(what.len());
    places.position(|window| window.eq_ignore_ascii_case(what.as_bytes()))
}

/// How much of a body is read: a hundred times the longest error that a vendor is known to send.
const MAX_LEN: usize = 64 * 1024;
