//! The parser of AWS event streams.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::{event, exception, framed, message};
use crate::peek::event_stream::{Message, Parser};

/// The kind, name, error message and payload of a message. `None` for a message that cannot be read.
type Owned = Option<[Vec<u8>; 4]>;

fn feed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
    let mut parser = Parser::default();
    let mut messages = Vec::new();
    for chunk in chunks {
        let flow = parser.feed(chunk, |message| {
            let parts =
                |m: Message<'_>| [m.kind, m.name, m.error_message, m.payload].map(<[u8]>::to_vec);
            messages.push(message.map(parts));
            ControlFlow::<()>::Continue(())
        });
        assert!(flow.is_continue());
    }
    messages
}

/// Parses the stream in one chunk. Asserts that chunks of any size have the same result.
fn read(bytes: &[u8]) -> Vec<Owned> {
    let whole = feed([bytes]);
    for size in (1..40).chain([bytes.len().max(2) - 1]) {
        assert_eq!(feed(bytes.chunks(size)), whole, "in chunks of {size}");
    }
    whole
}

fn expected_message(kind: &str, name: &str, error: &str, payload: &str) -> Owned {
    Some([kind, name, error, payload].map(|text| text.as_bytes().to_vec()))
}

#[test]
fn events_exceptions_and_errors_are_parsed() {
    let error = message(
        &[
            (":message-type", "error"),
            (":error-code", "InternalError"),
            (":error-message", "Sorry."),
        ],
        b"",
    );
    let stream = [
        event("messageStart", "{}"),
        event("contentBlockDelta", ""),
        exception("throttlingException", r#"{"message":"x"}"#),
        error,
        framed(b"", b"bare"),
    ];
    let expected = [
        expected_message("event", "messageStart", "", "{}"),
        expected_message("event", "contentBlockDelta", "", ""),
        expected_message("exception", "throttlingException", "", r#"{"message":"x"}"#),
        expected_message("error", "InternalError", "Sorry.", ""),
        expected_message("", "", "", "bare"),
    ];
    assert_eq!(read(&stream.concat()), expected);
}

/// Parses the example of the AWS documentation: a message with one header and a JSON payload.
#[test]
fn documented_example_is_parsed() {
    let message = b"\x00\x00\x00\x3d\x00\x00\x00\x20\x07\xfd\x83\x96\x0ccontent-type\x07\x00\x10application/json\
        {'foo':'bar'}\x8d\x9c\x08\xb1";
    assert_eq!(
        read(message),
        [expected_message("", "", "", "{'foo':'bar'}")]
    );
}

#[test]
fn headers_of_all_types_are_parsed() {
    let mut headers = Vec::new();
    let lens = [
        (0, 0),
        (1, 0),
        (2, 1),
        (3, 2),
        (4, 4),
        (5, 8),
        (8, 8),
        (9, 16),
    ];
    for (kind, len) in lens {
        headers.extend([1, b'x', kind]);
        headers.extend(vec![7; len]);
    }
    // A header of bytes is not a text, even with a known name.
    headers.extend(
        b"\x01b\x06\x00\x02ab\x0b:event-type\x06\x00\x01x\x0d:message-type\x07\x00\x05event",
    );
    assert_eq!(
        read(&framed(&headers, b"p")),
        [expected_message("event", "", "", "p")]
    );
}

#[test]
fn broken_header_affects_its_message_only() {
    for headers in [
        &b"\x05ab"[..],
        b"\x01a",
        b"\x01a\x07",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x05ab",
        b"\x01a\x0a",
        b"\x01a\x09abc",
    ] {
        let stream = [framed(headers, b"p"), event("x", "y")].concat();
        let expected = [None, expected_message("event", "x", "", "y")];
        assert_eq!(read(&stream), expected, "{}", headers.escape_ascii());
    }
}

#[test]
fn nothing_is_parsed_after_a_broken_prelude() {
    let good = event("x", "y");
    let mut flipped = good.clone();
    flipped[1] ^= 1;
    let mut unchecked = good.clone();
    unchecked[8] ^= 1;
    let prelude = |lens: [u32; 2]| {
        let lens = lens.map(u32::to_be_bytes).concat();
        [&lens[..], &crc32fast::hash(&lens).to_be_bytes()].concat()
    };
    let cases = [
        flipped,
        unchecked,
        // A length below the minimum, and headers longer than the message.
        prelude([15, 0]),
        prelude([0, 0]),
        prelude([20, 5]),
        prelude([20, u32::MAX]),
        b"data: this is no event stream\n\n".to_vec(),
    ];
    for bad in cases {
        let stream = [&good[..], &bad, &good].concat();
        assert_eq!(
            read(&stream),
            [expected_message("event", "x", "", "y"), None]
        );
    }
    assert_eq!(read(&good[..good.len() - 1]), []);
}

#[test]
fn message_above_the_limit_is_skipped() {
    let long = event("chunk", &"x".repeat(100_000));
    let stream = [event("a", ""), long, event("b", "")].concat();
    let expected = [
        expected_message("event", "a", "", ""),
        None,
        expected_message("event", "b", "", ""),
    ];
    assert_eq!(feed([&stream[..]]), expected);
    for size in [1, 11, 12, 13, 4096] {
        assert_eq!(feed(stream.chunks(size)), expected, "in chunks of {size}");
    }
}

#[test]
fn parser_stops_when_the_caller_breaks() {
    let stream = [event("a", ""), event("b", ""), event("c", "")].concat();
    let mut names = Vec::new();
    let flow = Parser::default().feed(&stream, |message| {
        let name = message.expect("it can be read").name.to_vec();
        names.push(name.clone());
        match &*name {
            b"b" => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert!(flow.is_break());
    assert_eq!(names, [b"a", b"b"]);
}

proptest! {
    #[test]
    fn messages_are_the_same_for_chunks_of_any_size(
        mut stream in prop::collection::vec(prop_oneof![
            8 => ("[a-z]{0,9}", ".{0,40}").prop_map(|(name, payload)| event(&name, &payload)),
            1 => prop::collection::vec(any::<u8>(), 0..30),
        ], 0..6).prop_map(|parts| parts.concat()),
        flip in any::<prop::sample::Index>(),
        is_flipped in any::<bool>(),
        size in 1..50_usize,
    ) {
        if is_flipped && !stream.is_empty() {
            let at = flip.index(stream.len());
            stream[at] ^= 0x41;
        }
        prop_assert_eq!(feed(stream.chunks(size)), feed([&stream[..]]));
    }
}
