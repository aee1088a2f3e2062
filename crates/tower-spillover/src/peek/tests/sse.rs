//! The parser of server-sent events, by the specification:
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::ops::ControlFlow;

use proptest::prelude::*;

use crate::peek::sse::{Event, Parser};

type Owned = (Vec<u8>, Vec<u8>);

/// A text, and the expected names and data of its events.
type Case = (&'static [u8], &'static [(&'static str, &'static str)]);

fn feed<'a>(parser: &mut Parser, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
    let mut events = Vec::new();
    for chunk in chunks {
        let flow = parser.feed(chunk, |event| push_event(event, &mut events));
        assert!(flow.is_continue());
    }
    events
}

fn push_event(event: Event<'_>, events: &mut Vec<Owned>) -> ControlFlow<()> {
    events.push((event.name.to_vec(), event.data.to_vec()));
    ControlFlow::Continue(())
}

/// Parses the text in one chunk. Asserts that single bytes have the same result.
fn events(text: &[u8]) -> Vec<(String, String)> {
    let whole = feed(&mut Parser::default(), [text]);
    let bytes = feed(&mut Parser::default(), text.chunks(1));
    assert_eq!(whole, bytes, "{}", text.escape_ascii());
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    whole
        .into_iter()
        .map(|(name, data)| (text(name), text(data)))
        .collect()
}

