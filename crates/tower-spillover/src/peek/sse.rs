//! Server-sent events, as far as they matter here: the name and the data of each.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

use std::ops::ControlFlow;

use memchr::{memchr, memchr2};

/// An event that was dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// Empty if it has none. The specification calls that `message`.
    pub(super) name: &'a [u8],
    /// As it came: what is not UTF-8 is not replaced.
    pub(super) data: &'a [u8],
}

/// Reads a stream in the chunks in which it comes. The data of an event that is on one line within one chunk is not copied.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// How much of a byte order mark came so far; all of it, or none, once the stream has begun.
    mark: usize,
    /// The chunk before ended with a CR: a LF that comes now ends the same line.
    is_after_cr: bool,
    /// The beginning of the last line.
    line: Vec<u8>,
    name: Vec<u8>,
    /// The lines of data, each but the first after a LF.
    data: Vec<u8>,
    has_data: bool,
}

impl Parser {
    /// Reads the next chunk, up to the first event of which `look` makes something: what follows it in the chunk is lost.
    pub(super) fn feed<T>(
        &mut self,
        chunk: &[u8],
        mut look: impl FnMut(Event<'_>) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        let mut rest = self.skip_mark(chunk);
        if self.is_after_cr && !rest.is_empty() {
            self.is_after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        // A line of data that is still in the chunk.
        let mut fresh = None;
        while let Some(at) = memchr2(b'\n', b'\r', rest) {
            let (line, end) = rest.split_at(at);
            rest = match end {
                [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
                [] => end,
            };
            self.is_after_cr = end == b"\r";
            if !self.line.is_empty() {
                self.end_line(line);
            } else if line.is_empty() {
                self.dispatch(fresh.take(), &mut look)?;
            } else {
                self.field(line, &mut fresh);
            }
        }
        push(&mut self.line, rest);
        self.keep(fresh);
        ControlFlow::Continue(())
    }

    /// Returns true if the stream has begun and no part of an event has been read.
    pub(super) fn is_between_events(&self) -> bool {
        let is_clean = self.line.is_empty() && self.name.is_empty() && !self.has_data;
        is_clean && !self.is_after_cr && self.mark == MARK.len()
    }

    /// Ends the stream. An event without its end counts: the specification drops it, but a backend that breaks off in the
    /// middle of an error has failed all the same.
    pub(super) fn finish<T>(
        &mut self,
        mut look: impl FnMut(Event<'_>) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        if !self.line.is_empty() {
            self.end_line(b"");
        }
        self.dispatch(None, &mut look)
    }

    /// Ends a line that began in an earlier chunk.
    fn end_line(&mut self, end: &[u8]) {
        let mut line = std::mem::take(&mut self.line);
        push(&mut line, end);
        let mut data = None;
        self.field(&line, &mut data);
        self.keep(data);
        line.clear();
        self.line = line;
    }

    fn field<'c>(&mut self, line: &'c [u8], fresh: &mut Option<&'c [u8]>) {
        let (field, value) = match memchr(b':', line) {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => {
                self.name.clear();
                self.name.extend(value.iter().take(MAX_NAME));
            }
            b"data" => {
                self.keep(fresh.take());
                *fresh = Some(value);
            }
            // Comments, which have no name; `id` and `retry`, which are for clients that connect again; and unknown fields.
            _ => {}
        }
    }

    fn dispatch<T>(
        &mut self,
        fresh: Option<&[u8]>,
        look: &mut impl FnMut(Event<'_>) -> ControlFlow<T>,
    ) -> ControlFlow<T> {
        let data = match fresh {
            Some(data) if !self.has_data => Some(data),
            fresh => {
                self.keep(fresh);
                self.has_data.then_some(&*self.data)
            }
        };
        let flow = match data {
            Some(data) => look(Event {
                name: &self.name,
                data,
            }),
            None => ControlFlow::Continue(()),
        };
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        flow
    }

    /// Copies a line of data that would go with the chunk, or has others before it.
    fn keep(&mut self, fresh: Option<&[u8]>) {
        let Some(data) = fresh else {
            return;
        };
        if self.has_data {
            push(&mut self.data, b"\n");
        }
        push(&mut self.data, data);
        self.has_data = true;
    }

    /// Removes the byte order mark that a stream may begin with.
    fn skip_mark<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        let mut rest = chunk;
        while let (Some(expected), Some(byte)) = (MARK.get(self.mark), rest.first()) {
            if byte != expected {
                // The bytes were no mark.
                self.line.extend(&MARK[..self.mark]);
                self.mark = MARK.len();
                return rest;
            }
            self.mark += 1;
            rest = &rest[1..];
        }
        rest
    }
}

/// Adds to the kept part of an event. The rest of an event that is longer than any error is dropped.
fn push(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = MAX_KEPT.saturating_sub(kept.len());
    kept.extend(&bytes[..bytes.len().min(room)]);
}

const MARK: [u8; 3] = *b"\xef\xbb\xbf";

/// As much as is read of an error.
const MAX_KEPT: usize = 64 * 1024;

/// Twice the longest name that a vendor is known to use.
const MAX_NAME: usize = 128;
