//! Properties of streams of any bytes in any chunks: nothing panics, and a stream without an error passes unchanged.

use proptest::prelude::*;

use super::*;

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(test)
}

/// Creates bytes that resemble a stream of one of the formats.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let text = prop::sample::select(vec![
        START,
        PING,
        CONTENT,
        "data: ",
        "data: {}",
        "event: ",
        "event: ping",
        ":",
        "\n",
        "\r",
        "\r\n\r\n",
        "\0",
        "data: {\"choices\":[]}\n\n",
        "\"error\"",
    ]);
    prop_oneof![
        4 => text.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => Just(event("messageStart", "{}")),
        1 => Just(event("contentBlockDelta", "{}")),
        1 => Just(vec![b'x'; 70_000]),
    ]
}

fn streams() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(pieces(), 0..12).prop_map(|pieces| pieces.concat())
}

fn in_chunks(stream: &[u8], sizes: &[usize]) -> ScriptedBody {
    let mut rest = stream;
    let mut body = ScriptedBody::new();
    for size in sizes {
        let (chunk, after) = rest.split_at((*size).min(rest.len()));
        body = body.data(chunk.to_vec());
        body = if size % 3 == 0 { body.pending() } else { body };
        rest = after;
    }
    body.data(rest.to_vec())
}

proptest! {
    #[test]
    fn response_without_an_error_passes_unchanged(
        content_type in prop::sample::select(vec![SSE, EVENT_STREAM, GRPC]),
        stream in streams(),
        sizes in prop::collection::vec(0..100_usize, 0..20),
        is_selected in any::<bool>(),
    ) {
        run(async {
            let mut request = Request::new(());
            if is_selected {
                request.extensions_mut().insert(select(&pool()));
            }
            let response = respond(content_type, in_chunks(&stream, &sizes));
            let response = peek_at(StreamPeekLayer::new(), request, response).await;
            let status = response.status();
            let body = bytes(response).await;
            // The pieces can form an error by chance.
            if status == StatusCode::OK {
                assert!(body == stream);
            }
        });
    }

    #[test]
    fn error_is_found_in_chunks_of_any_size(
        sizes in prop::collection::vec(0..100_usize, 0..20),
        lifecycle in prop::collection::vec(prop::sample::select(vec![START, PING, "\n", ":\r\n"]), 0..5),
    ) {
        run(async {
            let stream = [&lifecycle.concat(), "\n", OVERLOADED, CONTENT].concat();
            let response = peek(SSE, in_chunks(stream.as_bytes(), &sizes)).await;
            prop_assert_eq!(response.status().as_u16(), 529);
            let body = bytes(response).await;
            prop_assert_eq!(body, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
            Ok(())
        })?;
    }
}
