use std::{io::Write, ops::ControlFlow};

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING},
};
use proptest::prelude::*;

use super::*;

/// Encodes the pieces, and flushes after each as streaming servers do, so that each piece can be decoded on arrival.
pub(crate) fn encode(coding: Coding, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    match coding {
        Coding::Gzip => flushed(
            pieces,
            GzEncoder::new(Vec::new(), Compression::default()),
            GzEncoder::get_mut,
            |encoder| encoder.finish().expect("into memory"),
        ),
        Coding::Deflate => flushed(
            pieces,
            ZlibEncoder::new(Vec::new(), Compression::default()),
            ZlibEncoder::get_mut,
            |encoder| encoder.finish().expect("into memory"),
        ),
        Coding::Brotli => flushed(
            pieces,
            ::brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20),
            ::brotli::CompressorWriter::get_mut,
            ::brotli::CompressorWriter::into_inner,
        ),
        Coding::Zstd => flushed(
            pieces,
            ::zstd::Encoder::new(Vec::new(), 3).expect("memory"),
            ::zstd::Encoder::get_mut,
            |encoder| encoder.finish().expect("into memory"),
        ),
    }
}

fn flushed<W: Write>(
    pieces: &[&[u8]],
    mut encoder: W,
    output: impl Fn(&mut W) -> &mut Vec<u8>,
    finish: impl FnOnce(W) -> Vec<u8>,
) -> Vec<Vec<u8>> {
    let mut coded = Vec::new();
    for piece in pieces {
        encoder.write_all(piece).expect("into memory");
        encoder.flush().expect("into memory");
        coded.push(std::mem::take(output(&mut encoder)));
    }
    coded.push(finish(encoder));
    coded
}

pub(crate) const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

/// Decodes the chunks. Returns the text, and the error if there was one.
fn decode<'a>(
    decoder: &mut Decoder,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, Result<(), DecodeError>) {
    let mut text = Vec::new();
    for chunk in chunks {
        let result = decoder.decode(chunk, |piece| {
            text.extend(piece);
            ControlFlow::<()>::Continue(())
        });
        if let Err(error) = result {
            return (text, Err(error));
        }
    }
    (text, Ok(()))
}

fn text_of(coding: Coding, coded: &[u8]) -> Vec<u8> {
    let (text, result) = decode(&mut Decoder::new(coding), [coded]);
    result.expect("the body is valid");
    text
}

const EVENTS: [&[u8]; 3] = [
    b"event: message_start\ndata: {\"type\":\"message_start\"}\n\n",
    b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
    b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
];

#[test]
fn flushed_event_is_decoded_on_arrival() {
    for coding in ALL {
        let mut decoder = Decoder::new(coding);
        let coded = encode(coding, &EVENTS);
        for (chunk, event) in coded.iter().zip(EVENTS) {
            let (text, result) = decode(&mut decoder, [&**chunk]);
            result.expect("the body is valid");
            assert_eq!(text, event, "{coding:?}");
            assert!(!decoder.is_complete());
        }
        let (rest, result) = decode(&mut decoder, [&*coded[EVENTS.len()]]);
        result.expect("the body is valid");
        assert_eq!(rest, b"");
        assert!(decoder.is_complete(), "{coding:?}");
    }
}

#[test]
fn decoded_body_is_the_same_for_chunks_of_any_size() {
    for coding in ALL {
        let coded = encode(coding, &EVENTS).concat();
        for at in 0..=coded.len() {
            let (start, end) = coded.split_at(at);
            let mut decoder = Decoder::new(coding);
            let (text, result) = decode(&mut decoder, [start, end]);
            result.expect("the body is valid");
            assert_eq!(text, EVENTS.concat(), "{coding:?} at {at}");
            assert!(decoder.is_complete());
        }
        let mut decoder = Decoder::new(coding);
        let (text, result) = decode(&mut decoder, coded.chunks(1));
        result.expect("the body is valid");
        assert_eq!(text, EVENTS.concat(), "{coding:?} by bytes");
    }
}

#[test]
fn decoder_of_a_cut_off_body_is_not_complete() {
    for coding in ALL {
        let coded = encode(coding, &EVENTS).concat();
        let mut decoder = Decoder::new(coding);
        let (_, result) = decode(&mut decoder, [&coded[..coded.len() - 1]]);
        result.expect("the part before the cut is valid");
        assert!(!decoder.is_complete(), "{coding:?}");
    }
}

