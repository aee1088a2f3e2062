#!/usr/bin/env bash
# ruzstd 0.9.1 returns nothing of a zstd stream that is flushed and still open.
#
# A server that sends server-sent events in zstd flushes the encoder after each event (RFC 8878 section 3.1.1.2: every complete
# block can be decoded). zstd 0.14.0, the binding of the reference library, returns each event as it comes. The StreamingDecoder
# of ruzstd 0.9.1 returns data only beyond the window of the frame, or at the end of the frame. A stream shorter than its
# window, like most answers of a model, returns nothing before its end.
#
# Result: of 1,540 bytes in 50 flushed events, zstd returns 1,540 and ruzstd 0.
#
# Runs both decoders on the same valid bytes in a temporary folder. Exits with code 0 while the defect exists.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"

cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"

[dependencies]
ruzstd = "=0.9.1"
zstd = { version = "=0.14.0", default-features = false }
TOML

cat >"$folder/src/main.rs" <<'RUST'
use std::io::{self, Read, Write};

/// Yields the bytes that have arrived. The rest of the stream is still to come.
struct Open(io::Cursor<Vec<u8>>);

impl Read for Open {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            read => Ok(read),
        }
    }
}

fn count(mut decoder: impl Read) -> usize {
    let (mut count, mut buffer) = (0, [0; 256]);
    while let Ok(read @ 1..) = decoder.read(&mut buffer) {
        count += read;
    }
    count
}

fn main() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    for number in 0..50 {
        write!(encoder, "event: message\ndata: {{\"n\":{number}}}\n\n").unwrap();
        encoder.flush().unwrap();
    }
    let open = || Open(io::Cursor::new(encoder.get_ref().clone()));
    println!("zstd {}", count(zstd::stream::read::Decoder::new(open()).unwrap()));
    println!("ruzstd {}", count(ruzstd::decoding::StreamingDecoder::new(open()).unwrap()));
}
RUST

seen=$(cargo run --quiet --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target")
echo "$seen"
[ "$seen" = $'zstd 1540\nruzstd 0' ] || { echo "this has changed: ruzstd may do for streams now" >&2; exit 1; }
