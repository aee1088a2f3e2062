//! Streams in a content coding: they are decoded for reading, and passed on unchanged.

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};

use super::*;
use crate::coding::{
    Coding,
    tests::{ALL, encode},
};

/// Returns the name of a coding in header fields.
fn name(coding: Coding) -> &'static str {
    match coding {
        Coding::Gzip => "gzip",
        Coding::Deflate => "deflate",
        Coding::Brotli => "br",
        Coding::Zstd => "zstd",
    }
}

fn coded(coding: Coding, events: &[&str]) -> Vec<Vec<u8>> {
    let events: Vec<_> = events.iter().map(|event| event.as_bytes()).collect();
    encode(coding, &events)
}

fn respond_in(coding: Coding, body: ScriptedBody) -> Response<ScriptedBody> {
    let mut response = respond(SSE, body);
    let name = name(coding).parse().expect("a value");
    response.headers_mut().insert(CONTENT_ENCODING, name);
    response
}

async fn peek_in(coding: Coding, body: ScriptedBody) -> Response<PeekedBody<ScriptedBody>> {
    let response = respond_in(coding, body);
    peek_at(StreamPeekLayer::new(), Request::new(()), response).await
}

#[tokio::test(start_paused = true)]
async fn error_before_the_content_of_a_coded_stream_is_a_response_without_coding() {
    for coding in ALL {
        let body = chunks(coded(coding, &[START, PING, OVERLOADED]));
        let response = peek_in(coding, body).await;
        assert_eq!(response.status(), 529, "{coding:?}");
        assert_eq!(refusal(&response), Some(Refusal::Capacity));
        assert!(!response.headers().contains_key(CONTENT_ENCODING));
        let expected = OVERLOADED.lines().nth(1).and_then(|line| line.get(6..));
        assert_eq!(bytes(response).await, expected.expect("its data"));
    }
}

#[tokio::test(start_paused = true)]
async fn coded_stream_with_content_is_passed_on_unchanged() {
    for coding in ALL {
        let stream = coded(coding, &[START, PING, CONTENT, "data: [DONE]\n\n"]);
        let body = chunks(stream.clone());
        let handle = body.handle();
        let response = peek_in(coding, body).await;
        assert_eq!(refusal(&response), None);
        assert_eq!(response.headers()[CONTENT_ENCODING], name(coding));
        assert_eq!(
            handle.data_frames(),
            3,
            "the stream is released at its content"
        );
        assert_eq!(bytes(response).await, stream.concat(), "{coding:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn error_in_a_coded_stream_is_found_in_chunks_of_any_size() {
    for coding in ALL {
        let stream = coded(coding, &[START, OVERLOADED]).concat();
        for at in 0..=stream.len() {
            let (start, end) = stream.split_at(at);
            let response = peek_in(coding, chunks([start.to_vec(), end.to_vec()])).await;
            assert_eq!(response.status(), 529, "{coding:?} at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn error_after_the_content_of_a_coded_stream_is_counted() {
    for coding in ALL {
        for (last, expected) in [(OVERLOADED, 1), (CONTENT, 0)] {
            let pool = pool();
            let mut request = Request::new(());
            request.extensions_mut().insert(select(&pool));
            let stream = coded(coding, &[START, CONTENT, last]);
            let response = respond_in(coding, chunks(stream.clone()));
            let response = peek_at(StreamPeekLayer::new(), request, response).await;
            assert_eq!(bytes(response).await, stream.concat());
            let snapshot = pool.snapshot(Scope::BACKEND, Instant::now());
            assert_eq!(snapshot[0].counts().broken, expected, "{coding:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn undecodable_stream_is_passed_on_at_once() {
    for coding in ALL {
        let pool = pool();
        let mut request = Request::new(());
        request.extensions_mut().insert(select(&pool));
        let stream = [START, OVERLOADED, "data: {}\n\n"];
        let response = respond_in(coding, chunks(stream));
        let response = peek_at(StreamPeekLayer::new(), request, response).await;
        assert_eq!(refusal(&response), None, "{coding:?}");
        assert_eq!(bytes(response).await, stream.concat());
    }

    // An unsupported coding, and two codings.
    for encoding in ["dcb", "gzip, br"] {
        let body = chunks(coded(Coding::Gzip, &[OVERLOADED]));
        let handle = body.handle();
        let mut response = respond(SSE, body);
        let value = encoding.parse().expect("a value");
        response.headers_mut().insert(CONTENT_ENCODING, value);
        let response = peek_at(StreamPeekLayer::new(), Request::new(()), response).await;
        assert_eq!(refusal(&response), None);
        assert_eq!(handle.polls(), 0, "{encoding}");
    }
}

#[tokio::test(start_paused = true)]
async fn decompression_bomb_is_passed_on_and_not_decoded_further() {
    for coding in ALL {
        let comments = ": x\n".repeat(2 << 20);
        let stream = coded(coding, &[&comments, OVERLOADED]);
        let response = peek_in(coding, chunks(stream.clone())).await;
        assert_eq!(refusal(&response), None, "{coding:?}");
        assert_eq!(bytes(response).await, stream.concat());
    }
}

#[tokio::test(start_paused = true)]
async fn coded_aws_event_stream_is_read() {
    for coding in ALL {
        let start = event("messageStart", "{}");
        let throttled = exception("throttlingException", r#"{"message":"Too many"}"#);
        let stream = encode(coding, &[&start, &throttled]);
        let mut response = respond(EVENT_STREAM, chunks(stream));
        let value = name(coding).parse().expect("a value");
        response.headers_mut().insert(CONTENT_ENCODING, value);
        let response = peek_at(StreamPeekLayer::new(), Request::new(()), response).await;
        assert_eq!(refusal(&response), Some(Refusal::Throttled), "{coding:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn accept_encoding_is_limited_to_supported_codings() {
    for (given, expected) in [
        (
            Some("gzip, deflate, br, zstd"),
            Some("gzip, deflate, br, zstd"),
        ),
        (Some("gzip, compress, br"), Some("gzip, br")),
        (Some("dcb"), Some("identity")),
        (None, None),
    ] {
        let probe = Probe::new(move |request: Request<()>| {
            let offered = request.headers().get(ACCEPT_ENCODING);
            let offered = offered.map(|value| value.to_str().expect("text"));
            assert_eq!(offered, expected);
            std::future::ready(Ok::<_, Infallible>(Response::new(ScriptedBody::new())))
        });
        let mut request = Request::new(());
        if let Some(given) = given {
            let value = given.parse().expect("a value");
            request.headers_mut().insert(ACCEPT_ENCODING, value);
        }
        let Ok(_) = StreamPeekLayer::new().layer(probe).oneshot(request).await;
    }
}