#[test]
fn rest_of_a_chunk_is_not_decoded_after_a_break() {
    for coding in ALL {
        let coded = encode(coding, &[&[b'a'; 10_000]]).concat();
        let mut calls = 0;
        let flow = Decoder::new(coding).decode(&coded, |piece| {
            calls += 1;
            assert!(piece.len() <= 4096);
            ControlFlow::Break(piece[0])
        });
        assert_eq!(flow.expect("the body is valid"), ControlFlow::Break(b'a'));
        assert_eq!(calls, 1, "{coding:?}");
    }
}

#[test]
fn decoding_a_body_without_its_coding_fails() {
    for coding in ALL {
        let plain = b"data: {\"choices\":[]}\n\n".repeat(10);
        let (_, result) = decode(&mut Decoder::new(coding), [&*plain]);
        let error = result.expect_err("the body has no coding");
        assert!(!error.is_bomb(), "{coding:?}: {error}");

        let mut coded = encode(coding, &EVENTS).concat();
        let middle = coded.len() / 2;
        coded[middle..].iter_mut().for_each(|byte| *byte = !*byte);
        let _ = decode(&mut Decoder::new(coding), [&*coded]);
    }
}

#[test]
fn decompression_bomb_is_not_decoded_to_its_end() {
    for coding in ALL {
        let bomb = encode(coding, &[&vec![b' '; 8 << 20]]).concat();
        let (text, result) = decode(&mut Decoder::new(coding), [&*bomb]);
        assert!(result.expect_err("a bomb").is_bomb(), "{coding:?}");
        assert!(text.len() <= (1 << 20) + bomb.len() * 100 + 4096);

        // A large body with a usual ratio is decoded.
        let body: Vec<u8> = (0..1_u32 << 16)
            .flat_map(|n| n.to_string().into_bytes())
            .collect();
        let coded = encode(coding, &[&body]).concat();
        assert_eq!(text_of(coding, &coded), body, "{coding:?}");
    }
}

#[test]
fn gzip_with_optional_header_fields_and_several_members_is_decoded() {
    let raw = |text: &str| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).expect("into memory");
        [encoder.finish().expect("into memory"), vec![0; 8]].concat()
    };
    let full = b"\x1f\x8b\x08\x1f\0\0\0\0\0\xff\x03\0abcname\0comment\0\xff\xff";
    let bare = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
    let members = [&full[..], &raw("one "), bare, &raw("two")].concat();
    for size in [1, 2, 3, 7, 1000] {
        let mut decoder = Decoder::new(Coding::Gzip);
        let (text, result) = decode(&mut decoder, members.chunks(size));
        result.expect("the body is valid");
        assert_eq!(text, b"one two", "in chunks of {size}");
        assert!(decoder.is_complete());
    }
    // Zero bytes after the last member are padding, such as that of tar.
    let padded = [&members[..], &[0; 100]].concat();
    assert_eq!(text_of(Coding::Gzip, &padded), b"one two");

    for wrong in [&b"\x1f\x8b\x07"[..], b"\x1f\x8b\x08\xe0", b"PK"] {
        let (_, result) = decode(&mut Decoder::new(Coding::Gzip), [wrong]);
        result.expect_err("no header of gzip");
    }
    let endless = [&b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"[..], &[b'a'; 8192]].concat();
    let (_, result) = decode(&mut Decoder::new(Coding::Gzip), [&*endless]);
    result.expect_err("a name without end");
}

#[test]
fn deflate_without_zlib_wrapper_is_decoded() {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&EVENTS.concat()).expect("into memory");
    let bare = encoder.finish().expect("into memory");
    for size in [1, 2, 1000] {
        let mut decoder = Decoder::new(Coding::Deflate);
        let (text, result) = decode(&mut decoder, bare.chunks(size));
        result.expect("the body is valid");
        assert_eq!(text, EVENTS.concat());
        assert!(decoder.is_complete());
    }
}

