use std::{fmt, ops::ControlFlow};

use super::{Coding, DecodeError, brotli::Brotli, inflate::Inflate, step::Step, zstd::Zstd};

/// Decodes a body in the chunks in which it comes.
///
/// The memory of a decoder is bounded by the window of the coding: 32 KiB for gzip and deflate, at most 16 MiB for brotli, at
/// most 8 MiB for zstd. Only the part of a window that has been decoded takes memory.
pub struct Decoder {
    kind: Kind,
    read: u64,
    written: u64,
}

enum Kind {
    Inflate(Inflate),
    Brotli(Brotli),
    Zstd(Zstd),
}

impl Decoder {
    /// Creates a decoder for the beginning of a body.
    #[must_use]
    pub fn new(coding: Coding) -> Self {
        let kind = match coding {
            Coding::Gzip => Kind::Inflate(Inflate::gzip()),
            Coding::Deflate => Kind::Inflate(Inflate::deflate()),
            Coding::Brotli => Kind::Brotli(Brotli::new()),
            Coding::Zstd => Kind::Zstd(Zstd::new()),
        };
        Self {
            kind,
            read: 0,
            written: 0,
        }
    }

    /// Decodes the next chunk, and hands all that can be decoded by now to `look`, in pieces of at most 4 KiB. When `look`
    /// breaks, its value is returned; the rest of the chunk is lost, and nothing else may be decoded.
    ///
    /// Bytes after the end of the coded body are ignored.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the body is corrupt, or when more than 1 MiB was decoded that is more than 100 times as large as
    /// its coded form. Nothing more can be decoded then. `look` has got the pieces before.
    pub fn decode<T>(
        &mut self,
        chunk: &[u8],
        mut look: impl FnMut(&[u8]) -> ControlFlow<T>,
    ) -> Result<ControlFlow<T>, DecodeError> {
        let mut output = [0; PIECE];
        let mut rest = chunk;
        loop {
            let Step { read, written } = self.step(rest, &mut output)?;
            rest = &rest[read..];
            if written > 0
                && let ControlFlow::Break(found) = look(&output[..written])
            {
                return Ok(ControlFlow::Break(found));
            }
            let is_stuck = read == 0 && written == 0;
            if is_stuck || rest.is_empty() && written < output.len() {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    /// Returns whether the coded body is complete. A body that is cut off is not.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match &self.kind {
            Kind::Inflate(inflate) => inflate.is_complete(),
            Kind::Brotli(brotli) => brotli.is_complete(),
            Kind::Zstd(zstd) => zstd.is_complete(),
        }
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, DecodeError> {
        let step = match &mut self.kind {
            Kind::Inflate(inflate) => inflate.step(input, output),
            Kind::Brotli(brotli) => brotli.step(input, output),
            Kind::Zstd(zstd) => zstd.step(input, output),
        }?;
        self.read += step.read as u64;
        self.written += step.written as u64;
        let is_bomb = self.written > ALWAYS_DECODED && self.written > self.read * MAX_RATIO;
        match is_bomb {
            true => Err(DecodeError::bomb()),
            false => Ok(step),
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("read", &self.read)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// The bytes that are decoded at a time. An event of a stream is mostly shorter, so it is looked at without a copy.
const PIECE: usize = 4096;

/// Text comes to 3 to 20 times its coded form. DEFLATE cannot come to more than 1,032 times, brotli and zstd can.
const MAX_RATIO: u64 = 100;

/// Bytes that are decoded whatever their ratio: that takes a millisecond.
const ALWAYS_DECODED: u64 = 1 << 20;
