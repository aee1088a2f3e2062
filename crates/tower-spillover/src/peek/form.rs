use http::{
    HeaderMap, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::coding::Coding;

/// The kind of a stream that may report an error after a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Server-sent events.
    Sse,
    /// The binary events of AWS.
    EventStream,
    /// gRPC over HTTP/2, which says at the end how it went.
    Grpc,
    /// A JSON body, or many on a line each, that may be an error with a success status
    /// ([OpenRouter](https://openrouter.ai/docs/api-reference/errors)).
    Json,
}

impl Form {
    /// Returns the form of a response and its coding. `None` for a response whose body is not examined.
    pub(super) fn of_response<B>(response: &Response<B>) -> Option<(Self, Option<Coding>)> {
        let headers = response.headers();
        let form = Self::of_type(headers.get(CONTENT_TYPE)?.as_bytes())?;
        // An error is short.
        if form == Self::Json && is_long(headers) {
            return None;
        }
        Some((form, Coding::of(headers).ok()?))
    }

    fn of_type(content_type: &[u8]) -> Option<Self> {
        let end = content_type.iter().position(|byte| *byte == b';');
        let essence = content_type[..end.unwrap_or(content_type.len())].trim_ascii();
        let is = |name: &[u8]| essence.eq_ignore_ascii_case(name);
        if is(b"text/event-stream") {
            return Some(Self::Sse);
        }
        if is(b"application/json") || is(b"application/x-ndjson") || is(b"application/jsonl") {
            return Some(Self::Json);
        }
        if is(b"application/vnd.amazon.eventstream") {
            return Some(Self::EventStream);
        }
        // `application/grpc+proto` is one, `application/grpc-web` is not: that has its trailers in the body.
        let (start, suffix) = essence.split_at_checked(GRPC.len())?;
        let is_grpc = start.eq_ignore_ascii_case(GRPC) && matches!(suffix, [] | [b'+', ..]);
        is_grpc.then_some(Self::Grpc)
    }
}

/// Returns true if the head announces a body of more than 64 KiB.
fn is_long(headers: &HeaderMap) -> bool {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    length
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: u64| length > 64 * 1024)
}

const GRPC: &[u8] = b"application/grpc";

#[cfg(test)]
mod tests {
    use http::header::CONTENT_ENCODING;

    use super::*;

    #[test]
    fn content_types() {
        let table = [
            ("text/event-stream", Some(Form::Sse)),
            ("text/event-stream; charset=utf-8", Some(Form::Sse)),
            ("Text/Event-Stream;charset=UTF-8", Some(Form::Sse)),
            (" text/event-stream ", Some(Form::Sse)),
            ("text/event-streams", None),
            (
                "application/vnd.amazon.eventstream",
                Some(Form::EventStream),
            ),
            (
                "application/vnd.amazon.eventstream; a=b",
                Some(Form::EventStream),
            ),
            ("application/grpc", Some(Form::Grpc)),
            ("application/grpc+proto", Some(Form::Grpc)),
            ("application/grpc;x", Some(Form::Grpc)),
            ("application/grpc-web", None),
            ("application/grpc-web+proto", None),
            ("application/grpcs", None),
            ("application/json", Some(Form::Json)),
            ("application/json; charset=utf-8", Some(Form::Json)),
            ("application/x-ndjson", Some(Form::Json)),
            ("application/jsonl", Some(Form::Json)),
            ("application/problem+json", None),
            ("", None),
            (";", None),
        ];
        for (content_type, expected) in table {
            assert_eq!(
                Form::of_type(content_type.as_bytes()),
                expected,
                "{content_type}"
            );
        }
    }

    #[test]
    fn only_a_stream_in_a_known_coding_is_read() {
        let of = |encodings: &[&str]| {
            let mut response = Response::builder().header(CONTENT_TYPE, "text/event-stream");
            for encoding in encodings {
                response = response.header(CONTENT_ENCODING, *encoding);
            }
            Form::of_response(&response.body(()).expect("a head"))
        };
        assert_eq!(of(&[]), Some((Form::Sse, None)));
        assert_eq!(of(&["identity"]), Some((Form::Sse, None)));
        assert_eq!(of(&["gzip"]), Some((Form::Sse, Some(Coding::Gzip))));
        assert_eq!(of(&["gzip", "br"]), None);
        assert_eq!(of(&["dcb"]), None);
        assert_eq!(Form::of_response(&Response::new(())), None);
    }
}
