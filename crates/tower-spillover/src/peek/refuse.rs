//! The response that a stream would have been, had its error come first.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
        LAST_MODIFIED, TRAILER, TRANSFER_ENCODING,
    },
};
use serde_json::{Value, json};
use spillover_hint::Report;

use super::{event::Event, event_stream::Message, form::Form};
use crate::fields::GRPC_STATUS;

/// A refusal, without the head that it goes with.
#[derive(Debug)]
pub(super) struct Refused {
    report: Report,
    body: Bytes,
    /// How AWS names the error, beside the body.
    error_type: Option<HeaderValue>,
}

impl Refused {
    /// Writes the error in the vendor's own form, so that its clients show the message.
    pub(super) fn by(event: &Event<'_>, report: Report) -> Self {
        let (body, error_type) = match event {
            Event::Sse(event) => (error_object(event.data), None),
            Event::Message(message) => aws_error(message),
            Event::Json(error) => (Bytes::copy_from_slice(error), None),
            Event::Opaque => (Bytes::new(), None),
        };
        Self {
            report,
            body,
            error_type,
        }
    }

    /// Writes an error in place of a stream that had no content.
    pub(super) fn without_content(form: Form, why: NoContent) -> Self {
        let message = why.to_string();
        let body = match form {
            Form::EventStream => json!({ "message": message }),
            // A form that both OpenAI's and Anthropic's clients can read.
            _ => json!({ "type": "error", "error": { "type": "api_error", "message": message } }),
        };
        let body = body.to_string();
        Self {
            report: why.report().with_body(body.as_bytes()),
            body: body.into(),
            error_type: None,
        }
    }

    /// Returns the response and its body.
    pub(super) fn into_response(self, mut head: Response<()>) -> Response<Bytes> {
        *head.status_mut() = self.report.status();
        let headers = head.headers_mut();
        remove_fields_of_the_stream(headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(error_type) = self.error_type {
            headers.insert(X_AMZN_ERRORTYPE, error_type);
        }
        head.extensions_mut().insert(self.report);
        head.map(|()| self.body)
    }
}

/// Creates a gRPC response that has its trailers in the head and nothing after it: "Trailers-Only", as the
/// [protocol](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses) has it.
pub(super) fn trailers_only(
    mut head: Response<()>,
    trailers: HeaderMap,
    report: Report,
) -> Response<Bytes> {
    remove_fields_of_the_stream(head.headers_mut());
    head.headers_mut().extend(trailers);
    head.extensions_mut().insert(report);
    head.map(|()| Bytes::new())
}

/// Writes a gRPC error in place of a stream that had no content. A proxy that cannot reach the server says UNAVAILABLE, too.
pub(super) fn without_content_grpc(head: Response<()>, why: NoContent) -> Response<Bytes> {
    let message = HeaderValue::try_from(why.to_string());
    let trailers = [
        (GRPC_STATUS, HeaderValue::from_static("14")),
        (GRPC_MESSAGE, message.expect("it is ASCII")),
    ];
    trailers_only(head, HeaderMap::from_iter(trailers), why.report())
}

/// The reason why a stream had no content.
#[derive(Clone, Copy, Debug)]
pub(super) enum NoContent {
    /// The stream broke off.
    BrokeOff,
    /// The stream had none by a deadline.
    Within(Duration),
}

impl NoContent {
    /// Reports that the backend fails.
    fn report(self) -> Report {
        let status = match self {
            Self::BrokeOff => StatusCode::BAD_GATEWAY,
            Self::Within(_) => StatusCode::GATEWAY_TIMEOUT,
        };
        Report::from_head(status, &HeaderMap::new()).expect("it is a refusal")
    }
}

impl fmt::Display for NoContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrokeOff => {
                f.write_str("the upstream's response broke off before its first content")
            }
            Self::Within(limit) => {
                write!(f, "the upstream's response had no content within {limit:?}")
            }
        }
    }
}

/// Removes the fields that describe the stream, and not the response in its place.
fn remove_fields_of_the_stream(headers: &mut HeaderMap) {
    for name in OF_THE_STREAM {
        headers.remove(name);
    }
}

/// Wraps the data of an error event like the vendor's error body: an object with an `error` in it.
fn error_object(data: &[u8]) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(data) else {
        let text = String::from_utf8_lossy(data);
        return json!({ "error": { "message": text } }).to_string().into();
    };
    if let Value::Array(values) = &mut value
        && let Some(first) = values.first_mut()
    {
        value = first.take();
    } else if value.get("error").is_some() {
        return Bytes::copy_from_slice(data);
    }
    let wrapped = ["/response/error", "/response/status_details/error"]
        .into_iter()
        .find_map(|path| {
            value
                .pointer(path)
                .filter(|error| error.is_object())
                .cloned()
        });
    let error = match wrapped {
        Some(error) => error,
        None if value.get("error").is_some() => return value.to_string().into(),
        None => without_envelope(value),
    };
    json!({ "error": error }).to_string().into()
}

/// Removes the members of an event. OpenAI's `error` event has the members of an error beside them.
fn without_envelope(mut event: Value) -> Value {
    match &mut event {
        Value::Object(event) => {
            event.remove("sequence_number");
            if event.get("type").is_some_and(|kind| kind == "error") {
                event.insert("type".to_owned(), Value::Null);
            }
        }
        text => return json!({ "message": text.take() }),
    }
    event
}

/// Returns the same error as the body of a response, with its name, which begins with a capital letter, for a field of the
/// head.
fn aws_error(message: &Message<'_>) -> (Bytes, Option<HeaderValue>) {
    let mut name = message.name.to_vec();
    if let Some(first) = name.first_mut() {
        first.make_ascii_uppercase();
    }
    let error_type = HeaderValue::try_from(name).ok();
    if message.kind == b"error" {
        let text = String::from_utf8_lossy(message.error_message);
        return (json!({ "message": text }).to_string().into(), error_type);
    }
    (Bytes::copy_from_slice(message.payload), error_type)
}

const OF_THE_STREAM: [HeaderName; 12] = [
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    ETAG,
    LAST_MODIFIED,
    TRAILER,
    TRANSFER_ENCODING,
    // RFC 9530, and what there was before it.
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

const X_AMZN_ERRORTYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
