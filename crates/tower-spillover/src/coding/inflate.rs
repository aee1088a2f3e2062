use flate2::{Decompress, FlushDecompress, Status};

use super::{DecodeError, gzip, step::Step};

/// Decodes gzip and deflate. Checksums are not checked, as bodies are decoded for a look only.
pub(super) struct Inflate {
    raw: Decompress,
    state: State,
    frame: Frame,
}

/// The format around the data that DEFLATE makes.
#[derive(Clone, Copy, PartialEq)]
enum Frame {
    Gzip,
    Zlib,
    None,
}

/// The part that the next byte belongs to.
enum State {
    /// The header of a member of gzip, with the bytes of it that have come.
    Header(Vec<u8>),
    /// The beginning of deflate.
    Start,
    /// The rest of the header that deflate mostly has, with its length.
    Head(usize),
    Data,
    /// The rest of the checksums at the end, with its length.
    Tail(usize),
    /// After a member: another one follows, or padding.
    Between,
    End,
}

impl Inflate {
    pub(super) fn gzip() -> Self {
        Self {
            raw: Decompress::new(false),
            state: State::Header(Vec::new()),
            frame: Frame::Gzip,
        }
    }

    pub(super) fn deflate() -> Self {
        Self {
            raw: Decompress::new(false),
            state: State::Start,
            frame: Frame::None,
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.state, State::Between | State::End)
    }

    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, DecodeError> {
        if let State::Data = self.state {
            return self.inflate(input, output);
        }
        let mut rest = input;
        while let Some(&next) = rest.first() {
            let read = match &mut self.state {
                State::Header(header) => {
                    let begun = header.len();
                    let room = gzip::MAX_HEADER - begun;
                    header.extend(&rest[..rest.len().min(room)]);
                    match gzip::header_len(header)? {
                        Some(len) => {
                            self.state = State::Data;
                            len - begun
                        }
                        None if header.len() < gzip::MAX_HEADER => rest.len(),
                        None => return Err(DecodeError::corrupt()),
                    }
                }
                State::Start => {
                    (self.frame, self.state) = match begins_zlib(next) {
                        true => (Frame::Zlib, State::Head(ZLIB_HEAD)),
                        false => (Frame::None, State::Data),
                    };
                    0
                }
                State::Head(left) => {
                    let read = rest.len().min(*left);
                    *left -= read;
                    if *left == 0 {
                        self.state = State::Data;
                    }
                    read
                }
                State::Tail(left) => {
                    let read = rest.len().min(*left);
                    *left -= read;
                    if *left == 0 {
                        self.state = match self.frame {
                            Frame::Gzip => State::Between,
                            Frame::Zlib | Frame::None => State::End,
                        };
                    }
                    read
                }
                State::Between if next == gzip::ID1 => {
                    self.raw.reset(false);
                    self.state = State::Header(Vec::new());
                    0
                }
                State::Between | State::End => {
                    self.state = State::End;
                    rest.len()
                }
                State::Data => break,
            };
            rest = &rest[read..];
        }
        let skipped = input.len() - rest.len();
        if !matches!(self.state, State::Data) {
            return Ok(Step {
                read: skipped,
                written: 0,
            });
        }
        let step = self.inflate(rest, output)?;
        Ok(Step {
            read: skipped + step.read,
            ..step
        })
    }

    fn inflate(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, DecodeError> {
        let (read, written) = (self.raw.total_in(), self.raw.total_out());
        let status = self.raw.decompress(input, output, FlushDecompress::None);
        if status.map_err(|_| DecodeError::corrupt())? == Status::StreamEnd {
            self.state = match self.frame {
                Frame::Gzip => State::Tail(gzip::TAIL),
                Frame::Zlib => State::Tail(ZLIB_TAIL),
                Frame::None => State::End,
            };
        }
        Ok(Step {
            read: (self.raw.total_in() - read) as usize,
            written: (self.raw.total_out() - written) as usize,
        })
    }
}

/// Returns whether a deflate body that begins with this byte has the header of RFC 1950 section 2.2: the method is 8, the
/// window at most 32 KiB. DEFLATE itself would begin so only with a block of plain bytes that has garbage in its padding.
fn begins_zlib(first: u8) -> bool {
    first & 0x0f == 8 && first >> 4 <= 7
}

const ZLIB_HEAD: usize = 2;

const ZLIB_TAIL: usize = 4;
