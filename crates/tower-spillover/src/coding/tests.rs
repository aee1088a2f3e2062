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

/// The pieces in a coding, each flushed as servers of streams do, so that it can be decoded when it has come.
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

/// The text that a decoder makes of these chunks, and how decoding ended.
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
    result.expect("it is right");
    text
}

const EVENTS: [&[u8]; 3] = [
    b"event: message_start\ndata: {\"type\":\"message_start\"}\n\n",
    b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
    b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
];

#[test]
fn each_flushed_event_can_be_decoded_when_it_has_come() {
    for coding in ALL {
        let mut decoder = Decoder::new(coding);
        let coded = encode(coding, &EVENTS);
        for (chunk, event) in coded.iter().zip(EVENTS) {
            let (text, result) = decode(&mut decoder, [&**chunk]);
            result.expect("it is right");
            assert_eq!(text, event, "{coding:?}");
            assert!(!decoder.is_complete());
        }
        let (rest, result) = decode(&mut decoder, [&*coded[EVENTS.len()]]);
        result.expect("it is right");
        assert_eq!(rest, b"");
        assert!(decoder.is_complete(), "{coding:?}");
    }
}

#[test]
fn body_split_anywhere_decodes_to_the_same() {
    for coding in ALL {
        let coded = encode(coding, &EVENTS).concat();
        for at in 0..=coded.len() {
            let (start, end) = coded.split_at(at);
            let mut decoder = Decoder::new(coding);
            let (text, result) = decode(&mut decoder, [start, end]);
            result.expect("it is right");
            assert_eq!(text, EVENTS.concat(), "{coding:?} at {at}");
            assert!(decoder.is_complete());
        }
        let mut decoder = Decoder::new(coding);
        let (text, result) = decode(&mut decoder, coded.chunks(1));
        result.expect("it is right");
        assert_eq!(text, EVENTS.concat(), "{coding:?} by bytes");
    }
}

#[test]
fn body_that_is_cut_off_is_not_complete() {
    for coding in ALL {
        let coded = encode(coding, &EVENTS).concat();
        let mut decoder = Decoder::new(coding);
        let (_, result) = decode(&mut decoder, [&coded[..coded.len() - 1]]);
        result.expect("what there is of it is right");
        assert!(!decoder.is_complete(), "{coding:?}");
    }
}

#[test]
fn rest_of_a_chunk_is_not_decoded_after_a_find() {
    for coding in ALL {
        let coded = encode(coding, &[&[b'a'; 10_000]]).concat();
        let mut looks = 0;
        let flow = Decoder::new(coding).decode(&coded, |piece| {
            looks += 1;
            assert!(piece.len() <= 4096);
            ControlFlow::Break(piece[0])
        });
        assert_eq!(flow.expect("it is right"), ControlFlow::Break(b'a'));
        assert_eq!(looks, 1, "{coding:?}");
    }
}

#[test]
fn body_that_is_not_in_its_coding_is_an_error() {
    for coding in ALL {
        let plain = b"data: {\"choices\":[]}\n\n".repeat(10);
        let (_, result) = decode(&mut Decoder::new(coding), [&*plain]);
        let error = result.expect_err("it is plain");
        assert!(!error.is_bomb(), "{coding:?}: {error}");

        let mut coded = encode(coding, &EVENTS).concat();
        let middle = coded.len() / 2;
        coded[middle..].iter_mut().for_each(|byte| *byte = !*byte);
        let _ = decode(&mut Decoder::new(coding), [&*coded]);
    }
}

#[test]
fn bomb_is_not_unpacked_whole() {
    for coding in ALL {
        let bomb = encode(coding, &[&vec![b' '; 8 << 20]]).concat();
        let (text, result) = decode(&mut Decoder::new(coding), [&*bomb]);
        assert!(result.expect_err("a bomb").is_bomb(), "{coding:?}");
        assert!(text.len() <= (1 << 20) + bomb.len() * 100 + 4096);

        // A large body that is worth it.
        let body: Vec<u8> = (0..1_u32 << 16)
            .flat_map(|n| n.to_string().into_bytes())
            .collect();
        let coded = encode(coding, &[&body]).concat();
        assert_eq!(text_of(coding, &coded), body, "{coding:?}");
    }
}

#[test]
fn gzip_comes_with_all_that_a_header_may_have_and_in_members() {
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
        result.expect("it is right");
        assert_eq!(text, b"one two", "in chunks of {size}");
        assert!(decoder.is_complete());
    }
    // Padding, as tar has it, is no third member.
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
fn deflate_is_read_with_its_wrapper_and_without() {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&EVENTS.concat()).expect("into memory");
    let bare = encoder.finish().expect("into memory");
    for size in [1, 2, 1000] {
        let mut decoder = Decoder::new(Coding::Deflate);
        let (text, result) = decode(&mut decoder, bare.chunks(size));
        result.expect("it is right");
        assert_eq!(text, EVENTS.concat());
        assert!(decoder.is_complete());
    }
}

#[test]
fn zstd_with_a_larger_window_than_the_content_coding_allows_is_not_read() {
    let encode = |window_log| {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).expect("memory");
        encoder.window_log(window_log).expect("a window");
        encoder.write_all(&EVENTS.concat()).expect("into memory");
        encoder.finish().expect("into memory")
    };
    assert_eq!(text_of(Coding::Zstd, &encode(23)), EVENTS.concat());
    let (_, result) = decode(&mut Decoder::new(Coding::Zstd), [&*encode(24)]);
    result.expect_err("its window has 16 MiB");

    // Frames may follow each other.
    let two = [encode(20), encode(21)].concat();
    assert_eq!(text_of(Coding::Zstd, &two), EVENTS.concat().repeat(2));
}

#[test]
fn codings_by_their_field() {
    type Read = Result<Option<Coding>, &'static str>;

    let of = |values: &[&'static str]| {
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
        assert_eq!(of(values), expected, "{values:?}");
    }
}

#[test]
fn only_readable_codings_are_offered() {
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
    fn no_bytes_make_a_decoder_panic(
        coded in prop::collection::vec(any::<u8>(), 0..600),
        size in 1_usize..50,
    ) {
        for coding in ALL {
            let _ = decode(&mut Decoder::new(coding), coded.chunks(size));
        }
    }

    #[test]
    fn damaged_body_makes_no_decoder_panic(
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