#[test]
fn corner_cases_of_the_specification_are_parsed() {
    let table: &[Case] = &[
        (b"", &[]),
        (b"\n\n\n", &[]),
        (b"data: a\n\n", &[("", "a")]),
        (b"data: a\r\n\r\n", &[("", "a")]),
        (b"data: a\r\r", &[("", "a")]),
        (b"data: a\r\n\n", &[("", "a")]),
        (b"data: a\n\r", &[("", "a")]),
        (b"data: a\r\rdata: b\n\ndata: c\r\n\r\n", &[("", "a"), ("", "b"), ("", "c")]),
        // Only the first space is removed.
        (b"data:a\n\n", &[("", "a")]),
        (b"data:  a \n\n", &[("", " a ")]),
        (b"data:\ta\n\n", &[("", "\ta")]),
        // A colon in the value.
        (b"data: a: b\n\n", &[("", "a: b")]),
        // Data of several lines.
        (b"data: a\ndata: b\ndata\ndata:\n\n", &[("", "a\nb\n\n")]),
        (b"data: a\nevent: x\ndata: b\n\n", &[("x", "a\nb")]),
        // Empty data makes an event. A text without data makes none, and its name is discarded.
        (b"data\n\n", &[("", "")]),
        (b"data:\n\n", &[("", "")]),
        (b"data\ndata\n\n", &[("", "\n")]),
        (b"event: x\n\ndata: a\n\n", &[("", "a")]),
        (b"event: x\ndata: a\n\ndata: b\n\n", &[("x", "a"), ("", "b")]),
        // The last name is used, and may be empty.
        (b"event: x\nevent: y\ndata: a\n\n", &[("y", "a")]),
        (b"event: x\nevent\ndata: a\n\n", &[("", "a")]),
        (b"event:x\ndata: a\n\n", &[("x", "a")]),
        // Comments and other fields are ignored.
        (b": x\n\n:\n\ndata: a\n\n", &[("", "a")]),
        (b"data: a\n: x\ndata: b\n\n", &[("", "a\nb")]),
        (b"id: 1\nretry: 3000\nfoo: x\nfoo\n\n", &[]),
        (b"id: 1\ndata: a\nretry: 3000\n\n", &[("", "a")]),
        (b" data: a\nDATA: b\ndatas: c\ndata : d\n\n", &[]),
        // A byte order mark is removed once, and only at the beginning.
        (b"\xef\xbb\xbfdata: a\n\n", &[("", "a")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", &[]),
        (b"\n\xef\xbb\xbfdata: a\n\n", &[]),
        (b"\xef\xbbdata: a\n\ndata: b\n\n", &[("", "b")]),
        (b"\xef\ndata: b\n\n", &[("", "b")]),
        // An event ends with an empty line.
        (b"data: a", &[]),
        (b"data: a\n", &[]),
        (b"data: a\n\ndata: b\r\n", &[("", "a")]),
        // Bytes that are not UTF-8.
        (b"data: a\0b\n\n", &[("", "a\0b")]),
        (b"event: \xff\ndata: \xc3\x28\n\n", &[("\u{fffd}", "\u{fffd}(")]),
        (b"data: \xe2\x80\xa8 \x0b\x0c\n\n", &[("", "\u{2028} \x0b\x0c")]),
        // The example of the specification.
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
            &[("", "first event"), ("", "second event")],
        ),
    ];
    for (text, expected) in table {
        let found = events(text);
        let found: Vec<_> = found
            .iter()
            .map(|(name, data)| (&**name, &**data))
            .collect();
        assert_eq!(found, *expected, "{}", text.escape_ascii());
    }
}

#[test]
fn event_cut_off_by_the_end_is_returned_by_finish() {
    let table: &[Case] = &[
        (b"data: a\n\n", &[]),
        (b"data: a\n", &[("", "a")]),
        (b"event: x\ndata: a\r", &[("x", "a")]),
        (b"event: x\ndata: a\ndata: b", &[("x", "a\nb")]),
        (b"event: x\ndat", &[]),
        (b": a", &[]),
        (b"", &[]),
    ];
    for (text, expected) in table {
        for size in [1, 64] {
            let mut parser = Parser::default();
            feed(&mut parser, text.chunks(size));
            let mut events = Vec::new();
            assert!(
                parser
                    .finish(|event| push_event(event, &mut events))
                    .is_continue()
            );
            let expected: Vec<Owned> = expected
                .iter()
                .map(|(name, data)| (name.as_bytes().to_vec(), data.as_bytes().to_vec()))
                .collect();
            assert_eq!(events, expected, "{}", text.escape_ascii());
        }
    }
}

#[test]
fn parser_stops_when_the_caller_breaks() {
    let mut parser = Parser::default();
    let mut seen = 0;
    let flow = parser.feed(b"data: a\n\ndata: b\n\ndata: c\n\n", |event| {
        seen += 1;
        match event.data {
            b"b" => ControlFlow::Break("b"),
            _ => ControlFlow::Continue(()),
        }
    });
    assert_eq!((flow, seen), (ControlFlow::Break("b"), 2));
}

/// The buffered part of a long event is bounded, and the event after it is parsed.
#[test]
fn giant_line_is_cut_and_the_next_event_is_parsed() {
    let giant = vec![b'x'; 200 * 1024];
    for field in ["data: ", "event: ", ": ", "data: a\ndata: "] {
        let text = [field.as_bytes(), &giant, b"\ndata: c\n\ndata: b\n\n"].concat();
        for size in [1000, text.len()] {
            let events = feed(&mut Parser::default(), text.chunks(size));
            assert_eq!(events.last().expect("an event").1, b"b", "{field}");
            for (name, data) in events {
                assert!(name.len() <= 128);
                // An event in one chunk is not buffered.
                assert!(data.len() <= 64 * 1024 || size == text.len());
            }
        }
    }
}

/// Parses a complete text as the specification describes.
fn reference(text: &[u8]) -> Vec<Owned> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut lines = vec![Vec::new()];
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' => lines.push(Vec::new()),
            b'\r' => {
                bytes.next_if_eq(&b'\n');
                lines.push(Vec::new());
            }
            byte => lines.last_mut().expect("a line").push(byte),
        }
    }
    lines.pop();

    let (mut events, mut name, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        if line.is_empty() {
            if data.pop().is_some() {
                events.push((name, data));
            }
            (name, data) = (Vec::new(), Vec::new());
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => {
                data.extend(value);
                data.push(b'\n');
            }
            _ => {}
        }
    }
    events
}

/// Creates texts that resemble a stream.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "data",
            "data: ",
            "data:a",
            "event",
            "event: x",
            "id: 1",
            ":",
            " ",
            "\n",
            "\r",
            "\r\n",
            "\n\n",
            "\r\n\r\n",
            "x",
            "{\"error\":1}",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn events_are_the_same_for_chunks_of_any_size(text in texts(), cuts in prop::collection::vec(0..8_usize, 0..60)) {
        let mut rest = &text[..];
        let mut chunks = Vec::new();
        for cut in cuts {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        chunks.push(rest);
        prop_assert_eq!(feed(&mut Parser::default(), chunks), reference(&text));
    }
}
