use http::{Response, header::CONTENT_TYPE};

use crate::coding::Coding;

/// What kind of stream a response is, of those that may report an error after a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Server-sent events.
    Sse,
    /// The binary events of AWS.
    EventStream,
    /// gRPC over HTTP/2, which says at the end how it went.
    Grpc,
}

impl Form {
    /// The form of a response, and the coding that it is in; `None` for a response that is not looked into.
    pub(super) fn of<B>(response: &Response<B>) -> Option<(Self, Option<Coding>)> {
        if !response.status().is_success() {
            return None;
        }
        let headers = response.headers();
        let form = Self::of_type(headers.get(CONTENT_TYPE)?.as_bytes())?;
        Some((form, Coding::of(headers).ok()?))
    }

    fn of_type(content_type: &[u8]) -> Option<Self> {
        let end = content_type.iter().position(|byte| *byte == b';');
        let essence = content_type[..end.unwrap_or(content_type.len())].trim_ascii();
        let is = |name: &[u8]| essence.eq_ignore_ascii_case(name);
        if is(b"text/event-stream") {
            return Some(Self::Sse);
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
            ("application/json", None),
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
    fn only_a_success_that_can_be_read_is_looked_into() {
        let of = |status: u16, encodings: &[&str]| {
            let mut response = Response::builder()
                .status(status)
                .header(CONTENT_TYPE, "text/event-stream");
            for encoding in encodings {
                response = response.header(CONTENT_ENCODING, *encoding);
            }
            Form::of(&response.body(()).expect("a head"))
        };
        assert_eq!(of(200, &[]), Some((Form::Sse, None)));
        assert_eq!(of(201, &["identity"]), Some((Form::Sse, None)));
        assert_eq!(of(200, &["gzip"]), Some((Form::Sse, Some(Coding::Gzip))));
        assert_eq!(of(200, &["gzip", "br"]), None);
        assert_eq!(of(200, &["dcb"]), None);
        assert_eq!(of(429, &[]), None);
        assert_eq!(of(304, &[]), None);
        assert_eq!(Form::of(&Response::new(())), None);
    }
}