#[test]
fn zstd_window_above_8_mib_is_refused() {
    let encode = |window_log| {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).expect("memory");
        encoder.window_log(window_log).expect("a window");
        encoder.write_all(&EVENTS.concat()).expect("into memory");
        encoder.finish().expect("into memory")
    };
    assert_eq!(text_of(Coding::Zstd, &encode(23)), EVENTS.concat());
    let (_, result) = decode(&mut Decoder::new(Coding::Zstd), [&*encode(24)]);
    result.expect_err("its window has 16 MiB");

    // A body may have several frames.
    let two = [encode(20), encode(21)].concat();
    assert_eq!(text_of(Coding::Zstd, &two), EVENTS.concat().repeat(2));
}

#[test]
fn content_encoding_names_the_coding() {
    type Read = Result<Option<Coding>, &'static str>;

    let coding_of = |values: &[&'static str]| {
        let values = values.iter().map(|value| HeaderValue::from_static(value));
        let mut headers = HeaderMap::new();
        values.for_each(|value| {
            headers.append(CONTENT_ENCODING, value);
        });
        Coding::of(&headers).map_err(|_| "unreadable")
    };
    let table: [(&[&'static str], Read); 12] = [
        (&[], Ok(None)),
        (&[""], Ok(None)),
        (&["Identity"], Ok(None)),
        (&["gzip"], Ok(Some(Coding::Gzip))),
        (&["X-GZIP "], Ok(Some(Coding::Gzip))),
        (&["deflate"], Ok(Some(Coding::Deflate))),
        (&["br"], Ok(Some(Coding::Brotli))),
        (&["identity, zstd"], Ok(Some(Coding::Zstd))),
        (&["identity", "br"], Ok(Some(Coding::Brotli))),
        (&["gzip, br"], Err("unreadable")),
        (&["gzip", "gzip"], Err("unreadable")),
        (&["dcz"], Err("unreadable")),
    ];
    for (values, expected) in table {
        assert_eq!(coding_of(values), expected, "{values:?}");
    }
}

#[test]
fn accept_encoding_is_limited_to_supported_codings() {
    let offered = |values: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        offer_readable(&mut headers);
        let values = headers.get_all(ACCEPT_ENCODING).iter();
        let values = values.map(|value| value.to_str().expect("text").to_owned());
        values.collect::<Vec<_>>().join(" | ")
    };
    let table: [(&[&'static str], &str); 18] = [
        (&[], ""),
        (&["gzip, deflate, br, zstd"], "gzip, deflate, br, zstd"),
        (&["gzip", "br"], "gzip | br"),
        (
            &["GZIP;q=1.0,Identity; q=0.5"],
            "GZIP;q=1.0,Identity; q=0.5",
        ),
        (&[""], ""),
        (&["identity"], "identity"),
        (&["br;q=0.5, dcb, gzip"], "br;q=0.5, gzip"),
        (&["gzip, compress, deflate, br"], "gzip, deflate, br"),
        (
            &["gzip, deflate, br, zstd, dcb, dcz"],
            "gzip, deflate, br, zstd",
        ),
        (&["dcb", "gzip ; q=0.3"], "gzip; q=0.3"),
        (&["compress"], "identity"),
        (&["compress, *;q=0"], "*;q=0"),
        (&["*"], "gzip, deflate, br, zstd"),
        (
            &["*;q=0.1, gzip"],
            "gzip, deflate;q=0.1, br;q=0.1, zstd;q=0.1",
        ),
        (&["br;q=0, *"], "br;q=0, gzip, deflate, zstd"),
        (&["gzip, *;q=0.000"], "gzip, *;q=0.000"),
        (&["gzip, dcb;q=0"], "gzip, dcb;q=0"),
        (&["gzip;q=abc, lzma; q = 1"], "gzip;q=abc"),
    ];
    for (values, expected) in table {
        assert_eq!(offered(values), expected, "{values:?}");
    }
}

proptest! {
    #[test]
    fn decoder_does_not_panic_on_any_bytes(
        coded in prop::collection::vec(any::<u8>(), 0..600),
        size in 1_usize..50,
    ) {
        for coding in ALL {
            let _ = decode(&mut Decoder::new(coding), coded.chunks(size));
        }
    }

    #[test]
    fn decoder_does_not_panic_on_a_damaged_body(
        at in any::<prop::sample::Index>(),
        bit in 0_u32..8,
        size in 1_usize..50,
    ) {
        for coding in ALL {
            let mut coded = encode(coding, &EVENTS).concat();
            let at = at.index(coded.len());
            coded[at] ^= 1 << bit;
            let _ = decode(&mut Decoder::new(coding), coded.chunks(size));
        }
    }
}
