//! The binary event streams of AWS, as far as they matter here: what each message is, and its payload.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html> has the format; the fields are those of
//! <https://smithy.io/2.0/aws/amazon-eventstream.html>.

use std::ops::ControlFlow;

/// A message, with those of its fields that say what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// `event`, `exception` or `error`.
    pub(super) kind: &'a [u8],
    /// The type of the event or exception, or the code of the error.
    pub(super) name: &'a [u8],
    /// The message of an `error`, which has no payload.
    pub(super) error_message: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// Reads a stream in the chunks in which it comes. A message within one chunk is not copied.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The beginning of the last message.
    begun: Vec<u8>,
    /// How much is left of a message that is too long to be looked at.
    skip: usize,
    /// This is no such stream, or it is broken: where the next message begins is not known.
    is_lost: bool,
}

/// `None` stands for a message that cannot be read, or is too long to be an error.
type Read<'a> = Option<Message<'a>>;

impl Parser {
    /// Reads the next chunk, up to the first message of which `look` makes something: what follows it in the chunk is lost.
    pub(super) fn feed<T>(
        &mut self,
        chunk: &[u8],
        mut look: impl FnMut(Read<'_>) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        let mut rest = chunk;
        while !rest.is_empty() && !self.is_lost {
            if self.skip > 0 {
                let skipped = self.skip.min(rest.len());
                self.skip -= skipped;
                rest = &rest[skipped..];
                continue;
            }
            if !self.begun.is_empty() {
                rest = self.complete(rest);
            }
            let is_begun = !self.begun.is_empty();
            let bytes = if is_begun { &*self.begun } else { rest };
            match Size::of(bytes) {
                Size::Known(len) if bytes.len() >= len => {
                    let flow = look(read(&bytes[..len]));
                    match is_begun {
                        true => self.begun.clear(),
                        false => rest = &rest[len..],
                    }
                    flow?;
                }
                Size::Known(_) | Size::Unknown if is_begun => {}
                Size::Known(_) | Size::Unknown => {
                    self.begun.extend(rest);
                    break;
                }
                Size::TooLong(len) => {
                    self.skip = len - self.begun.len();
                    self.begun.clear();
                    look(None)?;
                }
                Size::Invalid => {
                    self.is_lost = true;
                    look(None)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Adds the missing bytes of the last message: of its prelude first, then of all of it. Returns the rest of the chunk.
    fn complete<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        let len = match Size::of(&self.begun) {
            Size::Known(len) => len,
            _ => PRELUDE,
        };
        let missing = (len - self.begun.len()).min(chunk.len());
        let (missing, rest) = chunk.split_at(missing);
        self.begun.extend(missing);
        rest
    }
}

/// The size of a message by its prelude: the length of the message and of its headers, and the checksum of both.
enum Size {
    /// The prelude is not complete.
    Unknown,
    Known(usize),
    TooLong(usize),
    Invalid,
}

impl Size {
    fn of(bytes: &[u8]) -> Self {
        let Some(prelude) = bytes.get(..PRELUDE) else {
            return Self::Unknown;
        };
        let (lens, checksum) = prelude.split_at(8);
        let [len, headers] = [0, 4].map(|at| number(&lens[at..at + 4]));
        if crc32fast::hash(lens) as usize != number(checksum)
            || headers
                .checked_add(PRELUDE + CHECKSUM)
                .is_none_or(|min| len < min)
        {
            return Self::Invalid;
        }
        match len <= MAX_KEPT {
            true => Self::Known(len),
            false => Self::TooLong(len),
        }
    }
}

/// Reads a whole message whose prelude is right. The checksum at its end is for what checks that it came over the network
/// undamaged, which TLS does as well.
fn read(message: &[u8]) -> Read<'_> {
    let (prelude, rest) = message.split_at(PRELUDE);
    let (mut headers, rest) = rest.split_at(number(&prelude[4..8]));
    let payload = &rest[..rest.len() - CHECKSUM];
    let mut read = Message {
        payload,
        ..Message::default()
    };
    while !headers.is_empty() {
        let (name, value);
        (name, value, headers) = header(headers)?;
        match name {
            b":message-type" => read.kind = value,
            b":event-type" | b":exception-type" | b":error-code" => read.name = value,
            b":error-message" => read.error_message = value,
            _ => {}
        }
    }
    Some(read)
}

/// Splits off the first header: its name, its value and the remaining headers. The value is empty if it is no text.
fn header(headers: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (len, rest) = headers.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*len))?;
    let (kind, rest) = rest.split_first()?;
    let (is_text, len, rest) = match kind {
        // true, false
        0 | 1 => (false, 0, rest),
        // Numbers of 1, 2, 4 and 8 bytes; a timestamp; a UUID.
        2 => (false, 1, rest),
        3 => (false, 2, rest),
        4 => (false, 4, rest),
        5 | 8 => (false, 8, rest),
        9 => (false, 16, rest),
        // Bytes and text have their length in front.
        6 | 7 => {
            let (len, rest) = rest.split_at_checked(2)?;
            (*kind == 7, number(len), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(len)?;
    Some((name, if is_text { value } else { b"" }, rest))
}

/// Reads a number of at most four bytes, the highest first.
fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Two lengths and a checksum.
const PRELUDE: usize = 12;

/// At the end of a message.
const CHECKSUM: usize = 4;

/// As much as is read of an error.
const MAX_KEPT: usize = 64 * 1024;
